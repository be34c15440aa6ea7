// A session's request: what it is read into, and when two requests offer the same. What is refused is in the vectors.
import { InvalidFieldError, SessionRequest, TokenProgram } from "@mppsol/core";
import { expect } from "chai";
import fc from "fast-check";
import { address } from "./arbitraries.ts";
import { anySessionRequest } from "./schema-arbitraries.ts";

const fresh: SessionRequest.SessionRequest = {
  amount: 25n,
  unitType: "token",
  suggestedDeposit: 10_000n,
  minimumDeposit: 1_000n,
  recipient: address(1),
  currency: address(2),
  description: "LLM",
  externalId: "plan-7",
  network: "localnet",
  channelProgram: address(3),
  recentBlockhash: address(4),
  recentSlot: 2n ** 60n,
  decimals: 6,
  tokenProgram: TokenProgram.TOKEN_2022,
  feePayer: true,
  feePayerKey: address(5),
  voucherSigner: "operator",
  operator: address(6),
  minVoucherDelta: 1n,
  ttlSeconds: 3600,
  idleTimeoutOptionsSeconds: [30, 600],
  gracePeriodSeconds: 900,
  distributionSplits: [
    { recipient: address(7), shareBps: 500 },
    { recipient: address(8), shareBps: 1 },
  ],
};
const { recentBlockhash: _hash, recentSlot: _slot, idleTimeoutOptionsSeconds: _options, ...lasting } = fresh;
const resumed: SessionRequest.SessionRequest = { ...lasting, channelId: address(9), idleTimeoutSeconds: 600 };

describe("a session request", () => {
  it("is read into bigints, numbers and booleans", () => {
    expect(SessionRequest.fromJson(SessionRequest.toJson(fresh))).to.deep.equal(fresh);
    expect(SessionRequest.fromJson(SessionRequest.toJson(resumed))).to.deep.equal(resumed);
    const { amount, currency, recipient, methodDetails } = SessionRequest.toJson(resumed);
    const { network, channelProgram, channelId, decimals, idleTimeoutSeconds } = methodDetails as Record<string, never>;
    const least = { network, channelProgram, channelId, decimals, idleTimeoutSeconds };
    expect(SessionRequest.fromJson({ amount, currency, recipient, methodDetails: least })).to.deep.equal({
      amount: 25n,
      recipient: address(1),
      currency: address(2),
      network: "localnet",
      channelProgram: address(3),
      channelId: address(9),
      decimals: 6,
      feePayer: false,
      voucherSigner: "client",
      idleTimeoutSeconds: 600,
      distributionSplits: [],
    });
  });

  it("is not written when it could not be read", () => {
    const wrong: [string, Partial<SessionRequest.SessionRequest>][] = [
      ["request.amount", { amount: -1n }],
      ["request.minimumDeposit", { minimumDeposit: 2n ** 64n }],
      ["request.methodDetails.recentBlockhash", { channelId: address(9) }],
      ["request.methodDetails.idleTimeoutSeconds", { idleTimeoutSeconds: 600 }],
      ["request.methodDetails.idleTimeoutOptionsSeconds", { idleTimeoutOptionsSeconds: [600, 30] }],
      ["request.methodDetails.gracePeriodSeconds", { gracePeriodSeconds: 0 }],
      [
        "request.methodDetails.distributionSplits[0].shareBps",
        { distributionSplits: [{ recipient: address(7), shareBps: 0 }] },
      ],
    ];
    for (const [field, change] of wrong) {
      expect(() => SessionRequest.toJson({ ...fresh, ...change }), field)
        .to.throw(InvalidFieldError)
        .with.property("field", field);
    }
  });

  it("is refused for text that UTF-8 cannot hold", () => {
    for (const field of ["unitType", "description", "externalId"]) {
      expect(() => SessionRequest.fromJson({ ...SessionRequest.toJson(fresh), [field]: "\udfff" }))
        .to.throw(InvalidFieldError, "Unicode")
        .with.property("field", `request.${field}`);
    }
  });
});

