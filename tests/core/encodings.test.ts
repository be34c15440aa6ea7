// What everything else is written in: base64url, canonical JSON, timestamps, networks.
import { Base64Url, InvalidFieldError, Jcs, Network, Receipt, Timestamp } from "@mppsol/core";
import { expect } from "chai";
import fc from "fast-check";
import { answerOf } from "./support.js";
import { anyJson, anyTimestamp } from "./wire-arbitraries.js";

describe("base64url", () => {
  it("is what Node writes and reads, for any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const text = Base64Url.encode(bytes);
        expect(text).to.equal(Buffer.from(bytes).toString("base64url"));
        expect(Base64Url.decode(text)).to.deep.equal(bytes);
      }),
    );
  });

  it("takes a string for its UTF-8 bytes, a byte order mark included", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(Base64Url.decodeText(Base64Url.encode(text))).to.equal(text);
      }),
    );
    expect(Base64Url.decodeText(Base64Url.encode("\ufeffx"))).to.equal("\ufeffx");
  });

  it("is read with the right padding, and refused with any other", () => {
    expect(Base64Url.decodeText("YQ==")).to.equal("a");
    expect(Base64Url.decodeText("YWI=")).to.equal("ab");
    for (const text of ["YQ=", "YWI==", "YWJj=", "YWJj==", "YQ===", "=", "==", "YWJj====", "Y=Q="]) {
      expect(() => Base64Url.decode(text), text).to.throw(InvalidFieldError);
    }
  });

  it("has one text for one value: anything that is read is written the same, but for its padding", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9_-]{0,9}$/), (text) => {
        const bytes = answerOf(() => Base64Url.decode(text));
        if (bytes !== undefined) expect(Base64Url.encode(bytes)).to.equal(text);
      }),
      { numRuns: 1000 },
    );
    for (const text of ["A", "AAAAA", "YR", "YWJ", "ab+/", "ab\n", " YQ", "YQ ", "é", "\u0141\u0141"]) {
      expect(() => Base64Url.decode(text), text).to.throw(InvalidFieldError, "not base64url");
    }
  });

  it("is refused for what is no text, and for bytes that are not UTF-8", () => {
    for (const value of [undefined, null, 1, {}, ["YQ"]]) {
      expect(() => Base64Url.decode(value)).to.throw(InvalidFieldError, "not a string");
    }
    for (const bytes of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xe2, 0x82]]) {
      expect(() => Base64Url.decodeText(Base64Url.encode(Uint8Array.from(bytes)))).to.throw(InvalidFieldError, "UTF-8");
    }
  });
});

