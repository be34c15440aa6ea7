// What proves a voucher, and what does not: forged, moved, replayed, foreign, stale (attack list 1–11).
import { ed25519Instruction, session, signMessage } from "@mppsol/programs";
import {
  ComputeBudgetProgram,
  Ed25519Program,
  Keypair,
  PublicKey,
  SystemProgram,
  TransactionInstruction,
} from "@solana/web3.js";
import { expect } from "chai";
import { chain, localnetOnly } from "../support/chain.js";
import { must, World, withAccount } from "../support/world.js";

const KEY_AT = 16;
const SIGNATURE_AT = 48;
const MESSAGE_AT = 112;
const OWN = 0xffff;

interface Offsets {
  signature: [number, number];
  key: [number, number];
  message: [number, number, number];
}

/** An Ed25519 instruction with any header over any bytes. */
function ed25519(
  body: Uint8Array,
  { signature, key, message }: Offsets,
  count = 1,
  padding = 0,
): TransactionInstruction {
  const header = Buffer.alloc(16);
  header[0] = count;
  header[1] = padding;
  [signature[0], signature[1], key[0], key[1], message[0], message[2], message[1]].forEach((value, at) => {
    header.writeUInt16LE(value, 2 + at * 2);
  });
  return new TransactionInstruction({
    programId: Ed25519Program.programId,
    keys: [],
    data: Buffer.concat([header, body]),
  });
}

const body = (key: Keypair, message: Uint8Array, signature = signMessage(key, message)) =>
  Buffer.concat([key.publicKey.toBytes(), signature, message]);

function message(channel: PublicKey, amount: bigint, magic = [0x56, 0x01]): Buffer {
  const bytes = Buffer.alloc(50);
  bytes.set(magic);
  bytes.set(channel.toBytes(), 2);
  bytes.writeBigUInt64LE(amount, 34);
  return bytes;
}

