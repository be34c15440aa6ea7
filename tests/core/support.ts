// What several of the tests of core need.
import { Base64Url, InvalidFieldError } from "@mppsol/core";

/** What `parser` answers; undefined when it throws InvalidFieldError. Anything else that it throws goes through. */
export function answerOf<T>(parser: () => T): T | undefined {
  try {
    return parser();
  } catch (error) {
    if (error instanceof InvalidFieldError) return undefined;
    throw error;
  }
}

/** A credential's header value around any JSON text. */
export function payment(json: string): string {
  return `Payment ${Base64Url.encode(json)}`;
}