describe("canonical JSON", () => {
  it("is what RFC 8785 shows", () => {
    // RFC 8785, sections 3.2.2 and 3.2.3.
    const value = JSON.parse(
      '{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}',
    );
    expect(Jcs.canonicalize(value)).to.equal(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
    const sorted = { "€": 5, "\r": 1, "\ufb33": 7, "1": 2, "😀": 6, "\u0080": 3, ö: 4 };
    expect(Object.values(JSON.parse(Jcs.canonicalize(sorted)))).to.have.length(7);
    expect(Jcs.canonicalize(sorted)).to.equal('{"\\r":1,"1":2,"\u0080":3,"ö":4,"€":5,"😀":6,"\ufb33":7}');
  });

  it("says the same as the value, whatever it is, and always the same", () => {
    fc.assert(
      fc.property(anyJson, (value) => {
        const text = Jcs.canonicalize(value);
        expect(JSON.parse(text)).to.deep.equal(value);
        expect(Jcs.canonicalize(JSON.parse(text))).to.equal(text);
      }),
    );
  });

  it("does not depend on the order of members, and leaves out those without a value", () => {
    expect(Jcs.canonicalize({ b: 1, a: undefined, c: { e: 2, d: 3 } })).to.equal(
      Jcs.canonicalize({ c: { d: 3, e: 2 }, b: 1 }),
    );
  });

  it("writes a negative zero as zero", () => {
    expect(Jcs.canonicalize([-0])).to.equal("[0]");
  });

  it("is refused for what JSON cannot hold", () => {
    // biome-ignore lint/suspicious/noSparseArray: that is the point
    const sparse = [1, , 2];
    for (const value of [
      undefined,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      1n,
      "\ud800",
      { "\udc00": 1 },
      () => 1,
      Symbol("x"),
      new Date(0),
      new Uint8Array(2),
      new Map([["a", 1]]),
      [undefined],
      sparse,
      JSON.parse('{"__proto__":1}'),
    ]) {
      expect(() => Jcs.canonicalize(value as never), typeof value).to.throw(InvalidFieldError, "json");
    }
  });

  it("is refused for what is nested too deep, or in itself", () => {
    let deep: unknown = 1;
    for (let i = 0; i < Jcs.MAX_DEPTH; i++) deep = [deep];
    expect(Jcs.canonicalize(deep as never)).to.have.length(2 * Jcs.MAX_DEPTH + 1);
    expect(() => Jcs.canonicalize([deep] as never)).to.throw(InvalidFieldError, "nested deeper");
    const loop: Record<string, unknown> = {};
    loop.self = loop;
    expect(() => Jcs.canonicalize(loop as never)).to.throw(InvalidFieldError, "nested deeper");
  });

  it("is taken by the strict readers, as deep as it is written", () => {
    let deep: unknown = "x";
    for (let i = 0; i < Jcs.MAX_DEPTH - 1; i++) deep = [deep];
    const receipt = { status: "success", method: "m", timestamp: "2026-01-01T00:00:00Z", reference: "r", deep };
    expect(Receipt.parse(Receipt.format(receipt as never))).to.deep.equal(receipt);
  });
});

describe("a timestamp", () => {
  it("is read to the millisecond, whatever its zone", () => {
    for (const [text, utc] of [
      ["2026-01-29T12:00:30Z", "2026-01-29T12:00:30.000Z"],
      ["2026-01-29t12:00:30.5z", "2026-01-29T12:00:30.500Z"],
      ["2026-01-29T12:00:30.123456789+00:00", "2026-01-29T12:00:30.123Z"],
      ["2026-01-29T12:00:30-08:30", "2026-01-29T20:30:30.000Z"],
      ["2026-01-29T12:00:30+14:00", "2026-01-28T22:00:30.000Z"],
      ["2026-01-29T12:00:30+23:59", "2026-01-28T12:01:30.000Z"],
      ["2024-02-29T23:59:60Z", "2024-03-01T00:00:00.000Z"],
      ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"],
    ] as const) {
      expect(new Date(Timestamp.parse(text)).toISOString(), text).to.equal(utc);
    }
  });

  it("is read back to the same moment", () => {
    fc.assert(
      fc.property(anyTimestamp, (text) => {
        expect(Timestamp.format(new Date(Timestamp.parse(text)))).to.equal(text);
      }),
    );
  });

  it("is refused for anything that is no date-time of RFC 3339", () => {
    for (const value of [
      undefined,
      0,
      "",
      "2026-01-29",
      "2026-01-29 12:00:30Z",
      "2026-01-29T12:00:30",
      "2026-01-29T12:00Z",
      "2026-1-29T12:00:30Z",
      "2026-13-01T12:00:30Z",
      "2026-00-01T12:00:30Z",
      "2026-04-31T12:00:30Z",
      "2026-02-29T12:00:30Z",
      "2026-01-29T24:00:00Z",
      "2026-01-29T12:60:30Z",
      "2026-01-29T12:00:61Z",
      "2026-01-29T12:00:30.Z",
      "2026-01-29T12:00:30+24:00",
      "2026-01-29T12:00:30+0800",
      "2026-01-29T12:00:30Z\n",
      "+12026-01-29T12:00:30Z",
      "Jan 29 2026 12:00",
    ]) {
      expect(() => Timestamp.parse(value), String(value)).to.throw(InvalidFieldError, "timestamp");
    }
    expect(() => Timestamp.format(new Date(Number.NaN))).to.throw(InvalidFieldError, "not a date");
    expect(() => Timestamp.format(new Date("+012026-01-01T00:00:00Z"))).to.throw(InvalidFieldError, "four digits");
  });
});

describe("a network", () => {
  it("is read by the drafts' names and by the older one of mainnet", () => {
    expect(["mainnet", "mainnet-beta", "devnet", "localnet"].map((name) => Network.parse(name))).to.deep.equal([
      "mainnet",
      "mainnet",
      "devnet",
      "localnet",
    ]);
  });

  it("is refused by any other name", () => {
    for (const name of ["testnet", "Mainnet", "mainnet ", "", undefined, null, ["mainnet"]]) {
      expect(() => Network.parse(name), String(name)).to.throw(InvalidFieldError, "network");
    }
  });
});
