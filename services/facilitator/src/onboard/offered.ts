// Transactions that wallets are asked to sign: what goes out, and whether what comes back is that and nothing else.
import { verifySignature } from "@mppsol/server/parts";
import { PublicKey, VersionedMessage, VersionedTransaction } from "@solana/web3.js";
import { FacilitatorError } from "../errors/FacilitatorError.js";

/** The transaction of a message, with no signature yet. */
export function unsigned(message: Uint8Array): VersionedTransaction {
  return new VersionedTransaction(VersionedMessage.deserialize(message));
}

/** A transaction as a wallet sent it. */
export interface Returned {
  /** Its message. */
  readonly message: Uint8Array;
  readonly transaction: VersionedTransaction;
}

/**
 * What a wallet sent. Whatever else is in the bytes does not matter: of what comes, only the signature goes on.
 * @throws {FacilitatorError} `invalid_transaction_encoding`
 */
export function read(bytes: Uint8Array): Returned {
  try {
    const transaction = VersionedTransaction.deserialize(bytes);
    return { transaction, message: transaction.message.serialize() };
  } catch (error) {
    throw new FacilitatorError("invalid_transaction_encoding", undefined, { cause: error });
  }
}

/** Whether this is what was offered, to the byte. */
export function isSame(returned: Returned, message: Uint8Array): boolean {
  return Buffer.from(message).equals(returned.message);
}

/**
 * The transaction that was offered, with the wallet's signature and no other.
 * @throws {FacilitatorError} `signature_invalid`
 */
export function signedBy(wallet: string, { transaction, message }: Returned): VersionedTransaction {
  const ours = unsigned(message);
  const { staticAccountKeys, header } = ours.message;
  const place = staticAccountKeys.slice(0, header.numRequiredSignatures).findIndex((key) => key.toBase58() === wallet);
  const signature = transaction.signatures[place];
  if (signature === undefined || !verifySignature(message, signature, new PublicKey(wallet).toBytes())) {
    throw new FacilitatorError("signature_invalid");
  }
  ours.signatures[place] = signature;
  return ours;
}
