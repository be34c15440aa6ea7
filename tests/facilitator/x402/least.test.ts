// What a facilitator settles for nobody by x402 either: payments too small to be worth their fee, and those of strangers.
import { X402 } from "@mppsol/core";
import { USDC_MINT } from "@mppsol/localnet";
import { createTransferCheckedInstruction, getAssociatedTokenAddressSync } from "@solana/spl-token";
import { Keypair, PublicKey } from "@solana/web3.js";
import { expect } from "chai";
import { PRICE, payer, seller, transaction, type Usual } from "../../support/exact.ts";
import { type Running, startFacilitator } from "../support.ts";
import { requirements, version1, version2 } from "./desk.ts";

const MINT = new PublicKey(USDC_MINT);
let nonce = 0;

for (const [name, code, config, refused] of [
  ["below the least amount", "amount_too_small", { minCharge: PRICE }, { amount: PRICE - 1n }],
  [
    "for a seller who is not on the list",
    "seller_not_allowed",
    { sellers: [seller.publicKey.toBase58()] },
    { recipient: Keypair.generate() },
  ],
] as const) {
  describe(`x402 at a facilitator, a payment ${name}`, () => {
    let running: Running;
    let network: string;
    before(async () => {
      running = await startFacilitator({ config });
      network = X402.chainId(await running.connection.getGenesisHash());
      running.net.mintUsdc(payer.publicKey.toBase58(), 10n * PRICE);
      running.net.mintUsdc(seller.publicKey.toBase58(), 1n);
      if ("recipient" in refused) running.net.mintUsdc(refused.recipient.publicKey.toBase58(), 1n);
    });
    after(() => running.close());

    const feePayer = () => running.keys.feePayers[0].publicKey;

    async function sponsored(): Promise<number> {
      const balances = running.keys.feePayers.map(({ publicKey }) => running.connection.getBalance(publicKey));
      return (await Promise.all(balances)).reduce((sum, balance) => sum + balance, 0);
    }

    /** A payment that is as it should be, of such an amount to such a recipient, in both versions. */
    async function bodies({ amount = PRICE, recipient = seller }: { amount?: bigint; recipient?: Keypair }) {
      const { blockhash } = await running.connection.getLatestBlockhash();
      const [from, to] = [payer, recipient].map((key) => getAssociatedTokenAddressSync(MINT, key.publicKey));
      const transfer = createTransferCheckedInstruction(from!, MINT, to!, payer.publicKey, amount, 6);
      const instructions = ({ limit, price, memo }: Usual) => [limit, price, transfer, memo(`${++nonce}`)];
      const tx = transaction({ feePayer: feePayer(), blockhash, instructions });
      const extra = { feePayer: feePayer().toBase58() };
      const wanted = { extra, amount: String(amount), payTo: recipient.publicKey.toBase58() };
      return [version2(tx, requirements({ network, ...wanted })), version1(tx, wanted)];
    }

    async function ask(url: string, payload: object) {
      const response = await running.app.inject({ method: "POST", url, payload });
      return { status: response.statusCode, body: response.json() };
    }

    it(`is not valid, and not settled: ${code}`, async () => {
      const before = await sponsored();
      for (const body of await bodies(refused)) {
        expect(await ask("/verify", body)).to.deep.include({ status: 200 });
        expect((await ask("/verify", body)).body).to.include({ isValid: false, invalidReason: code });
        const settled = await ask("/settle", body);
        expect(settled.status).to.equal(200);
        expect(settled.body).to.include({ success: false, errorReason: code, transaction: "" });
      }
      expect(await sponsored(), "nothing is paid for it").to.equal(before);
    });

    it("is settled when it is not", async () => {
      const [body] = await bodies({});
      expect((await ask("/verify", body!)).body).to.include({ isValid: true });
      expect((await ask("/settle", body!)).body).to.include({ success: true });
    });
  });
}
