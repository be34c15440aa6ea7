// A request that was paid for: takes the handler's response, keeps it, and gives it back ready to be sent.
import { type Receipt, RefusedError, SseEvents } from "@mppsol/core";
import type { Grant, Payment } from "../intent.js";
import { bodyFor } from "./answer.js";
import type { Call } from "./call.js";
import { addReceipt, toStored } from "./headers.js";
import type { InFlight } from "./in-flight.js";
import { metered } from "./metered.js";
import type { ErrorContext, Observer } from "./observer.js";
import { isEventStream, isStreamed } from "./streamed.js";

export interface PaidRequestOptions {
  readonly grant: Grant;
  readonly call: Call;
  /** Aborts when the client has gone, or when it is aborted here. */
  readonly signal: AbortSignal;
  /** Aborts `signal`. */
  readonly abort: () => void;
  readonly observer: Observer;
  readonly inFlight: InFlight;
  /** Bytes of a response that are kept for replays; a larger one is sent as it is made. */
  readonly maxStoredBytes: number;
  /** Milliseconds that a handler has to answer after its client has left. Default one minute. */
  readonly abandonMs?: number | undefined;
  /** The answer to an error; known refusals as they are, anything else as a 500. */
  readonly refuse: (error: unknown, during: ErrorContext["during"], retryable: boolean) => Promise<Response>;
  /** Tells of the payment in another protocol's words, beside the receipt. */
  readonly tell?: ((headers: Headers) => void) | undefined;
}

const NOTHING = new Uint8Array(0);
const ABANDON_MS = 60_000;

/** Exactly one of `respond` and `fail` is to be called, once. */
export class PaidRequest {
  readonly payment: Payment;
  /** Aborts when the client is gone: what is made from then on nobody pays for. */
  readonly signal: AbortSignal;
  readonly #options: PaidRequestOptions;
  #answered = false;
  #isDone = false;
  #abandoned = false;
  #timer: NodeJS.Timeout | undefined;
  /** What is being read of the handler's response. */
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;

  constructor(options: PaidRequestOptions) {
    this.#options = options;
    this.payment = options.grant.payment;
    this.signal = options.signal;
    options.inFlight.add(this, options.abort);
    if (this.signal.aborted) this.#clientLeft();
    else this.signal.addEventListener("abort", () => this.#clientLeft(), { once: true });
  }

  /**
   * The handler's response, with the receipt. A small one is kept before this resolves; one that is streamed, or larger
   * than what is kept, is settled when it ends. A status of 500 and above counts as failed.
   */
  async respond(response: Response): Promise<Response> {
    this.#answerOnce();
    if (this.#abandoned) return nobody(response);
    if (response.status >= 500) return this.#undelivered(response);
    if (response.body === null) return this.#deliver(response, NOTHING);
    if (this.#options.call.context.method === "HEAD") {
      // Whoever writes it need not wait for a reader.
      response.body.cancel().catch(() => undefined);
      return this.#deliver(response, NOTHING);
    }
    const reader = response.body.getReader();
    if (isStreamed(response)) return this.#stream(response, [], reader);
    let head: Head;
    try {
      head = await this.#read(reader);
    } catch (error) {
      return this.#broken(error);
    }
    return head.whole
      ? this.#deliver(response, Buffer.concat(head.chunks))
      : this.#stream(response, head.chunks, reader);
  }

  /** The handler threw: the answer to that. {RefusedError}s are answered as what they are. */
  async fail(error: unknown): Promise<Response> {
    this.#answerOnce();
    return this.#abandoned ? nobody() : this.#broken(error);
  }

  #answerOnce(): void {
    if (this.#answered) throw new Error("this request has been answered already");
    this.#answered = true;
  }

  /** Everything, or as much as is kept at most. */
  async #read(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<Head> {
    this.#reader = reader;
    const chunks: Uint8Array[] = [];
    for (let length = 0; length <= this.#options.maxStoredBytes; ) {
      const { done, value } = await reader.read();
      if (this.#abandoned) throw new Error("the client left, and the response did not end");
      if (done) return { chunks, whole: true };
      chunks.push(value);
      length += value.length;
    }
    return { chunks, whole: false };
  }

  /** A handler may stop when its client has left, and never answer: its payment must not be held for ever. */
  #clientLeft(): void {
    if (this.#isDone) return;
    this.#timer = setTimeout(() => {
      this.#abandoned = true;
      this.#reader?.cancel().catch(() => undefined);
      if (!this.#answered) void this.#giveBack(503);
    }, this.#options.abandonMs ?? ABANDON_MS);
    this.#timer.unref();
  }

  async #deliver(response: Response, body: Uint8Array): Promise<Response> {
    const { status, statusText } = response;
    const receipt = await this.#finish(response, body);
    if (receipt instanceof Response) return receipt;
    const headers = new Headers(response.headers);
    addReceipt(headers, status, receipt);
    this.#options.tell?.(headers);
    const bare = bodyFor(status, body) === null || this.#options.call.context.method === "HEAD";
    if (!bare) headers.set("Content-Length", String(body.length));
    return new Response(bare ? null : body, { status, statusText, headers });
  }

  /** The receipt; or what to answer when the response could not be kept, and so must not be sent. */
  async #finish(response: Response, body: Uint8Array): Promise<Receipt.Receipt | Response> {
    const { grant, observer, call, refuse } = this.#options;
    try {
      const receipt = await grant.finish({ status: response.status, headers: toStored(response.headers), body });
      observer.event(call, { type: "delivered", status: response.status, receipt });
      return receipt;
    } catch (error) {
      // Nothing is given back: it may have been kept after all, and the same key finds out.
      return refuse(error, "finish", true);
    } finally {
      this.#done();
    }
  }

