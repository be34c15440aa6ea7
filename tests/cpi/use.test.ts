// verify, consume and close_receipt: what a receipt is worth, to whom, once (attack list 12, 13, 27, 30, 32, 33).
import { Keypair, type PublicKey, SystemProgram } from "@solana/web3.js";
import { expect } from "chai";
import { chain, localnetOnly } from "../support/chain.js";
import { unsigned, World } from "../support/world.js";
import {
  account,
  attest,
  closeReceipt,
  consume,
  consumer,
  type Expected,
  expected,
  hash,
  oldSlot,
  PAY_PROGRAM,
  paid,
  pay,
  payInstruction,
  RESULT,
  receipt,
  receiptAddress,
  refuses,
  refusesWith,
  terms,
  verify,
  WINDOW,
} from "./pay.js";

let world: World;
before(async () => {
  world = await World.create();
});

/** Paid and attested. */
async function attested(change: Parameters<typeof paid>[1] = {}): Promise<PublicKey> {
  const it = await paid(world, change);
  await world.send([await attest(it, world.payee.publicKey)], [world.payee]);
  return it;
}

describe("verify", () => {
  let it_: PublicKey;
  before(async () => {
    it_ = await attested({ expiresAt: BigInt((await chain.now()) + 600) });
  });
  const differs = async (name: string, change: Partial<Expected>) =>
    refuses(world, name, [await verify(it_, expected(world, change))]);

  it("says yes to the very terms, with or without a payer", async () => {
    for (const result of [{ asPaid: {} }, { attested: {} }, { hash: [[...RESULT]] as [number[]] }]) {
      await world.send([await verify(it_, expected(world, { result }))]);
    }
    await world.send([await verify(it_, expected(world, { payer: null }))]);
  });

  it("returns 77 bytes that name the receipt and its result", async () => {
    const { logs } = await world.send([await verify(it_, expected(world))]);
    const prefix = `Program return: ${PAY_PROGRAM.toBase58()} `;
    const line = logs.find((log) => log.startsWith(prefix)) ?? "";
    const data = Buffer.from(line.slice(prefix.length), "base64");
    const { expiresAt } = await receipt(it_);
    const tail = Buffer.alloc(8);
    tail.writeBigInt64LE(expiresAt);
    expect(data).deep.equal(Buffer.concat([Buffer.from("mpv1"), it_.toBytes(), Buffer.from([1]), RESULT, tail]));
  });

  it("refuses another payer", () => differs("PayerMismatch", { payer: world.stranger.publicKey }));
  it("refuses another recipient", () => differs("RecipientMismatch", { recipient: world.stranger.publicKey }));
  it("refuses the recipient's token account for the recipient", () =>
    differs("RecipientMismatch", { recipient: world.ata(world.payee.publicKey) }));
  it("refuses another mint", () => differs("MintMismatch", { mint: world.stranger.publicKey }));
  it("refuses a unit more and a unit less", async () => {
    await differs("AmountMismatch", { amount: 101n });
    await differs("AmountMismatch", { amount: 99n });
  });
  it("refuses another request", () => differs("RequestHashMismatch", { requestHash: hash("x") }));
  it("refuses another consumer", () => differs("ConsumerMismatch", { consumer: world.stranger.publicKey }));
  it("refuses another result", () => differs("ResultHashMismatch", { result: { hash: [[...hash("x")]] } }));

  it("refuses a receipt without a result where one is needed", async () => {
    const bare = await paid(world);
    for (const result of [{ asPaid: {} }, { attested: {} }, { hash: [[...RESULT]] as [number[]] }]) {
      await refuses(world, "ReceiptNotAttested", [await verify(bare, expected(world, { result }))]);
    }
    const simple = await paid(world, { needsAttestation: false });
    await world.send([await verify(simple, expected(world))]);
    await refuses(world, "ReceiptNotAttested", [await verify(simple, expected(world, { result: { attested: {} } }))]);
  });

  it("uses nothing up: a second look says the same, and consuming ends it", async () => {
    const it = await attested();
    const look = await verify(it, expected(world));
    await world.send([look, look, await consume(it)], [consumer]);
    await refuses(world, "ReceiptConsumed", [look]);
  });

  it("refuses a receipt from the second it expires in", async () => {
    const it = await attested({ expiresAt: BigInt((await chain.now()) + 3) });
    await chain.advance(3);
    await refuses(world, "ReceiptExpired", [await verify(it, expected(world))]);
  });

  it("refuses a fake of another program, byte for byte the same", async function () {
    localnetOnly(this); // only there can an account be put anywhere
    const real = await account(it_);
    const fake = Keypair.generate().publicKey;
    await chain.cheat("mppsol_setAccount", fake.toBase58(), {
      lamports: real!.lamports,
      data: real!.data.toString("base64"),
      owner: Keypair.generate().publicKey.toBase58(),
      executable: false,
    });
    await refusesWith(world, 3007, [await verify(fake, expected(world))]);
    await refusesWith(world, 3007, [await consume(fake)], [consumer]);
  });

  it("refuses an account of this program that does not begin as a receipt does", async function () {
    localnetOnly(this);
    const real = await account(it_);
    const put = async (data: Buffer) => {
      const key = Keypair.generate().publicKey;
      const { lamports } = real!;
      await chain.cheat("mppsol_setAccount", key.toBase58(), {
        lamports,
        data: data.toString("base64"),
        owner: PAY_PROGRAM.toBase58(),
        executable: false,
      });
      return key;
    };
    const other = Buffer.from(real!.data);
    other[0] = other[0]! ^ 1;
    await refusesWith(world, 3002, [await verify(await put(other), expected(world))]);
    const version = Buffer.from(real!.data);
    version[8] = 2;
    const next = await put(version);
    await refuses(world, "UnsupportedReceiptVersion", [await verify(next, expected(world))]);
    await refuses(world, "UnsupportedReceiptVersion", [await consume(next)], [consumer]);
    await refuses(world, "UnsupportedReceiptVersion", [await attest(next, world.payee.publicKey)], [world.payee]);
    await refuses(world, "UnsupportedReceiptVersion", [await closeReceipt(next, world.operator.publicKey)]);
  });

  it("refuses a channel, a token account and a wallet for a receipt", async () => {
    const channel = await world.open();
    for (const other of [channel.address, world.ata(world.payee.publicKey), world.operator.publicKey]) {
      await refusesWith(world, 3007, [await verify(other, expected(world))]);
    }
  });
});

