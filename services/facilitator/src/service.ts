// The service, composed of its parts: started, and stopped such that nothing under way is lost.
import { setTimeout as sleep } from "node:timers/promises";
import { type Rpc, WrongClusterError } from "@mppsol/server/parts";
import type { FastifyServerOptions } from "fastify";
import { Redis } from "ioredis";
import { buildApp } from "./app.js";
import type { ChargeEngine } from "./charge/ChargeEngine.js";
import { createChargeEngine, type Timing } from "./charge/engine.js";
import { checkConfig } from "./config/check.js";
import type { Config } from "./config.js";
import type { Context } from "./context.js";
import { openDatabase } from "./db/openDatabase.js";
import type { App } from "./http/App.js";
import { FrontedAccounts } from "./onboard/FrontedAccounts.js";
import { buildAdminApp } from "./ops/admin.js";
import { every, type Task } from "./ops/Background.js";
import { counted } from "./ops/countedStore.js";
import { HealthChecks } from "./ops/health.js";
import { describeError } from "./ops/logging.js";
import { Nodes } from "./ops/Nodes.js";
import { createMetrics } from "./ops/prometheus.js";
import { timed } from "./ops/timedRpc.js";
import { createManagedSessions, type RunningSessions, type SessionTuning } from "./session/createManagedSessions.js";
import type { ManagedSessions } from "./session/ManagedSessions.js";

/** What a test, or a service that embeds this one, puts in the place of a part. */
export interface Overrides {
  /** Between the service and the chain. Default: the nodes of `config.rpcUrls`. */
  readonly rpc?: Rpc;
  /** Whoever makes a part here starts and stops it. */
  readonly charges?: (context: Omit<Context, "charges" | "sessions">) => ChargeEngine;
  readonly sessions?: (context: Omit<Context, "sessions">) => ManagedSessions;
  /** How often the chain is looked at by the parts that are not replaced. */
  readonly timing?: Timing;
  readonly tuning?: SessionTuning;
  /** False: no background work; whoever tests a part calls its `tick`. Default true. */
  readonly background?: boolean;
  /** Unix milliseconds. */
  readonly now?: () => number;
  readonly logger?: FastifyServerOptions["logger"];
  readonly onError?: (error: unknown, during: string) => void;
}

export interface Facilitator {
  readonly app: App;
  /** What answers at `config.admin`, where there is such a port. */
  readonly admin: App | undefined;
  readonly context: Context;
  /** Begins to listen, at the admin port first; the URL of `app`. */
  listen(): Promise<string>;
  /**
   * Takes no more requests, finishes those under way, stops the background work and closes the database; any number of
   * times. What is not finished after `limitMs` is cut off: it goes on from the database, here or elsewhere.
   */
  close(limitMs?: number): Promise<void>;
}

const SWEEP_MS = 60_000;

/** Between looks for nodes that did not answer before. */
const NODES_MS = 15_000;

/** Between attempts to make what sessions need. */
const PREPARE_MS = 15_000;

/** Milliseconds for which `deliveries` are kept: longer than anybody may ask about one. */
const DELIVERIES_MS = 48 * 60 * 60 * 1000;

const CLOSE_LIMIT_MS = 45_000;

/**
 * Makes the service: its database is brought up to date, its nodes are checked, its background work runs. It listens once
 * it is told to.
 * @throws {ConfigurationError} {WrongClusterError} {RpcError} {StoreError} when it could not work.
 */
export async function createFacilitator(config: Config, overrides: Overrides = {}): Promise<Facilitator> {
  checkConfig(config);
  const closing: (() => Promise<unknown>)[] = [];
  try {
    return await compose(config, overrides, closing);
  } catch (error) {
    for (const close of closing.reverse()) await close().catch(() => {});
    throw error;
  }
}

