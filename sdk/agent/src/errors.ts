// Every error that an agent throws on its own account. `code` is stable; messages are for people and may change.
import { MppsolError, type Problem } from "@mppsol/core";

/** Base of the errors of this package. */
export abstract class AgentError extends MppsolError {}

/**
 * The agent does not pay on these terms. Nothing was sent and nothing is counted as spent; when the server offered
 * other ways to pay, the next one is tried.
 */
export abstract class NotPaidError extends AgentError {}

/** Which limit of a budget a payment would pass. */
export type Limit = "request" | "host" | "day" | "total" | "deposit";

/** The payment would pass a limit of the budget. Amounts in base units of `asset`. */
export class BudgetExceededError extends NotPaidError {
  override readonly code = "budget-exceeded";
  readonly asset: string;
  readonly limit: Limit;
  readonly requested: bigint;
  /** What the limit still allows. */
  readonly available: bigint;

  constructor(asset: string, limit: Limit, requested: bigint, available: bigint, hint = "") {
    super(`${requested} of ${asset} is over the budget per ${limit}, which has ${available} left${hint}`);
    this.asset = asset;
    this.limit = limit;
    this.requested = requested;
    this.available = available;
  }
}

/** The host is not on the list of hosts that may be paid. */
export class HostNotAllowedError extends NotPaidError {
  override readonly code = "host-not-allowed";
  readonly host: string;

  constructor(host: string) {
    super(`${host} is not a host that this agent pays`);
    this.host = host;
  }
}

/** Somebody who would be paid is not on the list of recipients. */
export class RecipientNotAllowedError extends NotPaidError {
  override readonly code = "recipient-not-allowed";
  readonly recipient: string;

  constructor(recipient: string) {
    super(`${recipient} is not a recipient that this agent pays`);
    this.recipient = recipient;
  }
}

/** The budget has no entry for the asset, or it is not on the list of mints. */
export class AssetNotAllowedError extends NotPaidError {
  override readonly code = "asset-not-allowed";
  /** "sol" or the mint. */
  readonly asset: string;

  constructor(asset: string) {
    super(`this agent has no budget for ${asset}`);
    this.asset = asset;
  }
}

/** Why a challenge is not paid. */
export type ChallengeFault =
  | "malformed"
  | "expired"
  | "digest"
  | "realm"
  | "too-many"
  | "terms-changed"
  | "confidential"
  | "fee-payer"
  | "decimals"
  | "token-program"
  | "recipient"
  | "recipient-account"
  | "too-large";

/** The challenge breaks a rule that a client has to hold it to. */
export class ChallengeRefusedError extends NotPaidError {
  override readonly code: `challenge-refused:${ChallengeFault}`;
  readonly fault: ChallengeFault;

  constructor(fault: ChallengeFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
    this.code = `challenge-refused:${fault}`;
  }
}

/** The server asks to be paid, but in no way that this agent has. */
export class ChallengeUnsupportedError extends NotPaidError {
  override readonly code = "challenge-unsupported";
  /** What was offered, as `method/intent`. */
  readonly offered: readonly string[];

  constructor(offered: readonly string[]) {
    super(`the server takes ${offered.join(", ")}, which this agent cannot pay`);
    this.offered = offered;
  }
}

/** The challenge, or the RPC, is of another cluster than the agent's. */
export class NetworkMismatchError extends NotPaidError {
  override readonly code = "network-mismatch";
  readonly expected: string;
  readonly actual: string;

  constructor(expected: string, actual: string, what = "the challenge") {
    super(`${what} is of ${actual}; this agent pays on ${expected}`);
    this.expected = expected;
    this.actual = actual;
  }
}

/** The challenge names a channel program that is not pinned for the cluster. */
export class ProgramNotPinnedError extends NotPaidError {
  override readonly code = "program-not-pinned";
  readonly programId: string;

  constructor(programId: string, network: string, options?: ErrorOptions) {
    super(`${programId} is no known channel program on ${network}`, options);
    this.programId = programId;
  }
}

/** `confirm` said no, or there is no `confirm` to ask. */
export class ConfirmDeclinedError extends AgentError {
  override readonly code = "confirm-declined";

  constructor(message = "the payment was not confirmed") {
    super(message);
  }
}

/** The wallet does not hold what the payment takes. Base units. */
export class InsufficientFundsError extends NotPaidError {
  override readonly code = "insufficient-funds";
  /** "sol" or the mint. */
  readonly asset: string;
  readonly needed: bigint;
  readonly available: bigint;

  constructor(asset: string, needed: bigint, available: bigint, what = "the payment") {
    super(`${what} takes ${needed} of ${asset}; the wallet has ${available}`);
    this.asset = asset;
    this.needed = needed;
    this.available = available;
  }
}

