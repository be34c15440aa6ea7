// Structured logs, one line a request, with nothing in them that pays or signs.
import type { FastifyServerOptions } from "fastify";
import type { Config } from "../config.js";
import type { App } from "../http/App.js";
import { traceOf } from "../http/requestId.js";

/** What is long enough to be a key, a signed transaction or a token. Addresses and transaction ids are shorter. */
const LONG = /[A-Za-z0-9+/=_-]{90,}/g;

/** A key in the form of Solana's tools. */
const BYTES = /\[\s*(?:\d{1,3}\s*,\s*){31,}\d{1,3}\s*\]/g;

/** URLs of nodes and databases carry keys and passwords in their user, path and query. */
const URLS = /\b[a-z][a-z0-9+.-]*:\/\/[^\s"'<>]+/gi;

/** Text without secrets. */
export function redacted(text: string): string {
  return text.replace(URLS, place).replace(BYTES, "[…]").replace(LONG, "…");
}

/** Of a URL, where it leads. */
function place(url: string): string {
  if (!URL.canParse(url)) return "…";
  const { protocol, host } = new URL(url);
  return `${protocol}//${host}/…`;
}

interface Description {
  readonly type: string;
  readonly message: string;
  readonly stack: string;
  readonly [member: string]: unknown;
}

/** What logs say of an error: and of its causes, which may quote what a node or a driver was sent: redacted. */
export function describeError(error: unknown): Description {
  if (!(error instanceof Error)) return { type: typeof error, message: redacted(String(error)), stack: "" };
  const code = "code" in error && typeof error.code === "string" ? { code: error.code } : {};
  const cause = error.cause instanceof Error ? { cause: describeError(error.cause) } : {};
  const { name, message, stack = "" } = error;
  return { type: name, ...code, message: redacted(message), stack: redacted(stack), ...cause };
}

/** Options of Fastify's logger. */
export function loggerOptions(level: Config["logLevel"]): NonNullable<FastifyServerOptions["logger"]> {
  return {
    level,
    base: { service: "mppsol-facilitator" },
    // What is logged is chosen below; this is for what somebody adds.
    redact: ["*.authorization", "*.cookie", "*.transaction", "*.secret", "*.secretKey", "headers", "body"],
    serializers: { err: describeError },
  };
}

/** Logs one line a request when it is answered, and counts it. */
export function registerRequestLog(
  app: App,
  count: (method: string, route: string, status: number, seconds: number) => void,
): void {
  app.setChildLoggerFactory((logger, bindings, options, request) =>
    logger.child({ ...bindings, ...traceOf(request.headers) }, options),
  );
  app.addHook("onResponse", async (request, reply) => {
    const route = request.routeOptions.url ?? "unmatched";
    const { method, refused } = request;
    const seconds = reply.elapsedTime / 1000;
    count(method, route, reply.statusCode, seconds);
    const line = { method, route, status: reply.statusCode, ms: Math.round(reply.elapsedTime), client: request.ip };
    request.log.info(refused === undefined ? line : { ...line, code: refused.code }, "request");
  });
}
