// Splits: the preimage and its hash, every rule, and the arithmetic of payouts.
import { InvalidFieldError, InvalidSplitsError, MessageLengthError, MppsolError, Splits } from "@mppsol/core";
import { expect } from "chai";
import fc from "fast-check";
import { address, anyAddress, anyU64, hex } from "./arbitraries.ts";

const split = (byte: number, shareBps: number) => ({ recipient: address(byte), shareBps });
const problem = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    return error instanceof InvalidSplitsError ? error.problem : error;
  }
  return "none";
};

const anySplits: fc.Arbitrary<Splits.Split[]> = fc
  .uniqueArray(anyAddress, { maxLength: 32 })
  .chain((recipients) =>
    fc.tuple(
      ...recipients.map((recipient) => fc.integer({ min: 1, max: 312 }).map((shareBps) => ({ recipient, shareBps }))),
    ),
  );

describe("the preimage of splits", () => {
  it("of no splits is four zero bytes, whose hash every plain channel stores", () => {
    expect(hex(Splits.encode([]))).to.equal("00000000");
    expect(hex(Splits.hash([]))).to.equal("df3f619804a92fdb4057192dc43dd748ea778adc52bc498ce80524c014b81119");
  });

  it("is count, then recipient and share each, little-endian", () => {
    const bytes = hex(Splits.encode([split(1, 0x0102), split(2, 3)]));
    expect(bytes).to.equal(`02000000${"01".repeat(32)}0201${"02".repeat(32)}0300`);
  });

  it("decodes to the splits that it was encoded from", () => {
    fc.assert(
      fc.property(anySplits, (splits) => {
        expect(Splits.decode(Splits.encode(splits))).to.deep.equal(splits);
      }),
      { numRuns: 50 },
    );
  });

  it("has another hash in another order", () => {
    const [a, b] = [split(1, 5), split(2, 5)];
    expect(hex(Splits.hash([a, b]))).not.to.equal(hex(Splits.hash([b, a])));
  });

  it("is refused when its length is not what its count demands", () => {
    const bytes = Splits.encode([split(1, 5)]);
    for (const wrong of [
      bytes.subarray(0, 37),
      Uint8Array.of(...bytes, 0),
      new Uint8Array(3),
      Uint8Array.of(1, 0, 0, 0),
    ]) {
      expect(() => Splits.decode(wrong)).to.throw(MessageLengthError);
    }
  });

  it("makes the parser answer or throw its typed errors, whatever it is", () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.uint8Array({ minLength: 34, maxLength: 34 }).map((rest) => Uint8Array.of(1, 0, 0, 0, ...rest)),
    );
    fc.assert(
      fc.property(bytes, (input) => {
        try {
          Splits.decode(input);
        } catch (error) {
          expect(error).to.be.instanceOf(MppsolError);
        }
      }),
    );
  });
});

describe("the rules of splits", () => {
  it("allow 32 recipients and no more", () => {
    const many = (n: number) => Array.from({ length: n }, (_, i) => split(i + 1, 1));
    expect(problem(() => Splits.check(many(32)))).to.equal("none");
    expect(problem(() => Splits.check(many(33)))).to.equal("too-many");
    expect(problem(() => Splits.decode(Uint8Array.of(33, 0, 0, 0)))).to.equal("too-many");
    expect(problem(() => Splits.decode(Uint8Array.of(255, 255, 255, 255)))).to.equal("too-many");
  });

  it("allow the whole to go to others than the payee, and no more than the whole", () => {
    expect(Splits.payeeBps([split(1, 9_999), split(2, 1)])).to.equal(0);
    expect(Splits.payeeBps([])).to.equal(10_000);
    expect(problem(() => Splits.check([split(1, 9_999), split(2, 2)]))).to.equal("over-whole");
    expect(problem(() => Splits.check([split(1, 65_535)]))).to.equal("over-whole");
  });

  it("forbid a share of zero, a recipient twice, and the channel itself", () => {
    expect(problem(() => Splits.check([split(1, 0)]))).to.equal("zero-share");
    expect(problem(() => Splits.check([split(1, 5), split(2, 5), split(1, 5)]))).to.equal("duplicate-recipient");
    expect(problem(() => Splits.check([split(1, 5)], address(1)))).to.equal("names-channel");
  });

  it("forbid shares that are no 16-bit integers and recipients that are no addresses", () => {
    for (const shareBps of [-1, 1.5, 65_536, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => Splits.check([split(1, shareBps)])).to.throw(InvalidFieldError);
    }
    expect(() => Splits.check([{ recipient: "x", shareBps: 1 }])).to.throw(InvalidFieldError);
  });
});

describe("splits in JSON", () => {
  it("are read as the draft writes them, and missing ones are none", () => {
    const json = [{ recipient: address(1), shareBps: 5, note: "unknown" }];
    expect(Splits.fromJson(json)).to.deep.equal([split(1, 5)]);
    expect(Splits.fromJson(undefined)).to.deep.equal([]);
  });

  it("are refused in any other form", () => {
    const recipient = address(1);
    for (const wrong of [null, {}, "[]", [null], [{ recipient }], [{ recipient, shareBps: "5" }], [{ shareBps: 5 }]]) {
      expect(() => Splits.fromJson(wrong)).to.throw(InvalidFieldError);
    }
    expect(problem(() => Splits.fromJson([{ recipient, shareBps: 0 }]))).to.equal("zero-share");
  });

  it("make the parser answer or throw its typed errors, whatever they are", () => {
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.array(fc.anything())), (value) => {
        try {
          Splits.fromJson(value);
        } catch (error) {
          expect(error).to.be.instanceOf(MppsolError);
        }
      }),
    );
  });
});

describe("a payout", () => {
  it("rounds each share down", () => {
    const payout = Splits.payout([split(1, 3_333), split(2, 3_333)], 10n, 0n);
    expect(payout).to.deep.equal({ payee: 3n, recipients: [3n, 3n] });
  });

  it("never pays more than is settled, and leaves less than one unit a share", () => {
    fc.assert(
      fc.property(anySplits, anyU64, (splits, settled) => {
        const { payee, recipients } = Splits.payout(splits, settled, 0n);
        const dust = settled - payee - recipients.reduce((sum, amount) => sum + amount, 0n);
        expect(dust >= 0n && dust <= BigInt(splits.length)).to.equal(true);
      }),
    );
  });

  it("pays the same at once and in two parts", () => {
    fc.assert(
      fc.property(anySplits, anyU64, anyU64, (splits, a, b) => {
        const [half, whole] = a < b ? [a, b] : [b, a];
        const [first, second] = [Splits.payout(splits, half, 0n), Splits.payout(splits, whole, half)];
        const once = Splits.payout(splits, whole, 0n);
        expect(first.payee + second.payee).to.equal(once.payee);
        expect(first.recipients.map((amount, i) => amount + (second.recipients[i] ?? 0n))).to.deep.equal(
          once.recipients,
        );
      }),
    );
  });

  it("is refused from a watermark above what is settled, and for JS numbers", () => {
    expect(() => Splits.payout([], 1n, 2n)).to.throw(InvalidFieldError, "payoutWatermark");
    expect(() => Splits.payout([], 1 as unknown as bigint, 0n)).to.throw(InvalidFieldError, "settled");
  });
});
