// debit_batch: one signature, many channels (spec/session.md, "debit_batch"; ADR-004 of payment-channels).
import { BatchVoucher } from "@mppsol/core";
import { batchVoucherInstruction, SESSION_PROGRAM_ID, session, signBatchVoucher } from "@mppsol/programs";
import {
  AddressLookupTableProgram,
  Keypair,
  PublicKey,
  SYSVAR_INSTRUCTIONS_PUBKEY,
  type TransactionInstruction,
} from "@solana/web3.js";
import { expect } from "chai";
import { chain, localnetOnly } from "../support/chain.js";
import { GRACE, World, withAccount } from "../support/world.js";

type Channel = Awaited<ReturnType<World["open"]>>;

const sorted = (channels: readonly Channel[]) =>
  [...channels].sort((a, b) => Buffer.compare(a.address.toBuffer(), b.address.toBuffer()));

async function batch(
  channels: readonly Channel[],
  targets: readonly bigint[],
  options: { expiresAt?: bigint; signer?: Keypair; programId?: PublicKey } = {},
) {
  const voucher = await signBatchVoucher(
    {
      programId: (options.programId ?? SESSION_PROGRAM_ID).toBase58(),
      expiresAt: options.expiresAt ?? 0n,
      entries: channels.map((channel, at) => ({
        channelId: channel.address.toBase58(),
        cumulativeAmount: targets[at]!,
      })),
    },
    options.signer ?? channels[0]!.signer,
  );
  return session.debitBatch({ voucher });
}

