// The seller's side of managed sessions, route by route: what its challenges say, which credentials answer them, and what it
// makes of a facilitator that is slow, gone or about to end a session.
import { Challenge, type Credential, SessionAction, SessionRequest } from "@mppsol/core";
import { USDC_MINT } from "@mppsol/localnet";
import { signVoucher } from "@mppsol/programs";
import { type FacilitatorOptions, facilitator, memoryStore, sessionIntent } from "@mppsol/server";
import type { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import { openTransaction, planOpen } from "../../../sdk/mpp/src/client/opening.ts";
import { type Running, startFacilitator } from "../../facilitator/support.ts";
import { request } from "../charge/shop.ts";

const PRICE = 10_000n;
const SECRET = "a secret of the tests, 32 bytes or more";
type Fetch = NonNullable<FacilitatorOptions["fetch"]>;

describe("managed sessions, route by route", () => {
  let running: Running;
  let url: string;

  before(async () => {
    running = await startFacilitator();
    url = await running.facilitator.listen();
  });
  after(() => running.close());

  function selling(more: Partial<FacilitatorOptions> = {}, seller: Keypair = running.person({ usdc: 1n })) {
    const store = memoryStore();
    const errors: unknown[] = [];
    const desk = { through: ((input, init) => fetch(input, init)) as Fetch };
    const server = facilitator({
      url,
      settleTimeoutMs: 1_500,
      onError: (error) => errors.push(error),
      fetch: (input, init) => desk.through(input, init),
      ...more,
    }).sessions({ store, network: "localnet", seller: seller.publicKey.toBase58(), mint: USDC_MINT });
    const route = (price: bigint, externalId?: string) =>
      sessionIntent({ server, price, ...(externalId === undefined ? {} : { externalId }) });
    return { seller, store, server, route, errors, desk };
  }

  /** A challenge as the gate makes it. */
  async function asked(route: ReturnType<typeof sessionIntent>, hint?: string) {
    const offer = await route.offer(request({ channelHint: hint }));
    const challenge = Challenge.issue(
      { realm: "shop", method: "solana", intent: "session", request: offer.request },
      SECRET,
    );
    return { challenge, terms: SessionRequest.fromJson(offer.request) };
  }

  /** A buyer's open for it. */
  async function opening({ challenge, terms }: Awaited<ReturnType<typeof asked>>) {
    const buyer = running.person({ usdc: 1_000_000n });
    const address = buyer.publicKey.toBase58();
    const planned = planOpen(terms, { buyer: address, authorizedSigner: address, deposit: 100n * PRICE });
    const transaction = await openTransaction(terms, planned);
    transaction.sign([buyer]);
    const payload = SessionAction.toJson({ ...planned, transaction: transaction.serialize() });
    const { channelId } = planned;
    const voucher = async (amount: bigint): Promise<Credential.Credential> => {
      const signed = await signVoucher({ channelId, cumulativeAmount: amount }, buyer);
      return { challenge, payload: SessionAction.toJson({ action: "voucher", channelId, voucher: signed }) };
    };
    return { buyer, channelId, credential: { challenge, payload } as Credential.Credential, voucher };
  }

  async function present(route: ReturnType<typeof sessionIntent>, credential: Credential.Credential) {
    await route.match(credential, request());
    return route.redeem(credential, request());
  }

  const codeOf = (work: Promise<unknown>) =>
    work.then(
      () => "done",
      (error: { code: string }) => error.code,
    );

  it("asks for a channel of the facilitator's that pays the seller all, and then to go on with it", async () => {
    const { seller, route } = selling();
    const quote = route(PRICE, "order-7");
    const fresh = await asked(quote);
    expect(fresh.terms).to.deep.include({
      amount: PRICE,
      currency: USDC_MINT,
      recipient: running.keys.settlement.publicKey.toBase58(),
      distributionSplits: [{ recipient: seller.publicKey.toBase58(), shareBps: 10_000 }],
      feePayer: true,
      voucherSigner: "client",
      externalId: "order-7",
      suggestedDeposit: 100n * PRICE,
    });
    const { credential, channelId, voucher } = await opening(fresh);
    expect(await present(quote, credential)).to.deep.include({ kind: "answer", status: 200 });
    const next = await asked(quote, channelId);
    expect(next.terms).to.include({ channelId, idleTimeoutSeconds: 300, externalId: "order-7" });
    expect(next.terms).not.to.have.any.keys("recentBlockhash", "minimumDeposit", "suggestedDeposit");
    expect((await present(quote, await voucher(PRICE))).kind).to.equal("grant");
    expect((await present(quote, { ...(await voucher(2n * PRICE)), challenge: next.challenge })).kind).to.equal(
      "grant",
    );
  });

  it("takes no challenge of another route, price, seller or reference", async () => {
    const { route, store } = selling();
    const quote = route(PRICE);
    const { credential, voucher } = await opening(await asked(quote));
    const stranger = selling().route(PRICE);
    for (const other of [route(2n * PRICE), route(PRICE, "order-8"), stranger]) {
      expect(await codeOf(other.match(credential, request()))).to.equal("challenge-mismatch");
    }
    await present(quote, credential);
    expect(await codeOf(route(2n * PRICE).match(await voucher(2n * PRICE), request()))).to.equal("challenge-mismatch");
    expect(await codeOf(stranger.match(await voucher(PRICE), request()))).to.equal("challenge-mismatch");
    expect((await store.channels.list({ limit: 2 })).length).to.equal(1);
  });

  it("takes vouchers under a challenge that named another of the facilitator's fee payers", async () => {
    const { route, desk } = selling({ cacheMs: 0 });
    const quote = route(PRICE);
    const first = await asked(quote);
    const { credential, voucher } = await opening(first);
    await present(quote, credential);
    // The next offers come from the other key; this server's old challenges are as good as before.
    const second = await asked(quote);
    expect(second.terms.feePayerKey).not.to.equal(first.terms.feePayerKey);
    desk.through = () => Promise.reject(new TypeError("fetch failed"));
    expect((await present(quote, await voucher(PRICE))).kind).to.equal("grant");
  });

  it("gives out challenges to go on with a channel while the facilitator is away, and none for new ones", async () => {
    const { route, desk } = selling({ cacheMs: 0 });
    const quote = route(PRICE);
    const { credential, channelId } = await opening(await asked(quote));
    await present(quote, credential);
    desk.through = () => Promise.reject(new TypeError("fetch failed"));
    expect((await asked(quote, channelId)).terms.channelId).to.equal(channelId);
    expect(await codeOf(asked(quote))).to.equal("unavailable");
  });

  it("opens once, when the answer of the facilitator is lost", async () => {
    const { route, desk, store } = selling();
    const quote = route(PRICE);
    const { credential, buyer } = await opening(await asked(quote));
    const keys: (string | null)[] = [];
    desk.through = async (input, init) => {
      const response = await fetch(input, init);
      if (!input.endsWith("/open")) return response;
      keys.push(new Headers(init.headers).get("idempotency-key"));
      if (keys.length === 1) throw new TypeError("fetch failed");
      return response;
    };
    expect((await present(quote, credential)).kind).to.equal("answer");
    expect(keys).to.have.length(2);
    expect(new Set(keys).size).to.equal(1);
    expect(keys[0]).to.match(/^open-/);
    const [channel, ...others] = await store.channels.list({ limit: 2 });
    expect(others).to.deep.equal([]);
    expect(channel).to.include({ payer: buyer.publicKey.toBase58(), escrowed: 100n * PRICE });
  });

  it("is pending while the facilitator says so, or says nothing, and opens by the same credential then", async () => {
    const { route, desk, store } = selling({ settleTimeoutMs: 300 });
    const quote = route(PRICE);
    const { credential } = await opening(await asked(quote));
    const { through } = desk;
    desk.through = async (input, init) => {
      if (!input.endsWith("/open")) return fetch(input, init);
      return Response.json({ success: false, state: "pending", retryAfter: 1 }, { status: 202 });
    };
    expect(await present(quote, credential)).to.deep.equal({ kind: "pending", retryAfterSeconds: 2 });
    desk.through = async (input, init) => {
      await fetch(input, init);
      return new Response("<html>", { status: 504 });
    };
    expect(await present(quote, credential)).to.deep.equal({ kind: "pending", retryAfterSeconds: 2 });
    expect(await store.channels.list({ limit: 1 })).to.deep.equal([]);
    desk.through = through;
    let { kind } = await present(quote, credential);
    while (kind === "pending") ({ kind } = await present(quote, credential));
    expect(kind).to.equal("answer");
    expect(await store.channels.list({ limit: 2 })).to.have.length(1);
  });

  it("refuses an open that is not what was asked for, before it leaves", async () => {
    const { route, desk } = selling();
    const quote = route(PRICE);
    const { credential } = await opening(await asked(quote));
    let left = 0;
    desk.through = (input, init) => {
      if (input.endsWith("/open")) left++;
      return fetch(input, init);
    };
    const changed = { ...credential.payload, depositAmount: "900000" };
    expect(await codeOf(present(quote, { ...credential, payload: changed }))).to.equal("open-mismatch");
    expect(left).to.equal(0);
  });

  it("has the buyer told why the facilitator refuses an open", async () => {
    for (const [code, expected] of [
      ["simulation_failed", "open-simulation"],
      ["open_deposit_too_small", "open-deposit"],
      ["policy:priority_fee_too_high", "open-compute-budget"],
      ["policy:something_new", "open-instructions"],
    ]) {
      const { route, desk, store } = selling();
      const quote = route(PRICE);
      const { credential } = await opening(await asked(quote));
      desk.through = async (input, init) => {
        if (!input.endsWith("/open")) return fetch(input, init);
        return Response.json({ code, detail: "No.", retryable: false }, { status: 422 });
      };
      const refused = await present(quote, credential).then(
        () => expect.fail("opened"),
        (error: unknown) => error as { code: string; members: object },
      );
      expect(refused.code).to.equal(expected);
      expect(refused.members).to.include({ reason: code });
      expect(await store.channels.list({ limit: 1 })).to.deep.equal([]);
    }
  });

  it("serves nothing when the facilitator is about to end the session", async () => {
    const { route, desk, server } = selling();
    const quote = route(PRICE);
    const { credential, channelId, voucher } = await opening(await asked(quote));
    await present(quote, credential);
    server.channels.forget(channelId);
    const ending =
      (inMs: number): Fetch =>
      async (input, init) => {
        const response = await fetch(input, init);
        if (!input.endsWith(channelId)) return response;
        return Response.json({ ...((await response.json()) as object), closesAt: Date.now() + inMs });
      };
    // A minute in which a settlement lands, and half a minute that clocks are apart.
    desk.through = ending(80_000);
    expect(await codeOf(present(quote, await voucher(PRICE)))).to.equal("channel-closing");
    desk.through = ending(100_000);
    expect((await present(quote, await voucher(PRICE))).kind).to.equal("grant");
  });

  it("takes no proof in the place of a voucher", async () => {
    const { route } = selling();
    const quote = route(PRICE);
    const { credential, channelId, buyer } = await opening(await asked(quote));
    await present(quote, credential);
    const authentication = {
      ...{ type: "proof", challengeId: credential.challenge.id, payer: buyer.publicKey.toBase58() },
      signature: "1".repeat(64),
    };
    const payload = { action: "use", channelId, authentication };
    expect(await codeOf(present(quote, { ...credential, payload }))).to.equal("use-not-taken");
  });

  it("closes by the buyer's voucher only, and not by one that is too low", async () => {
    const { route, store } = selling();
    const quote = route(PRICE);
    const { credential, channelId, voucher } = await opening(await asked(quote));
    await present(quote, credential);
    await present(quote, await voucher(3n * PRICE));
    const closing = async (amount: bigint) => {
      const { payload, challenge } = await voucher(amount);
      return { challenge, payload: { ...payload, action: "close" } } as Credential.Credential;
    };
    expect(await codeOf(present(quote, await closing(2n * PRICE)))).to.equal("close-voucher");
    expect((await store.channels.get(channelId))?.status).to.equal("open");
    const closed = await present(quote, await closing(3n * PRICE));
    expect(closed).to.deep.include({ kind: "answer", status: 200 });
    expect(await store.channels.get(channelId)).to.include({ status: "closed", settledOnChain: 3n * PRICE });
    expect(await codeOf(present(quote, await voucher(4n * PRICE)))).to.equal("channel-closed");
  });

  it("refuses a store that forgets on mainnet", () => {
    const options = { store: memoryStore(), network: "mainnet" as const, seller: USDC_MINT, mint: USDC_MINT };
    expect(() => facilitator({ url }).sessions(options)).to.throw(/store/);
  });
});
