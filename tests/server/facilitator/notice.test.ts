// What a seller holds when a facilitator announces a session's end: it serves no more, and its last voucher is cashed.
import { RefusedError, SignedVoucher } from "@mppsol/core";
import { USDC_MINT } from "@mppsol/localnet";
import { createSessionClient } from "@mppsol/mpp/client/session";
import { keypairSigner, tokenAddress } from "@mppsol/programs";
import { type FacilitatorOptions, facilitator, memoryStore } from "@mppsol/server";
import { TOKEN_PROGRAM_ID } from "@solana/spl-token";
import { type Keypair, PublicKey } from "@solana/web3.js";
import { expect } from "chai";
import { type Running, startFacilitator } from "../../facilitator/support.ts";

const PRICE = 10_000n;
const NOTICE_SECONDS = 2;

type Fetch = NonNullable<FacilitatorOptions["fetch"]>;

describe("a seller whose session a facilitator is about to end", () => {
  let running: Running;
  let url: string;
  before(async () => {
    running = await startFacilitator({ config: { noticeSeconds: NOTICE_SECONDS } });
    url = await running.facilitator.listen();
  });
  after(() => running.close());

  async function selling(through: Fetch = (input, init) => fetch(input, init)) {
    const seller = running.person({ usdc: 1n });
    const buyer = running.person();
    const store = memoryStore();
    const errors: unknown[] = [];
    const events: string[] = [];
    const sessions = facilitator({ url, fetch: through, onError: (error) => errors.push(error) }).sessions({
      store,
      network: "localnet",
      seller: seller.publicKey.toBase58(),
      mint: USDC_MINT,
      forwardMs: 100,
      onEvent: ({ type }) => events.push(type),
    });
    const client = createSessionClient({
      buyerWallet: buyer.publicKey.toBase58(),
      signer: buyer,
      apiUrl: url,
      network: "localnet",
      voucherSigner: "client",
    });
    const terms = { seller: seller.publicKey.toBase58(), deposit: 2_000_000n, pricePerUnit: PRICE };
    const { channel_id: channelId } = await client.open(terms);
    const voucher = (cumulativeAmount: bigint) =>
      SignedVoucher.sign({ channelId, cumulativeAmount }, keypairSigner(buyer));
    const pay = async (amount: bigint) => sessions.charge(await voucher(amount), 0n);
    const close = async (amount: bigint) => {
      const payload = { action: "close", channelId, voucher: SignedVoucher.toJson(await voucher(amount)) };
      const response = await fetch(`${url}/mpp/session/close`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ payload }),
      });
      const body = (await response.json()) as { readonly status: string; readonly closingAt: number };
      return { status: response.status, retryAfter: response.headers.get("retry-after"), body };
    };
    return { seller, store, sessions, channelId, errors, events, pay, close };
  }

  async function usdc({ publicKey }: Keypair): Promise<bigint> {
    const address = tokenAddress(publicKey, new PublicKey(USDC_MINT), TOKEN_PROGRAM_ID);
    return (await running.connection.getAccountInfo(address, "confirmed"))?.data.readBigUInt64LE(64) ?? 0n;
  }

  const wait = (ms: number) => new Promise((done) => setTimeout(done, ms));
  const accepted = async (channelId: string) => (await running.context.sessions.get(channelId))?.accepted;

  it("is paid all that it was shown, though the buyer closes by less; and serves no more", async () => {
    const { seller, store, sessions, channelId, pay, close } = await selling();
    for (let i = 1n; i <= 50n; i++) expect((await pay(i * PRICE)).result.ok).to.equal(true);
    const asked = await close(1n);
    expect(asked.status).to.equal(202);
    expect(asked.retryAfter).to.equal(String(NOTICE_SECONDS));
    expect(asked.body).to.include({ state: "pending", status: "closing", retryAfter: NOTICE_SECONDS });
    expect(asked.body.closingAt).to.be.a("number");
    await sessions.forwarder.tick();
    expect(await accepted(channelId)).to.equal(50n * PRICE);
    expect((await store.channels.get(channelId))?.status).to.equal("closing");
    const refused = await pay(51n * PRICE).catch((error: unknown) => error);
    expect((refused as RefusedError).code).to.equal("channel-closing");
    expect(refused).to.be.instanceOf(RefusedError);
    await wait(asked.body.closingAt - Date.now() + 50);
    const closed = await close(1n);
    expect(closed.status).to.equal(200);
    expect(closed.body).to.include({ status: "closed", settled: String(50n * PRICE) });
    expect(await usdc(seller)).to.equal(1n + 50n * PRICE);
  });

  it("hands in what it accepts while its hand-in says that the session ends", async () => {
    let during: () => Promise<unknown> = async () => {};
    const { store, sessions, channelId, pay, close } = await selling(async (input, init) => {
      const response = await fetch(input, init);
      if (String(input).endsWith("/mpp/session/voucher")) await during();
      return response;
    });
    await pay(PRICE);
    await close(1n);
    during = async () => {
      during = async () => {};
      await pay(2n * PRICE);
    };
    await sessions.forwarder.tick();
    expect(await accepted(channelId)).to.equal(2n * PRICE);
    expect((await store.channels.get(channelId))?.status).to.equal("closing");
  });

  it("keeps a voucher that is refused because the session is closing, and hands it in again", async () => {
    let refuses = true;
    const { store, sessions, channelId, errors, pay } = await selling(async (input, init) => {
      if (!refuses || !String(input).endsWith("/mpp/session/voucher")) return fetch(input, init);
      const problem = { code: "channel_closing", retryable: false, status: 410, title: "x", detail: "x" };
      return Response.json(problem, { status: 410, headers: { "content-type": "application/problem+json" } });
    });
    await pay(PRICE);
    await sessions.forwarder.tick();
    expect(errors).to.have.length(1);
    expect((await store.channels.get(channelId))?.status).to.equal("closing");
    refuses = false;
    await sessions.forwarder.tick();
    expect(await accepted(channelId)).to.equal(PRICE);
  });

  it("serves nothing once the session has ended, though nothing was wrong with it a moment ago", async () => {
    const { seller, sessions, channelId, events, pay, close } = await selling();
    expect((await pay(PRICE)).result.ok).to.equal(true);
    await sessions.forwarder.tick();
    const asked = await close(PRICE + 1n);
    expect(asked.body.status).to.equal("closing");
    await wait(asked.body.closingAt - Date.now() + 50);
    expect((await close(PRICE + 1n)).body).to.include({ status: "closed" });
    // The buyer has its money back: what it signs now is worth nothing.
    const refused = await pay(2_000_000n).catch((error: unknown) => error);
    expect(refused).to.be.instanceOf(RefusedError);
    expect((refused as RefusedError).code).to.equal("channel-closed");
    expect(await usdc(seller)).to.equal(1n + PRICE + 1n);
    expect((await running.context.sessions.get(channelId))?.noticeSeconds).to.equal(NOTICE_SECONDS);
    expect(events.filter((type) => type === "lost")).to.deep.equal([]);
  });

  it("is not looked at for every payment while its vouchers are handed in", async () => {
    const paths: string[] = [];
    const { channelId, sessions, pay } = await selling((input, init) => {
      paths.push(new URL(input).pathname);
      return fetch(input, init);
    });
    for (let i = 1n; i <= 4n; i++) {
      await pay(i * PRICE);
      await sessions.forwarder.tick();
      await wait((NOTICE_SECONDS * 1000) / 4);
    }
    expect(paths.filter((path) => path.endsWith(channelId))).to.have.length(1);
  });

  it("serves nothing more when the facilitator refuses a voucher for good", async () => {
    const problem = { retryable: false, status: 422, title: "x", detail: "x" };
    for (const [code, status] of [
      ["voucher_expires_too_soon", "closing"],
      ["mint_not_allowed", "closing"],
      // It may not have seen a top-up yet.
      ["voucher_over_deposit", "open"],
    ]) {
      const { store, sessions, channelId, errors, pay } = await selling(async (input, init) => {
        if (!String(input).endsWith("/mpp/session/voucher")) return fetch(input, init);
        return Response.json(
          { ...problem, code },
          { status: 422, headers: { "content-type": "application/problem+json" } },
        );
      });
      await pay(PRICE);
      await sessions.forwarder.tick();
      expect(errors).to.have.length(1);
      expect((await store.channels.get(channelId))?.status).to.equal(status);
    }
  });

  it("serves nothing more on an old look when the facilitator says that it was asked too often", async () => {
    let limited = false;
    const { pay } = await selling(async (input, init) => {
      if (!limited) return fetch(input, init);
      return Response.json(
        { code: "rate_limited", retryable: true, status: 429, title: "x", detail: "x" },
        { status: 429 },
      );
    });
    await pay(PRICE);
    limited = true;
    expect((await pay(2n * PRICE)).result.ok).to.equal(true);
    await wait(NOTICE_SECONDS * 500);
    const refused = await pay(3n * PRICE).catch((error: unknown) => error);
    expect((refused as RefusedError).code).to.equal("unavailable");
  });

  it("does not wait for a round with vouchers of a million base units, unless it is told to", async () => {
    const { channelId, pay } = await selling();
    await pay(999_999n);
    await wait(100);
    expect(await accepted(channelId)).to.equal(0n);
    await pay(1_000_000n);
    while ((await accepted(channelId)) !== 1_000_000n) await wait(10);
  });
});
