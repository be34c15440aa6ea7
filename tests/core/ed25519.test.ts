// Strict Ed25519: core's verification, node:crypto with core's screen, and the chain's precompile give one answer.
import { createPublicKey, sign, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { Base58, Ed25519, InvalidFieldError, SignedVoucher, Voucher } from "@mppsol/core";
import { ed25519Instruction } from "@mppsol/programs";
import { getTransactionDecoder, type Transaction } from "@solana/kit";
import { Keypair, PublicKey, TransactionMessage, VersionedTransaction } from "@solana/web3.js";
import { expect } from "chai";
import fc from "fast-check";
import { LiteSVM, TransactionMetadata } from "litesvm";
import { address, hex } from "./arbitraries.ts";
import { type Case, FILE, fileText, parse } from "./vectors/ed25519.ts";

const text = readFileSync(FILE, "utf8");
const cases = parse(text);

describe("crafted Ed25519 signatures", () => {
  it("are at least 700, all different, and what their generator makes", () => {
    expect(cases.length).to.be.at.least(700);
    const inputs = cases.map((one) => `${hex(one.publicKey)} ${hex(one.signature)} ${hex(one.message)}`);
    expect(new Set(inputs).size).to.equal(cases.length);
    expect(new Set(cases.map(({ name }) => name)).size).to.equal(cases.length);
    expect(text).to.equal(fileText());
  });

  it("are accepted by the chain's Ed25519 program exactly as the file says", () => {
    const chain = precompile();
    expect(disagreements(chain)).to.deep.equal([]);
    expect(cases.filter(({ accepted }) => accepted).length).to.be.at.least(90);
  });

  it("are accepted by core's verification exactly as by the chain", () => {
    expect(disagreements(Ed25519.verify)).to.deep.equal([]);
  });

  it("are accepted by node:crypto with core's screen exactly as by the chain", () => {
    expect(disagreements((m, s, k) => Ed25519.screen(s, k) && lenient(m, s, k))).to.deep.equal([]);
  });

  it("are judged wrongly by node:crypto alone, more than 100 times, and always by accepting", () => {
    const wrong = cases.filter((one) => lenient(one.message, one.signature, one.publicKey) !== one.accepted);
    expect(wrong.length).to.be.above(100);
    expect(wrong.filter(({ accepted }) => accepted)).to.deep.equal([]);
  });

  it("need the screen of the key and the screen of R, each for itself", () => {
    const only = (weak: (one: Case) => Uint8Array) =>
      cases.filter((one) => !Ed25519.isWeakPoint(weak(one)) && lenient(one.message, one.signature, one.publicKey));
    expect(only((one) => one.publicKey).some(({ accepted }) => !accepted)).to.equal(true);
    expect(only((one) => one.signature.subarray(0, 32)).some(({ accepted }) => !accepted)).to.equal(true);
  });
});

describe("a signature made by node:crypto", () => {
  it("is accepted, and refused with any one byte changed", () => {
    const { key, signMessage } = pair(1);
    const change = fc.record({ message: fc.uint8Array({ minLength: 1, maxLength: 200 }), at: fc.nat(), by: bits });
    fc.assert(
      fc.property(change, ({ message, at, by }) => {
        const signature = signMessage(message);
        expect(Ed25519.verify(message, signature, key)).to.equal(true);
        expect(Ed25519.verify(changed(message, at, by), signature, key)).to.equal(false);
        expect(Ed25519.verify(message, changed(signature, at, by), key)).to.equal(false);
        expect(Ed25519.verify(message, signature, changed(key, at, by))).to.equal(false);
      }),
      { numRuns: 20 },
    );
  });

  it("is refused, not thrown at, when signature or key have another length", () => {
    const { key, signMessage } = pair(2);
    const message = Uint8Array.of(1, 2, 3);
    const signature = signMessage(message);
    for (const wrong of [new Uint8Array(), signature.subarray(0, 63), new Uint8Array(65)]) {
      expect(Ed25519.verify(message, wrong, key)).to.equal(false);
      expect(Ed25519.screen(wrong, key)).to.equal(false);
    }
    for (const wrong of [new Uint8Array(), key.subarray(0, 31), new Uint8Array(33).fill(7)]) {
      expect(Ed25519.verify(message, signature, wrong)).to.equal(false);
      expect(Ed25519.screen(signature, wrong)).to.equal(false);
      expect(Ed25519.isPublicKey(wrong)).to.equal(false);
    }
  });
});

describe("any bytes", () => {
  it("get the same answer from core and from node:crypto with the screen", () => {
    const any = fc.tuple(bytes(50), fc.oneof(bytes(64), special64), fc.oneof(bytes(32), special32));
    fc.assert(
      fc.property(any, ([message, signature, key]) => {
        const strict = Ed25519.screen(signature, key) && lenient(message, signature, key);
        expect(Ed25519.verify(message, signature, key)).to.equal(strict);
      }),
      { numRuns: 200 },
    );
  });
});

describe("a weak point", () => {
  const weak = [...new Set(cases.flatMap((one) => [hex(one.publicKey), hex(one.signature.subarray(0, 32))]))].filter(
    (point) => Ed25519.isWeakPoint(Buffer.from(point, "hex")),
  );

  it("has 14 encodings among the crafted cases, and each is one with any sign", () => {
    expect(weak.length).to.equal(14);
    for (const point of weak) {
      const other = Buffer.from(point, "hex");
      other[31] = (other[31] ?? 0) ^ 0x80;
      expect(Ed25519.isWeakPoint(other)).to.equal(true);
    }
  });

  it("is no longer one when any other bit changes", () => {
    for (const point of weak) {
      for (let bit = 0; bit < 255; bit++) {
        const other = Buffer.from(point, "hex");
        other[bit >> 3] = (other[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        if (weak.includes(hex(other))) continue;
        expect(Ed25519.isWeakPoint(other), hex(other)).to.equal(false);
      }
    }
  });

  it("is no public key, and neither is what is off the curve or not canonical", () => {
    for (const point of weak) expect(Ed25519.isPublicKey(Buffer.from(point, "hex"))).to.equal(false);
    for (const { publicKey } of cases.filter(({ name }) => /^(off the curve|y ≥ p): key/.test(name))) {
      expect(Ed25519.isPublicKey(publicKey), hex(publicKey)).to.equal(false);
    }
    for (const { publicKey } of cases.filter(({ accepted }) => accepted)) {
      expect(Ed25519.isPublicKey(publicKey)).to.equal(true);
    }
  });

  it("is looked for in 32 bytes only", () => {
    for (const length of [0, 31, 33, 64]) {
      expect(() => Ed25519.isWeakPoint(new Uint8Array(length))).to.throw(InvalidFieldError, "point");
      expect(() => Ed25519.isCanonicalScalar(new Uint8Array(length))).to.throw(InvalidFieldError, "scalar");
    }
  });
});

describe("the screen", () => {
  const good = cases.find(({ name }) => name.startsWith("valid")) as Case;
  const r = good.signature.subarray(0, 32);

  it("passes what is sound", () => {
    for (const one of cases.filter(({ accepted }) => accepted)) {
      expect(Ed25519.screen(one.signature, one.publicKey), one.name).to.equal(true);
    }
  });

  it("stops every R and every key whose y is not below p, also where node:crypto would", () => {
    for (let t = 0; t < 19; t++) {
      for (const sign of [0x7f, 0xff]) {
        const point = new Uint8Array(32).fill(0xff);
        point[0] = 0xed + t;
        point[31] = sign;
        expect(Ed25519.screen(good.signature, point)).to.equal(false);
        expect(Ed25519.screen(Buffer.concat([point, good.signature.subarray(32)]), good.publicKey)).to.equal(false);
      }
    }
  });

  it("passes every y below p, however near", () => {
    const near = (at: number, byte: number) => {
      const point = new Uint8Array(32).fill(0xff);
      point[31] = 0x7f;
      point[at] = byte;
      return point;
    };
    const below = [
      near(0, 0xeb),
      near(31, 0x7e),
      near(31, 0xfe),
      ...Array.from({ length: 30 }, (_, i) => near(i + 1, 0xfe)),
    ];
    for (const point of below) {
      expect(Ed25519.screen(good.signature, point), hex(point)).to.equal(true);
      expect(Ed25519.screen(Buffer.concat([point, good.signature.subarray(32)]), good.publicKey)).to.equal(true);
    }
  });

  it("stops s from the order of the group on", () => {
    const order = 2n ** 252n + 27742317777372353535851937790883648493n;
    const bound = fc.oneof(
      fc.bigInt(0n, 2n ** 256n - 1n),
      fc.bigInt(-3n, 3n).map((d) => order + d),
    );
    const limits = [0n, 1n, order - 1n, order, order + 1n, 2n ** 252n - 1n, 2n ** 252n, 2n ** 253n, 2n ** 256n - 1n];
    const check = (value: bigint) => {
      const s = Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
      expect(Ed25519.isCanonicalScalar(s)).to.equal(value < order);
      expect(Ed25519.screen(Buffer.concat([r, s]), good.publicKey)).to.equal(value < order);
    };
    for (const limit of limits) check(limit);
    fc.assert(fc.property(bound, check));
  });
});

describe("a signed voucher's signature", () => {
  const { key, signMessage } = pair(3);
  const voucher = { channelId: address(9), cumulativeAmount: 42n, expiresAt: 0n };
  const wallet = { publicKey: Base58.encode(key), signMessage };

  it("is valid over its own 50 bytes and no others", async () => {
    const signed = await SignedVoucher.sign(voucher, wallet);
    expect(SignedVoucher.verify(signed)).to.equal(true);
    for (const other of [{ channelId: address(8) }, { cumulativeAmount: 43n }, { expiresAt: 1n }]) {
      expect(SignedVoucher.verify({ ...signed, voucher: { ...voucher, ...other } })).to.equal(false);
    }
    expect(SignedVoucher.verify({ ...signed, signer: address(7) })).to.equal(false);
  });

  it("is refused when it is one that node:crypto takes and the chain does not", () => {
    const identity = new Uint8Array(32);
    identity[0] = 1;
    const signature = Base58.encode(Buffer.concat([identity, new Uint8Array(32)]));
    const signed = { voucher, signer: Base58.encode(identity), signature, signatureType: "ed25519" as const };
    expect(SignedVoucher.verify(signed, lenient)).to.equal(true);
    expect(SignedVoucher.verify(signed)).to.equal(false);
  });

  it("is checked by the verifier that is given, with message, signature and key in this order", async () => {
    const signed = await SignedVoucher.sign(voucher, wallet);
    const seen: Uint8Array[] = [];
    const answer = (...bytes: Uint8Array[]) => seen.push(...bytes) === 0;
    expect(SignedVoucher.verify(signed, answer)).to.equal(false);
    expect(seen.map(hex)).to.deep.equal([
      hex(Voucher.encode(voucher)),
      hex(Base58.decode(signed.signature, 64)),
      hex(key),
    ]);
  });
});

const bits = fc.integer({ min: 1, max: 255 });
const special32 = fc.constantFrom(...cases.slice(-500).map((one) => one.publicKey));
const special64 = fc.constantFrom(...cases.slice(-500).map((one) => one.signature));

function bytes(length: number): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength: length, maxLength: length });
}

