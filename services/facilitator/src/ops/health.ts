// Whether this instance can do its work: the database, each node, what the fee payers have left.
import { type Rpc, signerAddress } from "@mppsol/server/parts";
import type { Config } from "../config.js";
import type { Tables } from "../db/Tables.js";
import { FLOOR_LAMPORTS } from "../floor.js";

/** Slots that a node may be behind the furthest. */
const MOST_LAG = 50n;

/** A node whose slot has not moved for so long has stopped. */
const STALLED_MS = 60_000;

const TIMEOUT_MS = 3_000;

/** How long an answer is given again: probes cost nodes and database nothing by being many. */
const TTL_MS = 2_000;

/** The nodes, one by one. */
export interface Asked {
  readonly all: readonly { readonly name: string; readonly rpc: Rpc }[];
  /** Whether it is known to be of the right cluster. */
  isSound(node: Asked["all"][number]): boolean;
}

export interface EndpointHealth {
  readonly endpoint: string;
  readonly ok: boolean;
  readonly slot?: string;
  readonly lag?: string;
}

export interface FeePayerHealth {
  readonly address: string;
  readonly ok: boolean;
  readonly lamports?: string;
}

export interface Health {
  readonly status: "ready" | "not-ready";
  readonly checks: {
    /** False from the moment on that it goes down. */
    readonly accepting: { readonly ok: boolean };
    readonly database: { readonly ok: boolean };
    /** One node that keeps up is enough. */
    readonly rpc: { readonly ok: boolean; readonly endpoints: readonly EndpointHealth[] };
    /** One that can pay is enough. */
    readonly feePayers: { readonly ok: boolean; readonly keys: readonly FeePayerHealth[] };
  };
}

export class HealthChecks {
  readonly #nodes: Asked;
  readonly #rpc: Rpc;
  readonly #tables: Pick<Tables, "spent">;
  readonly #feePayers: readonly string[];
  readonly #moves: boolean;
  readonly #now: () => number;
  /** By endpoint: its slot, and when it came there. */
  readonly #progress = new Map<string, { readonly slot: bigint; readonly since: number }>();
  #last: { readonly health: Promise<Health["checks"]>; readonly until: number } | undefined;
  #accepting = true;

  constructor(
    config: Pick<Config, "network" | "feePayers">,
    parts: {
      readonly nodes: Asked;
      readonly rpc: Rpc;
      readonly tables: Pick<Tables, "spent">;
      readonly now: () => number;
    },
  ) {
    this.#nodes = parts.nodes;
    this.#rpc = parts.rpc;
    this.#tables = parts.tables;
    this.#now = parts.now;
    this.#feePayers = config.feePayers.map((signer) => signerAddress(signer));
    // On a localnet, slots may move only when they are told to.
    this.#moves = config.network !== "localnet";
  }

  /** It goes down: whoever balances loads is to send nothing more. */
  drain(): void {
    this.#accepting = false;
  }

  async check(): Promise<Health> {
    if (this.#last === undefined || this.#now() >= this.#last.until) {
      this.#last = { health: this.#look(), until: this.#now() + TTL_MS };
    }
    const checks = { ...(await this.#last.health), accepting: { ok: this.#accepting } };
    const ready = Object.values(checks).every(({ ok }) => ok);
    return { status: ready ? "ready" : "not-ready", checks };
  }

  async #look(): Promise<Health["checks"]> {
    const [database, rpc, feePayers] = await Promise.all([this.#database(), this.#endpoints(), this.#balances()]);
    return { accepting: { ok: this.#accepting }, database, rpc, feePayers };
  }

  async #database() {
    const query = () => this.#tables.spent("probe", 60_000, this.#now());
    return { ok: (await within(query)) !== undefined };
  }

  async #endpoints() {
    const slots = await Promise.all(
      this.#nodes.all.map(async (node) => {
        const height = await within(() => node.rpc.height("processed"));
        return { name: node.name, height: this.#nodes.isSound(node) ? height : undefined };
      }),
    );
    const furthest = slots.reduce((most, { height }) => (height && height.slot > most ? height.slot : most), 0n);
    const endpoints = slots.map(({ name, height }): EndpointHealth => {
      if (height === undefined) return { endpoint: name, ok: false };
      const { slot } = height;
      const lag = furthest - slot;
      const ok = lag <= MOST_LAG && !this.#isStalled(name, slot);
      return { endpoint: name, ok, slot: String(slot), lag: String(lag) };
    });
    return { ok: endpoints.some(({ ok }) => ok), endpoints };
  }

  #isStalled(name: string, slot: bigint): boolean {
    const before = this.#progress.get(name);
    if (before === undefined || before.slot !== slot) {
      this.#progress.set(name, { slot, since: this.#now() });
      return false;
    }
    return this.#moves && this.#now() - before.since > STALLED_MS;
  }

  async #balances() {
    const keys = await Promise.all(
      this.#feePayers.map(async (address): Promise<FeePayerHealth> => {
        const lamports = await within(() => this.#rpc.balance(address));
        if (lamports === undefined) return { address, ok: false };
        return { address, ok: lamports >= FLOOR_LAMPORTS, lamports: String(lamports) };
      }),
    );
    return { ok: keys.some(({ ok }) => ok), keys };
  }
}

/** The answer, if one comes in time. */
async function within<T>(ask: () => Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), TIMEOUT_MS);
  });
  try {
    return await Promise.race([ask(), late]);
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}
