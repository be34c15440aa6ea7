// The routes of managed sessions: what they take, what they answer, and that nothing that may land is called a failure.
import {
  BearerProof,
  type JsonObject,
  type JsonValue,
  SessionAction,
  SessionRequest,
  SignedVoucher,
} from "@mppsol/core";
import { createFacilitator, type Facilitator } from "@mppsol/facilitator";
import type { Rpc } from "@mppsol/server";
import { RpcError } from "@mppsol/server";
import { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import fc from "fast-check";
import { DEPOSIT, instead, type Office, Plaza, UNIT, Wallet } from "./plaza.ts";

interface Reply {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly body: JsonObject;
}

describe("the routes of managed sessions", () => {
  let plaza: Plaza;
  let facilitator: Facilitator;
  let office: Office;
  /** Replaces how a method of the nodes answers, for a while. */
  const faults: Partial<Rpc> = {};
  const statuses = new Set<number>();
  before(async () => {
    plaza = await Plaza.start();
    facilitator = await createFacilitator(plaza.config, {
      rpc: instead(plaza.rpc, faults),
      now: plaza.market.now,
      background: false,
      tuning: { landing: { budgetMs: 100, pollMs: 2 } },
      onError: (error, during) => plaza.errors.push({ error, during }),
    });
    // For what buyers sign; what they send goes over HTTP.
    office = await plaza.office();
  });
  afterEach(async () => {
    for (const key of Object.keys(faults)) delete faults[key as keyof Rpc];
    await plaza.market.checkBooks();
  });
  after(async () => {
    expect([...statuses], "a facilitator asks nobody for a payment").not.include(402);
    await facilitator.close();
    await plaza.stop();
  });

  async function post(path: string, payload: JsonObject, headers: Record<string, string> = {}): Promise<Reply> {
    const url = `/mpp/session/${path}`;
    const {
      statusCode,
      headers: answered,
      body,
    } = await facilitator.app.inject({ method: "POST", url, payload, headers });
    statuses.add(statusCode);
    return { status: statusCode, headers: answered, body: JSON.parse(body) as JsonObject };
  }

  async function get(channelId: string): Promise<Reply> {
    const { statusCode, headers, body } = await facilitator.app.inject({ url: `/mpp/session/${channelId}` });
    return { status: statusCode, headers, body: JSON.parse(body) as JsonObject };
  }

  /** A buyer that has its terms over HTTP. */
  async function prepared(mode: "client" | "operator" = "client"): Promise<Wallet> {
    const seller = plaza.seller();
    const { status, body } = await post("prepare", {
      seller: seller.publicKey.toBase58(),
      amount: String(UNIT),
      voucherSigner: mode,
    });
    expect(status).equal(200);
    const request = SessionRequest.fromJson(body.request);
    return Wallet.prepare(office, { seller, mode, request: () => request });
  }

  const opening = ({ challenge, action }: Wallet): JsonObject => ({
    challenge: { id: challenge.id, request: plain(SessionRequest.toJson(challenge.request)) },
    payload: plain(SessionAction.toJson(action)),
  });

  async function opened(mode: "client" | "operator" = "client"): Promise<Wallet> {
    const wallet = await prepared(mode);
    const { status, body } = await post("open", opening(wallet));
    expect(status, JSON.stringify(body)).equal(200);
    wallet.closeToken = body.closeToken as string;
    return wallet;
  }

  const voucherBody = async (wallet: Wallet, amount: bigint): Promise<JsonObject> => ({
    channelId: wallet.channelId,
    voucher: plain(SignedVoucher.toJson(await wallet.voucher(amount))),
  });

  const signBody = (wallet: Wallet, amount: bigint): JsonObject => ({
    channelId: wallet.channelId,
    amount: String(amount),
    authentication: plain(BearerProof.toJson(wallet.proof)),
  });

  /** A problem document of this code. */
  function expectProblem({ status, headers, body }: Reply, expected: number, code: string): void {
    expect(body.code, JSON.stringify(body)).equal(code);
    expect(status).equal(expected);
    expect(String(headers["content-type"])).contain("application/problem+json");
    expect(body).include({ status: expected }).and.include.keys("type", "title", "detail", "retryable", "requestId");
  }

  it("sell by vouchers that the buyer signs, from the terms to the refund", async () => {
    const wallet = await prepared();
    const first = await post("open", opening(wallet));
    expect(first.status).equal(200);
    expect(first.body).include({
      success: true,
      channelId: wallet.channelId,
      status: "open",
      seller: wallet.seller.publicKey.toBase58(),
      voucherSigner: "client",
      deposit: String(DEPOSIT),
      accepted: "0",
    });
    expect(first.body.signature).a("string");
    expect(first.body.closeToken).a("string");
    expect((await post("open", opening(wallet))).body).deep.equal(first.body);
    const kept = await post("voucher", await voucherBody(wallet, 3n * UNIT));
    expect(kept.status).equal(200);
    expect(kept.body).include({ success: true, accepted: "300" }).and.not.have.any.keys("voucher", "closeToken");
    const toppedUp = await post("topup", { payload: plain(SessionAction.toJson(await wallet.toppingUp(1_000n))) });
    expect(toppedUp.status).equal(200);
    expect(toppedUp.body).include({ success: true, deposit: "3000" });
    const voucher = await wallet.voucher(5n * UNIT);
    const payload = plain(SessionAction.toJson({ action: "close", channelId: wallet.channelId, voucher }));
    const closed = await post("close", { payload });
    expect(closed.status).equal(200);
    expect(closed.body).include({ success: true, status: "closed", settled: "500", refunded: "2500" });
    expect(closed.body.signature).a("string");
    expect(await plaza.tokens(wallet.seller)).equal(500n);
    const { status, body } = await get(wallet.channelId);
    expect(status).equal(200);
    expect(body).include({ status: "closed", settledOnChain: "500", refunded: "2500" });
    const secrets = JSON.stringify(body);
    expect(secrets).not.contain(wallet.challenge.id);
    expect(body).not.have.any.keys("closeToken", "voucher", "challengeId", "proofSignature");
  });

  it("sell by vouchers that the operator signs under the proof; a nonce comes back as it was", async () => {
    const wallet = await opened("operator");
    const signed = await post("voucher", { ...signBody(wallet, UNIT), serverNonce: "a nonce of the seller's" });
    expect(signed.status).equal(200);
    expect(signed.body).include({ success: true, accepted: "100", serverNonce: "a nonce of the seller's" });
    const voucher = SignedVoucher.fromJson(signed.body.voucher);
    expect(SignedVoucher.verify(voucher)).equal(true);
    expect(voucher).include({ signer: plaza.operator.publicKey.toBase58() });
    expect(voucher.voucher).include({ channelId: wallet.channelId, cumulativeAmount: UNIT });
    const again = await post("voucher", { ...signBody(wallet, UNIT), serverNonce: "another" });
    expect(again.body.voucher, "bound to nothing").deep.equal(signed.body.voucher);
    expect((await post("voucher", signBody(wallet, 2n * UNIT))).body).not.have.property("serverNonce");
    for (const serverNonce of ["", "x".repeat(65), 7]) {
      const reply = await post("voucher", { ...signBody(wallet, 3n * UNIT), serverNonce });
      expectProblem(reply, 400, "invalid_request");
    }
    expectProblem(await post("voucher", signBody(wallet, UNIT)), 422, "voucher_not_monotonic");
    expectProblem(await post("voucher", signBody(wallet, DEPOSIT + 1n)), 422, "deposit_exhausted");
    const closed = await post("close", { channelId: wallet.channelId, closeToken: wallet.closeToken });
    expect(closed.body).include({ status: "closed", settled: "200" });
  });

  it("refuse what they do not know by 404, and a wrong token by 422", async () => {
    const wallet = await prepared();
    expectProblem(await post("voucher", await voucherBody(wallet, UNIT)), 404, "channel_unknown");
    expectProblem(await post("voucher", signBody(wallet, UNIT)), 404, "channel_unknown");
    expectProblem(await get(wallet.channelId), 404, "channel_unknown");
    const { channelId } = await opened();
    expectProblem(await post("close", { channelId, closeToken: "x" }), 422, "close_token_invalid");
    expectProblem(await get("not-an-address"), 400, "invalid_request");
  });

  it("refuse members that they do not know, wherever money is", async () => {
    const wallet = await prepared("operator");
    const open = opening(wallet);
    const { challenge, payload } = open as { challenge: JsonObject; payload: JsonObject };
    const request = challenge.request as JsonObject;
    const methodDetails = request.methodDetails as JsonObject;
    const extra = { surprise: true };
    const voucher = await voucherBody(wallet, UNIT);
    const inner = voucher.voucher as JsonObject;
    const requests: [string, JsonObject][] = [
      ["prepare", { seller: wallet.seller.publicKey.toBase58(), amount: "1", ...extra }],
      ["open", { ...open, ...extra }],
      ["open", { payload, challenge: { ...challenge, ...extra } }],
      ["open", { payload, challenge: { ...challenge, request: { ...request, ...extra } } }],
      [
        "open",
        {
          payload,
          challenge: { ...challenge, request: { ...request, methodDetails: { ...methodDetails, ...extra } } },
        },
      ],
      ["open", { challenge, payload: { ...payload, ...extra } }],
      ["open", { challenge, payload: { ...payload, bump: 255 } }],
      ["voucher", { ...voucher, ...extra }],
      ["voucher", { ...voucher, voucher: { ...inner, ...extra } }],
      ["voucher", { ...voucher, voucher: { ...inner, voucher: { ...(inner.voucher as JsonObject), ...extra } } }],
      ["voucher", { ...voucher, ...signBody(wallet, UNIT) }],
      ["voucher", { ...signBody(wallet, UNIT), ...extra }],
      ["close", { channelId: wallet.channelId, closeToken: "x", ...extra }],
      [
        "topup",
        {
          payload: {
            action: "topUp",
            channelId: wallet.channelId,
            additionalAmount: "1",
            transaction: "AAAA",
            ...extra,
          },
        },
      ],
    ];
    for (const [path, body] of requests) expectProblem(await post(path, body), 400, "invalid_request");
    expect(await wallet.onChain()).equal(undefined);
  });

  it("refuse amounts that are no decimal strings of u64", async () => {
    const seller = plaza.seller().publicKey.toBase58();
    for (const amount of [1, "-1", "01", "1.0", "1e3", "", "18446744073709551616", "99999999999999999999", "0", null]) {
      const { status, body } = await post("prepare", { seller, amount } as JsonObject);
      expect(status, String(amount)).equal(400);
      expect(body.code).equal("invalid_request");
    }
    const wallet = await opened("operator");
    expectProblem(
      await post("voucher", { ...signBody(wallet, 0n), amount: "18446744073709551616" }),
      400,
      "invalid_request",
    );
  });

  it("refuse a seller that cannot be paid, a mint that is not taken, and a forged request", async () => {
    const nobody = Keypair.generate().publicKey.toBase58();
    const amount = String(UNIT);
    expectProblem(await post("prepare", { seller: nobody, amount }), 422, "recipient_account_missing");
    const own = plaza.settlement.publicKey.toBase58();
    expectProblem(await post("prepare", { seller: own, amount }), 422, "seller_not_allowed");
    const seller = plaza.seller().publicKey.toBase58();
    expectProblem(await post("prepare", { seller, amount, currency: nobody }), 422, "asset_unsupported");
    // The network before the mint, which has another address on each.
    const elsewhere = { seller, amount, currency: nobody, network: "devnet" };
    expectProblem(await post("prepare", elsewhere), 422, "invalid_network");
    expect((await post("prepare", { seller, amount, network: "localnet" })).status).equal(200);
    const wallet = await prepared();
    const { challenge, payload } = opening(wallet) as { challenge: JsonObject; payload: JsonObject };
    const request = { ...(challenge.request as JsonObject), recipient: nobody };
    expectProblem(await post("open", { payload, challenge: { ...challenge, request } }), 422, "challenge_mismatch");
  });

  it("refuse text that cannot be stored, and count nothing for it", async () => {
    const wallet = await prepared();
    const { challenge, payload } = opening(wallet) as { challenge: JsonObject; payload: JsonObject };
    const seller = wallet.seller.publicKey.toBase58();
    const inAll = () => office.parts.tables.spent("lamports:global", 24 * 60 * 60_000, plaza.market.now());
    const before = await inAll();
    for (const text of ["a\0", "\ud800", "a\udc00b"]) {
      expectProblem(await post("open", { payload, challenge: { ...challenge, id: text } }), 400, "invalid_request");
      const request = { ...(challenge.request as JsonObject), externalId: text };
      expectProblem(await post("open", { payload, challenge: { ...challenge, request } }), 400, "invalid_request");
      const asked = { seller, amount: String(UNIT), unitType: text };
      expectProblem(await post("prepare", asked), 400, "invalid_request");
    }
    expect(await inAll()).equal(before);
    expect((await post("open", { payload, challenge: { ...challenge, id: "a \u{1f600}" } })).status).equal(200);
  });

  it("say 429 when a buyer has as many sessions as may be", async () => {
    const seller = plaza.seller();
    const buyer = plaza.buyer(100_000n);
    for (let i = 0; i <= plaza.config.maxOpenSessionsPerBuyer; i++) {
      const wallet = await Wallet.prepare(office, { seller, buyer });
      const reply = await post("open", opening(wallet));
      if (i < plaza.config.maxOpenSessionsPerBuyer) expect(reply.status).equal(200);
      else {
        expectProblem(reply, 429, "buyer_session_cap_exceeded");
        expect(reply.body.retryable).equal(true);
      }
    }
  });

  it("answer 202 with the signature while a transaction may land, and the truth when asked again", async () => {
    const wallet = await prepared();
    // Nobody knows whether the nodes have got it.
    faults.send = async () => {
      throw new RpcError("sendTransaction", "no answer");
    };
    const first = await post("open", opening(wallet));
    expect(first.status).equal(202);
    expect(first.headers["retry-after"]).equal("2");
    expect(first.body).include({ success: false, state: "pending", retryAfter: 2 });
    expect(first.body.signature).a("string");
    expect(first.body).not.have.property("closeToken");
    delete faults.send;
    const second = await post("open", opening(wallet));
    expect(second.status).equal(200);
    expect(second.body.signature).equal(first.body.signature);
  });

  it("answer 202 when it has landed and nobody can read what has become of it", async () => {
    const wallet = await prepared();
    let sent = false;
    faults.send = async (wire) => {
      await plaza.rpc.send(wire);
      sent = true;
    };
    faults.account = async (...asked) => {
      if (sent) throw new RpcError("getAccountInfo", "no answer");
      return plaza.rpc.account(...asked);
    };
    const first = await post("open", opening(wallet));
    expect(sent).equal(true);
    expect(first.status, JSON.stringify(first.body)).equal(202);
    // The bytes are known by now, and there is still no answer.
    expect((await post("open", opening(wallet))).status).equal(202);
    sent = false;
    expect((await post("open", opening(wallet))).body).include({ success: true, signature: first.body.signature });
    // So with a top-up.
    sent = false;
    const toppingUp = { payload: plain(SessionAction.toJson(await wallet.toppingUp(1_000n))) };
    const topUp = await post("topup", toppingUp);
    expect(topUp.status).equal(202);
    expect(topUp.body.signature).a("string");
    sent = false;
    expect((await post("topup", toppingUp)).body).include({ success: true, deposit: String(DEPOSIT + 1_000n) });
  });

  it("answer 202 to a close that cannot be brought to its end now, and go on with it", async () => {
    const wallet = await opened();
    await post("voucher", await voucherBody(wallet, UNIT));
    const closing = { channelId: wallet.channelId, closeToken: wallet.closeToken };
    faults.send = async () => {
      throw new RpcError("sendTransaction", "no answer");
    };
    const first = await post("close", closing);
    expect(first.status).equal(202);
    expect(first.body).include({ success: false, state: "pending" });
    expectProblem(await post("voucher", await voucherBody(wallet, 2n * UNIT)), 410, "channel_closing");
    delete faults.send;
    faults.accounts = async () => {
      throw new RpcError("getMultipleAccounts", "no answer");
    };
    expect((await post("close", closing)).status).equal(202);
    delete faults.accounts;
    const last = await post("close", closing);
    expect(last.status).equal(200);
    expect(last.body).include({ status: "closed", settled: String(UNIT), refunded: String(DEPOSIT - UNIT) });
  });

  it("refuse, for now, while no node answers and nothing was signed", async () => {
    const wallet = await prepared();
    faults.simulate = async () => {
      throw new RpcError("simulateTransaction", "no answer");
    };
    const reply = await post("open", opening(wallet));
    expectProblem(reply, 503, "upstream_unavailable");
    expect(reply.body.retryable).equal(true);
    expect(await wallet.onChain()).equal(undefined);
    delete faults.simulate;
    expect((await post("open", opening(wallet))).status).equal(200);
  });

  it("answer whatever they are sent, and nothing moves by accident", async () => {
    const wallet = await opened("operator");
    const own = await opened();
    const fresh = await prepared();
    const valid: readonly (readonly [string, JsonObject])[] = [
      ["prepare", { seller: wallet.seller.publicKey.toBase58(), amount: "1", unitType: "x", suggestedDeposit: "5" }],
      ["open", opening(fresh)],
      ["voucher", signBody(wallet, UNIT)],
      ["voucher", await voucherBody(own, UNIT)],
      ["topup", { payload: plain(SessionAction.toJson(await own.toppingUp(1_000n))) }],
      ["close", { channelId: wallet.channelId, closeToken: wallet.closeToken }],
      [
        "close",
        {
          payload: plain(
            SessionAction.toJson({ action: "close", channelId: own.channelId, voucher: await own.voucher(UNIT) }),
          ),
        },
      ],
    ];
    const before = await plaza.tokens(wallet.buyer);
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...valid),
        fc.nat(),
        fc.oneof(fc.jsonValue(), fc.constantFrom("", "0", "-1", "18446744073709551616", "1".repeat(44), null, {}, [])),
        async ([path, body], at, value) => {
          const places = leaves(body);
          const place = places[at % places.length]!;
          const changed = replaced(body, place, value as JsonValue);
          // What is the same, or signs nothing of what it changes, may be taken.
          if (JSON.stringify(changed) === JSON.stringify(body)) return;
          const { status, headers, body: answer } = await post(path, changed);
          const context = JSON.stringify({ path, place, value, answer });
          expect(status, context).not.oneOf([402, 500]);
          if (status >= 400) expect(String(headers["content-type"]), context).contain("application/problem+json");
        },
      ),
      { numRuns: 200 },
    );
    expect(await fresh.onChain(), "no open was changed into another").satisfy(
      (channel: { deposit: bigint } | undefined) => channel === undefined || channel.deposit === DEPOSIT,
    );
    expect(await plaza.tokens(wallet.buyer)).equal(before);
    expect((await get(own.channelId)).body).include({ status: "open" });
  });

  it("honour Idempotency-Key", async () => {
    const wallet = await prepared();
    const headers = { "idempotency-key": `open ${wallet.channelId}` };
    const first = await post("open", opening(wallet), headers);
    const again = await post("open", opening(wallet), headers);
    expect(again.headers["idempotent-replayed"]).equal("true");
    expect(again.body).deep.equal(first.body);
    const other = await prepared();
    expectProblem(await post("open", opening(other), headers), 422, "idempotency_key_reused");
  });
});

type Place = readonly (string | number)[];

/** Where values stand in a body, members and items of whatever depth. */
function leaves(value: JsonValue, at: Place = []): Place[] {
  if (typeof value !== "object" || value === null) return [at];
  const inner = Object.entries(value).flatMap(([key, member]) => leaves(member as JsonValue, [...at, key]));
  return at.length === 0 ? inner : [at, ...inner];
}

/** The body with another value in one place. */
function replaced(body: JsonObject, place: Place, value: JsonValue): JsonObject {
  const copy = structuredClone(body) as Record<string, JsonValue>;
  let node = copy;
  for (const key of place.slice(0, -1)) node = node[key] as Record<string, JsonValue>;
  node[place.at(-1) as string] = value;
  return copy;
}

function plain(value: object): JsonObject {
  return JSON.parse(JSON.stringify(value)) as JsonObject;
}
