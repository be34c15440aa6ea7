// Server-sent events that are paid for as they flow (draft-tempo-session-00, "Insufficient Balance During Streaming").
import { Problem, RefusedError, SseEvents } from "@mppsol/core";
import type { HandlerContext } from "./guard.js";
import { markStreamed } from "./streamed.js";

/** One event: its data alone, or with more. */
export type SseItem =
  | string
  | {
      readonly data: string;
      readonly event?: string;
      readonly id?: string;
      /** What it costs, in units of the route's price. */
      readonly units?: bigint | number;
    };

export interface SseOptions {
  /** Units that an event costs when it does not say. Default 1. */
  readonly units?: bigint | number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Milliseconds between comments while nothing is sent, so that a dead connection is noticed. Default 15,000. */
  readonly keepAliveMs?: number;
}

/** Ends a stream for which no voucher came; its data is the problem document. */
export const ERROR_EVENT = "payment-error";

/**
 * A response that sends what `source` yields. On a metered route each event is debited, durably, before it is sent; when
 * credit runs out the client is told by `payment-need-voucher` and the source waits. Nothing is pulled from the source
 * before the client has taken what came before. When the client leaves, the source's `return` is called. A session's
 * stream ends with the event `payment-receipt`.
 */
export function sse(
  context: HandlerContext,
  source: AsyncIterable<SseItem> | ((signal: AbortSignal) => AsyncIterable<SseItem>),
  options: SseOptions = {},
): Response {
  const items = typeof source === "function" ? source(context.signal) : source;
  const headers = new Headers(options.headers);
  headers.set("Content-Type", "text/event-stream; charset=utf-8");
  if (!headers.has("Cache-Control")) headers.set("Cache-Control", "no-cache");
  // Otherwise nginx would hold events back until its buffer is full.
  headers.set("X-Accel-Buffering", "no");
  const body = new ReadableStream(new Events(context, items, options), { highWaterMark: 0 });
  return markStreamed(new Response(body, { headers }));
}

/** The underlying source of the stream. */
class Events {
  readonly #meter: HandlerContext["payment"]["meter"];
  readonly #items: AsyncIterator<SseItem>;
  readonly #units: bigint | number;
  readonly #keepAliveMs: number;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor({ payment }: HandlerContext, items: AsyncIterable<SseItem>, options: SseOptions) {
    this.#meter = payment.meter;
    this.#items = items[Symbol.asyncIterator]();
    this.#units = options.units ?? 1;
    this.#keepAliveMs = options.keepAliveMs ?? 15_000;
  }

  start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.#controller = controller;
    if (this.#meter !== undefined) {
      this.#meter.onNeed = (data) => this.#send(SseEvents.format({ event: SseEvents.NEED_VOUCHER, data }));
    }
    this.#timer = setInterval(() => this.#keepAlive(), this.#keepAliveMs);
    this.#timer.unref();
  }

  async pull(): Promise<void> {
    try {
      const { done, value } = await this.#items.next();
      if (done) {
        this.#close();
        return;
      }
      await this.#debit(value);
      this.#send(format(value));
    } catch (error) {
      if (!(error instanceof RefusedError)) {
        this.#stop();
        this.#return();
        throw error;
      }
      this.#return();
      this.#send(`event: ${ERROR_EVENT}\ndata: ${JSON.stringify(Problem.from(error))}\n\n`);
      this.#close();
    }
  }

  cancel(): void {
    this.#stop();
    this.#return();
  }

  async #debit(item: SseItem): Promise<void> {
    const units = typeof item === "string" ? this.#units : (item.units ?? this.#units);
    if (this.#meter !== undefined && BigInt(units) > 0n) await this.#meter.charge(units);
  }

  #send(text: string): void {
    this.#controller?.enqueue(Buffer.from(text));
  }

  /** Only while the client is waiting: what it has not taken yet is news enough. */
  #keepAlive(): void {
    if (this.#controller?.desiredSize === 0) this.#send(": waiting\n\n");
  }

  #close(): void {
    const controller = this.#controller;
    this.#stop();
    controller?.close();
  }

  /** From here on nothing is sent. */
  #stop(): void {
    clearInterval(this.#timer);
    this.#controller = undefined;
    if (this.#meter !== undefined) this.#meter.onNeed = undefined;
  }

  /** Lets the source clean up. It may be waiting for something, and nobody waits for it. */
  #return(): void {
    this.#items.return?.().then(undefined, () => undefined);
  }
}

function format(item: SseItem): string {
  const { data, event, id } = typeof item === "string" ? { data: item } : item;
  const lines = data.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`);
  return `${field("event", event)}${field("id", id)}${lines.join("")}\n`;
}

function field(name: string, value: string | undefined): string {
  if (value === undefined) return "";
  if (/[\r\n\0]/.test(value)) throw new TypeError(`a line break in the ${name} of a server-sent event`);
  return `${name}: ${value}\n`;
}
