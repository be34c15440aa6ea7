// What a fresh deployment needs before its first payout: the treasury's token account for each mint it will see.
// Safe to run twice. `npx tsx migrations/deploy.ts MINT…` with ANCHOR_PROVIDER_URL and ANCHOR_WALLET set.

import anchor from "@coral-xyz/anchor";
import { TREASURY } from "@mppsol/programs";
import { createAssociatedTokenAccountIdempotentInstruction, getAssociatedTokenAddressSync } from "@solana/spl-token";
import { PublicKey, Transaction } from "@solana/web3.js";

async function deploy(provider: anchor.AnchorProvider, mints: readonly PublicKey[]): Promise<void> {
  for (const mint of mints) {
    const account = await provider.connection.getAccountInfo(mint, "confirmed");
    if (account === null) throw new Error(`${mint} does not exist on this cluster`);
    const treasury = getAssociatedTokenAddressSync(mint, TREASURY, true, account.owner);
    const create = createAssociatedTokenAccountIdempotentInstruction(
      provider.publicKey,
      treasury,
      TREASURY,
      mint,
      account.owner,
    );
    await provider.sendAndConfirm(new Transaction().add(create));
    console.log(`treasury account ${treasury} of mint ${mint}`);
  }
}

const mints = process.argv.slice(2);
if (mints.length === 0 || mints[0] === "--help") {
  console.error("usage: npx tsx migrations/deploy.ts MINT…  (ANCHOR_PROVIDER_URL, ANCHOR_WALLET)");
  process.exit(mints.length === 0 ? 2 : 0);
}
await deploy(
  anchor.AnchorProvider.env(),
  mints.map((mint) => new PublicKey(mint)),
);
