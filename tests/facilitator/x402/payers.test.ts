// Which fee payer `/supported` names, of several.
import { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import { FLOOR_LAMPORTS } from "../../../services/facilitator/src/floor.ts";
import { Market } from "../charge/market.ts";

describe("x402's /supported, of several fee payers", () => {
  let market: Market;
  before(async () => {
    market = await Market.start();
  });
  after(() => market.close());

  /** The keys hold so many lamports. Base58. */
  function serve(...lamports: readonly bigint[]): string[] {
    const keys = lamports.map(() => Keypair.generate());
    for (const [at, { publicKey }] of keys.entries()) market.running.net.airdrop(publicKey.toBase58(), lamports[at]!);
    const feePayers = keys as unknown as Market["context"]["config"]["feePayers"];
    market.serveBy(market.another({ config: { ...market.context.config, feePayers } }));
    return keys.map(({ publicKey }) => publicKey.toBase58());
  }

  async function named(): Promise<string> {
    const { status, json } = await market.get("/supported");
    expect(status).to.equal(200);
    const [one, other] = json.kinds;
    expect(one.extra.feePayer).to.equal(other.extra.feePayer);
    return one.extra.feePayer;
  }

  it("names them in turn", async () => {
    const [first, second] = serve(FLOOR_LAMPORTS, FLOOR_LAMPORTS);
    expect([await named(), await named(), await named()]).to.deep.equal([first, second, first]);
  });

  it("passes over what has too little, and says still that it settles by it", async () => {
    const [poor, rich] = serve(FLOOR_LAMPORTS - 1n, FLOOR_LAMPORTS);
    for (const _ of [1, 2, 3]) expect(await named()).to.equal(rich);
    const { json } = await market.get("/supported");
    expect(json.signers["solana:*"]).to.have.members([poor, rich]);
  });

  it("is answered when none has enough: what is settled here stays the same", async () => {
    const [only] = serve(FLOOR_LAMPORTS - 1n);
    expect(await named()).to.equal(only);
  });
});
