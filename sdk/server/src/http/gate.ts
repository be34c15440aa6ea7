// The gate of a route: issues its challenges, and lets through what pays one of them. Knows no HTTP.
import { randomBytes } from "node:crypto";
import { AcceptPayment, BodyDigest, Challenge, type Credential, RefusedError, Timestamp } from "@mppsol/core";
import type { Intent, Redemption } from "../intent.js";
import type { Call } from "./call.js";

export interface GateOptions {
  /** In the order of the seller's preference. */
  readonly intents: readonly Intent[];
  /** The first signs; all of them verify. */
  readonly secrets: readonly Challenge.Secret[];
  /** Seconds that a challenge may be paid for. */
  readonly challengeTtlSeconds: number;
  readonly header?: "Payment-Authorization" | undefined;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Told of an offer that could not be made while another one could. */
  readonly onOfferError: (error: unknown, call: Call) => void;
}

export class Gate {
  readonly #options: GateOptions;

  constructor(options: GateOptions) {
    this.#options = options;
  }

  get intents(): readonly Intent[] {
    return this.#options.intents;
  }

  /**
   * Fresh challenges, those that the client prefers first. At least one.
   * @throws what the first offer threw, when none could be made.
   */
  async challenges(call: Call, accept?: string): Promise<Challenge.Challenge[]> {
    const wanted = AcceptPayment.select(this.#options.intents, accept);
    const made = await Promise.allSettled(wanted.map((intent) => this.#challenge(intent, call)));
    const failed = made.flatMap((one) => (one.status === "rejected" ? [one.reason as unknown] : []));
    if (failed.length === made.length) throw failed[0];
    for (const error of failed) this.#options.onOfferError(error, call);
    return made.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  }

  async #challenge(intent: Intent, call: Call): Promise<Challenge.Challenge> {
    const { request, description } = await intent.offer(call.context);
    const { secrets, challengeTtlSeconds, header, now } = this.#options;
    const single = intent.intent === "charge";
    return Challenge.issue(
      {
        realm: call.realm,
        method: intent.method,
        intent: intent.intent,
        request,
        expires: Timestamp.format(new Date(now() + challengeTtlSeconds * 1000)),
        ...(single && call.body.length > 0 ? { digest: BodyDigest.of(call.body) } : {}),
        ...(description === undefined ? {} : { description }),
        // Without the nonce two clients in one millisecond would share an id, and one payment. A session's challenge
        // outlives the request, so only a charge's names the resource, and the guard whose word it is.
        opaque: {
          nonce: randomBytes(12).toString("base64url"),
          ...(single ? { resource: call.resource } : {}),
          ...(intent.tag === undefined ? {} : { guard: intent.tag }),
        },
        ...(header === undefined ? {} : { header }),
      },
      secrets[0] as Challenge.Secret,
    );
  }

  /**
   * Takes the payment, after everything that needs neither chain nor store (draft-httpauth-payment-00, "Challenge
   * Binding"): ours, unexpired, for this route at its present terms and for this request.
   * @throws {RefusedError}
   */
  async redeem(credential: Credential.Credential, call: Call): Promise<Redemption> {
    const { challenge } = credential;
    const { intents, secrets, now } = this.#options;
    const offered = intents.filter((one) => one.method === challenge.method && one.intent === challenge.intent);
    if (offered.length === 0) throw new RefusedError("method-unsupported");
    if (!Challenge.isBound(challenge, secrets)) throw new RefusedError("challenge-unknown");
    if (challenge.realm !== call.realm) throw new RefusedError("challenge-mismatch");
    checkDigest(challenge, call);
    if (challenge.intent === "charge" && Challenge.opaqueOf(challenge)?.resource !== call.resource) {
      throw new RefusedError("challenge-mismatch");
    }
    const { intent, enforceExpiry } = await matching(offered, credential, call);
    if (enforceExpiry && Challenge.expired(challenge, now())) throw new RefusedError("challenge-expired");
    return intent.redeem(credential, call.context);
  }
}

/** That a credential is for another offer. */
const MISMATCHES: ReadonlySet<string> = new Set(["challenge-mismatch", "policy-denied"]);

/**
 * The one of several offers that the credential is for: charges in two currencies differ by their terms only. Where it is
 * for none, a payment that was made anyway (`policy-denied`) weighs more than terms that differ.
 */
async function matching(offered: readonly Intent[], credential: Credential.Credential, call: Call) {
  let mismatch: unknown;
  for (const intent of offered) {
    try {
      return { intent, ...(await intent.match(credential, call.context)) };
    } catch (error) {
      if (!(error instanceof RefusedError) || !MISMATCHES.has(error.code)) throw error;
      if (mismatch === undefined || error.code === "policy-denied") mismatch = error;
    }
  }
  throw mismatch;
}

/** A challenge with a digest is good for that body only; without one, a charge's is good for no body. */
function checkDigest(challenge: Challenge.Challenge, call: Call): void {
  const sound =
    challenge.digest === undefined
      ? challenge.intent === "session" || call.body.length === 0
      : BodyDigest.matches(challenge.digest, call.body);
  if (!sound) throw new RefusedError("digest-mismatch");
}
