// One request and its answer, redirects included. A redirect never carries anything secret to another origin.
import type { ServerClocks } from "./clock.js";
import type { Fetch } from "./context.js";
import { BodyNotReplayableError } from "./errors.js";
import { originOf } from "./origin.js";
import type { Outgoing } from "./outgoing.js";

/** As many as browsers follow. */
const MAX_REDIRECTS = 20;

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** What `fetch` itself drops on the way to another origin. */
const OF_ONE_ORIGIN = ["authorization", "payment-authorization", "proxy-authorization", "cookie", "host"];

/** Headers that describe a body. */
const OF_BODY = ["content-encoding", "content-language", "content-location", "content-type", "content-length"];

export interface Exchange {
  readonly response: Response;
  /** What was asked in the end: a redirect changes it. */
  readonly request: Outgoing;
  /** The first other origin that a redirect led to. */
  readonly left: string | undefined;
  /** Whether the answer is to a request with the `extra` headers. */
  readonly carried: boolean;
}

export interface Wire {
  readonly transport: Fetch;
  readonly clocks: ServerClocks;
  readonly now: () => number;
}

/**
 * Sends the request with `extra` headers, and follows redirects as the caller asked for. `extra` stays within the
 * origin, and is dropped where a redirect turns the request into another one.
 * @throws {TypeError} as `fetch`.
 */
export async function exchange(
  wire: Wire,
  request: Outgoing,
  extra: Readonly<Record<string, string>> = {},
): Promise<Exchange> {
  let current = request;
  let carried = true;
  let left: string | undefined;
  for (let hops = 0; ; hops++) {
    const response = await sendOnce(wire, current, carried ? extra : {});
    const location = REDIRECTS.has(response.status) ? response.headers.get("location") : null;
    if (location === null || current.redirect === "manual") {
      // As of a response that `fetch` itself was redirected to.
      if (hops > 0) Object.defineProperty(response, "redirected", { value: true });
      return { response, request: current, left, carried };
    }
    discard(response);
    if (current.redirect === "error") throw new TypeError("unexpected redirect");
    if (hops === MAX_REDIRECTS) throw new TypeError("too many redirects");
    const next = redirected(current, response.status, location);
    if (originOf(next.url) !== originOf(request.url)) left ??= next.url;
    if (left !== undefined || next.method !== current.method) carried = false;
    current = next;
  }
}

async function sendOnce(wire: Wire, request: Outgoing, extra: Readonly<Record<string, string>>): Promise<Response> {
  const headers = new Headers(request.headers);
  for (const [name, value] of Object.entries(extra)) headers.set(name, value);
  const sentAt = wire.now();
  const body = request.body ?? request.stream;
  const response = await wire.transport(request.url, {
    ...request.rest,
    method: request.method,
    headers,
    redirect: "manual",
    ...(body === undefined ? {} : { body }),
    ...(request.stream === undefined ? {} : { duplex: "half" as const }),
    ...(request.signal === undefined ? {} : { signal: request.signal }),
  });
  wire.clocks.note(originOf(request.url), response.headers, sentAt);
  return response;
}

/** The request that a redirect asks for (Fetch standard, "HTTP-redirect fetch"). */
function redirected(request: Outgoing, status: number, location: string): Outgoing {
  const url = new URL(location, request.url);
  if (url.protocol !== "http:" && url.protocol !== "https:") throw new TypeError("redirect to another scheme");
  if (url.hash === "") url.hash = new URL(request.url).hash;
  const headers = new Headers(request.headers);
  if (url.origin !== originOf(request.url)) for (const name of OF_ONE_ORIGIN) headers.delete(name);
  const becomesGet =
    (status === 303 && request.method !== "GET" && request.method !== "HEAD") ||
    ((status === 301 || status === 302) && request.method === "POST");
  if (becomesGet) {
    for (const name of OF_BODY) headers.delete(name);
    return { ...request, url: url.href, method: "GET", headers, body: undefined, stream: undefined };
  }
  if (request.stream !== undefined) {
    throw new BodyNotReplayableError("a redirect asks for the body again, and a stream can be read only once");
  }
  return { ...request, url: url.href, headers };
}

/** Gives the connection back. Not waited for: a body that was cloned is cancelled only when its copies are. */
export function discard(response: Response): void {
  response.body?.cancel().catch(() => {}); // being read: then whoever reads it ends it
}
