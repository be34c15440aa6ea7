// Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): a route that opts in by `config: { idempotent: true }` does
// a request of one key once, in however many processes, and gives its answer again. What it protects is the answer: that
// nothing is paid twice is seen to by the parts that pay.
import { createHash } from "node:crypto";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Context } from "../context.js";
import type { KeptAnswer, Tables } from "../db/Tables.js";
import { FacilitatorError } from "../errors/FacilitatorError.js";
import type { App } from "./App.js";

declare module "fastify" {
  interface FastifyContextConfig {
    /** Honours Idempotency-Key. */
    idempotent?: boolean;
  }
  interface FastifyRequest {
    idempotency: Idempotency | undefined;
  }
}

/** The key of a request, and what it stands for. */
interface Idempotency {
  readonly scope: string;
  readonly key: string;
  /** SHA-256 of method, path and body, hex. */
  readonly digest: string;
  /** Once this request works under the key. */
  claim: string | undefined;
  /** Ends the renewals of the claim. */
  letGo: () => void;
}

type KeyTables = Pick<Tables, "claimKey" | "renewKey" | "keepAnswer" | "releaseKey">;

/** Headers that are given again with the answer; all others belong to the one request. */
const KEPT_HEADERS = ["content-type", "location"];

/** Seconds after which a request of the same key is worth another try. */
const RETRY_AFTER_SECONDS = 2;

export interface Leases {
  /** For which a request may work: after that its key is free, whether it is done or not. */
  readonly longestMs: number;
  /** For which the key of a process that died stays taken. Default 10,000. */
  readonly leaseMs?: number;
}

export function registerIdempotency(
  app: App,
  { tables, now, onError }: Pick<Context, "now" | "onError"> & { readonly tables: KeyTables },
  { longestMs, leaseMs = 10_000 }: Leases,
): void {
  /** Keeps a claim while its request works; what this returns ends that. */
  const hold = (scope: string, key: string, claim: string): (() => void) => {
    const until = now() + longestMs;
    const renewal = setInterval(() => {
      if (now() >= until) return clearInterval(renewal);
      tables.renewKey(scope, key, claim, now(), leaseMs).catch((error: unknown) => onError(error, "holding a key"));
    }, leaseMs / 3);
    renewal.unref();
    return () => clearInterval(renewal);
  };

  app.decorateRequest("idempotency", undefined);

  // Before the schema has changed the body.
  app.addHook("preValidation", async (request) => {
    if (request.routeOptions.config.idempotent === true) request.idempotency = readKey(request);
  });

  // After it: what the schema refuses leaves no trace, and may be sent again, corrected, under the same key.
  app.addHook("preHandler", async (request, reply) => {
    const { idempotency } = request;
    if (idempotency === undefined) return;
    const { scope, key, digest } = idempotency;
    const claimed = await tables.claimKey(scope, key, digest, now(), leaseMs);
    switch (claimed.kind) {
      case "claimed":
        idempotency.claim = claimed.claim;
        idempotency.letGo = hold(scope, key, claimed.claim);
        return;
      case "in-flight":
        throw new FacilitatorError("idempotency_key_in_flight", undefined, { retryAfterSeconds: RETRY_AFTER_SECONDS });
      case "reused":
        throw new FacilitatorError("idempotency_key_reused");
      case "kept":
        return replay(reply, claimed.answer);
    }
  });

  // Before the answer leaves: whoever has it may rely on getting it again.
  app.addHook("onSend", async (request, reply, payload) => {
    const { idempotency } = request;
    const claim = idempotency?.claim;
    if (idempotency === undefined || claim === undefined) return;
    idempotency.claim = undefined;
    idempotency.letGo();
    const { scope, key } = idempotency;
    try {
      const answer = isFinal(request, reply) ? answerOf(reply, payload) : undefined;
      if (answer === undefined) await tables.releaseKey(scope, key, claim);
      else await tables.keepAnswer(scope, key, claim, answer, now());
    } catch (error) {
      // The answer is the truth whether it is kept or not. The key is free when the lease has run out.
      onError(error, "keeping an answer");
    }
  });
}

function readKey(request: FastifyRequest): Idempotency | undefined {
  const key = request.headers["idempotency-key"];
  if (key === undefined) return undefined;
  if (typeof key !== "string" || !/^[\x20-\x7e]{1,255}$/.test(key)) {
    throw new FacilitatorError("idempotency_key_invalid");
  }
  const { method, url } = request;
  const digest = createHash("sha256")
    .update(JSON.stringify([method, url, request.body ?? null]))
    .digest("hex");
  return { scope: `${method} ${request.routeOptions.url}`, key, digest, claim: undefined, letGo: () => {} };
}

/** Whether the same request would get this answer for ever. */
function isFinal(request: FastifyRequest, { statusCode }: FastifyReply): boolean {
  if (request.refused?.retryable === true) return false;
  return statusCode < 500 && ![202, 404, 408, 409, 425, 429].includes(statusCode);
}

function answerOf(reply: FastifyReply, payload: unknown): KeptAnswer | undefined {
  if (typeof payload !== "string") return undefined;
  const headers = KEPT_HEADERS.flatMap((name) => {
    const value = reply.getHeader(name);
    return value === undefined ? [] : [[name, String(value)]];
  });
  return { status: reply.statusCode, headers: Object.fromEntries(headers), body: payload };
}

function replay(reply: FastifyReply, { status, headers, body }: KeptAnswer): FastifyReply {
  return reply.code(status).headers(headers).header("idempotent-replayed", "true").serializer(String).send(body);
}