function disagreements(verifier: Ed25519.Verifier): string[] {
  return cases
    .filter((one) => verifier(one.message, one.signature, one.publicKey) !== one.accepted)
    .map(({ name }) => name);
}

/** node:crypto as it comes. */
function lenient(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
  const jwk = { kty: "OKP", crv: "Ed25519", x: Buffer.from(publicKey).toString("base64url") };
  return verify(null, message, createPublicKey({ key: jwk, format: "jwk" }), signature);
}

/** The Ed25519 program of an embedded chain: whether a transaction with the signature in it lands. */
function precompile(): Ed25519.Verifier {
  const svm = new LiteSVM();
  const payer = Keypair.fromSeed(new Uint8Array(32).fill(1));
  svm.airdrop(payer.publicKey.toBase58() as Parameters<typeof svm.airdrop>[0], 1_000_000_000n as never);
  return (message, signature, publicKey) => {
    const compiled = new TransactionMessage({
      payerKey: new PublicKey(payer.publicKey),
      recentBlockhash: svm.latestBlockhash(),
      instructions: [ed25519Instruction({ message, signature, publicKey })],
    }).compileToV0Message();
    const transaction = new VersionedTransaction(compiled);
    transaction.sign([payer]);
    const result = svm.sendTransaction(getTransactionDecoder().decode(transaction.serialize()) as Transaction);
    if (result instanceof TransactionMetadata) return true;
    // The program's own refusals are Custom errors of its instruction; anything else would be a mistake of this test.
    expect(String(result.err())).to.include("InstructionError");
    return false;
  };
}

function pair(byte: number): { key: Uint8Array; signMessage(message: Uint8Array): Uint8Array } {
  const keypair = Keypair.fromSeed(new Uint8Array(32).fill(byte));
  const jwk = {
    kty: "OKP",
    crv: "Ed25519",
    d: Buffer.alloc(32, byte).toString("base64url"),
    x: Buffer.from(keypair.publicKey.toBytes()).toString("base64url"),
  };
  return {
    key: keypair.publicKey.toBytes(),
    signMessage: (message) => new Uint8Array(sign(null, message, { key: jwk, format: "jwk" })),
  };
}

function changed(value: Uint8Array, at: number, by: number): Uint8Array {
  const copy = Uint8Array.from(value);
  copy[at % copy.length] = (copy[at % copy.length] ?? 0) ^ by;
  return copy;
}
