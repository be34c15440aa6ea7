// From Node's incoming message to a web `Request`, for the adapters of frameworks that are built on it.
import type { IncomingMessage, ServerResponse } from "node:http";
import { RefusedError } from "@mppsol/core";
import { wasSent } from "./http2.js";

/** A host that may stand in a URL. What a client sends besides is not trusted further than that. */
const HOST = /^[A-Za-z0-9._-]+(?::[0-9]{1,5})?$|^\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?$/;

/** Path and query as they stood in the request line. */
export function targetOf(message: IncomingMessage & { readonly originalUrl?: string }): string {
  const url = message.originalUrl ?? message.url ?? "/";
  if (url.startsWith("/")) return url;
  // The absolute form is for proxies (RFC 9112, section 3.2.2); its host is as untrusted as the header.
  const { pathname = "", search = "" } = URL.canParse(url) ? new URL(url) : {};
  // `mailto:x` is a URL as well; a path that begins with no / would be read as a part of the host.
  return pathname.startsWith("/") ? pathname + search : "/";
}

/** What URLs leave out of a path, and what they write as a /. */
const REWRITTEN = /(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)|\\/i;

/**
 * Throws for a message that says in two ways what it is for: the price would be found for the one, and the framework would
 * serve the other. Of HTTP/2, where `:authority` and `Host` differ (RFC 9113, section 8.3.1: malformed); any, where its path is
 * not what its URL says. No client sends such by itself.
 * @throws {RefusedError} `request-ambiguous`
 */
export function requireOneMeaning(message: IncomingMessage): void {
  const { ":authority": authority, host } = message.headers;
  const hosts = typeof authority === "string" && host !== undefined && authority.toLowerCase() !== host.toLowerCase();
  const [path = ""] = targetOf(message).split(/[?#]/, 1);
  if (hosts || REWRITTEN.test(path)) throw new RefusedError("request-ambiguous");
}

/** The request, its body the given bytes. */
export function toRequest(message: IncomingMessage, body: Uint8Array, signal: AbortSignal): Request {
  const method = message.method ?? "GET";
  const readable = body.length > 0 && method !== "GET" && method !== "HEAD";
  const init = { method, headers: headersOf(message), signal };
  return new Request(urlOf(message), readable ? { ...init, body: Buffer.from(body) } : init);
}

function urlOf(message: IncomingMessage): string {
  const scheme = "encrypted" in message.socket && message.socket.encrypted === true ? "https" : "http";
  // Put together as text: resolved as a reference, a path that begins with // would name another host.
  return `${scheme}://${hostOf(message)}${targetOf(message)}`;
}

function hostOf({ headers }: IncomingMessage): string {
  const host = headers[":authority"] ?? headers.host;
  // `h:99999` and `1.2.3.4.5` look like hosts, and no URL may have them.
  const sound = typeof host === "string" && HOST.test(host) && URL.canParse(`http://${host}`);
  return sound ? host : "localhost";
}

/** From the raw headers: `message.headers` drops the second of two `Authorization` fields. */
function headersOf({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers();
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (!name.startsWith(":")) headers.append(name, rawHeaders[i + 1] as string);
  }
  return headers;
}

/** Aborts when the connection closes before the response was sent. */
export function clientSignal(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once("close", () => {
    if (!wasSent(response)) controller.abort();
  });
  return controller.signal;
}