describe("proof of a voucher", () => {
  let world: World;
  let channel: Awaited<ReturnType<World["open"]>>;
  let debit: TransactionInstruction;

  beforeEach(async () => {
    world = await World.create();
    channel = await world.open({ deposit: 1_000n });
    debit = (await world.debitInstructions(channel, 100n))[1]!;
  });

  const forged = () => body(channel.signer, message(channel.address, 900n), new Uint8Array(64));
  const attacker = Keypair.generate();

  for (const [part, where] of [
    ["signature", { signature: [SIGNATURE_AT, 0], key: [KEY_AT, OWN], message: [MESSAGE_AT, OWN, 50] }],
    ["public key", { signature: [SIGNATURE_AT, OWN], key: [KEY_AT, 0], message: [MESSAGE_AT, OWN, 50] }],
    ["message", { signature: [SIGNATURE_AT, OWN], key: [KEY_AT, OWN], message: [MESSAGE_AT, 0, 50] }],
  ] as const) {
    it(`is refused when the ${part} that was verified lies in another instruction`, async () => {
      // Instruction 0 is honestly signed by the channel's signer over the same bytes, so the precompile accepts
      // whatever part instruction 1 borrows from it.
      const genuine = body(channel.signer, message(channel.address, 100n));
      const honest = ed25519(genuine, {
        signature: [SIGNATURE_AT, OWN],
        key: [KEY_AT, OWN],
        message: [MESSAGE_AT, OWN, 50],
      });
      const borrowing = ed25519(genuine, where as unknown as Offsets);
      await world.refuses("MalformedEd25519Instruction", [honest, borrowing, debit]);
    });
  }

  it("is refused when the precompile verified an attacker's signature elsewhere and a fake voucher stands where we read", async () => {
    const own = body(attacker, Buffer.from("anything the attacker likes to sign"));
    const honestForAttacker = ed25519(own, {
      signature: [SIGNATURE_AT, OWN],
      key: [KEY_AT, OWN],
      message: [MESSAGE_AT, OWN, own.length - 96],
    });
    const fake = ed25519(forged(), {
      signature: [SIGNATURE_AT, 0],
      key: [KEY_AT, 0],
      message: [MESSAGE_AT, 0, own.length - 96],
    });
    await world.refuses("MalformedEd25519Instruction", [honestForAttacker, fake, debit]);
  });

  it("is refused when the verified part lies further back in the same instruction", async () => {
    const hidden = body(attacker, message(channel.address, 900n));
    const shift = forged().length;
    const fake = ed25519(Buffer.concat([forged(), hidden]), {
      signature: [SIGNATURE_AT + shift, OWN],
      key: [KEY_AT + shift, OWN],
      message: [MESSAGE_AT + shift, OWN, 50],
    });
    await world.refuses("MalformedEd25519Instruction", [fake, debit]);
  });

  it("is refused when parts overlap in 162 bytes at other offsets", async () => {
    const text = message(channel.address, 100n);
    const data = Buffer.concat([signMessage(channel.signer, text), channel.signer.publicKey.toBytes(), text]);
    const swapped = ed25519(data, { signature: [16, OWN], key: [80, OWN], message: [112, OWN, 50] });
    await world.refuses("MalformedEd25519Instruction", [swapped, debit]);
  });

  it("is refused with no signature in the instruction", async () => {
    const none = new TransactionInstruction({
      programId: Ed25519Program.programId,
      keys: [],
      data: Buffer.from([0, 0]),
    });
    await world.refuses("MalformedEd25519Instruction", [none, debit]);
  });

  it("is refused with two signatures in the instruction", async () => {
    const text = message(channel.address, 100n);
    const signed = body(channel.signer, text);
    const at = 2 + 14 * 2;
    const record = (field: number[]) => Buffer.concat(field.map((value) => Buffer.from([value & 255, value >> 8])));
    const one = record([at + 32, OWN, at, OWN, at + 96, 50, OWN]);
    const two = new TransactionInstruction({
      programId: Ed25519Program.programId,
      keys: [],
      data: Buffer.concat([Buffer.from([2, 0]), one, one, signed]),
    });
    await world.refuses("MalformedEd25519Instruction", [two, debit]);
  });

  it("is refused with a rider behind the message", async () => {
    const genuine = body(channel.signer, message(channel.address, 100n));
    const longer = ed25519(Buffer.concat([genuine, Buffer.from([1])]), {
      signature: [SIGNATURE_AT, OWN],
      key: [KEY_AT, OWN],
      message: [MESSAGE_AT, OWN, 50],
    });
    await world.refuses("MalformedEd25519Instruction", [longer, debit]);
  });

  it("is refused with a set padding byte", async () => {
    const genuine = body(channel.signer, message(channel.address, 100n));
    const where: Offsets = { signature: [SIGNATURE_AT, OWN], key: [KEY_AT, OWN], message: [MESSAGE_AT, OWN, 50] };
    await world.refuses("MalformedEd25519Instruction", [ed25519(genuine, where, 1, 7), debit]);
  });

  it("is refused when the message is a byte shorter or longer than a voucher", async () => {
    for (const length of [49, 51]) {
      const text = Buffer.concat([message(channel.address, 100n), Buffer.from([0])]).subarray(0, length);
      const signed = {
        publicKey: channel.signer.publicKey.toBytes(),
        signature: signMessage(channel.signer, text),
        message: text,
      };
      await world.refuses("MalformedEd25519Instruction", [ed25519Instruction(signed), debit]);
    }
  });

  it("must stand right before: absent, after, or with anything in between it is missing", async () => {
    const [proof] = await world.debitInstructions(channel, 100n);
    const budget = ComputeBudgetProgram.setComputeUnitLimit({ units: 50_000 });
    const transfer = SystemProgram.transfer({
      fromPubkey: chain.payer.publicKey,
      toPubkey: world.payee.publicKey,
      lamports: 1,
    });
    for (const instructions of [[debit], [debit, proof!], [proof!, budget, debit], [proof!, transfer, debit]]) {
      await world.refuses("MissingEd25519Verification", instructions);
    }
  });

  it("is found right before the instruction however many stand before it", async () => {
    const budget = ComputeBudgetProgram.setComputeUnitLimit({ units: 50_000 });
    const other = await world.debitInstructions(channel, 50n);
    await world.send([budget, ...other, ...(await world.debitInstructions(channel, 100n))]);
    expect((await world.state(channel)).settled).equal(100n);
  });

  it("is not read from an account that only pretends to be the instructions sysvar", async () => {
    const [proof, genuine] = await world.debitInstructions(channel, 100n);
    for (const fake of [world.stranger.publicKey, channel.escrow, world.mint]) {
      await world.refuses("InvalidInstructionsSysvar", [proof!, withAccount(genuine!, 1, fake)]);
    }
  });

  it("of the right bytes under another key is refused", async () => {
    await world.refuses("VoucherSignerMismatch", await world.debitInstructions(channel, 100n, 0n, attacker));
    await world.refuses("VoucherSignerMismatch", await world.debitInstructions(channel, 100n, 0n, world.payee));
  });

  it("counts once for two debits in one transaction", async () => {
    const [proof, cash] = await world.debitInstructions(channel, 100n);
    await world.refuses("MissingEd25519Verification", [proof!, cash!, cash!]);
    await world.refuses("VoucherWatermarkNotMonotonic", [proof!, cash!, proof!, cash!]);
  });
});

