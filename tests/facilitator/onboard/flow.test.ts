// Onboarding from end to end, on an embedded chain with the real channel program: new wallets, known wallets, wallets that
// change their mind.
import { session, tokenAddress } from "@mppsol/programs";
import { createTransferInstruction, getAccount, TOKEN_PROGRAM_ID } from "@solana/spl-token";
import { Keypair, PublicKey } from "@solana/web3.js";
import { expect } from "chai";
import { ACCOUNT_RENT, Agent, Books, DEPOSIT, MINT, type Office, okay, refused, run, startOffice } from "./support.ts";

describe("onboarding", () => {
  let office: Office;
  let books: Books;
  let seller: Keypair;

  before(async () => {
    office = await startOffice();
    books = new Books(office);
    seller = books.person(0n);
    books.watch(office.keys.settlement.publicKey);
  });

  after(async () => {
    await books.check();
    expect(office.errors).to.deep.equal([]);
    await office.close();
  });

  const sellerKey = () => seller.publicKey.toBase58();

  it("takes a wallet that has nothing through three rounds to a role that the operator signs for", async () => {
    const agent = new Agent(office, books.person());
    const sponsors = office.keys.feePayers;
    const before = await books.lamports(...sponsors);

    const account = okay(await agent.start(sellerKey())).body;
    expect(account).to.include({ status: "account", wallet: agent.address, seller: sellerKey(), network: "localnet" });
    expect(await books.hasAccount(agent.wallet.publicKey)).to.equal(false);

    const funding = okay(await agent.confirm(account)).body;
    expect(funding).to.include({ status: "funding", required: "50000", held: "0", missing: "50000" });
    expect(before - (await books.lamports(...sponsors)), "rent and two signatures").to.equal(ACCOUNT_RENT + 10_000n);
    await books.check();

    books.fund(agent.wallet.publicKey, 20_000n);
    expect(okay(await agent.status(sellerKey())).body).to.include({
      status: "funding",
      held: "20000",
      missing: "30000",
    });
    books.fund(agent.wallet.publicKey, 35_000n);
    const grant = okay(await agent.start(sellerKey())).body;
    expect(grant).to.include({ status: "grant", limit: "50000", onboardingId: account.onboardingId });
    expect(grant.authorizedSigner).to.equal(office.keys.operator.publicKey.toBase58());

    const ready = okay(await agent.confirm(grant)).body;
    books.watch(ready.roleId);
    expect(ready).to.include({ status: "ready", roleId: grant.roleId, limit: "50000", voucherSigner: "operator" });
    expect(ready.challengeId).to.equal(grant.challenge.id);
    expect(await books.escrowed(ready.roleId)).to.equal(DEPOSIT);
    expect(await books.tokens(agent.wallet.publicKey)).to.equal(5_000n);
    const paidFrom = await getAccount(office.connection, tokenAddress(agent.wallet.publicKey, MINT, TOKEN_PROGRAM_ID));
    expect(String(paidFrom.closeAuthority), "whose rent we alone can take back").to.equal(
      String(sponsors[0].publicKey),
    );
    expect(await books.lamports(agent.wallet), "the wallet never had a lamport").to.equal(0n);
    await books.check();
  });

  it("gives a role that works: vouchers are signed within the limit, and the close token ends it", async () => {
    const agent = new Agent(office, books.person(DEPOSIT));
    const [grant, ready] = await agent.run(sellerKey());
    books.watch(ready.roleId);
    const { authentication } = await agent.signed(grant);
    const proof = authentication as never;
    const { voucher } = await office.context.sessions.sign(ready.roleId, 30_000n, proof);
    expect(voucher.voucher.cumulativeAmount).to.equal(30_000n);
    await office.context.sessions.sign(ready.roleId, DEPOSIT + 1n, proof).then(
      () => expect.fail("signed beyond the limit"),
      (error) => expect(error).to.have.property("code", "deposit-exhausted"),
    );
    await office.context.sessions.close({ channelId: ready.roleId, closeToken: ready.closeToken });
    expect(await books.tokens(seller.publicKey)).to.equal(30_000n);
    expect(await books.tokens(agent.wallet.publicKey)).to.equal(20_000n);
    expect(okay(await agent.status(sellerKey())).body).to.include({ status: "ended", roleId: ready.roleId });
    await books.check();
  });

  it("takes a wallet that has an account and the money in one round", async () => {
    const agent = new Agent(office, books.person(DEPOSIT));
    const rounds = await agent.run(sellerKey());
    expect(rounds.map(({ status }) => status)).to.deep.equal(["grant", "ready"]);
    books.watch(rounds[1].roleId);
    await books.check();
  });

  it("gives the role to the agent's own key, or to the wallet's, where that is asked for", async () => {
    const key = Keypair.generate().publicKey.toBase58();
    const agent = new Agent(office, books.person(DEPOSIT));
    const [grant, ready] = await agent.run(sellerKey(), { voucherSigner: "client", authorizedSigner: key });
    expect(grant).not.to.have.property("proof");
    expect(ready).to.include({ status: "ready", authorizedSigner: key, voucherSigner: "client" });
    const other = new Agent(office, books.person(DEPOSIT));
    const [, own] = await other.run(sellerKey(), { voucherSigner: "client" });
    expect(own.authorizedSigner).to.equal(other.address);
    books.watch(ready.roleId, own.roleId);
    await books.check();
  });

  it("answers at once for a wallet that has a role, whatever limit is asked for, and moves nothing", async () => {
    const agent = new Agent(office, books.person(3n * DEPOSIT));
    const [, ready] = await agent.run(sellerKey());
    books.watch(ready.roleId);
    const again = okay(await agent.start(sellerKey(), { deposit: "60000" })).body;
    expect(again).to.deep.equal(ready);
    expect(okay(await agent.status(sellerKey())).body).to.deep.equal(ready);
    expect(await books.tokens(agent.wallet.publicKey)).to.equal(2n * DEPOSIT);
    const asked = { voucherSigner: "client" };
    const refusal = refused(await agent.start(sellerKey(), asked), 409, "onboarding_role_exists");
    expect(refusal.body.roleId).to.equal(ready.roleId);
  });

  it("keeps sellers apart: a role for one is none for another", async () => {
    const agent = new Agent(office, books.person(2n * DEPOSIT));
    const other = books.person(0n).publicKey.toBase58();
    const [, one] = await agent.run(sellerKey());
    refused(await agent.status(other), 404, "onboarding_unknown");
    const [, two] = await agent.run(other);
    expect(two.roleId).not.to.equal(one.roleId);
    books.watch(one.roleId, two.roleId);
    await books.check();
  });

  it("shows a role that the wallet has revoked on chain, alone, and gives it another when it asks", async () => {
    const agent = new Agent(office, books.person(2n * DEPOSIT));
    const [, ready] = await agent.run(sellerKey());
    const channel = new PublicKey(ready.roleId);
    await run(office, await session.revoke({ channel, payer: agent.wallet.publicKey }), [agent.wallet]);
    expect(okay(await agent.status(sellerKey())).body).to.include({ status: "revoked", roleId: ready.roleId });
    const [, next] = await agent.run(sellerKey());
    expect(next.roleId).not.to.equal(ready.roleId);
    expect(next.onboardingId).not.to.equal(ready.onboardingId);
    books.watch(ready.roleId, next.roleId);
    await books.check();
  });

  it("goes by what was asked last, until something is signed", async () => {
    const agent = new Agent(office, books.person(DEPOSIT));
    const first = okay(await agent.start(sellerKey())).body;
    const second = okay(await agent.start(sellerKey(), { deposit: "20000" })).body;
    expect(second).to.include({ status: "grant", limit: "20000", onboardingId: first.onboardingId });
    refused(await agent.confirm(first), 409, "onboarding_offer_replaced");
    const ready = okay(await agent.confirm(second)).body;
    books.watch(ready.roleId);
    expect(await books.escrowed(ready.roleId)).to.equal(20_000n);
    await books.check();
  });

  it("offers the same again to who asks again, and says the same to who confirms again", async () => {
    const agent = new Agent(office, books.person(DEPOSIT));
    const first = okay(await agent.start(sellerKey())).body;
    expect(okay(await agent.start(sellerKey())).body).to.deep.equal(first);
    const ready = okay(await agent.confirm(first)).body;
    expect(okay(await agent.confirm(first)).body).to.deep.equal(ready);
    books.watch(ready.roleId);
    const account = new Agent(office, books.person());
    const round = okay(await account.start(sellerKey())).body;
    expect(okay(await account.start(sellerKey())).body).to.deep.equal(round);
    expect(okay(await account.confirm(round)).body).to.include({ status: "funding" });
    const before = await books.lamports(...office.keys.feePayers);
    expect(okay(await account.confirm(round)).body).to.include({ status: "funding" });
    expect(await books.lamports(...office.keys.feePayers), "nothing is paid twice").to.equal(before);
  });

  it("offers anew what came too late, and takes no deposit for it", async () => {
    const agent = new Agent(office, books.person(DEPOSIT));
    const late = okay(await agent.start(sellerKey())).body;
    office.net.warpSlots(200);
    const fresh = okay(await agent.confirm(late)).body;
    expect(fresh.status).to.equal("grant");
    expect(fresh.transaction).not.to.equal(late.transaction);
    expect(await books.tokens(agent.wallet.publicKey)).to.equal(DEPOSIT);
    refused(await agent.confirm(late), 409, "onboarding_offer_replaced");
    const ready = okay(await agent.confirm(fresh)).body;
    books.watch(ready.roleId);
    const account = new Agent(office, books.person());
    const round = okay(await account.start(sellerKey())).body;
    office.net.warpSlots(200);
    const again = okay(await account.confirm(round)).body;
    expect(again.status).to.equal("account");
    expect(again.transaction).not.to.equal(round.transaction);
    expect(okay(await account.confirm(again)).body.status).to.equal("funding");
  });

  it("does not wait until an offer is too old to be signed", async () => {
    const agent = new Agent(office, books.person(DEPOSIT));
    const first = okay(await agent.start(sellerKey())).body;
    office.net.warpSlots(100);
    const second = okay(await agent.start(sellerKey())).body;
    expect(second.transaction).not.to.equal(first.transaction);
    const ready = okay(await agent.confirm(second)).body;
    books.watch(ready.roleId);
  });

  it("tells a wallet whose money went elsewhere that it lacks it, and takes it up again", async () => {
    const agent = new Agent(office, books.person(DEPOSIT));
    const grant = okay(await agent.start(sellerKey())).body;
    const other = books.person(0n);
    const [from, to] = [agent.wallet.publicKey, other.publicKey].map((key) =>
      tokenAddress(key, MINT, TOKEN_PROGRAM_ID),
    );
    await run(office, [createTransferInstruction(from!, to!, agent.wallet.publicKey, 1n)], [agent.wallet]);
    refused(await agent.confirm(grant), 422, "simulation_failed");
    expect(okay(await agent.status(sellerKey())).body).to.include({ status: "funding", missing: "1" });
    books.fund(agent.wallet.publicKey, 1n);
    const [, ready] = await agent.run(sellerKey());
    books.watch(ready.roleId);
    await books.check();
  });

  it("refuses deposits below the least, the wallet as its own seller, other mints and other networks", async () => {
    const agent = new Agent(office, books.person(DEPOSIT));
    const small = refused(await agent.start(sellerKey(), { deposit: "9999" }), 422, "open_deposit_too_small");
    expect(small.body.minimumDeposit).to.equal("10000");
    refused(await agent.start(agent.address), 422, "payer_is_recipient");
    refused(await agent.start(sellerKey(), { currency: sellerKey() }), 422, "asset_unsupported");
    refused(await agent.start(sellerKey(), { network: "mainnet-beta" }), 422, "invalid_network");
    refused(await agent.start(sellerKey(), { network: "moon" }), 400, "invalid_request");
    refused(await agent.start(sellerKey(), { authorizedSigner: sellerKey() }), 400, "invalid_request");
    refused(await agent.start(sellerKey(), { deposit: "0" }), 422, "open_deposit_too_small");
    refused(await agent.start(sellerKey(), { deposit: "-1" }), 400, "invalid_request");
    refused(await agent.start(sellerKey(), { extra: 1 }), 400, "invalid_request");
    refused(await agent.start("x".repeat(40)), 400, "invalid_request");
    refused(await agent.status(sellerKey()), 404, "onboarding_unknown");
  });
});
