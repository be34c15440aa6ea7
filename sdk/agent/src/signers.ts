// Who pays: whatever a wallet comes as, made into one shape. Private keys stay where they are.
import { readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { Base58, Ed25519, InvalidFieldError, SignerError } from "@mppsol/core";
import { signMessage } from "@mppsol/programs";
import { Keypair, PublicKey, VersionedTransaction } from "@solana/web3.js";
import { OptionError } from "./errors.js";

/** What the agent signs with. Also a `Signer` of @mppsol/core. */
export interface AgentSigner {
  readonly publicKey: PublicKey;
  /** The 64-byte Ed25519 signature over exactly `message`. */
  signMessage(message: Uint8Array): Promise<Uint8Array>;
  /**
   * Adds this key's signature in its place, leaving the others.
   * @throws {SignerError} when the wallet changed the transaction, or what it returned is no signature of it.
   */
  signTransaction(transaction: VersionedTransaction): Promise<VersionedTransaction>;
}

/** A `Keypair` of any copy of web3.js. */
export interface KeypairLike {
  readonly publicKey: { toBase58(): string };
  readonly secretKey: Uint8Array;
}

/** A wallet, as browser adapters and remote signers have it. */
export interface WalletLike {
  readonly publicKey: string | { toBase58(): string };
  signTransaction(transaction: VersionedTransaction): Promise<VersionedTransaction> | VersionedTransaction;
  signMessage(message: Uint8Array): Promise<Uint8Array> | Uint8Array;
}

/** A signer of @solana/kit: one that returns signatures (not one that sends, or that changes what it signs). */
export interface KitSigner {
  readonly address: string;
  signMessages(
    messages: readonly { readonly content: Uint8Array; readonly signatures: object }[],
  ): Promise<readonly object[]>;
  signTransactions(transactions: readonly object[]): Promise<readonly object[]>;
}

/** Everything that an agent can pay with; a string is the path of a keypair file. */
export type SignerLike = string | KeypairLike | KitSigner | WalletLike;

/**
 * One shape for all of them.
 * @param warn told when a keypair file can be read by others.
 * @throws {OptionError} for anything else, and for a keypair file that cannot be read.
 */
export function toSigner(given: SignerLike, warn: (message: string) => void = () => {}): AgentSigner {
  if (typeof given === "string") return ofKeypair(readKeypairFile(given, warn));
  if (typeof given !== "object" || given === null) throw new OptionError("signer: not a wallet");
  if ("secretKey" in given && given.secretKey instanceof Uint8Array) return ofKeypair(toKeypair(given.secretKey));
  if ("signTransactions" in given && "signMessages" in given) return ofKit(given);
  if ("signTransaction" in given && "signMessage" in given) return ofWallet(given);
  throw new OptionError("signer: neither a keypair, nor able to sign both transactions and messages");
}

function ofKeypair(keypair: Keypair): AgentSigner {
  const sign = (message: Uint8Array) => signMessage(keypair, message);
  return {
    publicKey: keypair.publicKey,
    signMessage: async (message) => sign(message),
    signTransaction: async (transaction) =>
      withSignature(transaction, keypair.publicKey, sign(transaction.message.serialize())),
  };
}

function ofKit(signer: KitSigner): AgentSigner {
  const publicKey = toPublicKey(signer.address);
  const signatureIn = (answers: readonly object[]): Uint8Array => {
    const answer: unknown = answers[0];
    const signature =
      typeof answer === "object" && answer !== null ? Reflect.get(answer, signer.address as string) : undefined;
    return toSignature(signature);
  };
  return {
    publicKey,
    signMessage: async (message) => signatureIn(await signer.signMessages([{ content: message, signatures: {} }])),
    signTransaction: async (transaction) => {
      const messageBytes = transaction.message.serialize();
      // The shape of kit's `Transaction`: every address that has to sign, in order, null until it has.
      const signatures = Object.fromEntries(required(transaction).map((key) => [key.toBase58(), null]));
      const signature = signatureIn(await signer.signTransactions([{ messageBytes, signatures }]));
      return withSignature(transaction, publicKey, checked(signature, messageBytes, publicKey));
    },
  };
}

function ofWallet(wallet: WalletLike): AgentSigner {
  const key = wallet.publicKey;
  const publicKey = toPublicKey(typeof key === "string" ? key : key.toBase58());
  return {
    publicKey,
    signMessage: async (message) => toSignature(await wallet.signMessage(message)),
    signTransaction: async (transaction) => {
      const messageBytes = transaction.message.serialize();
      // A copy: the wallet may write into what it is given.
      const signed = await wallet.signTransaction(VersionedTransaction.deserialize(transaction.serialize()));
      if (!Buffer.from(signed.message.serialize()).equals(messageBytes)) {
        throw new SignerError("the wallet changed the transaction, so the server would refuse it");
      }
      const signature = toSignature(signed.signatures[indexOf(transaction, publicKey)]);
      return withSignature(transaction, publicKey, checked(signature, messageBytes, publicKey));
    },
  };
}

/** The keys that have to sign, in the order of their signatures. */
function required(transaction: VersionedTransaction): PublicKey[] {
  const { staticAccountKeys, header } = transaction.message;
  return staticAccountKeys.slice(0, header.numRequiredSignatures);
}

function indexOf(transaction: VersionedTransaction, publicKey: PublicKey): number {
  const index = required(transaction).findIndex((key) => key.equals(publicKey));
  if (index < 0) throw new SignerError("the transaction does not ask for this key's signature");
  return index;
}

function withSignature(
  transaction: VersionedTransaction,
  publicKey: PublicKey,
  signature: Uint8Array,
): VersionedTransaction {
  transaction.signatures[indexOf(transaction, publicKey)] = signature;
  return transaction;
}

function toSignature(value: unknown): Uint8Array {
  if (!(value instanceof Uint8Array) || value.length !== 64) {
    throw new SignerError("the signer did not return a signature of 64 bytes");
  }
  return Uint8Array.from(value);
}

/** A signature that a wallet made is checked before it leaves: a wrong one would only fail at the server. */
function checked(signature: Uint8Array, message: Uint8Array, publicKey: PublicKey): Uint8Array {
  if (!Ed25519.verify(message, signature, publicKey.toBytes())) {
    throw new SignerError("the signer returned a signature of something else");
  }
  return signature;
}

function toPublicKey(text: string): PublicKey {
  try {
    return new PublicKey(Base58.decode(text, 32, "signer.publicKey"));
  } catch (error) {
    if (error instanceof InvalidFieldError) throw new OptionError(error.message, { cause: error });
    throw error;
  }
}

function toKeypair(secretKey: Uint8Array): Keypair {
  try {
    return Keypair.fromSecretKey(secretKey);
  } catch {
    // Without the cause: it could repeat the key.
    throw new OptionError("signer: not a keypair of 64 bytes");
  }
}

/** A file as `solana-keygen` writes it: a JSON array of 64 bytes. */
function readKeypairFile(given: string, warn: (message: string) => void): Keypair {
  // As shells do, which here nobody has.
  const path = given.startsWith("~/") ? join(homedir(), given.slice(2)) : given;
  let text: string;
  try {
    if ((statSync(path).mode & 0o077) !== 0 && process.platform !== "win32") {
      warn(`others can read the keypair file ${path}; give it mode 0600`);
    }
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new OptionError(`signer: cannot read ${path}: ${(error as NodeJS.ErrnoException).code ?? "unreadable"}`);
  }
  const bytes = bytesIn(text);
  if (bytes === undefined) throw new OptionError(`signer: ${path} is not a keypair file`);
  return toKeypair(bytes);
}

function bytesIn(text: string): Uint8Array | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined; // without the error, which quotes the file
  }
  const isByte = (entry: unknown) => Number.isInteger(entry) && (entry as number) >= 0 && (entry as number) <= 255;
  if (!Array.isArray(value) || value.length !== 64 || !value.every(isByte)) return undefined;
  return Uint8Array.from(value as number[]);
}