  #stream(response: Response, first: readonly Uint8Array[], reader: ReadableStreamDefaultReader<Uint8Array>): Response {
    const { grant, signal } = this.#options;
    const { status, statusText } = response;
    const headers = new Headers(response.headers);
    addReceipt(headers, status, grant.payment.meter?.receipt() ?? grant.receipt);
    this.#options.tell?.(headers);
    const tellsReceipt = grant.payment.intent === "session" && isEventStream(headers);
    if (tellsReceipt) headers.delete("content-length");
    const body = metered(
      first,
      reader,
      {
        complete: async () => {
          const receipt = await this.#settle(response);
          return tellsReceipt && receipt !== undefined
            ? Buffer.from(SseEvents.format({ event: SseEvents.RECEIPT, data: receipt }))
            : undefined;
        },
        broken: (error, released) => this.#brokenOff(response, error, released),
        left: async () => {
          await this.#settle(response);
          this.#options.abort();
        },
      },
      signal,
    );
    return new Response(body, { status, statusText, headers });
  }

  /** Settles a stream at what was delivered. Undefined when that failed: the client cannot be told any more. */
  async #settle(response: Response): Promise<Receipt.Receipt | undefined> {
    const { grant, observer, call } = this.#options;
    const { status, headers } = response;
    try {
      const receipt = await grant.finish({ status, headers: toStored(headers), body: undefined });
      observer.event(call, { type: "delivered", status, receipt });
      return receipt;
    } catch (error) {
      observer.error(error, { requestId: call.requestId, during: "finish" });
      return undefined;
    } finally {
      this.#done();
    }
  }

  /**
   * The handler's stream failed. What a session metered by then was delivered and stays paid; a charge paid for the
   * whole, so its key may try again.
   */
  async #brokenOff(response: Response, error: unknown, released: boolean): Promise<void> {
    const { call, observer, grant } = this.#options;
    if (!(error instanceof RefusedError)) observer.error(error, { requestId: call.requestId, during: "handler" });
    if (released && grant.payment.intent === "session") await this.#settle(response);
    else await this.#giveBack(response.status);
    this.#options.abort();
  }

  async #undelivered(response: Response): Promise<Response> {
    await this.#giveBack(response.status);
    const headers = new Headers(response.headers);
    headers.delete("payment-receipt");
    headers.set("Cache-Control", "no-store");
    return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
  }

  async #broken(error: unknown): Promise<Response> {
    const status = error instanceof RefusedError ? error.status : 500;
    const given = await this.#giveBack(status);
    // A session goes on with a higher voucher; a charge's credential is presented once more.
    return this.#options.refuse(error, "handler", given && this.payment.intent === "charge");
  }

  /** Whether it went well: then the same credential and key may be sent again. */
  async #giveBack(status: number): Promise<boolean> {
    const { grant, observer, call } = this.#options;
    try {
      await grant.fail();
      return true;
    } catch (error) {
      observer.error(error, { requestId: call.requestId, during: "finish" });
      return false;
    } finally {
      observer.event(call, { type: "undelivered", status });
      this.#done();
    }
  }

  #done(): void {
    this.#isDone = true;
    clearTimeout(this.#timer);
    this.#options.inFlight.delete(this);
  }
}

/** What was read of a response before it was decided how it goes out. */
interface Head {
  readonly chunks: readonly Uint8Array[];
  readonly whole: boolean;
}

/** For a client that is not there, after its payment was given back. */
function nobody(response?: Response): Response {
  response?.body?.cancel().catch(() => undefined);
  return new Response(null, { status: 503, headers: { "Cache-Control": "no-store" } });
}