describe("a batch voucher", () => {
  let world: World;
  let channels: Channel[];

  beforeEach(async () => {
    world = await World.create();
    channels = sorted([
      await world.open({ deposit: 100n }),
      await world.open({ deposit: 100n }),
      await world.open({ deposit: 100n }),
    ]);
  });

  const settled = async () => Promise.all(channels.map(async (channel) => (await world.state(channel)).settled));

  it("raises every channel's watermark to its target", async () => {
    await world.send(await batch(channels, [10n, 20n, 30n]));
    expect(await settled()).deep.equal([10n, 20n, 30n]);
  });

  it("presented again, or after a single voucher, changes nothing and does not fail", async () => {
    await world.debit(channels[1]!, 50n);
    const instructions = await batch(channels, [10n, 20n, 30n]);
    await world.send(instructions);
    await world.send(instructions);
    expect(await settled()).deep.equal([10n, 50n, 30n]);
  });

  it("is refused as a whole if one target is nothing, above the deposit, or of another signer", async () => {
    const zero = await batch(channels, [10n, 20n, 30n]);
    expect(zero.length).equal(2);
    await world.refuses("VoucherOverDeposit", await batch(channels, [10n, 101n, 30n]));
    await world.refuses("VoucherSignerMismatch", await batch(channels, [1n, 1n, 1n], { signer: world.stranger }));
    const foreign = await world.open({ deposit: 100n, signer: Keypair.generate() });
    await world.refuses(
      "VoucherSignerMismatch",
      await batch(sorted([channels[0]!, foreign]), [1n, 1n], { signer: channels[0]!.signer }),
    );
    expect(await settled()).deep.equal([0n, 0n, 0n]);
  });

  it("cannot be moved to other channels, another order, fewer or more of them", async () => {
    const [proof, run] = (await batch(channels.slice(0, 2), [10n, 20n])) as [
      TransactionInstruction,
      TransactionInstruction,
    ];
    await world.refuses("BatchChannelsMismatch", [proof, withAccount(run, 2, channels[2]!.address)]);
    const swapped = { ...run, keys: [run.keys[0]!, run.keys[2]!, run.keys[1]!] };
    await world.refuses("BatchNotSorted", [proof, swapped]);
    await world.refuses("BatchNotSorted", [proof, withAccount(run, 2, channels[0]!.address)]);
    await world.refuses("NotEnoughAccountKeys", [proof, { ...run, keys: run.keys.slice(0, 2) }]);
    const third = { pubkey: channels[2]!.address, isSigner: false, isWritable: true };
    await world.refuses("NotEnoughAccountKeys", [proof, { ...run, keys: [...run.keys, third] }]);
    await world.refuses("NotEnoughAccountKeys", [proof, { ...run, keys: [] }]);
  });

  it("for another program is refused", async () => {
    const other = new PublicKey("CHNLxYvVA28MJP9PrFuDXccuoGXAx7jBacfLEkahyGsX");
    const [proof] = await batch(channels, [1n, 1n, 1n], { programId: other });
    const [, run] = await batch(channels, [1n, 1n, 1n]);
    await world.refuses("BatchChannelsMismatch", [proof!, run!]);
  });

  it("is no single voucher and a single voucher is no batch", async () => {
    const [proof, run] = await batch(channels.slice(0, 1), [10n]);
    const [single, debit] = await world.debitInstructions(channels[0]!, 10n);
    await world.refuses("VoucherBadMagic", [single!, run!]);
    await world.refuses("MalformedEd25519Instruction", [proof!, debit!]);
  });

  it("that expired is refused even if every target is reached", async () => {
    await world.send(await batch(channels, [10n, 20n, 30n]));
    await world.refuses("VoucherExpired", await batch(channels, [10n, 20n, 30n], { expiresAt: 1n }));
  });

  it("counts for a channel in grace, and one that is sealed only if its target is reached", async () => {
    await world.revoke(channels[0]!);
    await world.debit(channels[1]!, 20n);
    await world.close(channels[1]!);
    await world.send(await batch(channels, [10n, 20n, 30n]));
    expect(await settled()).deep.equal([10n, 20n, 30n]);
    await world.refuses("InvalidChannelStatus", await batch(channels, [11n, 21n, 31n]));
    await chain.advance(GRACE);
    await world.refuses("InvalidChannelStatus", await batch(channels.slice(0, 1), [11n]));
  });

  it("needs its proof right before it, from the real sysvar", async () => {
    const [proof, run] = await batch(channels, [10n, 20n, 30n]);
    await world.refuses("MissingEd25519Verification", [run!]);
    await world.refuses("MissingEd25519Verification", [run!, proof!]);
    await world.refuses("InvalidInstructionsSysvar", [proof!, withAccount(run!, 0, world.stranger.publicKey)]);
    expect(run!.keys[0]!.pubkey.equals(SYSVAR_INSTRUCTIONS_PUBKEY)).equal(true);
  });

  it("of 59 channels fits one transaction with a lookup table", async function () {
    localnetOnly(this);
    const many = [];
    for (let at = 0; at < 59; at++) many.push(await world.open({ deposit: 10n }));
    const ordered = sorted(many);
    const instructions = await batch(
      ordered,
      ordered.map((_, at) => BigInt((at % 10) + 1)),
    );
    const [create, table] = AddressLookupTableProgram.createLookupTable({
      authority: chain.payer.publicKey,
      payer: chain.payer.publicKey,
      recentSlot: (await chain.slot()) - 1n,
    });
    await world.send([create]);
    const addresses = [SYSVAR_INSTRUCTIONS_PUBKEY, ...ordered.map((channel) => channel.address)];
    for (let at = 0; at < addresses.length; at += 25) {
      await world.send([
        AddressLookupTableProgram.extendLookupTable({
          payer: chain.payer.publicKey,
          authority: chain.payer.publicKey,
          lookupTable: table,
          addresses: addresses.slice(at, at + 25),
        }),
      ]);
    }
    await chain.reachSlot((await chain.slot()) + 1n);
    const { value } = await chain.connection.getAddressLookupTable(table, { commitment: "confirmed" });
    const landed = await world.send(instructions, [], { lookupTables: [value!] });
    expect(landed.bytes).lessThan(1_233);
    for (const [at, channel] of ordered.entries()) {
      expect((await world.state(channel)).settled).equal(BigInt((at % 10) + 1));
    }
  });

  it("with a target of nothing, made by hand, is refused", async () => {
    const voucher = await signBatchVoucher(
      {
        programId: SESSION_PROGRAM_ID.toBase58(),
        expiresAt: 0n,
        entries: [{ channelId: channels[0]!.address.toBase58(), cumulativeAmount: 1n }],
      },
      channels[0]!.signer,
    );
    const message = Buffer.from(BatchVoucher.encode(voucher.batch));
    message.writeBigUInt64LE(0n, 43);
    const { ed25519Instruction, signMessage } = await import("@mppsol/programs");
    const signer = channels[0]!.signer;
    const proof = ed25519Instruction({
      publicKey: signer.publicKey.toBytes(),
      signature: signMessage(signer, message),
      message,
    });
    const [, run] = await session.debitBatch({ voucher });
    await world.refuses("BatchTargetZero", [proof, run!]);
    expect(batchVoucherInstruction(voucher).data.length).equal(112 + 51);
  });

  it("of no channels and of 61, made by hand, is refused", async () => {
    const { ed25519Instruction, signMessage } = await import("@mppsol/programs");
    const [, run] = await batch(channels.slice(0, 1), [10n]);
    const signer = channels[0]!.signer;
    for (const count of [0, 61]) {
      const message = Buffer.concat([Buffer.from([0x56, 0x02, count]), Buffer.alloc(40 + 8 * count)]);
      const proof = ed25519Instruction({
        publicKey: signer.publicKey.toBytes(),
        signature: signMessage(signer, message),
        message,
      });
      await world.refuses("InvalidBatchCount", [proof, run!]);
    }
  });
});
