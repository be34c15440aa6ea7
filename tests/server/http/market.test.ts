// createPayments as an application uses it, against an embedded chain: charges and sessions over HTTP, money counted.
import { Challenge, ChargeRequest, Credential, Receipt, SessionRequest, SignedVoucher, SseEvents } from "@mppsol/core";
import { USDC_MINT } from "@mppsol/localnet";
import { Connection, type Keypair } from "@solana/web3.js";
import { expect } from "chai";
import { memoryBook, type SponsorBook } from "../../../sdk/server/src/charge/SponsorBook.ts";
import {
  ConfigError,
  createPayments,
  createRpc,
  type ErrorContext,
  type Payments,
  type PaymentsOptions,
  RefusedError,
  RpcError,
  type SessionEvent,
  sse,
  WrongClusterError,
} from "../../../sdk/server/src/index.ts";
import { memoryStore } from "../../../sdk/server/src/stores/index.ts";
import { down, faulty, following } from "../chain/faults.ts";
import { pull, push, signatureOf, signed, Town } from "../charge/shop.ts";
import { Market, Purse, Stall } from "../session/market.ts";
import { challengesOf, codeOf, SECRET } from "./fakes.ts";

const URL_ = "https://api.example.com/weather?city=bern";
const get = (headers: Record<string, string> = {}) => new Request(URL_, { headers });
const sunny = () => new Response("sunny");
const PRICE = 10_000n;

type Errors = { readonly error: unknown; readonly context: ErrorContext }[];

