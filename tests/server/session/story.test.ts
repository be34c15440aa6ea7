// Random stories: several payers, two processes of one seller, a watchtower, nodes that fail, processes that restart. After
// every sentence the books are right; in the end everybody has what is theirs.

import { RefusedError } from "@mppsol/core";
import { session, TREASURY } from "@mppsol/programs";
import { Keypair, PublicKey } from "@solana/web3.js";
import { expect } from "chai";
import fc from "fast-check";
import { memoryStore } from "../../../sdk/server/src/stores/index.ts";
import { down, lost, swallow } from "../chain/faults.ts";
import { ANSWER, keyed, Market, PRICE, Purse, request, Stall, shares } from "./market.ts";

const START = 10_000n;
const PAYERS = 3;

type Act =
  | { readonly do: "open" | "close" | "revoke" | "repeat"; readonly who: number; readonly at: number }
  | {
      readonly do: "pay" | "raise" | "topUp" | "cash";
      readonly who: number;
      readonly at: number;
      readonly amount: bigint;
    }
  | { readonly do: "fail"; readonly who: number; readonly at: number }
  | { readonly do: "wait"; readonly seconds: number }
  | { readonly do: "warp"; readonly slots: number }
  | { readonly do: "watch" | "restart"; readonly at: number }
  | {
      readonly do: "fault";
      readonly method: "send" | "status" | "account" | "accounts" | "simulate";
      readonly how: number;
    };

const who = fc.integer({ min: 0, max: PAYERS - 1 });
const at = fc.integer({ min: 0, max: 1 });
const amount = fc.bigInt({ min: 1n, max: 400n });
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("open" as const), who, at }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant("pay" as const), who, at, amount }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom("raise" as const, "topUp" as const, "cash" as const), who, at, amount }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("fail" as const, "repeat" as const), who, at }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("close" as const, "revoke" as const), who, at }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("wait" as const), seconds: fc.constantFrom(1, 31, 120, 301, 700) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("warp" as const), slots: fc.constantFrom(10, 200, 1_600) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("watch" as const, "restart" as const), at }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("fault" as const),
      method: fc.constantFrom(
        "send" as const,
        "status" as const,
        "account" as const,
        "accounts" as const,
        "simulate" as const,
      ),
      how: fc.integer({ min: 0, max: 2 }),
    }),
  },
);

describe("every story", () => {
  let market: Market;
  before(async () => {
    market = await Market.start();
  });
  after(() => market.stop());

  for (const mode of ["client", "operator"] as const) {
    it(`of ${mode}-signed channels ends with everybody having what is theirs`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(act, { minLength: 20, maxLength: 45 }), (acts) => new Story(market, mode).tell(acts)),
        { numRuns: Number(process.env.STORY_RUNS ?? 3), endOnFailure: true },
      );
    }).timeout(Number(process.env.STORY_RUNS ?? 3) * 60_000);
  }
});

class Story {
  readonly #market: Market;
  readonly #stalls: Stall[];
  readonly #payers: Keypair[];
  readonly #purses = new Map<number, Purse>();
  readonly #all: Purse[] = [];
  readonly #partner: Keypair;
  /** Base units of what was served, by channel. */
  readonly #served = new Map<string, bigint>();
  /** Keys of what was served: each at most once. */
  readonly #keys = new Map<number, string>();
  #next = 0;

