// Every instruction with every account, signature and argument wrong in turn: each is refused by its own number, and
// nothing changes.
import { session, TREASURY } from "@mppsol/programs";
import { Keypair, PublicKey, SYSVAR_CLOCK_PUBKEY, type TransactionInstruction } from "@solana/web3.js";
import { expect } from "chai";
import { chain, localnetOnly, programId } from "../support/chain.js";
import { must, unsigned, World, withAccount, withData } from "../support/world.js";

const u64 = (value: bigint) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
};

describe("open refuses", () => {
  let world: World;
  let good: TransactionInstruction;
  let signers: Keypair[];
  let plan: Awaited<ReturnType<World["plan"]>>;

  before(async () => {
    world = await World.create();
    plan = await world.plan();
    [good] = (await world.openInstructions(plan)) as [TransactionInstruction];
    signers = [world.payer, world.operator];
  });

  it("without the payer's or the rent payer's signature", async () => {
    await world.refuses("MissingRequiredSignature", [unsigned(good, 0)], [world.operator]);
    await world.refuses("MissingRequiredSignature", [unsigned(good, 1)], [world.payer]);
  });

  it("a payer who pays itself", async () => {
    await world.refuses("PayerPayeeMustDiffer", [withAccount(good, 2, world.payer.publicKey)], signers);
  });

  it("a deposit of nothing and a grace of nothing", async () => {
    const zero = (from: number, to: number) =>
      withData(good, (data) => Buffer.concat([data.subarray(0, from), Buffer.alloc(to - from), data.subarray(to)]));
    await world.refuses("DepositMustBeNonZero", [zero(9, 17)], signers);
    await world.refuses("GracePeriodMustBeNonZero", [zero(17, 21)], signers);
  });

  it("an address that the seeds do not derive", async () => {
    const other = await world.plan();
    await world.refuses("ChannelAddressMismatch", [withAccount(good, 5, other.address)], signers);
    await world.refuses("ChannelAddressMismatch", [withAccount(good, 4, world.stranger.publicKey)], signers);
    await world.refuses("ChannelAddressMismatch", [withAccount(good, 2, world.stranger.publicKey)], signers);
    await world.refuses(
      "ChannelAddressMismatch",
      [withData(good, (data) => Buffer.concat([data.subarray(0, 1), u64(7n), data.subarray(9)]))],
      signers,
    );
  });

  it("a token account that is not the payer's own for this mint", async () => {
    const other = await World.create();
    await world.refuses("PayerAccountMismatch", [withAccount(good, 6, world.ata(world.payee.publicKey))], signers);
    await world.refuses("PayerAccountMismatch", [withAccount(good, 6, other.ata(world.payer.publicKey))], signers);
    await world.refuses("PayerAccountMismatch", [withAccount(good, 6, world.stranger.publicKey)], signers);
  });

  it("programs and sysvars that are not the real ones", async () => {
    await world.refuses("InvalidMintTokenProgram", [withAccount(good, 8, world.stranger.publicKey)], signers);
    for (const at of [9, 10, 11]) {
      await world.refuses("InvalidProgramAccount", [withAccount(good, at, SYSVAR_CLOCK_PUBKEY)], signers);
    }
    for (const at of [12, 13]) {
      await world.refuses("InvalidEventAuthority", [withAccount(good, at, SYSVAR_CLOCK_PUBKEY)], signers);
    }
  });

  it("an escrow that is not the channel's associated token account", async () => {
    const landed = await chain.send([withAccount(good, 7, world.ata(world.payee.publicKey))], signers);
    expect(landed.err).not.equal(null);
    expect(await chain.connection.getAccountInfo(plan.address, "confirmed")).equal(null);
  });

  it("one account too few and one too many", async () => {
    const fewer = { ...good, keys: good.keys.slice(0, -1) };
    const more = {
      ...good,
      keys: [...good.keys, { pubkey: world.stranger.publicKey, isSigner: false, isWritable: false }],
    };
    for (const instruction of [fewer, more]) await world.refuses("NotEnoughAccountKeys", [instruction], signers);
  });

  it("arguments cut short or with bytes behind them", async () => {
    for (const length of [1, 9, 20, 28, 32]) {
      await world.refuses("InvalidInstructionData", [withData(good, (data) => data.subarray(0, length))], signers);
    }
    await world.refuses(
      "InvalidInstructionData",
      [withData(good, (data) => Buffer.concat([data, Buffer.from([0])]))],
      signers,
    );
  });

  it("splits that break a rule, each by its number", async () => {
    const { address } = plan;
    const entry = (owner: PublicKey, bps: number) =>
      Buffer.concat([owner.toBuffer(), Buffer.from([bps & 255, bps >> 8])]);
    const splits = (count: number, ...entries: Buffer[]) =>
      withData(good, (data) => Buffer.concat([data.subarray(0, 29), Buffer.from([count, 0, 0, 0]), ...entries]));
    const [a, b] = [Keypair.generate().publicKey, Keypair.generate().publicKey];
    await world.refuses("InvalidSplitConfig", [splits(1, entry(a, 0))], signers);
    await world.refuses("InvalidSplitConfig", [splits(2, entry(a, 9_999), entry(b, 2))], signers);
    await world.refuses("InvalidSplitConfig", [splits(1, entry(address, 5))], signers);
    await world.refuses("DuplicateRecipient", [splits(2, entry(a, 5), entry(a, 5))], signers);
    await world.refuses("InvalidInstructionData", [splits(2, entry(a, 5))], signers);
    await world.refuses("InvalidRecipientCount", [splits(33)], signers);
  });

  it("more than the payer has, and leaves no channel behind", async () => {
    const channel = await world.plan({ deposit: 2_000_000n });
    const landed = await chain.send(await world.openInstructions(channel), signers);
    expect(landed.err).not.equal(null);
    expect(await chain.connection.getAccountInfo(channel.address, "confirmed")).equal(null);
    await world.check();
  });
});

