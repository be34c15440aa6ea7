// Names of requests: the client's, when it is fit to be written into logs and headers; else one of ours. And traces.
import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";

const SANE = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;

/** The request's id: its X-Request-Id, or a new one. */
export function requestId({ headers }: Pick<IncomingMessage, "headers">): string {
  const given = headers["x-request-id"];
  return typeof given === "string" && SANE.test(given) ? given : `req_${randomUUID()}`;
}

/** What logs say of a trace (W3C Trace Context, `traceparent`); nothing when it is malformed. */
export function traceOf(headers: IncomingHttpHeaders): { readonly traceId?: string; readonly spanId?: string } {
  const given = headers.traceparent;
  const [, traceId, spanId] = (typeof given === "string" && TRACEPARENT.exec(given)) || [];
  return traceId === undefined || spanId === undefined ? {} : { traceId, spanId };
}

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?$/;
