// The same server on the Foundation's channel program: where PAYMENT_CHANNELS_SO names a build of it.
import { readFileSync } from "node:fs";
import { FOUNDATION_CHANNEL_PROGRAM_ID, session } from "@mppsol/programs";
import { Keypair, PublicKey } from "@solana/web3.js";
import { expect } from "chai";
import { ANSWER, DEPOSIT, keyed, Market, PRICE, Purse, Stall, shares, USDC } from "./market.ts";

/** Who a build for no cluster in particular names. */
const TREASURY = new PublicKey(Uint8Array.from({ length: 32 }, (_, i) => (i % 2 === 0 ? 0xbe : 0xef)));

describe("on the Foundation's program a session", () => {
  const programId = FOUNDATION_CHANNEL_PROGRAM_ID;
  const options = { channelProgram: programId.toBase58(), treasury: TREASURY.toBase58() };
  let market: Market | undefined;
  before(async function () {
    const { PAYMENT_CHANNELS_SO } = process.env;
    if (!PAYMENT_CHANNELS_SO) return this.skip();
    market = await Market.start();
    market.net.addProgram(programId.toBase58(), readFileSync(PAYMENT_CHANNELS_SO));
    market.watch(TREASURY, USDC);
  });
  afterEach(() => market?.checkBooks());
  after(() => market?.stop());

  async function revoke(purse: Purse): Promise<void> {
    const channel = new PublicKey(purse.channelId);
    const instructions = await session.revoke({ channel, payer: purse.payer.publicKey, programId });
    await market!.run(instructions, [purse.payer]);
  }

  it("lives its whole life: opened, paid, topped up, cashed, closed with shares, rent returned", async () => {
    const partner = market!.person();
    market!.watch(partner.publicKey, USDC);
    const stall = new Stall(market!, { ...options, distributionSplits: shares([partner.publicKey, 2_500]) });
    const purse = await Purse.open(stall);
    await purse.buy(PRICE);
    await stall.errand(await purse.toppingUp(500n));
    await purse.buy(1_400n);
    await stall.watchtower({ threshold: 100n }).tick();
    expect((await purse.onChain())?.settled).equal(1_400n);
    await purse.buy(1_500n);
    const { receipt } = await stall.errand(await purse.closing(1_500n));
    expect(receipt).include({ spent: "1500", refunded: "0" });
    expect(await market!.tokens(partner.publicKey)).equal(375n);
    market!.net.warpSlots(1_600);
    await stall.watchtower().tick();
    expect(await purse.onChain()).equal(undefined);
  });

  it("whose payer leaves is cashed within the grace period, and what is later is lost", async () => {
    const stall = new Stall(market!, { ...options, operator: Keypair.generate() });
    const purses = [await Purse.open(stall), await Purse.open(stall)];
    for (const purse of purses) {
      await (await stall.sell(purse.using(), keyed())).finish(ANSWER);
      await revoke(purse);
      await stall.watchtower().tick();
      market!.net.advanceSeconds(901);
    }
    expect(await purses[0]!.known()).include({ status: "closed", settledOnChain: PRICE, refunded: DEPOSIT - PRICE });
    const late = await Purse.open(stall);
    await (await stall.sell(late.using(), keyed())).finish(ANSWER);
    await revoke(late);
    market!.net.advanceSeconds(901);
    await stall.watchtower().tick();
    expect(await late.known()).include({ status: "closed", settledOnChain: 0n, refunded: DEPOSIT });
  });
});
