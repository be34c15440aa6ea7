// pay_from_session: a receipt for what a voucher moves in a channel (attack list 8, 10, 11, 22, 26).

import { TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID } from "@solana/spl-token";
import { Keypair, SystemProgram } from "@solana/web3.js";
import { expect } from "chai";
import { chain, localnetOnly } from "../support/chain.js";
import { throughProxy } from "../support/proxy.js";
import { type Channel, unsigned, World } from "../support/world.js";
import {
  account,
  attest,
  consume,
  consumer,
  payFromSession,
  RESULT,
  receipt,
  receiptAddress,
  refuses,
  refusesWith,
  type Terms,
  terms,
  WINDOW,
} from "./pay.js";

for (const [name, tokenProgram] of [
  ["SPL Token", TOKEN_PROGRAM_ID],
  ["Token-2022", TOKEN_2022_PROGRAM_ID],
] as const) {
  describe(`pay_from_session in ${name}`, () => {
    let world: World;
    let channel: Channel;
    let signers: Keypair[];
    before(async () => {
      world = await World.create({ tokenProgram });
      signers = [world.payer, world.operator];
    });
    beforeEach(async () => {
      channel = await world.open({ signer: world.stranger });
    });
    const change = async (part: Partial<Terms> = {}) => terms({ amount: 100n, ...part });

    it("raises the watermark by the amount and writes a receipt that names payer, payee and channel", async () => {
      const the = await change();
      await world.send(await payFromSession(world, channel, 100n, the), signers);
      expect((await world.state(channel)).settled).equal(100n);
      const it = await receipt(receiptAddress(channel.address, the));
      const { bump, slot, paidAt, payer, recipient, mint, consumer: user, rentPayer, channel: from, ...rest } = it;
      expect([payer, recipient, mint, user, rentPayer, from].map(String)).deep.equal(
        [
          world.payer.publicKey,
          world.payee.publicKey,
          world.mint,
          consumer.publicKey,
          world.operator.publicKey,
          channel.address,
        ].map(String),
      );
      expect(rest).deep.equal({
        version: 1,
        status: { paid: {} },
        needsAttestation: true,
        nonce: the.nonce,
        paySlot: the.paySlot,
        expiresAt: the.expiresAt,
        attestedAt: 0n,
        consumedAt: 0n,
        amount: 100n,
        requestHash: the.requestHash,
        resultHash: Buffer.alloc(32),
      });
      expect(bump > 0 && slot >= the.paySlot && paidAt > 0n).equal(true);
    });

    it("moves tokens when the channel is settled: all of it to the payee", async () => {
      const before = await world.balance(world.payee.publicKey);
      await world.send(await payFromSession(world, channel, 100n, await change()), signers);
      expect(await world.balance(world.payee.publicKey)).equal(before);
      await world.settle(channel);
      expect(await world.balance(world.payee.publicKey)).equal(before + 100n);
    });

    it("is good for a consumer only once the payee attests", async () => {
      const the = await change();
      await world.send(await payFromSession(world, channel, 100n, the), signers);
      const it = receiptAddress(channel.address, the);
      await refuses(world, "ReceiptNotAttested", [await consume(it)], [consumer]);
      await world.send([await attest(it, world.payee.publicKey)], [world.payee]);
      expect((await receipt(it)).resultHash).deep.equal(RESULT);
      await world.send([await consume(it)], [consumer]);
    });

    it("counts only what the voucher adds to what was settled before", async () => {
      await world.debit(channel, 60n);
      await refuses(world, "DebitMismatch", await payFromSession(world, channel, 100n, await change()), signers);
      const the = await change({ amount: 40n });
      await world.send(await payFromSession(world, channel, 100n, the), signers);
      expect((await receipt(receiptAddress(channel.address, the))).amount).equal(40n);
    });
  });
}

