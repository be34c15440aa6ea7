// Paying for a stream while it flows: a voucher whenever the server pauses for one, within what one stream may cost.
import { randomUUID } from "node:crypto";
import { type Challenge, type Receipt, SessionAction, type SignedVoucher, type SseEvents } from "@mppsol/core";
import type { Errand } from "../payer.js";
import type { Group } from "../session/book.js";
import type { Channel } from "../session/channel.js";
import { bodiless, type Desk, sessionReceipt } from "../session/desk.js";
import { SessionError } from "../session/errors.js";
import { type Answer, present } from "../session/present.js";
import { readTerms, type Terms } from "../session/terms.js";
import { topUp } from "../session/topup.js";
import { answered, grant, requireUsable, requireWithin } from "../session/vouchers.js";
import { max, min } from "../session/watermark.js";
import { type Meter, metered } from "./events.js";

export interface Stream {
  readonly response: Response;
  readonly channel: Channel;
  readonly terms: Terms;
  readonly errand: Errand;
  /** Base units that were signed for it before it began; where the seller signs, locked for it. */
  readonly granted: bigint;
}

/** The same answer, paid for as it is read. */
export function watch(desk: Desk, group: Group, stream: Stream): Response {
  const { response } = stream;
  if (response.body === null) return response;
  const body = metered(response.body, new StreamMeter(desk, group, stream), desk.options.showPaymentEvents === true);
  const { status, statusText, headers } = response;
  const watched = new Response(body, { status, statusText, headers });
  // What the constructor cannot be told.
  Object.defineProperty(watched, "url", { value: response.url });
  Object.defineProperty(watched, "redirected", { value: response.redirected });
  return watched;
}

class StreamMeter implements Meter {
  readonly #desk: Desk;
  readonly #group: Group;
  readonly #stream: Stream;
  #granted: bigint;
  /** What the seller had drawn when the stream began. */
  readonly #drawn: bigint;
  #challenge: Challenge.Challenge | undefined;

  constructor(desk: Desk, group: Group, stream: Stream) {
    this.#desk = desk;
    this.#group = group;
    this.#stream = stream;
    this.#granted = stream.granted;
    this.#drawn = stream.channel.record.acknowledged;
    stream.channel.streams++;
    stream.channel.spentKnown = false;
  }

  async needVoucher(event: SseEvents.NeedVoucher): Promise<void> {
    const { channel, errand } = this.#stream;
    if (event.channelId !== channel.id) {
      throw new SessionError("stream-invalid", channel.id, "its stream asks for a voucher of another channel");
    }
    await this.#group.turns.run(() => this.#pay(event), errand.signal);
  }

  async receipt(receipt: Receipt.Receipt): Promise<void> {
    const { channel } = this.#stream;
    const said = sessionReceipt(receipt);
    if (said === undefined) return;
    if (said.channelId !== channel.id) await channel.distrust("its stream ends with a receipt of another channel");
    await channel.believe(said);
  }

