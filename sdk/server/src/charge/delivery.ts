// What was paid once is delivered once: one delivery a challenge, tied to the request that came first.
import { randomUUID } from "node:crypto";
import { RefusedError } from "@mppsol/core";
import type { Grant, RequestContext } from "../intent.js";
import type { Delivery, DeliveryStore, StoredResponse } from "../stores/Store.js";

export interface DeliveryOptions {
  readonly deliveries: DeliveryStore;
  /** Milliseconds after which a process that says nothing counts as dead. */
  readonly leaseMs: number;
  /** Milliseconds after the payment within which it must be collected. */
  readonly collectMs: number;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly onError: (error: unknown) => void;
}

export type Begun =
  | { readonly kind: "begun"; readonly hold: Hold }
  | { readonly kind: "done"; readonly response: StoredResponse };

/** A delivery that is ours to make. */
export type Hold = Pick<Grant, "fail"> & {
  readonly finish: (response: Parameters<Grant["finish"]>[0]) => Promise<void>;
};

/** Every charge has one delivery, whatever the key of the request: another key must not be served again. */
const KEY = "charge";

/**
 * Starts the delivery of a paid challenge, or says what was delivered.
 * @param paidAt unix milliseconds.
 * @throws {RefusedError} `idempotency-in-flight` while somebody works on it; `challenge-used` for a request that is not
 * the first one's repetition, or comes too late; `idempotency-mismatch` for the first one's key on another request.
 */
export async function begin(
  options: DeliveryOptions,
  challengeId: string,
  context: Pick<RequestContext, "digest" | "idempotencyKey">,
  paidAt: number,
): Promise<Begun> {
  const { deliveries, leaseMs, collectMs, now } = options;
  const digest = bound(context);
  const known = await deliveries.get(challengeId, KEY);
  // Stores forget old deliveries; from then on nothing says that this one was made.
  if (known === undefined && now() - paidAt > collectMs) throw new RefusedError("challenge-used");
  const owner = randomUUID();
  const delivery = { scope: challengeId, key: KEY, digest, owner, leaseUntil: now() + leaseMs };
  const result = known?.state === "done" ? { begun: false, delivery: known } : await deliveries.begin(delivery, now());
  if (result.begun) return { kind: "begun", hold: hold(options, challengeId, owner) };
  return repeated(result.delivery, digest, context.idempotencyKey);
}

/** Digest and key in one: both must be the first one's. The digest has no space. */
function bound({ digest, idempotencyKey }: Pick<RequestContext, "digest" | "idempotencyKey">): string {
  return idempotencyKey === undefined ? digest : `${digest} ${idempotencyKey}`;
}

function repeated(delivery: Delivery, digest: string, idempotencyKey: string | undefined): Begun {
  if (delivery.digest !== digest) {
    const sameKey = idempotencyKey !== undefined && keyOf(delivery) === idempotencyKey;
    throw new RefusedError(sameKey ? "idempotency-mismatch" : "challenge-used");
  }
  if (delivery.state === "working") throw new RefusedError("idempotency-in-flight");
  // Without a key nothing asks for a replay: the credential is used up.
  if (idempotencyKey === undefined || delivery.response === undefined) throw new RefusedError("challenge-used");
  return { kind: "done", response: delivery.response };
}

function keyOf({ digest }: Delivery): string | undefined {
  const space = digest.indexOf(" ");
  return space < 0 ? undefined : digest.slice(space + 1);
}

/** Keeps the lease while the handler works. */
function hold({ deliveries, leaseMs, now, onError }: DeliveryOptions, scope: string, owner: string): Hold {
  const beat = setInterval(() => {
    deliveries.renew(scope, KEY, owner, now() + leaseMs, now()).catch(onError);
  }, leaseMs / 3);
  beat.unref();
  return {
    async finish({ status, headers, body }) {
      clearInterval(beat);
      const kept = body === undefined ? {} : { body: Buffer.from(body).toString("base64") };
      await deliveries.finish(scope, KEY, owner, { status, headers, ...kept }, now());
    },
    async fail() {
      clearInterval(beat);
      await deliveries.abandon(scope, KEY, owner);
    },
  };
}
