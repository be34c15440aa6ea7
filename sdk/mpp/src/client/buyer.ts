// The buyer's wallet, whatever it comes as: a key of WebCrypto or @solana/kit, a keypair, a wallet, or three callbacks.
import { webcrypto } from "node:crypto";
import { type SignerLike, toSigner } from "@mppsol/agent";
import { Base58, Ed25519, type Signer, SignerError } from "@mppsol/core";
import { PublicKey, VersionedTransaction } from "@solana/web3.js";

/** A pair of WebCrypto keys, as `generateKeyPair()` of @solana/kit makes them. */
export interface CryptoKeys {
  readonly publicKey: webcrypto.CryptoKey;
  readonly privateKey: webcrypto.CryptoKey;
}

/** A wallet as callbacks. */
export interface WalletCallbacks {
  /** Takes and gives base64 of the wire bytes; adds its signature and changes nothing. */
  readonly signTransaction: (transaction: string) => Promise<string> | string;
  /** The 64-byte Ed25519 signature over exactly these bytes. */
  readonly signMessage: (message: Uint8Array) => Promise<Uint8Array> | Uint8Array;
  /** Base58. */
  readonly publicKey: string;
}

/** Signs for the buyer. Also a `Signer` of @mppsol/core. */
export interface Buyer extends Signer.Signer {
  /** Base58. */
  readonly publicKey: string;
  /** Adds the buyer's signature in its place. Throws {SignerError} when it is none of this transaction. */
  signTransaction(transaction: VersionedTransaction): Promise<void>;
}

export type BuyerLike = CryptoKeys | WalletCallbacks | SignerLike;

/**
 * One shape for all of them.
 * @throws {OptionError} {SignerError} for what cannot sign.
 */
export async function buyerOf(given: BuyerLike): Promise<Buyer> {
  if (isCryptoKeys(given)) return ofCryptoKeys(given);
  if (isCallbacks(given)) return ofCallbacks(given);
  const signer = toSigner(given);
  return {
    publicKey: signer.publicKey.toBase58(),
    signMessage: (message) => signer.signMessage(message),
    async signTransaction(transaction) {
      await signer.signTransaction(transaction);
    },
  };
}

function isCryptoKeys(given: BuyerLike): given is CryptoKeys {
  return typeof given === "object" && "privateKey" in given && "algorithm" in given.privateKey;
}

/** A wallet's `signTransaction` takes transactions; that of the callbacks takes their text. Only its key tells them apart. */
function isCallbacks(given: BuyerLike): given is WalletCallbacks {
  return (
    typeof given === "object" &&
    !("secretKey" in given) &&
    "signTransaction" in given &&
    "signMessage" in given &&
    "publicKey" in given &&
    typeof given.publicKey === "string"
  );
}

async function ofCryptoKeys({ publicKey, privateKey }: CryptoKeys): Promise<Buyer> {
  const { subtle } = webcrypto;
  const key = Base58.encode(new Uint8Array(await subtle.exportKey("raw", publicKey)));
  const signMessage = async (message: Uint8Array) =>
    new Uint8Array(await subtle.sign("Ed25519", privateKey, Uint8Array.from(message)));
  return {
    publicKey: Base58.address(key, "signer.publicKey"),
    signMessage,
    async signTransaction(transaction) {
      place(transaction, key, await signMessage(transaction.message.serialize()));
    },
  };
}

function ofCallbacks({ publicKey, signMessage, signTransaction }: WalletCallbacks): Buyer {
  return {
    publicKey: Base58.address(publicKey, "signer.publicKey"),
    signMessage,
    async signTransaction(transaction) {
      const text = await signTransaction(Buffer.from(transaction.serialize()).toString("base64"));
      const signed = VersionedTransaction.deserialize(Buffer.from(text, "base64"));
      place(transaction, publicKey, signed.signatures[placeOf(signed, publicKey)]);
    },
  };
}

/** Puts a signature in, once it is known to be one of this very message. */
function place(transaction: VersionedTransaction, key: string, signature: Uint8Array | undefined): void {
  const sound =
    signature !== undefined && Ed25519.verify(transaction.message.serialize(), signature, new PublicKey(key).toBytes());
  if (!sound) throw new SignerError("the wallet returned no signature of this transaction");
  transaction.signatures[placeOf(transaction, key)] = signature;
}

function placeOf({ message }: VersionedTransaction, key: string): number {
  const at = message.staticAccountKeys
    .slice(0, message.header.numRequiredSignatures)
    .findIndex((one) => one.toBase58() === key);
  if (at < 0) throw new SignerError(`the transaction asks for no signature of ${key}`);
  return at;
}
