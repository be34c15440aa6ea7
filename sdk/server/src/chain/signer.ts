// Who signs transactions for the server: a key in memory, or anything that can be asked, as a KMS.

import { Base58 } from "@mppsol/core";
import { signMessage } from "@mppsol/programs";
import { PublicKey, type VersionedTransaction } from "@solana/web3.js";
import { SigningError } from "./errors.js";
import { verifySignature } from "./verify.js";

/** A web3.js keypair. */
export interface KeypairSigner {
  readonly publicKey: PublicKey;
  readonly secretKey: Uint8Array;
}

/** A wallet or a remote signer. */
export interface RemoteSigner {
  /** Base58, or anything that can say it. */
  readonly publicKey: string | { toBase58(): string };
  /** Signs in its own place of the transaction, and changes nothing else. */
  signTransaction(transaction: VersionedTransaction): Promise<VersionedTransaction>;
}

export type TransactionSigner = KeypairSigner | RemoteSigner;

/**
 * The signer's address, base58.
 * @throws {InvalidFieldError} when it is not 32 bytes.
 */
export function signerAddress(signer: TransactionSigner, field = "signer.publicKey"): string {
  const key = signer.publicKey;
  return Base58.address(typeof key === "string" ? key : key.toBase58(), field);
}

/**
 * Puts the signer's signature in its place, in the transaction itself. What the others have signed stays.
 * @throws {SigningError} when the signer has no place in the transaction, fails, or signs something else.
 */
export async function addSignature(transaction: VersionedTransaction, signer: TransactionSigner): Promise<void> {
  const address = signerAddress(signer);
  const { message } = transaction;
  const place = message.staticAccountKeys
    .slice(0, message.header.numRequiredSignatures)
    .findIndex((key) => key.toBase58() === address);
  if (place < 0) throw new SigningError(`the transaction asks for no signature of ${address}`);
  const bytes = message.serialize();
  const signature = await sign(transaction, bytes, place, signer);
  if (!verifySignature(bytes, signature, new PublicKey(address).toBytes())) {
    throw new SigningError(`${address} signed something else`);
  }
  transaction.signatures[place] = signature;
}

async function sign(
  transaction: VersionedTransaction,
  bytes: Uint8Array,
  place: number,
  signer: TransactionSigner,
): Promise<Uint8Array> {
  if ("secretKey" in signer) return signMessage(signer as Parameters<typeof signMessage>[0], bytes);
  try {
    const signed = await signer.signTransaction(transaction);
    return signed.signatures[place] ?? new Uint8Array(64);
  } catch (error) {
    throw new SigningError("the signer failed", { cause: error });
  }
}
