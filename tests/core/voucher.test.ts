// The voucher's bytes and its JSON.
import { BadMagicError, Base58, InvalidFieldError, MessageLengthError, MppsolError, Voucher } from "@mppsol/core";
import { expect } from "chai";
import fc from "fast-check";
import { anyAddress, anyVoucher, hex } from "./arbitraries.ts";

/** pay-kit harness/vectors/session-voucher.json @9307ea1d: channel of 32 bytes 0x09. */
const FROZEN = {
  voucher: { channelId: "cGfHiC6Kgg3FpFZvgwGcswsCRtp4aBP2fzuXRQPizuN", cumulativeAmount: 42n, expiresAt: 1234n },
  base64: "VgEJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCSoAAAAAAAAA0gQAAAAAAAA=",
};
const { channelId } = FROZEN.voucher;

describe("a voucher's bytes", () => {
  it("are those of the frozen vector, both ways", () => {
    const bytes = new Uint8Array(Buffer.from(FROZEN.base64, "base64"));
    expect(hex(Voucher.encode(FROZEN.voucher))).to.equal(hex(bytes));
    expect(Voucher.decode(bytes)).to.deep.equal(FROZEN.voucher);
  });

  it("have the offsets of the draft's table", () => {
    const voucher = Voucher.from({ channelId, cumulativeAmount: 0x0102030405060708n, expiresAt: -2n });
    const bytes = Voucher.encode(voucher);
    expect(bytes.length).to.equal(50);
    expect(hex(bytes.subarray(0, 2))).to.equal("5601");
    expect(hex(bytes.subarray(2, 34))).to.equal("09".repeat(32));
    expect(hex(bytes.subarray(34, 42))).to.equal("0807060504030201");
    expect(hex(bytes.subarray(42, 50))).to.equal(`fe${"ff".repeat(7)}`);
  });

  it("decode to the voucher that they were encoded from", () => {
    fc.assert(
      fc.property(anyVoucher, (voucher) => {
        expect(Voucher.decode(Voucher.encode(voucher))).to.deep.equal(voucher);
      }),
    );
  });

  it("encode to themselves again, whatever 48 bytes follow the magic", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 48, maxLength: 48 }), (rest) => {
        const bytes = Uint8Array.of(0x56, 0x01, ...rest);
        expect(hex(Voucher.encode(Voucher.decode(bytes)))).to.equal(hex(bytes));
      }),
    );
  });

  it("keep amounts above 2^53 and at both ends of u64", () => {
    for (const cumulativeAmount of [0n, 2n ** 53n + 1n, 2n ** 64n - 1n]) {
      const voucher = Voucher.from({ channelId, cumulativeAmount });
      expect(Voucher.decode(Voucher.encode(voucher)).cumulativeAmount).to.equal(cumulativeAmount);
    }
  });

  it("are read in place from a larger buffer", () => {
    const buffer = new Uint8Array(80).fill(0xee);
    buffer.set(Voucher.encode(FROZEN.voucher), 13);
    expect(Voucher.decode(buffer.subarray(13, 63))).to.deep.equal(FROZEN.voucher);
  });

  it("are refused at any length but 50", () => {
    const bytes = Voucher.encode(FROZEN.voucher);
    for (const wrong of [bytes.subarray(0, 49), Uint8Array.of(...bytes, 0), new Uint8Array(0), bytes.subarray(2)]) {
      expect(() => Voucher.decode(wrong)).to.throw(MessageLengthError);
    }
  });

  it("are refused with another tag or version, the batch's included", () => {
    for (const [at, byte] of [
      [0, 0x57],
      [0, 0x80],
      [1, 0x00],
      [1, 0x02],
    ] as const) {
      const bytes = Voucher.encode(FROZEN.voucher);
      bytes[at] = byte;
      expect(() => Voucher.decode(bytes)).to.throw(BadMagicError);
    }
  });

  it("make the parser answer or throw its typed errors, whatever they are", () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 120 }),
      fc.uint8Array({ minLength: 50, maxLength: 50 }),
      fc.uint8Array({ minLength: 48, maxLength: 48 }).map((rest) => Uint8Array.of(0x56, 0x01, ...rest)),
    );
    fc.assert(fc.property(bytes, (input) => throwsOnlyTyped(() => Voucher.decode(input))));
  });
});

