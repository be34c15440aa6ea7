// Sessions for buyers, at the facilitator itself over HTTP, on an embedded chain with the real channel program.

import { webcrypto } from "node:crypto";
import { SignedVoucher } from "@mppsol/core";
import { USDC_MINT } from "@mppsol/localnet";
import { SettlementClient, SettlementError } from "@mppsol/mpp/api";
import { createSessionClient, type SessionClientParameters, type SessionProgress } from "@mppsol/mpp/client/session";
import { signMessage, tokenAddress } from "@mppsol/programs";
import { ConfigError } from "@mppsol/server";
import { createKeyPairSignerFromBytes } from "@solana/kit";
import { TOKEN_PROGRAM_ID } from "@solana/spl-token";
import { Keypair, PublicKey, VersionedTransaction } from "@solana/web3.js";
import { expect } from "chai";
import { type Running, startFacilitator } from "../facilitator/support.ts";

const DEPOSIT = 1_000_000n;

describe("@mppsol/mpp session client", () => {
  let running: Running;
  let url: string;

  before(async () => {
    // Wallets sign in to the address that they know.
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    running = await startFacilitator({ config: { publicUrl: url, port } });
    await running.facilitator.listen();
  });
  after(async () => {
    await running.close();
  });

  async function usdc(owner: PublicKey): Promise<bigint> {
    const address = tokenAddress(owner, new PublicKey(USDC_MINT), TOKEN_PROGRAM_ID);
    const account = await running.connection.getAccountInfo(address, "confirmed");
    return account === null ? 0n : account.data.readBigUInt64LE(64);
  }

  function pair(more: Partial<SessionClientParameters> = {}) {
    const [buyer, seller] = [running.person({ usdc: 10_000_000n }), running.person({ usdc: 1n })];
    const events: SessionProgress[] = [];
    const session = createSessionClient({
      buyerWallet: buyer.publicKey.toBase58(),
      signer: buyer,
      apiUrl: url,
      network: "localnet",
      onProgress: (event) => events.push(event),
      ...more,
    });
    return { buyer, seller, session, events, to: seller.publicKey.toBase58() };
  }

  const codeOf = (work: Promise<unknown>) =>
    work.then(
      () => "done",
      (error: { code: string }) => error.code,
    );

  for (const voucherSigner of ["operator", "client"] as const) {
    it(`opens, pays and closes without SOL; the ${voucherSigner} signs vouchers; everybody gets what is theirs`, async () => {
      const { buyer, seller, session, events, to } = pair({ voucherSigner });
      const channel = await session.open({ seller: to, deposit: "1000000", pricePerUnit: "10000" });
      expect(await usdc(buyer.publicKey)).to.equal(9_000_000n);
      const voucher = await session.pay(channel.channel_id, { amount: "10000", serverNonce: "n1" });
      const later = await session.pay(channel.channel_id, { amount: "30000" });
      expect(voucher.voucher).to.deep.equal({ channelId: channel.channel_id, cumulativeAmount: "10000" });
      expect(SignedVoucher.verify(SignedVoucher.fromJson(later))).to.equal(true);
      expect(later.signer).to.equal(channel.authorized_signer);
      const expected = voucherSigner === "client" ? buyer.publicKey : running.keys.operator.publicKey;
      expect(later.signer).to.equal(expected.toBase58());
      const settlement = await session.close(channel.channel_id);
      expect(settlement).to.include({
        channel_id: channel.channel_id,
        amount_settled: "30000",
        buyer_refund: "970000",
      });
      expect(await usdc(seller.publicKey)).to.equal(30_001n);
      expect(await usdc(buyer.publicKey)).to.equal(9_970_000n);
      expect(await running.connection.getBalance(buyer.publicKey)).to.equal(0);
      expect(events.map(({ type }) => type)).to.deep.equal([
        "opening",
        "opened",
        "voucher",
        "voucher",
        "closing",
        "closed",
      ]);
    });
  }

  it("says that a session could not be closed while the facilitator is away, and closes it later", async () => {
    let away = false;
    const events: SessionProgress[] = [];
    const real = globalThis.fetch;
    globalThis.fetch = (input, init) => (away ? Promise.reject(new TypeError("away")) : real(input, init));
    try {
      const { session, to, buyer } = pair({ settleTimeoutMs: 1_500, onProgress: (event) => events.push(event) });
      const { channel_id } = await session.open({ seller: to, deposit: "1000000", pricePerUnit: "10000" });
      away = true;
      const error = await session.close(channel_id).catch((thrown: unknown) => thrown);
      expect(error).to.be.instanceOf(SettlementError);
      expect(events.slice(-2)).to.deep.equal([
        { type: "closing", channel_id },
        { type: "left", channel_id, error },
      ]);
      away = false;
      expect(await session.close(channel_id)).to.include({ buyer_refund: "1000000" });
      expect(await usdc(buyer.publicKey)).to.equal(10_000_000n);
    } finally {
      globalThis.fetch = real;
    }
  });

  it("pays in the order that it is asked to, however long answers take; one that fails does not stand in the way", async () => {
    const real = globalThis.fetch;
    const asked: string[] = [];
    globalThis.fetch = async (input, init) => {
      const { amount } = JSON.parse(typeof init?.body === "string" ? init.body : "{}") as { amount?: string };
      if (!String(input).endsWith("/mpp/session/voucher") || amount === undefined) return real(input, init);
      asked.push(amount);
      // The first is the last to arrive.
      if (asked.length === 1) await new Promise((done) => setTimeout(done, 100));
      if (amount === "300") throw new TypeError("away");
      return real(input, init);
    };
    try {
      const { session, to } = pair();
      const { channel_id } = await session.open({ seller: to, deposit: DEPOSIT });
      const pay = (amount: bigint) =>
        session.pay(channel_id, { amount }).then(({ voucher }) => voucher.cumulativeAmount);
      const paid = await Promise.allSettled([100n, 200n, 300n, 400n, 350n].map(pay));
      const outcomes = paid.map((one) =>
        one.status === "fulfilled" ? one.value : (one.reason as SettlementError).code,
      );
      expect(outcomes).to.deep.equal(["100", "200", "unreachable", "400", "voucher_not_monotonic"]);
      expect(await session.close(channel_id)).to.include({ amount_settled: "400" });
    } finally {
      globalThis.fetch = real;
    }
  });

  it("never asks for more than the deposit, nor less than before", async () => {
    const { session, to } = pair();
    const { channel_id } = await session.open({ seller: to, deposit: DEPOSIT });
    await session.pay(channel_id, { amount: 500n });
    expect(await codeOf(session.pay(channel_id, { amount: DEPOSIT + 1n }))).to.equal("deposit_exhausted");
    expect(await codeOf(session.pay(channel_id, { amount: 499n }))).to.equal("voucher_not_monotonic");
    expect(await codeOf(session.pay(channel_id, { amount: "1e3" }))).to.equal("config");
    expect((await session.pay(channel_id, { amount: 500n })).voucher.cumulativeAmount).to.equal("500");
  });

  it("refuses amounts that are numbers, and says what they are", async () => {
    const { session, to } = pair({ voucherSigner: "client" });
    const problem = (work: Promise<unknown>) =>
      work.then(
        () => "done",
        (error: unknown) => (error instanceof ConfigError ? error.message : error),
      );
    const said = /decimal string of base units/;
    const open = (more: object) => problem(session.open({ seller: to, deposit: DEPOSIT, ...more }));
    expect(await open({ deposit: 1_000_000 }))
      .to.match(/^deposit: /)
      .and.to.match(said);
    expect(await open({ pricePerUnit: 10_000 }))
      .to.match(/^pricePerUnit: /)
      .and.to.match(said);
    const { channel_id } = await session.open({ seller: to, deposit: DEPOSIT });
    const pay = (amount: unknown) => problem(session.pay(channel_id, { amount: amount as string }));
    for (const amount of [10_000, "0.01", "0", ["1"], null]) expect(await pay(amount)).to.match(said);
    const close = (amount: unknown) => problem(session.close(channel_id, { amount: amount as string }));
    for (const amount of [0, 1, "-1"]) expect(await close(amount)).to.match(said);
    expect(await session.close(channel_id)).to.include({ amount_settled: "0" });
  });

  describe("close, by an amount", () => {
    it("leaves out what was signed and never sent", async () => {
      for (const [amount, settled] of [
        ["20000", "20000"],
        [0n, "0"],
        ["30000", "30000"],
        [undefined, "30000"],
      ] as const) {
        const { session, to, seller, buyer } = pair({ voucherSigner: "client" });
        const { channel_id } = await session.open({ seller: to, deposit: DEPOSIT });
        for (const paid of ["10000", "20000", "30000"]) await session.pay(channel_id, { amount: paid });
        const settlement = await session.close(channel_id, amount === undefined ? {} : { amount });
        expect(settlement).to.include({ amount_settled: settled, buyer_refund: String(DEPOSIT - BigInt(settled)) });
        expect(await usdc(seller.publicKey)).to.equal(1n + BigInt(settled));
        expect(await usdc(buyer.publicKey)).to.equal(10_000_000n - BigInt(settled));
      }
    });

    it("settles what the seller has handed in, when that is more", async () => {
      const { session, to, seller } = pair({ voucherSigner: "client" });
      const { channel_id } = await session.open({ seller: to, deposit: DEPOSIT });
      const voucher = await session.pay(channel_id, { amount: "20000" });
      await new SettlementClient({ url }).keep(channel_id, SignedVoucher.fromJson(voucher));
      await session.pay(channel_id, { amount: "30000" });
      expect(await session.close(channel_id, { amount: "10000" })).to.include({ amount_settled: "20000" });
      expect(await usdc(seller.publicKey)).to.equal(20_001n);
    });

    it("keeps to it when it is called again without one", async () => {
      const real = globalThis.fetch;
      let away = true;
      globalThis.fetch = (input, init) =>
        away && String(input).endsWith("/mpp/session/close")
          ? Promise.reject(new TypeError("away"))
          : real(input, init);
      try {
        const { session, to } = pair({ voucherSigner: "client", settleTimeoutMs: 1_500 });
        away = false;
        const { channel_id } = await session.open({ seller: to, deposit: DEPOSIT });
        await session.pay(channel_id, { amount: "30000" });
        away = true;
        expect(await codeOf(session.close(channel_id, { amount: "10000" }))).not.to.equal("done");
        away = false;
        expect(await session.close(channel_id)).to.include({ amount_settled: "10000" });
      } finally {
        globalThis.fetch = real;
      }
    });

    it("takes no more than was signed, and none where the operator signs", async () => {
      for (const [voucherSigner, amount] of [
        ["client", "20001"],
        ["operator", "20000"],
        ["operator", "0"],
      ] as const) {
        const { session, to } = pair({ voucherSigner });
        const { channel_id } = await session.open({ seller: to, deposit: DEPOSIT });
        await session.pay(channel_id, { amount: "20000" });
        expect(await codeOf(session.close(channel_id, { amount }))).to.equal("config");
        expect(await session.close(channel_id)).to.include({ amount_settled: "20000" });
      }
    });
  });

  it("goes on with a session of an earlier process", async () => {
    const { session, to, buyer, seller } = pair();
    const channel = await session.open({ seller: to, deposit: DEPOSIT });
    await session.pay(channel.channel_id, { amount: 100n });
    const next = createSessionClient({
      buyerWallet: buyer.publicKey.toBase58(),
      signer: buyer,
      apiUrl: url,
      network: "localnet",
    });
    expect(await codeOf(next.pay(channel.channel_id, { amount: 200n }))).to.equal("channel_unknown");
    next.resume(JSON.parse(JSON.stringify(channel)));
    await next.pay(channel.channel_id, { amount: 200n });
    expect((await next.close(channel.channel_id)).amount_settled).to.equal("200");
    expect(await usdc(seller.publicKey)).to.equal(201n);
  });

  it("says what the facilitator refuses, by its code", async () => {
    const { session, to } = pair();
    expect(await codeOf(session.open({ seller: to, deposit: 1n }))).to.equal("open_deposit_too_small");
    const poor = Keypair.generate();
    const broke = createSessionClient({
      buyerWallet: poor.publicKey.toBase58(),
      signer: poor,
      apiUrl: url,
      network: "localnet",
    });
    expect(await codeOf(broke.open({ seller: to, deposit: DEPOSIT }))).to.equal("simulation_failed");
  });

  it("refuses options that are none", async () => {
    const buyer = Keypair.generate();
    const other = Keypair.generate();
    const of = { buyerWallet: buyer.publicKey.toBase58() };
    expect(() => createSessionClient({ ...of, apiUrl: "ftp://x" })).to.throw(/apiUrl/);
    expect(() => createSessionClient({ ...of, network: "testnet" as never })).to.throw(/network/);
    const wrong = createSessionClient({ ...of, signer: other, apiUrl: url, network: "localnet" });
    expect(await codeOf(wrong.open({ seller: other.publicKey.toBase58(), deposit: 1n }))).to.equal("config");
  });

  describe("a facilitator whose terms are others", () => {
    /** Changes what a route answers. */
    function through(path: string, change: (body: Record<string, unknown>) => object): string {
      const original = globalThis.fetch;
      globalThis.fetch = (async (input: string, init: RequestInit) => {
        const response: Response = await original(input, init);
        if (!String(input).endsWith(path)) return response;
        return Response.json(change((await response.json()) as Record<string, unknown>), { status: response.status });
      }) as typeof fetch;
      restore = () => {
        globalThis.fetch = original;
      };
      return url;
    }
    let restore = () => {};
    afterEach(() => restore());

    interface Terms {
      readonly methodDetails: Record<string, unknown>;
    }
    const details = (more: object) => (request: Terms) => ({
      ...request,
      methodDetails: { ...request.methodDetails, ...more },
    });
    const stranger = Keypair.generate().publicKey.toBase58();

    for (const [code, change] of [
      ["terms_seller_refused", details({ distributionSplits: undefined })],
      ["terms_network_refused", details({ network: "devnet" })],
      ["terms_asset_refused", (request: Terms) => ({ ...request, currency: stranger })],
      ["terms_grace_refused", details({ gracePeriodSeconds: 86_401 })],
      ["terms_program_refused", details({ channelProgram: stranger })],
      ["terms_signer_refused", details({ voucherSigner: undefined, operator: undefined })],
    ] as const) {
      it(`gets no signature: ${code}`, async () => {
        const { session, to, buyer } = pair();
        through("/mpp/session/prepare", ({ request }) => ({ request: change(request as Terms) }));
        expect(await codeOf(session.open({ seller: to, deposit: DEPOSIT }))).to.equal(code);
        expect(await usdc(buyer.publicKey)).to.equal(10_000_000n);
      });
    }

    it("is not believed when it signs another voucher, or opens another channel", async () => {
      const { session, to } = pair();
      const { channel_id } = await session.open({ seller: to, deposit: DEPOSIT });
      through("/mpp/session/voucher", (body) => {
        const { voucher } = body as unknown as { voucher: { voucher: object } };
        return { ...(body as object), voucher: { ...voucher, voucher: { ...voucher.voucher, cumulativeAmount: "9" } } };
      });
      expect(await codeOf(session.pay(channel_id, { amount: 7n }))).to.equal("session_mismatch");
      restore();
      through("/mpp/session/open", (body) => ({ ...(body as object), deposit: "1" }));
      expect(await codeOf(session.open({ seller: to, deposit: DEPOSIT }))).to.equal("session_mismatch");
    });
  });

  describe("onboard", () => {
    const client = (wallet: Keypair, more: Partial<SessionClientParameters> = {}) =>
      createSessionClient({ buyerWallet: wallet.publicKey.toBase58(), apiUrl: url, network: "localnet", ...more });

    it("takes a new wallet to a role that pays: its account is made, it is funded, the role is granted", async () => {
      const wallet = Keypair.generate();
      const seller = running.person({ usdc: 1n });
      const session = client(wallet);
      const asked = { signer: wallet, seller: seller.publicKey.toBase58(), deposit: "200000" };
      const error = await session.onboard(asked).then(
        () => expect.fail("onboarded without money"),
        (refused: SettlementError) => refused,
      );
      expect(error.code).to.equal("funding_required");
      expect(error.members).to.include({ required: "200000", held: "0", missing: "200000" });
      running.net.mintUsdc(wallet.publicKey.toBase58(), 250_000n);
      const { status, roleId, channel } = await session.onboard(asked);
      expect(status).to.equal("ready");
      const again = await session.onboard(asked);
      expect(again.roleId).to.equal(roleId);
      const { voucher } = await session.pay(channel.channel_id, { amount: "1000" });
      expect(voucher.cumulativeAmount).to.equal("1000");
      const settlement = await session.close(roleId);
      expect(settlement).to.include({ amount_settled: "1000", buyer_refund: "199000" });
      expect(await usdc(wallet.publicKey)).to.equal(249_000n);
      expect(await usdc(seller.publicKey)).to.equal(1_001n);
      expect(await running.connection.getBalance(wallet.publicKey)).to.equal(0);
    });

    for (const [name, given] of [
      [
        "a CryptoKeyPair",
        async (wallet: Keypair) => {
          const { subtle } = webcrypto;
          const pkcs8 = Buffer.concat([
            Buffer.from("302e020100300506032b657004220420", "hex"),
            wallet.secretKey.subarray(0, 32),
          ]);
          const privateKey = await subtle.importKey("pkcs8", pkcs8, "Ed25519", false, ["sign"]);
          const publicKey = await subtle.importKey("raw", wallet.publicKey.toBytes(), "Ed25519", true, ["verify"]);
          return { signer: { privateKey, publicKey } };
        },
      ],
      [
        "a signer of kit",
        async (wallet: Keypair) => ({ signer: await createKeyPairSignerFromBytes(wallet.secretKey) }),
      ],
      [
        "three callbacks",
        async (wallet: Keypair) => ({
          publicKey: wallet.publicKey.toBase58(),
          signMessage: (message: Uint8Array) => signMessage(wallet, message),
          signTransaction: (text: string) => {
            const transaction = VersionedTransaction.deserialize(Buffer.from(text, "base64"));
            transaction.sign([wallet]);
            return Buffer.from(transaction.serialize()).toString("base64");
          },
        }),
      ],
    ] as const) {
      it(`signs by ${name}`, async () => {
        const wallet = running.person({ usdc: 300_000n });
        const seller = running.person({ usdc: 1n }).publicKey.toBase58();
        const asked = { ...(await given(wallet)), seller, deposit: "200000" };
        const { status } = await client(wallet).onboard(asked as never);
        expect(status).to.equal("ready");
        expect(await usdc(wallet.publicKey)).to.equal(100_000n);
      });
    }

    it("signs nothing that would do something else", async () => {
      const wallet = running.person({ usdc: 300_000n });
      const thief = Keypair.generate();
      const seller = running.person({ usdc: 1n }).publicKey.toBase58();
      const original = globalThis.fetch;
      let confirmed = 0;
      globalThis.fetch = (async (input: string, init: RequestInit) => {
        if (String(input).endsWith("/confirm")) confirmed++;
        const response = await original(input, init);
        if (!String(input).endsWith("/onboard") || response.status !== 200) return response;
        const round = (await response.json()) as Record<string, never>;
        // The same round, for a role of somebody else's choosing.
        const { open } = round as unknown as { open: object };
        return Response.json({ ...(round as object), open: { ...open, authorizedSigner: thief.publicKey.toBase58() } });
      }) as typeof fetch;
      try {
        const work = client(wallet).onboard({ signer: wallet, seller, deposit: "200000" });
        expect(await codeOf(work)).to.equal("onboarding_offer_refused");
      } finally {
        globalThis.fetch = original;
      }
      expect(confirmed).to.equal(0);
      expect(await usdc(wallet.publicKey)).to.equal(300_000n);
    });
  });

  describe("SettlementClient", () => {
    it("asks every route that there is", async () => {
      const client = new SettlementClient(url);
      const seller = running.person({ usdc: 1n }).publicKey.toBase58();
      const prepared = await client.prepare({ recipient: seller, amount: 10_000n, network: "localnet" });
      expect(prepared).to.include({ network: "localnet", currency: USDC_MINT, decimals: 6 });
      expect(await client.payment(`pay_${"0".repeat(64)}`)).to.equal(undefined);
      expect(await client.session(seller)).to.equal(undefined);
      expect(await client.stats()).to.have.property("network", "localnet");
      const error = await client.prepare({ recipient: seller, network: "devnet" }).then(
        () => expect.fail("prepared"),
        (refused: unknown) => refused as SettlementError,
      );
      expect(error).to.be.instanceOf(SettlementError);
      expect(error.requestId).to.be.a("string");
      expect([error.retryable, error.uncertain]).to.deep.equal([false, false]);
    });
  });
});

async function freePort(): Promise<number> {
  const { createServer } = await import("node:net");
  return new Promise((done) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => done(port));
    });
  });
}
