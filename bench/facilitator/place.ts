// The service as it runs: a process of its own, beside its database and its chain; and what each of them takes of the processor.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Child } from "../../tests/facilitator/load/Child.ts";
import { Http, Persistent } from "../../tests/facilitator/load/http.ts";
import { Town } from "../../tests/facilitator/load/Town.ts";
import { PostgresCluster } from "../../tests/support/postgres.ts";
import { cpuOf, ownCpu } from "../support/cpu.js";

export type StoreKind = "Postgres" | "PGlite";

/** Microseconds of processor time. PGlite runs in the service's process. */
export interface Cpu {
  readonly service: number;
  readonly database: number;
  readonly chain: number;
  /** This process: clients and their signatures. */
  readonly generator: number;
}

export interface PlaceOptions {
  readonly store: StoreKind;
  readonly slotMs: number;
  /** Samples of memory after a full collection. */
  readonly countMemory?: boolean;
}

export class Place {
  readonly town: Town;
  readonly service: Child;
  readonly http: Http;
  /** For what prepares a measurement. */
  readonly client: Persistent;
  readonly #cluster: PostgresCluster | undefined;
  readonly #folder: string | undefined;

  private constructor(town: Town, service: Child, cluster: PostgresCluster | undefined, folder: string | undefined) {
    this.town = town;
    this.service = service;
    this.http = new Http(512);
    this.client = new Persistent(this.http, () => [service.url]);
    this.#cluster = cluster;
    this.#folder = folder;
  }

  static async start({ store, slotMs, countMemory = false }: PlaceOptions): Promise<Place> {
    const town = await Town.start(slotMs);
    let cluster: PostgresCluster | undefined;
    let folder: string | undefined;
    try {
      if (store === "Postgres") cluster = await PostgresCluster.create();
      else folder = mkdtempSync(join(tmpdir(), "mppsol-bench-"));
      const database =
        cluster === undefined ? { databaseDir: join(folder!, "data") } : { databaseUrl: await cluster.database() };
      const service = await Child.service(town.settings(database), { countMemory });
      return new Place(town, service, cluster, folder);
    } catch (error) {
      await town.close();
      await cluster?.stop();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.http.close();
    await this.service.kill();
    await this.town.close();
    await this.#cluster?.stop();
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
  }

  cpu(): Cpu {
    return {
      service: cpuOf([this.service.pid]),
      database: cpuOf(this.#cluster?.pids() ?? []),
      chain: cpuOf([this.town.chain.pid]),
      generator: ownCpu(),
    };
  }
}

/** From one reading to the next, for each of `count`. */
export function cpuEach(from: Cpu, to: Cpu, count: number): Cpu {
  const each = (name: keyof Cpu): number => (to[name] - from[name]) / count;
  return { service: each("service"), database: each("database"), chain: each("chain"), generator: each("generator") };
}
