// @mppsol/server/fastify: paid routes in Fastify 5, by the route option `config: { paid: guard }`.
import { Readable } from "node:stream";
import type { ReadableStream as NodeReadableStream } from "node:stream/web";
import { RefusedError } from "@mppsol/core";
import type { FastifyPluginCallback, FastifyReply, FastifyRequest } from "fastify";
import { bodyFor } from "../http/answer.js";
import { newRequestId } from "../http/call.js";
import type { Guard } from "../http/guard.js";
import type { PaidRequest } from "../http/paid-request.js";
import { refuse } from "../http/refuse.js";
import { breakOff, hearNoMore, http2Stream, mayHaveBody } from "./http2.js";
import { clientSignal, requireOneMeaning, toRequest } from "./incoming.js";
import { splitChallenges } from "./outgoing.js";
import { setContext } from "./payment-of.js";

export { contextOf, paymentOf } from "./payment-of.js";

declare module "fastify" {
  interface FastifyContextConfig {
    /** What the route costs. */
    paid?: Guard;
  }
}

const bodies = new WeakMap<FastifyRequest, Uint8Array>();
const running = new WeakMap<FastifyRequest, PaidRequest>();

/**
 * The plugin: `app.register(payments)`, then `app.get(path, { config: { paid: guard } }, handler)`. Payment comes after
 * the hooks `onRequest` and `preValidation`, which authenticate, and after validation: invalid input costs nothing.
 * `paymentOf(request)` is the payment.
 */
export const payments: FastifyPluginCallback = Object.assign(
  ((app, _options, done) => {
    app.addHook("preParsing", async (request, reply, payload) => {
      const guard = guardOf(request);
      if (guard === undefined) return payload;
      const refusal = refusalIn(() => requireOneMeaning(request.raw));
      if (refusal !== undefined) {
        await turnAway(reply, refusal);
        return payload;
      }
      if (!mayHaveBody(request.raw)) return payload;
      const body = await collect(payload, guard.route.maxBodyBytes);
      if (body === undefined) {
        await turnAway(reply, new RefusedError("request-too-large"));
        return payload;
      }
      bodies.set(request, body);
      return Object.assign(Readable.from([Buffer.from(body)]), { receivedEncodedLength: body.length });
    });

    app.addHook("preHandler", async (request, reply) => {
      const guard = guardOf(request);
      if (guard === undefined) return;
      const body = bodies.get(request) ?? new Uint8Array(0);
      const web = toRequest(request.raw, body, clientSignal(reply.raw));
      const begun = await guard.begin(web, { framework: request, target: request.originalUrl, body });
      if (begun.kind === "respond") return answer(reply, begun.response);
      const { paid } = begun;
      setContext(request, { payment: paid.payment, signal: paid.signal });
      running.set(request, paid);
    });

    app.addHook("onSend", async (request, reply, payload: unknown) => {
      const paid = running.get(request);
      if (paid === undefined) return payload;
      running.delete(request);
      const made = await paid.respond(responseOf(reply, payload));
      for (const name of Object.keys(reply.getHeaders())) reply.removeHeader(name);
      setHead(reply, made);
      if (made.body === null) return nothing();
      const body = Readable.fromWeb(made.body as NodeReadableStream<Uint8Array>);
      // Before Fastify hears of it, which destroys the response: over HTTP/2 that would be an end like any other.
      body.once("error", () => {
        if (reply.raw.headersSent) breakOff(reply.raw);
      });
      return body;
    });
    done();
  }) satisfies FastifyPluginCallback,
  // What `fastify-plugin` does: the hooks are for the routes of the app, not of this plugin alone.
  { [Symbol.for("skip-override")]: true, [Symbol.for("fastify.display-name")]: "@mppsol/server" },
);

function guardOf(request: FastifyRequest): Guard | undefined {
  return request.routeOptions.config?.paid;
}

function refusalIn(check: () => void): RefusedError | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (error instanceof RefusedError) return error;
    throw error;
  }
}

/** Undefined when there are more than `limit` bytes. */
async function collect(payload: AsyncIterable<unknown>, limit: number): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of payload) {
    chunks.push(chunk as Uint8Array);
    length += (chunk as Uint8Array).length;
    if (length > limit) return undefined;
  }
  return Buffer.concat(chunks, length);
}

/** Refuses before the body is read to its end. */
async function turnAway(reply: FastifyReply, refusal: RefusedError): Promise<void> {
  if (http2Stream(reply.raw) !== undefined) hearNoMore(reply.raw);
  await answer(reply, refuse({ refusal, requestId: newRequestId(), challenges: [] }));
}

/** Answers with a response that is small, and no handler's. */
async function answer(reply: FastifyReply, response: Response): Promise<FastifyReply> {
  setHead(reply, response);
  return reply.send(response.body === null ? nothing() : Buffer.from(await response.arrayBuffer()));
}

/** Not null: what Fastify does for HEAD routes wants a payload. */
function nothing(): Readable {
  return Readable.from([]);
}

function setHead(reply: FastifyReply, { status, headers }: Response): void {
  reply.code(status);
  for (const [name, value] of headers) {
    if (name !== "set-cookie") reply.header(name, name === "www-authenticate" ? splitChallenges(value) : value);
  }
  for (const cookie of headers.getSetCookie()) reply.header("set-cookie", cookie);
}

/** What the handler sent, in whichever of the forms that Fastify takes. */
function responseOf(reply: FastifyReply, payload: unknown): Response {
  const headers = new Headers();
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value === undefined || name === "transfer-encoding" || name === "connection") continue;
    for (const one of Array.isArray(value) ? value : [value]) headers.append(name, String(one));
  }
  if (payload instanceof Response) {
    for (const [name, value] of payload.headers) headers.set(name, value);
    return new Response(payload.body, { status: payload.status, headers });
  }
  const response = new Response(bodyFor(reply.statusCode, bodyOf(payload)), { status: reply.statusCode, headers });
  return response;
}

function bodyOf(payload: unknown): string | Uint8Array | ReadableStream<Uint8Array> | null {
  if (payload === null || payload === undefined) return null;
  if (typeof payload === "string" || payload instanceof Uint8Array || payload instanceof ReadableStream) return payload;
  return Readable.toWeb(Readable.from(chunksOf(payload as Readable))) as ReadableStream<Uint8Array>;
}

/** Streams may hold strings; a web response holds bytes. */
async function* chunksOf(payload: Readable): AsyncGenerator<Uint8Array> {
  for await (const chunk of payload) yield typeof chunk === "string" ? Buffer.from(chunk) : chunk;
}
