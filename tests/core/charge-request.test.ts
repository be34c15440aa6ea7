// A charge's request: who is paid what, and when two requests ask for the same. What is refused is in the vectors.
import { ChargeRequest, InvalidFieldError, TokenProgram } from "@mppsol/core";
import { expect } from "chai";
import fc from "fast-check";
import { address } from "./arbitraries.ts";
import { anyChargeRequest } from "./schema-arbitraries.ts";

const token: ChargeRequest.ChargeRequest = {
  amount: 1_000_000n,
  currency: address(1),
  recipient: address(2),
  description: "quotes",
  externalId: "order-1",
  network: "devnet",
  decimals: 6,
  tokenProgram: TokenProgram.TOKEN,
  feePayer: true,
  feePayerKey: address(3),
  splits: [
    { recipient: address(4), amount: 1n, memo: "fee", ataCreationRequired: true },
    { recipient: address(4), amount: 1n },
    { recipient: address(2), amount: 3n },
  ],
  recentBlockhash: address(5),
};
const { splits: _splits, tokenProgram: _tokenProgram, ...rest } = token;
const confidential: ChargeRequest.ChargeRequest = {
  ...rest,
  splits: [],
  confidential: true,
  auditorElgamalPubkey: `${"A".repeat(43)}=`,
  recipientElgamalPubkey: `${"A".repeat(43)}=`,
};

describe("a charge request", () => {
  it("is read into bigints, numbers and booleans", () => {
    expect(ChargeRequest.fromJson(ChargeRequest.toJson(token))).to.deep.equal(token);
    expect(ChargeRequest.fromJson({ amount: "5", currency: "sol", recipient: address(2) })).to.deep.equal({
      amount: 5n,
      currency: "sol",
      recipient: address(2),
      network: "mainnet",
      feePayer: false,
      splits: [],
    });
  });

  it("consists of one leg to the recipient and one a split, in their order, none put together", () => {
    expect(ChargeRequest.primaryAmount(token)).to.equal(999_995n);
    expect(ChargeRequest.legs(token)).to.deep.equal([{ recipient: address(2), amount: 999_995n }, ...token.splits]);
  });

  it("moves its amount, no more and no less, and something to the recipient", () => {
    fc.assert(
      fc.property(anyChargeRequest, (request) => {
        const legs = ChargeRequest.legs(request);
        expect(legs.reduce((sum, { amount }) => sum + amount, 0n)).to.equal(request.amount);
        expect(legs[0]?.recipient).to.equal(request.recipient);
        expect(legs[0]?.amount).to.equal(ChargeRequest.primaryAmount(request));
        expect(ChargeRequest.primaryAmount(request) > 0n).to.equal(true);
        expect(legs.length).to.equal(request.splits.length + 1);
      }),
    );
  });

  it("is not written when it could not be read", () => {
    const wrong: [string, Partial<ChargeRequest.ChargeRequest>][] = [
      ["request.amount", { amount: 0n }],
      ["request.amount", { amount: -1n }],
      ["request.amount", { amount: 2n ** 64n }],
      ["request.recipient", { recipient: "x" }],
      ["request.description", { description: "d".repeat(257) }],
      ["request.externalId", { externalId: "\ud800" }],
      ["request.methodDetails.decimals", { decimals: 10 }],
      ["request.methodDetails.feePayerKey", { feePayer: false }],
      ["request.methodDetails.splits", { splits: [{ recipient: address(4), amount: 1_000_000n }] }],
      ["request.methodDetails.splits[0].amount", { splits: [{ recipient: address(4), amount: -1n }] }],
      ["request.methodDetails.splits[0].memo", { splits: [{ recipient: address(4), amount: 1n, memo: "\udc00" }] }],
    ];
    for (const [field, change] of wrong) {
      expect(() => ChargeRequest.toJson({ ...token, ...change }), field)
        .to.throw(InvalidFieldError)
        .with.property("field", field);
    }
  });

  it("is read by its own members only, not by those of a prototype", () => {
    const json = ChargeRequest.toJson(token);
    expect(() => ChargeRequest.fromJson(Object.create(json))).to.throw(InvalidFieldError, "missing");
  });

  it("is refused for text that UTF-8 cannot hold", () => {
    const json = ChargeRequest.toJson(token);
    for (const field of ["description", "externalId"]) {
      expect(() => ChargeRequest.fromJson({ ...json, [field]: "a\ud800b" }))
        .to.throw(InvalidFieldError, "Unicode")
        .with.property("field", `request.${field}`);
    }
  });
});

