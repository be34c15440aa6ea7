// Two transactions that open one channel at once, in two processes: one of them loses, and leaves nothing set aside.
import { expect } from "chai";
import type { Fault } from "../chain/faults.ts";
import { Market, Purse, Stall } from "./market.ts";

const RESERVE = 5_000_000n;

describe("an open that loses a race with another for its channel", () => {
  let market: Market;
  before(async () => {
    market = await Market.start();
  });
  afterEach(async () => {
    market.rpc.heal();
    await market.checkBooks();
  });
  after(() => market.stop());

  /** Answers only when two have asked. */
  function both(): Fault {
    let asked = 0;
    let go = () => {};
    const all = new Promise<void>((resolve) => {
      go = resolve;
    });
    return async (ask) => {
      const answer = await ask();
      if (++asked >= 2) go();
      await all;
      return answer;
    };
  }

  it("gives back what was set aside for it: the next open is sponsored at once", async () => {
    const rents = await Promise.all([256, 165].map((bytes) => market.rpc.rentExemption(bytes)));
    // Two signatures, the sponsored priority fee, and the rent.
    const openCost = 2n * 5_000n + 2_000n + rents[0]! + rents[1]!;
    const feePayer = market.person({ lamports: 2n * openCost + RESERVE });
    const stall = new Stall(market, { payee: market.person({ usdc: 0n }), feePayer });
    const customer = () => market.person({ lamports: 0n, usdc: 5_000n });
    const payer = customer();
    const purse = await Purse.prepare(stall, payer, { salt: 7n });
    const twin = await Purse.prepare(stall, payer, { salt: 7n, deposit: 900n }, purse.opening);
    market.rpc.fault("balance", both());
    const stalls = [stall, stall.restart()] as const;
    const answers = await Promise.all([
      stalls[0].refusal(purse.openCredential),
      stalls[1].refusal(twin.openCredential),
    ]);
    const loser = stalls[answers.indexOf("open-used")]!;
    expect(answers.sort()).deep.equal(["answer", "open-used"]);
    market.rpc.heal();
    // For one more there is enough, for two there is not.
    const left = await market.lamports(feePayer.publicKey);
    expect([left >= openCost + RESERVE, left < 2n * openCost + RESERVE]).deep.equal([true, true]);
    await Purse.open(loser, customer());
  });
});
