// The fast verification of vouchers: no looser and no stricter than the chain, whatever keys it has ready.
import { generateKeyPairSync, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { Base58, Ed25519, InvalidFieldError, type SignedVoucher, Voucher } from "@mppsol/core";
import { expect } from "chai";
import { VoucherVerifier } from "../../../sdk/server/dist/session/VoucherVerifier.js";

type Case = readonly [name: string, message: string, signature: string, publicKey: string, accepted: 0 | 1];

const { cases } = JSON.parse(
  readFileSync(new URL("../../../spec/vectors/ed25519-strict.json", import.meta.url), "utf8"),
) as { cases: readonly Case[] };

/** Signs vouchers with a key of its own. */
function payer() {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const signer = Base58.encode(publicKey.export({ format: "der", type: "spki" }).subarray(-32));
  return (amount: bigint): SignedVoucher.SignedVoucher => {
    const voucher = Voucher.from({ channelId: signer, cumulativeAmount: amount });
    const signature = Base58.encode(sign(null, Voucher.encode(voucher), privateKey));
    return { voucher, signer, signature, signatureType: "ed25519" };
  };
}

describe("the verifier of vouchers", () => {
  it("accepts what the chain accepts, and nothing else, the second time too", () => {
    const verifier = new VoucherVerifier();
    for (let round = 0; round < 2; round++) {
      const wrong = cases.filter(([, message, signature, publicKey, accepted]) => {
        const bytes = [message, signature, publicKey].map((hex) => Buffer.from(hex, "hex"));
        const [m, s, k] = bytes as [Buffer, Buffer, Buffer];
        return verifier.check(m, s, k) !== (accepted === 1);
      });
      expect(wrong.map(([name]) => name)).to.deep.equal([]);
    }
  });

  it("accepts a voucher as signed, and no other amount, channel, expiry, signer or signature", () => {
    const verifier = new VoucherVerifier();
    const pay = payer();
    const signed = pay(7n);
    expect(verifier.verify(signed)).to.equal(true);
    const { voucher } = signed;
    const others: SignedVoucher.SignedVoucher[] = [
      { ...signed, voucher: { ...voucher, cumulativeAmount: 8n } },
      { ...signed, voucher: { ...voucher, channelId: payer()(1n).signer } },
      { ...signed, voucher: { ...voucher, expiresAt: 1n } },
      { ...signed, signer: payer()(1n).signer },
      { ...signed, signature: pay(8n).signature },
    ];
    for (const other of others) expect(verifier.verify(other)).to.equal(false);
  });

  it("confuses no keys when it has too many to keep", () => {
    const verifier = new VoucherVerifier(3);
    const vouchers = Array.from({ length: 8 }, () => payer()(1n));
    for (let round = 0; round < 3; round++) {
      for (const signed of vouchers) expect(verifier.verify(signed)).to.equal(true);
      for (const [i, signed] of vouchers.entries()) {
        const { signer } = vouchers[(i + 1) % vouchers.length] as SignedVoucher.SignedVoucher;
        expect(verifier.verify({ ...signed, signer })).to.equal(false);
      }
    }
  });

  it("reads keys out of the middle of a larger buffer", () => {
    const signed = payer()(1n);
    const key = Base58.decode(signed.signer, 32);
    const wide = new Uint8Array(96).fill(9);
    wide.set(key, 40);
    const message = Voucher.encode(signed.voucher);
    const signature = Base58.decode(signed.signature, 64);
    expect(new VoucherVerifier().check(message, signature, wide.subarray(40, 72))).to.equal(true);
    expect(Ed25519.verify(message, signature, key)).to.equal(true);
  });

  it("throws for what cannot be encoded", () => {
    const verifier = new VoucherVerifier();
    const signed = payer()(1n);
    for (const wrong of [{ signer: "0" }, { signature: "short" }, { voucher: { ...signed.voucher, channelId: "" } }]) {
      expect(() => verifier.verify({ ...signed, ...wrong })).to.throw(InvalidFieldError);
    }
  });
});
