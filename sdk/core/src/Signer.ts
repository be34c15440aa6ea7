// What signs vouchers: a key in memory, a wallet, a remote service.
import * as Base58 from "./Base58.js";
import { SignerError } from "./errors.js";

/** Signs messages with one Ed25519 key. A browser wallet's adapter already has this shape. */
export interface Signer {
  /** Base58 text, or anything that can say it, as web3.js' `PublicKey`. */
  readonly publicKey: string | { toBase58(): string };
  /** The 64-byte Ed25519 signature over exactly `message`: no prefix, no hash. */
  signMessage(message: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/**
 * The signer's key, base58.
 * @throws {InvalidFieldError} when it is not 32 bytes.
 */
export function address(signer: Signer): string {
  const key = signer.publicKey;
  return Base58.address(typeof key === "string" ? key : key.toBase58(), "signer.publicKey");
}

/**
 * Asks for a signature; base58.
 * @throws {SignerError} when the answer is not 64 bytes. What the signer itself throws goes through.
 */
export async function sign(signer: Signer, message: Uint8Array): Promise<string> {
  const signature = await signer.signMessage(message);
  if (!(signature instanceof Uint8Array) || signature.length !== 64) {
    throw new SignerError("the signer did not return a signature of 64 bytes");
  }
  return Base58.encode(signature);
}
