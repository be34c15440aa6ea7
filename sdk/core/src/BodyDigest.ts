// The digest that binds a challenge to a request's body (RFC 9530; draft-httpauth-payment-00, "Request Body Digest Binding").
import { sha256 } from "@noble/hashes/sha2.js";
import { base64 } from "@scure/base";
import { equalInConstantTime } from "./bytes.js";

/** `sha-256=:<base64>:` over the body. */
export function of(body: Uint8Array): string {
  return `sha-256=:${base64.encode(sha256(body))}:`;
}

/**
 * Whether `digest` is the SHA-256 of `body`: between colons as RFC 9530 writes it, or bare as mppx does, padded or not.
 * Any other algorithm or form matches nothing.
 */
export function matches(digest: string, body: Uint8Array): boolean {
  const found = /^sha-256=(?::([A-Za-z0-9+/]{43}=?):|([A-Za-z0-9+/]{43}=?))$/i.exec(digest);
  if (found === null) return false;
  const text = (found[1] ?? found[2]) as string;
  try {
    return equalInConstantTime(base64.decode(text.padEnd(44, "=")), sha256(body));
  } catch {
    return false;
  }
}
