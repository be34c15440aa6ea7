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

/** Ends with exit code 2, and one line. */
function refuse(message: string): never {
  console.error(`deploy: ${message}`);
  process.exit(2);
}

function address(text: string): PublicKey {
  try {
    return new PublicKey(text);
  } catch {
    return refuse(`mint ${JSON.stringify(text)} is not an address`);
  }
}

/** The provider that the environment names. */
function environment(): anchor.AnchorProvider {
  for (const name of ["ANCHOR_PROVIDER_URL", "ANCHOR_WALLET"]) if (!process.env[name]) refuse(`${name} is not set`);
  try {
    return anchor.AnchorProvider.env();
  } catch (error) {
    const { message, code = "it is no keypair" } = error as NodeJS.ErrnoException;
    if (message.startsWith("Endpoint URL")) return refuse(`ANCHOR_PROVIDER_URL: ${message}`);
    // Not the message: of a file that is no JSON it would show the start.
    return refuse(`ANCHOR_WALLET: can't use ${process.env.ANCHOR_WALLET}: ${code}`);
  }
}

const USAGE = "usage: npx tsx migrations/deploy.ts MINT…  (ANCHOR_PROVIDER_URL, ANCHOR_WALLET)";
const mints = process.argv.slice(2);
if (mints.includes("--help")) console.log(USAGE);
else if (mints.length === 0) {
  console.error(USAGE);
  process.exitCode = 2;
} else {
  const addresses = mints.map(address);
  await deploy(environment(), addresses);
}
