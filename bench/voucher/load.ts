// What a voucher costs: as many as go, accepted as a server does, or only verified.
import type { Store } from "@mppsol/server/stores";
import { VoucherVerifier } from "../../sdk/server/dist/session/VoucherVerifier.js";
import { cpuOf, ownCpu } from "../support/cpu.js";
import { closedLoop } from "../support/loops.js";
import type { Verifier } from "./verifiers.js";
import type { Prepared } from "./vouchers.js";

/** What some accepted or verified vouchers took. */
export interface Slice {
  readonly count: number;
  readonly errors: number;
  readonly seconds: number;
  /** Microseconds a voucher. */
  readonly ownCpu: number;
  /** Of the database's own processes. */
  readonly databaseCpu: number;
}

/** Accepts a voucher as a server does: its signature, then the durable commit. */
export type Accept = (prepared: Prepared) => Promise<boolean>;

export function acceptance(store: Store, withDelivery: boolean): Accept {
  const verifier = new VoucherVerifier();
  let deliveries = 0;
  return async ({ signed, channel }) => {
    if (signed.signer !== channel.signer || !verifier.verify(signed)) return false;
    const now = Date.now();
    const channelId = channel.id;
    const key = `key ${deliveries++}`;
    const delivery = { scope: channelId, key, digest: "digest", owner: "bench", leaseUntil: now + 30_000 };
    const once = withDelivery ? { delivery } : {};
    return (await store.channels.spend({ channelId, voucher: signed, cost: 1n, now, ...once })).ok;
  };
}

/** Accepts all of them, `concurrency` under way at once, in order. */
export async function saturate(
  all: readonly Prepared[],
  accept: Accept,
  concurrency: number,
  databasePids: readonly number[],
): Promise<Slice> {
  const before = [performance.now(), ownCpu(), cpuOf(databasePids)] as const;
  const { errors } = await closedLoop(all.length, concurrency, (at) => accept(all[at] as Prepared));
  return slice(all.length, errors, before, databasePids);
}

/** Verifies all of them and nothing else. */
export async function verifyAll(all: readonly Prepared[], { verify }: Verifier): Promise<Slice> {
  let errors = 0;
  const before = [performance.now(), ownCpu(), 0] as const;
  for (const prepared of all) {
    const answer = verify(prepared);
    if (!(typeof answer === "boolean" ? answer : await answer)) errors++;
  }
  return slice(all.length, errors, before, []);
}

function slice(
  count: number,
  errors: number,
  [at, own, database]: readonly [at: number, own: number, database: number],
  pids: readonly number[],
): Slice {
  return {
    count,
    errors,
    seconds: (performance.now() - at) / 1_000,
    ownCpu: (ownCpu() - own) / count,
    databaseCpu: (cpuOf(pids) - database) / count,
  };
}