  constructor(market: Market, mode: "client" | "operator") {
    this.#market = market;
    this.#partner = market.person({ usdc: 0n });
    const stall = new Stall(market, {
      store: memoryStore(),
      landing: { budgetMs: 30, pollMs: 2 },
      distributionSplits: shares([this.#partner.publicKey, 1_250]),
      ...(mode === "operator" ? { operator: Keypair.generate() } : {}),
    });
    this.#stalls = [stall, stall.restart()];
    this.#payers = Array.from({ length: PAYERS }, () => market.person({ lamports: 10_000_000n, usdc: START }));
  }

  async tell(acts: readonly Act[]): Promise<void> {
    const treasury = await this.#market.tokens(TREASURY);
    for (const one of acts) {
      await this.#play(one).catch(this.#mayRefuse);
      await this.#check();
    }
    await this.#end(treasury);
  }

  /** Refusals are part of the story; anything else is not. */
  readonly #mayRefuse = (error: unknown): void => {
    if (!(error instanceof RefusedError)) throw error;
  };

  async #play(one: Act): Promise<void> {
    const market = this.#market;
    switch (one.do) {
      case "wait":
        market.net.advanceSeconds(one.seconds);
        return;
      case "warp":
        market.net.warpSlots(one.slots);
        return;
      case "fault": {
        const fault = [down(), lost(), swallow][one.how]!;
        // A node that says "done" to everything would be no node.
        if (one.how === 2 && one.method !== "send") market.rpc.heal();
        else market.rpc.fault(one.method, fault);
        return;
      }
      case "restart":
        this.#stalls[one.at] = this.#stalls[one.at]!.restart();
        market.rpc.heal();
        return;
      case "watch":
        await this.#stalls[one.at]!.watchtower({ threshold: 500n, sweepMs: 0 }).tick();
        return;
    }
    const stall = this.#stalls[one.at]!;
    const purse = this.#purses.get(one.who)?.at(stall);
    if (one.do === "open") return this.#open(stall, one.who);
    if (purse === undefined) return;
    const { accepted } = await purse.known();
    const asOperator = purse.proof !== undefined;
    switch (one.do) {
      case "pay":
      case "fail": {
        const key = `key ${this.#next++}`;
        const more = one.do === "pay" ? one.amount : PRICE;
        const credential = asOperator ? purse.using() : await purse.paying(accepted + more);
        const redemption = await stall.present(credential, keyed(key));
        if (redemption.kind !== "grant") throw new Error(`a new request: ${redemption.kind}`);
        if (one.do === "fail") return redemption.fail();
        this.#serve(purse);
        await redemption.finish(ANSWER);
        this.#keys.set(one.who, key);
        return;
      }
      case "repeat": {
        const key = this.#keys.get(one.who);
        if (key === undefined) return;
        const credential = asOperator ? purse.using() : await purse.paying(accepted);
        const redemption = await stall.present(credential, keyed(key)).catch(this.#mayRefuse);
        expect(redemption?.kind ?? "replay", "what was served is not served again").equal("replay");
        return;
      }
      case "raise":
        if (!asOperator) await stall.present(await purse.paying(accepted + one.amount), request({ method: "HEAD" }));
        return;
      case "topUp":
        await stall.present(await purse.toppingUp(one.amount));
        return;
      case "cash": {
        const { highestVoucher } = await purse.known();
        if (highestVoucher !== undefined)
          await market.run(await session.debit({ voucher: highestVoucher })).catch(() => {});
        return;
      }
      case "revoke":
        await purse.revoke().catch(() => {});
        return;
      case "close":
        await stall.present(await purse.closing(accepted));
        return;
    }
  }

  async #open(stall: Stall, index: number): Promise<void> {
    const before = this.#purses.get(index);
    if (before !== undefined && (await before.onChain())?.status === "open") return;
    const purse = await Purse.prepare(stall, this.#payers[index]!);
    this.#all.push(purse);
    this.#keys.delete(index);
    const redemption = await stall.present(purse.openCredential);
    if (redemption.kind === "answer") this.#purses.set(index, purse);
  }

  #serve({ channelId }: Purse): void {
    this.#served.set(channelId, (this.#served.get(channelId) ?? 0n) + PRICE);
  }

  async #check(): Promise<void> {
    await this.#market.checkBooks();
    for (const { channelId } of this.#all) {
      const known = await this.#stalls[0]!.store.channels.get(channelId);
      if (known === undefined) continue;
      const { spent, accepted, escrowed, reserved, settledOnChain } = known;
      const onChain = await this.#market.onChain(channelId);
      expect(spent <= accepted && accepted <= escrowed && reserved === 0n, "spent ≤ accepted ≤ escrowed").equal(true);
      expect(spent, "spent is what was served").equal(this.#served.get(channelId) ?? 0n);
      if (onChain === undefined) continue;
      expect(escrowed <= onChain.deposit, "no deposit is counted that is not on chain").equal(true);
      expect(settledOnChain <= onChain.settled, "nothing is thought settled that is not").equal(true);
    }
  }

  /** Everything heals, time passes, the watchtower does its work. */
  async #end(treasury: bigint): Promise<void> {
    const market = this.#market;
    market.rpc.heal();
    const stall = this.#stalls[0]!.restart();
    for (let round = 0; round < 4; round++) {
      market.net.advanceSeconds(1_000);
      market.net.warpSlots(1_600);
      await stall.watchtower({ sweepMs: 0 }).tick();
    }
    await market.checkBooks();
    let settled = 0n;
    for (const purse of this.#all) {
      const known = await stall.store.channels.get(purse.channelId);
      if (known === undefined) continue;
      expect(
        known.status,
        JSON.stringify(stall.ofType("error"), (_, value: unknown) =>
          typeof value === "bigint" ? String(value) : value,
        ),
      ).equal("closed");
      expect(await purse.onChain(), "its rent is back").equal(undefined);
      expect(await market.tokens(new PublicKey(purse.channelId)), "its escrow is empty").equal(0n);
      settled += known.settledOnChain;
    }
    const paid = (await market.tokens(stall.payee.publicKey)) + (await market.tokens(this.#partner.publicKey));
    const dust = (await market.tokens(TREASURY)) - treasury;
    expect(paid + dust, "the seller has what was settled").equal(settled);
    const held = await Promise.all(this.#payers.map((payer) => market.tokens(payer.publicKey)));
    expect(
      held.reduce((sum, one) => sum + one, 0n),
      "the payers have the rest",
    ).equal(BigInt(PAYERS) * START - settled);
  }
}
