// Whom, where and for what an agent pays: its lists, its pins, and the wallets that it pays with.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AgentOptions, createAgent, type SignerLike } from "@mppsol/agent";
import { ChargePayload } from "@mppsol/core";
import { FOUNDATION_CHANNEL_PROGRAM_ID, SESSION_PROGRAM_ID } from "@mppsol/programs";
import { createKeyPairSignerFromBytes } from "@solana/kit";
import {
  ComputeBudgetProgram,
  Keypair,
  type PublicKey,
  TransactionMessage,
  VersionedTransaction,
} from "@solana/web3.js";
import { expect } from "chai";
import { MAX_SKEW_MS, ServerClocks } from "../../sdk/agent/src/clock.ts";
import { isLoopback } from "../../sdk/agent/src/origin.ts";
import type { Intended } from "../../sdk/agent/src/payer.ts";
import { Policy, type PolicyOptions } from "../../sdk/agent/src/policy.ts";
import { toSigner } from "../../sdk/agent/src/signers.ts";
import { rejected, Till } from "./support/till.js";
import { World } from "./support/world.js";

const code = (work: () => void): string => {
  try {
    work();
    return "nothing";
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe("a policy", () => {
  const policy = (options: Partial<PolicyOptions> = {}) => new Policy({ network: "localnet", ...options });

  it("pays only hosts of its list, by name, by name and port, or below a name", () => {
    const { allow } = {
      allow: { hosts: ["api.example.com", "*.shop.example", "local.example:8443", "[2001:db8::1]"] },
    };
    const answer = (url: string) => code(() => policy({ allow }).checkServer(url));
    for (const url of [
      "https://api.example.com/a",
      "https://API.example.com:444/",
      "https://a.shop.example/",
      "https://a.b.shop.example:9/",
      "https://local.example:8443/",
      "https://[2001:db8::1]/",
    ]) {
      expect(answer(url), url).to.equal("nothing");
    }
    for (const url of [
      "https://example.com/",
      "https://api.example.com.evil.com/",
      "https://evilapi.example.com/",
      "https://shop.example/",
      "https://evilshop.example/",
      "https://local.example/",
      "https://x@evil.com/api.example.com",
    ]) {
      expect(answer(url), url).to.equal("host-not-allowed");
    }
    expect(code(() => policy({ allow: { hosts: [] } }).checkServer("https://a.com"))).to.equal("host-not-allowed");
    for (const host of ["https://a.com", "a.com/path", "*", "a b", ""]) {
      expect(
        code(() => policy({ allow: { hosts: [host] } })),
        host,
      ).to.equal("option");
    }
  });

  it("knows what stays on this machine", () => {
    for (const url of [
      "http://localhost:1",
      "http://a.localhost",
      "http://127.0.0.1",
      "http://127.8.9.1:2",
      "http://[::1]:3",
    ]) {
      expect(isLoopback(url), url).to.equal(true);
    }
    // The URL parser has turned other spellings of addresses into these.
    for (const url of [
      "http://localhost.evil.com",
      "http://127.0.0.1.evil.com",
      "http://10.0.0.1",
      "http://[::2]",
      "http://0.0.0.0",
    ]) {
      expect(isLoopback(url), url).to.equal(false);
    }
  });

  const payment: Intended = {
    ...{ intent: "session", kind: "deposit", amount: 1n, asset: "sol", recipients: ["a", "b"], network: "localnet" },
  };

  it("pays only recipients of its list, and nobody else in their splits", () => {
    const answer = (recipients: string[]) =>
      code(() => policy({ allow: { recipients: ["a", "b"] } }).checkPayment({ ...payment, recipients }));
    expect([answer(["a"]), answer(["b", "a"]), answer(["a", "c"]), answer(["c"])]).to.deep.equal([
      ...["nothing", "nothing", "recipient-not-allowed", "recipient-not-allowed"],
    ]);
  });

  it("pays only with assets of its list, on its own network", () => {
    expect(code(() => policy({ allow: { mints: ["sol"] } }).checkPayment(payment))).to.equal("nothing");
    expect(code(() => policy({ allow: { mints: ["usdc"] } }).checkPayment(payment))).to.equal("asset-not-allowed");
    expect(code(() => policy({ network: "devnet" }).checkPayment(payment))).to.equal("network-mismatch");
  });

  it("locks deposits only in channel programs that are pinned for the cluster", () => {
    const answer = (network: "mainnet" | "localnet", program: PublicKey) =>
      code(() => policy({ network }).checkPayment({ ...payment, network, channelProgram: program.toBase58() }));
    expect(answer("localnet", SESSION_PROGRAM_ID)).to.equal("nothing");
    expect(answer("mainnet", FOUNDATION_CHANNEL_PROGRAM_ID)).to.equal("nothing");
    expect(answer("mainnet", SESSION_PROGRAM_ID)).to.equal("program-not-pinned");
    expect(answer("localnet", Keypair.generate().publicKey)).to.equal("program-not-pinned");
  });
});

describe("the clock of a server", () => {
  const skewOf = (date: string, now = 1_000_000_000_000) => {
    const clocks = new ServerClocks(() => now);
    clocks.note("a", new Headers({ date }), now - 200);
    return clocks.nowAt("a") - now;
  };
  const at = (ms: number) => new Date(1_000_000_000_000 + ms).toUTCString();

  it("is the agent's own until its answers say otherwise, each server for itself", () => {
    expect(skewOf("not a date")).to.equal(0);
    expect(skewOf(at(60_000))).to.be.within(59_000, 61_500);
    expect(skewOf(at(-60_000))).to.be.within(-61_000, -58_500);
    const clocks = new ServerClocks(() => 0);
    clocks.note("a", new Headers({ date: new Date(60_000).toUTCString() }), 0);
    expect(clocks.nowAt("b")).to.equal(0);
    clocks.note("a", new Headers(), 0);
    expect(clocks.nowAt("a")).to.be.greaterThan(59_000);
  });

  it("is the agent's own when it differs by less than a header can tell, or by more than a clock can be wrong", () => {
    expect([skewOf(at(0)), skewOf(at(MAX_SKEW_MS + 2_000)), skewOf(at(-MAX_SKEW_MS - 2_000))]).to.deep.equal([0, 0, 0]);
  });
});

describe("an agent", () => {
  let world: World;
  let till: Till;
  let folder: string;

  before(async () => {
    world = await World.start();
  });
  after(() => world.close());
  beforeEach(async () => {
    till = await Till.start(world);
    folder = mkdtempSync(join(tmpdir(), "mppsol-signer-"));
  });
  afterEach(async () => {
    await world.checkConservation();
    await till.close();
    rmSync(folder, { recursive: true });
  });

  function agent(more: Partial<AgentOptions> = {}) {
    return createAgent({
      signer: world.buyer,
      rpc: world.net.url,
      network: "localnet",
      budget: { [world.usdc.mint.toBase58()]: {} },
      ...more,
    });
  }

  const tampering = (change: (message: TransactionMessage) => void) => ({
    ...wallet(world.buyer),
    signTransaction: async (transaction: VersionedTransaction) => {
      const message = TransactionMessage.decompile(transaction.message);
      change(message);
      const changed = new VersionedTransaction(message.compileToV0Message());
      changed.sign([world.buyer]);
      return changed;
    },
  });

  function wallet(keypair: Keypair) {
    return {
      publicKey: keypair.publicKey,
      signMessage: async (message: Uint8Array) => toSigner(keypair).signMessage(message),
      signTransaction: async (transaction: VersionedTransaction) => {
        transaction.sign([keypair]);
        return transaction;
      },
    };
  }

  const signers: [string, () => Promise<SignerLike> | SignerLike][] = [
    ["a Keypair of web3.js", () => world.buyer],
    ["a Keypair of another copy of it", () => ({ publicKey: world.buyer.publicKey, secretKey: world.buyer.secretKey })],
    ["a signer of @solana/kit", () => createKeyPairSignerFromBytes(world.buyer.secretKey)],
    ["a wallet", () => wallet(world.buyer)],
    ["a wallet with its key as text", () => ({ ...wallet(world.buyer), publicKey: world.buyer.publicKey.toBase58() })],
    ["a keypair file", () => keypairFile([...world.buyer.secretKey])],
  ];
  for (const [name, make] of signers) {
    it(`pays with ${name}, with its own SOL and without`, async () => {
      const payer = agent({ signer: await make() });
      expect(payer.address).to.equal(world.buyer.publicKey.toBase58());
      for (const more of [{}, till.sponsored]) {
        till.route = till.sells(till.usdc(10n, more));
        expect((await payer.fetch(till.url)).status).to.equal(200);
      }
    });

    it(`signs messages with ${name}`, async () => {
      const signer = toSigner(await make());
      const message = new TextEncoder().encode("a voucher");
      const expected = await toSigner(world.buyer).signMessage(message);
      expect(Buffer.from(await signer.signMessage(message)).equals(expected)).to.equal(true);
    });
  }

  function keypairFile(bytes: unknown, mode = 0o600): string {
    const path = join(folder, "key.json");
    writeFileSync(path, typeof bytes === "string" ? bytes : JSON.stringify(bytes));
    chmodSync(path, mode);
    return path;
  }

  it("warns of a keypair file that others can read", () => {
    const warnings: string[] = [];
    const onWarning = (message: string) => warnings.push(message);
    agent({ signer: keypairFile([...world.buyer.secretKey]), onWarning });
    expect(warnings).to.have.length(0);
    agent({ signer: keypairFile([...world.buyer.secretKey], 0o640), onWarning });
    expect(warnings[0]).to.match(/0600/);
  });

  it("takes no file that is no keypair, and repeats nothing of it", () => {
    const secret = [...world.buyer.secretKey];
    const files = [
      "",
      "not json 1234",
      secret.slice(0, 63),
      [...secret, 1],
      secret.map(String),
      [...secret.slice(1), 300],
      { secret },
    ];
    for (const file of files) {
      const path = keypairFile(file);
      try {
        agent({ signer: path });
        expect.fail("taken");
      } catch (error) {
        const { code, message, cause } = error as Error & { code: string };
        expect([code, cause]).to.deep.equal(["option", undefined]);
        expect(message).not.to.match(/1234|300/);
      }
    }
    expect(code(() => agent({ signer: join(folder, "missing") }))).to.equal("option");
    // A public key that is not the secret's.
    const mixed = Uint8Array.from(world.buyer.secretKey);
    mixed.set(Keypair.generate().publicKey.toBytes(), 32);
    expect(code(() => agent({ signer: { publicKey: world.buyer.publicKey, secretKey: mixed } }))).to.equal("option");
  });

  it("takes no options that cannot be right", () => {
    const wrong: Partial<Record<keyof AgentOptions, unknown>>[] = [
      { signer: undefined },
      { signer: {} },
      { signer: { publicKey: "x", signTransaction() {}, signMessage() {} } },
      { network: "mainnet-beta" },
      { network: undefined },
      { budget: { usd: {} } },
      { allow: { mints: ["mint"] } },
      { allow: { hosts: ["https://a"] } },
      { charge: { computeUnitLimit: 0 } },
      { charge: { computeUnitLimit: 1.5 } },
      { charge: { computeUnitLimit: 1_400_001 } },
      { computeUnitPrice: 1 },
      { computeUnitPrice: 2n ** 64n },
      { charge: { sponsoredPriorityFee: -1n } },
      { charge: { mode: "both" } },
    ];
    for (const options of wrong) expect(code(() => agent(options as Partial<AgentOptions>))).to.equal("option");
  });

  it("sends nothing that its wallet has changed, and counts nothing", async () => {
    till.route = till.sells(till.usdc(10n));
    const changes = [
      (message: TransactionMessage) =>
        message.instructions.push(ComputeBudgetProgram.requestHeapFrame({ bytes: 32_768 })),
      (message: TransactionMessage) => message.instructions.pop(),
    ];
    for (const change of changes) {
      const payer = agent({ signer: tampering(change) });
      const { message } = await rejected(payer.fetch(till.url), "signer");
      expect(message).to.match(/changed the transaction/);
      expect((await payer.spending(world.usdc.mint.toBase58())).spent).to.equal(0n);
    }
    expect(till.paidHits).to.have.length(0);
  });

  it("sends nothing that its wallet has not signed, or with another key", async () => {
    till.route = till.sells(till.usdc(10n));
    const own = wallet(world.buyer);
    const forged = {
      ...own,
      signTransaction: async (transaction: VersionedTransaction) => {
        transaction.signatures[0] = new Uint8Array(64).fill(7);
        return transaction;
      },
    };
    const unsigned = { ...own, signTransaction: async (transaction: VersionedTransaction) => transaction };
    const address = world.buyer.publicKey.toBase58();
    const kit = (answer: object) => ({
      address,
      signMessages: async () => [answer],
      signTransactions: async () => [answer],
    });
    const others = [kit({ [address]: new Uint8Array(64).fill(7) }), kit({ [address]: "x" }), kit({})];
    for (const signer of [forged, unsigned, ...others]) await rejected(agent({ signer }).fetch(till.url), "signer");
    expect(till.paidHits).to.have.length(0);
  });

  it("returns the amount when its wallet declines", async () => {
    till.route = till.sells(till.usdc(10n));
    const signTransaction = async (): Promise<VersionedTransaction> => {
      throw new RangeError("declined");
    };
    const payer = agent({ signer: { ...wallet(world.buyer), signTransaction } });
    expect(await payer.fetch(till.url).catch((error: Error) => error.message)).to.equal("declined");
    expect((await payer.spending(world.usdc.mint.toBase58())).spent).to.equal(0n);
  });

  it("pays no recipient and no split that is not on its list", async () => {
    const { seller, sponsor } = world;
    const payer = agent({ allow: { recipients: [seller.publicKey.toBase58()] } });
    till.route = till.sells(till.usdc(10n));
    expect((await payer.fetch(till.url)).status).to.equal(200);
    world.fund(sponsor.publicKey, 0n);
    till.route = till.sells(till.usdc(10n, { splits: [{ recipient: sponsor.publicKey.toBase58(), amount: 1n }] }));
    const error = await rejected(payer.fetch(till.url), "recipient-not-allowed");
    expect(error).to.include({ recipient: sponsor.publicKey.toBase58() });
    expect((await payer.spending(world.usdc.mint.toBase58())).spent).to.equal(10n);
  });

  it("pays with no asset that it has no budget for, or that is not on its list", async () => {
    till.route = till.sells(till.sol(1_000_000n));
    await rejected(agent().fetch(till.url), "asset-not-allowed");
    await rejected(agent({ budget: { sol: {} }, allow: { mints: [] } }).fetch(till.url), "asset-not-allowed");
    expect((await agent({ budget: { sol: {} } }).fetch(till.url)).status).to.equal(200);
  });

  it("pays nothing while its RPC does not answer, and says that it is the RPC", async () => {
    till.route = till.sells(till.usdc(10n));
    const payer = agent({ rpc: "http://127.0.0.1:1/?api-key=secret" });
    const error = await rejected(payer.fetch(till.url), "chain-unavailable");
    expect(error.message).not.to.include("secret");
    expect((await payer.spending(world.usdc.mint.toBase58())).spent).to.equal(0n);
  });

  it("goes on when a listener throws", async () => {
    till.route = till.sells(till.usdc(10n));
    const onProgress = () => {
      throw new Error("listener");
    };
    expect((await agent({ onProgress }).fetch(till.url)).status).to.equal(200);
  });

  it("shows the server its own signature and no other", async () => {
    till.route = till.sells(till.usdc(10n, till.sponsored));
    await agent().fetch(till.url);
    const payload = ChargePayload.fromJson(till.paidHits[0]!.credential!.payload);
    const { signatures } = VersionedTransaction.deserialize((payload as ChargePayload.Transaction).transaction);
    expect(signatures).to.have.length(2);
    expect(signatures[0]!.every((byte) => byte === 0)).to.equal(true);
  });
});
