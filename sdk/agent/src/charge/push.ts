// Push: the agent sends its payment itself, the same bytes again and again, until it is confirmed or never will be.
import { pause } from "../answers.js";
import type { Chain } from "../chain/Chain.js";
import type { FateOf } from "../chain/fate.js";
import type { Now } from "../clock.js";
import { ChainError, PaymentFailedError } from "../errors.js";

const RESEND_MS = 2_000;
const LOOK_MS = 400;

/** Longer than any blockhash lives, finality included. */
const GIVE_UP_MS = 180_000;

/**
 * Resolves once the payment is confirmed.
 * @throws {PaymentFailedError} when it is not going to be, or that is not known in time; `fate` says which.
 */
export async function push(
  chain: Chain,
  payment: { readonly wire: Uint8Array; readonly signature: string },
  look: () => Promise<FateOf>,
  control: { readonly now: Now; readonly signal: AbortSignal | undefined },
): Promise<void> {
  const { now, signal } = control;
  const end = now() + GIVE_UP_MS;
  const refused = await attempt(() => chain.send(payment.wire, true));
  if (refused !== undefined) throw new PaymentFailedError(payment.signature, "unknown", refused);
  for (let sentAt = now(); now() < end; ) {
    const found = await attempt(look);
    if (found?.fate === "paid") return;
    if (found?.fate === "not-paid") {
      const why = found.failed === true ? "the transaction failed" : "the transaction expired";
      throw new PaymentFailedError(payment.signature, "not-paid", why);
    }
    await pause(LOOK_MS, signal);
    if (now() - sentAt < RESEND_MS) continue;
    sentAt = now();
    await attempt(() => chain.send(payment.wire, false));
  }
  throw new PaymentFailedError(payment.signature, "unknown", "the transaction was not seen in time");
}

/** An RPC that does not answer is asked again. */
async function attempt<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof ChainError) return undefined;
    throw error;
  }
}
