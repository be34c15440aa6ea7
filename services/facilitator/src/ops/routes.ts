// What whoever runs the service looks at: is it alive, is it ready, how does it do.
import { z } from "zod";
import { type Figures, readFigures } from "../db/figures.js";
import type { Tables } from "../db/Tables.js";
import type { App } from "../http/App.js";
import type { Health, HealthChecks } from "./health.js";
import type { Gauges, ServiceMetrics } from "./prometheus.js";

const Check = z.object({ ok: z.boolean() });
const HealthSchema = z.object({
  status: z.enum(["ready", "not-ready"]),
  checks: z.object({
    accepting: Check,
    database: Check,
    rpc: Check.extend({
      endpoints: z
        .array(
          z.object({ endpoint: z.string(), ok: z.boolean(), slot: z.string().optional(), lag: z.string().optional() }),
        )
        .readonly(),
    }),
    feePayers: Check.extend({
      keys: z.array(z.object({ address: z.string(), ok: z.boolean(), lamports: z.string().optional() })).readonly(),
    }),
  }),
});

/** How long figures are given again: a scrape costs the database little, however often it comes. */
const FIGURES_TTL_MS = 5_000;

export interface OpsParts {
  readonly health: HealthChecks;
  readonly metrics: ServiceMetrics;
  readonly tables: Tables;
  readonly now: () => number;
  readonly onError: (error: unknown, during: string) => void;
}

export function opsRoutes(app: App, { health, metrics, tables, now, onError }: OpsParts): void {
  const config = { rateLimit: false as const };

  app.get(
    "/livez",
    {
      config,
      schema: {
        tags: ["operations"],
        summary: "This process answers",
        response: { 200: z.object({ status: z.literal("alive") }) },
      },
    },
    async () => ({ status: "alive" as const }),
  );

  app.get(
    "/readyz",
    {
      config,
      schema: {
        tags: ["operations"],
        summary: "Whether this instance can settle: each thing that it needs",
        response: { 200: HealthSchema, 503: HealthSchema },
      },
    },
    async (_, reply) => {
      const answer = await health.check();
      return reply.code(answer.status === "ready" ? 200 : 503).send(answer);
    },
  );

  let figures: { readonly read: Promise<Figures | undefined>; readonly until: number } | undefined;
  app.get(
    "/metrics",
    { config, schema: { tags: ["operations"], summary: "Metrics for Prometheus", hide: true } },
    async (_, reply) => {
      if (figures === undefined || now() >= figures.until) {
        const read = readFigures(tables.database).catch((error: unknown) => {
          onError(error, "reading figures");
          return undefined;
        });
        figures = { read, until: now() + FIGURES_TTL_MS };
      }
      const [read, state] = await Promise.all([figures.read, health.check()]);
      setGauges(metrics.gauges, read, state, now());
      return reply.header("content-type", metrics.registry.contentType).send(await metrics.render());
    },
  );
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
  const deadline = figures?.deadline;
  gauges.channelDeadline.set(deadline === undefined ? Number.NaN : deadline - now / 1000);
  for (const [mint, amount] of figures?.unsettled ?? []) gauges.voucherUnsettled.set({ mint }, amount);
  for (const [status, count] of figures?.channels ?? []) gauges.channels.set({ status }, count);
}
