// The charge method under mppx's own server and client (npm mppx 0.11), settled by a facilitator on an embedded chain.

import { Localnet, USDC_MINT } from "@mppsol/localnet";
import { charge as schema } from "@mppsol/mpp";
import { charge as clientCharge } from "@mppsol/mpp/client";
import { SettlementPaymentError, charge as serverCharge } from "@mppsol/mpp/server";
import { memoryStore } from "@mppsol/server";
import { createKeyPairSignerFromBytes, generateKeyPairSigner } from "@solana/kit";
import { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import { Challenge, Credential, Receipt } from "mppx";
import { Mppx as MppxClient } from "mppx/client";
import { Mppx as MppxServer } from "mppx/server";
import { Town } from "../server/charge/shop.ts";
import { FacilitatorDesk, send } from "../server/facilitator/desk.ts";

const SECRET = "a secret of the tests, 32 bytes and more";
const PRICE = 10_000n;

describe("@mppsol/mpp charge, with mppx's server and client", () => {
  let town: Town;
  let desk: FacilitatorDesk;

  beforeEach(async () => {
    town = await Town.start();
    desk = await FacilitatorDesk.start(town);
  });
  afterEach(async () => {
    await desk.close();
    await town.close();
  });

  type Parameters = Partial<Parameters_>;
  type Parameters_ = NonNullable<globalThis.Parameters<typeof serverCharge>[0]>;

  function shop(more: Parameters = {}) {
    const seller = town.person({ lamports: 0n, usdc: 1n });
    const mppx = MppxServer.create({
      methods: [
        serverCharge({
          recipient: seller.publicKey.toBase58(),
          apiUrl: desk.url,
          network: "localnet",
          settleTimeoutMs: 500,
          cacheMs: 0,
          ...more,
        }),
      ],
      realm: "shop.example",
      secretKey: SECRET,
    });
    const handler = async (request: Request): Promise<Response> => {
      const result = await mppx.charge({ amount: String(PRICE), currency: "USDC" })(request);
      if (result.status === 402) return result.challenge;
      return result.withReceipt(Response.json({ data: "premium content" }));
    };
    return { seller, handler };
  }

  async function buyer(onProgress?: (event: { type: string }) => void) {
    const wallet = town.person({ lamports: 0n, usdc: 50_000n });
    const signer = await createKeyPairSignerFromBytes(wallet.secretKey);
    return { wallet, method: clientCharge({ signer, ...(onProgress === undefined ? {} : { onProgress }) }) };
  }

  /** mppx's client, whose requests end in a handler. */
  function client(handler: (request: Request) => Promise<Response>, method: ReturnType<typeof clientCharge>) {
    return MppxClient.create({
      methods: [method],
      polyfill: false,
      fetch: (input: string | URL | Request, init?: RequestInit) => handler(new Request(input, init)),
    });
  }

  const URL_ = "https://shop.example/premium";

  it("names the method and intent of draft-solana-charge-00", () => {
    expect([schema.name, schema.intent]).to.deep.equal(["solana", "charge"]);
  });

  it("sells: the client pays by itself, without a node and without SOL", async () => {
    const { seller, handler } = shop();
    const steps: string[] = [];
    const { wallet, method } = await buyer(({ type }) => steps.push(type));
    const response = await client(handler, method).fetch(URL_);
    expect(response.status, await response.clone().text()).to.equal(200);
    expect(await response.json()).to.deep.equal({ data: "premium content" });
    const receipt = Receipt.fromResponse(response);
    expect(receipt).to.include({ method: "solana", status: "success" });
    expect((await town.connection.getSignatureStatus(receipt.reference)).value?.err).to.equal(null);
    expect(await town.tokens(seller.publicKey)).to.equal(1n + PRICE);
    expect(await town.tokens(wallet.publicKey)).to.equal(50_000n - PRICE);
    expect(await town.lamports(wallet.publicKey)).to.equal(0n);
    expect(await town.lamports(seller.publicKey)).to.equal(0n);
    expect(steps).to.deep.equal(["building", "signing", "signed"]);
  });

  /** A challenge and its payment, both by mppx. */
  async function paid(handler: (request: Request) => Promise<Response>) {
    const { wallet, method } = await buyer();
    const asked = await handler(new Request(URL_));
    const challenge = Challenge.fromResponse(asked);
    const authorization = await method.createCredential({ challenge } as never);
    return {
      wallet,
      challenge,
      authorization,
      again: () => handler(new Request(URL_, { headers: { authorization } })),
    };
  }

  it("asks for the draft's request, whole, in the challenge", async () => {
    const { seller, handler } = shop();
    const challenge = Challenge.fromResponse(await handler(new Request(URL_)));
    expect(challenge.request).to.deep.include({
      amount: "10000",
      currency: USDC_MINT,
      recipient: seller.publicKey.toBase58(),
    });
    expect(challenge.request.methodDetails).to.deep.include({
      network: "localnet",
      decimals: 6,
      feePayer: true,
      feePayerKey: desk.feePayer.publicKey.toBase58(),
    });
  });

  it("makes payments of the same price transactions of their own, and binds a reference that the seller gives", async () => {
    const { handler } = shop();
    const asked = async () => Challenge.fromResponse(await handler(new Request(URL_))).request.externalId;
    const [one, two] = [await asked(), await asked()];
    expect(one).to.match(/^mppx-/);
    expect(one).not.to.equal(two);
    const seller = town.person({ lamports: 0n, usdc: 1n }).publicKey.toBase58();
    const mppx = MppxServer.create({
      methods: [serverCharge({ recipient: seller, apiUrl: desk.url, network: "localnet" })],
      realm: "shop.example",
      secretKey: SECRET,
    });
    const selling = (externalId: string) => async (request: Request) => {
      const result = await mppx.charge({ amount: String(PRICE), externalId })(request);
      return result.status === 402 ? result.challenge : result.withReceipt(new Response(externalId));
    };
    const { authorization, again } = await paid(selling("order-7"));
    const elsewhere = await selling("order-8")(new Request(URL_, { headers: { authorization } }));
    expect(elsewhere.status).to.equal(402);
    expect(await (await again()).text()).to.equal("order-7");
  });

  it("serves one answer for one payment", async () => {
    const { handler } = shop();
    const { again, wallet } = await paid(handler);
    expect((await again()).status).to.equal(200);
    const second = await again();
    expect(second.status).to.equal(402);
    expect(((await second.json()) as { code: string }).code).to.equal("challenge-used");
    expect(await town.tokens(wallet.publicKey)).to.equal(50_000n - PRICE);
  });

  it("serves one answer for one payment over several processes with one store", async () => {
    const store = memoryStore();
    const seller = town.person({ lamports: 0n, usdc: 1n }).publicKey.toBase58();
    const [one, two] = [shop({ store, recipient: seller }), shop({ store, recipient: seller })];
    const { authorization } = await paid(one.handler);
    const answers = await Promise.all(
      [one, two].map(({ handler }) => handler(new Request(URL_, { headers: { authorization } }))),
    );
    expect(answers.map(({ status }) => status).sort()).to.deep.equal([200, 402]);
  });

  it("does not take one transaction for two challenges", async () => {
    const { handler } = shop();
    const { authorization, again } = await paid(handler);
    const credential = Credential.deserialize(authorization);
    const other = Challenge.fromResponse(await handler(new Request(URL_)));
    expect((await again()).status).to.equal(200);
    const twice = Credential.serialize({ ...credential, challenge: other });
    const refused = await handler(new Request(URL_, { headers: { authorization: twice } }));
    expect(refused.status).to.equal(402);
    expect(((await refused.json()) as { code: string }).code).to.equal("signature-consumed");
  });

  it("does not sign into a challenge what a forged credential says", async () => {
    const { handler } = shop();
    const { authorization } = await paid(handler);
    const credential = Credential.deserialize(authorization);
    const thief = Keypair.generate().publicKey.toBase58();
    const request = { ...credential.challenge.request, recipient: thief };
    const details = { ...(request as { methodDetails?: object }).methodDetails, feePayerKey: thief };
    const forged = {
      ...credential,
      challenge: { ...credential.challenge, request: { ...request, methodDetails: details } },
    };
    const answer = await handler(
      new Request(URL_, { headers: { authorization: Credential.serialize(forged as typeof credential) } }),
    );
    expect(answer.status).to.equal(402);
    expect(JSON.stringify(Challenge.fromResponse(answer).request)).not.to.include(thief);
  });

  it("answers 202 while the payment may be on its way, and serves it when it has arrived", async () => {
    const { handler } = shop();
    const { again, wallet } = await paid(handler);
    desk.twist = ({ path }, response, honest) =>
      path === "/mpp/settle" ? honest().then(() => send(response, 500, { code: "internal_error" })) : undefined;
    const waiting = await again();
    expect(waiting.status).to.equal(202);
    expect(await waiting.json()).to.include({ code: "settlement-pending", retryable: true });
    desk.twist = undefined;
    expect((await again()).status).to.equal(200);
    expect(await town.tokens(wallet.publicKey)).to.equal(50_000n - PRICE);
  });

  it("answers 503, and asks for nothing, while the facilitator is away", async () => {
    const { handler } = shop();
    desk.twist = (_, response) => Promise.resolve(send(response, 503, { code: "upstream_unavailable" }));
    expect((await handler(new Request(URL_))).status).to.equal(503);
  });

  describe("what no challenge can be made for", () => {
    /** What the method throws at mppx, which is all that a handler sees of it where its mppx is another copy. */
    async function thrown(more: Parameters = {}): Promise<SettlementPaymentError> {
      const recipient = town.person({ lamports: 0n, usdc: 1n }).publicKey.toBase58();
      const method = serverCharge({ recipient, apiUrl: desk.url, network: "localnet", cacheMs: 0, ...more });
      const request = { amount: "10000", currency: "USDC", recipient };
      const work = Promise.resolve(method.request?.({ request, credential: null } as never));
      const error = await work.catch((reason: unknown) => reason);
      expect(error).to.be.instanceOf(SettlementPaymentError);
      return error as SettlementPaymentError;
    }
    const refusing = (code: string, status = 422, more: object = {}) => {
      desk.twist = (_, response) => Promise.resolve(send(response, status, { code, detail: `D ${code}`, ...more }));
    };

    for (const [reason, status] of [
      ["amount_too_small", 422],
      ["invalid_network", 422],
      ["seller_not_allowed", 403],
    ] as const) {
      it(`is a 503 that says why, and is not worth another try, for a mistake of the seller: ${reason}`, async () => {
        const told: unknown[] = [];
        const onError = (error: unknown) => {
          told.push((error as { code: string }).code);
          throw new Error("a listener that fails");
        };
        const { handler } = shop({ onError });
        refusing(reason, status, { retryable: false });
        const expected = { status: 503, code: "unavailable", reason, retryable: false };
        const answer = await handler(new Request(URL_));
        expect(answer.status).to.equal(503);
        const problem = (await answer.json()) as { detail: string };
        expect(problem).to.include(expected);
        expect(problem.detail).to.contain(`D ${reason}`);
        expect(told).to.include(reason);
        const error = await thrown({ onError });
        expect(error).to.include({ status: 503, code: "unavailable", retryable: false });
        expect(error.toProblemDetails()).to.include(expected);
      });
    }

    it("is a 503 that is worth another try while the facilitator is away, or too busy", async () => {
      const told: unknown[] = [];
      const onError = (error: unknown) => told.push(error);
      const { handler } = shop({ apiUrl: "http://127.0.0.1:1", onError });
      const answer = await handler(new Request(URL_));
      expect(answer.status).to.equal(503);
      expect(await answer.json()).to.include({ code: "unavailable", reason: "unreachable", retryable: true });
      const away = await thrown({ apiUrl: "http://127.0.0.1:1", onError });
      expect(away).to.include({ status: 503, code: "unavailable", retryable: true });
      for (const [code, status] of [
        ["upstream_unavailable", 503],
        ["rate_limited", 429],
        ["sponsor_exhausted", 429],
        ["simulation_failed", 422],
      ] as const) {
        refusing(code, status, { retryable: true });
        const error = await thrown({ onError });
        expect(error, code).to.include({ status: 503, code: "unavailable", retryable: true });
        expect(error.toProblemDetails(), code).to.include({ reason: code });
      }
      expect(told).to.deep.equal([]);
    });

    it("keeps the name of a missing account or token, and tells the seller", async () => {
      for (const code of ["recipient_account_missing", "asset_unsupported"]) {
        const told: unknown[] = [];
        refusing(code, 422, { retryable: false });
        const error = await thrown({ onError: (one) => told.push((one as { code: string }).code) });
        expect(error).to.include({ status: 503, code: code.replaceAll("_", "-") });
        expect(told).to.include(code);
      }
    });
  });

  it("refuses amounts that are no decimal strings of base units, as soon as a route is made", () => {
    const recipient = Keypair.generate().publicKey.toBase58();
    const methods = [serverCharge({ recipient, apiUrl: desk.url, network: "localnet" })] as const;
    const mppx = MppxServer.create({ methods, realm: "shop.example", secretKey: SECRET });
    for (const amount of [10_000, 10_000n, "0.01", "0", "1e4"]) {
      expect(() => mppx.charge({ amount: amount as string }), String(amount)).to.throw(/decimal string of base units/);
    }
  });

  it("settles what was signed before, when only challenges cannot be made any more", async () => {
    const { handler } = shop();
    const { again } = await paid(handler);
    desk.twist = ({ path }, response) =>
      path === "/mpp/prepare" ? Promise.resolve(send(response, 503, { code: "upstream_unavailable" })) : undefined;
    expect((await again()).status).to.equal(200);
  });

  it("passes on why the facilitator refuses", async () => {
    const { handler } = shop();
    const { again } = await paid(handler);
    desk.twist = ({ path }, response) =>
      path === "/mpp/settle"
        ? Promise.resolve(send(response, 422, { code: "policy:priority_fee_too_high", retryable: false }))
        : undefined;
    const refused = await again();
    expect(refused.status).to.equal(402);
    expect(await refused.json()).to.include({ code: "fee-too-high", reason: "policy:priority_fee_too_high" });
  });

  it("serves nothing for a settlement of another amount, and does not ask to be paid again", async () => {
    const { handler } = shop();
    const { again } = await paid(handler);
    desk.twist = ({ path }, response, honest) =>
      path === "/mpp/settle" ? honest().then(({ body }) => send(response, 200, { ...body, amount: "1" })) : undefined;
    const refused = await again();
    expect(refused.status).to.equal(500);
    expect(((await refused.json()) as { reason: string }).reason).to.equal("settlement_amount_mismatch");
  });

  it("with verifyRpcUrl it serves nothing for what has not landed", async () => {
    const other = await Localnet.start({ slotTime: "manual" });
    // A chain that has never seen the payment.
    const { handler } = shop({ verifyRpcUrl: other.url, verifyTimeoutMs: 50 });
    const { again } = await paid(handler);
    expect((await again()).status).to.equal(202);
    await other.close();
  });

  it("does not believe a facilitator that gives the token other decimals", async () => {
    const { handler } = shop();
    desk.twist = (_, response, honest) => honest().then(({ body }) => send(response, 200, { ...body, decimals: 2 }));
    const answer = await handler(new Request(URL_));
    expect(answer.status).to.equal(503);
  });

  it("refuses a price in another currency than the server's", async () => {
    const seller = Keypair.generate().publicKey.toBase58();
    const mppx = MppxServer.create({
      methods: [serverCharge({ recipient: seller, apiUrl: desk.url, network: "localnet" })],
      realm: "shop.example",
      secretKey: SECRET,
    });
    const currency = Keypair.generate().publicKey.toBase58();
    const work = mppx.charge({ amount: "1", currency })(new Request(URL_));
    expect(
      await work.then(
        () => undefined,
        (error: { code: string }) => error.code,
      ),
    ).to.equal("config");
  });

  it("refuses a network that is none", () => {
    const make = () => serverCharge({ recipient: "x", network: "testnet" as never });
    expect(make).to.throw(/network/);
  });

  describe("the client", () => {
    it("takes a wallet that may change transactions, if it does not", async () => {
      const { seller, handler } = shop();
      const wallet = town.person({ lamports: 0n, usdc: 50_000n });
      const pair = await createKeyPairSignerFromBytes(wallet.secretKey);
      const signer = {
        address: pair.address,
        async modifyAndSignTransactions(transactions: readonly never[]) {
          const signatures = await pair.signTransactions(transactions);
          return transactions.map((one: object, i) => ({ ...one, signatures: signatures[i] }));
        },
      };
      const response = await client(handler, clientCharge({ signer: signer as never })).fetch(URL_);
      expect(response.status).to.equal(200);
      expect(await town.tokens(seller.publicKey)).to.equal(1n + PRICE);
    });

    it("refuses a signature of something else, and a signer that gives none", async () => {
      const { handler } = shop();
      const challenge = Challenge.fromResponse(await handler(new Request(URL_)));
      const { address } = await generateKeyPairSigner();
      const bad = [
        { address, signTransactions: async () => [{ [address]: new Uint8Array(64) }] },
        { address, signTransactions: async () => [] },
        { address },
      ];
      for (const signer of bad) {
        const work = clientCharge({ signer: signer as never }).createCredential({ challenge } as never);
        expect(
          await work.then(
            () => "paid",
            (error: { code: string }) => error.code,
          ),
        ).to.equal("signer");
      }
    });

    it("does not pay a challenge whose fee nobody else pays, or that pays its own wallet", async () => {
      const { handler, seller } = shop();
      const challenge = Challenge.fromResponse(await handler(new Request(URL_)));
      const { method } = await buyer();
      const { methodDetails, ...rest } = challenge.request as { methodDetails: object };
      const unsponsored = { ...challenge, request: { ...rest, methodDetails: { ...methodDetails, feePayer: false } } };
      expect(method.canHandleChallenge?.({ challenge: unsponsored as never })).to.equal(false);
      expect(method.canHandleChallenge?.({ challenge })).to.equal(true);
      const own = clientCharge({ signer: await createKeyPairSignerFromBytes(seller.secretKey) });
      const code = await own.createCredential({ challenge } as never).then(
        () => "paid",
        (error: { code: string }) => error.code,
      );
      expect(code).to.equal("challenge-refused:recipient");
    });
  });

  it("has errors that mppx takes for payment errors", () => {
    expect(SettlementPaymentError.pending(undefined).toProblemDetails("c")).to.deep.include({
      status: 202,
      code: "settlement-pending",
      challengeId: "c",
    });
  });
});
