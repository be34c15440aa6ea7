// Sessions under any order of what buyers, sellers, time and processes can do: in the end the seller has exactly the highest
// amount that the facilitator has answered for, the buyer has the rest, and the sponsor has its rent.
import type { SignedVoucher } from "@mppsol/core";
import { expect } from "chai";
import fc from "fast-check";
import { MAX_SECONDS, type Office, Plaza, refusal, type Wallet } from "./plaza.ts";

type Step =
  | { readonly what: "pay"; readonly amount: number }
  | { readonly what: "topUp" | "revoke" | "debit" | "tick" | "restart" | "close" }
  | { readonly what: "pass"; readonly seconds: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ what: fc.constant("pay" as const), amount: fc.integer({ min: 1, max: 4_000 }) }),
  },
  { weight: 4, arbitrary: fc.record({ what: fc.constantFrom("topUp", "debit", "tick", "tick", "restart") }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constantFrom("revoke", "close") }) },
  {
    weight: 2,
    arbitrary: fc.record({ what: fc.constant("pass" as const), seconds: fc.integer({ min: 1, max: 350 }) }),
  },
);

describe("managed sessions under any order of events", function () {
  this.timeout(300_000);
  let plaza: Plaza;
  let office: Office;
  before(async () => {
    plaza = await Plaza.start();
    office = await plaza.office();
  });
  after(() => plaza.stop());

  /** Runs the steps; the highest voucher that was answered for. */
  async function live(wallet: Wallet, steps: readonly Step[]): Promise<SignedVoucher.SignedVoucher | undefined> {
    let highest: SignedVoucher.SignedVoucher | undefined;
    let at = wallet;
    for (const next of steps) {
      switch (next.what) {
        case "pay": {
          const paying = at.pay(BigInt(next.amount));
          // Refused for whatever reason: then it counts for nothing.
          if ((await refusal(paying)) === "nothing") highest = await paying;
          break;
        }
        case "topUp":
          await refusal(at.topUp(1_000n));
          break;
        case "revoke":
          await at.revoke().catch(() => {});
          break;
        case "debit":
          if (highest !== undefined) await at.debit(highest).catch(() => {});
          break;
        case "tick":
          await at.office.sessions.tick();
          break;
        case "restart":
          at = at.at(await plaza.office());
          break;
        case "close":
          await refusal(at.close());
          break;
        case "pass":
          plaza.pass(next.seconds);
          // Somewhere a process is alive: nobody is away for as long as a grace period.
          await office.sessions.tick();
          break;
      }
      await plaza.market.checkBooks();
    }
    return highest;
  }

  for (const mode of ["client", "operator"] as const) {
    it(`end with everybody's money where it belongs (vouchers of the ${mode})`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 14 }), async (steps) => {
          const seller = plaza.seller();
          const wallet = await office.open({ seller, mode });
          const highest = await live(wallet, steps);
          await office.sessions.tick();
          plaza.pass(MAX_SECONDS);
          for (let i = 0; i < 2; i++) await office.sessions.tick();
          plaza.passWindow();
          plaza.pass(60);
          await office.sessions.tick();
          const earned = highest?.voucher.cumulativeAmount ?? 0n;
          expect(await plaza.tokens(seller), "the seller's").equal(earned);
          expect(await plaza.tokens(wallet.buyer), "the buyer's").equal(10_000n - earned);
          expect(await wallet.onChain(), "the rent is back").equal(undefined);
          await plaza.market.checkBooks();
        }),
        { numRuns: 12 },
      );
    });
  }
});
