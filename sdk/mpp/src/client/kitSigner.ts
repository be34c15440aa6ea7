// Transaction signers of @solana/kit, without depending on it: those that sign, and those that may change what they sign.
import { Ed25519, SignerError } from "@mppsol/core";
import type { PublicKey, VersionedTransaction } from "@solana/web3.js";

/** What kit calls a transaction, as far as signers look at it. */
interface KitTransaction {
  readonly messageBytes: Uint8Array;
  readonly signatures: Readonly<Record<string, Uint8Array | null>>;
}

/**
 * A `TransactionSigner` of kit: `createKeyPairSignerFromBytes()` and the like, or a wallet's. One that only sends, instead of
 * handing its signature out, cannot pay here.
 */
export interface KitTransactionSigner {
  readonly address: string;
  signTransactions?(transactions: readonly never[]): Promise<readonly object[]>;
  modifyAndSignTransactions?(transactions: readonly never[]): Promise<readonly object[]>;
}

/**
 * Adds the signer's signature to the transaction.
 * @throws {SignerError} when it returns none, signs something else, or changes what the challenge asks for.
 */
export async function signWith(signer: KitTransactionSigner, transaction: VersionedTransaction): Promise<void> {
  const { message, signatures } = transaction;
  const required = message.staticAccountKeys.slice(0, message.header.numRequiredSignatures);
  const place = required.findIndex((key) => key.toBase58() === signer.address);
  const key = required[place];
  if (key === undefined) throw new SignerError(`the transaction asks for no signature of ${signer.address}`);
  const messageBytes = message.serialize();
  const unsigned: KitTransaction = {
    messageBytes,
    signatures: Object.fromEntries(required.map((one) => [one.toBase58(), null])),
  };
  signatures[place] = checked(await signatureOf(signer, unsigned), messageBytes, key);
}

async function signatureOf(signer: KitTransactionSigner, unsigned: KitTransaction): Promise<unknown> {
  if (typeof signer.signTransactions === "function") {
    const [dictionary] = await signer.signTransactions([unsigned] as unknown as readonly never[]);
    return memberOf(dictionary, signer.address);
  }
  if (typeof signer.modifyAndSignTransactions === "function") {
    const [signed] = await signer.modifyAndSignTransactions([unsigned] as unknown as readonly never[]);
    return memberOf(memberOf(signed, "signatures"), signer.address);
  }
  throw new SignerError("the signer hands out no signatures: one that only sends transactions cannot pay here");
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? Reflect.get(value, name)
    : undefined;
}

/** A wallet that has changed the message has signed another one. */
function checked(signature: unknown, message: Uint8Array, key: PublicKey): Uint8Array {
  const sound =
    signature instanceof Uint8Array && signature.length === 64 && Ed25519.verify(message, signature, key.toBytes());
  if (!sound) throw new SignerError("the signer returned no signature of this transaction");
  return Uint8Array.from(signature);
}
