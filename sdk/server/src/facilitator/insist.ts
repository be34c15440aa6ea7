// Asking a facilitator for something that may move money, until it answers or the time is up: the same request under the same
// key, so that it happens once.
import { createHash, randomUUID } from "node:crypto";
import type { JsonObject } from "@mppsol/core";
import { sleep } from "../chain/sleep.js";
import { SettlementError } from "./errors.js";
import { refusalOf } from "./refusals.js";
import type { CallOptions } from "./SettlementClient.js";

export interface Insistence {
  readonly idempotencyKey: string;
  /** Milliseconds for all tries. */
  readonly timeoutMs: number;
  readonly errand?: "open" | "topup";
  readonly onError: (error: unknown) => void;
}

const FIRST_PAUSE_MS = 250;

/**
 * The answer; `undefined` when there is none and the request may have been acted upon.
 * @throws {RefusedError} when it was refused, and nothing was taken; `unavailable` when it never left.
 */
export async function insist<T>(
  ask: (options: Required<CallOptions>) => Promise<T>,
  { idempotencyKey: first, timeoutMs, errand, onError }: Insistence,
): Promise<T | undefined> {
  const until = performance.now() + timeoutMs;
  let idempotencyKey = first;
  let mayBeSent = false;
  for (let pause = FIRST_PAUSE_MS; ; pause *= 2) {
    const left = Math.max(1, Math.ceil(until - performance.now()));
    try {
      return await ask({ idempotencyKey, timeoutMs: left });
    } catch (error) {
      if (!(error instanceof SettlementError)) throw error;
      onError(error);
      mayBeSent ||= error.uncertain;
      // Somebody took the name for something else. The transaction itself makes it one payment.
      if (error.code === "idempotency_key_reused") idempotencyKey = randomUUID();
      else if (!error.retryable && !error.uncertain) throw refusalOf(error, errand);
      const waitMs = Math.max(pause, 1000 * (error.retryAfterSeconds ?? 0));
      if (performance.now() + waitMs < until) {
        await sleep(waitMs);
        continue;
      }
      if (mayBeSent) return undefined;
      throw refusalOf(error, errand);
    }
  }
}

/** A key that is the same for the same request, in every process. */
export function keyOf(what: string, request: JsonObject, transaction: Uint8Array): string {
  const hash = createHash("sha256")
    .update(`${JSON.stringify(request)}\n`)
    .update(transaction);
  return `${what}-${hash.digest("base64url")}`;
}
