// x402: headers and JSON read back to what they were written from, and what is refused.
import { Base64Url, InvalidFieldError, Network, X402 } from "@mppsol/core";
import { expect } from "chai";
import fc from "fast-check";
import { address, anyAddress, anyU64 } from "./arbitraries.js";
import { answerOf } from "./support.js";
import { damaged } from "./wire-arbitraries.js";

const MAINNET = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp";

const anyRequirements: fc.Arbitrary<X402.Requirements> = fc.record(
  {
    scheme: fc.constantFrom("exact", "upto"),
    network: fc.constantFrom(MAINNET, "solana-devnet"),
    amount: anyU64.map((amount) => amount || 1n),
    asset: anyAddress,
    payTo: anyAddress,
    maxTimeoutSeconds: fc.integer({ min: 1, max: 86_400 }),
    feePayer: anyAddress,
    memo: fc.string({ unit: "grapheme", minLength: 1, maxLength: 8 }),
    recentBlockhash: anyAddress,
  },
  { requiredKeys: ["scheme", "network", "amount", "asset", "payTo", "maxTimeoutSeconds"] },
);

const requirements: X402.Requirements = {
  scheme: "exact",
  network: MAINNET,
  amount: 1_000n,
  asset: address(1),
  payTo: address(2),
  maxTimeoutSeconds: 60,
  feePayer: address(3),
  memo: "order 7",
};

type Json = Record<string, unknown>;
const wire = (): Json => X402.requirementsToJson(requirements) as Json;
const btoaJson = (json: unknown) => btoa(String.fromCharCode(...new TextEncoder().encode(JSON.stringify(json))));
const payment = (more: Json = {}): Json => ({
  x402Version: 2,
  accepted: wire(),
  payload: { transaction: "AQID" },
  resource: { url: "https://api.example/a" },
  extensions: { mpp: { info: {} } },
  ...more,
});

describe("x402's networks", () => {
  it("are CAIP-2 ids made of the genesis hash, those of the public clusters known", () => {
    const devnet = "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG";
    expect(X402.chainId(devnet)).to.equal("solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1");
    expect(X402.publicChainId("devnet")).to.equal(X402.chainId(devnet));
    expect(X402.publicChainId("mainnet")).to.equal(MAINNET);
    expect(X402.publicChainId("localnet")).to.equal(undefined);
    expect(() => X402.chainId("not a hash")).to.throw(InvalidFieldError, "genesisHash");
  });

  it("have names in version 1", () => {
    expect(Network.NETWORKS.map(X402.legacyName)).to.deep.equal(["solana", "solana-devnet", "solana-localnet"]);
  });
});

describe("x402's requirements", () => {
  it("are read back to what they were written from", () => {
    fc.assert(
      fc.property(anyRequirements, (any) => {
        const json = JSON.parse(JSON.stringify(X402.requirementsToJson(any)));
        expect(X402.requirementsFromJson(2, json)).to.deep.equal(any);
      }),
    );
  });

  it("name the amount otherwise in version 1", () => {
    const { amount, ...rest } = wire();
    const old = { ...rest, maxAmountRequired: amount, resource: "https://api.example", description: "" };
    expect(X402.requirementsFromJson(1, old)).to.deep.equal(requirements);
    expect(() => X402.requirementsFromJson(2, old)).to.throw(InvalidFieldError, "paymentRequirements.amount");
    expect(() => X402.requirementsFromJson(1, wire())).to.throw(InvalidFieldError, "maxAmountRequired");
  });

  it("may lack what only sponsors and sellers need", () => {
    for (const extra of [undefined, null, {}, { memo: "" }]) {
      const read = X402.requirementsFromJson(2, { ...wire(), extra });
      expect([read.feePayer, read.memo]).to.deep.equal([undefined, undefined]);
    }
  });

  for (const [what, member, value] of [
    ["an amount of nothing", "amount", "0"],
    ["an amount that is not canonical", "amount", "01"],
    ["an amount over u64", "amount", "18446744073709551616"],
    ["an amount as a number", "amount", 1_000],
    ["an asset that is no address", "asset", "USDC"],
    ["a recipient of another chain", "payTo", "0x036CbD53842c5426634e7929541eC2318f3dCF7e"],
    ["no time at all", "maxTimeoutSeconds", 0],
    ["more than a day", "maxTimeoutSeconds", 86_401],
    ["a fraction of a second", "maxTimeoutSeconds", 0.5],
    ["no scheme", "scheme", ""],
    ["no network", "network", undefined],
    ["extra that is no object", "extra", []],
    ["a fee payer that is no address", "extra", { feePayer: "me" }],
    ["a memo over 256 bytes", "extra", { memo: "é".repeat(129) }],
    ["a memo that is no text", "extra", { memo: 7 }],
  ] as const) {
    it(`with ${what} are refused`, () => {
      expect(() => X402.requirementsFromJson(2, { ...wire(), [member]: value })).to.throw(InvalidFieldError, member);
    });
  }

  it("differ in what a payer or seller could be hurt by, and in hints they do not", () => {
    const others: readonly Partial<X402.Requirements>[] = [
      { scheme: "upto" },
      { network: "solana:x" },
      { amount: 999n },
      { asset: address(9) },
      { payTo: address(9) },
      { maxTimeoutSeconds: 61 },
      { feePayer: address(9) },
      { memo: "order 8" },
    ];
    for (const other of others) {
      expect(X402.difference(requirements, { ...requirements, ...other })).to.equal(Object.keys(other)[0]);
    }
    const { memo: _, ...without } = requirements;
    expect(X402.difference(requirements, without)).to.equal("memo");
    expect(X402.difference(requirements, { ...requirements, recentBlockhash: address(9) })).to.equal(undefined);
  });
});

