// One request at a paid route, whatever it came by: what the gate judges a payment by.
import { createHash, randomUUID } from "node:crypto";
import { Base58, InvalidFieldError, RefusedError } from "@mppsol/core";
import type { RequestContext } from "../intent.js";

export interface Call {
  /** Ours, for problem documents and logs. */
  readonly requestId: string;
  /** The protection space of its challenges. */
  readonly realm: string;
  /** Names the resource to the byte; a charge's challenge is good for this one only. */
  readonly resource: string;
  /** The body whose digest a charge's challenge carries. Empty: none does. */
  readonly body: Uint8Array;
  readonly context: RequestContext;
}

export function newRequestId(): string {
  return randomUUID();
}

/** Base64url SHA-256 over `parts`, each with its length before it, so that no two lists have one digest. */
export function digestOf(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) {
    const bytes = typeof part === "string" ? Buffer.from(part, "utf8") : part;
    hash.update(`${bytes.length}:`).update(bytes);
  }
  return hash.digest("base64url");
}

/**
 * The value of `Idempotency-Key`, which is opaque to us.
 * @throws {RefusedError} `idempotency-key-invalid` unless it has 1 to 255 printable ASCII characters.
 */
export function idempotencyKey(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string" || !/^[\x20-\x7e]{1,255}$/.test(value)) {
    throw new RefusedError("idempotency-key-invalid");
  }
  return value;
}

/** The channel that a client says it has; a hint that is no address is no hint. */
export function channelHint(value: string | null): string | undefined {
  if (value === null) return undefined;
  try {
    return Base58.address(value.trim(), "Payment-Channel");
  } catch (error) {
    if (error instanceof InvalidFieldError) return undefined;
    throw error;
  }
}
