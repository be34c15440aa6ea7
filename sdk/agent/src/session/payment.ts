// One request that a channel pays: what its answer says of the channel, and what may be tried after a refusal.
import { type Credential, Integer, type Problem, type Receipt } from "@mppsol/core";
import { problemOf } from "../answers.js";
import type { Fate } from "../errors.js";
import type { Errand, Payment } from "../payer.js";
import type { Channel } from "./channel.js";
import { sessionReceipt } from "./desk.js";
import { SessionError } from "./errors.js";
import type { Terms } from "./terms.js";
import { answered } from "./vouchers.js";
import { type Claim, max } from "./watermark.js";

/** What the payer does for its payments. */
export interface Till {
  /** The channel takes no more payments, says the server: finds out what became of it. */
  retire(channel: Channel): Promise<void>;
  /** A route's challenge does not hold any more. */
  forgetRoute(errand: Errand): void;
  /** Watches a streamed answer, to pay for it as it goes on. */
  watch(stream: {
    readonly response: Response;
    readonly channel: Channel;
    readonly terms: Terms;
    readonly errand: Errand;
    /** Base units that it has cost so far, as in `Paid`. */
    readonly granted: bigint;
  }): Response;
}

export interface Paid {
  readonly channel: Channel;
  readonly terms: Terms;
  readonly errand: Errand;
  readonly credential: Credential.Credential;
  /** Cumulative amount of the voucher; `undefined` when the seller signs them. */
  readonly cumulative: bigint | undefined;
  /**
   * Base units signed for this request, earlier attempts included, by whatever channel. Where the seller signs: what was
   * locked for it.
   */
  readonly granted: bigint;
  /** Whether its voucher was signed for it; not, when an earlier one whose answer never came is sent again. */
  readonly fresh: boolean;
  /** Ends this request's turn on the channel. */
  release(): void;
}

/** Refusals after which the channel is asked on chain what became of it. */
const GONE: ReadonlySet<string> = new Set(["channel-unknown", "channel-closed", "channel-closing"]);

/** Refusals that say how far the server is, so that the next voucher can fit. */
const OUT_OF_STEP: ReadonlySet<string> = new Set([
  "voucher-not-monotonic",
  "voucher-delta-too-small",
  "voucher-insufficient",
  "voucher-over-deposit",
  "deposit-exhausted",
]);

export class SessionPayment implements Payment {
  readonly credential: Credential.Credential;
  readonly paid: Paid;
  /** After a refusal: the least cumulative amount that the server says would do. */
  required: bigint | undefined;
  readonly #till: Till;
  /** What was spent before, where nothing else was under way on the channel when this began. */
  readonly #spentBefore: bigint | undefined;
  readonly #serial: number;
  #fault: string | undefined;
  #settled = false;

  constructor(paid: Paid, till: Till) {
    this.paid = paid;
    this.credential = paid.credential;
    this.#till = till;
    const { channel } = paid;
    const alone = channel.streams === 0 && channel.payments === 0;
    this.#spentBefore = channel.spentKnown && alone ? channel.record.spent : undefined;
    this.#serial = channel.begin();
  }

  /** What is wrong with a receipt. A claim that cannot be true is remembered against the server. */
  faultOf(receipt: Receipt.Receipt): string | undefined {
    const { channel, cumulative, terms } = this.paid;
    const { record } = channel;
    const said = sessionReceipt(receipt);
    if (said === undefined) return "it is not the receipt of a session";
    const ceiling = cumulative === undefined ? record.deposit : record.signed;
    const { acceptedCumulative: accepted, spent } = said;
    if (said.channelId !== record.channelId) this.#fault = "its receipt is of another channel";
    else if (accepted > ceiling) this.#fault = `its receipt claims ${accepted} accepted, of ${ceiling} at most`;
    else if (spent > accepted) this.#fault = `its receipt claims ${spent} spent, of ${accepted}`;
    else if (this.#charged(spent) > terms.maxPerRequest) {
      this.#fault = `its receipt claims ${this.#charged(spent)} for one request`;
    } else if (cumulative !== undefined && accepted < cumulative) return "it acknowledges less than was paid";
    return this.#fault;
  }

