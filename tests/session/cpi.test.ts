// Callers by CPI: programs as payers and payees, and what one proof is good for under one outer instruction
// (attack list 10, 11, 17, 29, 36).
import { parseSessionEvents, session } from "@mppsol/programs";
import { createAssociatedTokenAccountIdempotentInstruction } from "@solana/spl-token";
import { SystemProgram, type TransactionInstruction } from "@solana/web3.js";
import { expect } from "chai";
import { chain } from "../support/chain.js";
import { PROXY_SIGNER, throughProxy } from "../support/proxy.js";
import { GRACE, World } from "../support/world.js";

describe("a program's address", () => {
  it("as payee closes by CPI with the last voucher, and is paid", async () => {
    const world = await World.create({ extras: [PROXY_SIGNER] });
    const channel = await world.open({ deposit: 1_000n, payee: PROXY_SIGNER });
    const [proof, close] = await world.closeInstructions(channel, 300n);
    await world.send([proof!, throughProxy(close!)]);
    expect(await world.state(channel)).deep.include({ status: "sealed", settled: 300n });
    await world.settle(channel);
    expect(await world.balance(PROXY_SIGNER)).equal(300n);
  });

  it("as payee that cannot act gets its money all the same: anyone debits, seals and settles", async () => {
    const world = await World.create({ extras: [PROXY_SIGNER] });
    const channel = await world.open({ deposit: 1_000n, payee: PROXY_SIGNER });
    await world.revoke(channel);
    await world.debit(channel, 200n);
    await chain.advance(GRACE);
    await world.seal(channel);
    await world.settle(channel);
    expect(await world.balance(PROXY_SIGNER)).equal(200n);
    expect(await world.balance(world.payer.publicKey)).equal(999_800n);
  });

  it("as payer opens, tops up, revokes and withdraws by CPI, with somebody else's SOL for the rent", async () => {
    const world = await World.create({ extras: [PROXY_SIGNER] });
    await world.give(PROXY_SIGNER, 500n);
    const openSlot = await chain.slot();
    const input = {
      ...world.token,
      payer: PROXY_SIGNER,
      rentPayer: world.operator.publicKey,
      payee: world.payee.publicKey,
      authorizedSigner: world.stranger.publicKey,
      salt: BigInt(Date.now()),
      openSlot,
      deposit: 300n,
      gracePeriod: GRACE,
    };
    const [open] = await session.open(input);
    const channel = open!.keys[5]!.pubkey;
    world.track(channel);
    const landed = await world.send([throughProxy(open!)], [world.operator]);
    const transaction = await chain.transaction(landed);
    expect(parseSessionEvents(transaction).map((event) => event.name)).deep.equal(["Opened"]);
    const [topup] = await session.topup({ ...world.token, channel, payer: PROXY_SIGNER, amount: 100n });
    const [revoke] = await session.revoke({ channel, payer: PROXY_SIGNER });
    await world.send([throughProxy(topup!, revoke!)]);
    await chain.advance(GRACE);
    const [seal] = await session.seal({ channel });
    const [withdraw] = await session.withdrawPayer({ ...world.token, channel, payer: PROXY_SIGNER });
    await world.send([throughProxy(seal!, withdraw!)]);
    expect(await world.balance(PROXY_SIGNER)).equal(500n);
  });

  it("cannot act for another payer: its signature is only its own", async () => {
    const world = await World.create();
    const channel = await world.open({ deposit: 100n });
    const [revoke] = await session.revoke({ channel: channel.address, payer: PROXY_SIGNER });
    await world.refuses("InvalidChannelPayer", [throughProxy(revoke!)]);
    const [own] = await world.revokeInstructions(channel);
    const landed = await chain.send([
      throughProxy({ ...own!, keys: own!.keys.map((key) => ({ ...key, isSigner: false })) }),
    ]);
    expect(landed.err).not.equal(null);
    expect((await world.state(channel)).status).equal("open");
  });
});

describe("a proof before an outer instruction", () => {
  let world: World;
  let channel: Awaited<ReturnType<World["open"]>>;
  let proof: TransactionInstruction;
  let debit: TransactionInstruction;

  beforeEach(async () => {
    world = await World.create();
    channel = await world.open({ deposit: 1_000n });
    [proof, debit] = (await world.debitInstructions(channel, 100n)) as [TransactionInstruction, TransactionInstruction];
  });

  it("is good for a debit by CPI", async () => {
    await world.send([proof, throughProxy(debit)]);
    expect((await world.state(channel)).settled).equal(100n);
  });

  it("counts once for two debits by CPI under it", async () => {
    await world.refuses("VoucherWatermarkNotMonotonic", [proof, throughProxy(debit, debit)]);
  });

  it("is not good for another channel by CPI", async () => {
    const other = await world.open({ deposit: 1_000n });
    const [, wrong] = await world.debitInstructions(other, 100n);
    await world.refuses("VoucherChannelMismatch", [proof, throughProxy(wrong!)]);
  });

  it("that stands before another outer instruction is not found", async () => {
    const between = SystemProgram.transfer({
      fromPubkey: chain.payer.publicKey,
      toPubkey: world.payee.publicKey,
      lamports: 1,
    });
    await world.refuses("MissingEd25519Verification", [proof, between, throughProxy(debit)]);
    await world.refuses("MissingEd25519Verification", [throughProxy(debit), proof]);
  });

  it("serves close and then nothing more: the channel is sealed", async () => {
    const [closing, close] = await world.closeInstructions(channel, 100n);
    await world.refuses("MissingRequiredSignature", [
      closing!,
      throughProxy({ ...close!, keys: close!.keys.map((key) => ({ ...key, isSigner: false })) }),
    ]);
    await world.refuses("InvalidChannelStatus", [closing!, throughProxy(close!, debit)], [world.payee]);
  });
});

describe("events by CPI", () => {
  it("do not stand in the way of opening at the depth that an escrow's creation allows", async () => {
    const world = await World.create({ extras: [PROXY_SIGNER] });
    await world.give(PROXY_SIGNER, 10n);
    const make = createAssociatedTokenAccountIdempotentInstruction(
      chain.payer.publicKey,
      world.ata(PROXY_SIGNER),
      PROXY_SIGNER,
      world.mint,
    );
    const [open] = await session.open({
      ...world.token,
      payer: PROXY_SIGNER,
      rentPayer: world.operator.publicKey,
      payee: world.payee.publicKey,
      authorizedSigner: world.stranger.publicKey,
      salt: BigInt(Date.now()) + 1n,
      openSlot: await chain.slot(),
      deposit: 10n,
      gracePeriod: GRACE,
    });
    world.track(open!.keys[5]!.pubkey);
    await world.send([make, throughProxy(open!)], [world.operator]);
  });
});
