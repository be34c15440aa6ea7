// Holds back what a Node-style handler writes, as a web `Response`: it must be kept before it may be sent.
import type { OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { bodyFor } from "../http/answer.js";
import { markStreamed } from "../http/streamed.js";
import { http2Stream } from "./http2.js";

export interface Captured {
  /** Resolves with the first byte of a stream, or with the whole. Rejects when the handler failed before. */
  readonly response: Promise<Response>;
  /** The handler failed: before it wrote anything, or in the middle. */
  fail(error: unknown): void;
  /** The way past the capture, for what is to be sent in the end. The handler may still be writing. */
  readonly sink: Sink;
}

/** How bytes reach the client. A `ServerResponse` is one. */
export type Sink = Pick<ServerResponse, "flushHeaders"> & {
  write(chunk: Uint8Array): boolean;
  end(): unknown;
};

/** Bytes that a handler may be ahead of the client before `write` says so. */
const HIGH_WATER_MARK = 64 * 1024;

type Callback = (error?: Error | null) => void;

/** From now on nothing that is written to `to` reaches the client, but through `sink`. */
export function capture(to: ServerResponse): Captured {
  const writes = new Writes(() => {
    // As a socket does when it has taken everything.
    to.emit("drain");
  });
  const own = { writeHead: to.writeHead, write: to.write, end: to.end, flushHeaders: to.flushHeaders };
  // While we send, Node calls `writeHead` on the response by itself.
  let sending = false;
  const past = <T>(act: () => T): T => {
    sending = true;
    try {
      return act();
    } finally {
      sending = false;
    }
  };
  let settle: (response: Response) => void = () => undefined;
  let refuse: (error: unknown) => void = () => undefined;
  const response = new Promise<Response>((resolve, reject) => {
    [settle, refuse] = [resolve, reject];
  });
  let begun = false;
  // Whoever touches the reason phrase of HTTP/2, which has none, is warned by Node.
  const hasReason = http2Stream(to) === undefined;

  /** Throws, into the handler, for a status that no response can have; it may still send another one. */
  const begin = (body: Uint8Array | ReadableStream<Uint8Array>): Response => {
    const statusText = hasReason ? (to.statusMessage ?? "") : "";
    const init = { status: to.statusCode, statusText, headers: webHeaders(to) };
    const made = new Response(bodyFor(to.statusCode, body), init);
    begun = true;
    settle(made);
    return made;
  };

  Object.defineProperty(to, "headersSent", { configurable: true, get: () => begun });
  Object.assign(to, {
    writeHead(status: number, ...rest: unknown[]): ServerResponse {
      if (sending) return Reflect.apply(own.writeHead, to, [status, ...rest]);
      to.statusCode = status;
      const [reason, headers] = typeof rest[0] === "string" ? [rest[0], rest[1]] : [undefined, rest[0] ?? rest[1]];
      if (reason !== undefined && hasReason) to.statusMessage = reason;
      setHeaders(to, headers as OutgoingHttpHeaders | readonly OutgoingHttpHeader[] | undefined);
      return to;
    },
    write(chunk: string | Uint8Array, encoding?: BufferEncoding | Callback, callback?: Callback): boolean {
      if (!begun) begin(writes.stream);
      return writes.push(bytes(chunk, encoding), typeof encoding === "function" ? encoding : callback);
    },
    end(...args: unknown[]): ServerResponse {
      const [chunk, encoding] = args;
      const last = isChunk(chunk) ? bytes(chunk, encoding as BufferEncoding | undefined) : undefined;
      if (begun) {
        if (last !== undefined) writes.push(last, undefined);
        writes.end();
      } else begin(last ?? new Uint8Array(0));
      const callback = args.find((arg) => typeof arg === "function") as Callback | undefined;
      if (callback !== undefined) to.once("finish", () => callback());
      return to;
    },
    flushHeaders(): void {
      if (!begun) markStreamed(begin(writes.stream));
    },
  });

  return {
    response,
    fail(error) {
      refuse(error);
      writes.fail(error);
    },
    sink: {
      write: (chunk) => past(() => Reflect.apply(own.write, to, [chunk])),
      end: () => past(() => Reflect.apply(own.end, to, [])),
      flushHeaders: () => past(() => Reflect.apply(own.flushHeaders, to, [])),
    },
  };
}

/** What was written and not yet taken. */
class Writes {
  readonly stream: ReadableStream<Uint8Array>;
  readonly #onDrain: () => void;
  #queue: { readonly chunk: Uint8Array; readonly callback: Callback | undefined }[] = [];
  #length = 0;
  #full = false;
  #ended = false;
  #cancelled = false;
  #wake: (() => void) | undefined;
  #error: { readonly cause: unknown } | undefined;

  constructor(onDrain: () => void) {
    this.#onDrain = onDrain;
    this.stream = new ReadableStream<Uint8Array>(
      {
        pull: (controller) => this.#pull(controller),
        cancel: () => {
          this.#cancelled = true;
          this.#drop();
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** False when the writer should wait for `drain`. What comes after the end, or for nobody, is dropped. */
  push(chunk: Uint8Array, callback: Callback | undefined): boolean {
    if (this.#ended || this.#cancelled) {
      if (callback !== undefined) queueMicrotask(() => callback());
      return true;
    }
    this.#queue.push({ chunk, callback });
    this.#length += chunk.length;
    this.#wake?.();
    this.#full = this.#length >= HIGH_WATER_MARK;
    return !this.#full;
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  /** What was written before still goes out. */
  fail(cause: unknown): void {
    this.#error ??= { cause };
    this.#wake?.();
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    while (this.#queue.length === 0 && !this.#ended && !this.#cancelled && this.#error === undefined) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#cancelled) return;
    const next = this.#queue.shift();
    if (next === undefined) {
      if (!this.#ended && this.#error !== undefined) throw this.#error.cause;
      controller.close();
      return;
    }
    this.#length -= next.chunk.length;
    controller.enqueue(next.chunk);
    next.callback?.();
    if (this.#full && this.#length === 0) {
      this.#full = false;
      this.#onDrain();
    }
  }

  #drop(): void {
    const dropped = this.#queue;
    this.#queue = [];
    this.#length = 0;
    this.#wake?.();
    for (const { callback } of dropped) if (callback !== undefined) queueMicrotask(() => callback());
    if (this.#full) {
      this.#full = false;
      queueMicrotask(this.#onDrain);
    }
  }
}

function isChunk(value: unknown): value is string | Uint8Array {
  return typeof value === "string" || value instanceof Uint8Array;
}

function bytes(chunk: string | Uint8Array, encoding: BufferEncoding | Callback | undefined): Uint8Array {
  if (typeof chunk !== "string") return chunk;
  return Buffer.from(chunk, typeof encoding === "string" ? encoding : "utf8");
}

function setHeaders(
  to: ServerResponse,
  headers: OutgoingHttpHeaders | readonly OutgoingHttpHeader[] | undefined,
): void {
  if (headers === undefined) return;
  if (!Array.isArray(headers)) {
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) to.setHeader(name, value);
    return;
  }
  const flat = headers.flat() as (string | number)[];
  for (let i = 0; i + 1 < flat.length; i += 2) to.setHeader(String(flat[i]), flat[i + 1] as string | number);
}

function webHeaders(from: ServerResponse): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(from.getHeaders())) {
    if (value === undefined || name === "transfer-encoding" || name === "connection") continue;
    for (const one of Array.isArray(value) ? value : [value]) headers.append(name, String(one));
  }
  return headers;
}