describe("a voucher that cannot be", () => {
  it("is refused for an amount that is a JS number", () => {
    const cumulativeAmount = 5 as unknown as bigint;
    expect(() => Voucher.from({ channelId, cumulativeAmount })).to.throw(InvalidFieldError, "not a bigint");
    expect(() => Voucher.encode({ channelId, cumulativeAmount, expiresAt: 0n })).to.throw(InvalidFieldError);
  });

  it("is refused for an amount outside u64", () => {
    for (const cumulativeAmount of [-1n, 2n ** 64n]) {
      expect(() => Voucher.from({ channelId, cumulativeAmount })).to.throw(InvalidFieldError, "cumulativeAmount");
    }
  });

  it("is refused for an expiry outside i64", () => {
    for (const expiresAt of [-(2n ** 63n) - 1n, 2n ** 63n]) {
      expect(() => Voucher.from({ channelId, cumulativeAmount: 1n, expiresAt })).to.throw(InvalidFieldError, "expires");
    }
  });

  it("is refused for a channel that is not base58 of 32 bytes", () => {
    const bad = ["", "0OIl", channelId.slice(1), `${channelId}1111`, Base58.encode(new Uint8Array(33)), "1".repeat(44)];
    for (const wrong of bad) {
      expect(() => Voucher.from({ channelId: wrong, cumulativeAmount: 1n })).to.throw(InvalidFieldError, "channelId");
    }
  });
});

describe("a voucher's JSON", () => {
  it("has a decimal string and an integer, and no expiry when there is none", () => {
    expect(Voucher.toJson(FROZEN.voucher)).to.deep.equal({ channelId, cumulativeAmount: "42", expiresAt: 1234 });
    expect(Voucher.toJson({ ...FROZEN.voucher, expiresAt: 0n })).to.have.all.keys("channelId", "cumulativeAmount");
  });

  it("is read back to the same voucher, through text", () => {
    const jsonVoucher = fc.record({
      channelId: anyAddress,
      cumulativeAmount: fc.bigInt(0n, 2n ** 64n - 1n),
      expiresAt: fc.maxSafeInteger().map(BigInt),
    });
    fc.assert(
      fc.property(jsonVoucher, (voucher) => {
        expect(Voucher.fromJson(JSON.parse(JSON.stringify(Voucher.toJson(voucher))))).to.deep.equal(voucher);
      }),
    );
  });

  it("is read with an expiry of 0 as never expiring, and with fields that nobody knows", () => {
    expect(Voucher.fromJson({ channelId, cumulativeAmount: "1", expiresAt: 0, memo: "x" }).expiresAt).to.equal(0n);
  });

  it("is refused for an amount that is not a canonical decimal string of a u64", () => {
    const bad = [
      1,
      1n,
      null,
      undefined,
      "",
      "01",
      "+1",
      "-1",
      "1.0",
      "1e3",
      " 1",
      "1\n",
      "0x1",
      "١",
      "18446744073709551616",
    ];
    for (const cumulativeAmount of [...bad, "9".repeat(1000)]) {
      expect(() => Voucher.fromJson({ channelId, cumulativeAmount }), String(cumulativeAmount)).to.throw(
        InvalidFieldError,
        "voucher.cumulativeAmount",
      );
    }
    expect(Voucher.fromJson({ channelId, cumulativeAmount: "18446744073709551615" }).cumulativeAmount).to.equal(
      2n ** 64n - 1n,
    );
  });

  it("is refused for an expiry that is not an integer JSON keeps exactly", () => {
    for (const expiresAt of ["1234", 1.5, Number.NaN, 2 ** 53, -(2 ** 53), null, true, 12n]) {
      expect(() => Voucher.fromJson({ channelId, cumulativeAmount: "1", expiresAt })).to.throw(
        InvalidFieldError,
        "voucher.expiresAt",
      );
    }
  });

  it("is not written with an expiry that JSON would change", () => {
    expect(() => Voucher.toJson({ ...FROZEN.voucher, expiresAt: 2n ** 53n })).to.throw(InvalidFieldError, "expiresAt");
  });

  it("is refused for what is no object, and for fields that only a prototype has", () => {
    const inherited = Object.create({ channelId, cumulativeAmount: "1" });
    for (const value of [null, undefined, [], "x", 1, inherited, {}]) {
      expect(() => Voucher.fromJson(value)).to.throw(InvalidFieldError);
    }
  });

  it("makes the parser answer or throw its typed errors, whatever it is", () => {
    const nearly = fc.record(
      { channelId: fc.oneof(fc.anything(), anyAddress), cumulativeAmount: fc.anything(), expiresAt: fc.anything() },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.jsonValue(), nearly), (v) => throwsOnlyTyped(() => Voucher.fromJson(v))),
    );
  });
});

function throwsOnlyTyped(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    expect(error).to.be.instanceOf(MppsolError);
    expect((error as MppsolError).code).to.be.oneOf(["invalid-field", "message-length", "bad-magic"]);
  }
}
