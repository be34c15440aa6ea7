// Signing with a key in memory, by node:crypto. Node only.
import { createPrivateKey, type KeyObject, sign } from "node:crypto";
import { Attestation, BatchVoucher, SignedVoucher, type Signer, type Voucher } from "@mppsol/core";
import type { Keypair } from "@solana/web3.js";

/** The fixed start of a PKCS#8 document that holds an Ed25519 seed (RFC 8410). */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");

/** Making a key object costs more than signing with it. */
const keys = new WeakMap<Keypair, KeyObject>();

function keyOf(keypair: Keypair): KeyObject {
  let key = keys.get(keypair);
  if (key === undefined) {
    const seed = keypair.secretKey.subarray(0, 32);
    key = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: "der", type: "pkcs8" });
    keys.set(keypair, key);
  }
  return key;
}

/** The Ed25519 signature of `message`, 64 bytes. */
export function signMessage(keypair: Keypair, message: Uint8Array): Uint8Array {
  return new Uint8Array(sign(null, message, keyOf(keypair)));
}

/** A keypair as what signs in @mppsol/core. */
export function keypairSigner(keypair: Keypair): Signer.Signer {
  return {
    publicKey: keypair.publicKey.toBase58(),
    signMessage: (message) => signMessage(keypair, message),
  };
}

/** Signs a voucher. Throws as `SignedVoucher.sign`. */
export function signVoucher(voucher: Voucher.Input, keypair: Keypair): Promise<SignedVoucher.SignedVoucher> {
  return SignedVoucher.sign(voucher, keypairSigner(keypair));
}

/** Signs a batch. Throws as `BatchVoucher.sign`. */
export function signBatchVoucher(
  batch: BatchVoucher.BatchVoucher,
  keypair: Keypair,
): Promise<BatchVoucher.SignedBatchVoucher> {
  return BatchVoucher.sign(batch, keypairSigner(keypair));
}

/** Signs an attestation. Throws as `Attestation.sign`. */
export function signAttestation(
  attestation: Attestation.Attestation,
  keypair: Keypair,
): Promise<Attestation.SignedAttestation> {
  return Attestation.sign(attestation, keypairSigner(keypair));
}
