// Signed vouchers: signing through any signer, and the two JSON forms in use.
import { createPublicKey, generateKeyPairSync, sign, verify } from "node:crypto";
import { Base58, InvalidFieldError, MppsolError, SignedVoucher, SignerError, Voucher } from "@mppsol/core";
import { expect } from "chai";
import fc from "fast-check";
import { address, anyAddress, anyVoucher } from "./arbitraries.ts";

const { privateKey } = generateKeyPairSync("ed25519");
const publicKey = createPublicKey(privateKey);
const key = Base58.encode(publicKey.export({ format: "der", type: "spki" }).subarray(12));
const signer = {
  publicKey: key,
  signMessage: (message: Uint8Array) => new Uint8Array(sign(null, message, privateKey)),
};
const input = { channelId: address(9), cumulativeAmount: 42n, expiresAt: 1234n };

describe("signing a voucher", () => {
  it("signs the 50 bytes and nothing else", async () => {
    const signed = await SignedVoucher.sign(input, signer);
    const signature = Base58.decode(signed.signature, 64);
    expect(verify(null, Voucher.encode(input), publicKey, signature)).to.equal(true);
    expect(signed).to.include({ signer: key, signatureType: "ed25519" });
  });

  it("takes a signer with web3.js' kind of key and a promised signature", async () => {
    const wallet = { publicKey: { toBase58: () => key }, signMessage: async (m: Uint8Array) => signer.signMessage(m) };
    expect(await SignedVoucher.sign(input, wallet)).to.deep.equal(await SignedVoucher.sign(input, signer));
  });

  it("takes a voucher without an expiry as one that never expires", async () => {
    const { channelId, cumulativeAmount } = input;
    expect((await SignedVoucher.sign({ channelId, cumulativeAmount }, signer)).voucher.expiresAt).to.equal(0n);
  });

  it("refuses an answer that is no signature", async () => {
    for (const answer of [new Uint8Array(63), new Uint8Array(0), "sig", undefined]) {
      const broken = { publicKey: key, signMessage: () => answer as Uint8Array };
      expect(await failure(SignedVoucher.sign(input, broken))).to.be.instanceOf(SignerError);
    }
  });

  it("refuses a signer whose key is not 32 bytes", async () => {
    const broken = { ...signer, publicKey: "abc" };
    expect(await failure(SignedVoucher.sign(input, broken))).to.be.instanceOf(InvalidFieldError);
  });

  it("asks for no signature over a voucher that cannot be encoded", async () => {
    let asked = false;
    const signMessage = () => {
      asked = true;
      return new Uint8Array(64);
    };
    const watching = { publicKey: key, signMessage };
    const result = await failure(SignedVoucher.sign({ ...input, cumulativeAmount: 2n ** 64n }, watching));
    expect(result).to.be.instanceOf(InvalidFieldError);
    expect(asked).to.equal(false);
  });
});

describe("a signed voucher's JSON", () => {
  const signed: SignedVoucher.SignedVoucher = {
    voucher: input,
    signer: address(7),
    signature: Base58.encode(new Uint8Array(64).fill(3)),
    signatureType: "ed25519",
  };
  const json = SignedVoucher.toJson(signed);

  it("is written under the draft's key", () => {
    expect(json).to.have.all.keys("voucher", "signer", "signature", "signatureType");
    expect(json.voucher).to.deep.equal({ channelId: address(9), cumulativeAmount: "42", expiresAt: 1234 });
  });

  it("is read under the draft's key and under `data`, to the same value", () => {
    const { voucher: data, ...rest } = json;
    expect(SignedVoucher.fromJson(json)).to.deep.equal(signed);
    expect(SignedVoucher.fromJson({ data, ...rest })).to.deep.equal(signed);
  });

  it("is read back to the same value, through text", () => {
    const any = fc.record({
      voucher: anyVoucher.map((voucher) => ({ ...voucher, expiresAt: voucher.expiresAt % 2n ** 53n })),
      signer: anyAddress,
      signature: fc.uint8Array({ minLength: 64, maxLength: 64 }).map((bytes) => Base58.encode(bytes)),
      signatureType: fc.constant("ed25519" as const),
    });
    fc.assert(
      fc.property(any, (value) => {
        expect(SignedVoucher.fromJson(JSON.parse(JSON.stringify(SignedVoucher.toJson(value))))).to.deep.equal(value);
      }),
    );
  });

  it("is refused with both keys, which could differ", () => {
    expect(() => SignedVoucher.fromJson({ ...json, data: json.voucher })).to.throw(InvalidFieldError, "both");
  });

  it("is refused with neither key", () => {
    expect(() => SignedVoucher.fromJson({ ...json, voucher: undefined })).to.throw(InvalidFieldError, "voucher");
  });

  it("is refused for another signature type", () => {
    for (const signatureType of ["secp256r1", "Ed25519", undefined, null]) {
      expect(() => SignedVoucher.fromJson({ ...json, signatureType })).to.throw(InvalidFieldError, "signatureType");
    }
  });

  it("is refused for a signer or signature of another length or alphabet", () => {
    for (const wrong of ["", "0", json.signature, 5]) {
      expect(() => SignedVoucher.fromJson({ ...json, signer: wrong })).to.throw(InvalidFieldError, "signer");
    }
    for (const wrong of ["", "0", json.signer, "1".repeat(65), "z".repeat(100_000), 5]) {
      expect(() => SignedVoucher.fromJson({ ...json, signature: wrong })).to.throw(InvalidFieldError, "signature");
    }
  });

  it("makes the parser answer or throw its typed error, whatever it is", () => {
    const nearly = fc.record(
      { voucher: fc.anything(), data: fc.anything(), signer: fc.anything(), signature: fc.anything() },
      { requiredKeys: [] },
    );
    const value = fc.oneof(
      fc.anything(),
      nearly.map((fields) => ({ ...json, ...fields })),
    );
    fc.assert(
      fc.property(value, (any) => {
        try {
          SignedVoucher.fromJson(any);
        } catch (error) {
          expect(error).to.be.instanceOf(MppsolError).and.have.property("code", "invalid-field");
        }
      }),
    );
  });
});

async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}