/** Payment was asked for over a connection that others can read. */
export class InsecureTransportError extends AgentError {
  override readonly code = "insecure-transport";
  readonly url: string;

  constructor(url: string) {
    super(`${originForPeople(url)} asks for payment over plain http`);
    this.url = url;
  }
}

/** A redirect led to another origin, which then asked for payment. */
export class CrossOriginRedirectError extends AgentError {
  override readonly code = "cross-origin-redirect";
  readonly from: string;
  readonly to: string;

  constructor(from: string, to: string) {
    super(`${originForPeople(from)} led to ${originForPeople(to)}, which is not paid for it`);
    this.from = from;
    this.to = to;
  }
}

/** The request has an `Authorization` of its own and the server takes payment only there. */
export class AuthorizationConflictError extends NotPaidError {
  override readonly code = "authorization-conflict";

  constructor(header: string) {
    super(`the request has a ${header} header of its own, where the server wants the payment`);
  }
}

/** The request would have to be sent twice, and its body can be read only once. */
export class BodyNotReplayableError extends AgentError {
  override readonly code = "body-not-replayable";
}

/** A wrong option of `createAgent`. */
export class OptionError extends AgentError {
  override readonly code = "option";
}

/** The agent was closed. */
export class AgentClosedError extends AgentError {
  override readonly code = "agent-closed";

  constructor() {
    super("the agent is closed");
  }
}

/** The RPC did not answer, or not with an answer. Says nothing about any payment. */
export class ChainError extends NotPaidError {
  override readonly code = "chain-unavailable";
}

/** What is wrong with a store. */
export type StoreFault = "store-locked" | "store-damaged" | "store-closed";

/** The store is in use elsewhere, was closed, or holds what this version did not write. */
export class StoreError extends AgentError {
  override readonly code: StoreFault;

  constructor(code: StoreFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** What is known of the money after a refusal: gone, not gone and never going, or open. */
export type Fate = "paid" | "not-paid" | "unknown";

/**
 * The server refused the payment. `fate` says what became of the money; while it is not "not-paid", the amount stays
 * counted. With a {NotPaidError} as its `cause`, the server's fresh challenge was not taken up for that.
 */
export class PaymentRefusedError extends AgentError {
  override readonly code = "payment-refused";
  /** HTTP status. */
  readonly status: number;
  readonly problem: Problem.Problem | undefined;
  readonly fate: Fate;
  /** Transaction signature or channel id, where there is one. */
  readonly reference: string | undefined;
  /** The answer, its body still to be read. */
  readonly response: Response;

  constructor(
    response: Response,
    problem: Problem.Problem | undefined,
    outcome: { readonly fate: Fate; readonly reference?: string | undefined; readonly cause?: unknown },
  ) {
    const why = problem?.detail || problem?.title || `status ${response.status}`;
    super(`the payment was refused: ${forPeople(why)}`, { cause: outcome.cause });
    this.status = response.status;
    this.problem = problem;
    this.fate = outcome.fate;
    this.reference = outcome.reference;
    this.response = response;
  }
}

/** A payment that the agent sent itself did not go through. While `fate` is "unknown" the amount stays counted. */
export class PaymentFailedError extends AgentError {
  override readonly code = "payment-failed";
  readonly signature: string;
  readonly fate: Exclude<Fate, "paid">;

  constructor(signature: string, fate: Exclude<Fate, "paid">, why: string) {
    super(`the payment did not go through: ${why}`);
    this.signature = signature;
    this.fate = fate;
  }
}

/**
 * The payment was sent, and nobody knows yet what became of it. The amount stays counted. `resume` asks the server
 * again with the same credential and `Idempotency-Key`, which never pays twice.
 */
export class PaymentPendingError extends AgentError {
  override readonly code = "payment-pending";
  /** Transaction signature, when the server told it. */
  readonly signature: string | undefined;
  readonly resume: () => Promise<Response>;

  constructor(resume: () => Promise<Response>, details: { signature?: string | undefined; cause?: unknown } = {}) {
    super("the payment was sent, and whether it was taken is not known yet", { cause: details.cause });
    this.signature = details.signature;
    this.resume = resume;
  }
}

/** The server served, with a receipt that is not of this payment. Only with `receipts: "require"`. */
export class ReceiptInvalidError extends AgentError {
  override readonly code = "receipt-invalid";
  /** What the server served. */
  readonly response: Response;

  constructor(problem: string, response: Response) {
    super(`the receipt is not of this payment: ${problem}`);
    this.response = response;
  }
}

/** A server's words, fit for a log line. */
function forPeople(text: string): string {
  return text.replace(/[^\P{C} ]/gu, " ").slice(0, 300);
}

/** An origin without what may be secret in a URL. */
function originForPeople(url: string): string {
  const { protocol, host } = new URL(url);
  return `${protocol}//${host}`;
}
