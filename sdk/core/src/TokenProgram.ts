// The two programs that can govern a mint.
import { InvalidFieldError } from "./errors.js";

/** The SPL Token program. */
export const TOKEN = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA";

/** The Token-2022 program. */
export const TOKEN_2022 = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb";

/** `value` itself, once it is known to be the address of one of the two. Throws {InvalidFieldError}. */
export function parse(value: unknown, field = "tokenProgram"): string {
  if (value !== TOKEN && value !== TOKEN_2022) throw new InvalidFieldError(field, "neither Token nor Token-2022");
  return value;
}