describe("payments by charge, on a chain", () => {
  let town: Town;
  const open: Payments[] = [];

  before(async () => {
    town = await Town.start();
  });
  after(async () => {
    await town.close();
  });
  afterEach(async () => {
    for (const payments of open.splice(0)) await payments.close(100);
  });

  function sell(more: Partial<PaymentsOptions> = {}): { payments: Payments; seller: Keypair; errors: Errors } {
    const seller = town.person({ usdc: 0n });
    const errors: Errors = [];
    const payments = createPayments({
      recipient: seller.publicKey,
      network: "localnet",
      rpc: town.net.url,
      store: memoryStore(),
      secret: SECRET,
      realm: "api.example.com",
      charges: { pollMs: 5, budgetMs: 2_000, pushWaitMs: 20 },
      onError: (error, context) => errors.push({ error, context }),
      ...more,
    });
    open.push(payments);
    return { payments, seller, errors };
  }

  async function usdcSeller(more: Partial<PaymentsOptions> = {}) {
    const made = sell(more);
    await town.openAccount(made.seller.publicKey);
    return made;
  }

  /** Asks, has the payer sign what is asked for, and gives the header that pays. */
  async function authorization(handle: (request: Request) => Promise<Response>, payer: Keypair, ask = get()) {
    const [challenge] = challengesOf(await handle(ask));
    const charge = ChargeRequest.fromJson(Challenge.requestOf(challenge!));
    return {
      header: Credential.format(pull(challenge!, await signed(town, charge, payer))),
      charge,
      challenge: challenge!,
    };
  }

  it("sell one answer for one transaction, whose signature is in the receipt", async () => {
    const { payments, seller, errors } = await usdcSeller();
    const handle = payments.charge("0.01")(sunny);
    const payer = town.person({ usdc: 50_000n });
    const { header, charge } = await authorization(handle, payer);
    expect([charge.amount, charge.currency, charge.network]).to.deep.equal([PRICE, USDC_MINT, "localnet"]);
    const response = await handle(get({ authorization: header }));
    expect([response.status, await response.text()]).to.deep.equal([200, "sunny"]);
    const { reference } = Receipt.parse(response.headers.get("payment-receipt")!);
    const landed = await town.connection.getTransaction(reference, { maxSupportedTransactionVersion: 0 });
    expect(landed?.meta?.err).to.equal(null);
    expect(await town.tokens(seller.publicKey)).to.equal(PRICE);
    expect(await town.tokens(payer.publicKey)).to.equal(50_000n - PRICE);
    expect(errors).to.deep.equal([]);
  });

  it("serve one of ten identical requests, and take one payment", async () => {
    const { payments, seller } = await usdcSeller();
    let runs = 0;
    const handle = payments.charge(PRICE)(() => {
      runs++;
      return sunny();
    });
    const payer = town.person({ usdc: 50_000n });
    const { header } = await authorization(handle, payer);
    const headers = { authorization: header, "Idempotency-Key": "k" };
    const all = await Promise.all(Array.from({ length: 10 }, () => handle(get(headers))));
    for (const { status } of all) expect([200, 202, 409]).to.include(status);
    expect(runs).to.equal(1);
    expect(await town.tokens(seller.publicKey)).to.equal(PRICE);
    const again = await handle(get(headers));
    expect([again.status, again.headers.get("idempotent-replayed"), await again.text()]).to.deep.equal([
      200,
      "true",
      "sunny",
    ]);
    const without = await handle(get({ authorization: header }));
    expect([without.status, await codeOf(without)]).to.deep.equal([402, "challenge-used"]);
  });

  it("let a payment be used again after the handler failed, and take it once", async () => {
    const { payments, seller } = await usdcSeller();
    let fail = true;
    const handle = payments.charge(PRICE)(() => {
      if (fail) throw new Error("upstream");
      return sunny();
    });
    const payer = town.person({ usdc: 50_000n });
    const { header } = await authorization(handle, payer);
    const headers = { authorization: header, "Idempotency-Key": "k" };
    expect((await handle(get(headers))).status).to.equal(500);
    fail = false;
    expect(await (await handle(get(headers))).text()).to.equal("sunny");
    expect(await town.tokens(seller.publicKey)).to.equal(PRICE);
  });

  it("give each challenge a reference of its own, without which a pushed payment is nobody's", async () => {
    const { payments, seller } = sell({ currency: "sol" });
    const handle = payments.charge("0.001")(sunny);
    const payer = town.person();
    const [mine, thiefs] = [await authorization(handle, payer), await authorization(handle, payer)];
    expect(mine.charge.externalId)
      .to.match(/^[\w-]{16}$/)
      .and.not.equal(thiefs.charge.externalId);
    const transaction = await signed(town, mine.charge, payer);
    await town.land(transaction);
    const stolen = await handle(
      get({ authorization: Credential.format(push(thiefs.challenge, signatureOf(transaction))) }),
    );
    expect([stolen.status, await codeOf(stolen)]).to.deep.equal([402, "memo-missing"]);
    const response = await handle(
      get({ authorization: Credential.format(push(mine.challenge, signatureOf(transaction))) }),
    );
    expect(response.status).to.equal(200);
    expect(await town.lamports(seller.publicKey)).to.equal(1_000_000_000n + 1_000_000n);
  });

  it("make prices out of the request, and refuse a payment for a cheaper one", async () => {
    const { payments, seller } = await usdcSeller();
    const handle = payments.charge(async (request) => {
      const { words } = (await request.json()) as { words: number };
      return BigInt(words) * 100n;
    })(async (request) => new Response(await request.text()));
    const ask = (words: number, headers: Record<string, string> = {}) =>
      new Request(URL_, { method: "POST", body: JSON.stringify({ words }), headers });
    const payer = town.person({ usdc: 50_000n });
    const { header, charge } = await authorization(handle, payer, ask(3));
    expect(charge.amount).to.equal(300n);
    const dearer = await handle(ask(4, { authorization: header }));
    expect([dearer.status, await codeOf(dearer)]).to.deep.equal([402, "digest-mismatch"]);
    const response = await handle(ask(3, { authorization: header }));
    expect(await response.text()).to.equal('{"words":3}');
    expect(await town.tokens(seller.publicKey)).to.equal(300n);
  });

  it("tell the seller, and nobody else, of a price function that gives no price", async () => {
    const { payments, errors } = await usdcSeller();
    const response = await payments.charge(() => 0.01 as never)(sunny)(get());
    expect(response.status).to.equal(500);
    expect(errors[0]?.error).to.be.instanceOf(ConfigError);
  });

  it("offer one thing in two currencies, and take either", async () => {
    const { payments, seller } = await usdcSeller();
    const guard = payments.offer(payments.charge("0.01"), payments.charge({ price: "0.001", currency: "sol" }));
    const handle = guard(sunny);
    const payer = town.person({ usdc: 50_000n });
    const challenges = challengesOf(await handle(get()));
    expect(challenges).to.have.length(2);
    for (const challenge of challenges) {
      const charge = ChargeRequest.fromJson(Challenge.requestOf(challenge));
      const header = Credential.format(pull(challenge, await signed(town, charge, payer)));
      expect((await handle(get({ authorization: header }))).status).to.equal(200);
    }
    expect(await town.tokens(seller.publicKey)).to.equal(PRICE);
    expect(await town.lamports(seller.publicKey)).to.equal(1_000_000_000n + 1_000_000n);
  });

  it("pay the payers' fees when there is a fee payer", async () => {
    const feePayer = town.person();
    const { payments } = await usdcSeller({ feePayer });
    const handle = payments.charge("0.01")(sunny);
    const payer = town.person({ lamports: 0n, usdc: PRICE });
    const { header, charge } = await authorization(handle, payer);
    expect(charge.feePayerKey).to.equal(feePayer.publicKey.toBase58());
    expect((await handle(get({ authorization: header }))).status).to.equal(200);
    expect((await town.lamports(feePayer.publicKey)) < 1_000_000_000n).to.equal(true);
    const own = await authorization(payments.charge({ price: PRICE, sponsored: false })(sunny), payer);
    expect(own.charge.feePayer).to.equal(false);
  });

  it("pass on the answer that a transaction is on its way", async () => {
    const rpc = faulty(createRpc({ endpoint: town.net.url, backoffMs: 1 }));
    const { payments, seller } = await usdcSeller({ rpc, charges: { pollMs: 5, budgetMs: 20 } });
    const handle = payments.charge(PRICE)(sunny);
    const payer = town.person({ usdc: 50_000n });
    const { header } = await authorization(handle, payer);
    rpc.fault("status", following(down()));
    const first = await handle(get({ authorization: header }));
    expect([first.status, first.headers.get("retry-after")]).to.deep.equal([202, "2"]);
    expect(first.headers.get("www-authenticate")).to.equal(null);
    rpc.heal();
    const then = await handle(get({ authorization: header }));
    expect(then.status).to.equal(200);
    expect(await town.tokens(seller.publicKey)).to.equal(PRICE);
  });

  it("in two currencies, go on with a transaction that is on its way in the second one", async () => {
    const rpc = faulty(createRpc({ endpoint: town.net.url, backoffMs: 1 }));
    const { payments, seller } = await usdcSeller({ rpc, charges: { pollMs: 5, budgetMs: 20 } });
    const inSol = payments.charge({ price: 1_000_000n, currency: "sol" });
    const both = payments.offer(payments.charge(PRICE), inSol)(sunny);
    const before = await town.lamports(seller.publicKey);
    const { header } = await authorization(inSol(sunny), town.person());
    rpc.fault("status", following(down()));
    expect((await both(get({ authorization: header }))).status).to.equal(202);
    rpc.heal();
    const then = await both(get({ authorization: header }));
    expect([then.status, await then.text()]).to.deep.equal([200, "sunny"]);
    expect((await town.lamports(seller.publicKey)) - before).to.equal(1_000_000n);
    const elsewhere = await payments.charge(PRICE)(sunny)(get({ authorization: header }));
    expect([elsewhere.status, await codeOf(elsewhere)]).to.deep.equal([403, "policy-denied"]);
  });

  it("take nothing before everything is ready: a node of another cluster, or wrong decimals", async () => {
    const wrong = sell({ network: "devnet" });
    expect((await wrong.payments.charge(1n)(sunny)(get())).status).to.equal(500);
    expect(wrong.errors.map(({ error }) => error)[0]).to.be.instanceOf(WrongClusterError);
    const asset = await town.mint2022([]);
    const misread = sell({ currency: { mint: asset.mint.toBase58(), decimals: 2 }, background: false });
    const guard = misread.payments.charge("0.01");
    const error = await misread.payments.ready().catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(ConfigError);
    expect((await guard(sunny)(get())).status).to.equal(500);
  });

  it("are not ready while somebody whom a charge pays has no account for its token, and say who and how to make it", async () => {
    const { payments, seller } = sell();
    const shareholder = town.person({});
    const splits = [{ recipient: shareholder.publicKey.toBase58(), amount: 1n }];
    payments.charge({ price: PRICE, splits });
    const problem = () =>
      payments.ready().then(
        () => undefined,
        (error: ConfigError) => [error.option, error.message],
      );
    for (const person of [seller, shareholder]) {
      const [option, message] = (await problem()) ?? [];
      expect(option).to.equal("recipient");
      expect(message).to.contain(person.publicKey.toBase58()).and.contain(`spl-token create-account ${USDC_MINT}`);
      await town.openAccount(person.publicKey);
    }
    expect(await problem()).to.equal(undefined);
  });

  it("are ready when payers make the account, or nobody needs one", async () => {
    const { payments } = await usdcSeller();
    const recipient = town.person({}).publicKey.toBase58();
    payments.charge({ price: PRICE, splits: [{ recipient, amount: 1n, ataCreationRequired: true }] });
    payments.charge({ price: PRICE, currency: "sol", recipient });
    await payments.ready();
  });

  it("wait for a node that is away, and sell when it is back", async () => {
    const rpc = faulty(createRpc({ endpoint: town.net.url, backoffMs: 1 }));
    rpc.fault("genesisHash", down());
    const { payments, errors } = await usdcSeller({ rpc, background: false });
    const handle = payments.charge(PRICE)(sunny);
    expect((await handle(get())).status).to.equal(503);
    expect(errors[0]?.error).to.be.instanceOf(RpcError);
    rpc.heal();
    expect((await handle(get())).status).to.equal(402);
  });

  it("end when they are closed, and say so", async () => {
    const { payments } = await usdcSeller();
    const handle = payments.charge(PRICE)(sunny);
    await payments.ready();
    await payments.close();
    const response = await handle(get());
    expect([response.status, await codeOf(response)]).to.deep.equal([503, "unavailable"]);
  });
});

