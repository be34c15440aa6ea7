// Sessions for sellers by vouchers in a header, with the real facilitator: whatever a buyer shows, what is served was paid.

import { SignedVoucher } from "@mppsol/core";
import { USDC_MINT } from "@mppsol/localnet";
import { createSessionClient, type SessionChannel } from "@mppsol/mpp/client/session";
import { USDC_MINTS } from "@mppsol/mpp/constants";
import { createSessionServer, type SessionServerParameters, type VoucherResult } from "@mppsol/mpp/server/session";
import { keypairSigner, session as program, tokenAddress } from "@mppsol/programs";
import { ConfigError, memoryStore } from "@mppsol/server";
import { TOKEN_PROGRAM_ID } from "@solana/spl-token";
import { Keypair, PublicKey } from "@solana/web3.js";
import { expect } from "chai";
import { type Running, startChain, startFacilitator } from "../facilitator/support.ts";
import { build, sign } from "../server/session/market.ts";
import { identitySignature } from "../server/session/weak.ts";

const PRICE = 10_000n;

describe("@mppsol/mpp session server", () => {
  let running: Running;
  let url: string;
  const open: { close(): Promise<unknown> }[] = [];

  before(async () => {
    running = await startFacilitator();
    url = await running.facilitator.listen();
  });
  afterEach(async () => {
    for (const server of open.splice(0)) await server.close();
  });
  after(async () => {
    await running.close();
  });

  async function usdc(owner: PublicKey): Promise<bigint> {
    const address = tokenAddress(owner, new PublicKey(USDC_MINT), TOKEN_PROGRAM_ID);
    const account = await running.connection.getAccountInfo(address, "confirmed");
    return account === null ? 0n : account.data.readBigUInt64LE(64);
  }

  let calls: string[] = [];
  const counted = (input: string, init?: RequestInit): Promise<Response> => {
    calls.push(`${init?.method} ${new URL(input).pathname}`);
    return fetch(input, init);
  };

  function selling(more: Partial<SessionServerParameters> = {}) {
    const seller = running.person({ usdc: 1n });
    calls = [];
    const sessions = createSessionServer({
      recipient: seller.publicKey.toBase58(),
      pricePerUnit: String(PRICE),
      apiUrl: url,
      network: "localnet",
      meter: "api_calls",
      fetch: counted as never,
      sessions: { forwardMs: 60_000 },
      ...more,
    });
    open.push(sessions);
    return { seller, sessions };
  }

  async function buying(seller: Keypair, voucherSigner: "operator" | "client" = "operator", deposit = 1_000_000n) {
    const buyer = running.person({ usdc: 10_000_000n });
    const session = createSessionClient({
      buyerWallet: buyer.publicKey.toBase58(),
      signer: buyer,
      apiUrl: url,
      network: "localnet",
      voucherSigner,
    });
    const channel = await session.open({ seller: seller.publicKey.toBase58(), deposit, pricePerUnit: PRICE });
    const pay = (amount: bigint) => session.pay(channel.channel_id, { amount });
    return { buyer, session, channel, pay };
  }

  const valid = (result: VoucherResult) => {
    if (!result.valid) throw new Error(`${result.code}: ${result.error}`);
    return result;
  };
  const codeOf = async (work: Promise<VoucherResult>) => {
    const result = await work;
    return result.valid ? "valid" : result.code;
  };

  it("says in its challenge how to open a session", () => {
    const { seller, sessions } = selling();
    expect(sessions.getChallenge()).to.deep.equal({
      method: "solana",
      intent: "session",
      seller: seller.publicKey.toBase58(),
      pricePerUnit: "10000",
      meter: "api_calls",
      currency: USDC_MINTS.localnet,
      network: "localnet",
      suggestedDeposit: "1000000",
      apiUrl: url,
      header: "x-mpp-voucher",
    });
  });

  for (const mode of ["operator", "client"] as const) {
    it(`sells by vouchers that the ${mode} signs; asks nobody per request; everybody gets what is theirs`, async () => {
      const { seller, sessions } = selling();
      const { buyer, session, channel, pay } = await buying(seller, mode);
      const first = valid(await sessions.verifyVoucher(JSON.parse(JSON.stringify(await pay(PRICE)))));
      expect(first).to.deep.include({ amountPaid: "10000", payer: buyer.publicKey.toBase58(), credit: "0" });
      const known = calls.length;
      for (let i = 2n; i <= 20n; i++) valid(await sessions.verifyVoucher(await pay(i * PRICE)));
      expect(calls.slice(known)).to.deep.equal([]);
      await session.close(channel.channel_id);
      expect(await usdc(seller.publicKey)).to.equal(1n + 20n * PRICE);
      expect(await usdc(buyer.publicKey)).to.equal(10_000_000n - 20n * PRICE);
      expect(await running.connection.getBalance(seller.publicKey)).to.equal(0);
    });
  }

  it("charges several units at once, and keeps what was paid too much as credit", async () => {
    const { seller, sessions } = selling();
    const { pay } = await buying(seller);
    expect(valid(await sessions.verifyVoucher(await pay(5n * PRICE), 3))).to.include({
      amountPaid: "30000",
      credit: "20000",
      remaining: "950000",
    });
    expect(valid(await sessions.verifyVoucher(await pay(5n * PRICE + 1n), 2n))).to.include({
      amountPaid: "20000",
      credit: "1",
    });
  });

  it("takes the text of the header, too", async () => {
    const { seller, sessions } = selling();
    const { pay } = await buying(seller);
    const text = JSON.stringify(await pay(PRICE));
    expect(valid(await sessions.verifyVoucher(text)).amountPaid).to.equal("10000");
    expect(await codeOf(sessions.verifyVoucher(text))).to.equal("voucher-not-monotonic");
  });

  describe("what it does not take", () => {
    it("text that is no voucher, whatever it is", async () => {
      const { sessions } = selling();
      for (const text of ["foo", "", "{", "null", "[]", "1", '"foo"', "{}", '{"voucher":1}', "[".repeat(100_000)]) {
        const result = await sessions.verifyVoucher(text);
        expect(result, text.slice(0, 20)).to.include({ valid: false, code: "malformed-credential", retryable: false });
      }
      expect(calls).to.deep.equal([]);
    });

    it("a first voucher for a channel that nobody has opened", async () => {
      const { sessions } = selling();
      const forger = Keypair.generate();
      const channelId = Keypair.generate().publicKey.toBase58();
      const forged = await SignedVoucher.sign({ channelId, cumulativeAmount: PRICE }, keypairSigner(forger));
      expect(await codeOf(sessions.verifyVoucher(SignedVoucher.toJson(forged)))).to.equal("channel-unknown");
      // And again: it is not asked for once a forgery.
      const asked = calls.length;
      expect(await codeOf(sessions.verifyVoucher(SignedVoucher.toJson(forged)))).to.equal("channel-unknown");
      expect(calls.length).to.equal(asked);
    });

    it("vouchers of ever new channels: the facilitator, which answers so often only, is asked for a thousand, and then for 16 a second", async () => {
      let now = Date.now();
      const { seller, sessions } = selling({ now: () => now });
      const { seller: other } = selling();
      const [mine, theirs] = [await buying(seller), await buying(other)];
      const forger = keypairSigner(Keypair.generate());
      const strange = async () => {
        const channelId = Keypair.generate().publicKey.toBase58();
        const forged = await SignedVoucher.sign({ channelId, cumulativeAmount: PRICE }, forger);
        return codeOf(sessions.verifyVoucher(SignedVoucher.toJson(forged)));
      };
      calls = [];
      // Those that are there, and pay somebody else, count as well.
      for (let i = 1n; i <= 20n; i++) {
        expect(await codeOf(sessions.verifyVoucher(await theirs.pay(i)))).to.equal("channel-mismatch");
      }
      const codes: string[] = [];
      for (let i = 0; i < 11; i++) codes.push(...(await Promise.all(Array.from({ length: 100 }, strange))));
      expect(codes.filter((code) => code === "channel-unknown")).to.have.length(980);
      expect(codes.filter((code) => code === "unavailable")).to.have.length(120);
      expect(calls).to.have.length(1_000);
      const paid = await mine.pay(PRICE);
      expect(await sessions.verifyVoucher(paid)).to.include({ code: "unavailable", retryable: true });
      // One is let in again; a buyer who is there does not use it up.
      now += 60;
      valid(await sessions.verifyVoucher(paid));
      expect([await strange(), await strange()]).to.deep.equal(["channel-unknown", "unavailable"]);
      valid(await sessions.verifyVoucher(await mine.pay(2n * PRICE)));
    });

    it("is not looked at for a voucher that somebody else has signed", async () => {
      let now = Date.now();
      const { seller, sessions } = selling({ now: () => now });
      const { channel, pay } = await buying(seller);
      valid(await sessions.verifyVoucher(await pay(PRICE)));
      now += 120_000;
      calls = [];
      const later = { channelId: channel.channel_id, cumulativeAmount: 2n * PRICE };
      const forged = await SignedVoucher.sign(later, keypairSigner(Keypair.generate()));
      expect(await codeOf(sessions.verifyVoucher(SignedVoucher.toJson(forged)))).to.equal("voucher-signer");
      expect(calls).to.deep.equal([]);
    });

    it("a first voucher of a channel that pays somebody else", async () => {
      const { sessions } = selling();
      const { seller: other } = selling();
      const { pay } = await buying(other);
      expect(await codeOf(sessions.verifyVoucher(await pay(PRICE)))).to.equal("channel-mismatch");
    });

    it("a voucher that another key has signed, first or later", async () => {
      const { seller, sessions } = selling();
      const { channel, pay } = await buying(seller);
      const channelId = channel.channel_id;
      const forged = await SignedVoucher.sign(
        { channelId, cumulativeAmount: PRICE },
        keypairSigner(Keypair.generate()),
      );
      expect(await codeOf(sessions.verifyVoucher(SignedVoucher.toJson(forged)))).to.equal("voucher-signer");
      valid(await sessions.verifyVoucher(await pay(PRICE)));
      const later = { channelId, cumulativeAmount: 2n * PRICE };
      const changed = await SignedVoucher.sign(later, keypairSigner(Keypair.generate()));
      expect(await codeOf(sessions.verifyVoucher(SignedVoucher.toJson(changed)))).to.equal("voucher-signer");
    });

    it("a signature that the chain would not take", async () => {
      const { seller, sessions } = selling();
      const { pay } = await buying(seller);
      const good = await pay(PRICE);
      const { buyer, channel } = await buying(seller, "client");
      const voucher = { channelId: channel.channel_id, cumulativeAmount: PRICE, expiresAt: 0n };
      // One that lenient verifiers take: it would be served, and could never be cashed.
      const weak = {
        voucher: { channelId: voucher.channelId, cumulativeAmount: String(PRICE) },
        signer: buyer.publicKey.toBase58(),
        signature: identitySignature(voucher, buyer),
        signatureType: "ed25519",
      };
      expect(await codeOf(sessions.verifyVoucher(weak))).to.equal("voucher-signature");
      const tampered = { ...good, voucher: { ...good.voucher, cumulativeAmount: "20000" } };
      expect(await codeOf(sessions.verifyVoucher(tampered))).to.equal("voucher-signature");
    });

    it("the same voucher twice, or a lower one", async () => {
      const { seller, sessions } = selling();
      const { pay } = await buying(seller);
      const [one, two] = [await pay(PRICE), await pay(2n * PRICE)];
      valid(await sessions.verifyVoucher(two));
      expect(await codeOf(sessions.verifyVoucher(two))).to.equal("voucher-not-monotonic");
      expect(await codeOf(sessions.verifyVoucher(one))).to.equal("voucher-not-monotonic");
    });

    it("the same voucher many times at once: it is served once", async () => {
      const { seller, sessions } = selling();
      const { pay } = await buying(seller);
      const voucher = await pay(PRICE);
      const results = await Promise.all(Array.from({ length: 20 }, () => sessions.verifyVoucher(voucher)));
      expect(results.filter((result) => result.valid)).to.have.length(1);
    });

    it("too little, and says how much it takes", async () => {
      const { seller, sessions } = selling();
      const { pay } = await buying(seller);
      const result = await sessions.verifyVoucher(await pay(PRICE - 1n));
      expect(result).to.deep.include({ valid: false, code: "voucher-insufficient", requiredCumulative: "10000" });
      // Nothing was taken: the next one pays for all of it.
      expect(valid(await sessions.verifyVoucher(await pay(PRICE))).credit).to.equal("0");
    });

    it("no units, or part of one, whatever the voucher adds", async () => {
      const { seller, sessions } = selling();
      const { pay } = await buying(seller);
      valid(await sessions.verifyVoucher(await pay(PRICE)));
      const plusOne = await pay(PRICE + 1n);
      for (const units of [0, 0n, -1, 0.5, Number.NaN]) {
        expect(await codeOf(sessions.verifyVoucher(plusOne, units))).to.equal("units-invalid");
      }
      expect(await codeOf(sessions.verifyVoucher(plusOne))).to.equal("voucher-insufficient");
    });

    it("more than the deposit", async () => {
      const { seller, sessions } = selling();
      const { buyer, channel, pay } = await buying(seller, "client", 100_000n);
      valid(await sessions.verifyVoucher(await pay(PRICE)));
      const above = { channelId: channel.channel_id, cumulativeAmount: 100_001n };
      const signed = await SignedVoucher.sign(above, keypairSigner(buyer));
      expect(await codeOf(sessions.verifyVoucher(SignedVoucher.toJson(signed)))).to.equal("voucher-over-deposit");
    });

    it("a voucher that expires before it could be cashed", async () => {
      const { seller, sessions } = selling();
      const { buyer, channel } = await buying(seller, "client");
      const expiresAt = BigInt(Math.floor(Date.now() / 1000) + 120);
      const input = { channelId: channel.channel_id, cumulativeAmount: PRICE, expiresAt };
      const signed = await SignedVoucher.sign(input, keypairSigner(buyer));
      expect(await codeOf(sessions.verifyVoucher(SignedVoucher.toJson(signed)))).to.equal("voucher-expires-too-soon");
    });

    it("what is no voucher", async () => {
      const { sessions } = selling();
      for (const value of [undefined, null, "{}", 7, [], {}, { voucher: {} }, { signatureType: "ed25519" }]) {
        expect(await codeOf(sessions.verifyVoucher(value))).to.equal("malformed-credential");
      }
    });

    it("anything of a session that is over", async () => {
      const { seller, sessions } = selling({ sessions: { recheckMs: 0 } });
      const { session, buyer, channel, pay } = await buying(seller, "client");
      valid(await sessions.verifyVoucher(await pay(PRICE)));
      await session.close(channel.channel_id);
      const late = { channelId: channel.channel_id, cumulativeAmount: 2n * PRICE };
      const signed = await SignedVoucher.sign(late, keypairSigner(buyer));
      expect(await codeOf(sessions.verifyVoucher(SignedVoucher.toJson(signed)))).to.equal("channel-closed");
    });
  });

  describe("when the facilitator is away", () => {
    it("goes on serving channels that it knows, and says of others that it cannot tell", async () => {
      const { seller, sessions } = selling();
      const [known, unknown] = [await buying(seller), await buying(seller)];
      valid(await sessions.verifyVoucher(await known.pay(PRICE)));
      const [later, first] = [await known.pay(2n * PRICE), await unknown.pay(PRICE)];
      const original = globalThis.fetch;
      globalThis.fetch = (() => Promise.reject(new TypeError("fetch failed"))) as typeof fetch;
      try {
        valid(await sessions.verifyVoucher(later));
        expect(await sessions.verifyVoucher(first)).to.include({ valid: false, code: "unavailable", retryable: true });
      } finally {
        globalThis.fetch = original;
      }
      valid(await sessions.verifyVoucher(first));
    });
  });

  describe("vouchers that the buyer signed", () => {
    const accepted = async ({ channel_id }: SessionChannel) =>
      (await running.context.sessions.get(channel_id))?.accepted;

    it("are handed in, so that they are cashed when the seller disappears", async () => {
      const { seller, sessions } = selling({ sessions: { forwardMs: 20 } });
      const { channel, pay, buyer } = await buying(seller, "client");
      valid(await sessions.verifyVoucher(await pay(3n * PRICE), 3));
      while ((await accepted(channel)) !== 3n * PRICE) await new Promise((done) => setTimeout(done, 10));
      await sessions.close();
      // The seller is gone; somebody else ends it.
      const { context } = running;
      await context.sessions.close({ channelId: channel.channel_id, closeToken: channel.close_token });
      expect(await usdc(seller.publicKey)).to.equal(1n + 3n * PRICE);
      expect(await usdc(buyer.publicKey)).to.equal(10_000_000n - 3n * PRICE);
    });

    it("are handed in at once from a threshold on", async () => {
      const { seller, sessions } = selling({ sessions: { forwardMs: 600_000, forwardThreshold: 2n * PRICE } });
      const { channel, pay } = await buying(seller, "client");
      valid(await sessions.verifyVoucher(await pay(PRICE)));
      valid(await sessions.verifyVoucher(await pay(2n * PRICE)));
      while ((await accepted(channel)) !== 2n * PRICE) await new Promise((done) => setTimeout(done, 10));
    });

    it("are handed in on close, and after a restart", async () => {
      const store = memoryStore();
      const seller = running.person({ usdc: 1n });
      const of = { store, recipient: seller.publicKey.toBase58(), sessions: { forwardMs: 600_000 } };
      const { sessions } = selling(of);
      const [one, two] = [await buying(seller, "client"), await buying(seller, "client")];
      valid(await sessions.verifyVoucher(await one.pay(PRICE)));
      expect(await sessions.close()).to.deep.equal([{ kind: "handed-in", channelId: one.channel.channel_id }]);
      expect(await sessions.close()).to.deep.equal([]);
      expect(await accepted(one.channel)).to.equal(PRICE);

      const original = globalThis.fetch;
      const { sessions: second } = selling(of);
      valid(await second.verifyVoucher(await two.pay(PRICE)));
      const more = await two.pay(2n * PRICE);
      globalThis.fetch = (() => Promise.reject(new TypeError("fetch failed"))) as typeof fetch;
      valid(await second.verifyVoucher(more));
      // It dies without a word to the facilitator, and says so.
      const [left, ...others] = await second.close();
      expect(others).to.deep.equal([]);
      expect(left).to.include({ kind: "left", channelId: two.channel.channel_id, amount: 2n * PRICE });
      expect((left as { error: Error }).error).to.have.property("code", "unreachable");
      expect((await second.close()).map(({ kind }) => kind)).to.deep.equal(["left"]);
      globalThis.fetch = original;
      expect(await accepted(two.channel)).not.to.equal(2n * PRICE);

      const { sessions: third } = selling(of);
      await third.verifyVoucher({});
      while ((await accepted(two.channel)) !== 2n * PRICE) await new Promise((done) => setTimeout(done, 10));
    });
  });

  describe("with verifyRpcUrl", () => {
    it("serves a channel that is on chain, and reads its deposit there", async () => {
      const { seller, sessions } = selling({ verifyRpcUrl: running.net.url });
      const { pay } = await buying(seller);
      expect(valid(await sessions.verifyVoucher(await pay(PRICE))).remaining).to.equal("990000");
    });

    it("serves nothing for a channel that the facilitator has made up", async () => {
      const { seller } = selling();
      const { channel, pay } = await buying(seller);
      // The truth about one channel, told of a deposit that is not there; and of a chain that never saw it.
      const lying = async (input: string, init: RequestInit) => {
        const response = await fetch(input, init);
        if (!input.includes("/mpp/session/")) return response;
        return Response.json({ ...((await response.json()) as object), deposit: "9000000000" });
      };
      const trusting = selling({ recipient: seller.publicKey.toBase58(), fetch: lying as never }).sessions;
      expect(valid(await trusting.verifyVoucher(await pay(PRICE))).remaining).to.equal("8999990000");
      const checking = selling({
        recipient: seller.publicKey.toBase58(),
        fetch: lying as never,
        verifyRpcUrl: running.net.url,
      }).sessions;
      expect(valid(await checking.verifyVoucher(await pay(2n * PRICE))).remaining).to.equal("980000");
      const elsewhere = await startChain();
      const other = selling({ recipient: seller.publicKey.toBase58(), verifyRpcUrl: elsewhere.url }).sessions;
      expect(await codeOf(other.verifyVoucher(await pay(3n * PRICE)))).to.equal("unavailable");
      expect(channel.deposit).to.equal("1000000");
      await elsewhere.close();
    });

    it("notices on chain that the buyer leaves, before the facilitator says so", async () => {
      const { seller, sessions } = selling({ verifyRpcUrl: running.net.url, sessions: { recheckMs: 0 } });
      const { buyer, channel, pay } = await buying(seller);
      valid(await sessions.verifyVoucher(await pay(PRICE)));
      const voucher = await pay(2n * PRICE);
      const fee = running.person({ lamports: 1_000_000_000n, usdc: 0n });
      const instructions = await program.revoke({
        channel: new PublicKey(channel.channel_id),
        payer: buyer.publicKey,
      });
      const { blockhash } = await running.connection.getLatestBlockhash();
      const transaction = build({ feePayer: fee.publicKey, blockhash, instructions });
      sign(transaction, [fee, buyer]);
      await running.connection.sendRawTransaction(transaction.serialize());
      expect(await codeOf(sessions.verifyVoucher(voucher))).to.equal("channel-closing");
    });
  });

  it("refuses parameters that are none", () => {
    const recipient = Keypair.generate().publicKey.toBase58();
    const make = (more: Partial<SessionServerParameters>) => () =>
      createSessionServer({ recipient, pricePerUnit: "1", apiUrl: url, network: "localnet", ...more });
    expect(make({ pricePerUnit: "0" })).to.throw(/pricePerUnit/);
    expect(make({ pricePerUnit: "0.01" })).to.throw(/pricePerUnit/);
    expect(make({ pricePerUnit: 10_000 as never })).to.throw(ConfigError, /decimal string of base units/);
    expect(make({ suggestedDeposit: 10_000 as never })).to.throw(ConfigError, /decimal string of base units/);
    expect(make({ suggestedDeposit: "-1" })).to.throw(/suggestedDeposit/);
    expect(make({ network: "testnet" as never })).to.throw(/network/);
    expect(make({ apiUrl: "nowhere" })).to.throw(/url/);
    expect(make({ network: "mainnet-beta" })).to.throw(/store/);
    expect(make({ network: "mainnet-beta", store: memoryStore() })).to.throw(/store/);
  });
});
