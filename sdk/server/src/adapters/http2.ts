// What Node's HTTP/2 says otherwise than its HTTP/1.1, although its messages and responses look alike.
import type { IncomingMessage, ServerResponse } from "node:http";
import { constants, type ServerHttp2Stream } from "node:http2";

/** The stream of a message, or of a response, of HTTP/2; undefined for one of HTTP/1.1. */
export function http2Stream(of: IncomingMessage | ServerResponse): ServerHttp2Stream | undefined {
  const { httpVersionMajor } = "req" in of ? of.req : of;
  return httpVersionMajor >= 2 ? (of as unknown as { readonly stream: ServerHttp2Stream }).stream : undefined;
}

/**
 * Whether a body may follow. HTTP/1.1 announces one (RFC 9112, section 6.3). HTTP/2 need not (RFC 9113, section 8.1): there
 * only a stream that ended with its headers has none, whatever the headers say.
 */
export function mayHaveBody(message: IncomingMessage): boolean {
  const stream = http2Stream(message);
  if (stream !== undefined) return !stream.endAfterHeaders;
  const { headers } = message;
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

/**
 * Whether the body has come to its end, from just before that is told. Over HTTP/2 `complete` is false by then; and a body
 * whose client left ends as if it were whole, and never is.
 */
export function isWhole(message: IncomingMessage): boolean {
  const stream = http2Stream(message);
  return stream === undefined ? message.complete : stream.readableEnded && !stream.aborted;
}

/** Whether a closed response had been handed over whole. Over HTTP/2 `writableFinished` is true of one that broke off, too. */
export function wasSent(response: ServerResponse): boolean {
  const stream = http2Stream(response);
  return stream === undefined ? response.writableFinished : !stream.aborted;
}

/** Whether nothing can be sent any more. */
export function isGone(response: ServerResponse): boolean {
  return http2Stream(response)?.destroyed ?? response.destroyed;
}

/** Ends the exchange after its response, whatever the client still has to say. To be called before the response is sent. */
export function hearNoMore(response: ServerResponse): void {
  const stream = http2Stream(response);
  if (stream === undefined) response.setHeader("Connection", "close");
  // Code 0, NO_ERROR: the response is whole (RFC 9113, section 8.1).
  else stream.once("finish", () => stream.close());
}

/** Ends a response so that nobody takes what was sent for the whole. Over HTTP/2 `destroy` looks like an end. */
export function breakOff(response: ServerResponse): void {
  const stream = http2Stream(response);
  if (stream === undefined) response.destroy();
  else stream.close(constants.NGHTTP2_INTERNAL_ERROR);
}
