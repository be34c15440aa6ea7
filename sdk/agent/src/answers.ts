// Reading what a server answers: problem documents, challenges, and for how long to wait. All of it is hostile until read.
import { Challenge, InvalidFieldError, Problem } from "@mppsol/core";
import { ChallengeRefusedError } from "./errors.js";

/** Most bytes, and most milliseconds, that a problem document gets. */
const PROBLEM_BYTES = 64 * 1024;
const PROBLEM_MS = 10_000;

/** Most challenges of one answer that are looked at. */
export const MAX_CHALLENGES = 16;

const MIN_WAIT_MS = 100;
const MAX_WAIT_MS = 30_000;
const USUAL_WAIT_MS = 1_000;

/**
 * The `Payment` challenges of a 402 in the server's order; none when it has nothing to do with the scheme.
 * @throws {ChallengeRefusedError} when one is damaged, or there are too many.
 */
export function challengesOf(response: Response): Challenge.Challenge[] {
  const header = response.headers.get("www-authenticate");
  if (header === null) return [];
  const challenges = read(() => Challenge.parseAll(header));
  if (challenges.length > MAX_CHALLENGES) {
    throw new ChallengeRefusedError("too-many", `the server sent ${challenges.length} challenges`);
  }
  return challenges;
}

/** What a parser of a challenge's parts returns; its complaint becomes the agent's. */
export function read<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof InvalidFieldError)) throw error;
    throw new ChallengeRefusedError("malformed", `the challenge cannot be read: ${error.message}`, { cause: error });
  }
}

/** The problem document of an answer, whose body stays unread. Nothing when it has none that can be read. */
export async function problemOf(response: Response): Promise<Problem.Problem | undefined> {
  const type = response.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (type !== Problem.CONTENT_TYPE || response.body === null) return undefined;
  const text = await prefix(response.clone().body);
  try {
    return text === undefined ? undefined : Problem.parse(JSON.parse(text), response.status);
  } catch {
    return undefined; // no JSON object
  }
}

/** Text of a body that is not too long and does not take too long. */
async function prefix(body: ReadableStream<Uint8Array> | null): Promise<string | undefined> {
  if (body === null) return undefined;
  const reader = body.getReader();
  const timer = setTimeout(() => reader.cancel().catch(() => {}), PROBLEM_MS);
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return new TextDecoder().decode(Buffer.concat(chunks));
      size += value.length;
      if (size > PROBLEM_BYTES) return undefined;
      chunks.push(value);
    }
  } catch {
    return undefined; // the connection broke
  } finally {
    clearTimeout(timer);
    reader.cancel().catch(() => {});
  }
}

/** How long a server wants to be left alone, in milliseconds (RFC 9110, section 10.2.3), within reason. */
export function retryAfter(response: Response, nowMs: number): number {
  const header = response.headers.get("retry-after");
  if (header === null) return USUAL_WAIT_MS;
  const wanted = /^[0-9]+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - nowMs;
  return Number.isNaN(wanted) ? USUAL_WAIT_MS : Math.min(Math.max(wanted, MIN_WAIT_MS), MAX_WAIT_MS);
}

/** Waits. Rejects with the signal's reason once it is aborted. */
export function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", abort, { once: true });
  });
}