describe("the other instructions refuse", () => {
  let world: World;
  let channel: Awaited<ReturnType<World["open"]>>;
  let other: World;

  before(async () => {
    world = await World.create();
    other = await World.create();
    channel = await world.open({ deposit: 1_000n });
  });

  const topup = async (amount = 5n) =>
    (await session.topup({ ...world.token, channel: channel.address, payer: world.payer.publicKey, amount }))[0]!;

  it("an unknown first byte and no byte at all", async () => {
    const [seal] = await session.seal({ channel: channel.address });
    for (const data of [[], [0], [10], [31], [34], [227], [255], [228], [228, 1, 2, 3]]) {
      const instruction = withData(seal!, () => Buffer.from(data));
      await world.refuses("UnknownInstruction", [instruction]);
    }
  });

  it("an event that somebody else than the program writes", async () => {
    const tag = Buffer.from([0xe4, 0x45, 0xa5, 0x2e, 0x51, 0xcb, 0x9a, 0x1d]);
    const [seal] = await session.seal({ channel: channel.address });
    const forged = {
      ...withData(seal!, () => tag),
      keys: [{ pubkey: world.stranger.publicKey, isSigner: true, isWritable: false }],
    };
    await world.refuses("InvalidEventAuthority", [forged], [world.stranger]);
    const authority = PublicKey.findProgramAddressSync(
      [Buffer.from("event_authority")],
      programId("mppsol_session"),
    )[0];
    await world.refuses("MissingRequiredSignature", [
      { ...forged, keys: [{ pubkey: authority, isSigner: false, isWritable: false }] },
    ]);
  });

  it("a wrong number of accounts", async () => {
    const all = [
      (await world.debitInstructions(channel, 1n))[1]!,
      await topup(),
      (await world.closeInstructions(channel))[0]!,
      (await world.revokeInstructions(channel))[0]!,
      (await session.seal({ channel: channel.address }))[0]!,
      (await world.withdrawInstructions(channel))[0]!,
      (await world.reclaimInstructions(channel))[0]!,
    ];
    const extra = { pubkey: world.stranger.publicKey, isSigner: false, isWritable: false };
    const signers = [world.payer, world.payee];
    for (const instruction of all) {
      await world.refuses("NotEnoughAccountKeys", [{ ...instruction, keys: instruction.keys.slice(0, -1) }], signers);
      await world.refuses("NotEnoughAccountKeys", [{ ...instruction, keys: [...instruction.keys, extra] }], signers);
    }
    const [settle] = await world.settleInstructions(channel);
    await world.refuses("NotEnoughAccountKeys", [{ ...settle!, keys: settle!.keys.slice(0, 10) }]);
    const [rearm] = await world.rearmInstructions(channel);
    await world.refuses("NotEnoughAccountKeys", [{ ...rearm!, keys: rearm!.keys.slice(0, 9) }], [world.payee]);
  });

  it("bytes behind the arguments, or too few", async () => {
    const more = (instruction: TransactionInstruction) =>
      withData(instruction, (data) => Buffer.concat([data, Buffer.from([0])]));
    const signers = [world.payer, world.payee];
    const [proof, debit] = await world.debitInstructions(channel, 1n);
    await world.refuses("InvalidInstructionData", [proof!, more(debit!)]);
    for (const instruction of [
      await topup(),
      (await world.closeInstructions(channel))[0]!,
      (await world.revokeInstructions(channel))[0]!,
      (await session.seal({ channel: channel.address }))[0]!,
      (await world.settleInstructions(channel))[0]!,
      (await world.withdrawInstructions(channel))[0]!,
      (await world.reclaimInstructions(channel))[0]!,
      (await world.rearmInstructions(channel))[0]!,
    ]) {
      await world.refuses("InvalidInstructionData", [more(instruction)], signers);
    }
    await world.refuses("InvalidInstructionData", [withData(await topup(), (data) => data.subarray(0, 8))], signers);
    await world.refuses(
      "InvalidInstructionData",
      [withData((await world.closeInstructions(channel))[0]!, (data) => data.subarray(0, 1))],
      signers,
    );
    await world.refuses(
      "InvalidInstructionData",
      [withData((await world.rearmInstructions(channel))[0]!, (data) => data.subarray(0, 1))],
      signers,
    );
  });

  it("an account that is not a channel of this program", async () => {
    const signers = [world.payer, world.payee];
    const [proof, debit] = await world.debitInstructions(channel, 1n);
    const notOurs = [
      world.mint,
      world.ata(world.payer.publicKey),
      world.stranger.publicKey,
      Keypair.generate().publicKey,
    ];
    for (const fake of notOurs) {
      await world.refuses("ChannelOwnerMismatch", [proof!, withAccount(debit!, 0, fake)]);
      await world.refuses("ChannelOwnerMismatch", [withAccount(await topup(), 1, fake)], signers);
      await world.refuses(
        "ChannelOwnerMismatch",
        [withAccount((await world.closeInstructions(channel))[0]!, 1, fake)],
        signers,
      );
      await world.refuses(
        "ChannelOwnerMismatch",
        [withAccount((await world.revokeInstructions(channel))[0]!, 1, fake)],
        signers,
      );
      await world.refuses("ChannelOwnerMismatch", [
        withAccount((await session.seal({ channel: channel.address }))[0]!, 0, fake),
      ]);
      await world.refuses("ChannelOwnerMismatch", [
        withAccount((await world.settleInstructions(channel))[0]!, 0, fake),
      ]);
      await world.refuses("ChannelOwnerMismatch", [
        withAccount((await world.reclaimInstructions(channel))[0]!, 0, fake),
      ]);
    }
  });

  it("a channel account that is only read", async () => {
    const readonly = (instruction: TransactionInstruction, at: number) => ({
      ...instruction,
      keys: instruction.keys.map((key, i) => (i === at ? { ...key, isWritable: false } : key)),
    });
    const [proof, debit] = await world.debitInstructions(channel, 1n);
    await world.refuses("AccountNotWritable", [proof!, readonly(debit!, 0)]);
    await world.refuses(
      "AccountNotWritable",
      [readonly((await world.revokeInstructions(channel))[0]!, 1)],
      [world.payer],
    );
  });

  it("bytes that are not a channel of this version, at an address of this program", async function () {
    localnetOnly(this);
    const real = await chain.connection.getAccountInfo(channel.address, "confirmed");
    const put = async (data: Buffer) => {
      const address = Keypair.generate().publicKey;
      await chain.cheat("mppsol_setAccount", address.toBase58(), {
        lamports: 10_000_000,
        owner: programId("mppsol_session").toBase58(),
        data: data.toString("base64"),
      });
      return (await session.seal({ channel: address }))[0]!;
    };
    const bytes = Buffer.from(real!.data);
    const changed = (at: number, value: number) => {
      const copy = Buffer.from(bytes);
      copy[at] = value;
      return copy;
    };
    await world.refuses("InvalidAccountDiscriminator", [await put(changed(0, 0))]);
    await world.refuses("InvalidAccountDiscriminator", [await put(changed(0, 2))]);
    await world.refuses("UnsupportedChannelVersion", [await put(changed(1, 2))]);
    await world.refuses("UnsupportedChannelVersion", [await put(changed(1, 0))]);
    await world.refuses("InvalidChannelStatus", [await put(changed(3, 4))]);
    await world.refuses("ChannelSizeMismatch", [await put(bytes.subarray(0, 255))]);
    await world.refuses("ChannelSizeMismatch", [await put(Buffer.concat([bytes, Buffer.from([0])]))]);
  });

  it("topup: not the payer, not its mint, not its accounts, nothing, too much", async () => {
    const [payer, stranger] = [world.payer, world.stranger];
    await world.refuses("MissingRequiredSignature", [unsigned(await topup(), 0)]);
    await world.refuses("InvalidChannelPayer", [withAccount(await topup(), 0, stranger.publicKey)], [stranger]);
    await world.refuses("InvalidChannelMint", [withAccount(await topup(), 4, other.mint)], [payer]);
    await world.refuses(
      "ChannelAccountMismatch",
      [withAccount(await topup(), 3, world.ata(world.payee.publicKey))],
      [payer],
    );
    await world.refuses(
      "PayerAccountMismatch",
      [withAccount(await topup(), 2, world.ata(world.payee.publicKey))],
      [payer],
    );
    await world.refuses("InvalidMintTokenProgram", [withAccount(await topup(), 5, stranger.publicKey)], [payer]);
    await world.refuses("DepositMustBeNonZero", [await topup(0n)], [payer]);
    await world.refuses("TopUpDepositOverflow", [await topup(2n ** 64n - 1n)], [payer]);
  });

  it("close and rearm: not the payee", async () => {
    const [close] = await world.closeInstructions(channel);
    const [rearm] = await world.rearmInstructions(channel);
    for (const instruction of [close!, rearm!]) {
      await world.refuses("MissingRequiredSignature", [unsigned(instruction, 0)]);
      for (const other of [world.stranger, world.payer, world.operator]) {
        await world.refuses("InvalidChannelPayee", [withAccount(instruction, 0, other.publicKey)], [other]);
      }
    }
  });

  it("revoke: not the payer", async () => {
    const [revoke] = await world.revokeInstructions(channel);
    await world.refuses("MissingRequiredSignature", [unsigned(revoke!, 0)]);
    for (const other of [world.stranger, world.payee, world.operator]) {
      await world.refuses("InvalidChannelPayer", [withAccount(revoke!, 0, other.publicKey)], [other]);
    }
  });

  it("withdraw_payer: not the payer, not its accounts, not its mint", async () => {
    const own = await World.create();
    const sealed = await own.open({ deposit: 50n });
    await own.close(sealed, 20n);
    const [withdraw] = await own.withdrawInstructions(sealed);
    await own.refuses("MissingRequiredSignature", [unsigned(withdraw!, 0)]);
    await own.refuses("InvalidChannelPayer", [withAccount(withdraw!, 0, own.stranger.publicKey)], [own.stranger]);
    await own.refuses("ChannelAccountMismatch", [withAccount(withdraw!, 2, own.ata(own.payee.publicKey))], [own.payer]);
    await own.refuses("PayerAccountMismatch", [withAccount(withdraw!, 3, own.ata(own.payee.publicKey))], [own.payer]);
    await own.refuses("InvalidChannelMint", [withAccount(withdraw!, 4, other.mint)], [own.payer]);
    await own.refuses("InvalidMintTokenProgram", [withAccount(withdraw!, 5, own.stranger.publicKey)], [own.payer]);
  });

  it("settle: any account but the recorded ones, other splits, a missing recipient, nothing to pay", async () => {
    const [a, b] = [Keypair.generate().publicKey, Keypair.generate().publicKey];
    const own = await World.create({ extras: [a, b] });
    const splits = [a, b].map((owner, at) => ({ recipient: owner.toBase58(), shareBps: 1_000 + at }));
    const shared = await own.open({ deposit: 500n, splits });
    const [settle] = await own.settleInstructions(shared);
    await own.refuses("NothingToDistribute", [settle!]);
    await own.debit(shared, 100n);
    const stranger = own.ata(own.payer.publicKey);
    for (const [at, key, name] of [
      [1, own.stranger.publicKey, "InvalidChannelPayer"],
      [2, own.stranger.publicKey, "InvalidChannelRentPayer"],
      [3, stranger, "ChannelAccountMismatch"],
      [5, stranger, "PayeeAccountMismatch"],
      [6, stranger, "TreasuryAccountMismatch"],
      [7, other.mint, "InvalidChannelMint"],
      [8, own.stranger.publicKey, "InvalidMintTokenProgram"],
      [9, own.stranger.publicKey, "InvalidEventAuthority"],
      [10, own.stranger.publicKey, "InvalidEventAuthority"],
      [11, own.ata(b), "RecipientAccountMismatch"],
      [12, stranger, "RecipientAccountMismatch"],
    ] as const) {
      await own.refuses(name, [withAccount(settle!, at, key)]);
    }
    await own.refuses("RecipientAccountCountMismatch", [{ ...settle!, keys: settle!.keys.slice(0, -1) }]);
    const bps = (data: Buffer) => {
      const copy = Buffer.from(data);
      copy.writeUInt16LE(2_000, 5 + 32);
      return copy;
    };
    await own.refuses("InvalidDistributionHash", [withData(settle!, bps)]);
    await own.refuses("InvalidDistributionHash", [
      withData(settle!, (data) => Buffer.concat([data.subarray(0, 1), Buffer.alloc(4)])),
    ]);
    const swapped = {
      ...settle!,
      keys: settle!.keys.map((key, at) => settle!.keys[at === 11 ? 12 : at === 12 ? 11 : at] ?? key),
    };
    await own.refuses("RecipientAccountMismatch", [swapped]);
    await own.close(shared);
    const [final] = await own.settleInstructions(shared);
    await own.refuses("PayerAccountMismatch", [withAccount(final!, 4, own.ata(own.payee.publicKey))]);
    must(await chain.send([final!]));
  });

  it("settle: an empty address beside the payee's, with which a cranker would send its share to the treasury", async () => {
    const own = await World.create();
    const open = await own.open({ deposit: 500n });
    await own.debit(open, 100n);
    const [settle] = await own.settleInstructions(open);
    const seeds = [own.payee.publicKey.toBuffer(), own.tokenProgram.toBuffer(), own.mint.toBuffer()];
    const ataProgram = new PublicKey("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL");
    const canonical = PublicKey.findProgramAddressSync(seeds, ataProgram)[1];
    for (let bump = canonical - 1, tried = 0; bump >= 0 && tried < 3; bump--) {
      try {
        const address = PublicKey.createProgramAddressSync([...seeds, Buffer.from([bump])], ataProgram);
        await own.refuses("PayeeAccountMismatch", [withAccount(settle!, 5, address)]);
        tried++;
      } catch (error) {
        if (!(error instanceof Error) || !error.message.includes("Invalid seeds")) throw error;
      }
    }
    await own.settle(open);
    expect(await own.balance(own.payee.publicKey)).equal(100n);
    expect(await own.balance(TREASURY)).equal(0n);
  });

  it("rearm: nothing to do, other splits, an account that cannot be paid", async () => {
    const own = await World.create();
    const open = await own.open({ deposit: 500n });
    const [rearm] = await own.rearmInstructions(open);
    for (const [at, key, name] of [
      [2, own.ata(own.payee.publicKey), "ChannelAccountMismatch"],
      [3, own.ata(own.payee.publicKey), "PayerAccountMismatch"],
      [4, own.ata(own.payer.publicKey), "PayeeAccountMismatch"],
      [5, other.mint, "InvalidChannelMint"],
      [6, own.stranger.publicKey, "InvalidMintTokenProgram"],
      [8, own.stranger.publicKey, "InvalidEventAuthority"],
      [9, own.stranger.publicKey, "InvalidEventAuthority"],
    ] as const) {
      await own.refuses(name, [withAccount(rearm!, at, key)], [own.payee]);
    }
    const extra = { pubkey: own.stranger.publicKey, isSigner: false, isWritable: true };
    await own.refuses("RecipientAccountCountMismatch", [{ ...rearm!, keys: [...rearm!.keys, extra] }], [own.payee]);
    const onePart = Buffer.concat([Buffer.from([1, 0, 0, 0]), own.stranger.publicKey.toBuffer(), Buffer.from([1, 0])]);
    await own.refuses(
      "InvalidDistributionHash",
      [withData(rearm!, (data) => Buffer.concat([data.subarray(0, 2), onePart]))],
      [own.payee],
    );
    const [proof, withVoucher] = await own.rearmInstructions(open, 100n);
    await own.refuses(
      "InvalidInstructionsSysvar",
      [proof!, withAccount(withVoucher!, 7, own.stranger.publicKey)],
      [own.payee],
    );
    await own.refuses("MissingEd25519Verification", [withVoucher!], [own.payee]);
    await own.send([rearm!], [own.payee]);
    await own.refuses("NothingToRearm", [rearm!], [own.payee]);
  });

  it("rearm: any recipient's account but the one of the splits, in their order", async () => {
    const [a, b] = [Keypair.generate().publicKey, Keypair.generate().publicKey];
    const own = await World.create({ extras: [a, b] });
    const splits = [a, b].map((owner) => ({ recipient: owner.toBase58(), shareBps: 2_500 }));
    const shared = await own.open({ deposit: 1_000n, splits });
    const [proof, rearm] = await own.rearmInstructions(shared, 401n);
    for (const [at, key] of [
      [10, own.ata(own.payee.publicKey)],
      [11, own.ata(own.payee.publicKey)],
      [10, own.ata(b)],
      [11, own.ata(a)],
      [10, shared.escrow],
    ] as const) {
      await own.refuses("RecipientAccountMismatch", [proof!, withAccount(rearm!, at, key)], [own.payee]);
    }
    await own.send([proof!, rearm!], [own.payee]);
    expect([await own.balance(a), await own.balance(b), await own.balance(own.payee.publicKey)]).deep.equal([
      100n,
      100n,
      200n,
    ]);
  });

  it("rearm: a recipient whose account is gone, without paying anybody", async () => {
    const gone = Keypair.generate().publicKey;
    const own = await World.create();
    const shared = await own.open({ deposit: 1_000n, splits: [{ recipient: gone.toBase58(), shareBps: 2_500 }] });
    await own.refuses("InvalidRecipientTokenAccount", await own.rearmInstructions(shared, 400n), [own.payee]);
  });

  it("an escrow that holds less than the channel owes", async function () {
    localnetOnly(this);
    const own = await World.create();
    const short = await own.open({ deposit: 1_000n });
    await own.close(short, 400n);
    const account = await chain.connection.getAccountInfo(short.address, "confirmed");
    const data = Buffer.from(account!.data);
    // A record that claims more than was ever deposited; the token program then refuses the transfer.
    data.writeBigUInt64LE(2_000n, 12);
    data.writeBigUInt64LE(1_900n, 20);
    await chain.cheat("mppsol_setAccount", short.address.toBase58(), {
      lamports: account!.lamports,
      owner: account!.owner.toBase58(),
      data: data.toString("base64"),
    });
    const landed = await chain.send(await own.settleInstructions(short));
    expect(landed.err).not.equal(null);
    expect(await own.balance(own.payee.publicKey)).equal(0n);
  });
});
