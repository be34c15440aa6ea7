// What whoever runs the service looks at: is it alive, is it ready, how does it do.
import { z } from "zod";
import { type Figures, readFigures } from "../db/figures.js";
import { readImbalances } from "../db/ledger.js";
import type { Tables } from "../db/Tables.js";
import type { App } from "../http/App.js";
import type { Health, HealthChecks } from "./health.js";
import type { Gauges, ServiceMetrics } from "./prometheus.js";

const Check = z.object({ ok: z.boolean() });
const HealthSchema = z.object({
  status: z.enum(["ready", "not-ready"]),
  /** Only where everybody may know. */
  checks: z
    .object({
      accepting: Check,
      database: Check,
      rpc: Check.extend({
        endpoints: z
          .array(
            z.object({
              endpoint: z.string(),
              ok: z.boolean(),
              slot: z.string().optional(),
              lag: z.string().optional(),
            }),
          )
          .readonly(),
      }),
      feePayers: Check.extend({
        keys: z.array(z.object({ address: z.string(), ok: z.boolean(), lamports: z.string().optional() })).readonly(),
      }),
    })
    .optional(),
});

/** How long figures are given again: a scrape costs the database little, however often it comes. */
const FIGURES_TTL_MS = 5_000;

/** The same for the books, which are looked through rather than asked for a number. */
const BOOKS_TTL_MS = 30_000;

export interface OpsParts {
  readonly health: HealthChecks;
  readonly metrics: ServiceMetrics;
  readonly tables: Tables;
  readonly now: () => number;
  readonly onError: (error: unknown, during: string) => void;
}

/** @param tellsAll whether it is told what readiness is made of, and the metrics. */
export function opsRoutes(app: App, parts: OpsParts, tellsAll: boolean): void {
  app.get(
    "/livez",
    {
      config: UNLIMITED,
      schema: {
        tags: ["operations"],
        summary: "This process answers",
        response: { 200: z.object({ status: z.literal("alive") }) },
      },
    },
    async () => ({ status: "alive" as const }),
  );
  readiness(app, parts, tellsAll);
  if (tellsAll) metricsRoute(app, parts);
}

const UNLIMITED = { rateLimit: false as const };

function readiness(app: App, { health }: OpsParts, tellsAll: boolean): void {
  const schema = {
    tags: ["operations"],
    summary: "Whether this instance can settle: each thing that it needs",
    response: { 200: HealthSchema, 503: HealthSchema },
  };
  app.get("/readyz", { config: UNLIMITED, schema }, async (_, reply) => {
    const { status, checks } = await health.check();
    return reply.code(status === "ready" ? 200 : 503).send(tellsAll ? { status, checks } : { status });
  });
}

function metricsRoute(app: App, { health, metrics, tables, now, onError }: OpsParts): void {
  const figures = remembered(
    () => readFigures(tables.database),
    FIGURES_TTL_MS,
    now,
    (error) => onError(error, "reading figures"),
  );
  const imbalances = remembered(
    () => readImbalances(tables.database),
    BOOKS_TTL_MS,
    now,
    (error) => onError(error, "looking through the books"),
  );
  const schema = { tags: ["operations"], summary: "Metrics for Prometheus", hide: true };
  app.get("/metrics", { config: UNLIMITED, schema }, async (_, reply) => {
    const [read, books, state] = await Promise.all([figures(), imbalances(), health.check()]);
    setGauges(metrics.gauges, read, state, now());
    for (const [rule, count] of books ?? []) metrics.gauges.ledgerImbalance.set({ rule }, count);
    return reply.header("content-type", metrics.registry.contentType).send(await metrics.render());
  });
}

/** What was read not longer than `ttlMs` ago; undefined when it could not be. However many ask, one reads. */
function remembered<T>(
  read: () => Promise<T>,
  ttlMs: number,
  now: () => number,
  onError: (error: unknown) => void,
): () => Promise<T | undefined> {
  let last: { readonly value: Promise<T | undefined>; readonly until: number } | undefined;
  return () => {
    if (last === undefined || now() >= last.until) {
      const value = read().catch((error: unknown) => {
        onError(error);
        return undefined;
      });
      last = { value, until: now() + ttlMs };
    }
    return last.value;
  };
}

/** What is not known is left out: an old value would look like a true one. */
function setGauges(gauges: Gauges, figures: Figures | undefined, { checks }: Health, now: number): void {
  for (const gauge of Object.values(gauges)) gauge.reset();
  for (const { address, lamports } of checks.feePayers.keys) {
    if (lamports !== undefined) gauges.feePayerBalance.set({ fee_payer: address }, Number(lamports));
  }
  for (const { endpoint, ok, slot } of checks.rpc.endpoints) {
    gauges.rpcUp.set({ endpoint }, ok ? 1 : 0);
    if (slot !== undefined) gauges.rpcSlot.set({ endpoint }, Number(slot));
  }
  gauges.settlementUnknown.set(figures?.unknown ?? Number.NaN);
  gauges.settlementPending.set(figures?.pending ?? Number.NaN);
  const oldest = figures?.oldest;
  // Nothing waits: none is too old.
  const age = oldest === undefined ? 0 : Math.max(0, (now - oldest) / 1000);
  gauges.outboxOldest.set(figures === undefined ? Number.NaN : age);
  const deadline = figures?.deadline;
  gauges.channelDeadline.set(deadline === undefined ? Number.NaN : deadline - now / 1000);
  for (const [mint, amount] of figures?.unsettled ?? []) gauges.voucherUnsettled.set({ mint }, amount);
  for (const [mint, amount] of figures?.escrowed ?? []) gauges.escrowed.set({ mint }, amount);
  for (const [purpose, lamports] of figures?.rentOut ?? []) gauges.rentOut.set({ purpose }, lamports);
  for (const [status, count] of figures?.channels ?? []) gauges.channels.set({ status }, count);
}