  damaged(problem: string): Error {
    return new SessionError("stream-invalid", this.#stream.channel.id, `its stream cannot be read: ${problem}`);
  }

  end(): void {
    this.#stream.channel.streams--;
  }

  /** In its turn on the channel. */
  async #pay({ requiredCumulative: required, acceptedCumulative }: SseEvents.NeedVoucher): Promise<void> {
    const { channel, terms, errand } = this.#stream;
    requireUsable(channel);
    await channel.believe({ acceptedCumulative });
    if (channel.record.voucherSigner === "operator") {
      await this.#provide(required);
      return;
    }
    // Another request's voucher was enough for this one too.
    if (required <= channel.record.acknowledged) return;
    const bound = { more: terms.maxPerStream - this.#granted, ahead: terms.maxPerStream };
    requireWithin(channel, this.#target(required, bound.more), bound);
    if (required > channel.record.deposit) await topUp(this.#desk, channel, terms, errand, required, this.#granted);
    const target = this.#target(required, bound.more);
    const before = channel.record.signed;
    const idempotencyKey = randomUUID();
    const already = this.#granted;
    const voucher = await grant(this.#desk, channel, errand, { target, bound, already, idempotencyKey, terms });
    this.#granted += channel.record.signed - before;
    await this.#send(voucher, idempotencyKey);
  }

  /** Where the seller signs, it can only ask for a larger deposit. */
  async #provide(required: bigint): Promise<void> {
    const { channel, terms, errand } = this.#stream;
    if (required <= channel.record.deposit) return;
    if (required - this.#drawn > terms.maxPerStream) {
      const much = `${required - this.#drawn} is above the bound of ${terms.maxPerStream}`;
      throw new SessionError("amount-refused", channel.id, `no top-up for this stream: ${much}`);
    }
    const before = channel.record.deposit;
    await topUp(this.#desk, channel, terms, errand, required, this.#granted);
    this.#granted += channel.record.deposit - before;
  }

  /** What is asked for, and as much beyond it as the caller wants to be ahead and may be. */
  #target(required: bigint, more: bigint): bigint {
    const { record } = this.#stream.channel;
    const { minVoucherDelta = 1n } = this.#stream.terms.request;
    const least = max(record.signed, max(required, record.acknowledged + minVoucherDelta));
    const ahead = required + (this.#desk.options.streamAhead ?? 0n);
    return max(least, min(ahead, min(record.signed + more, record.deposit)));
  }

  /** By `HEAD` to the same address: the voucher is taken, and nothing else happens. */
  async #send(voucher: SignedVoucher.SignedVoucher, idempotencyKey: string): Promise<void> {
    const { channel } = this.#stream;
    let answer = await this.#present(voucher, idempotencyKey, await this.#challengeFor());
    if (answer.kind === "refused" && answer.challenge !== undefined && !answer.repeated) {
      const fresh = this.#fresh(answer.challenge);
      if (fresh !== undefined) answer = await this.#present(voucher, idempotencyKey, fresh);
    }
    if (answer.kind === "refused" && !answer.repeated) {
      const why = answer.problem?.detail || `status ${answer.status}`;
      throw new SessionError("voucher-refused", channel.id, `the server refused the voucher for its stream: ${why}`);
    }
    // Without an answer the server may have it; then the stream goes on, and otherwise the server ends it.
    if (answer.kind !== "done") return;
    answered(channel, idempotencyKey);
    const said = sessionReceipt(answer.receipt);
    if (said !== undefined && said.channelId !== channel.id) {
      await channel.distrust("its receipt for a voucher is of another channel");
    }
    await channel.believe(said ?? { acceptedCumulative: voucher.voucher.cumulativeAmount });
  }

  #present(
    voucher: SignedVoucher.SignedVoucher,
    idempotencyKey: string,
    challenge: Challenge.Challenge,
  ): Promise<Answer> {
    const { channel, errand } = this.#stream;
    const payload = SessionAction.toJson({ action: "voucher", channelId: channel.id, voucher });
    const presentation = { url: errand.url, method: "HEAD", credential: { challenge, payload }, idempotencyKey };
    return present(errand, presentation, this.#desk.timing);
  }

  /** A challenge for a request without a body, asked for once a stream. */
  async #challengeFor(): Promise<Challenge.Challenge> {
    const { terms, errand } = this.#stream;
    this.#challenge ??= (await bodiless(this.#desk, terms, errand, "HEAD")).challenge;
    return this.#challenge;
  }

  #fresh(challenge: Challenge.Challenge): Challenge.Challenge | undefined {
    const { terms, errand } = this.#stream;
    if (challenge.digest !== undefined) return undefined;
    const { relation } = readTerms(challenge, errand.url, this.#desk.context, this.#desk.options);
    if (relation !== terms.relation) return undefined;
    this.#challenge = challenge;
    return challenge;
  }
}
