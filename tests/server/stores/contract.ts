// What every store promises. Run against each kind.
import type { Store } from "@mppsol/server/stores";
import { expect } from "chai";
import { channelContract } from "./contract/channels.js";
import { chargeContract } from "./contract/charges.js";
import { closingContract } from "./contract/closing.js";
import { deliveryContract } from "./contract/deliveries.js";
import { reservationContract } from "./contract/reservations.js";
import { spendContract } from "./contract/spends.js";
import { watchContract } from "./contract/watches.js";
import { property } from "./property.js";
import { NOW, open as openChannel, rejection, voucher } from "./values.js";

/**
 * @param open makes a store that the suite may fill; called once.
 * @param runs of the property test.
 */
export function contract(name: string, open: (context: Mocha.Context) => Promise<Store>, runs: number): void {
  describe(`${name}: the contract of stores`, () => {
    let store: Store | undefined;
    const opened = () => {
      if (store === undefined) throw new Error("the store is not open");
      return store;
    };

    before(async function () {
      store = await open(this);
      await store.migrate();
    });
    // Last of all: what is under way is done, what comes later is refused, and it can be said twice.
    after(async () => {
      const channelId = await openChannel(opened());
      const under = Array.from({ length: 20 }, (_, i) =>
        opened().channels.spend({ channelId, voucher: voucher(channelId, BigInt(i + 1)), cost: 1n, now: NOW }),
      );
      const watch = opened().channels.watch(channelId, 1_000n, 30_000);
      const top = opened().channels.topup(channelId, 5_000n, NOW);
      await Promise.all([opened().close(), opened().close()]);
      for (const { ok } of await Promise.all(under)) expect(ok).to.equal(true);
      expect((await top)?.escrowed).to.equal(5_000n);
      await watch;
      expect((await rejection(opened().channels.get(channelId))).code).to.equal("store-closed");
      expect((await rejection(opened().deliveries.get("scope", "key"))).code).to.equal("store-closed");
      expect((await rejection(opened().charges.get("key"))).code).to.equal("store-closed");
      expect((await rejection(opened().migrate())).code).to.equal("store-closed");
    });

    channelContract(opened);
    spendContract(opened);
    reservationContract(opened);
    closingContract(opened);
    watchContract(opened);
    deliveryContract(opened);
    chargeContract(opened);
    property(opened, runs);
  });
}
