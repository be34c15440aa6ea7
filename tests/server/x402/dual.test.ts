// A route that takes x402 beside MPP: what it offers, what it takes, what it answers. Settlement does as it is told here;
// with a chain, and x402's own clients, this runs in tests/interop.
import { createHash } from "node:crypto";
import { Challenge, Credential, RefusedError, X402 } from "@mppsol/core";
import { USDC_MINT } from "@mppsol/localnet";
import {
  type ChargeGuardOptions,
  ConfigError,
  createPayments,
  type Guard,
  memoryStore,
  type Order,
  type Payments,
  type PaymentsOptions,
  type Rpc,
  type Settled,
  type Settlement,
} from "@mppsol/server";
import { TOKEN_PROGRAM_ID } from "@solana/spl-token";
import { VersionedTransaction } from "@solana/web3.js";
import { expect } from "chai";
import { PRICE, payer, type Shape, seller, sponsor, stranger, transaction } from "../../support/exact.ts";

const DEVNET = "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1";
const SIGNATURE = "5".repeat(87);
const RESOURCE = "https://api.example.com/a?b=c";

/** Takes each transaction for one challenge, as the real ones do. */
class FakeSettlement implements Settlement {
  readonly feePayerKey = sponsor.publicKey.toBase58();
  readonly orders: Order[] = [];
  readonly #taken = new Map<string, string>();
  outcome: Settled | Error = { kind: "paid", signature: SIGNATURE, payer: payer.publicKey.toBase58(), at: Date.now() };

  async prepare() {
    return { decimals: 6, tokenProgram: TOKEN_PROGRAM_ID.toBase58(), sponsored: true };
  }

  async standing(order: Order) {
    return this.#taken.has(keyOf(order)) ? ("taken" as const) : ("new" as const);
  }

