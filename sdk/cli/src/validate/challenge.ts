// Rules of the challenge (draft-httpauth-payment-00) and of what a server says to credentials that are no good.
import { Challenge, Credential, MppsolError, Problem } from "@mppsol/core";
import type { Checks } from "./checks.js";
import { type Answer, ask, json } from "./http.js";

export interface Target {
  readonly url: string;
  readonly method: string;
}

/** Asks without paying, and with payments that are none; the challenges that were offered. */
export async function checkChallenge(checks: Checks, target: Target): Promise<Challenge.Challenge[]> {
  const answer = await ask(target.url, { method: target.method });
  if (
    !checks.must("status-402", "an unpaid request is answered 402", answer.status === 402, `status ${answer.status}`)
  ) {
    return [];
  }
  const challenges = offered(checks, answer, "challenge");
  noStore(checks, answer, "challenge-no-store");
  problemBody(checks, answer, "problem", "payment-required");
  for (const challenge of challenges) checkMembers(checks, challenge, target);
  await checkSecond(checks, target, challenges);
  await checkBadCredentials(checks, target, challenges[0]);
  return challenges;
}

function offered(checks: Checks, answer: Answer, id: string): Challenge.Challenge[] {
  const header = answer.headers.get("www-authenticate");
  if (!checks.must(`${id}-header`, "a 402 has WWW-Authenticate", header !== null, "the header is missing")) return [];
  try {
    const challenges = Challenge.parseAll(header ?? "");
    checks.must(`${id}-parse`, "it holds a Payment challenge that can be read", challenges.length > 0, "there is none");
    return challenges;
  } catch (error) {
    if (!(error instanceof MppsolError)) throw error;
    checks.must(`${id}-parse`, "it holds a Payment challenge that can be read", false, error.message);
    return [];
  }
}

function checkMembers(checks: Checks, challenge: Challenge.Challenge, target: Target): void {
  const name = `${challenge.method}/${challenge.intent}`;
  const host = new URL(target.url).host;
  const { realm, expires } = challenge;
  checks.should("realm-host", `${name}: the realm is the host`, realm === host, `realm ${realm}, host ${host}`);
  checks.should("expires", `${name}: the challenge expires`, expires !== undefined, "no `expires`");
  if (expires !== undefined) {
    const left = Math.round((Date.parse(expires) - Date.now()) / 1000);
    checks.must("expires-future", `${name}: it has not expired yet`, left > 0, `it expired ${-left} s ago`);
  }
  const length = Challenge.format(challenge).length;
  checks.should("challenge-size", `${name}: the challenge is under 8 KB`, length < 8192, `${length} bytes`);
}

async function checkSecond(checks: Checks, target: Target, first: readonly Challenge.Challenge[]): Promise<void> {
  const again = await ask(target.url, { method: "HEAD" });
  checks.should(
    "head-402",
    "HEAD is answered like GET",
    again.status === 402 || target.method !== "GET",
    `status ${again.status}`,
  );
  const options = await ask(target.url, { method: "OPTIONS" });
  checks.should("options-free", "OPTIONS costs nothing", options.status !== 402, "it is answered 402");
  const ids = new Set(first.map(({ id }) => id));
  checks.must("ids-distinct", "every challenge has its own id", ids.size === first.length, "two share one");
}

async function checkBadCredentials(checks: Checks, target: Target, challenge: Challenge.Challenge | undefined) {
  await refused(
    checks,
    target,
    "Payment !!!",
    "malformed",
    "a credential that is no base64url",
    "malformed-credential",
  );
  await refused(checks, target, "Payment e30", "incomplete", "a credential without challenge", "malformed-credential");
  if (challenge === undefined) return;
  const forged = { ...challenge, id: forge(challenge.id) };
  await refused(
    checks,
    target,
    credential(forged),
    "forged-id",
    "a challenge id that was never issued",
    "invalid-challenge",
  );
  const cheaper = { ...challenge, expires: "2999-01-01T00:00:00Z" };
  await refused(checks, target, credential(cheaper), "altered", "a challenge that was altered", "invalid-challenge");
}

async function refused(checks: Checks, target: Target, authorization: string, id: string, what: string, type: string) {
  const answer = await ask(target.url, { method: target.method, headers: { authorization } });
  checks.must(`${id}-402`, `${what} is answered 402`, answer.status === 402, `status ${answer.status}`);
  if (answer.status !== 402) return;
  offered(checks, answer, id);
  problemBody(checks, answer, `${id}-problem`, type);
  checks.must(`${id}-no-receipt`, `${what} gets no receipt`, !answer.headers.has("payment-receipt"), "it got one");
}

function credential(challenge: Challenge.Challenge): string {
  return Credential.format({ challenge, payload: { type: "transaction", transaction: "AA==" } });
}

/** An id of the same length and alphabet that differs in its first character. */
function forge(id: string): string {
  return `${id.startsWith("A") ? "B" : "A"}${id.slice(1)}`;
}

function noStore(checks: Checks, answer: Answer, id: string): void {
  const caching = answer.headers.get("cache-control") ?? "";
  checks.must(
    id,
    "a 402 is not cached (Cache-Control: no-store)",
    /(?:^|,)\s*no-store/i.test(caching),
    caching || "none",
  );
}

function problemBody(checks: Checks, answer: Answer, id: string, type: string): void {
  const media = answer.headers.get("content-type") ?? "";
  const holds = media.startsWith(Problem.CONTENT_TYPE);
  checks.should(`${id}-media`, "a refusal is application/problem+json", holds, media || "no Content-Type");
  const body = json(answer);
  const found = typeof body === "object" && body !== null && "type" in body ? String(body.type) : "none";
  checks.should(`${id}-type`, `its problem type is ${type}`, found === `${Problem.BASE}${type}`, found);
}
