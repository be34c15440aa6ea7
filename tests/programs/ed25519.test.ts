// The Ed25519 instruction: one layout, byte for byte, and the signatures that go into it.
import { createPublicKey, verify } from "node:crypto";
import { Base58, BatchVoucher, Voucher } from "@mppsol/core";
import {
  batchVoucherInstruction,
  Ed25519LayoutError,
  ed25519Instruction,
  keypairSigner,
  parseEd25519Instruction,
  SESSION_PROGRAM_ID,
  signBatchVoucher,
  signMessage,
  signVoucher,
  voucherInstruction,
} from "@mppsol/programs";
import { Ed25519Program, Keypair, SystemProgram, TransactionInstruction } from "@solana/web3.js";
import { expect } from "chai";
import fc from "fast-check";
import { channel, hex, key, signer, voucher } from "./helpers.ts";

const anySigned = fc.record({
  publicKey: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  signature: fc.uint8Array({ minLength: 64, maxLength: 64 }),
  message: fc.uint8Array({ maxLength: 600 }),
});

describe("the Ed25519 instruction", () => {
  it("of a voucher has 162 bytes: header, key at 16, signature at 48, message at 112", () => {
    const { data, keys, programId } = voucherInstruction(voucher);
    expect(data.length).to.equal(162);
    expect(hex(data.subarray(0, 16))).to.equal("01003000ffff1000ffff70003200ffff");
    expect(hex(data.subarray(16, 48))).to.equal(hex(signer.publicKey.toBytes()));
    expect(hex(data.subarray(48, 112))).to.equal(hex(Base58.decode(voucher.signature, 64)));
    expect(hex(data.subarray(112))).to.equal(hex(Voucher.encode(voucher.voucher)));
    expect(keys).to.deep.equal([]);
    expect(programId.toBase58()).to.equal("Ed25519SigVerify111111111111111111111111111");
  });

  it("of a batch covers the batch's message", async () => {
    const batch = BatchVoucher.from({
      programId: SESSION_PROGRAM_ID.toBase58(),
      entries: [{ channelId: channel.toBase58(), cumulativeAmount: 2n ** 63n }],
    });
    const { data } = batchVoucherInstruction(await signBatchVoucher(batch, signer));
    expect(data.readUInt16LE(12)).to.equal(51);
    expect(hex(data.subarray(112))).to.equal(hex(BatchVoucher.encode(batch)));
  });

  it("is the one that web3.js makes for the same parts", () => {
    fc.assert(
      fc.property(anySigned, (signed) => {
        const theirs = Ed25519Program.createInstructionWithPublicKey(signed);
        expect(hex(ed25519Instruction(signed).data)).to.equal(hex(theirs.data));
      }),
    );
  });

  it("parses to what it was made from", () => {
    fc.assert(
      fc.property(anySigned, (signed) => {
        expect(parseEd25519Instruction(ed25519Instruction(signed))).to.deep.equal(signed);
      }),
    );
  });

  it("is not made from parts of impossible length", () => {
    const signed = { publicKey: new Uint8Array(32), signature: new Uint8Array(64), message: new Uint8Array(50) };
    for (const wrong of [
      { ...signed, publicKey: new Uint8Array(31) },
      { ...signed, signature: new Uint8Array(65) },
      { ...signed, message: new Uint8Array(65_536) },
    ]) {
      expect(() => ed25519Instruction(wrong)).to.throw(Ed25519LayoutError);
    }
  });

  it("is refused by the parser when any header byte differs, when it is too short, or when another program is called", () => {
    const { programId, data } = voucherInstruction(voucher);
    const parse =
      (bytes: Buffer, id = programId) =>
      () =>
        parseEd25519Instruction(new TransactionInstruction({ programId: id, keys: [], data: bytes }));
    expect(parse(data)).not.to.throw();
    for (let at = 0; at < 16; at++) {
      const changed = Buffer.from(data);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(parse(changed), `byte ${at}`).to.throw(Ed25519LayoutError);
    }
    expect(parse(data.subarray(0, 111))).to.throw(Ed25519LayoutError);
    expect(parse(Buffer.concat([data, Buffer.of(0)]))).to.throw(Ed25519LayoutError);
    expect(parse(data, SystemProgram.programId)).to.throw(Ed25519LayoutError);
  });
});

describe("signing with a keypair", () => {
  it("gives a signature that node:crypto verifies, of the very message", () => {
    const jwk = { kty: "OKP", crv: "Ed25519", x: Buffer.from(signer.publicKey.toBytes()).toString("base64url") };
    const publicKey = createPublicKey({ key: jwk, format: "jwk" });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (message) => {
        expect(verify(null, message, publicKey, signMessage(signer, message))).to.equal(true);
      }),
      { numRuns: 20 },
    );
  });

  it("gives each keypair its own signature, and each the same one twice", () => {
    const message = Uint8Array.of(1, 2, 3);
    const other = Keypair.generate();
    expect(hex(signMessage(signer, message))).to.equal(hex(signMessage(signer, message)));
    expect(hex(signMessage(signer, message))).not.to.equal(hex(signMessage(other, message)));
  });

  it("names the keypair's public key as the signer", async () => {
    expect(keypairSigner(signer).publicKey).to.equal(key(3).toBase58());
    const signed = await signVoucher({ channelId: channel.toBase58(), cumulativeAmount: 1n }, signer);
    expect(signed.signer).to.equal(key(3).toBase58());
  });
});
