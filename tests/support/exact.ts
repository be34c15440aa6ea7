// Transactions that pay x402's `exact`, as its clients make them, and ones that are like them.
import { USDC_MINT } from "@mppsol/localnet";
import {
  createAssociatedTokenAccountIdempotentInstruction,
  createTransferCheckedInstruction,
  getAssociatedTokenAddressSync,
} from "@solana/spl-token";
import {
  ComputeBudgetProgram,
  Keypair,
  PublicKey,
  SystemProgram,
  TransactionInstruction,
  TransactionMessage,
  VersionedTransaction,
} from "@solana/web3.js";

export const PRICE = 10_000n;

/** Base58; each plays one part. */
export const [payer, seller, sponsor, stranger] = [0, 1, 2, 3].map(() => Keypair.generate()) as [
  Keypair,
  Keypair,
  Keypair,
  Keypair,
];

export interface Shape {
  readonly memo?: string | undefined;
  readonly memos?: readonly string[];
  readonly amount?: bigint;
  readonly feePayer?: PublicKey;
  /** Default: none that any chain knows. */
  readonly blockhash?: string;
  /** In the place of all instructions: their usual order is limit, price, transfer, memo. */
  readonly instructions?: (usual: Usual) => TransactionInstruction[];
}

export interface Usual {
  readonly limit: TransactionInstruction;
  readonly price: TransactionInstruction;
  readonly transfer: TransactionInstruction;
  readonly creation: TransactionInstruction;
  readonly lamports: TransactionInstruction;
  readonly lighthouse: TransactionInstruction;
  memo(text: string): TransactionInstruction;
}

const MEMO = new PublicKey("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr");
const LIGHTHOUSE = new PublicKey("L2TExMFKdjpN9kozasaurPirfHy9P8sbXoAN1qA3S95");
const mint = new PublicKey(USDC_MINT);
const [payerAccount, sellerAccount] = [payer, seller].map(({ publicKey }) =>
  getAssociatedTokenAddressSync(mint, publicKey),
) as [PublicKey, PublicKey];
let nonce = 0;

/** A payer's transaction, base64, as @x402/svm makes it. Never the same one twice. */
export function transaction(shape: Shape = {}): string {
  const { memo = `nonce ${++nonce}`, amount = PRICE, feePayer = sponsor.publicKey } = shape;
  const usual: Usual = {
    limit: ComputeBudgetProgram.setComputeUnitLimit({ units: 20_000 }),
    price: ComputeBudgetProgram.setComputeUnitPrice({ microLamports: 1 }),
    transfer: createTransferCheckedInstruction(payerAccount, mint, sellerAccount, payer.publicKey, amount, 6),
    creation: createAssociatedTokenAccountIdempotentInstruction(feePayer, sellerAccount, seller.publicKey, mint),
    lamports: SystemProgram.transfer({ fromPubkey: payer.publicKey, toPubkey: seller.publicKey, lamports: 1 }),
    lighthouse: new TransactionInstruction({ programId: LIGHTHOUSE, keys: [], data: Buffer.from([6, 0]) }),
    memo: (text) => new TransactionInstruction({ programId: MEMO, keys: [], data: Buffer.from(text) }),
  };
  const memos = (shape.memos ?? [memo]).map(usual.memo);
  const instructions = shape.instructions?.(usual) ?? [usual.limit, usual.price, usual.transfer, ...memos];
  const message = new TransactionMessage({
    payerKey: feePayer,
    recentBlockhash: shape.blockhash ?? Keypair.generate().publicKey.toBase58(),
    instructions,
  }).compileToV0Message();
  const signed = new VersionedTransaction(message);
  if (message.staticAccountKeys.some((key, at) => message.isAccountSigner(at) && key.equals(payer.publicKey))) {
    signed.sign([payer]);
  }
  return Buffer.from(signed.serialize()).toString("base64");
}
