// What every example needs: an embedded chain, an agent's wallet with USDC and no SOL, a seller with some SOL.
import { fileURLToPath } from "node:url";
import { Localnet, USDC_MINT } from "@mppsol/localnet";
import { SESSION_PROGRAM_ID } from "@mppsol/programs";
import { getAssociatedTokenAddressSync } from "@solana/spl-token";
import { Connection, Keypair, PublicKey } from "@solana/web3.js";

export { USDC_MINT };

const artifacts = process.env.MPPSOL_ARTIFACTS ?? fileURLToPath(new URL("../artifacts", import.meta.url));

export interface Chain {
  /** RPC URL. */
  readonly url: string;
  /** Holds 10 USDC. */
  readonly wallet: Keypair;
  /** Sells. Its own fees, and those of whoever pays it, are paid by `sponsor`. */
  readonly seller: Keypair;
  /** Holds SOL. */
  readonly sponsor: Keypair;
  /** USDC base units (millionths) of an owner. */
  usdc(owner: PublicKey): Promise<bigint>;
  close(): Promise<void>;
}

export async function startChain(): Promise<Chain> {
  const chain = await Localnet.start({
    slotTime: 50,
    programs: [{ id: SESSION_PROGRAM_ID.toBase58(), file: `${artifacts}/mppsol_session.so` }],
  });
  const [wallet, seller] = [Keypair.generate(), Keypair.generate()];
  chain.mintUsdc(wallet.publicKey.toBase58(), 10_000_000n);
  chain.mintUsdc(seller.publicKey.toBase58(), 0n);
  const connection = new Connection(chain.url, "confirmed");
  return {
    url: chain.url,
    wallet,
    seller,
    sponsor: chain.payer,
    usdc: async (owner) => {
      const address = getAssociatedTokenAddressSync(new PublicKey(USDC_MINT), owner, true);
      return BigInt((await connection.getTokenAccountBalance(address)).value.amount);
    },
    close: () => chain.close(),
  };
}
