// x402's routes: their shapes, what they take and refuse, and that one transaction buys one thing.
import { Refusal, RefusedError } from "@mppsol/core";
import { USDC_MINT } from "@mppsol/localnet";
import { expect } from "chai";
import { FacilitatorError } from "../../../services/facilitator/src/errors/FacilitatorError.ts";
import { TELL_MS } from "../../../services/facilitator/src/x402/Once.ts";
import { PRICE, payer, type Shape, seller, sponsor, stranger, transaction } from "../../support/exact.ts";
import { CHAIN, type Desk, openDesk, requirements, SIGNATURE, version1, version2 } from "./desk.ts";

describe("x402 at the facilitator", () => {
  let desk: Desk;
  beforeEach(async () => {
    desk = await openDesk();
  });
  afterEach(() => desk.app.close());

  async function ask(route: "/verify" | "/settle", body: object, headers: Record<string, string> = {}) {
    const response = await desk.app.inject({ method: "POST", url: route, payload: body, headers });
    return { status: response.statusCode, headers: response.headers, body: response.json() };
  }
  const verify = (body: object) => ask("/verify", body);
  const settle = (body: object, headers?: Record<string, string>) => ask("/settle", body, headers);

  const duplicate = { success: false, errorReason: "duplicate_settlement", transaction: SIGNATURE };

  it("says what it settles, in both versions, and who pays the fees", async () => {
    const response = await desk.app.inject({ url: "/supported" });
    const extra = { feePayer: sponsor.publicKey.toBase58() };
    expect(response.json()).to.deep.equal({
      kinds: [
        { x402Version: 2, scheme: "exact", network: CHAIN, extra },
        { x402Version: 1, scheme: "exact", network: "solana-localnet", extra },
      ],
      extensions: [],
      signers: { "solana:*": [sponsor, stranger].map((key) => key.publicKey.toBase58()) },
    });
  });

  describe("takes", () => {
    for (const [version, request] of [
      [1, version1],
      [2, version2],
    ] as const) {
      it(`version ${version}, and asks the engine for what the seller asks for`, async () => {
        const body = request(transaction());
        expect(await verify(body)).to.deep.include({
          status: 200,
          body: { isValid: true, payer: payer.publicKey.toBase58() },
        });
        const { status, body: answer } = await settle(body);
        expect(status).to.equal(200);
        expect(answer).to.deep.equal({
          success: true,
          payer: payer.publicKey.toBase58(),
          transaction: SIGNATURE,
          network: version === 2 ? CHAIN : "solana-localnet",
          amount: "10000",
        });
        const [order] = desk.engine.orders;
        expect(order?.protocol).to.equal("x402");
        expect(order?.request).to.deep.include({
          amount: PRICE,
          currency: USDC_MINT,
          recipient: seller.publicKey.toBase58(),
          network: "localnet",
          decimals: 6,
          feePayer: true,
          feePayerKey: sponsor.publicKey.toBase58(),
          splits: [],
        });
        expect(desk.engine.verified[0]).to.deep.equal(order);
      });
    }

    it("any of its fee payers", async () => {
      const wanted = requirements({ extra: { feePayer: stranger.publicKey.toBase58() } });
      const { body } = await settle(version2(transaction({ feePayer: stranger.publicKey }), wanted));
      expect(body).to.include({ success: true });
    });

    it("a wallet's assertions beside the memo", async () => {
      const tx = transaction({
        instructions: ({ limit, price, transfer, lighthouse, memo }) => [
          ...[limit, price, transfer],
          ...[lighthouse, lighthouse, lighthouse, memo("x")],
        ],
      });
      expect((await verify(version2(tx))).body.isValid).to.equal(true);
    });

    it("hints in extra, on either side, that change nothing", async () => {
      const { extra } = requirements() as { extra: object };
      const hints = { ...extra, recentBlockhash: seller.publicKey.toBase58(), lastValidBlockHeight: "7", note: {} };
      const { body } = await settle(version2(transaction(), requirements(), requirements({ extra: hints })));
      expect(body.success).to.equal(true);
    });
  });

  describe("refuses, with status 200 and without asking the engine,", () => {
    async function refused(body: object, code: string): Promise<void> {
      const verified = await verify(body);
      expect(verified.status).to.equal(200);
      expect(verified.body).to.include({ isValid: false, invalidReason: code });
      const settled = await settle(body);
      expect(settled.status).to.equal(200);
      expect(settled.body).to.include({ success: false, errorReason: code, transaction: "" });
      expect([...desk.engine.orders, ...desk.engine.verified]).to.deep.equal([]);
    }
    const feePayer = sponsor.publicKey.toBase58();

    it("another scheme", () =>
      refused(version2(transaction(), requirements({ scheme: "upto" })), "unsupported_scheme"));
    it("another network", () =>
      refused(version2(transaction(), requirements({ network: "eip155:8453" })), "invalid_network"));
    it("a network by its name in version 2, and by its id in version 1", async () => {
      await refused(version2(transaction(), requirements({ network: "solana-localnet" })), "invalid_network");
      await refused(version1(transaction(), { network: CHAIN }), "invalid_network");
    });
    it("a payment of another network than the requirements'", () =>
      refused(version2(transaction(), requirements(), requirements({ network: "solana:x" })), "invalid_network"));
    it("a payment of another scheme than the requirements'", async () => {
      const body = version1(transaction()) as { paymentPayload: object };
      await refused({ ...body, paymentPayload: { ...body.paymentPayload, scheme: "upto" } }, "unsupported_scheme");
    });
    for (const [what, other] of [
      ["amount", { amount: "9999" }],
      ["recipient", { payTo: stranger.publicKey.toBase58() }],
      ["asset", { asset: stranger.publicKey.toBase58() }],
      ["fee payer", { extra: { feePayer: stranger.publicKey.toBase58() } }],
      ["memo", { extra: { feePayer, memo: "mine" } }],
      ["time", { maxTimeoutSeconds: 61 }],
    ] as const) {
      it(`another ${what} than the payer has accepted`, () =>
        refused(version2(transaction(), requirements(), requirements(other)), "invalid_payment_requirements"));
    }
    it("no fee payer", () =>
      refused(version2(transaction(), requirements({ extra: {} })), "policy:fee_payer_mismatch"));
    it("a fee payer that is not its own", () =>
      refused(
        version2(transaction(), requirements({ extra: { feePayer: seller.publicKey.toBase58() } })),
        "policy:fee_payer_mismatch",
      ));
    it("an asset that is not on its list", () =>
      refused(version2(transaction(), requirements({ asset: stranger.publicKey.toBase58() })), "asset_unsupported"));
    it("what is no transaction", () => refused(version2(btoa("no transaction")), "invalid_transaction_encoding"));

    const layouts: readonly [string, NonNullable<Shape["instructions"]>, string?][] = [
      ["no compute limit", ({ price, transfer }) => [price, transfer]],
      ["no compute price", ({ limit, transfer }) => [limit, transfer]],
      ["limit and price the other way round", ({ limit, price, transfer }) => [price, limit, transfer]],
      ["something before the transfer", ({ limit, price, transfer, memo }) => [limit, price, memo("x"), transfer]],
      ["a second transfer", ({ limit, price, transfer }) => [limit, price, transfer, transfer]],
      ["an account creation", ({ limit, price, transfer, creation }) => [limit, price, transfer, creation]],
      ["lamports on the way", ({ limit, price, transfer, lamports }) => [limit, price, transfer, lamports]],
      [
        "five instructions after the transfer",
        ({ limit, price, transfer, memo }) => [limit, price, transfer, ...["a", "b", "c", "d", "e"].map(memo)],
      ],
      ["no transfer", ({ limit, price, memo }) => [limit, price, memo("x")], "no_transfer_instruction"],
    ];
    for (const [what, instructions, code = "policy:program_not_allowed"] of layouts) {
      it(what, () => refused(version2(transaction({ instructions })), code));
    }

    const memo = "order 7 é";
    const named = requirements({ extra: { feePayer, memo } });
    it("no memo where one is asked for", () => refused(version2(transaction({ memos: [] }), named), "memo_missing"));
    it("another memo", () => refused(version2(transaction({ memo: "order 8 é" }), named), "memo_missing"));
    it("the memo and one more", () => refused(version2(transaction({ memos: [memo, "x"] }), named), "memo_missing"));
    it("but not the memo that is asked for", async () => {
      expect((await settle(version2(transaction({ memo }), named))).body.success).to.equal(true);
    });
  });

  describe("answers what it cannot read as every route does:", () => {
    const body = version2(transaction()) as Record<string, Record<string, unknown>>;
    for (const [what, wrong] of [
      ["no body", {}],
      ["another version", { ...body, x402Version: 3 }],
      ["versions that differ", { ...body, x402Version: 1 }],
      ["an unknown member of the requirements", { ...body, paymentRequirements: requirements({ discount: "1" }) }],
      ["an unknown member of what was accepted", version2(transaction(), requirements(), requirements({ tip: "1" }))],
      ["an unknown member of the proof", { ...body, paymentPayload: { ...body.paymentPayload, payload: { a: "b" } } }],
      ["an amount with a sign", version2(transaction(), requirements({ amount: "-1" }))],
      ["an amount of nothing", version2(transaction(), requirements({ amount: "0" }))],
      ["an amount over u64", version2(transaction(), requirements({ amount: "18446744073709551616" }))],
      ["an amount as a number", version2(transaction(), requirements({ amount: 10_000 }))],
      ["a recipient that is no address", version2(transaction(), requirements({ payTo: "0".repeat(40) }))],
      ["a transaction that is no base64", version2("!".repeat(40))],
      ["a memo over 256 bytes", version2(transaction(), requirements({ extra: { memo: "x".repeat(257) } }))],
    ] as const) {
      it(what, async () => {
        for (const answer of [await verify(wrong), await settle(wrong)]) {
          expect(answer.status).to.equal(400);
          expect(answer.headers["content-type"]).to.match(/^application\/problem\+json/);
          expect(answer.body).to.include({ code: "invalid_request", retryable: false });
        }
        expect(desk.engine.orders).to.deep.equal([]);
      });
    }
  });

  describe("says what the engine says", () => {
    it("of a payment that it refuses for good: 200, as x402's clients expect", async () => {
      desk.engine.outcome = new RefusedError("amount-mismatch");
      const body = version2(transaction());
      expect(await verify(body)).to.deep.include({
        status: 200,
        body: {
          isValid: false,
          invalidReason: "settlement_amount_mismatch",
          invalidMessage: Refusal.row("amount-mismatch").detail,
        },
      });
      expect(await settle(body)).to.deep.include({
        status: 200,
        body: {
          success: false,
          errorReason: "settlement_amount_mismatch",
          errorMessage: Refusal.row("amount-mismatch").detail,
          transaction: "",
          network: CHAIN,
        },
      });
    });

    it("of a seller who has no account yet: 200, and when to ask again", async () => {
      desk.engine.outcome = new RefusedError("recipient-account-missing");
      const answer = await settle(version2(transaction()));
      expect(answer.status).to.equal(200);
      expect(answer.headers).to.have.property("retry-after");
      expect(answer.body).to.include({ success: false, errorReason: "recipient_account_missing" });
    });

    for (const [error, status, code] of [
      [
        new FacilitatorError("global_settle_cap_exceeded", undefined, { retryAfterSeconds: 9 }),
        429,
        "global_settle_cap_exceeded",
      ],
      [new RefusedError("unavailable"), 503, "upstream_unavailable"],
      [new Error("a bug"), 500, "internal_error"],
    ] as const) {
      it(`of what may be tried again: ${status}, in x402's shape`, async () => {
        desk.engine.outcome = error;
        const [verified, settled] = [await verify(version2(transaction())), await settle(version2(transaction()))];
        expect([verified.status, settled.status]).to.deep.equal([status, status]);
        expect(verified.body).to.include({ isValid: false, invalidReason: code });
        expect(settled.body).to.include({ success: false, errorReason: code, transaction: "", network: CHAIN });
        if (status !== 500) expect(settled.headers).to.have.property("retry-after");
        expect(JSON.stringify(settled.body)).not.to.include("a bug");
        expect(desk.errors.length, "told of faults only").to.equal(status >= 500 ? 2 : 0);
      });
    }
  });

  describe("while a payment is on its way", () => {
    for (const state of ["signed", "sent", "unknown"] as const) {
      it(`(${state}) answers settlement_pending with the signature, which is no refusal`, async () => {
        desk.engine.outcome = state;
        const body = version2(transaction());
        const answer = await settle(body);
        expect(answer.status).to.equal(202);
        expect(answer.headers["retry-after"]).to.equal("2");
        expect(answer.body).to.include({ success: false, errorReason: "settlement_pending", transaction: SIGNATURE });
        expect((await verify(body)).body).to.deep.equal({ isValid: true, payer: payer.publicKey.toBase58() });
        expect(desk.engine.verified, "no trial of what was sent").to.deep.equal([]);
        desk.engine.outcome = "confirmed";
        expect((await settle(body)).body).to.include({ success: true, transaction: SIGNATURE });
        expect((await settle(body)).body).to.include(duplicate);
      });
    }

    it("and then fails, says so", async () => {
      desk.engine.outcome = "unknown";
      const body = version2(transaction());
      await settle(body);
      desk.engine.outcome = new RefusedError("transaction-expired");
      expect(await settle(body)).to.deep.include({ status: 200 });
      expect((await settle(body)).body).to.include({ success: false, errorReason: "transaction_expired" });
    });

    it("and something breaks, it is still pending, and asked by another seller it is not", async () => {
      desk.engine.outcome = "unknown";
      const tx = transaction();
      await settle(version2(tx));
      for (const error of [new Error("a bug"), new RefusedError("unavailable")]) {
        desk.engine.outcome = error;
        const answer = await settle(version2(tx));
        expect(answer.status).to.equal(202);
        expect(answer.body).to.include({ errorReason: "settlement_pending", transaction: SIGNATURE });
        const elsewhere = await settle(version2(tx, requirements({ amount: "7" })));
        expect(elsewhere.body.errorReason).to.equal("duplicate_settlement");
      }
    });

    it("and the store fails after the money has arrived, it is pending and not failed", async () => {
      const body = version2(transaction());
      const { finish } = desk.store.deliveries;
      desk.store.deliveries.finish = () => Promise.reject(new Error("the disk is full"));
      expect(await settle(body)).to.deep.include({ status: 202 });
      desk.store.deliveries.finish = finish;
      expect(desk.errors).to.have.length(1);
    });
  });

  describe("success is said once:", () => {
    it("of many who ask at once, one is told", async () => {
      const body = version2(transaction());
      const answers = await Promise.all(Array.from({ length: 20 }, () => settle(body)));
      expect(answers.filter(({ body }) => body.success === true)).to.have.length(1);
      expect(answers.filter(({ body }) => body.errorReason === "duplicate_settlement")).to.have.length(19);
    });

    it("nor are two told by two processes", async () => {
      const [body, other] = [version2(transaction()), await openDesk(desk)];
      const asked = [desk, other, desk, other, desk, other].map(({ app }) =>
        app.inject({ method: "POST", url: "/settle", payload: body }),
      );
      const answers = (await Promise.all(asked)).map((response) => response.json());
      expect(answers.filter(({ success }) => success)).to.have.length(1);
      await other.app.close();
    });

    it("whoever asks later is not, in either version, nor is the transaction valid any more", async () => {
      const tx = transaction();
      expect((await settle(version1(tx))).body.success).to.equal(true);
      for (const body of [version1(tx), version2(tx)]) {
        expect((await settle(body)).body).to.include(duplicate);
        expect((await verify(body)).body).to.include({ isValid: false, invalidReason: "duplicate_settlement" });
      }
    });

    for (const [what, other] of [
      ["amount", { amount: "20000" }],
      ["recipient", { payTo: stranger.publicKey.toBase58() }],
      ["fee payer", { extra: { feePayer: stranger.publicKey.toBase58() } }],
    ] as const) {
      it(`a seller that asks for another ${what} is never told of it`, async () => {
        const tx = transaction();
        desk.engine.outcome = "unknown";
        await settle(version2(tx));
        desk.engine.outcome = "confirmed";
        const elsewhere = version2(tx, requirements(other));
        expect((await verify(elsewhere)).body).to.include({ isValid: false });
        expect((await settle(elsewhere)).body).to.include({ success: false, errorReason: "duplicate_settlement" });
        expect((await settle(version2(tx))).body).to.include({ success: true });
      });
    }

    it("a bit of the fee payer's empty signature makes no other payment of it", async () => {
      const tx = transaction();
      const bytes = Buffer.from(tx, "base64");
      bytes[1] = 7;
      expect((await settle(version2(tx))).body.success).to.equal(true);
      expect((await settle(version2(bytes.toString("base64")))).body).to.include(duplicate);
    });

    it("to the caller with the same Idempotency-Key again, and to no other", async () => {
      const body = version2(transaction());
      const mine = { "idempotency-key": "mine" };
      const first = await settle(body, mine);
      expect((await settle(body, mine)).body).to.deep.equal(first.body);
      expect((await settle(body, { "idempotency-key": "other" })).body).to.include(duplicate);
      expect((await settle(body)).body).to.include(duplicate);
    });

    for (const [who, mine, theirs] of [
      ["without the key", { "idempotency-key": "mine" }, {}],
      ["with a key of its own", { "idempotency-key": "mine" }, { "idempotency-key": "theirs" }],
      ["with a key, where the seller has none", {}, { "idempotency-key": "theirs" }],
    ] as const) {
      it(`not to a stranger ${who} who has the bytes from the chain, though it asks first once they have landed`, async () => {
        const body = version2(transaction());
        desk.engine.outcome = "sent";
        expect((await settle(body, mine)).status).to.equal(202);
        expect((await settle(body, theirs)).status).to.equal(202);
        desk.engine.outcome = "confirmed";
        expect((await settle(body, theirs)).body).to.include(duplicate);
        expect((await settle(body, mine)).body).to.include({ success: true });
        expect((await settle(body, theirs)).body).to.include(duplicate);
      });
    }

    it("not to a stranger without a key who asks from elsewhere, or with another body", async () => {
      const [body, tx] = [version2(transaction()), transaction()];
      const from = async (remoteAddress: string, payload: object) =>
        (await desk.app.inject({ method: "POST", url: "/settle", payload, remoteAddress })).json();
      desk.engine.outcome = "sent";
      for (const payload of [body, version2(tx)]) await from("192.0.2.1", payload);
      desk.engine.outcome = "confirmed";
      expect(await from("192.0.2.2", body)).to.include(duplicate);
      expect(await from("192.0.2.1", body)).to.include({ success: true });
      expect(await from("192.0.2.1", version1(tx))).to.include(duplicate);
      expect(await from("192.0.2.1", version2(tx))).to.include({ success: true });
    });

    it("not to a stranger who asks once it has expired, should it land all the same", async () => {
      const body = version2(transaction());
      desk.engine.outcome = "expired";
      await settle(body, { "idempotency-key": "mine" });
      desk.engine.outcome = "confirmed";
      expect((await settle(body, { "idempotency-key": "theirs" })).body).to.include(duplicate);
      expect((await settle(body, { "idempotency-key": "mine" })).body).to.include({ success: true });
    });

    it("to whoever of several that asked in time comes first", async () => {
      const body = version2(transaction());
      desk.engine.outcome = "received";
      await settle(body, { "idempotency-key": "one" });
      await settle(body, { "idempotency-key": "other" });
      desk.engine.outcome = "confirmed";
      expect((await settle(body, { "idempotency-key": "other" })).body).to.include({ success: true });
      expect((await settle(body, { "idempotency-key": "one" })).body).to.include(duplicate);
    });

    it("and nothing is asked of the engine while it cannot be noted who asks", async () => {
      desk.store.deliveries.begin = () => Promise.reject(new Error("the disk is full"));
      expect((await settle(version2(transaction()))).status).to.equal(500);
      expect(desk.engine.orders).to.deep.equal([]);
    });

    it("and what is refused for good leaves nothing behind", async () => {
      desk.engine.outcome = new RefusedError("amount-mismatch");
      await settle(version2(transaction()));
      desk.engine.now += 2 * TELL_MS;
      expect(await desk.store.deliveries.sweep(desk.engine.now, desk.engine.now)).to.include({ deleted: 0 });
    });

    it("after so long that nobody knows any more whether it was said, not at all", async () => {
      const body = version2(transaction());
      desk.engine.outcome = "unknown";
      await settle(body);
      desk.engine.outcome = "confirmed";
      desk.engine.now += TELL_MS + 1;
      expect((await settle(body)).body).to.include(duplicate);
    });

    it("by whoever comes after a process that died before it could say so", async () => {
      const body = version2(transaction());
      const { finish } = desk.store.deliveries;
      await new Promise<void>((dies) => {
        desk.store.deliveries.finish = () => new Promise(() => dies());
        void settle(body);
      });
      desk.store.deliveries.finish = finish;
      expect((await settle(body)).body).to.include(duplicate);
      desk.engine.now += 10_001;
      expect((await settle(body)).body).to.include({ success: true });
    });
  });
});
