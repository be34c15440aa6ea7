// Who pays for what the service itself sends: any fee payer that can, whatever has become of the others.
import { Keypair, SystemProgram } from "@solana/web3.js";
import { expect } from "chai";
import type { Config } from "../../../services/facilitator/src/config.ts";
import { GRACE, type Office, Plaza, RENT, type Wallet } from "./plaza.ts";

describe("managed sessions whose first fee payer is empty", () => {
  let plaza: Plaza;
  let seller: Keypair;
  let first: Keypair;
  let second: Keypair;
  beforeEach(async () => {
    plaza = await Plaza.start();
    seller = plaza.seller();
    [first, second] = plaza.feePayers as [Keypair, Keypair];
  });
  afterEach(async () => {
    await plaza.market.checkBooks();
    await plaza.stop();
  });

  async function empty(key: Keypair): Promise<void> {
    const lamports = await plaza.market.lamports(key.publicKey);
    if (lamports === 0n) return;
    const all = { fromPubkey: key.publicKey, toPubkey: Keypair.generate().publicKey, lamports };
    await plaza.market.run([SystemProgram.transfer(all)], [key]);
  }

  /** The settlement key has no SOL either: it only signs. */
  async function withoutFirst(): Promise<Office> {
    await plaza.office();
    await empty(first);
    await empty(plaza.settlement);
    return plaza.office();
  }

  const forgotten = (wallet: Wallet, office: Office) => wallet.revoke().then(() => office.sessions.tick());

  it("are closed with another one, so that sellers get what is theirs", async () => {
    const office = await withoutFirst();
    const wallet = await office.open({ seller });
    await wallet.pay(1_500n);
    await forgotten(wallet, office);
    plaza.pass(GRACE / 9);
    await office.sessions.tick();
    expect(await plaza.tokens(seller)).to.equal(1_500n);
    expect((await office.view(wallet)).status).to.equal("closed");
  });

  it("give the rent of a channel back to the key that fronted it, whichever pays for that", async () => {
    const office = await plaza.office();
    let wallet = await office.open({ seller });
    while (wallet.challenge.request.feePayerKey !== first.publicKey.toBase58()) wallet = await office.open({ seller });
    await wallet.pay(1_500n);
    await empty(first);
    await empty(plaza.settlement);
    const after = await plaza.office();
    await forgotten(wallet, after);
    expect(await plaza.tokens(seller)).to.equal(1_500n);
    plaza.passWindow();
    await after.sessions.tick();
    expect(await wallet.onChain()).to.equal(undefined);
    // What came back with the payout has paid for the rest.
    expect(await plaza.market.lamports(first.publicKey)).to.equal(RENT - 5_000n);
  });

  it("start, and make the accounts that they must have", async () => {
    await empty(first);
    await empty(plaza.settlement);
    const before = await plaza.market.lamports(second.publicKey);
    await plaza.office();
    expect(before - (await plaza.market.lamports(second.publicKey))).to.equal(2_039_280n + 5_000n);
  });

  it("say whose lamports are gone", async () => {
    const office = await withoutFirst();
    const wallet = await office.open({ seller });
    await wallet.pay(1_500n);
    await forgotten(wallet, office);
    const told = plaza.errors.filter(({ during }) => during === "paying fees").map(({ error }) => String(error));
    expect(told).to.include(`Error: ${first.publicKey.toBase58()} has 0 lamports left: another key has paid`);
  });

  it("and a key that does not sign any more leaves them to another one, too", async () => {
    const office = await plaza.office();
    const wallet = await office.open({ seller });
    await wallet.pay(1_500n);
    await empty(plaza.settlement);
    const revoked = { publicKey: first.publicKey, signTransaction: () => Promise.reject(new Error("access denied")) };
    const feePayers = [revoked, second] as unknown as Config["feePayers"];
    const after = await plaza.office({ config: { feePayers } });
    await forgotten(wallet, after);
    expect(await plaza.tokens(seller)).to.equal(1_500n);
  });

  it("are closed out of the reserve of the last key that has one, which opens nothing any more", async () => {
    const office = await withoutFirst();
    const wallet = await office.open({ seller });
    await wallet.pay(1_500n);
    const spare = (await plaza.market.lamports(second.publicKey)) - 1_000_000n;
    const spent = { fromPubkey: second.publicKey, toPubkey: plaza.market.person().publicKey, lamports: spare };
    await plaza.market.run([SystemProgram.transfer(spent)], [second]);
    plaza.pass(3);
    const refused = await office.terms(seller).catch((error: unknown) => error);
    expect(refused).to.include({ code: "sponsor-exhausted" });
    await forgotten(wallet, office);
    expect(await plaza.tokens(seller)).to.equal(1_500n);
  });
});
