// A request as `fetch` was given it, made into something that can be sent more than once.
import { BodyNotReplayableError } from "./errors.js";

/** What a redirect may change, and what it may not. */
export interface Outgoing {
  /** Absolute. */
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  /** Sent as it is, as often as needed. */
  readonly body: Uint8Array<ArrayBuffer> | undefined;
  /** A body that can be read only once, as long as nobody has. */
  readonly stream: NonNullable<RequestInit["body"]> | undefined;
  readonly signal: AbortSignal | undefined;
  /** What the caller wants done with redirects. */
  readonly redirect: Request["redirect"];
  /** What else the caller gave `fetch`, as a dispatcher. */
  readonly rest: RequestInit;
}

/** Most bytes of a body that are kept to be sent again. */
export const MAX_BODY_BYTES = 16 * 1024 * 1024;

/**
 * Reads what `fetch` was called with. Bodies are kept in memory. A stream is not: it is passed on, and such a request
 * cannot be paid for.
 * @throws {TypeError} as `fetch` does.
 * @throws {BodyNotReplayableError} for the body of a `Request` above `MAX_BODY_BYTES`.
 */
export async function outgoing(input: string | URL | Request, init: RequestInit = {}): Promise<Outgoing> {
  const { method: _method, headers: _headers, body, signal: _signal, redirect: _redirect, ...rest } = init;
  const streamed = isStream(body);
  // The platform's own rules: methods, header names, content types of forms, bodies already used.
  const request = new Request(input, streamed ? { ...init, body: null } : init);
  const given = init.signal === undefined && input instanceof Request ? input.signal : init.signal;
  return {
    url: request.url,
    method: request.method,
    headers: new Headers(request.headers),
    body: streamed || request.body === null ? undefined : await readAll(request.body),
    stream: streamed ? body : undefined,
    signal: given ?? undefined,
    redirect: request.redirect,
    rest: { ...kept(request), ...rest },
  };
}

/** Bodies that can be read only once. */
function isStream(body: RequestInit["body"]): body is ReadableStream<Uint8Array> {
  if (typeof body !== "object" || body === null) return false;
  if (body instanceof ReadableStream) return true;
  // Node's `fetch` takes any async iterable. (A Blob or a form is none.)
  return Symbol.asyncIterator in body;
}

/** What a `Request` says besides where, what and until when. */
function kept(request: Request): RequestInit {
  const { credentials, integrity, keepalive, referrerPolicy } = request;
  return { credentials, integrity, keepalive, referrerPolicy };
}

async function readAll(stream: ReadableStream<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) {
      throw new BodyNotReplayableError(`the body has more than ${MAX_BODY_BYTES} bytes, too many to keep for a retry`);
    }
    chunks.push(chunk);
  }
  const all = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}
