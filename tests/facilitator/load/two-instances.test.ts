// Two instances on one database, under load, with one killed: as processes, on a real Postgres.
import { expect } from "chai";
import { postgres } from "../../support/postgres.ts";
import { type Outcome, twoInstances } from "./twoInstances.ts";

describe("two instances of the facilitator under load, one of them killed", () => {
  let outcome: Outcome;
  before(async function () {
    const cluster = await postgres(this);
    this.timeout(120_000);
    outcome = await twoInstances({
      databaseUrl: await cluster.database(),
      seconds: 4,
      slotMs: 50,
      buyers: 8,
      writers: 64,
      channels: 8,
      timing: { settleBudgetMs: 1_500, pollMs: 25, intervalMs: 200 },
    });
  });

  it("lose nothing, double nothing, and their books agree with the chain", () => {
    expect(outcome.lies).to.deep.equal([]);
  });

  it("serve payments and vouchers before and after", () => {
    for (const { instances, payments, vouchers } of outcome.phases) {
      expect(payments, `payments with ${instances}`).to.be.above(0);
      expect(vouchers, `vouchers with ${instances}`).to.be.above(0);
    }
  });

  it("were killed at work: requests went unanswered, and were answered by the other one", () => {
    expect(outcome.cutOff).to.be.above(0);
  });
});
