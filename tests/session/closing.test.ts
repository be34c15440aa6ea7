// Ends and new beginnings: races at the end of grace, replays into a reborn channel, rent (attack list 12–18, 27).
import { readFileSync } from "node:fs";
import { session } from "@mppsol/programs";
import { Keypair, SystemProgram } from "@solana/web3.js";
import { expect } from "chai";
import { artifact, chain, localnetOnly } from "../support/chain.js";
import { deployProgram } from "../support/loader.js";
import { GRACE, World, withAccount } from "../support/world.js";

const WINDOW = 1_500n;

describe("closing a channel", () => {
  it("by revoke leaves the payee the whole grace: its voucher counts in the last second and not in the first after", async function () {
    localnetOnly(this);
    const world = await World.create();
    const channel = await world.open({ deposit: 1_000n });
    await world.revoke(channel);
    await chain.advance(GRACE - 1);
    await world.refuses("SealGracePeriodNotElapsed", await session.seal({ channel: channel.address }));
    await world.debit(channel, 400n);
    await chain.advance(1);
    await world.refuses("InvalidChannelStatus", await world.debitInstructions(channel, 500n));
    await world.refuses("InvalidChannelStatus", await world.closeInstructions(channel, 500n), [world.payee]);
    await world.refuses("InvalidChannelStatus", await world.closeInstructions(channel), [world.payee]);
    await world.seal(channel);
    await world.settle(channel);
    expect(await world.balance(world.payee.publicKey)).equal(400n);
  });

  it("by the payee is possible in the last second of grace", async function () {
    localnetOnly(this);
    const world = await World.create();
    const channel = await world.open();
    await world.revoke(channel);
    await chain.advance(GRACE - 1);
    await world.close(channel, 10n);
    expect(await world.state(channel)).deep.include({ status: "sealed", settled: 10n, closureStartedAt: 0n });
  });

  it("by revoke and a voucher come to the same in either order", async () => {
    const world = await World.create();
    const [first, second] = [await world.open({ gracePeriod: 600 }), await world.open({ gracePeriod: 600 })];
    await world.debit(first, 70n);
    await world.revoke(first);
    await world.revoke(second);
    await world.debit(second, 70n);
    for (const channel of [first, second]) {
      expect(await world.state(channel)).deep.include({ status: "closing", settled: 70n });
    }
  });

  it("cannot be started twice, and the clock of the first start stands", async () => {
    const world = await World.create();
    const channel = await world.open({ gracePeriod: 600 });
    await world.revoke(channel);
    const { closureStartedAt } = await world.state(channel);
    await chain.advance(1);
    await world.refuses("InvalidChannelStatus", await world.revokeInstructions(channel), [world.payer]);
    expect((await world.state(channel)).closureStartedAt).equal(closureStartedAt);
  });

  it("cannot be put off by the payee: no topup, no rearm, no second close once it is revoked or sealed", async () => {
    const world = await World.create();
    const channel = await world.open({ gracePeriod: 600 });
    const topup = await session.topup({
      ...world.token,
      channel: channel.address,
      payer: world.payer.publicKey,
      amount: 1n,
    });
    await world.revoke(channel);
    await world.refuses("InvalidChannelStatus", topup, [world.payer]);
    await world.refuses("InvalidChannelStatus", await world.rearmInstructions(channel, 5n), [world.payee]);
    await world.refuses("ChannelNotDistributable", await world.settleInstructions(channel));
    await world.close(channel);
    await world.refuses("InvalidChannelStatus", topup, [world.payer]);
    await world.refuses("InvalidChannelStatus", await world.closeInstructions(channel), [world.payee]);
    await world.refuses("InvalidChannelStatus", await world.debitInstructions(channel, 5n));
    await world.refuses("InvalidChannelStatus", await world.revokeInstructions(channel), [world.payer]);
    await world.refuses("InvalidChannelStatus", await session.seal({ channel: channel.address }));
  });

  it("without a voucher refunds everything", async () => {
    const world = await World.create();
    const channel = await world.open({ deposit: 1_000n });
    await world.close(channel);
    await world.settle(channel);
    expect(await world.balance(world.payer.publicKey)).equal(1_000_000n);
  });

  it("with the longest grace there is still ends at a time that fits", async () => {
    const world = await World.create();
    const channel = await world.open({ gracePeriod: 2 ** 32 - 1 });
    await world.revoke(channel);
    await world.refuses("SealGracePeriodNotElapsed", await session.seal({ channel: channel.address }));
    await world.close(channel, 5n);
  });

  it("before it was opened for a moment is not possible: seal needs a revoke", async () => {
    const world = await World.create();
    const channel = await world.open();
    await world.refuses("InvalidChannelStatus", await session.seal({ channel: channel.address }));
    await world.refuses("InvalidChannelStatus", await world.withdrawInstructions(channel), [world.payer]);
  });

  it("refunds the payer once, whichever of withdraw and settle comes first", async () => {
    const world = await World.create();
    const channel = await world.open({ deposit: 1_000n });
    await world.close(channel, 300n);
    await world.withdraw(channel);
    await world.refuses("PayerAlreadyWithdrawn", await world.withdrawInstructions(channel), [world.payer]);
    await world.settle(channel);
    expect(await world.balance(world.payer.publicKey)).equal(999_700n);
    await world.refuses("InvalidChannelStatus", await world.withdrawInstructions(channel), [world.payer]);
  });

  it("leaves nothing to act on: a distributed channel refuses everything but reclaim", async () => {
    const world = await World.create();
    const channel = await world.open({ deposit: 1_000n });
    const topup = await session.topup({
      ...world.token,
      channel: channel.address,
      payer: world.payer.publicKey,
      amount: 1n,
    });
    await world.close(channel, 300n);
    await world.settle(channel);
    await world.refuses("ChannelNotDistributable", await world.settleInstructions(channel));
    await world.refuses("InvalidChannelStatus", await world.debitInstructions(channel, 301n));
    await world.refuses("InvalidChannelStatus", topup, [world.payer]);
    await world.refuses("InvalidChannelStatus", await world.closeInstructions(channel), [world.payee]);
    await world.refuses("InvalidChannelStatus", await world.revokeInstructions(channel), [world.payer]);
    await world.refuses("ChannelCloseTooEarly", await world.reclaimInstructions(channel));
  });
});

