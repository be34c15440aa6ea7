// The one transaction of an onboarding that makes a token account: what a client signs of it, and what it does not.
import { buildTransaction, tokenAddress } from "@mppsol/programs";
import { type SettlementClient, SettlementError } from "@mppsol/server/parts";
import {
  AuthorityType,
  createAssociatedTokenAccountIdempotentInstruction,
  createSetAuthorityInstruction,
  NATIVE_MINT,
  TOKEN_PROGRAM_ID,
} from "@solana/spl-token";
import { Keypair, PublicKey, TransactionInstruction, type VersionedTransaction } from "@solana/web3.js";
import { expect } from "chai";
import type { Buyer } from "../../sdk/mpp/src/client/buyer.ts";
import { Onboarding } from "../../sdk/mpp/src/client/onboarding.ts";
import type { Agreed } from "../../sdk/mpp/src/client/opening.ts";

const MEMO = new PublicKey("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr");

describe("the account round of an onboarding", () => {
  const [wallet, funder, thief] = [Keypair.generate(), Keypair.generate(), Keypair.generate()].map(
    (key) => key.publicKey,
  ) as [PublicKey, PublicKey, PublicKey];
  const MINT = Keypair.generate().publicKey;

  /** What an offer of these instructions comes to: the code, and how many transactions were signed. */
  async function outcomeOf(mint: PublicKey, authority: (account: PublicKey) => TransactionInstruction[]) {
    const account = tokenAddress(wallet, mint, TOKEN_PROGRAM_ID);
    const transaction = buildTransaction({
      feePayer: funder,
      recentBlockhash: Keypair.generate().publicKey.toBase58(),
      instructions: [
        createAssociatedTokenAccountIdempotentInstruction(funder, account, wallet, mint, TOKEN_PROGRAM_ID),
        ...authority(account),
        new TransactionInstruction({
          programId: MEMO,
          keys: [{ pubkey: wallet, isSigner: true, isWritable: false }],
          data: Buffer.from("open this account"),
        }),
      ],
    });
    const round = { onboardingId: "one", transaction: Buffer.from(transaction.serialize()).toString("base64") };
    const client = {
      url: "http://facilitator.example",
      onboard: async () => ({ ...round, status: "account" }),
      confirmOnboarding: async () => ({ status: "revoked" }),
    } as Partial<SettlementClient> as SettlementClient;
    let signed = 0;
    const buyer = {
      async signTransaction(_: VersionedTransaction) {
        signed++;
      },
    } as Partial<Buyer> as Buyer;
    const agreed = { buyer: wallet.toBase58(), seller: thief.toBase58(), mint: mint.toBase58() } as Agreed;
    const error = await new Onboarding(client, buyer, agreed, 1n).run(1_000).catch((thrown: unknown) => thrown);
    return { code: error instanceof SettlementError ? error.code : String(error), signed };
  }

  const closedBy =
    (authority: PublicKey, kind: AuthorityType = AuthorityType.CloseAccount) =>
    (account: PublicKey) => [createSetAuthorityInstruction(account, wallet, kind, authority)];
  const refused = { code: "onboarding_offer_refused", signed: 0 };

  it("is signed where who pays for the account may close it when it is empty", async () => {
    expect(await outcomeOf(MINT, closedBy(funder))).to.deep.equal({ code: "onboarding_over", signed: 1 });
  });

  for (const [what, authority] of [
    ["somebody else may close it", closedBy(thief)],
    ["who pays for it becomes its owner", closedBy(funder, AuthorityType.AccountOwner)],
    ["nothing is said of it, as no facilitator offers", () => []],
  ] as const) {
    it(`is not signed where ${what}`, async () => {
      expect(await outcomeOf(MINT, authority)).to.deep.equal(refused);
    });
  }

  it("is never signed for wrapped SOL, which is closed with what is in it", async () => {
    expect(await outcomeOf(NATIVE_MINT, closedBy(funder))).to.deep.equal(refused);
  });
});
