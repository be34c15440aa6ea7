// A server process of the race tests: spends on channels that others spend on too, and tells what came of it.
import { postgresStore, type SpendResult } from "@mppsol/server/stores";
import { NOW, newDelivery, voucher } from "./values.js";

export interface Task {
  readonly connectionString: string;
  readonly name: string;
  readonly channels: readonly string[];
  /** Vouchers of 1, 2, 3 …, each for all of its rise over the one before; or only debits of what is there. */
  readonly kind: "vouchers" | "debits";
  readonly count: number;
  /** How many are under way at once. */
  readonly concurrency: number;
}

/** How often each outcome came, and the amounts of the vouchers that were taken. */
export interface Report {
  readonly outcomes: Readonly<Record<string, number>>;
  readonly taken: readonly string[];
}

export async function run({ connectionString, name, channels, kind, count, concurrency }: Task): Promise<Report> {
  const store = postgresStore({ connectionString });
  const outcomes: Record<string, number> = {};
  const taken: string[] = [];
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < count; i = next++) {
      const channelId = channels[i % channels.length] as string;
      const delivery = newDelivery(channelId, `${name} ${i}`);
      const amount = BigInt(Math.floor(i / channels.length) + 1);
      const signed = kind === "vouchers" ? { voucher: voucher(channelId, amount), cost: 0n } : { cost: 1n };
      const result: SpendResult = await store.channels.spend({ channelId, ...signed, delivery, now: NOW });
      const outcome = result.ok ? "ok" : result.refusal;
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      if (result.ok && kind === "vouchers") taken.push(`${channelId} ${amount}`);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  await store.close();
  return { outcomes, taken };
}

if (process.send !== undefined && process.argv[2] === "spender") {
  process.once("message", async (task) => {
    process.send?.(await run(task as Task));
    process.disconnect();
  });
}