  async settle(order: Order): Promise<Settled> {
    this.orders.push(order);
    if (this.outcome instanceof Error) throw this.outcome;
    const { id } = order.credential.challenge;
    const key = keyOf(order);
    if ((this.#taken.get(key) ?? id) !== id) throw new RefusedError("signature-consumed");
    this.#taken.set(key, id);
    return this.outcome;
  }
}

function keyOf({ payload }: Order): string {
  if (payload.type !== "transaction") throw new Error("no transaction");
  const { message } = VersionedTransaction.deserialize(payload.transaction);
  return createHash("sha256").update(message.serialize()).digest("hex");
}

type Json = Record<string, unknown>;

interface Required {
  readonly error: string;
  readonly resource: { readonly url: string };
  readonly accepts: readonly (Json & { readonly extra: Json })[];
  readonly extensions: { readonly mpp: { readonly info: { readonly challenges: readonly Json[] } } };
}

const encode = (json: unknown) => Buffer.from(JSON.stringify(json)).toString("base64");
const decode = (header: string | null) => JSON.parse(Buffer.from(header ?? "", "base64").toString());

describe("a route that takes x402 beside MPP", () => {
  let settlement: FakeSettlement;
  let payments: Payments;
  let errors: unknown[];
  let served: number;
  let now: number;
  let answer: () => Response;

  beforeEach(() => {
    settlement = new FakeSettlement();
    errors = [];
    served = 0;
    now = Date.now();
    answer = () => Response.json({ data: 42 });
    payments = open();
  });
  afterEach(() => payments.close());

  function open(more: Partial<PaymentsOptions> = {}): Payments {
    return createPayments({
      recipient: seller.publicKey.toBase58(),
      network: "devnet",
      currency: { mint: USDC_MINT, decimals: 6 },
      store: memoryStore(),
      secret: "a secret of the tests, 32 bytes and more",
      settlement,
      x402: true,
      clock: () => now,
      onError: (error) => errors.push(error),
      ...more,
    });
  }

  const charge = (options: Partial<ChargeGuardOptions> = {}) => payments.charge({ price: PRICE, ...options });

  function ask(guard: Guard, headers: Record<string, string> = {}, init: RequestInit = {}, url = RESOURCE) {
    const handler = guard(() => {
      served++;
      return answer();
    });
    return handler(new Request(url, { ...init, headers }));
  }

  async function offered(guard: Guard, init: RequestInit = {}, url?: string): Promise<Required> {
    const response = await ask(guard, {}, init, url);
    expect(response.status).to.equal(402);
    return decode(response.headers.get("payment-required"));
  }

  /** What a client answers to an offer: it echoes what was declared. */
  function paymentFor({ accepts, extensions, resource }: Required, shape: Shape = {}, which = 0): Json {
    const accepted = accepts[which]!;
    const memo = accepted.extra.memo as string | undefined;
    return {
      x402Version: 2,
      accepted,
      extensions,
      resource,
      payload: { transaction: transaction({ memo, ...shape }) },
    };
  }

  const pay = (guard: Guard, payment: Json, headers = {}, init?: RequestInit, url?: string) =>
    ask(guard, { "PAYMENT-SIGNATURE": encode(payment), ...headers }, init, url);

  async function refused(response: Response, code: string, status = 402): Promise<void> {
    expect(response.status).to.equal(status);
    expect(await response.json()).to.include({ code });
    if (status === 402) expect(decode(response.headers.get("payment-required")).error).to.equal(code);
    expect(response.headers.has("payment-response")).to.equal(false);
    expect(served).to.equal(0);
  }

  describe("offers", () => {
    it("the challenge's terms in x402's words, and the challenge itself", async () => {
      const response = await ask(charge({ description: "the weather" }));
      const challenge = Challenge.parse(response.headers.get("www-authenticate") as string);
      const required = decode(response.headers.get("payment-required")) as Required;
      const { externalId } = Challenge.requestOf(challenge);
      expect(required).to.deep.include({
        x402Version: 2,
        error: "payment-required",
        resource: { url: RESOURCE },
        accepts: [
          {
            scheme: "exact",
            network: DEVNET,
            amount: "10000",
            asset: USDC_MINT,
            payTo: seller.publicKey.toBase58(),
            maxTimeoutSeconds: 60,
            extra: { feePayer: sponsor.publicKey.toBase58(), memo: externalId },
          },
        ],
      });
      const { description: _, ...bound } = challenge;
      expect(required.extensions.mpp.info.challenges).to.deep.equal([bound]);
    });

    it("another memo every time", async () => {
      const guard = charge();
      const memos = [await offered(guard), await offered(guard)].map(({ accepts }) => accepts[0]?.extra.memo);
      expect(memos[0]).to.be.a("string").and.not.equal(memos[1]);
    });

    it("to HEAD, too, which tells what GET costs", async () => {
      expect(await offered(charge(), { method: "HEAD" })).to.have.property("accepts");
    });

    it("each charge of a route that it can express, and no session, SOL or splits", async () => {
      const splits = [{ recipient: stranger.publicKey.toBase58(), amount: 1n }];
      const guard = payments.offer(
        charge({ price: 7n }),
        charge({ price: 8n, x402: false, splits }),
        charge({ price: 9n, x402: false, currency: "sol" }),
        charge({ price: 10n }),
      );
      const { accepts, extensions } = await offered(guard);
      expect(accepts.map(({ amount }) => amount)).to.deep.equal(["7", "10"]);
      const prices = extensions.mpp.info.challenges.map(
        (challenge) => Challenge.requestOf(challenge as unknown as Challenge.Challenge).amount,
      );
      expect(prices).to.deep.equal(["7", "10"]);
    });

    it("nothing where it is not asked to, nor with other refusals than 402", async () => {
      expect((await ask(charge({ x402: false }))).headers.has("payment-required")).to.equal(false);
      const guard = charge();
      const both = { Authorization: "Payment abc", "Payment-Authorization": "Payment abc" };
      const response = await ask(guard, both);
      expect(response.status).to.equal(400);
      expect(response.headers.has("payment-required")).to.equal(false);
    });

    it("no memo that is longer than x402 takes", async () => {
      const response = await ask(charge({ externalId: () => "x".repeat(257) }));
      expect(response.headers.get("www-authenticate")).to.match(/^Payment /);
      expect(response.headers.has("payment-required")).to.equal(false);
    });
  });

  describe("is not made", () => {
    const cases: readonly [string, Partial<PaymentsOptions>, Partial<ChargeGuardOptions>][] = [
      ["in SOL", {}, { currency: "sol" }],
      ["with splits", {}, { splits: [{ recipient: sponsor.publicKey.toBase58(), amount: 1n }] }],
      ["without anybody who pays the fee", { settlement: undefined as never, rpc: "http://127.0.0.1:1" }, {}],
      ["with the fee left to the payer", {}, { sponsored: false }],
      ["on localnet without a node to name it", { network: "localnet" }, {}],
    ];
    for (const [what, options, route] of cases) {
      it(what, () => {
        const defined = Object.fromEntries(Object.entries({ settlement, ...options }).filter(([, value]) => value));
        const { settlement: given, ...rest } = defined as Partial<PaymentsOptions>;
        payments = open({ ...rest, ...(given ? { settlement: given } : {}) });
        if (options.settlement === undefined && "settlement" in options) payments = unsettled();
        expect(() => charge(route)).to.throw(ConfigError, "x402");
        expect(() => charge({ ...route, x402: false })).not.to.throw();
      });
    }

    function unsettled(): Payments {
      return createPayments({
        recipient: seller.publicKey.toBase58(),
        network: "devnet",
        rpc: "http://127.0.0.1:1",
        store: memoryStore(),
        secret: "a secret of the tests, 32 bytes and more",
        x402: true,
      });
    }
  });

  describe("is paid", () => {
    it("by a payment that settles the challenge as one of MPP would, and answers in both words", async () => {
      const guard = charge();
      const required = await offered(guard);
      const payment = paymentFor(required);
      const response = await pay(guard, payment);
      expect(await response.json()).to.deep.equal({ data: 42 });
      expect(response.headers.get("payment-receipt")).to.be.a("string");
      expect(decode(response.headers.get("payment-response"))).to.deep.equal({
        success: true,
        transaction: SIGNATURE,
        network: DEVNET,
        payer: payer.publicKey.toBase58(),
      });
      const [order] = settlement.orders;
      expect(order?.credential.challenge.id).to.equal(required.extensions.mpp.info.challenges[0]?.id);
      expect(order?.request.amount).to.equal(PRICE);
    });

    it("at the offer that was chosen of several", async () => {
      const guard = payments.offer(charge({ price: 7n }), charge({ price: 8n }));
      const response = await pay(guard, paymentFor(await offered(guard), { amount: 8n }, 1));
      expect(response.status).to.equal(200);
      expect(settlement.orders[0]?.request.amount).to.equal(8n);
    });

    it("by MPP, and then speaks no x402", async () => {
      const guard = charge();
      const { extensions } = await offered(guard);
      const [challenge] = extensions.mpp.info.challenges;
      const memo = "anything";
      const payload = { type: "transaction", transaction: transaction({ memo }) };
      const credential = { challenge: challenge as unknown as Challenge.Challenge, payload };
      const response = await ask(guard, { Authorization: Credential.format(credential) });
      expect(response.status).to.equal(200);
      expect(response.headers.has("payment-response")).to.equal(false);
    });

    it("and tells of the payment whatever the handler answers, but for its failures", async () => {
      for (const [status, told] of [
        [404, true],
        [503, false],
      ] as const) {
        const guard = charge();
        answer = () => new Response(null, { status, headers: { "Payment-Response": "forged" } });
        const response = await pay(guard, paymentFor(await offered(guard)));
        expect(response.status).to.equal(status);
        if (told) expect(decode(response.headers.get("payment-response")).success).to.equal(true);
      }
    });

    it("again by the same key: the same answer, and the same transaction", async () => {
      const guard = charge();
      const payment = paymentFor(await offered(guard));
      const key = { "Idempotency-Key": "k" };
      const [first, again] = [await pay(guard, payment, key), await pay(guard, payment, key)];
      expect(await again.json()).to.deep.equal(await first.json());
      expect(decode(again.headers.get("payment-response"))).to.include({ success: true, transaction: SIGNATURE });
      expect(served).to.equal(1);
    });

    it("later: while it is on its way the answer is 202 and says so in both words", async () => {
      const guard = charge();
      const payment = paymentFor(await offered(guard));
      const { outcome } = settlement;
      for (const pending of [{ kind: "pending", signature: SIGNATURE } as const, { kind: "pending" } as const]) {
        settlement.outcome = pending;
        const response = await pay(guard, payment);
        expect(response.status).to.equal(202);
        expect(response.headers.get("retry-after")).to.equal("2");
        expect(decode(response.headers.get("payment-response"))).to.deep.equal({
          success: false,
          errorReason: "settlement_pending",
          transaction: "signature" in pending ? SIGNATURE : "",
          network: DEVNET,
        });
      }
      settlement.outcome = outcome;
      expect((await pay(guard, payment)).status).to.equal(200);
    });
  });

  describe("refuses", () => {
    it("a payment where x402 is not taken: it asks to be paid", async () => {
      const payment = paymentFor(await offered(charge()));
      const response = await pay(charge({ x402: false }), payment);
      expect(response.status).to.equal(402);
      expect(await response.json()).to.include({ code: "payment-required" });
    });

    it("both protocols at once", async () => {
      const guard = charge();
      const payment = paymentFor(await offered(guard));
      const [challenge] = (payment.extensions as Required["extensions"]).mpp.info.challenges;
      const credential = Credential.format({
        challenge: challenge as unknown as Challenge.Challenge,
        payload: { type: "transaction", transaction: transaction() },
      });
      await refused(await pay(guard, payment, { Authorization: credential }), "several-credentials", 400);
    });

    for (const [what, header] of [
      ["no base64", "*"],
      ["no JSON", encode("x").slice(0, 3)],
    ] as const) {
      it(`a header that is ${what}`, async () => {
        const response = await ask(charge(), { "PAYMENT-SIGNATURE": header });
        await refused(response, "malformed-credential");
      });
    }

    it("version 1, which says nothing of what was accepted", async () => {
      const old = {
        x402Version: 1,
        scheme: "exact",
        network: "solana-devnet",
        payload: { transaction: transaction() },
      };
      await refused(await pay(charge(), old), "method-unsupported", 400);
    });

    it("a header over 16 KiB", async () => {
      const response = await ask(charge(), { "PAYMENT-SIGNATURE": "A".repeat(16_385) });
      await refused(response, "credential-too-large");
    });

    it("another scheme and another network", async () => {
      const guard = charge();
      for (const other of [{ scheme: "upto" }, { network: "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp" }]) {
        const payment = paymentFor(await offered(guard));
        const response = await pay(guard, { ...payment, accepted: { ...(payment.accepted as Json), ...other } });
        expect(await response.json()).to.include({ code: "method-unsupported" });
      }
      expect(settlement.orders).to.deep.equal([]);
    });

    it("a payment that echoes no challenge, or one that asks for something else than was accepted", async () => {
      const guard = charge();
      const required = await offered(guard);
      const payment = paymentFor(required);
      for (const extensions of [undefined, null, {}, { mpp: {} }, { mpp: { info: { challenges: [] } } }]) {
        await refused(await pay(guard, { ...payment, extensions }), "challenge-unknown");
      }
      const many = { mpp: { info: { challenges: Array(9).fill(required.extensions.mpp.info.challenges[0]) } } };
      await refused(await pay(guard, { ...payment, extensions: many }), "challenge-unknown");
      for (const other of [
        { amount: "9999" },
        { asset: stranger.publicKey.toBase58() },
        { payTo: stranger.publicKey.toBase58() },
        { maxTimeoutSeconds: 61 },
        { extra: { ...required.accepts[0]?.extra, memo: "mine" } },
        { extra: { ...required.accepts[0]?.extra, feePayer: stranger.publicKey.toBase58() } },
      ]) {
        const accepted = { ...required.accepts[0], ...other };
        await refused(await pay(guard, { ...payment, accepted }), "challenge-unknown");
      }
      expect(settlement.orders).to.deep.equal([]);
    });

    it("a challenge that the payer has written himself, in any part", async () => {
      const guard = charge();
      const required = await offered(guard);
      const [challenge] = required.extensions.mpp.info.challenges as readonly [Json];
      const request = Challenge.requestOf(challenge as unknown as Challenge.Challenge) as Json;
      const cheap = Buffer.from(JSON.stringify({ ...request, amount: "1" })).toString("base64url");
      const late = new Date(now + 10 ** 9).toISOString();
      for (const [forged, accepted] of [
        [
          { ...challenge, request: cheap },
          { ...required.accepts[0], amount: "1" },
        ],
        [{ ...challenge, expires: late }, required.accepts[0]],
        [{ ...challenge, id: "mine" }, required.accepts[0]],
      ] as const) {
        const payment = { ...paymentFor(required), accepted, extensions: { mpp: { info: { challenges: [forged] } } } };
        await refused(await pay(guard, payment), "challenge-unknown");
      }
      expect(settlement.orders).to.deep.equal([]);
    });

    it("a payment made for another resource, method, query or body of the same price", async () => {
      const guard = charge();
      const elsewhere = [
        [{}, "https://api.example.com/b?b=c", "challenge-mismatch"],
        [{}, "https://api.example.com/a?b=d", "challenge-mismatch"],
        [{}, "https://other.example.com/a?b=c", "challenge-mismatch"],
        [{ method: "DELETE" }, RESOURCE, "challenge-mismatch"],
        [{ method: "POST", body: "x" }, RESOURCE, "digest-mismatch"],
      ] as const;
      for (const [init, url, code] of elsewhere) {
        const response = await pay(guard, paymentFor(await offered(guard)), {}, init, url);
        await refused(response, code);
      }
      const dear = await pay(charge({ price: PRICE + 1n }), paymentFor(await offered(guard)));
      await refused(dear, "challenge-mismatch");
      expect(settlement.orders).to.deep.equal([]);
    });

    it("a payment that has moved its money for another guard's lower price, and gave it back", async () => {
      const dear = charge({ price: PRICE + 1n });
      const payment = paymentFor(await offered(charge()));
      answer = () => new Response("no", { status: 500 });
      expect((await pay(charge(), payment)).status).to.equal(500);
      served = 0;
      await refused(await pay(dear, payment), "policy-denied", 403);
      answer = () => Response.json({ data: 42 });
      expect((await pay(charge(), payment)).status).to.equal(200);
    });

    it("a payment that comes too late", async () => {
      const guard = charge();
      const payment = paymentFor(await offered(guard));
      now += 300_000;
      await refused(await pay(guard, payment), "challenge-expired");
    });

    it("a transaction without the challenge's memo: it was made for another one", async () => {
      const guard = charge();
      const shapes: readonly Shape[] = [{ memo: "another" }, { memos: [] }];
      for (const shape of shapes)
        await refused(await pay(guard, paymentFor(await offered(guard), shape)), "memo-missing");
      const required = await offered(guard);
      const memo = String(required.accepts[0]?.extra.memo);
      await refused(await pay(guard, paymentFor(required, { memos: [memo, memo] })), "memo-missing");
    });

    it("a transaction that is not laid out as the scheme has it", async () => {
      const guard = charge();
      const required = await offered(guard);
      const memo = String(required.accepts[0]?.extra.memo);
      const shape: Shape = { instructions: ({ limit, transfer, ...usual }) => [limit, transfer, usual.memo(memo)] };
      await refused(await pay(guard, paymentFor(required, shape)), "instruction-unexpected");
    });

    it("a second delivery for one transaction, at the same route and at another of the same price", async () => {
      const guard = charge();
      const payment = paymentFor(await offered(guard));
      expect((await pay(guard, payment)).status).to.equal(200);
      const other = { ...(await offered(guard, {}, "https://api.example.com/b")) };
      // The same reference at both, as a seller may choose to have: what stands behind it tells them apart.
      const fixed = charge({ externalId: () => "order 7" });
      const [first, second] = [await offered(fixed), await offered(fixed, {}, "https://api.example.com/b")];
      const paid = paymentFor(first);
      expect((await pay(fixed, paid)).status).to.equal(200);
      const replayed = { ...paid, extensions: second.extensions };
      served = 0;
      await refused(await pay(fixed, replayed, {}, {}, "https://api.example.com/b"), "challenge-unknown");
      const claimed = { ...replayed, accepted: second.accepts[0] };
      await refused(await pay(fixed, claimed, {}, {}, "https://api.example.com/b"), "memo-missing");
      await refused(await pay(guard, payment), "challenge-used");
      const moved = { ...payment, accepted: other.accepts[0], extensions: other.extensions };
      await refused(await pay(guard, moved, {}, {}, "https://api.example.com/b"), "memo-missing");
    });

    it("what the settlement refuses, with its code and a fresh offer", async () => {
      const guard = charge();
      settlement.outcome = new RefusedError("simulation-failed");
      const response = await pay(guard, paymentFor(await offered(guard)));
      await refused(response, "simulation-failed");
    });
  });

  describe("on localnet", () => {
    const genesis = stranger.publicKey.toBase58();

    it("names the cluster by its node's genesis hash", async () => {
      payments = open({
        network: "localnet",
        rpc: { latestBlockhash: () => {}, ...nodeOf(async () => genesis) } as never,
      });
      const { accepts } = await offered(charge());
      expect(accepts[0]?.network).to.equal(X402.chainId(genesis));
    });

    it("leaves the challenge alone when the node does not answer", async () => {
      let asked = 0;
      const rpc = nodeOf(async () => {
        // Once by the check at the start.
        if (asked++ > 0) throw new Error("gone");
        return genesis;
      });
      payments = open({ network: "localnet", rpc: { latestBlockhash: () => {}, ...rpc } as never });
      const response = await ask(charge());
      expect(response.status).to.equal(402);
      expect(response.headers.get("www-authenticate")).to.match(/^Payment /);
      expect(response.headers.has("payment-required")).to.equal(false);
      expect(errors).to.have.length(1);
    });

    function nodeOf(genesisHash: () => Promise<string>): Partial<Rpc> {
      const data = Buffer.alloc(82);
      data[44] = 6;
      data[45] = 1;
      const mint = { owner: TOKEN_PROGRAM_ID.toBase58(), lamports: 1n, data, executable: false };
      return { genesisHash, account: async () => mint };
    }
  });
});
