// What every store promises. Run against each kind.
import type { Store } from "@mppsol/server/stores";
import { channelContract } from "./contract/channels.js";
import { chargeContract } from "./contract/charges.js";
import { closingContract } from "./contract/closing.js";
import { deliveryContract } from "./contract/deliveries.js";
import { reservationContract } from "./contract/reservations.js";
import { spendContract } from "./contract/spends.js";
import { watchContract } from "./contract/watches.js";
import { property } from "./property.js";

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
    after(() => store?.close());

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
