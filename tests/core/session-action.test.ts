// The actions of a session: what they are read into. What is refused is in the vectors.
import { InvalidFieldError, Jcs, SessionAction } from "@mppsol/core";
import { expect } from "chai";
import fc from "fast-check";
import { address } from "./arbitraries.ts";
import { answerOf } from "./support.ts";

const open: SessionAction.Open = {
  action: "open",
  channelId: address(1),
  payer: address(2),
  payee: address(3),
  mint: address(4),
  authorizedSigner: address(5),
  salt: 2n ** 64n - 1n,
  depositAmount: 10_000n,
  gracePeriodSeconds: 900,
  openSlot: 7n,
  transaction: Uint8Array.of(1, 2, 3),
};

describe("a session action", () => {
  it("is written with amounts, salt and slot as decimal strings and the transaction in base64", () => {
    expect(SessionAction.toJson(open)).to.deep.equal({
      action: "open",
      channelId: address(1),
      payer: address(2),
      payee: address(3),
      mint: address(4),
      authorizedSigner: address(5),
      salt: "18446744073709551615",
      depositAmount: "10000",
      gracePeriodSeconds: 900,
      openSlot: "7",
      transaction: "AQID",
    });
    const topUp = {
      action: "topUp",
      channelId: address(1),
      additionalAmount: 5n,
      transaction: Uint8Array.of(0),
    } as const;
    expect(SessionAction.toJson(topUp)).to.deep.equal({
      action: "topUp",
      channelId: address(1),
      additionalAmount: "5",
      transaction: "AA==",
    });
    expect(SessionAction.fromJson(SessionAction.toJson(topUp))).to.deep.equal(topUp);
  });

  it("is not written when it could not be read", () => {
    const wrong: [string, object][] = [
      ["payload.channelId", { ...open, channelId: "x" }],
      ["payload.salt", { ...open, salt: -1n }],
      ["payload.depositAmount", { ...open, depositAmount: 2n ** 64n }],
      ["payload.gracePeriodSeconds", { ...open, gracePeriodSeconds: 0 }],
      ["payload.idleTimeoutSeconds", { ...open, idleTimeoutSeconds: 0 }],
      ["payload.distributionSplits", { ...open, distributionSplits: [{ recipient: address(1), shareBps: 1 }] }],
      ["payload.capabilities.bump", { ...open, capabilities: { bump: 1 } }],
      ["payload.transaction", { ...open, transaction: new Uint8Array(1233) }],
      ["payload.transaction", { ...open, transaction: new Uint8Array() }],
      ["payload.voucher", { action: "close", channelId: address(1) }],
    ];
    for (const [field, action] of wrong) {
      expect(() => SessionAction.toJson(action as SessionAction.SessionAction), field)
        .to.throw(InvalidFieldError)
        .with.property("field", field);
    }
  });

  it("never carries a bump into an open, not even one that it was given", () => {
    expect(SessionAction.toJson({ ...open, bump: 255 } as SessionAction.Open)).to.deep.equal(
      SessionAction.toJson(open),
    );
  });

  it("is refused, not crashed at, when an open is nested deeper than any stack", () => {
    const depth = 200_000;
    const deep = JSON.parse(`${'{"a":['.repeat(depth / 2)}${"]}".repeat(depth / 2)}`);
    const json = SessionAction.toJson(open);
    for (const member of ["capabilities", "authorizationPolicy"]) {
      expect(() => SessionAction.fromJson({ ...json, [member]: deep })).to.throw(InvalidFieldError, "nested deeper");
    }
    expect(SessionAction.fromJson({ ...json, unknown: deep })).to.deep.equal(open);
  });

  it("takes extensions of an open that are nested as deep as canonical JSON goes, and no deeper", () => {
    const nested = (depth: number): object => JSON.parse(`${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`);
    const read = (depth: number) => () =>
      SessionAction.fromJson({ ...SessionAction.toJson(open), capabilities: nested(depth) });
    expect(read(Jcs.MAX_DEPTH)).not.to.throw();
    expect(read(Jcs.MAX_DEPTH + 1)).to.throw(InvalidFieldError, "nested deeper");
  });

  it("is refused when an extension of an open holds what JSON cannot", () => {
    const json = SessionAction.toJson(open);
    for (const value of [
      undefined,
      1n,
      Number.NaN,
      () => 1,
      "\ud800",
      { "\ud800": 1 },
      new Date(0),
      new Map(),
      Uint8Array.of(1),
    ]) {
      expect(() => SessionAction.fromJson({ ...json, capabilities: { a: value } }))
        .to.throw(InvalidFieldError)
        .with.property("field")
        .that.matches(/^payload\.capabilities\.a/);
    }
  });

  it("keeps a copy of an open's extensions, which later changes of the input do not reach", () => {
    const capabilities = { list: [1] };
    const read = SessionAction.fromJson({ ...SessionAction.toJson(open), capabilities });
    capabilities.list.push(2);
    expect(read)
      .to.have.property("capabilities")
      .that.deep.equals({ list: [1] });
  });

  it("is refused when an extension of an open has a member that a careless copy takes for a prototype", () => {
    const capabilities = JSON.parse('{"a":[{"__proto__":{"b":1}}]}');
    expect(() => SessionAction.fromJson({ ...SessionAction.toJson(open), capabilities }))
      .to.throw(InvalidFieldError, "__proto__")
      .with.property("field", "payload.capabilities.a[0]");
  });

  it("that was read can be written as canonical JSON, whatever its extensions hold", () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        const read = answerOf(() => SessionAction.fromJson({ ...SessionAction.toJson(open), capabilities: { value } }));
        if (read === undefined) return;
        const text = Jcs.canonicalize(SessionAction.toJson(read));
        expect(Jcs.canonicalize(SessionAction.toJson(SessionAction.fromJson(JSON.parse(text))))).to.equal(text);
      }),
      { numRuns: 500 },
    );
  });
});
