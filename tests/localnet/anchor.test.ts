// Anchor's provider against localnet: send, simulate, confirm, errors, and a Program with an IDL.
import anchor from "@coral-xyz/anchor";
import {
  createAssociatedTokenAccountInstruction,
  createTransferInstruction,
  getAssociatedTokenAddressSync,
} from "@solana/spl-token";
import { Connection, Keypair, PublicKey, SystemProgram, Transaction } from "@solana/web3.js";
import { expect } from "chai";
import { Localnet } from "../../sdk/localnet/src/index.ts";

describe("Anchor's provider on localnet", () => {
  for (const slotTime of [50, "manual"] as const) {
    describe(`with slotTime ${slotTime}`, () => {
      let chain: Localnet;
      let provider: anchor.AnchorProvider;

      before(async () => {
        chain = await Localnet.start({ slotTime, usdc: 50_000_000n });
        const wallet = new anchor.Wallet(Keypair.fromSecretKey(chain.payer.secretKey));
        provider = new anchor.AnchorProvider(new Connection(chain.url, "confirmed"), wallet, {
          commitment: "confirmed",
          preflightCommitment: "confirmed",
        });
      });
      after(() => chain.close());

      it("sends and confirms token instructions", async () => {
        const owner = Keypair.generate().publicKey;
        const mint = new PublicKey(chain.usdcMint);
        const from = getAssociatedTokenAddressSync(mint, provider.publicKey);
        const to = getAssociatedTokenAddressSync(mint, owner);
        const transaction = new Transaction().add(
          createAssociatedTokenAccountInstruction(provider.publicKey, to, owner, mint),
          createTransferInstruction(from, to, provider.publicKey, 1_000_000n),
        );
        const signature = await provider.sendAndConfirm(transaction);
        expect((await provider.connection.getTokenAccountBalance(to)).value.amount).to.equal("1000000");
        const landed = await provider.connection.getParsedTransaction(signature, {
          commitment: "confirmed",
          maxSupportedTransactionVersion: 0,
        });
        const inner = landed?.meta?.innerInstructions?.[0]?.instructions.map((instruction) =>
          "parsed" in instruction ? instruction.parsed.type : "unparsed",
        );
        expect(inner).to.deep.equal([
          "getAccountDataSize",
          "createAccount",
          "initializeImmutableOwner",
          "initializeAccount3",
        ]);
      });

      it("sends the same instructions twice as two transactions", async () => {
        const to = Keypair.generate().publicKey;
        const transfer = () =>
          new Transaction().add(
            SystemProgram.transfer({ fromPubkey: provider.publicKey, toPubkey: to, lamports: 1_000_000 }),
          );
        const first = await provider.sendAndConfirm(transfer());
        // On a chain that goes by time the blockhash changes with the slot.
        if (slotTime !== "manual") await new Promise((resolve) => setTimeout(resolve, 2 * slotTime));
        const second = await provider.sendAndConfirm(transfer());
        expect(first).to.not.equal(second);
        expect(await provider.connection.getBalance(to)).to.equal(2_000_000);
      });

      it("gives the logs of a failed transaction", async () => {
        const transaction = new Transaction().add(
          SystemProgram.transfer({
            fromPubkey: provider.publicKey,
            toPubkey: chain.payer.publicKey,
            lamports: 2 ** 53,
          }),
        );
        const error = await provider.sendAndConfirm(transaction).then(
          () => undefined,
          (thrown: Error & { logs?: string[] }) => thrown,
        );
        expect(error?.message).to.include("custom program error: 0x1");
        expect(error?.logs?.join("\n")).to.include("Transfer: ");
      });

      it("simulates", async () => {
        const transaction = new Transaction().add(
          SystemProgram.transfer({ fromPubkey: provider.publicKey, toPubkey: provider.publicKey, lamports: 1 }),
        );
        const result = await provider.simulate(transaction);
        expect(result.logs?.length).to.equal(2);
      });

      it("sends several transactions at once", async () => {
        const to = Keypair.generate().publicKey;
        const transfer = (lamports: number) => ({
          tx: new Transaction().add(SystemProgram.transfer({ fromPubkey: provider.publicKey, toPubkey: to, lamports })),
        });
        await provider.sendAll([transfer(1_000_000), transfer(1_000_001)]);
        expect(await provider.connection.getBalance(to)).to.equal(2_000_001);
      });
    });
  }
});
