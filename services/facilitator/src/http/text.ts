// Text that clients bring and a database keeps: any but NUL and lone surrogates, which Postgres takes in no text.
import { z } from "zod";

/** UTF-16 units from `least` to `most`, all of which can be stored. For every schema of an id or a note. */
export function storable(least: number, most: number) {
  return z
    .string()
    .min(least)
    .max(most)
    .regex(/^[^\0\uD800-\uDFFF]*$/u, "must be text without NUL and lone surrogates");
}