describe("consume", () => {
  it("marks an attested receipt used, for good", async () => {
    const it = await attested();
    const before = await receipt(it);
    const { logs } = await world.send([await consume(it)], [consumer]);
    const { consumedAt, ...after } = await receipt(it);
    expect(consumedAt >= before.attestedAt).equal(true);
    expect({ ...after, consumedAt: 0n }).deep.equal({ ...before, status: { consumed: {} } });
    const log = logs.find((line) => line.startsWith("Program data: ")) ?? "";
    expect(pay.coder.events.decode(log.slice(14))?.name).equal("consumed");
    await refuses(world, "ReceiptConsumed", [await consume(it)], [consumer]);
  });

  it("refuses to use a receipt twice in one transaction", async () => {
    const it = await attested();
    const use = await consume(it);
    await refuses(world, "ReceiptConsumed", [use, use], [consumer]);
    expect((await receipt(it)).status).deep.equal({ attested: {} });
  });

  it("waits for the attestation, where the receipt was paid for one", async () => {
    await refuses(world, "ReceiptNotAttested", [await consume(await paid(world))], [consumer]);
    await world.send([await consume(await paid(world, { needsAttestation: false }))], [consumer]);
  });

  it("refuses everybody but the consumer that was named", async () => {
    const it = await attested();
    for (const key of [world.payer, world.payee, world.operator, world.stranger]) {
      await refuses(world, "NotTheConsumer", [await consume(it, key.publicKey)], [key]);
    }
    await refusesWith(world, 3010, [unsigned(await consume(it), 1)]);
  });

  it("refuses a receipt from the second it expires in", async () => {
    const it = await attested({ expiresAt: BigInt((await chain.now()) + 3) });
    await chain.advance(3);
    await refuses(world, "ReceiptExpired", [await consume(it)], [consumer]);
  });
});

