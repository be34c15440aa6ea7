// What createPayments refuses to be made with, and how it reads prices.
import { Connection, Keypair } from "@solana/web3.js";
import { expect } from "chai";
import {
  ConfigError,
  type Currency,
  createPayments,
  memoryStore,
  type PaymentsOptions,
  type Price,
  SessionConfigError,
} from "../../../sdk/server/src/index.ts";
import { money } from "../../../sdk/server/src/money.ts";
import { FakeCharge, payFor, SECRET } from "./fakes.ts";

const RPC = "http://127.0.0.1:1";
const KEY = Keypair.generate();
const OTHER = Keypair.generate();
const MINT = Keypair.generate().publicKey.toBase58();

/** Nothing here speaks to a chain. */
function options(more: Partial<PaymentsOptions> = {}): PaymentsOptions {
  return {
    recipient: KEY.publicKey,
    network: "localnet",
    rpc: RPC,
    store: memoryStore(),
    secret: SECRET,
    background: false,
    ...more,
  };
}

const durable = { ...memoryStore(), durable: true };

function refused(make: () => unknown): string {
  try {
    make();
  } catch (error) {
    if (error instanceof ConfigError || error instanceof SessionConfigError) return error.option;
    throw error;
  }
  return "taken";
}

describe("createPayments", () => {
  const cases: [what: string, more: object, option: string][] = [
    ["a secret of 31 bytes", { secret: "x".repeat(31) }, "secret"],
    ["a short secret among those of before", { secret: [SECRET, "short"] }, "secret"],
    ["no secret", { secret: [] }, "secret"],
    ["a secret of 31 binary bytes", { secret: new Uint8Array(31) }, "secret"],
    ["an unknown network", { network: "testnet" }, "network"],
    ["a recipient that is no address", { recipient: "not-base58!" }, "recipient"],
    ["a recipient of 31 bytes", { recipient: "1".repeat(31) }, "recipient"],
    ["a currency that is no address", { currency: "usdt" }, "currency"],
    ["decimals that no mint has", { currency: { mint: MINT, decimals: 10 } }, "currency.decimals"],
    ["a list of mints with something else in it", { mints: ["usdc"] }, "mints"],
    ["a currency that is not among the mints", { currency: MINT, mints: [OTHER.publicKey.toBase58()] }, "currency"],
    ["a realm with a space", { realm: "my api" }, "realm"],
    ["a realm with a quote", { realm: 'a"b' }, "realm"],
    ["a realm that is a URL", { realm: "https://api.example.com" }, "realm"],
    ["an empty realm", { realm: "" }, "realm"],
    ["a node that is no URL", { rpc: "localhost" }, "rpc"],
    ["a node by another protocol", { rpc: "ws://localhost:8900" }, "rpc"],
    ["a list of no nodes", { rpc: [] }, "rpc"],
    ["challenges that live no time", { challengeTtlSeconds: 0 }, "challengeTtlSeconds"],
    ["challenges that live for ever", { challengeTtlSeconds: Number.POSITIVE_INFINITY }, "challengeTtlSeconds"],
    ["a body limit that is no number of bytes", { maxBodyBytes: 1.5 }, "maxBodyBytes"],
    ["a store limit beyond reason", { maxStoredBytes: 1e9 }, "maxStoredBytes"],
    [
      "responses that are forgotten before charges are collected",
      { sessions: { watchtower: { retentionMs: 1_000 } } },
      "sessions.watchtower.retentionMs",
    ],
    ["mainnet with a store that forgets", { network: "mainnet", realm: "a.example" }, "store"],
    ["mainnet without a realm", { network: "mainnet", store: durable, rpc: "https://rpc.example" }, "realm"],
    [
      "mainnet with a node over plain http",
      { network: "mainnet", store: durable, realm: "a.example", rpc: "http://rpc.example" },
      "rpc",
    ],
  ];
  for (const [what, more, option] of cases) {
    it(`refuses ${what}, naming the option`, () => {
      expect(refused(() => createPayments(options(more as Partial<PaymentsOptions>)))).to.equal(option);
    });
  }

  it("takes what is right", () => {
    const right: Partial<PaymentsOptions>[] = [
      {},
      { secret: [new Uint8Array(32), SECRET] },
      { recipient: KEY.publicKey.toBase58() },
      { rpc: [RPC, new Connection(RPC)] },
      { network: "mainnet", store: durable, realm: "api.example.com", rpc: "https://rpc.example" },
      { network: "mainnet", store: durable, realm: "api.example.com:8443", rpc: "http://127.0.0.1:8899" },
      { mints: [MINT], currency: MINT },
    ];
    for (const more of right) expect(refused(() => createPayments(options(more)))).to.equal("taken");
  });

  it("says nothing of the secret when it refuses it", () => {
    expect(() => createPayments(options({ secret: "my little secret" })))
      .to.throw(ConfigError)
      .and.not.match(/little/);
  });

  it("needs a node to settle by itself", () => {
    const { rpc: _, ...rest } = options();
    expect(refused(() => createPayments(rest).charge(1n))).to.equal("rpc");
  });

  it("needs the recipient's key to sell sessions, a token, and somebody who pays for closes", () => {
    const make = (more: Partial<PaymentsOptions>) => refused(() => createPayments(options(more)).session(1n));
    expect(make({})).to.equal("closer");
    expect(make({ closer: OTHER })).to.equal("payee");
    expect(make({ closer: KEY, currency: "sol" })).to.equal("currency");
    expect(make({ closer: { close: async () => [] } })).to.equal("feePayer");
    expect(make({ closer: KEY, mints: [MINT, "HWVK3jYEq1jChpPEuHtGqxvZd73xPrYsP4PRc8aHD6te"] })).to.equal("taken");
  });

  it("finds references by functions alone", () => {
    const charge = (externalId: unknown) => createPayments(options()).charge({ price: 1n, externalId } as never);
    expect(refused(() => charge("order 7"))).to.equal("externalId");
    expect(refused(() => charge(() => "order 7"))).to.equal("taken");
  });

  it("refuses to set units aside for a price that counts none", () => {
    const payments = createPayments(options({ closer: KEY }));
    expect(refused(() => payments.session({ price: 1n, reserve: 5 }))).to.equal("reserve");
  });

  it("refuses to offer what another one guards, or by two headers at once", () => {
    const [ours, theirs] = [createPayments(options()), createPayments(options())];
    expect(refused(() => ours.offer(ours.charge(1n), theirs.charge(1n)))).to.equal("offer");
    const other = ours.charge({ price: 1n, header: "Payment-Authorization" });
    expect(refused(() => ours.offer(ours.charge(1n), other))).to.equal("offer");
  });

  it("sells by a way to pay of the application's own, and needs no node for that", async () => {
    const { rpc: _, ...rest } = options({ realm: "api.example.com" });
    const payments = createPayments(rest);
    const offer = { intent: "charge", method: "solana", amount: 1n };
    const guard = payments.accept(new FakeCharge(), offer);
    expect(guard.offers).to.deep.equal([offer]);
    const { response } = await payFor(
      guard(() => new Response("served")),
      (headers) => new Request("https://api.example.com/x", { headers }),
    );
    expect(await response.text()).to.equal("served");
  });

  it("names prices, and null for those that depend on the request, where they are discovered", () => {
    const payments = createPayments(options({ closer: KEY }));
    const offers = payments.offer(
      payments.charge("0.01"),
      payments.charge(() => 5n),
      payments.charge({ price: "1.5", currency: "sol", description: "in SOL" }),
      payments.session({ price: 20n, unitType: "token" }),
    ).offers;
    const usdc = "HWVK3jYEq1jChpPEuHtGqxvZd73xPrYsP4PRc8aHD6te";
    expect(offers).to.deep.equal([
      { intent: "charge", method: "solana", amount: 10_000n, currency: usdc },
      { intent: "charge", method: "solana", amount: null, currency: usdc },
      { intent: "charge", method: "solana", amount: 1_500_000_000n, currency: "sol", description: "in SOL" },
      { intent: "session", method: "solana", amount: 20n, currency: usdc, description: "for each token" },
    ]);
  });
});

