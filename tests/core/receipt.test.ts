// Receipts: header values, those of charges and of sessions, what is refused.
import { Base64Url, InvalidFieldError, Receipt } from "@mppsol/core";
import { expect } from "chai";
import fc from "fast-check";
import { address, anyAddress, anyU64 } from "./arbitraries.js";
import { answerOf } from "./support.js";
import { anyReceipt, damaged } from "./wire-arbitraries.js";

const timestamp = new Date("2026-03-10T21:00:00Z");

describe("a receipt's header value", () => {
  it("is read back to the same receipt, whatever it holds", () => {
    fc.assert(
      fc.property(anyReceipt, (receipt) => {
        expect(Receipt.parse(Receipt.format(receipt))).to.deep.equal(receipt);
      }),
    );
  });

  it("makes the parser answer or throw InvalidFieldError, and what it answers can be written and read again", () => {
    fc.assert(
      fc.property(damaged(anyReceipt.map((receipt) => JSON.stringify(receipt))), (json) => {
        const read = answerOf(() => Receipt.parse(Base64Url.encode(json)));
        if (read !== undefined) expect(Receipt.parse(Receipt.format(read))).to.deep.equal(read);
      }),
      { numRuns: 2000 },
    );
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => void answerOf(() => Receipt.parse(text))));
  });
});

describe("a receipt of a charge", () => {
  it("says what the draft lists, and no more", () => {
    expect(Receipt.charge({ challengeId: "id", reference: "5UfD", timestamp })).to.deep.equal({
      status: "success",
      method: "solana",
      challengeId: "id",
      reference: "5UfD",
      timestamp: "2026-03-10T21:00:00.000Z",
    });
  });
});

describe("a receipt of a session", () => {
  const input: Receipt.SessionReceipt = {
    channelId: address(7),
    timestamp,
    acceptedCumulative: 250n,
    spent: 2n ** 64n - 1n,
    idleTimeoutSeconds: 300,
  };

  it("says what the draft lists, amounts as decimal strings", () => {
    expect(Receipt.session(input)).to.deep.equal({
      status: "success",
      method: "solana",
      intent: "session",
      reference: address(7),
      timestamp: "2026-03-10T21:00:00.000Z",
      acceptedCumulative: "250",
      spent: "18446744073709551615",
      idleTimeoutSeconds: 300,
    });
  });

  it("is read back through its header value, with what a close adds", () => {
    fc.assert(
      fc.property(
        fc.record(
          {
            channelId: anyAddress,
            timestamp: fc.date({ min: new Date(0), max: new Date("9999-12-31"), noInvalidDate: true }),
            acceptedCumulative: anyU64,
            spent: anyU64,
            idleTimeoutSeconds: fc.nat(),
            challengeId: fc.constant("id"),
            txHash: fc.constant("5UfD"),
            refunded: anyU64,
          },
          { requiredKeys: ["channelId", "timestamp", "acceptedCumulative", "spent", "idleTimeoutSeconds"] },
        ),
        (session) => {
          const receipt = Receipt.parse(Receipt.format(Receipt.session(session)));
          expect(Receipt.asSession(receipt)).to.deep.equal(session);
        },
      ),
    );
  });

  it("is not made of amounts, addresses, seconds or dates that are none", () => {
    for (const [change, field] of [
      [{ spent: -1n }, "spent"],
      [{ acceptedCumulative: 2n ** 64n }, "acceptedCumulative"],
      [{ refunded: 2n ** 64n }, "refunded"],
      [{ channelId: "x" }, "channelId"],
      [{ idleTimeoutSeconds: 1.5 }, "idleTimeoutSeconds"],
      [{ timestamp: new Date("never") }, "timestamp"],
    ] as const) {
      expect(() => Receipt.session({ ...input, ...change }), field).to.throw(InvalidFieldError, field);
    }
  });

  it("is not read from one of another intent, or from amounts that are not canonical", () => {
    const receipt = Receipt.session(input);
    const { intent: _, ...charge } = receipt;
    expect(() => Receipt.asSession(charge as Receipt.Receipt)).to.throw(InvalidFieldError, "receipt.intent");
    for (const [change, field] of [
      [{ spent: "01" }, "receipt.spent"],
      [{ spent: 1 }, "receipt.spent"],
      [{ acceptedCumulative: "18446744073709551616" }, "receipt.acceptedCumulative"],
      [{ refunded: "-1" }, "receipt.refunded"],
      [{ idleTimeoutSeconds: "300" }, "receipt.idleTimeoutSeconds"],
      [{ idleTimeoutSeconds: -1 }, "receipt.idleTimeoutSeconds"],
      [{ reference: "x" }, "receipt.reference"],
      [{ txHash: 1 }, "receipt.txHash"],
    ] as const) {
      expect(() => Receipt.asSession({ ...receipt, ...change }), field).to.throw(InvalidFieldError, field);
    }
  });
});

describe("a damaged receipt", () => {
  const sound = { status: "success", method: "solana", timestamp: "2026-03-10T21:00:00Z", reference: "x" };
  const refusals: readonly (readonly [string, object, string])[] = [
    ["a status other than success", { ...sound, status: "failed" }, "receipt.status"],
    ["no method", { ...sound, method: undefined }, "receipt.method: missing"],
    ["an empty reference", { ...sound, reference: "" }, "receipt.reference"],
    ["a reference with a line feed", { ...sound, reference: "a\nb" }, "receipt.reference"],
    ["a timestamp that is no date-time", { ...sound, timestamp: "Jan 29 2026 12:00" }, "receipt.timestamp"],
    ["a timestamp that is a number", { ...sound, timestamp: 1 }, "receipt.timestamp"],
    ["a challenge id that is no text", { ...sound, challengeId: 1 }, "receipt.challengeId"],
  ];
  for (const [what, json, problem] of refusals) {
    it(`with ${what}, is refused, in reading and in writing`, () => {
      expect(() => Receipt.parse(Base64Url.encode(JSON.stringify(json)))).to.throw(InvalidFieldError, problem);
      expect(() => Receipt.format(json as Receipt.Receipt)).to.throw(InvalidFieldError, problem);
    });
  }

  it("that is too long, or JSON that readers understand differently, is refused", () => {
    expect(() => Receipt.parse("A".repeat(Receipt.MAX_LENGTH + 1))).to.throw(InvalidFieldError, "longer than 16384");
    const receipt = { ...sound, note: "" } as unknown as Receipt.Receipt;
    const room = (Receipt.MAX_LENGTH * 3) / 4 - JSON.stringify(receipt).length;
    const filled = Receipt.format({ ...receipt, note: "x".repeat(room) });
    expect(filled).to.have.length(Receipt.MAX_LENGTH);
    expect(Receipt.parse(filled).reference).to.equal("x");
    const twice = JSON.stringify(sound).replace("}", ',"reference":"y"}');
    expect(() => Receipt.parse(Base64Url.encode(twice))).to.throw(InvalidFieldError, "named twice");
    const long = { ...sound, note: "x".repeat(Receipt.MAX_LENGTH) } as unknown as Receipt.Receipt;
    expect(() => Receipt.format(long)).to.throw(InvalidFieldError, "longer than 16384");
  });
});
