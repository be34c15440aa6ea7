// Server-sent events on their way to the consumer: those about the payment are taken out and acted on, in their order;
// the others pass.
import { InvalidFieldError, SseEvents } from "@mppsol/core";
import { createParser, type EventSourceMessage, ParseError } from "eventsource-parser";

/** What is done with the events of a metered stream. What it throws ends the stream for the consumer too. */
export interface Meter {
  /** Delivery is paused until this resolved and the server has what it asks for. */
  needVoucher(event: SseEvents.NeedVoucher): Promise<void>;
  receipt(event: Extract<SseEvents.Event, { event: typeof SseEvents.RECEIPT }>["data"]): Promise<void>;
  /** What to throw for events that cannot be read. */
  damaged(problem: string): Error;
  /** The stream is over, however it ended. Called once. */
  end(): void;
}

/** Characters of one event; more is an attack on the memory. */
const MAX_EVENT = 1024 * 1024;

type Item = { readonly text: string; readonly message?: EventSourceMessage };

/**
 * The stream without its payment events, or with them when `show`. The next event is read only when the consumer wants
 * one. Events are written anew, so the consumer sees exactly what was judged here.
 */
export function metered(body: ReadableStream<Uint8Array>, meter: Meter, show: boolean): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  const items: Item[] = [];
  const parser = parserInto(items);
  const decoder = new TextDecoder();
  const encoder = new TextEncoder();
  let ended = false;
  const end = () => {
    if (!ended) meter.end();
    ended = true;
  };

  /** The next piece of text for the consumer; nothing at the end. */
  const next = async (): Promise<string | undefined> => {
    for (;;) {
      for (let item = items.shift(); item !== undefined; item = items.shift()) {
        const passes = item.message === undefined || !(await act(item.message, meter)) || show;
        if (passes) return item.text;
      }
      const { done, value } = await reader.read();
      if (done) return undefined;
      parser.feed(decoder.decode(value, { stream: true }));
    }
  };

  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const text = await next();
          if (text !== undefined) {
            controller.enqueue(encoder.encode(text));
            return;
          }
          end();
          controller.close();
        } catch (error) {
          end();
          reader.cancel(error).catch(() => {});
          controller.error(isDamage(error) ? meter.damaged(error.message) : error);
        }
      },
      async cancel(reason) {
        end();
        await reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}

/** Whether it was a payment event. */
async function act({ event, data }: EventSourceMessage, meter: Meter): Promise<boolean> {
  const found = SseEvents.parse(event ?? "", data);
  if (found === undefined) return false;
  if (found.event === SseEvents.RECEIPT) await meter.receipt(found.data);
  else await meter.needVoucher(found.data);
  return true;
}

function isDamage(error: unknown): error is Error {
  return error instanceof InvalidFieldError || error instanceof ParseError;
}

function parserInto(items: Item[]) {
  return createParser({
    maxBufferSize: MAX_EVENT,
    onEvent: (message) => items.push({ text: write(message), message }),
    onComment: (comment) => items.push({ text: `: ${comment}\n\n` }),
    onRetry: (milliseconds) => items.push({ text: `retry: ${milliseconds}\n\n` }),
    onError: (error) => {
      // Unknown fields are ignored, as the standard says.
      if (error.type === "max-buffer-size-exceeded") throw error;
    },
  });
}

function write({ event, id, data }: EventSourceMessage): string {
  const lines = data.split("\n").map((line) => `data: ${line}\n`);
  return `${event === undefined ? "" : `event: ${event}\n`}${id === undefined ? "" : `id: ${id}\n`}${lines.join("")}\n`;
}
