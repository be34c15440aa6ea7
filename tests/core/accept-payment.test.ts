// Accept-Payment: reading, writing, and which offers a server makes.
import { AcceptPayment, InvalidFieldError } from "@mppsol/core";
import { expect } from "chai";
import fc from "fast-check";
import { answerOf } from "./support.js";
import { damaged } from "./wire-arbitraries.js";

const offer = (text: string) => {
  const [method, intent] = text.split("/") as [string, string];
  return { method, intent };
};
const select = (offers: string, header?: string) =>
  AcceptPayment.select(offers.split(" ").map(offer), header)
    .map(({ method, intent }) => `${method}/${intent}`)
    .join(" ");

const anyRange: fc.Arbitrary<AcceptPayment.Range> = fc.record({
  method: fc.oneof(fc.constant("*"), fc.stringMatching(/^[a-z][a-z0-9:_-]{0,8}$/)),
  intent: fc.oneof(fc.constant("*"), fc.stringMatching(/^[A-Za-z0-9-]{1,8}$/)),
  q: fc.integer({ min: 0, max: 1000 }).map((thousandths) => thousandths / 1000),
});

describe("Accept-Payment", () => {
  it("is read as the draft's examples mean it", () => {
    expect(AcceptPayment.parse("tempo/charge, tempo/session;q=0 ,,solana/charge ; q=0.5, */*;q=1.000")).to.deep.equal([
      { method: "tempo", intent: "charge", q: 1 },
      { method: "tempo", intent: "session", q: 0 },
      { method: "solana", intent: "charge", q: 0.5 },
      { method: "*", intent: "*", q: 1 },
    ]);
  });

  it("is read up to its greatest length", () => {
    const header = "a/b,".repeat(AcceptPayment.MAX_LENGTH / 4);
    expect(AcceptPayment.parse(header)).to.have.length(AcceptPayment.MAX_LENGTH / 4);
  });

  it("is read back to the same ranges", () => {
    fc.assert(
      fc.property(fc.array(anyRange, { minLength: 1, maxLength: 20 }), (ranges) => {
        expect(AcceptPayment.parse(AcceptPayment.format(ranges))).to.deep.equal(ranges);
      }),
    );
  });

  it("is refused when it is not the draft's grammar", () => {
    for (const header of [
      "",
      " , ",
      "solana",
      "solana/",
      "/charge",
      "Solana/charge",
      "solana/charge/x",
      "solana /charge",
      "solana/charge;q=2",
      "solana/charge;q=-1",
      "solana/charge;q=0.1234",
      "solana/charge;q=1.5",
      "solana/charge;q=",
      "solana/charge;v=1",
      "solana/charge;q=1;q=0",
      "*a/charge",
      `${"a/b,".repeat(1024)}a/b`,
    ]) {
      expect(() => AcceptPayment.parse(header), header.slice(0, 30)).to.throw(InvalidFieldError, "Accept-Payment");
    }
    for (const q of [2, -1, 0.0001, Number.NaN]) {
      expect(() => AcceptPayment.format([{ method: "a", intent: "b", q }]), String(q)).to.throw(InvalidFieldError);
    }
    expect(() => AcceptPayment.format([])).to.throw(InvalidFieldError, "empty");
    expect(() => AcceptPayment.format([{ method: "a/b, c", intent: "d", q: 1 }])).to.throw(InvalidFieldError);
  });

  it("makes the parser answer or throw InvalidFieldError", () => {
    const sound = fc.array(anyRange, { minLength: 1, maxLength: 5 }).map(AcceptPayment.format);
    fc.assert(
      fc.property(damaged(sound), (header) => {
        const ranges = answerOf(() => AcceptPayment.parse(header));
        if (ranges !== undefined) expect(AcceptPayment.parse(AcceptPayment.format(ranges))).to.deep.equal(ranges);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("offers", () => {
  it("are all made, in the server's order, without the header", () => {
    expect(select("solana/session solana/charge tempo/charge")).to.equal("solana/session solana/charge tempo/charge");
  });

  it("are those that the client wants, its favourites first, the server's order among equals", () => {
    const offers = "solana/session solana/charge tempo/charge stripe/charge";
    expect(select(offers, "tempo/charge;q=0.8, solana/charge")).to.equal("solana/charge tempo/charge");
    expect(select(offers, "*/charge;q=0.5, */session;q=0.5")).to.equal(offers);
    expect(select(offers, "tempo/*, solana/*;q=0.6, */session;q=0.3")).to.equal(
      "tempo/charge solana/session solana/charge",
    );
  });

  it("are left out for q=0, which a more specific range says though a wider one wants it", () => {
    expect(select("solana/session solana/charge", "solana/*, solana/session;q=0")).to.equal("solana/charge");
    expect(select("solana/session solana/charge", "solana/*;q=0, solana/session;q=0.1")).to.equal("solana/session");
    expect(select("solana/session tempo/charge", "*/*, solana/*;q=0")).to.equal("tempo/charge");
  });

  it("count by the higher of two ranges that are equally specific", () => {
    expect(select("solana/session solana/charge", "solana/*;q=0.2, */session;q=0.1, solana/charge;q=0.15")).to.equal(
      "solana/session solana/charge",
    );
  });

  it("are all made when the header is malformed, or would leave none", () => {
    for (const header of ["", "nonsense", "solana/charge;q=9", "tempo/charge", "*/*;q=0"]) {
      expect(select("solana/session solana/charge", header), header).to.equal("solana/session solana/charge");
    }
  });

  it("are never changed, invented or made twice, whatever the header", () => {
    const offers = ["solana/session", "solana/charge", "tempo/charge"].map(offer);
    fc.assert(
      fc.property(fc.array(anyRange, { minLength: 1, maxLength: 6 }), (ranges) => {
        const selected = AcceptPayment.select(offers, AcceptPayment.format(ranges));
        expect(selected).to.have.length.of.at.least(1);
        expect(new Set(selected).size).to.equal(selected.length);
        for (const one of selected) expect(offers).to.include(one);
      }),
    );
  });
});