describe("the terms of two session requests", () => {
  const dynamic: Partial<SessionRequest.SessionRequest>[] = [
    { recentBlockhash: address(99) },
    { recentSlot: 5n },
    { suggestedDeposit: 5n },
  ];

  it("are the same for a request and its copy", () => {
    fc.assert(
      fc.property(anySessionRequest, (request) => {
        const copy = SessionRequest.fromJson(SessionRequest.toJson(request));
        expect(SessionRequest.sameTerms(request, copy)).to.equal(undefined);
      }),
    );
  });

  it("are the same whatever changes from challenge to challenge", () => {
    for (const change of dynamic) expect(SessionRequest.sameTerms(fresh, { ...fresh, ...change })).to.equal(undefined);
    const later = { channelId: address(10), idleTimeoutSeconds: 30 };
    expect(SessionRequest.sameTerms(resumed, { ...resumed, ...later })).to.equal(undefined);
  });

  it("are the same for a new channel and a resumed one, which need not say what only opening needs", () => {
    const { minimumDeposit: _m, gracePeriodSeconds: _g, ...bare } = resumed;
    for (const other of [resumed, bare, { ...resumed, gracePeriodSeconds: 1, minimumDeposit: 1n }]) {
      expect(SessionRequest.sameTerms(fresh, other)).to.equal(undefined);
      expect(SessionRequest.sameTerms(other, fresh)).to.equal(undefined);
      expect(SessionRequest.sameTerms(other, resumed)).to.equal(undefined);
    }
  });

  const always: [string, Partial<SessionRequest.SessionRequest>][] = [
    ["amount", { amount: 26n }],
    ["unitType", { unitType: "byte" }],
    ["recipient", { recipient: address(99) }],
    ["currency", { currency: address(99) }],
    ["description", { description: "llm" }],
    ["externalId", { externalId: "plan-8" }],
    ["methodDetails.network", { network: "devnet" }],
    ["methodDetails.channelProgram", { channelProgram: address(99) }],
    ["methodDetails.decimals", { decimals: 7 }],
    ["methodDetails.tokenProgram", { tokenProgram: TokenProgram.TOKEN }],
    ["methodDetails.feePayer", { feePayer: false }],
    ["methodDetails.feePayerKey", { feePayerKey: address(99) }],
    ["methodDetails.voucherSigner", { voucherSigner: "client" }],
    ["methodDetails.operator", { operator: address(99) }],
    ["methodDetails.minVoucherDelta", { minVoucherDelta: 2n }],
    ["methodDetails.ttlSeconds", { ttlSeconds: 60 }],
    ["methodDetails.distributionSplits", { distributionSplits: [...fresh.distributionSplits].reverse() }],
    ["methodDetails.distributionSplits", { distributionSplits: [] }],
  ];
  const opening: [string, Partial<SessionRequest.SessionRequest>][] = [
    ["minimumDeposit", { minimumDeposit: 1n }],
    ["methodDetails.gracePeriodSeconds", { gracePeriodSeconds: 60 }],
    ["methodDetails.idleTimeoutOptionsSeconds", { idleTimeoutOptionsSeconds: [30] }],
  ];

  for (const [field, change] of always) {
    it(`differ, for new and for resumed channels, in ${Object.keys(change)[0]}`, () => {
      for (const request of [fresh, resumed]) {
        expect(SessionRequest.sameTerms(request, { ...request, ...change })).to.equal(field);
        expect(SessionRequest.sameTerms({ ...request, ...change }, request)).to.equal(field);
      }
      expect(SessionRequest.sameTerms(fresh, { ...resumed, ...change })).to.equal(field);
    });
  }

  for (const [field, change] of opening) {
    it(`differ, for new channels, in ${Object.keys(change)[0]}`, () => {
      expect(SessionRequest.sameTerms(fresh, { ...fresh, ...change })).to.equal(field);
    });
  }

  it("differ in every member but those that are left out on purpose", () => {
    const compared = new Set(
      [...always, ...opening, ...dynamic.map((d) => ["", d] as const)].map(([, c]) => Object.keys(c)[0]),
    );
    const all = new Set([...Object.keys(fresh), ...Object.keys(resumed)]);
    expect([...all].filter((key) => !compared.has(key))).to.deep.equal(["channelId", "idleTimeoutSeconds"]);
  });
});