  async accepted(receipt: Receipt.Receipt | undefined, response: Response): Promise<Response> {
    const { channel, cumulative, errand, terms, granted } = this.paid;
    if (this.#settled) return response;
    try {
      if (this.#fault === undefined && receipt !== undefined) this.faultOf(receipt);
      if (this.#fault !== undefined) await this.#accuse(this.#fault);
      else await this.#acknowledge(receipt, response, cumulative);
      if (response.ok) answered(channel, errand.idempotencyKey);
      if (!isEventStream(response)) return response;
      return this.#till.watch({ response, channel, terms, errand, granted });
    } finally {
      this.#settle();
    }
  }

  async refused(response: Response): Promise<"retry" | "give-up"> {
    if (this.#settled) return "give-up";
    const { channel, errand } = this.paid;
    try {
      const problem = await problemOf(response);
      const code = problem?.code;
      answered(channel, errand.idempotencyKey);
      if (response.status === 410 || GONE.has(code ?? "")) {
        await this.#till.retire(channel);
        return "retry";
      }
      if (isInvalidChallenge(problem)) {
        this.#till.forgetRoute(errand);
        return "retry";
      }
      return await this.#catchUp(problem, code);
    } finally {
      this.#settle();
    }
  }

  async lost(): Promise<void> {
    if (this.#settled) return;
    this.paid.channel.spentKnown = false;
    this.#settle();
  }

  /** A voucher is the server's once it has it. */
  outcome(): { readonly fate: Fate; readonly reference: string } {
    return { fate: this.paid.cumulative === undefined ? "not-paid" : "unknown", reference: this.paid.channel.id };
  }

  #settle(): void {
    this.#settled = true;
    this.paid.channel.payments--;
    this.paid.release();
  }

  /** What the request alone was charged, where that can be told; else nothing. */
  #charged(spent: bigint): bigint {
    const told = this.#spentBefore !== undefined && this.paid.channel.serial === this.#serial;
    return told ? spent - (this.#spentBefore ?? 0n) : 0n;
  }

  /** The answer was served, so it goes to who asked for it; but this channel pays nothing more. */
  async #accuse(fault: string): Promise<void> {
    await this.paid.channel.distrust(fault).catch((error: unknown) => {
      if (!(error instanceof SessionError)) throw error;
    });
  }

  async #acknowledge(receipt: Receipt.Receipt | undefined, response: Response, cumulative: bigint | undefined) {
    const { channel, errand } = this.paid;
    const said = sessionReceipt(receipt);
    if (said !== undefined && (cumulative === undefined || said.acceptedCumulative >= cumulative)) {
      await channel.believe(said);
      channel.spentKnown = channel.streams === 0;
      return;
    }
    channel.spentKnown = false;
    if (!response.ok) return;
    // Served without a receipt: perhaps it was for nothing, so the next one waits to be asked; but the voucher is gone.
    if (said === undefined) this.#till.forgetRoute(errand);
    if (cumulative !== undefined) await channel.believe({ acceptedCumulative: cumulative });
  }

  /** Whether the refusal can mean that the server has this voucher already. Not every server says so by a code. */
  #maybeRepeated(problem: Problem.Problem | undefined, code: string | undefined): boolean {
    if (code !== undefined) return code === "voucher-not-monotonic";
    return !this.paid.fresh && (problem === undefined || problem.type.endsWith("/verification-failed"));
  }

  /** Learns from a refusal how far the server is. Without anything new to try, trying again would change nothing. */
  async #catchUp(problem: Problem.Problem | undefined, code: string | undefined): Promise<"retry" | "give-up"> {
    const { channel, cumulative } = this.paid;
    const known = OUT_OF_STEP.has(code ?? "");
    const claim = known ? claimOf(problem) : undefined;
    if (claim !== undefined) {
      await channel.believe(claim);
      channel.spentKnown = claim.spent !== undefined;
      this.required = amountIn(problem, "requiredCumulative");
    } else if (cumulative !== undefined && cumulative === channel.record.signed && this.#maybeRepeated(problem, code)) {
      // It has all that was ever signed: an earlier answer was lost.
      await channel.believe({ acceptedCumulative: cumulative });
    }
    if (code === "voucher-over-deposit" || code === "deposit-exhausted") {
      channel.verified = false;
      return "retry";
    }
    const { acknowledged } = channel.record;
    const higher = cumulative !== undefined && max(acknowledged + 1n, this.required ?? 0n) > cumulative;
    return higher ? "retry" : "give-up";
  }
}

function isInvalidChallenge(problem: Problem.Problem | undefined): boolean {
  return problem?.type.endsWith("/invalid-challenge") ?? false;
}

function claimOf(problem: Problem.Problem | undefined): Claim | undefined {
  const acceptedCumulative = amountIn(problem, "acceptedCumulative");
  if (acceptedCumulative === undefined) return undefined;
  const spent = amountIn(problem, "spent");
  return { acceptedCumulative, ...(spent === undefined ? {} : { spent }) };
}

function amountIn(problem: Problem.Problem | undefined, member: string): bigint | undefined {
  try {
    return Integer.fromDecimal(problem?.[member], member);
  } catch {
    return undefined; // absent, or no amount
  }
}

function isEventStream(response: Response): boolean {
  return (
    response.ok && /^text\/event-stream\b/i.test(response.headers.get("content-type") ?? "") && response.body !== null
  );
}
