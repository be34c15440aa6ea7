// The service is killed while it settles, again and again. `npm run chaos` does it a thousand times.
import { expect } from "chai";
import { postgres } from "../../support/postgres.ts";
import { chaos } from "./chaos.ts";

const ROUNDS = Number(process.env.MPPSOL_CHAOS_ROUNDS ?? 12);

describe("a facilitator whose processes are killed and whose nodes fail", () => {
  it("settles every payment at most once, and tells every client the truth", async function () {
    await postgres(this);
    this.timeout(60_000 + ROUNDS * 15_000);
    const { lies, orders, states, seed } = await chaos({ rounds: ROUNDS });
    expect(lies, `seed ${seed}`).deep.equal([]);
    expect(orders, "orders that were paid").greaterThan(0);
    expect(states.confirmed ?? 0, "kept as arrived").equal(orders - (states.finalized ?? 0));
  });
});
