// attest: who may bind a result to a receipt, by which proof, and when (attack list 1–5, 7, 10, 31).
import { ed25519Instruction, signMessage } from "@mppsol/programs";
import { ComputeBudgetProgram, Ed25519Program, Keypair, type PublicKey, TransactionInstruction } from "@solana/web3.js";
import { expect } from "chai";
import { chain } from "../support/chain.js";
import { unsigned, World, withData } from "../support/world.js";
import {
  account,
  attest,
  attestationMessage,
  attestBySignature,
  consume,
  consumer,
  hash,
  LIFETIME,
  NONE,
  paid,
  pay,
  RESULT,
  receipt,
  refuses,
  refusesWith,
  signed,
} from "./pay.js";

describe("attest", () => {
  let world: World;
  let it_: PublicKey;
  before(async () => {
    world = await World.create();
  });
  beforeEach(async () => {
    it_ = await paid(world);
  });
  const byPayee = (result?: Uint8Array) => attest(it_, world.payee.publicKey, result);
  const proof = (key = world.payee, part = {}) => signed(key, attestationMessage({ receipt: it_, ...part }));

  it("binds a result by the recipient's signature on the transaction", async () => {
    const before = await receipt(it_);
    const { logs } = await world.send([await byPayee()], [world.payee]);
    const { attestedAt, ...after } = await receipt(it_);
    expect(attestedAt >= before.paidAt).equal(true);
    expect({ ...after, attestedAt: 0n }).deep.equal({ ...before, status: { attested: {} }, resultHash: RESULT });
    const log = logs.find((line) => line.startsWith("Program data: ")) ?? "";
    expect(pay.coder.events.decode(log.slice(14))?.name).equal("attested");
  });

  it("binds a result by the recipient's signature over 98 bytes, whoever sends it", async () => {
    expect(attestationMessage({ receipt: it_ }).length).equal(98);
    await world.send([proof(), await attestBySignature(it_)]);
    const after = await receipt(it_);
    expect([after.status, after.resultHash]).deep.equal([{ attested: {} }, RESULT]);
  });

  it("never replaces a result, by either proof", async () => {
    await world.send([await byPayee()], [world.payee]);
    const other = hash("another result");
    await refuses(world, "ReceiptAlreadyAttested", [await byPayee(other)], [world.payee]);
    await refuses(world, "ReceiptAlreadyAttested", [proof(), await attestBySignature(it_)]);
    const replay = [proof(world.payee, { result: other }), await attestBySignature(it_, other)];
    await refuses(world, "ReceiptAlreadyAttested", replay);
  });

  it("refuses everybody but the recipient that the receipt names", async () => {
    for (const key of [world.payer, world.operator, world.stranger, consumer]) {
      await refuses(world, "NotTheRecipient", [await attest(it_, key.publicKey)], [key]);
      await refuses(world, "AttestationSignerMismatch", [proof(key), await attestBySignature(it_)]);
    }
  });

  it("refuses the recipient's name without its signature", async () => {
    await refusesWith(world, 3010, [unsigned(await byPayee(), 1)]);
  });

  it("refuses a result without any proof", async () => {
    await refuses(world, "NoAttestationProof", [await attestBySignature(it_, RESULT, NONE)]);
  });

  it("refuses an empty result", async () => {
    await refuses(world, "ResultHashMustBeNonZero", [await byPayee(Buffer.alloc(32))], [world.payee]);
  });

  it("refuses a signature over another receipt, request or result", async () => {
    const other = await paid(world);
    for (const part of [{ receipt: other }, { request: hash("x") }, { result: hash("x") }]) {
      await refuses(world, "AttestationMessageMismatch", [proof(world.payee, part), await attestBySignature(it_)]);
    }
  });

  it("refuses another tag and another version", async () => {
    for (const magic of [
      [0x52, 0x02],
      [0x52, 0x00],
      [0x56, 0x01],
      [0xff, 0x01],
    ]) {
      await refuses(world, "AttestationMessageMismatch", [proof(world.payee, { magic }), await attestBySignature(it_)]);
    }
  });

  it("refuses a voucher and anything else of another length", async () => {
    const voucher = Buffer.concat([Buffer.from([0x56, 0x01]), it_.toBytes(), Buffer.alloc(16)]);
    const whole = attestationMessage({ receipt: it_ });
    for (const message of [voucher, whole.subarray(0, 97), Buffer.concat([whole, Buffer.alloc(1)]), Buffer.alloc(0)]) {
      await refuses(world, "MalformedEd25519Instruction", [signed(world.payee, message), await attestBySignature(it_)]);
    }
  });

  it("refuses a proof that is absent, comes after, or is not right before", async () => {
    const it = await attestBySignature(it_);
    const budget = ComputeBudgetProgram.setComputeUnitLimit({ units: 200_000 });
    await refuses(world, "MissingEd25519Verification", [it]);
    await refuses(world, "MissingEd25519Verification", [it, proof()]);
    await refuses(world, "MissingEd25519Verification", [proof(), budget, it]);
    await refuses(world, "AttestationSignerMismatch", [proof(), proof(world.stranger), it]);
    await world.send([budget, proof(), it]);
  });

  describe("refuses a proof that the precompile accepts, when what it verified is not what is read:", () => {
    const message = () => attestationMessage({ receipt: it_ });
    /** The payee signs this anywhere, any time: it proves nothing about the receipt. */
    const elsewhere = Buffer.alloc(98, 7);

    for (const [part, field, other, fake] of [
      [
        "a signature in another instruction",
        4,
        () => signed(world.payee, message()),
        () =>
          ed25519Instruction({
            publicKey: world.payee.publicKey.toBytes(),
            signature: new Uint8Array(64),
            message: message(),
          }),
      ],
      [
        "a key in another instruction",
        8,
        () => signed(world.stranger, message()),
        () => {
          const signature = signMessage(world.stranger, message());
          return ed25519Instruction({ publicKey: world.payee.publicKey.toBytes(), signature, message: message() });
        },
      ],
      [
        "a message in another instruction",
        14,
        () => signed(world.payee, elsewhere),
        () => {
          const signature = signMessage(world.payee, elsewhere);
          return ed25519Instruction({ publicKey: world.payee.publicKey.toBytes(), signature, message: message() });
        },
      ],
    ] as const) {
      it(part, async () => {
        const redirected = withData(fake(), (data) => {
          data.writeUInt16LE(0, field);
          return data;
        });
        // The runtime is content: only the program refuses.
        await world.send([other(), redirected]);
        await refuses(world, "MalformedEd25519Instruction", [other(), redirected, await attestBySignature(it_)]);
      });
    }

    it("a message at another offset of the same instruction", async () => {
      const signature = signMessage(world.payee, elsewhere);
      const both = Buffer.concat([message(), elsewhere]);
      const moved = withData(
        ed25519Instruction({ publicKey: world.payee.publicKey.toBytes(), signature, message: both }),
        (data) => {
          data.writeUInt16LE(112 + 98, 10);
          data.writeUInt16LE(98, 12);
          return data;
        },
      );
      await world.send([moved]);
      await refuses(world, "MalformedEd25519Instruction", [moved, await attestBySignature(it_)]);
    });
  });

  it("refuses a proof with no signature, with padding, and with bytes after the message", async () => {
    const empty = new TransactionInstruction({
      programId: Ed25519Program.programId,
      keys: [],
      data: Buffer.from([0, 0]),
    });
    const padded = withData(proof(), (data) => {
      data[1] = 1;
      return data;
    });
    const longer = withData(proof(), (data) => Buffer.concat([data, Buffer.alloc(1)]));
    for (const fake of [empty, padded, longer]) {
      await refuses(world, "MalformedEd25519Instruction", [fake, await attestBySignature(it_)]);
    }
  });

  it("refuses a forged signature, by the runtime", async () => {
    const forged = withData(proof(), (data) => {
      data[60] = data[60]! ^ 1;
      return data;
    });
    const landed = await chain
      .send([forged, await attestBySignature(it_)])
      .catch((error: Error) => ({ err: error.message }));
    expect(landed.err).not.equal(null);
    expect((await receipt(it_)).status).deep.equal({ paid: {} });
  });

  it("refuses an instructions sysvar of somebody's own", async () => {
    await refuses(world, "InvalidInstructionsSysvar", [
      proof(),
      await attestBySignature(it_, RESULT, Keypair.generate().publicKey),
    ]);
  });

  it("lets one proof serve one attestation of its own receipt only", async () => {
    const other = await paid(world);
    await refuses(world, "AttestationMessageMismatch", [proof(), await attestBySignature(other)]);
    const twice = [proof(), await attestBySignature(it_), await attestBySignature(it_)];
    await refuses(world, "MissingEd25519Verification", twice);
  });

  it("refuses a receipt that has expired", async () => {
    const short = await paid(world, { expiresAt: BigInt((await chain.now()) + 3) });
    await chain.advance(4);
    await refuses(world, "ReceiptExpired", [await attest(short, world.payee.publicKey)], [world.payee]);
  });

  it("refuses a receipt that is consumed", async () => {
    const simple = await paid(world, { needsAttestation: false });
    await world.send([await consume(simple)], [consumer]);
    await refuses(world, "ReceiptConsumed", [await attest(simple, world.payee.publicKey)], [world.payee]);
  });

  it("takes an attestation that the terms do not ask for", async () => {
    const simple = await paid(world, { needsAttestation: false, expiresAt: BigInt((await chain.now()) + LIFETIME) });
    await world.send([await attest(simple, world.payee.publicKey)], [world.payee]);
    expect((await receipt(simple)).status).deep.equal({ attested: {} });
  });

  it("changes nothing but the receipt", async () => {
    const books = await world.balance(world.payee.publicKey);
    const lamports = (await account(it_))?.lamports;
    await world.send([await byPayee()], [world.payee]);
    expect(await world.balance(world.payee.publicKey)).equal(books);
    expect((await account(it_))?.lamports).equal(lamports);
  });
});
