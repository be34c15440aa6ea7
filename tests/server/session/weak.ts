// Vouchers that a lenient verifier takes and the chain never will: made by a payer who knows its own key, so that it is served
// and can never be charged.
import { Voucher } from "@mppsol/core";
import { ed25519 } from "@noble/curves/ed25519.js";
import { sha512 } from "@noble/hashes/sha2.js";
import type { Keypair } from "@solana/web3.js";
import bs58 from "bs58";

const ORDER = ed25519.Point.Fn.ORDER;

/** R is the neutral element: the signature needs no secret nonce, and strict verification refuses it. */
export function identitySignature(voucher: Voucher.Voucher, keypair: Keypair): string {
  const message = Voucher.encode(voucher);
  const r = new Uint8Array(32);
  r[0] = 1;
  const secret = secretScalar(keypair);
  const challenge = number(sha512(Buffer.concat([r, keypair.publicKey.toBytes(), message]))) % ORDER;
  return bs58.encode(Buffer.concat([r, bytes((challenge * secret) % ORDER)]));
}

/** The same signature with its second half raised by the order of the group. */
export function raisedScalar(signature: string): string {
  const raw = bs58.decode(signature);
  return bs58.encode(Buffer.concat([raw.subarray(0, 32), bytes(number(raw.subarray(32)) + ORDER)]));
}

function secretScalar(keypair: Keypair): bigint {
  const hash = sha512(keypair.secretKey.subarray(0, 32)).subarray(0, 32);
  hash[0]! &= 248;
  hash[31]! &= 127;
  hash[31]! |= 64;
  return number(hash);
}

function number(littleEndian: Uint8Array): bigint {
  return littleEndian.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

function bytes(value: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
}