describe("an address", () => {
  it("of a live, a closed and a distributed channel cannot be opened again", async () => {
    const world = await World.create();
    const channel = await world.open({ deposit: 100n });
    const again = () => world.openInstructions(channel);
    const signers = [world.payer, world.operator];
    await world.refuses("ChannelAlreadyExists", await again(), signers);
    await world.close(channel, 10n);
    await world.refuses("ChannelAlreadyExists", await again(), signers);
    await world.settle(channel);
    await world.refuses("ChannelAlreadyExists", await again(), signers);
  });

  it("that was reclaimed is too old to be opened again, and its vouchers die with it", async () => {
    const world = await World.create();
    const channel = await world.open({ deposit: 100n, slotsAgo: WINDOW - 30n });
    const stale = await world.debitInstructions(channel, 90n);
    await world.close(channel);
    await world.settle(channel);
    await chain.reachSlot(channel.openSlot + WINDOW + 1n);
    await world.send(await world.reclaimInstructions(channel));
    await world.refuses("OpenSlotOutOfWindow", await world.openInstructions(channel), [world.payer, world.operator]);
    await world.refuses("ChannelOwnerMismatch", stale);
    const reborn = await world.open({ deposit: 100n, salt: channel.salt });
    expect(reborn.address.equals(channel.address)).equal(false);
    const [proof] = stale;
    const [, debit] = await world.debitInstructions(reborn, 90n);
    await world.refuses("VoucherChannelMismatch", [proof!, debit!]);
  });

  it("is held to the last slot of its window and freed in the next", async function () {
    localnetOnly(this);
    const world = await World.create();
    const channel = await world.open({ deposit: 100n });
    await world.close(channel);
    await world.settle(channel);
    await chain.reachSlot(channel.openSlot + WINDOW);
    await world.refuses("ChannelCloseTooEarly", await world.reclaimInstructions(channel));
    await chain.reachSlot(channel.openSlot + WINDOW + 1n);
    await world.send(await world.reclaimInstructions(channel));
  });

  it("can be opened with the oldest slot of the window, not with an older one or one of the future", async function () {
    localnetOnly(this);
    const world = await World.create();
    const signers = [world.payer, world.operator];
    for (const slotsAgo of [WINDOW + 1n, -1n, -1_000_000n]) {
      const channel = await world.plan({ slotsAgo });
      await world.refuses("OpenSlotOutOfWindow", await world.openInstructions(channel), signers);
    }
    await world.open({ slotsAgo: WINDOW });
    await world.open({ slotsAgo: 0n });
  });

  it("closed and opened in one transaction gives two channels at two addresses", async () => {
    const world = await World.create();
    const channel = await world.open({ deposit: 100n, slotsAgo: 1_000n });
    await world.close(channel, 10n);
    const next = await world.plan({ deposit: 100n, slotsAgo: 900n, salt: channel.salt });
    await world.send(
      [...(await world.settleInstructions(channel)), ...(await world.openInstructions(next))],
      [world.payer, world.operator],
    );
    expect((await world.state(channel)).status).equal("distributed");
    expect((await world.state(next)).status).equal("open");
  });

  it("that got lamports while it was being freed holds nothing but them", async () => {
    const world = await World.create();
    const channel = await world.open({ deposit: 100n, slotsAgo: WINDOW - 30n });
    const stale = await world.debitInstructions(channel, 50n);
    await world.close(channel);
    await chain.reachSlot(channel.openSlot + WINDOW + 1n);
    const revive = SystemProgram.transfer({
      fromPubkey: chain.payer.publicKey,
      toPubkey: channel.address,
      lamports: 5_000_000,
    });
    await world.send([...(await world.settleInstructions(channel)), revive]);
    const left = await chain.connection.getAccountInfo(channel.address, "confirmed");
    expect(left?.owner.equals(SystemProgram.programId)).equal(true);
    expect(left?.data.length).equal(0);
    await world.refuses("ChannelOwnerMismatch", stale);
  });

  it("that somebody sent lamports to, a little or more than its rent, opens all the same and returns them at the end", async () => {
    for (const lamports of [890_880, 50_000_000]) {
      const world = await World.create();
      const channel = await world.plan({ deposit: 100n, slotsAgo: WINDOW - 30n });
      const gift = SystemProgram.transfer({ fromPubkey: chain.payer.publicKey, toPubkey: channel.address, lamports });
      const before = await chain.connection.getBalance(world.operator.publicKey, "confirmed");
      await world.send([gift]);
      await world.send(await world.openInstructions(channel), [world.payer, world.operator]);
      await world.close(channel);
      await chain.reachSlot(channel.openSlot + WINDOW + 1n);
      await world.settle(channel);
      expect(await chain.connection.getBalance(world.operator.publicKey, "confirmed")).equal(before + lamports);
    }
  });

  it("whose escrow somebody made first opens all the same", async () => {
    const world = await World.create();
    const channel = await world.plan({ deposit: 100n });
    await world.createTokenAccounts([channel.address]);
    await world.send(await world.openInstructions(channel), [world.payer, world.operator]);
    expect((await world.state(channel)).deposit).equal(100n);
  });

  it("held by an open that was signed and kept back is refused once its slot is too old", async () => {
    const world = await World.create();
    const kept = await world.plan({ slotsAgo: WINDOW - 5n });
    await chain.reachSlot(kept.openSlot + WINDOW + 1n);
    await world.refuses("OpenSlotOutOfWindow", await world.openInstructions(kept), [world.payer, world.operator]);
  });
});

