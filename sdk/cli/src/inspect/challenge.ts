// Inspecting a challenge: its auth-params, the request inside, and whether an agent may pay it.
import { Challenge, ChargeRequest, SessionRequest } from "@mppsol/core";
import { requireChannelProgram } from "@mppsol/programs";
import { attempt, problem, type Report, report } from "./report.js";

export interface Options {
  /** Unix milliseconds. */
  readonly now: number;
  /** Checks the id's binding when given. */
  readonly secret?: string | undefined;
  /** Shows bearer proofs. */
  readonly reveal: boolean;
}

/** Of one or more `WWW-Authenticate` values. */
export function inspectChallenges(header: string, options: Options): Report[] {
  const holder = report("challenge");
  const challenges = attempt(holder, () => Challenge.parseAll(header));
  if (challenges === undefined) return [holder];
  if (challenges.length === 0) problem(holder, "no-challenge", "there is no Payment challenge in it");
  return challenges.length === 0 ? [holder] : challenges.map((challenge) => inspectChallenge(challenge, options));
}

export function inspectChallenge(challenge: Challenge.Challenge, options: Options): Report {
  const to = report("challenge", { ...challenge });
  to.members.request = attempt(to, () => Challenge.requestOf(challenge)) ?? challenge.request;
  if (challenge.opaque !== undefined) to.members.opaque = attempt(to, () => Challenge.opaqueOf(challenge));
  if (attempt(to, () => Challenge.expired(challenge, options.now)) === true) {
    problem(to, "challenge-expired", `it expired at ${challenge.expires}`);
  }
  if (challenge.expires === undefined) to.members.warning = "it has no `expires`";
  if (options.secret !== undefined && !Challenge.isBound(challenge, options.secret)) {
    problem(to, "challenge-unknown", "its id was not made with this secret");
  }
  inspectRequest(to, challenge);
  return to;
}

function inspectRequest(to: Report, challenge: Challenge.Challenge): void {
  if (challenge.method !== "solana") return;
  const { request } = to.members;
  if (challenge.intent === "charge") attempt(to, () => ChargeRequest.fromJson(request));
  else if (challenge.intent === "session") {
    const read = attempt(to, () => SessionRequest.fromJson(request));
    if (read !== undefined) attempt(to, () => requireChannelProgram(read.network, read.channelProgram));
  } else problem(to, "method-unsupported", `intent ${challenge.intent} is not known for method solana`);
}
