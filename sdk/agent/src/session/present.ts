// Presenting a credential on an errand of its own (open, top-up, close, voucher alone), again and again until the server
// has said something definite. The same credential under the same Idempotency-Key counts once.
import {
  type Challenge,
  type Credential,
  Credential as Credentials,
  InvalidFieldError,
  type Problem,
  Receipt,
} from "@mppsol/core";
import { challengesOf, pause, problemOf, retryAfter } from "../answers.js";
import { ChallengeRefusedError } from "../errors.js";
import { discard } from "../exchange.js";
import type { Errand } from "../payer.js";
import type { Timing } from "./options.js";

/** What an errand came to. */
export type Answer =
  | { readonly kind: "done"; readonly receipt: Receipt.Receipt | undefined }
  | Refusal
  /** The server may have done it or not. */
  | { readonly kind: "unknown"; readonly reason: string };

export interface Refusal {
  readonly kind: "refused";
  readonly status: number;
  readonly problem: Problem.Problem | undefined;
  /** The challenge that came with it. */
  readonly challenge: Challenge.Challenge | undefined;
  /** Whether an earlier try of the same errand got no answer: then what is refused may be a repetition. */
  readonly repeated: boolean;
}

export interface Presentation {
  readonly url: string;
  /** Answers to `HEAD` carry no problem document. */
  readonly method: string;
  readonly credential: Credential.Credential;
  readonly idempotencyKey: string;
}

/** Connections that may break, or servers that may fail, before an errand is given up on. */
const MAX_BREAKS = 3;

/** Sends the errand until it is answered. Rejects only once `signal` is aborted. */
export async function present(
  errand: Pick<Errand, "send" | "signal" | "serverNow">,
  { url, method, credential, idempotencyKey }: Presentation,
  timing: Timing,
): Promise<Answer> {
  const { signal } = errand;
  const headers = {
    [credential.challenge.header ?? "Authorization"]: Credentials.format(credential),
    "Idempotency-Key": idempotencyKey,
  };
  const deadline = performance.now() + timing.errandMs;
  let reason = "no answer in time";
  for (let breaks = 0; ; ) {
    let wait = timing.pollMs * 2 ** breaks;
    try {
      const response = await errand.send(url, { method, headers });
      if (!isOpen(response.status)) return await read(response, breaks > 0);
      reason = `the server answered ${response.status}`;
      if (response.headers.has("retry-after")) wait = retryAfter(response, errand.serverNow());
      if (response.status >= 500) breaks++;
      discard(response);
    } catch {
      signal?.throwIfAborted();
      reason = "the connection broke";
      breaks++;
    }
    if (breaks === MAX_BREAKS || performance.now() + wait > deadline) return { kind: "unknown", reason };
    await pause(wait, signal);
  }
}

/** Answers after which the same errand is to be sent again: pending, in flight, or the server failed. */
function isOpen(status: number): boolean {
  return status === 202 || status === 409 || status === 425 || status === 429 || status >= 500;
}

async function read(response: Response, repeated: boolean): Promise<Answer> {
  if (response.ok) {
    discard(response);
    return { kind: "done", receipt: receiptOf(response) };
  }
  const problem = await problemOf(response);
  discard(response);
  return { kind: "refused", status: response.status, problem, challenge: challengeOf(response), repeated };
}

/** The receipt of an answer; none when it cannot be read. */
export function receiptOf(response: Response): Receipt.Receipt | undefined {
  const header = response.headers.get(Receipt.HEADER);
  if (header === null) return undefined;
  try {
    return Receipt.parse(header);
  } catch (error) {
    if (error instanceof InvalidFieldError) return undefined;
    throw error;
  }
}

/** The first challenge of an answer that a Solana session can take up. */
export function challengeOf(response: Response): Challenge.Challenge | undefined {
  try {
    return challengesOf(response).find(({ method, intent }) => method === "solana" && intent === "session");
  } catch (error) {
    if (error instanceof ChallengeRefusedError) return undefined;
    throw error;
  }
}