describe("the terms of two charge requests", () => {
  it("are the same for a request and its copy, and whatever the blockhash", () => {
    fc.assert(
      fc.property(anyChargeRequest, (request) => {
        const copy = ChargeRequest.fromJson(ChargeRequest.toJson(request));
        expect(ChargeRequest.sameTerms(request, copy)).to.equal(undefined);
        expect(ChargeRequest.sameTerms(request, { ...request, recentBlockhash: address(9) })).to.equal(undefined);
      }),
    );
    const { recentBlockhash: _, ...without } = token;
    expect(ChargeRequest.sameTerms(token, without)).to.equal(undefined);
  });

  type Change = Partial<ChargeRequest.ChargeRequest>;
  const changes: [string, ChargeRequest.ChargeRequest, Change][] = [
    ["amount", token, { amount: 1_000_001n }],
    ["currency", token, { currency: address(9) }],
    ["recipient", token, { recipient: address(9) }],
    ["description", token, { description: "Quotes" }],
    ["externalId", token, { externalId: "order-2" }],
    ["methodDetails.network", token, { network: "mainnet" }],
    ["methodDetails.decimals", token, { decimals: 5 }],
    ["methodDetails.tokenProgram", token, { tokenProgram: TokenProgram.TOKEN_2022 }],
    ["methodDetails.feePayer", token, { feePayer: false }],
    ["methodDetails.feePayerKey", token, { feePayerKey: address(9) }],
    ["methodDetails.splits", token, { splits: [] }],
    ["methodDetails.confidential", confidential, { confidential: false }],
    ["methodDetails.auditorElgamalPubkey", confidential, { auditorElgamalPubkey: `${"B".repeat(42)}A=` }],
    ["methodDetails.recipientElgamalPubkey", confidential, { recipientElgamalPubkey: `${"B".repeat(42)}A=` }],
  ];
  for (const [field, request, change] of changes) {
    it(`differ when ${field} does`, () => {
      expect(ChargeRequest.sameTerms(request, { ...request, ...change })).to.equal(field);
      expect(ChargeRequest.sameTerms({ ...request, ...change }, request)).to.equal(field);
    });
  }

  const [split, ...others] = token.splits as [ChargeRequest.Split, ...ChargeRequest.Split[]];
  const others9 = others.map((other) => ({ ...other, recipient: address(9) }));
  for (const [how, splits] of [
    ["have another order", [...token.splits].reverse()],
    ["are fewer", token.splits.slice(0, 2)],
    ["have another amount", [{ ...split, amount: 2n }, ...others]],
    ["have other recipients", [split, ...others9]],
    ["have another memo", [{ ...split, memo: "" }, ...others]],
    ["create no account", [{ ...split, ataCreationRequired: false }, ...others]],
  ] as const) {
    it(`differ when the splits ${how}`, () => {
      expect(ChargeRequest.sameTerms(token, { ...token, splits })).to.equal("methodDetails.splits");
    });
  }

  it("differ in every member but the blockhash", () => {
    const compared = new Set(changes.map(([, , change]) => Object.keys(change)[0]));
    const all = new Set([...Object.keys(token), ...Object.keys(confidential)]);
    expect([...all].filter((key) => !compared.has(key))).to.deep.equal(["recentBlockhash"]);
  });

  it("differ when a field is in one of them only", () => {
    for (const field of ["description", "externalId", "tokenProgram"] as const) {
      const { [field]: _, ...without } = token;
      expect(ChargeRequest.sameTerms(token, without)).to.match(new RegExp(`${field}$`));
      expect(ChargeRequest.sameTerms(without, token)).to.match(new RegExp(`${field}$`));
    }
  });
});