describe("a price", () => {
  const of = (price: unknown, currency: Currency = "usdc") =>
    createPayments(options({ currency })).charge(price as Price).offers[0]?.amount;

  it("as a bigint counts base units", () => {
    expect([of(1n), of(10_000n, "sol"), of(7n, MINT)]).to.deep.equal([1n, 10_000n, 7n]);
  });

  it("as a string counts whole units of the currency", () => {
    expect([of("0.01"), of("5"), of("1.000001"), of("0.10"), of("18446744073709.551615")]).to.deep.equal([
      10_000n,
      5_000_000n,
      1_000_001n,
      100_000n,
      2n ** 64n - 1n,
    ]);
    expect([of("0.000000001", "sol"), of("2", { mint: MINT, decimals: 0 })]).to.deep.equal([1n, 2n]);
  });

  it("is refused when it is a JavaScript number, or no plain decimal", () => {
    for (const price of [
      0.01,
      1,
      Number.NaN,
      "",
      "1e3",
      "0x10",
      "+1",
      "-1",
      " 1",
      "1 ",
      ".5",
      "5.",
      "01",
      "1,5",
      "1.5 USDC",
      "١",
      null,
    ]) {
      expect(
        refused(() => of(price)),
        String(price),
      ).to.equal("price");
    }
  });

  it("is refused when it is zero, below, more than a u64, or finer than a base unit", () => {
    for (const price of [0n, -1n, 2n ** 64n, "0", "0.0", "18446744073709.551616", "0.0000001", "1.0000000"]) {
      expect(
        refused(() => of(price)),
        String(price),
      ).to.equal("price");
    }
    expect(refused(() => of("1.5", { mint: MINT, decimals: 0 }))).to.equal("price");
  });

  it("as a string is refused for a mint whose decimals nobody said", () => {
    expect(refused(() => of("1", MINT))).to.equal("price");
  });
});

describe("an amount, as people read it", () => {
  it("has the asset's name and no needless zeros; what has no name keeps base units and mint", () => {
    const usdc = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v";
    expect([money(10_000n, usdc), money(1n, usdc), money(5_000_000n, usdc)]).to.deep.equal([
      "0.01 USDC",
      "0.000001 USDC",
      "5 USDC",
    ]);
    expect([money(1n, "sol"), money(1_500_000_000n, "sol")]).to.deep.equal(["0.000000001 SOL", "1.5 SOL"]);
    expect([money(7n, MINT), money(7n, MINT, 0), money(1_234n, MINT, 3)]).to.deep.equal([
      `7 base units of ${MINT}`,
      `7 ${MINT}`,
      `1.234 ${MINT}`,
    ]);
    expect(money(2n ** 64n - 1n, usdc)).to.equal("18446744073709.551615 USDC");
  });
});
