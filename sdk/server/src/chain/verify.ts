// Ed25519 signatures of transactions, checked here before any node is asked.
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { Ed25519 } from "@mppsol/core";

/** The fixed start of an SPKI document that holds an Ed25519 key (RFC 8410). */
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

/** Whether the chain would take the signature: `Ed25519.verify` of core, by node:crypto. Wrong lengths are `false`. */
export function verifySignature(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
  if (!Ed25519.screen(signature, publicKey)) return false;
  return verify(null, message, keyOf(publicKey), signature);
}

function keyOf(publicKey: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([SPKI_PREFIX, publicKey]), format: "der", type: "spki" });
}