describe("payments by session, on a chain", () => {
  let market: Market;
  let payments: Payments | undefined;

  before(async () => {
    market = await Market.start();
  });
  after(async () => {
    await market.stop();
  });
  afterEach(async () => {
    await payments?.close(100);
    payments = undefined;
    await market.checkBooks();
  });

  interface Sold {
    readonly payments: Payments;
    readonly seller: Keypair;
    readonly events: SessionEvent[];
    readonly errors: Errors;
  }

  function sell(more: Partial<PaymentsOptions> = {}): Sold {
    const seller = market.person({ usdc: 0n });
    const errors: Errors = [];
    const events: SessionEvent[] = [];
    payments = createPayments({
      recipient: seller.publicKey,
      closer: seller,
      feePayer: market.person(),
      network: "localnet",
      rpc: new Connection(market.net.url, "confirmed"),
      store: memoryStore(),
      secret: SECRET,
      realm: "api.example.com",
      clock: market.now,
      sessions: { landing: { budgetMs: 2_000, pollMs: 2 }, voucherTimeoutMs: 200, watchtower: { intervalMs: 20 } },
      onError: (error, context) => errors.push({ error, context }),
      onChannelEvent: (event) => events.push(event),
      ...more,
    });
    return { payments, seller, events, errors };
  }

  /** A customer who opens a channel at a route. */
  async function customer(handle: (request: Request) => Promise<Response>, deposit = 1_000n): Promise<Purse> {
    const [challenge] = challengesOf(await handle(get()));
    const request = SessionRequest.fromJson(Challenge.requestOf(challenge!));
    const payer = market.person({ lamports: 0n, usdc: 10_000n });
    // The stall lends its market to the builder of transactions; nothing is bought from it.
    const purse = await Purse.prepare(new Stall(market), payer, { deposit }, { challenge: challenge!, request });
    const opened = await handle(get({ authorization: Credential.format(purse.openCredential) }));
    expect(opened.status).to.equal(200);
    expect(await opened.json()).to.include({ channelId: purse.channelId, deposit: String(deposit) });
    return purse;
  }

  const paying = async (purse: Purse, amount: bigint) => Credential.format(await purse.paying(amount));

  it("open a channel, take a voucher a request, and close it, every token accounted for", async () => {
    const { payments, seller, events, errors } = sell();
    const handle = payments.session(100n)(sunny);
    const purse = await customer(handle);
    for (const spent of [100n, 200n, 300n]) {
      const response = await handle(get({ authorization: await paying(purse, spent) }));
      expect([response.status, await response.text()]).to.deep.equal([200, "sunny"]);
      expect(Receipt.asSession(Receipt.parse(response.headers.get("payment-receipt")!)).spent).to.equal(spent);
    }
    const closed = await handle(
      get({ authorization: Credential.format(await purse.closing(await purse.voucher(300n))) }),
    );
    expect(closed.status).to.equal(200);
    expect(await market.tokens(seller.publicKey)).to.equal(300n);
    expect(await market.tokens(purse.payer.publicKey)).to.equal(9_700n);
    expect(events.map(({ type }) => type)).to.include.members(["opened", "closed"]);
    // The watchtower may have looked at the channel while it was being closed.
    expect(errors.filter(({ error }) => !(error instanceof RefusedError))).to.deep.equal([]);
    const late = await handle(get({ authorization: await paying(purse, 400n) }));
    expect([late.status, challengesOf(late).length]).to.deep.equal([410, 1]);
  });

  it("take turns with charges of the same payer, whose fees the same key pays: they share a book", async () => {
    const turns: string[] = [];
    const book = memoryBook();
    const turn: SponsorBook["turn"] = (name, waitMs) => {
      turns.push(name);
      return book.turn(name, waitMs);
    };
    const shared = new Proxy(book, {
      get: (from, key) => (key === "turn" ? turn : (Reflect.get(from, key) as () => unknown).bind(from)),
    });
    const { payments } = sell({ charges: { sponsor: { book: shared } } });
    const purse = await customer(payments.session(100n)(sunny));
    expect(turns).to.deep.equal([purse.payer.publicKey.toBase58()]);
  });

  it("answer a replayed key with what was sent, and debit once", async () => {
    const { payments } = sell();
    let runs = 0;
    const handle = payments.session(100n)(() => new Response(`run ${++runs}`));
    const purse = await customer(handle);
    const headers = { authorization: await paying(purse, 100n), "Idempotency-Key": "k" };
    expect(await (await handle(get(headers))).text()).to.equal("run 1");
    const again = await handle(get(headers));
    expect([again.status, await again.text(), again.headers.get("idempotent-replayed")]).to.deep.equal([
      200,
      "run 1",
      "true",
    ]);
    const other = await handle(new Request("https://api.example.com/other", { headers }));
    expect([other.status, await codeOf(other)]).to.deep.equal([422, "idempotency-mismatch"]);
  });

  it("give back what a failed request was debited, as credit for the next", async () => {
    const { payments } = sell();
    let fail = true;
    const handle = payments.session(100n)(() => {
      if (fail) throw new Error("upstream");
      return sunny();
    });
    const purse = await customer(handle);
    const failed = await handle(get({ authorization: await paying(purse, 100n), "Idempotency-Key": "a" }));
    expect(failed.status).to.equal(500);
    expect(await failed.json()).to.not.have.property("retryable");
    fail = false;
    const response = await handle(get({ authorization: await paying(purse, 101n), "Idempotency-Key": "a" }));
    expect(response.status, await response.text()).to.equal(200);
    expect(Receipt.asSession(Receipt.parse(response.headers.get("payment-receipt")!)).spent).to.equal(100n);
  });

  it("meter a stream, pause it for a voucher that comes by HEAD, and end it with the receipt", async () => {
    const { payments } = sell();
    const guard = payments.session({ price: 100n, unitType: "token" });
    const handle = guard((_, context) =>
      sse(context, async function* () {
        for (let i = 1; i <= 3; i++) yield `token ${i}`;
      }),
    );
    const purse = await customer(handle);
    const response = await handle(get({ authorization: await paying(purse, 100n), "Idempotency-Key": "s" }));
    const reader = response.body!.getReader();
    let text = "";
    const until = async (wanted: string) => {
      while (!text.includes(wanted)) {
        const { done, value } = await reader.read();
        if (done) throw new Error(`no ${wanted} in ${text}`);
        text += Buffer.from(value).toString();
      }
    };
    await until(SseEvents.NEED_VOUCHER);
    expect(text).to.contain("token 1").and.not.contain("token 2");
    const head = await handle(
      new Request(URL_, { method: "HEAD", headers: { authorization: await paying(purse, 300n) } }),
    );
    expect([200, 204]).to.include(head.status);
    await until(SseEvents.RECEIPT);
    expect(text).to.contain("token 3").and.contain('"spent":"300"');
  });

  it("end a stream for which no voucher comes, and settle what was delivered", async () => {
    const { payments } = sell();
    const guard = payments.session({ price: 100n, unitType: "token" });
    const handle = guard((_, context) =>
      sse(context, async function* () {
        for (;;) yield "token";
      }),
    );
    const purse = await customer(handle);
    const response = await handle(get({ authorization: await paying(purse, 200n), "Idempotency-Key": "s" }));
    const text = await response.text();
    expect(text.match(/data: token/g)).to.have.length(2);
    expect(text).to.contain("event: payment-error").and.contain("voucher-timeout").and.contain('"spent":"200"');
  });

  it("set units aside and debit what it came to", async () => {
    const { payments } = sell();
    const guard = payments.session({
      price: 10n,
      unitType: "word",
      reserve: async (request) => Number(request.headers.get("x-words")),
    });
    const handle = guard((_, { payment }) => {
      payment.meter?.settle(30n);
      return sunny();
    });
    const purse = await customer(handle);
    const response = await handle(
      get({ authorization: await paying(purse, 100n), "Idempotency-Key": "w", "X-Words": "10" }),
    );
    expect(response.status).to.equal(200);
    expect(Receipt.asSession(Receipt.parse(response.headers.get("payment-receipt")!)).spent).to.equal(30n);
  });

  it("let a client name its channel, and challenge it to go on with that", async () => {
    const { payments } = sell();
    const handle = payments.session(100n)(sunny);
    const purse = await customer(handle);
    const [resumed] = challengesOf(await handle(get({ "Payment-Channel": purse.channelId })));
    expect(SessionRequest.fromJson(Challenge.requestOf(resumed!)).channelId).to.equal(purse.channelId);
    for (const hint of ["nonsense", "", purse.payer.publicKey.toBase58()]) {
      const [fresh] = challengesOf(await handle(get({ "Payment-Channel": hint })));
      expect(SessionRequest.fromJson(Challenge.requestOf(fresh!)).channelId, hint).to.equal(undefined);
    }
  });

  it("run the watchtower: a channel that idles is closed, and the seller has its money", async () => {
    const { payments, seller, events } = sell();
    const handle = payments.session(100n)(sunny);
    const purse = await customer(handle);
    expect((await handle(get({ authorization: await paying(purse, 100n) }))).status).to.equal(200);
    market.net.advanceSeconds(301);
    // Time stands still here unless it is moved: what the watchtower has left for later comes later.
    for (let i = 0; i < 100 && !events.some(({ type }) => type === "closed"); i++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      market.net.advanceSeconds(30);
    }
    expect(events.map(({ type }) => type)).to.include("closed");
    expect(await market.tokens(seller.publicKey)).to.equal(100n);
    expect(await market.tokens(purse.payer.publicKey)).to.equal(9_900n);
  });

  it("offer sessions beside charges, and take either", async () => {
    const { payments } = sell();
    const handle = payments.offer(payments.charge(150n), payments.session(100n))(sunny);
    expect(challengesOf(await handle(get())).map(({ intent }) => intent)).to.deep.equal(["charge", "session"]);
    const [session] = challengesOf(await handle(get({ "Accept-Payment": "solana/session" })));
    expect(session?.intent).to.equal("session");
  });

  it("refuse a voucher that was changed on its way", async () => {
    const { payments } = sell();
    const handle = payments.session(100n)(sunny);
    const purse = await customer(handle);
    const honest = await purse.voucher(100n);
    const more = { ...honest, voucher: { ...honest.voucher, cumulativeAmount: 900n } };
    expect(SignedVoucher.verify(more)).to.equal(false);
    const response = await handle(get({ authorization: Credential.format(await purse.paying(more)) }));
    expect([response.status, await codeOf(response)]).to.deep.equal([402, "voucher-signature"]);
  });
});
