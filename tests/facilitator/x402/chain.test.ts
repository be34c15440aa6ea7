// x402 at a whole facilitator on an embedded chain: real settlement, one ledger for both protocols, money conserved.
import { createHash } from "node:crypto";
import { X402 } from "@mppsol/core";
import { USDC_MINT } from "@mppsol/localnet";
import { getAssociatedTokenAddressSync, TOKEN_PROGRAM_ID } from "@solana/spl-token";
import { type Keypair, PublicKey, VersionedTransaction } from "@solana/web3.js";
import { expect } from "chai";
import { PRICE, payer, type Shape, seller, transaction } from "../../support/exact.ts";
import { type Running, startFacilitator } from "../support.ts";
import { requirements, version1, version2 } from "./desk.ts";

const FUNDS = 1_000_000n;

describe("x402 at a facilitator on a chain", () => {
  let running: Running;
  let network: string;
  let held: { readonly payer: bigint; readonly seller: bigint; readonly lamports: bigint };

  before(async () => {
    running = await startFacilitator();
    running.net.mintUsdc(payer.publicKey.toBase58(), FUNDS);
    running.net.mintUsdc(seller.publicKey.toBase58(), 1n);
    network = X402.chainId(await running.connection.getGenesisHash());
  });
  after(() => running.close());
  beforeEach(async () => {
    held = await holdings();
  });

  async function holdings() {
    return { payer: await usdc(payer), seller: await usdc(seller), lamports: await sponsored() };
  }

  async function usdc(owner: Keypair): Promise<bigint> {
    const address = getAssociatedTokenAddressSync(new PublicKey(USDC_MINT), owner.publicKey);
    return (await running.connection.getAccountInfo(address))!.data.readBigUInt64LE(64);
  }

  /** Lamports of all fee payers. */
  async function sponsored(): Promise<bigint> {
    const balances = running.keys.feePayers.map(({ publicKey }) => running.connection.getBalance(publicKey));
    return BigInt((await Promise.all(balances)).reduce((sum, balance) => sum + balance, 0));
  }

  /** So many payments were made, each at the cost of two signatures and one lamport of priority. */
  async function paid(times: bigint): Promise<void> {
    const now = await holdings();
    expect(held.payer - now.payer, "paid").to.equal(times * PRICE);
    expect(now.seller - held.seller, "received").to.equal(times * PRICE);
    expect(held.lamports - now.lamports, "sponsored").to.equal(times * 10_001n);
  }

  const feePayer = () => running.keys.feePayers[0].publicKey;

  async function fresh(shape: Shape = {}): Promise<string> {
    const { blockhash } = await running.connection.getLatestBlockhash();
    return transaction({ feePayer: feePayer(), blockhash, ...shape });
  }

  const wanted = (more = {}) => requirements({ network, extra: { feePayer: feePayer().toBase58() }, ...more });

  async function ask(route: string, payload: object, headers: Record<string, string> = {}) {
    const response = await running.app.inject({ method: "POST", url: route, payload, headers });
    return { status: response.statusCode, headers: response.headers, body: response.json() };
  }

  it("verifies without moving anything, and settles", async () => {
    const body = version2(await fresh(), wanted());
    expect((await ask("/verify", body)).body).to.deep.equal({ isValid: true, payer: payer.publicKey.toBase58() });
    await paid(0n);
    const { body: settled } = await ask("/settle", body);
    expect(settled).to.include({ success: true, network, amount: "10000" });
    const status = await running.connection.getSignatureStatus(settled.transaction);
    expect(status.value?.err).to.equal(null);
    await paid(1n);
  });

  it("settles a transaction once, of many requests in both versions at once, and tells one", async () => {
    const tx = await fresh();
    const extra = { feePayer: feePayer().toBase58() };
    const bodies = [version2(tx, wanted()), version1(tx, { extra })];
    const answers = await Promise.all([0, 1, 0, 1, 0, 1].map((which) => ask("/settle", bodies[which]!)));
    expect(answers.filter(({ body }) => body.success)).to.have.length(1);
    const reasons = answers.filter(({ body }) => !body.success).map(({ body }) => body.errorReason);
    expect(reasons).to.deep.equal(Array(5).fill("duplicate_settlement"));
    expect((await ask("/verify", bodies[0]!)).body.invalidReason).to.equal("duplicate_settlement");
    await paid(1n);
  });

  it("keeps one ledger with MPP: what one protocol has settled buys nothing by the other", async () => {
    const request = {
      amount: String(PRICE),
      currency: USDC_MINT,
      recipient: seller.publicKey.toBase58(),
      methodDetails: {
        network: "localnet",
        decimals: 6,
        tokenProgram: TOKEN_PROGRAM_ID.toBase58(),
        feePayer: true,
        feePayerKey: feePayer().toBase58(),
      },
    };
    const [first, second] = [await fresh(), await fresh()];
    const mpp = (tx: string) => ask("/mpp/settle", { challengeId: "challenge", request, transaction: tx });
    expect((await mpp(first)).body).to.include({ success: true });
    expect((await ask("/verify", version2(first, wanted()))).body).to.include({
      isValid: false,
      invalidReason: "duplicate_settlement",
    });
    expect((await ask("/settle", version2(first, wanted()))).body).to.include({
      success: false,
      errorReason: "duplicate_settlement",
    });
    expect((await ask("/settle", version2(second, wanted()))).body).to.include({ success: true });
    expect((await mpp(second)).body).to.include({ code: "transaction_used" });
    await paid(2n);
  });

  it("answers again under the same Idempotency-Key, and never under the body of another payment", async () => {
    const [body, other] = [version2(await fresh(), wanted()), version2(await fresh(), wanted())];
    const key = { "idempotency-key": "the seller's own" };
    const first = await ask("/settle", body, key);
    const again = await ask("/settle", body, key);
    expect(again.body).to.deep.equal(first.body);
    expect(again.headers["idempotent-replayed"]).to.equal("true");
    expect(await ask("/settle", other, key)).to.deep.include({ status: 422 });
    await paid(1n);
  });

  it("shows the payment under its id", async () => {
    const tx = await fresh();
    const { body } = await ask("/settle", version2(tx, wanted()));
    const { message } = VersionedTransaction.deserialize(Buffer.from(tx, "base64"));
    const id = `pay_${createHash("sha256").update(message.serialize()).digest("hex")}`;
    const response = await running.app.inject({ url: `/mpp/payments/${id}` });
    expect(response.json()).to.include({ signature: body.transaction, amount: "10000" });
  });

  describe("signs nothing", () => {
    const memo = "x";
    const cases: readonly [string, Shape, string][] = [
      ["that pays less", { amount: PRICE - 1n }, "settlement_amount_mismatch"],
      ["that pays more", { amount: PRICE + 1n }, "settlement_amount_mismatch"],
      ["whose blockhash is none", { blockhash: USDC_MINT }, "transaction_expired"],
      [
        "of a payer who has too little",
        { amount: 2n * FUNDS },
        // Asked for and paid alike: what fails is the trial.
        "simulation_failed",
      ],
      [
        "with a memo that the fee payer signs",
        {
          instructions: ({ limit, price, transfer, memo: memoOf }) => {
            const signed = memoOf(memo);
            signed.keys.push({ pubkey: feePayer(), isSigner: true, isWritable: false });
            return [limit, price, transfer, signed];
          },
        },
        "memo_invalid",
      ],
    ];
    for (const [what, shape, code] of cases) {
      it(what, async () => {
        const asked = code === "simulation_failed" ? { amount: String(shape.amount) } : {};
        const body = version2(await fresh(shape), wanted(asked));
        const verified = await ask("/verify", body);
        expect(verified).to.deep.include({ status: 200 });
        expect(verified.body).to.include({ isValid: false, invalidReason: code });
        const settled = await ask("/settle", body);
        expect(settled.body).to.include({ success: false, errorReason: code, transaction: "" });
        await paid(0n);
      });
    }
  });
});