describe("an x402 payment", () => {
  it("of version 2 says what was accepted, and echoes what was declared", () => {
    expect(X402.parsePayment(btoaJson(payment()))).to.deep.equal({
      version: 2,
      scheme: "exact",
      network: MAINNET,
      transaction: new Uint8Array([1, 2, 3]),
      accepted: requirements,
      resource: "https://api.example/a",
      extensions: { mpp: { info: {} } },
    });
    const bare = X402.paymentFromJson(payment({ resource: null, extensions: null }));
    expect([bare.resource, bare.extensions]).to.deep.equal([undefined, undefined]);
  });

  it("of version 1 says scheme and network", () => {
    const old = { x402Version: 1, scheme: "exact", network: "solana-devnet", payload: { transaction: "AQID" } };
    expect(X402.paymentFromJson(old)).to.deep.equal({
      version: 1,
      scheme: "exact",
      network: "solana-devnet",
      transaction: new Uint8Array([1, 2, 3]),
    });
  });

  for (const [what, more] of [
    ["another version", { x402Version: 3 }],
    ["a version in quotes", { x402Version: "2" }],
    ["nothing accepted", { accepted: undefined }],
    ["no proof", { payload: {} }],
    ["a transaction in base64url", { payload: { transaction: "AQ_-" } }],
    ["a transaction without padding", { payload: { transaction: "AQI" } }],
    ["a transaction that no packet holds", { payload: { transaction: btoa("x".repeat(1233)) } }],
    ["a resource without URL", { resource: {} }],
    ["extensions that are a list", { extensions: [] }],
  ] as const) {
    it(`with ${what} is refused`, () => {
      expect(() => X402.paymentFromJson(payment(more))).to.throw(InvalidFieldError);
    });
  }

  for (const [what, header] of [
    ["nothing", ""],
    ["no base64", "*"],
    ["base64url of JSON", Base64Url.encode(JSON.stringify(payment({ resource: { url: "https://x/?>?>?>" } })))],
    ["no JSON", btoa("{")],
    ["a member that is named twice", btoa('{"x402Version":2,"x402Version":1}')],
    ["what is not UTF-8", btoa("\xff")],
    ["more than 16 KiB", btoa("x".repeat(13_000))],
  ] as const) {
    it(`in a header of ${what} is refused`, () => {
      expect(() => X402.parsePayment(header)).to.throw(InvalidFieldError, "PAYMENT-SIGNATURE");
    });
  }

  it("makes the parser answer or throw InvalidFieldError, whatever comes", () => {
    fc.assert(
      fc.property(damaged(fc.constant(JSON.stringify(payment()))), (json) => {
        void answerOf(() => X402.parsePayment(btoa(String.fromCharCode(...new TextEncoder().encode(json)))));
      }),
      { numRuns: 2000 },
    );
    fc.assert(fc.property(fc.jsonValue(), (json) => void answerOf(() => X402.paymentFromJson(json))));
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => void answerOf(() => X402.parsePayment(text))));
  });
});

describe("x402's answers", () => {
  const read = (header: string) =>
    JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(header), (c) => c.charCodeAt(0))));

  it("of what is asked for are standard base64 of JSON", () => {
    const header = X402.formatRequired({
      error: "payment-required",
      resource: { url: "https://api.example/a?q=é" },
      accepts: [requirements],
      extensions: { mpp: { info: {} } },
    });
    expect(read(header)).to.deep.equal({
      x402Version: 2,
      error: "payment-required",
      resource: { url: "https://api.example/a?q=é" },
      accepts: [wire()],
      extensions: { mpp: { info: {} } },
    });
  });

  it("of what has become of a payment write amounts as strings", () => {
    const header = X402.formatSettled({ success: true, transaction: "5s", network: MAINNET, amount: 2n ** 64n - 1n });
    expect(read(header)).to.deep.equal({
      success: true,
      transaction: "5s",
      network: MAINNET,
      amount: "18446744073709551615",
    });
  });

  it("are not written when no client would read them", () => {
    const resource = { url: `https://api.example/${"x".repeat(13_000)}` };
    expect(() => X402.formatRequired({ resource, accepts: [requirements] })).to.throw(InvalidFieldError, "longer");
    const wrong = { ...requirements, amount: 0n };
    expect(() => X402.formatRequired({ resource: { url: "x" }, accepts: [wrong] })).to.throw(
      InvalidFieldError,
      "amount",
    );
  });
});
