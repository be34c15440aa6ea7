// A transaction's base64: one text for one transaction, and never more than a packet.
import { InvalidFieldError, TransactionBytes } from "@mppsol/core";
import { expect } from "chai";
import fc from "fast-check";
import { hex } from "./arbitraries.ts";
import { answerOf } from "./support.ts";

const anyBytes = fc.uint8Array({ minLength: 1, maxLength: 1232 });

describe("a transaction's base64", () => {
  it("is the standard alphabet with padding, and read back to the same bytes", () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const text = TransactionBytes.toBase64(bytes);
        expect(text).to.equal(Buffer.from(bytes).toString("base64"));
        expect(hex(TransactionBytes.fromBase64(text))).to.equal(hex(bytes));
      }),
    );
  });

  it("is the only text of its bytes: what is read is written the same", () => {
    const almost = fc.tuple(anyBytes, fc.nat(), fc.constantFrom("", "=", "A", "-", "_", "/", " ", "\n", "\u0000", "é"));
    fc.assert(
      fc.property(almost, ([bytes, at, char]) => {
        const text = TransactionBytes.toBase64(bytes);
        const cut = at % (text.length + 1);
        for (const damaged of [
          text.slice(0, cut) + char + text.slice(cut),
          text.slice(0, cut) + char + text.slice(cut + 1),
        ]) {
          const read = answerOf(() => TransactionBytes.fromBase64(damaged));
          if (read !== undefined) expect(TransactionBytes.toBase64(read)).to.equal(damaged);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("has 1 to 1232 bytes behind it, both ways", () => {
    expect(TransactionBytes.fromBase64(TransactionBytes.toBase64(new Uint8Array(1232))).length).to.equal(1232);
    expect(() => TransactionBytes.toBase64(new Uint8Array(1233))).to.throw(InvalidFieldError, "1232");
    expect(() => TransactionBytes.toBase64(new Uint8Array())).to.throw(InvalidFieldError, "empty");
    expect(() => TransactionBytes.toBase64("AQID" as never)).to.throw(InvalidFieldError, "not bytes");
    for (const length of [1233, 1234, 100_000]) {
      expect(() => TransactionBytes.fromBase64(Buffer.alloc(length).toString("base64"))).to.throw(
        InvalidFieldError,
        "1232",
      );
    }
  });
});