async function compose(
  config: Config,
  overrides: Overrides,
  closing: (() => Promise<unknown>)[],
): Promise<Facilitator> {
  const { now = Date.now } = overrides;
  let report = (error: unknown, during: string): void => {
    process.stderr.write(`${JSON.stringify({ during, err: describeError(error) })}\n`);
  };
  const onError = overrides.onError ?? ((error: unknown, during: string) => report(error, during));

  const { store: kept, tables } = openDatabase(config);
  closing.push(() => kept.close());
  await kept.migrate();
  await tables.migrate();

  const metrics = createMetrics();
  const store = counted(kept, metrics);
  const nodes = new Nodes(config);
  const rpc = timed(overrides.rpc ?? nodes.rpc, (...call) => metrics.asked(...call));
  await checkNodes(nodes, onError);

  const redis = config.redisUrl === undefined ? undefined : connectRedis(config.redisUrl, onError);
  if (redis !== undefined) closing.push(async () => redis.disconnect());

  const base = { config, rpc, store, tables, metrics, now, onError };
  const tasks: Task[] = [
    every(
      SWEEP_MS,
      () => sweep(base),
      (error) => onError(error, "sweeping"),
    ),
    every(
      NODES_MS,
      async () => {
        for (const error of await nodes.check()) onError(error, NODES);
      },
      (error) => onError(error, NODES),
    ),
  ];
  const accounts = new FrontedAccounts(base);
  tasks.push(
    every(
      SWEEP_MS,
      () => accounts.sweep(),
      (error) => onError(error, "looking for token accounts"),
    ),
  );
  const charges = overrides.charges?.(base) ?? ownCharges(base, overrides.timing, tasks);
  closing.push(() => stopAll(tasks));
  const sessions = overrides.sessions?.({ ...base, charges }) ?? (await ownSessions(base, overrides.tuning, tasks));
  const context: Context = { ...base, charges, sessions };
  const health = new HealthChecks(config, { nodes, rpc, tables, now });

  let draining = false;
  const logger = overrides.logger === undefined ? {} : { logger: overrides.logger };
  const app = await buildApp(context, { health, metrics, redis, isDraining: () => draining, ...logger });
  closing.push(() => app.close());
  const admin = config.admin === undefined ? undefined : await buildAdminApp({ health, metrics, tables, now, onError });
  closing.push(async () => admin?.close());
  report = (error, during) => app.log.error({ err: error, during }, "fault");

  if (overrides.background !== false) for (const task of tasks) task.start();

  let closed: Promise<void> | undefined;
  async function close(limitMs: number): Promise<void> {
    draining = true;
    health.drain();
    if (app.server.listening) await sleep(config.drainSeconds * 1000);
    const cut = setTimeout(() => app.server.closeAllConnections(), limitMs);
    try {
      await app.close();
    } finally {
      clearTimeout(cut);
      await stopAll(tasks);
      redis?.disconnect();
      await admin?.close();
      await store.close();
    }
  }
  return {
    app,
    admin,
    context,
    async listen() {
      if (config.admin !== undefined) await admin?.listen(config.admin);
      return app.listen({ host: config.host, port: config.port });
    },
    close(limitMs = CLOSE_LIMIT_MS) {
      closed ??= close(limitMs);
      return closed;
    },
  };
}

type Base = Omit<Context, "charges" | "sessions">;

function ownCharges(base: Base, timing: Timing | undefined, tasks: Task[]): ChargeEngine {
  const engine = createChargeEngine(base, timing);
  tasks.push({ start: () => engine.start(), stop: () => engine.close() });
  return engine;
}

/**
 * What cannot be prepared now, as while the fee payers are empty, is tried again: charges do not wait for it, nor do the
 * sessions that are there.
 */
async function ownSessions(base: Base, tuning: SessionTuning | undefined, tasks: Task[]): Promise<RunningSessions> {
  const sessions = createManagedSessions(base, tuning);
  const failed = (error: unknown) => base.onError(error, "preparing for sessions");
  let prepared = false;
  const prepare = async (): Promise<void> => {
    if (!prepared) await sessions.prepare();
    prepared = true;
  };
  await prepare().catch(failed);
  const preparing = every(PREPARE_MS, prepare, failed);
  tasks.push({
    start() {
      sessions.start();
      preparing.start();
    },
    async stop() {
      await preparing.stop();
      await sessions.stop();
    },
  });
  return sessions;
}

async function sweep({ tables, store, now }: Base): Promise<void> {
  await tables.sweep(now());
  await store.deliveries.sweep(now() - DELIVERIES_MS, now());
}

async function stopAll(tasks: readonly Task[]): Promise<void> {
  await Promise.allSettled(tasks.map((task) => task.stop()));
}

const NODES = "checking a node";

/**
 * No node may be of another cluster, and one must say that it is of this one. The others may come later.
 * @throws {WrongClusterError} {RpcError}
 */
async function checkNodes(nodes: Nodes, onError: Context["onError"]): Promise<void> {
  const failures = await nodes.check();
  const wrong = failures.find((error) => error instanceof WrongClusterError);
  if (wrong !== undefined) throw wrong;
  if (failures.length === nodes.all.length) throw failures[0];
  for (const error of failures) onError(error, NODES);
}

/** Commands fail at once while it is away, so that no request waits for it. */
function connectRedis(url: string, onError: (error: unknown, during: string) => void): Redis {
  const redis = new Redis(url, {
    maxRetriesPerRequest: 1,
    enableOfflineQueue: false,
    connectTimeout: 2_000,
    commandTimeout: 500,
  });
  redis.on("error", (error) => onError(error, "Redis"));
  return redis;
}