describe("close_receipt", () => {
  const close = (it: PublicKey) => closeReceipt(it, world.operator.publicKey);

  it("returns every lamport to who paid the rent, gifts too, once consumed and past the window", async () => {
    const paySlot = await oldSlot();
    const it = await attested({ paySlot });
    await world.send([await consume(it)], [consumer]);
    const gift = SystemProgram.transfer({ fromPubkey: chain.payer.publicKey, toPubkey: it, lamports: 12_345 });
    await world.send([gift]);
    await chain.reachSlot(paySlot + WINDOW + 1n);
    const before = await chain.connection.getBalance(world.operator.publicKey, "confirmed");
    const { lamports } = (await account(it))!;
    await world.send([await close(it)]);
    expect(await account(it)).equal(null);
    expect(await chain.connection.getBalance(world.operator.publicKey, "confirmed")).equal(before + lamports);
  });

  it("frees an expired receipt that nobody used", async () => {
    const paySlot = await oldSlot();
    const it = await paid(world, { paySlot, expiresAt: BigInt((await chain.now()) + 3) });
    await chain.reachSlot(paySlot + WINDOW + 1n);
    await chain.advance(4);
    await world.send([await close(it)]);
    expect(await account(it)).equal(null);
  });

  it("refuses a receipt that still counts, however old its slot", async () => {
    const paySlot = await oldSlot();
    const it = await attested({ paySlot, expiresAt: BigInt((await chain.now()) + 3_600) });
    await chain.reachSlot(paySlot + WINDOW + 1n);
    await refuses(world, "ReceiptStillLive", [await close(it)]);
  });

  it("refuses in the last slot in which a payment could reach the address, and allows in the next", async function () {
    localnetOnly(this); // slots pass on their own there
    const paySlot = await oldSlot();
    const it = await attested({ paySlot });
    await world.send([await consume(it)], [consumer]);
    await refuses(world, "ReceiptCloseTooEarly", [await close(it)]);
    await chain.reachSlot(paySlot + WINDOW);
    await refuses(world, "ReceiptCloseTooEarly", [await close(it)]);
    await chain.reachSlot(paySlot + WINDOW + 1n);
    await world.send([await close(it)]);
  });

  it("gives the rent to nobody else", async () => {
    const paySlot = await oldSlot();
    const it = await attested({ paySlot });
    await world.send([await consume(it)], [consumer]);
    await chain.reachSlot(paySlot + WINDOW + 1n);
    for (const other of [world.payer, world.payee, world.stranger, consumer]) {
      await refuses(world, "NotTheRentPayer", [await closeReceipt(it, other.publicKey)], []);
    }
    await world.send([await close(it)]);
  });

  it("leaves an address that nobody can pay into again, in the same transaction or later", async () => {
    const the = await terms({ paySlot: await oldSlot(), expiresAt: BigInt((await chain.now()) + 3_600) });
    const signers = [world.payer, world.operator];
    const again = await payInstruction(world, the);
    await world.send([again], signers);
    const it = receiptAddress(world.payer.publicKey, the);
    await world.send([await attest(it, world.payee.publicKey)], [world.payee]);
    await world.send([await consume(it)], [consumer]);
    await chain.reachSlot(the.paySlot + WINDOW + 1n);
    await refuses(world, "PaySlotOutOfWindow", [await close(it), again], signers);
    await world.send([await close(it)]);
    await refuses(world, "PaySlotOutOfWindow", [again], signers);
    await refusesWith(world, 3012, [await consume(it)], [consumer]);
  });

  it("cannot be undone by lamports sent back in the same transaction", async () => {
    const paySlot = await oldSlot();
    const it = await attested({ paySlot });
    await world.send([await consume(it)], [consumer]);
    await chain.reachSlot(paySlot + WINDOW + 1n);
    const { lamports } = (await account(it))!;
    const revive = SystemProgram.transfer({ fromPubkey: chain.payer.publicKey, toPubkey: it, lamports });
    await world.send([await close(it), revive]);
    const ghost = await account(it);
    expect([ghost?.data.length, ghost?.owner.toBase58()]).deep.equal([0, SystemProgram.programId.toBase58()]);
    await refusesWith(world, 3007, [await consume(it)], [consumer]);
  });
});
