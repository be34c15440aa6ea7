// Ed25519 signatures, verified no looser and no stricter than Solana's Ed25519 program does (dalek's `verify_strict`): what
// is accepted here can be cashed there.
import { ed25519 } from "@noble/curves/ed25519.js";
import { sha512 } from "@noble/hashes/sha2.js";
import { concat, equal } from "./bytes.js";
import { InvalidFieldError } from "./errors.js";

/** Answers whether `publicKey` (32 bytes) signed `message` with `signature` (64 bytes), as strictly as `verify`. */
export type Verifier = (message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array) => boolean;

const { Point } = ed25519;

/** The order of the base point, little endian. */
const ORDER = hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");

/**
 * The y coordinates of all encodings of the eight points of small order, by their first byte, which tells them apart:
 * 0, 1, the two of order 8, −1, and 0 and 1 written as p and p + 1. With either sign bit that makes 14 encodings.
 */
const SMALL_ORDER_Y: ReadonlyMap<number | undefined, Uint8Array> = new Map(
  [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  ].map((y) => [Number.parseInt(y.slice(0, 2), 16), hex(y)]),
);

/**
 * Whether Solana's Ed25519 program would accept the signature. Computed in JavaScript, for browsers; where node:crypto is
 * at hand, its `verify` together with `screen` says the same, many times faster. Anything of a wrong length is `false`.
 */
export function verify(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
  if (!screen(signature, publicKey)) return false;
  const [r, s] = [signature.subarray(0, 32), signature.subarray(32)];
  let key: InstanceType<typeof Point>;
  try {
    key = Point.fromBytes(publicKey);
  } catch {
    return false;
  }
  const challenge = number(sha512(concat(r, publicKey, message))) % Point.Fn.ORDER;
  // Without the cofactor, as the chain does: noble's own `verify` multiplies by 8 and lets points of mixed order pass.
  const expected = Point.BASE.multiplyUnsafe(number(s)).subtract(key.multiplyUnsafe(challenge));
  return equal(expected.toBytes(), r);
}

/**
 * Everything that the chain checks of a signature and node:crypto (or WebCrypto, or any RFC 8032 verifier without
 * cofactor) may not: the key and the first half of the signature are canonical and not of small order, the second half is
 * below the group's order. Whoever fails this made the signature on purpose: to be served for vouchers that can never be
 * cashed. Anything of a wrong length is `false`.
 * @param signature 64 bytes.
 * @param publicKey 32 bytes.
 */
export function screen(signature: Uint8Array, publicKey: Uint8Array): boolean {
  if (signature.length !== 64 || publicKey.length !== 32) return false;
  const r = signature.subarray(0, 32);
  return isSound(r) && isSound(publicKey) && isCanonicalScalar(signature.subarray(32));
}

/**
 * Whether these 32 bytes can be a key whose signatures the chain accepts: a canonical encoding of a point on the curve,
 * not of small order. Costs a square root; once a key.
 */
export function isPublicKey(bytes: Uint8Array): boolean {
  if (bytes.length !== 32 || !isSound(bytes)) return false;
  try {
    Point.fromBytes(bytes);
    return true;
  } catch {
    return false;
  }
}

/**
 * Whether these 32 bytes encode, canonically or not, one of the eight points of small order, for which signatures can be
 * made up.
 * @throws {InvalidFieldError} unless there are 32.
 */
export function isWeakPoint(point: Uint8Array): boolean {
  length32(point, "point");
  const y = SMALL_ORDER_Y.get(point[0]);
  return y !== undefined && sameY(y, point);
}

/**
 * Whether these 32 bytes, little endian, are below the order of the group. Else a second text of the same signature
 * could be made.
 * @throws {InvalidFieldError} unless there are 32.
 */
export function isCanonicalScalar(scalar: Uint8Array): boolean {
  length32(scalar, "scalar");
  for (let i = 31; i >= 0; i--) {
    const [byte, limit] = [scalar[i] as number, ORDER[i] as number];
    if (byte !== limit) return byte < limit;
  }
  return false;
}

function isSound(point: Uint8Array): boolean {
  return !isWeakPoint(point) && isBelowPrime(point);
}

/** Whether y, the point without its sign bit, is below p = 2^255 − 19. */
function isBelowPrime(point: Uint8Array): boolean {
  if ((point[0] as number) < 0xed || ((point[31] as number) & 0x7f) !== 0x7f) return true;
  for (let i = 1; i < 31; i++) if (point[i] !== 0xff) return true;
  return false;
}

function sameY(y: Uint8Array, point: Uint8Array): boolean {
  for (let i = 0; i < 31; i++) if (y[i] !== point[i]) return false;
  return y[31] === ((point[31] as number) & 0x7f);
}

function length32(bytes: Uint8Array, field: string): void {
  if (bytes.length !== 32) throw new InvalidFieldError(field, "not 32 bytes");
}

function number(littleEndian: Uint8Array): bigint {
  return littleEndian.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

function hex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
}