describe("pay_from_session", () => {
  let world: World;
  let channel: Channel;
  let signers: Keypair[];
  before(async () => {
    world = await World.create();
    signers = [world.payer, world.operator];
  });
  beforeEach(async () => {
    channel = await world.open({ signer: world.stranger });
  });
  const refusesTerms = async (name: string, part: Partial<Terms>) =>
    refuses(world, name, await payFromSession(world, channel, 100n, await terms(part)), signers);

  it("takes the authorized signer's word as well as the payer's, and nobody else's", async () => {
    const as = async (key: Keypair, amount: bigint, total: bigint) =>
      payFromSession(world, channel, total, await terms({ amount }), { authority: key.publicKey });
    await world.send(await as(world.stranger, 100n, 100n), [world.stranger, world.operator]);
    for (const key of [world.payee, world.operator, consumer]) {
      await refuses(world, "NotTheChannelsAuthority", await as(key, 100n, 200n), [key, world.operator]);
    }
    const [voucher, it] = await as(world.payer, 100n, 200n);
    await refusesWith(world, 3010, [voucher!, unsigned(it!, 0)], [world.operator]);
    await refusesWith(world, 3010, [voucher!, unsigned(it!, 1)], [world.payer]);
  });

  it("refuses the terms that pay refuses, and an expiry of never", async () => {
    await refusesTerms("AmountMustBeNonZero", { amount: 0n });
    await refusesTerms("RequestHashMustBeNonZero", { requestHash: Buffer.alloc(32) });
    await refusesTerms("ConsumerMustBeNamed", { consumer: SystemProgram.programId });
    await refusesTerms("ExpiryNotInTheFuture", { expiresAt: 1n });
    await refusesTerms("ExpiryRequired", { expiresAt: 0n });
    await refusesTerms("PaySlotOutOfWindow", { paySlot: (await chain.slot()) + 1_000n });
    const old = (await chain.slot()) - WINDOW - 1n;
    if (old >= 0n) await refusesTerms("PaySlotOutOfWindow", { paySlot: old });
  });

  it("refuses another amount than the voucher adds", async () => {
    await refusesTerms("DebitMismatch", { amount: 99n });
    await refusesTerms("DebitMismatch", { amount: 101n });
  });

  it("refuses a channel with splits, which would not give the payee everything", async () => {
    const shared = await world.open({ splits: [{ recipient: world.stranger.publicKey.toBase58(), shareBps: 1 }] });
    await refuses(world, "ChannelHasSplits", await payFromSession(world, shared, 100n, await terms()), signers);
  });

  it("makes one receipt of one voucher, in one transaction or two", async () => {
    const [voucher, first] = await payFromSession(world, channel, 100n, await terms());
    const [, second] = await payFromSession(world, channel, 100n, await terms());
    await refusesWith(world, 230, [voucher!, first!, second!], signers);
    await refusesWith(world, 234, [voucher!, first!, voucher!, second!], signers);
    await world.send([voucher!, first!], signers);
    await refusesWith(world, 234, [voucher!, second!], signers);
  });

  it("makes one receipt of one voucher for two calls of one outer instruction", async () => {
    const [voucher, first] = await payFromSession(world, channel, 100n, await terms());
    const [, second] = await payFromSession(world, channel, 100n, await terms());
    await refusesWith(world, 234, [voucher!, throughProxy(first!, second!)], signers);
    await world.send([voucher!, throughProxy(first!)], signers);
  });

  it("makes no receipt of a voucher that was cashed plainly before", async () => {
    await world.debit(channel, 100n);
    await refusesWith(world, 234, await payFromSession(world, channel, 100n, await terms()), signers);
  });

  it("makes no receipt of what the session program refuses: no voucher, another channel's, more than the deposit", async () => {
    const [, it] = await payFromSession(world, channel, 100n, await terms());
    await refusesWith(world, 230, [it!], signers);
    const other = await world.open({ signer: world.stranger });
    const [foreign] = await payFromSession(world, other, 100n, await terms());
    await refusesWith(world, 232, [foreign!, it!], signers);
    await refusesWith(
      world,
      235,
      await payFromSession(world, channel, 1_001n, await terms({ amount: 1_001n })),
      signers,
    );
    const [forged] = await world.debitInstructions(channel, 100n, 0n, world.payee);
    await refusesWith(world, 237, [forged!, it!], signers);
  });

  it("makes no receipt of a channel that is sealed", async () => {
    await world.close(channel);
    await refusesWith(world, 2, await payFromSession(world, channel, 100n, await terms()), signers);
  });

  it("refuses a second receipt at the same address, and keeps channels and payers apart", async () => {
    const the = await terms({ amount: 50n });
    await world.send(await payFromSession(world, channel, 50n, the), signers);
    await refuses(world, "ReceiptAlreadyExists", await payFromSession(world, channel, 100n, the), signers);
    const wrong = { receipt: receiptAddress(world.payer.publicKey, the) };
    await refusesWith(world, 2006, await payFromSession(world, channel, 100n, the, wrong), signers);
  });

  it("refuses substitutes for the channel, the sysvar and the session program", async () => {
    const the = await terms();
    const fake = Keypair.generate().publicKey;
    const token = world.ata(world.payer.publicKey);
    const receiptOf = { channel: token, receipt: receiptAddress(token, the) };
    await refusesWith(world, 3007, await payFromSession(world, channel, 100n, the, receiptOf), signers);
    await refuses(
      world,
      "InvalidInstructionsSysvar",
      await payFromSession(world, channel, 100n, the, { instructionsSysvar: fake }),
      signers,
    );
    await refusesWith(
      world,
      3008,
      await payFromSession(world, channel, 100n, the, { sessionProgram: TOKEN_PROGRAM_ID }),
      signers,
    );
  });

  it("refuses a channel of another layout version", async function () {
    localnetOnly(this); // only there can an account be put anywhere
    const real = (await account(channel.address))!;
    const put = (version: number) => {
      const data = Buffer.from(real.data);
      data[1] = version;
      return chain.cheat("mppsol_setAccount", channel.address.toBase58(), {
        lamports: real.lamports,
        data: data.toString("base64"),
        owner: real.owner.toBase58(),
        executable: false,
      });
    };
    const it = await payFromSession(world, channel, 100n, await terms());
    await put(2);
    const { err } = await chain.send(it, signers);
    await put(1);
    expect(err).deep.equal({ InstructionError: [1, { Custom: 8120 }] });
  });

  it("leaves no receipt and no debit behind when it is refused", async () => {
    const the = await terms({ amount: 99n });
    await refuses(world, "DebitMismatch", await payFromSession(world, channel, 100n, the), signers);
    expect(await account(receiptAddress(channel.address, the))).equal(null);
    expect((await world.state(channel)).settled).equal(0n);
  });
});
