// Spends as fast as it can until it is killed, and says what was acknowledged: node load.ts pglite|postgres WHERE ROUND
import { writeSync } from "node:fs";
import { pgliteStore, postgresStore } from "@mppsol/server/stores";
import { NOW, newChannel, newDelivery, voucher } from "../values.js";

const [kind, where, round] = process.argv.slice(2) as [string, string, string];
const store = kind === "pglite" ? pgliteStore({ dataDir: where }) : postgresStore({ connectionString: where });
await store.migrate();

async function spendOn(channelId: string): Promise<never> {
  const { channel } = await store.channels.create(newChannel({ channelId, escrowed: 2n ** 60n }), NOW);
  for (let amount = channel.accepted + 1n; ; amount++) {
    const key = `${round} ${amount}`;
    const signed = voucher(channelId, amount);
    const delivery = newDelivery(channelId, key);
    const result = await store.channels.spend({ channelId, voucher: signed, cost: 1n, delivery, now: NOW });
    if (!result.ok) throw new Error(`refused: ${result.refusal}`);
    writeSync(1, `${channelId} ${amount} ${key}\n`);
  }
}

await Promise.all(Array.from({ length: 10 }, (_, i) => spendOn(`channel ${i}`)));
