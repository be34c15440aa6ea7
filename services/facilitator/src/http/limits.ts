// How many requests one client may send, and what its answers may be used for by browsers.
import helmet from "@fastify/helmet";
import rateLimit from "@fastify/rate-limit";
import type { Redis } from "ioredis";
import { FacilitatorError } from "../errors/FacilitatorError.js";
import type { App } from "./App.js";
import { clientOf } from "./client.js";

const WINDOW_MS = 60_000;

/**
 * Limits requests by client address (IPv6: by /64), across processes where there is a Redis. While that is out of reach
 * nobody is limited by it: what costs money has its caps in the database.
 */
export async function registerRateLimit(app: App, perMinute: number, redis: Redis | undefined): Promise<void> {
  await app.register(rateLimit, {
    global: true,
    max: perMinute,
    timeWindow: WINDOW_MS,
    keyGenerator: clientOf,
    enableDraftSpec: true,
    skipOnError: true,
    nameSpace: "mppsol-facilitator-",
    ...(redis === undefined ? {} : { redis }),
    errorResponseBuilder: (_, { ttl }) =>
      new FacilitatorError("rate_limited", undefined, { retryAfterSeconds: Math.max(1, Math.ceil(ttl / 1000)) }),
  });
}

/** An answer is for who asked, and as of now: it may name close tokens, and what becomes of a payment. */
export const NO_STORE = "no-store";

/**
 * Security headers. The API is no page: nothing may be loaded by its answers, nor framed, nor kept by a cache. Files that
 * are the same for everybody say otherwise themselves.
 */
export async function registerSecurityHeaders(app: App): Promise<void> {
  app.addHook("onRequest", async (_, reply) => {
    reply.header("cache-control", NO_STORE);
  });
  await app.register(helmet, {
    global: true,
    contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
    hsts: { maxAge: 31_536_000 },
  });
}