describe("rent", () => {
  it("of a payer that turned its rent payer into a program is returned to it, and the payee is paid", async () => {
    const world = await World.create();
    const rentPayer = Keypair.generate();
    const fund = SystemProgram.transfer({
      fromPubkey: chain.payer.publicKey,
      toPubkey: rentPayer.publicKey,
      lamports: 10_000_000,
    });
    await world.send([fund]);
    const channel = await world.plan({ deposit: 1_000n });
    const [open] = await world.openInstructions(channel, 600);
    await world.send([withAccount(open!, 1, rentPayer.publicKey)], [world.payer, rentPayer]);
    const left = await chain.connection.getBalance(rentPayer.publicKey, "confirmed");
    const empty = SystemProgram.transfer({
      fromPubkey: rentPayer.publicKey,
      toPubkey: world.stranger.publicKey,
      lamports: left,
    });
    await world.send([empty], [rentPayer]);
    await deployProgram(rentPayer, readFileSync(artifact("test_proxy.so")));
    const program = await chain.connection.getAccountInfo(rentPayer.publicKey, "confirmed");
    expect(program?.executable).equal(true);

    await world.revoke(channel);
    await world.debit(channel, 900n);
    await world.close(channel);
    const [settle] = await world.settleInstructions(channel);
    await world.send([withAccount(settle!, 2, rentPayer.publicKey)]);
    expect(await world.balance(world.payee.publicKey)).equal(900n);
    expect(await world.balance(world.payer.publicKey)).equal(999_100n);
    if (!chain.isLocalnet) return;
    await chain.reachSlot(channel.openSlot + WINDOW + 1n);
    await world.send(await session.reclaim({ channel: channel.address, rentPayer: rentPayer.publicKey }));
    const after = await chain.connection.getAccountInfo(rentPayer.publicKey, "confirmed");
    expect(after!.lamports).greaterThan(program!.lamports + 4_000_000);
  });

  it("goes back to who paid it, whoever cranks, and to nobody else", async () => {
    const world = await World.create();
    const channel = await world.open({ deposit: 100n, slotsAgo: WINDOW - 30n });
    await world.close(channel, 5n);
    const [settle] = await world.settleInstructions(channel);
    const stolen = {
      ...settle!,
      keys: settle!.keys.map((key, at) => (at === 2 ? { ...key, pubkey: world.stranger.publicKey } : key)),
    };
    await world.refuses("InvalidChannelRentPayer", [stolen]);
    await world.settle(channel);
    await chain.reachSlot(channel.openSlot + WINDOW + 1n);
    await world.refuses(
      "InvalidChannelRentPayer",
      await session.reclaim({ channel: channel.address, rentPayer: world.stranger.publicKey }),
    );
    await world.send(await world.reclaimInstructions(channel));
  });

  it("of a sponsor that opens and closes fifty channels for its clients is all there at the end", async function () {
    localnetOnly(this);
    const world = await World.create();
    const before = await chain.connection.getBalance(world.operator.publicKey, "confirmed");
    for (let round = 0; round < 50; round++) {
      const channel = await world.open({ deposit: 10n, slotsAgo: WINDOW, signer: Keypair.generate() });
      await world.close(channel, 1n);
      await chain.reachSlot(channel.openSlot + WINDOW + 1n);
      await world.settle(channel);
    }
    expect(await chain.connection.getBalance(world.operator.publicKey, "confirmed")).equal(before);
    expect(await world.balance(world.payee.publicKey)).equal(50n);
  });
});
