// What the metrics say of payments: each counts once, by what became of it, however often and wherever it is asked for.
import { expect } from "chai";
import { Market } from "./market.ts";

describe("facilitator, payments as they are counted", () => {
  let market: Market;
  before(async () => {
    market = await Market.start();
  });
  after(() => market.close());

  /** How many payments are counted, by protocol and state; and how many durations are. */
  async function counts(): Promise<Record<string, number>> {
    const { body } = await market.running.app.inject("/metrics");
    const found: Record<string, number> = {};
    for (const [, name, labels, count] of body.matchAll(
      /^mpp_settlement(s_total|_duration_seconds_count)\{([^}]*)\} (\d+)$/gm,
    )) {
      const { protocol, state } = Object.fromEntries(
        labels!.split(",").map((label) => label.replaceAll('"', "").split("=")),
      ) as Record<string, string>;
      const kind = name === "s_total" ? "" : " timed";
      found[`${protocol} ${state === "finalized" ? "confirmed" : state}${kind}`] = Number(count);
    }
    return found;
  }

  it("is counted once when it is asked for again, by whatever instance, and when it is final", async () => {
    const seller = await market.person(0n);
    const order = await market.order({ recipient: seller.publicKey }, await market.person());
    for (let times = 0; times < 3; times++) expect((await market.settle(order)).status).to.equal(200);
    market.serveBy(market.another());
    const paid = await market.settle(order);
    expect(paid.status).to.equal(200);
    await market.get(`/mpp/payments/${paid.json.id}`);
    await market.engine.tick();
    expect(await counts()).to.deep.equal({ "mpp confirmed": 1, "mpp confirmed timed": 1 });
  });

  it("is counted once when it is refused, however often it is brought", async () => {
    const seller = await market.person(0n);
    const order = await market.order({ recipient: seller.publicKey }, await market.person(1n));
    for (let times = 0; times < 3; times++)
      expect((await market.settle(order)).json.code).to.equal("simulation_failed");
    expect(await counts()).to.include({ "mpp confirmed": 1, "mpp rejected": 1, "mpp rejected timed": 1 });
  });
});
