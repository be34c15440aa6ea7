// Batch vouchers: the message of ADR-004, as programs/mppsol_session/src/voucher/batch.rs reads it.
import { createHash } from "node:crypto";
import {
  BadMagicError,
  Base58,
  BatchVoucher,
  InvalidBatchError,
  InvalidFieldError,
  MessageLengthError,
  MppsolError,
} from "@mppsol/core";
import { expect } from "chai";
import fc from "fast-check";
import { address, anyAddress, anyI64, anyKey, hex } from "./arbitraries.ts";

const programId = address(0xaa);
const entry = (byte: number, cumulativeAmount = 1n) => ({ channelId: address(byte), cumulativeAmount });
const problem = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    return error instanceof InvalidBatchError ? error.problem : error;
  }
  return "none";
};

const anyBatch = fc
  .record({
    programId: anyAddress,
    channels: fc.uniqueArray(anyAddress, { minLength: 1, maxLength: 60 }),
    seed: fc.bigInt(1n, 2n ** 64n - 1n),
    expiresAt: anyI64,
  })
  .map(({ channels, seed, ...rest }) =>
    BatchVoucher.from({
      ...rest,
      entries: channels.map((channelId, i) => ({ channelId, cumulativeAmount: (seed + BigInt(i)) % 2n ** 64n || 1n })),
    }),
  );

describe("a batch voucher's bytes", () => {
  it("are count, expiry, the hash of the channels, and the targets", () => {
    const batch = BatchVoucher.from({ programId, entries: [entry(1, 5n), entry(2, 2n ** 64n - 1n)], expiresAt: 77n });
    const bytes = BatchVoucher.encode(batch);
    const channels = createHash("sha256")
      .update("payment_channels:batch_voucher:v2")
      .update(new Uint8Array(32).fill(0xaa))
      .update(Uint8Array.of(2))
      .update(new Uint8Array(32).fill(1))
      .update(new Uint8Array(32).fill(2))
      .digest("hex");
    expect(hex(bytes)).to.equal(`5602024d00000000000000${channels}0500000000000000${"ff".repeat(8)}`);
  });

  it("decode to what was encoded, and cover exactly the signed channels", () => {
    fc.assert(
      fc.property(anyBatch, anyAddress, (batch, other) => {
        const message = BatchVoucher.decode(BatchVoucher.encode(batch));
        const channels = batch.entries.map((e) => e.channelId);
        expect(message.expiresAt).to.equal(batch.expiresAt);
        expect(message.targets).to.deep.equal(batch.entries.map((e) => e.cumulativeAmount));
        expect(BatchVoucher.covers(message, batch.programId, channels)).to.equal(true);
        expect(BatchVoucher.covers(message, other, channels)).to.equal(false);
        expect(BatchVoucher.covers(message, batch.programId, channels.slice(1))).to.equal(false);
        expect(BatchVoucher.covers(message, batch.programId, [...channels.slice(1), other])).to.equal(false);
      }),
      { numRuns: 30 },
    );
  });

  it("hash the channels in their order", () => {
    const [a, b] = [address(1), address(2)];
    expect(hex(BatchVoucher.channelsHash(programId, [a, b]))).not.to.equal(
      hex(BatchVoucher.channelsHash(programId, [b, a])),
    );
  });

  it("are refused as another kind, at another length, or with another count", () => {
    const bytes = BatchVoucher.encode(BatchVoucher.from({ programId, entries: [entry(1)] }));
    const changed = (at: number, byte: number) => {
      const copy = bytes.slice();
      copy[at] = byte;
      return copy;
    };
    for (const wrong of [changed(1, 0x01), changed(0, 0), new Uint8Array(0), bytes.subarray(0, 1)]) {
      expect(() => BatchVoucher.decode(wrong)).to.throw(BadMagicError);
    }
    for (const wrong of [changed(2, 2), bytes.subarray(0, 50), Uint8Array.of(...bytes, 0), bytes.subarray(0, 2)]) {
      expect(() => BatchVoucher.decode(wrong)).to.throw(MessageLengthError);
    }
    for (const count of [0, 61]) expect(problem(() => BatchVoucher.decode(changed(2, count)))).to.equal("count");
  });

  it("make the parser answer or throw its typed errors, whatever they are", () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 600 }),
      fc.uint8Array({ maxLength: 600 }).map((rest) => Uint8Array.of(0x56, 0x02, ...rest)),
    );
    fc.assert(
      fc.property(bytes, (input) => {
        try {
          BatchVoucher.decode(input);
        } catch (error) {
          expect(error).to.be.instanceOf(MppsolError);
        }
      }),
    );
  });
});

describe("making a batch", () => {
  it("puts the channels into the order of their bytes, which is not that of their text", () => {
    fc.assert(
      fc.property(fc.uniqueArray(anyKey, { minLength: 2, maxLength: 60, selector: hex }), (keys) => {
        const entries = keys.map((key) => ({ channelId: Base58.encode(key), cumulativeAmount: 1n }));
        const sorted = BatchVoucher.from({ programId, entries }).entries.map((e) =>
          hex(Base58.decode(e.channelId, 32)),
        );
        expect(sorted).to.deep.equal(keys.map(hex).sort());
      }),
      { numRuns: 20 },
    );
  });

  it("refuses no channel and more than 60", () => {
    const many = (n: number) => Array.from({ length: n }, (_, i) => entry(i + 1));
    expect(problem(() => BatchVoucher.from({ programId, entries: [] }))).to.equal("count");
    expect(problem(() => BatchVoucher.from({ programId, entries: many(61) }))).to.equal("count");
    expect(problem(() => BatchVoucher.from({ programId, entries: many(60) }))).to.equal("none");
  });

  it("refuses a channel twice, an amount of zero, and entries out of order", () => {
    expect(problem(() => BatchVoucher.from({ programId, entries: [entry(1), entry(2), entry(1)] }))).to.equal(
      "duplicate-channel",
    );
    expect(problem(() => BatchVoucher.from({ programId, entries: [entry(1, 0n)] }))).to.equal("zero-target");
    const unsorted = { programId, entries: [entry(2), entry(1)], expiresAt: 0n };
    expect(problem(() => BatchVoucher.encode(unsorted))).to.equal("unsorted");
  });

  it("refuses amounts outside u64, an expiry outside i64 and addresses that are none", () => {
    const entries = [entry(1)];
    for (const wrong of [
      { programId, entries: [entry(1, 2n ** 64n)] },
      { programId, entries: [entry(1, -1n)] },
      { programId, entries: [{ channelId: "x", cumulativeAmount: 1n }] },
      { programId: "x", entries },
      { programId, entries, expiresAt: 2n ** 63n },
    ]) {
      expect(() => BatchVoucher.from(wrong)).to.throw(InvalidFieldError);
    }
  });
});
