// What charges leave of a fee payer: the reserve, from which sessions are closed, whoever names the key.
import type { ChargeRequest } from "@mppsol/core";
import { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import { FLOOR_LAMPORTS, RESERVE_LAMPORTS } from "../../../services/facilitator/src/floor.ts";
import { type Answer, FEE, Market, orderOf } from "./market.ts";

/** Lamports of the new account of a split's recipient. */
const ACCOUNT_RENT = 2_039_280n;

describe("the reserve of a facilitator's fee payer", () => {
  let market: Market;
  let seller: Keypair;
  let small: Keypair;
  let rich: Keypair;
  before(async () => {
    market = await Market.start();
    seller = await market.person(0n);
  });
  after(() => market.close());
  beforeEach(() => {
    [small, rich] = [Keypair.generate(), Keypair.generate()];
  });

  function serve(lamports: bigint, ...others: readonly Keypair[]): void {
    const { net } = market.running;
    net.airdrop(small.publicKey.toBase58(), lamports);
    for (const key of others) net.airdrop(key.publicKey.toBase58(), 10_000_000_000n);
    const { config } = market.context;
    market.serveBy(market.another({ config: { ...config, feePayers: [small, ...others] } }));
  }

  /** A payment in whose request the buyer's side has named the key. */
  async function pay(more: Partial<ChargeRequest.ChargeRequest> = {}): Promise<Answer> {
    const honest = await market.request({ recipient: seller.publicKey });
    const request = { ...honest, feePayerKey: small.publicKey.toBase58(), ...more };
    return market.settle(orderOf(request, await market.signed(request, await market.person())));
  }

  const codeOf = ({ status, json }: Answer) => (status === 200 ? "paid" : `${status} ${json.code}`);
  const left = () => market.lamports(small.publicKey);

  it("is not spent on charges, which wait then", async () => {
    serve(RESERVE_LAMPORTS + 2n * FEE + FEE - 1n, rich);
    const codes = [await pay(), await pay(), await pay(), await pay()].map(codeOf);
    expect(codes).to.deep.equal(["paid", "paid", "503 sponsor_exhausted", "503 sponsor_exhausted"]);
    expect(await left()).to.equal(RESERVE_LAMPORTS + FEE - 1n);
  });

  it("is not spent on charges that come at once: what they cost adds up", async () => {
    serve(RESERVE_LAMPORTS + 2n * FEE, rich);
    const answers = (await Promise.all([1, 2, 3, 4, 5].map(() => pay()))).map(codeOf).sort();
    expect(answers.filter((code) => code === "paid")).length.within(1, 2);
    expect(await left()).satisfy((lamports: bigint) => lamports >= RESERVE_LAMPORTS);
  });

  it("is not spent on accounts of recipients; a key that has enough for them is offered", async () => {
    serve(FLOOR_LAMPORTS, rich);
    const owner = Keypair.generate().publicKey;
    const splits = [{ recipient: owner.toBase58(), amount: 1_000n, ataCreationRequired: true }];
    for (const _ of [1, 2]) {
      const { feePayerKey } = await market.request({ recipient: seller.publicKey, splits });
      expect(feePayerKey).to.equal(rich.publicKey.toBase58());
    }
    expect(codeOf(await pay({ splits }))).to.equal("503 sponsor_exhausted");
    expect(await left()).to.equal(FLOOR_LAMPORTS);
    expect(FLOOR_LAMPORTS).satisfy((floor: bigint) => floor < RESERVE_LAMPORTS + ACCOUNT_RENT);
  });

  it("apart, a key that is not offered settles what names it", async () => {
    serve(RESERVE_LAMPORTS + FEE, rich);
    for (const _ of [1, 2]) {
      const { feePayerKey } = await market.request({ recipient: seller.publicKey });
      expect(feePayerKey).to.equal(rich.publicKey.toBase58());
    }
    expect(codeOf(await pay())).to.equal("paid");
    expect(await left()).to.equal(RESERVE_LAMPORTS);
  });
});