describe("a voucher", () => {
  let world: World;
  let channel: Awaited<ReturnType<World["open"]>>;

  beforeEach(async () => {
    world = await World.create();
    channel = await world.open({ deposit: 1_000n });
  });

  it("for another channel is refused, even of the same parties", async () => {
    const other = await world.open({ deposit: 1_000n });
    const [proof] = await world.debitInstructions(other, 100n);
    const [, debit] = await world.debitInstructions(channel, 100n);
    await world.refuses("VoucherChannelMismatch", [proof!, debit!]);
  });

  it("for the same seeds under another program is refused", async () => {
    const twin = (await import("@mppsol/programs")).channelAddress(
      {
        payer: world.payer.publicKey,
        payee: channel.payee,
        mint: world.mint,
        authorizedSigner: channel.signer.publicKey,
        salt: channel.salt,
        openSlot: channel.openSlot,
      },
      new PublicKey("CHNLxYvVA28MJP9PrFuDXccuoGXAx7jBacfLEkahyGsX"),
    );
    const [, debit] = await world.debitInstructions(channel, 100n);
    const text = message(twin, 100n);
    const signed = {
      publicKey: channel.signer.publicKey.toBytes(),
      signature: signMessage(channel.signer, text),
      message: text,
    };
    await world.refuses("VoucherChannelMismatch", [ed25519Instruction(signed), debit!]);
  });

  it("is not: a message of an older format, a batch, a transaction or an off-chain message of 50 bytes", async () => {
    const [, debit] = await world.debitInstructions(channel, 100n);
    for (const magic of [
      [0x56, 0x00],
      [0x56, 0x02],
      [0x52, 0x01],
      [0x01, 0x00],
      [0x80, 0x01],
      [0xff, 0x73],
    ]) {
      const text = message(channel.address, 100n, magic);
      const signed = {
        publicKey: channel.signer.publicKey.toBytes(),
        signature: signMessage(channel.signer, text),
        message: text,
      };
      await world.refuses("VoucherBadMagic", [ed25519Instruction(signed), debit!]);
    }
  });

  it("pays once: the same, an equal and a lower amount are refused after it", async () => {
    await world.debit(channel, 100n);
    for (const amount of [100n, 99n, 1n, 0n]) {
      await world.refuses("VoucherWatermarkNotMonotonic", await world.debitInstructions(channel, amount));
    }
  });

  it("of nothing is refused on a fresh channel", async () => {
    await world.refuses("VoucherWatermarkNotMonotonic", await world.debitInstructions(channel, 0n));
  });

  it("may reach the deposit to the last unit, and not one further", async () => {
    for (const amount of [1_001n, 2n ** 63n, 2n ** 64n - 1n]) {
      await world.refuses("VoucherOverDeposit", await world.debitInstructions(channel, amount));
    }
    await world.debit(channel, 1_000n);
    expect((await world.state(channel)).settled).equal(1_000n);
  });

  it("is good a second before its expiry, not at it, and never when it expired before the epoch", async function () {
    localnetOnly(this);
    const now = BigInt(await chain.now());
    await world.debit(channel, 10n, now + 1n);
    await world.refuses("VoucherExpired", await world.debitInstructions(channel, 20n, now));
    await world.refuses("VoucherExpired", await world.debitInstructions(channel, 20n, now - 1n));
    await world.refuses("VoucherExpired", await world.debitInstructions(channel, 20n, -1n));
    await world.debit(channel, 30n, 2n ** 63n - 1n);
    await world.debit(channel, 40n, 0n);
  });

  it("that expired is refused and one that will expire is not", async () => {
    const now = BigInt(await chain.now());
    await world.refuses("VoucherExpired", await world.debitInstructions(channel, 10n, now - 60n));
    await world.debit(channel, 10n, now + 3_600n);
  });

  it("signed by a session key counts, and the payer's own does not, in a channel opened for that key", async () => {
    const sessionKey = Keypair.generate();
    const delegated = await world.open({ deposit: 500n, signer: sessionKey });
    await world.refuses("VoucherSignerMismatch", await world.debitInstructions(delegated, 5n, 0n, world.payer));
    await world.debit(delegated, 5n);
  });

  it("may be cashed by anyone", async () => {
    const instructions = await world.debitInstructions(channel, 100n);
    expect(instructions[1]!.keys.some((key) => key.isSigner)).equal(false);
    must(await chain.send(instructions, [world.stranger]));
    expect((await world.state(channel)).settled).equal(100n);
  });

  it("that came with close is held to the same rules", async () => {
    const [, closing] = await world.closeInstructions(channel, 100n);
    await world.refuses("MissingEd25519Verification", [closing!], [world.payee]);
    await world.refuses("VoucherOverDeposit", await world.closeInstructions(channel, 1_001n), [world.payee]);
    await world.refuses("VoucherExpired", await world.closeInstructions(channel, 100n, 1n), [world.payee]);
    const wrong = await session.close({
      channel: channel.address,
      payee: world.payee.publicKey,
      voucher: await world.voucher(channel, 100n, 0n, world.stranger),
    });
    await world.refuses("VoucherSignerMismatch", wrong, [world.payee]);
    await world.debit(channel, 50n);
    await world.refuses("VoucherWatermarkNotMonotonic", await world.closeInstructions(channel, 50n), [world.payee]);
  });
});

describe("a key that could never sign", () => {
  const offCurve = new PublicKey("ComputeBudget111111111111111111111111111111");
  const smallOrder = [
    new PublicKey(Uint8Array.from({ length: 32 }, (_, at) => (at === 0 ? 1 : 0))),
    new PublicKey(new Uint8Array(32)),
    new PublicKey(Buffer.from("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "hex")),
    new PublicKey(Buffer.from("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", "hex")),
    new PublicKey(Buffer.from("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", "hex")),
  ];
  const notCanonical = new PublicKey(
    Buffer.from("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "hex"),
  );

  it("is refused as a channel's signer: off the curve, of small order, or not canonically encoded", async () => {
    const world = await World.create();
    const pda = PublicKey.findProgramAddressSync([Buffer.from("any")], SystemProgram.programId)[0];
    for (const key of [pda, ...smallOrder, notCanonical, ...(PublicKey.isOnCurve(offCurve) ? [] : [offCurve])]) {
      const channel = await world.plan({ signer: { publicKey: key } as Keypair });
      await world.refuses("InvalidAuthorizedSigner", await world.openInstructions(channel), [
        world.payer,
        world.operator,
      ]);
    }
  });
});
