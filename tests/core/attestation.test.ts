// Attestations: the 98 bytes that programs/mppsol_cpi/src/attestation.rs compares.
import { Attestation, BadMagicError, InvalidFieldError, MessageLengthError, MppsolError } from "@mppsol/core";
import { expect } from "chai";
import fc from "fast-check";
import { address, anyAddress, anyKey, hex } from "./arbitraries.ts";

const filled = (byte: number) => new Uint8Array(32).fill(byte);
const good = { receipt: address(1), requestHash: filled(2), resultHash: filled(3) };
const anyHash = anyKey.filter((bytes) => bytes.some((byte) => byte !== 0));

describe("an attestation's bytes", () => {
  it("are magic, receipt, request hash and result hash", () => {
    const expected = `5201${"01".repeat(32)}${"02".repeat(32)}${"03".repeat(32)}`;
    expect(hex(Attestation.encode(good))).to.equal(expected);
  });

  it("decode to the attestation that they were encoded from", () => {
    const any = fc.record({ receipt: anyAddress, requestHash: anyHash, resultHash: anyHash });
    fc.assert(
      fc.property(any, (attestation) => {
        expect(Attestation.decode(Attestation.encode(attestation))).to.deep.equal(attestation);
      }),
    );
  });

  it("are refused at another length, as another kind, and with a hash of zeros", () => {
    const bytes = Attestation.encode(good);
    for (const wrong of [bytes.subarray(1), Uint8Array.of(...bytes, 0), new Uint8Array(0)]) {
      expect(() => Attestation.decode(wrong)).to.throw(MessageLengthError);
    }
    for (const [at, byte] of [
      [0, 0x56],
      [1, 0x02],
    ] as const) {
      const changed = bytes.slice();
      changed[at] = byte;
      expect(() => Attestation.decode(changed)).to.throw(BadMagicError);
    }
    for (const at of [34, 66]) {
      const changed = bytes.slice();
      changed.fill(0, at, at + 32);
      expect(() => Attestation.decode(changed)).to.throw(InvalidFieldError, "all zero");
    }
  });

  it("are not made from hashes that are none", () => {
    for (const wrong of [new Uint8Array(31), new Uint8Array(33).fill(1), filled(0), "aa" as unknown as Uint8Array]) {
      expect(() => Attestation.encode({ ...good, requestHash: wrong })).to.throw(InvalidFieldError, "requestHash");
      expect(() => Attestation.encode({ ...good, resultHash: wrong })).to.throw(InvalidFieldError, "resultHash");
    }
    expect(() => Attestation.encode({ ...good, receipt: "x" })).to.throw(InvalidFieldError, "receipt");
  });

  it("make the parser answer or throw its typed errors, whatever they are", () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.uint8Array({ minLength: 96, maxLength: 96 }).map((rest) => Uint8Array.of(0x52, 0x01, ...rest)),
    );
    fc.assert(
      fc.property(bytes, (input) => {
        try {
          Attestation.decode(input);
        } catch (error) {
          expect(error).to.be.instanceOf(MppsolError);
        }
      }),
    );
  });
});
