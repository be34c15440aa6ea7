// Crafted Ed25519 signatures, each with the answer that `verify_strict` must give it, derived from how it was made and not
// by a verifier. Run as a program, it writes spec/vectors/ed25519-strict.json; a test checks that the file is what it makes.
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { ed25519 } from "@noble/curves/ed25519.js";

export interface Case {
  readonly name: string;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
  readonly publicKey: Uint8Array;
  /** Whether the chain accepts it. */
  readonly accepted: boolean;
}

/** The file. */
export const FILE = new URL("../../../spec/vectors/ed25519-strict.json", import.meta.url);

const SOURCE =
  "Made by tests/core/vectors/ed25519.ts. `accepted` is what dalek's verify_strict answers, and with it Solana's Ed25519 " +
  "program: without cofactor, no small order, canonical encodings. A case is [name, message, signature, public key, " +
  "accepted (1 or 0)], the bytes in hex.";

const { Point } = ed25519;
type Point = InstanceType<typeof Point>;
const L = Point.Fn.ORDER;
const P = 2n ** 255n - 19n;
const SIGN = 1n << 255n;

/** A point of order 8; its multiples are all the points of small order. */
const TORSION = Point.fromHex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05");

/** Every case, always the same ones in the same order. */
export function cases(): Case[] {
  return [
    ...valid(),
    ...otherMessage(),
    ...flippedBits(),
    ...weakR(),
    ...weakKey(),
    ...weakBoth(),
    ...mixedKey(),
    ...mixedR(),
    ...mixedBoth(),
    ...weakRMixedKey(),
    ...scalars(),
    ...beyondPrime(),
    ...offCurve(),
    ...constants(),
  ];
}

/** The file's text. */
export function fileText(): string {
  const lines = cases().map(({ name, message, signature, publicKey, accepted }) =>
    JSON.stringify([name, hex(message), hex(signature), hex(publicKey), accepted ? 1 : 0]),
  );
  return `{\n"source": ${JSON.stringify(SOURCE)},\n"cases": [\n${lines.join(",\n")}\n]\n}\n`;
}

/** The cases of the file's text. */
export function parse(text: string): Case[] {
  const rows = JSON.parse(text).cases as [string, string, string, string, 0 | 1][];
  return rows.map(([name, message, signature, publicKey, accepted]) => ({
    name,
    message: Buffer.from(message, "hex"),
    signature: Buffer.from(signature, "hex"),
    publicKey: Buffer.from(publicKey, "hex"),
    accepted: accepted === 1,
  }));
}

/** Honest signatures over messages of many lengths. */
function valid(): Case[] {
  return [0, 1, 31, 32, 50, 98, 112, 200, 523, 800].flatMap((length) =>
    times(4, (i) => {
      const seed = bytes(`valid ${length} ${i}`).subarray(0, 32);
      const message = stretch(`valid message ${length} ${i}`, length);
      const [signature, publicKey] = [ed25519.sign(message, seed), ed25519.getPublicKey(seed)];
      return { name: `valid: ${length} bytes, ${i}`, message, signature, publicKey, accepted: true };
    }),
  );
}

/** Honest signatures, shown with what they do not cover. */
function otherMessage(): Case[] {
  const honest = signer("other message");
  const message = stretch("other message", 50);
  const signed = honest.sign(message);
  const others: [string, Uint8Array][] = [
    ["empty", new Uint8Array()],
    ["cut", message.subarray(0, 49)],
    ["longer", Buffer.concat([message, Buffer.of(0)])],
    ["another", stretch("yet another message", 50)],
    ["reversed", Uint8Array.from(message).reverse()],
  ];
  const swapped = [
    { ...signed, name: "another key", publicKey: signer("somebody else").key },
    { ...signed, name: "R and s swapped", signature: Buffer.concat([signed.s, signed.r]) },
    { ...signed, name: "R negated", signature: Buffer.concat([negated(signed.r), signed.s]) },
    { ...signed, name: "key negated", publicKey: negated(honest.key) },
    { ...signed, name: "s negated", signature: Buffer.concat([signed.r, scalar(L - number(signed.s))]) },
  ];
  return [
    ...others.map(([name, other]) => rejected(`message: ${name}`, { ...signed, message: other })),
    ...swapped.map(({ name, ...fields }) => rejected(`message: ${name}`, fields)),
  ];
}

/** One bit wrong, in each byte of signature and key, and in the message. */
function flippedBits(): Case[] {
  const signed = signer("flipped bits").sign(stretch("flipped bits", 50));
  const flipped = (field: "signature" | "publicKey" | "message", bit: number): Case => {
    const changed = Uint8Array.from(signed[field]);
    changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
    return rejected(`flipped: ${field}, bit ${bit}`, { ...signed, [field]: changed });
  };
  return [
    ...times(126, (i) => flipped("signature", 4 * i + (i % 4))),
    ...times(8, (i) => flipped("signature", 504 + i)),
    ...times(64, (i) => flipped("publicKey", 4 * i + (i % 4))),
    ...times(25, (i) => flipped("message", 16 * i + (i % 16))),
  ];
}

/** R of small order under an honest key: s = k·a leaves s·B − k·A = 0, which lenient verifiers take for R = 0. */
function weakR(): Case[] {
  return weakEncodings().flatMap(([label, r]) =>
    times(4, (i) => {
      const { a, key } = signer(`weak R ${i}`);
      const message = stretch(`weak R ${label} ${i}`, 50);
      const s = mod(challenge(r, key, message) * a);
      return rejected(`weak R: ${label}, ${i}`, { message, publicKey: key, signature: join(r, s) });
    }),
  );
}

/** A key of small order: any r will do when k·A = 0. Messages are searched so that it is, and taken as they come. */
function weakKey(): Case[] {
  return weakEncodings().flatMap(([label, key, order]) =>
    [true, true, true, false].map((vanishes, i) => {
      const r = scalarOf(`weak key ${label} ${i}`);
      const R = Point.BASE.multiply(r).toBytes();
      const message = search(`weak key ${label} ${i}`, (m) => !vanishes || (challenge(R, key, m) * order) % 8n === 0n);
      const name = `weak key: ${label}, ${i}${vanishes ? ", k·A = 0" : ""}`;
      return rejected(name, { message, publicKey: key, signature: join(R, r) });
    }),
  );
}

/** Both of small order and s = 0, or s = L: nobody's signature, over anything. */
function weakBoth(): Case[] {
  const weak = weakEncodings();
  return weak.flatMap(([r, R], i) =>
    weak
      .filter((_, j) => i < 8 || j === i)
      .map(([a, key, order]) => {
        const cancels = (m: Uint8Array) => (challenge(R, key, m) * order + (weak[i]?.[2] as bigint)) % 8n === 0n;
        const message = search(`weak both ${r} ${a}`, cancels, 64);
        return rejected(`weak both: R ${r}, key ${a}`, { message, publicKey: key, signature: join(R, 0n) });
      }),
  );
}

/** A key with a part of small order: accepted exactly when k cancels that part. */
function mixedKey(): Case[] {
  return times(7, (at) => at + 1).flatMap((i) =>
    times(10, (n) => {
      const { a, A } = signer(`mixed key ${i} ${n}`);
      const key = A.add(torsion(i)).toBytes();
      const r = scalarOf(`mixed key r ${i} ${n}`);
      const R = Point.BASE.multiply(r).toBytes();
      const accepted = n < 4;
      const fits = (m: Uint8Array) => ((challenge(R, key, m) * BigInt(i)) % 8n === 0n) === accepted;
      const message = search(`mixed key ${i} ${n}`, fits);
      const s = mod(r + challenge(R, key, message) * a);
      return { name: `mixed key: ${i}, ${n}`, message, publicKey: key, signature: join(R, s), accepted };
    }),
  );
}

/** An honest key and an R with a part of small order: what verifiers with cofactor take. */
function mixedR(): Case[] {
  return times(7, (at) => at + 1).flatMap((j) =>
    times(6, (n) => {
      const { a, key } = signer(`mixed R ${j} ${n}`);
      const r = scalarOf(`mixed R r ${j} ${n}`);
      const R = Point.BASE.multiply(r).add(torsion(j)).toBytes();
      const message = stretch(`mixed R ${j} ${n}`, 50);
      const s = mod(r + challenge(R, key, message) * a);
      return rejected(`mixed R: ${j}, ${n}`, { message, publicKey: key, signature: join(R, s) });
    }),
  );
}

/** Key and R both with a part of small order: accepted when the two parts cancel. */
function mixedBoth(): Case[] {
  return times(7, (at) => at + 1).flatMap((i) =>
    times(7, (at) => at + 1).flatMap((j) =>
      [true, false].flatMap((accepted) => {
        const { a, A } = signer(`mixed both ${i}`);
        const key = A.add(torsion(i)).toBytes();
        const r = scalarOf(`mixed both ${j}`);
        const R = Point.BASE.multiply(r).add(torsion(j)).toBytes();
        if (accepted && !solvable(i, j)) return [];
        const fits = (m: Uint8Array) => ((challenge(R, key, m) * BigInt(i) + BigInt(j)) % 8n === 0n) === accepted;
        const message = search(`mixed both ${i} ${j} ${accepted}`, fits);
        const s = mod(r + challenge(R, key, message) * a);
        const name = `mixed both: key ${i}, R ${j}, ${accepted ? "cancelling" : "not cancelling"}`;
        return [{ name, message, publicKey: key, signature: join(R, s), accepted }];
      }),
    ),
  );
}

/** R of small order that cancels the small part of the key: takes in every verifier that compares R and no more. */
function weakRMixedKey(): Case[] {
  return times(7, (at) => at + 1).flatMap((i) =>
    times(8, (j) => j).flatMap((j) => {
      if (!solvable(i, j)) return [];
      return times(3, (n) => {
        const { a, A } = signer(`weak R mixed key ${i} ${n}`);
        const key = A.add(torsion(i)).toBytes();
        const R = torsion(j).toBytes();
        const fits = (m: Uint8Array) => (challenge(R, key, m) * BigInt(i) + BigInt(j)) % 8n === 0n;
        const message = search(`weak R mixed key ${i} ${j} ${n}`, fits);
        const s = mod(challenge(R, key, message) * a);
        return rejected(`weak R, mixed key: R ${j}, key ${i}, ${n}`, {
          message,
          publicKey: key,
          signature: join(R, s),
        });
      });
    }),
  );
}

/** The same signature with another text of s, and s at its limits. */
function scalars(): Case[] {
  const signed = signer("scalars").sign(stretch("scalars", 50));
  const s = number(signed.s);
  const others: [string, bigint][] = [
    ...times(15, (n): [string, bigint] => [`s + ${n + 1}L`, s + BigInt(n + 1) * L]),
    ...times(4, (n): [string, bigint] => [`s with bit ${252 + n}`, s ^ (1n << BigInt(252 + n))]),
    ["0", 0n],
    ["1", 1n],
    ["L - 1", L - 1n],
    ["L", L],
    ["L + 1", L + 1n],
    ["2^252", 2n ** 252n],
    ["2^253 - 1", 2n ** 253n - 1n],
    ["2^255", 2n ** 255n],
    ["2^256 - 1", 2n ** 256n - 1n],
  ];
  const texts = others.filter(([, other]) => other < 2n ** 256n);
  return texts.map(([label, other]) =>
    rejected(`scalar: ${label}`, { ...signed, signature: Buffer.concat([signed.r, le(other)]) }),
  );
}

/** Every encoding with y from p on, as R and as key. */
function beyondPrime(): Case[] {
  return times(19, (t) => t).flatMap((t) =>
    [0n, SIGN].flatMap((sign) => {
      const point = le(P + BigInt(t) + sign);
      const label = `p + ${t}${sign === 0n ? "" : ", signed"}`;
      const signed = signer(`beyond ${label}`).sign(stretch(label, 50));
      const { a, key } = signer(`beyond ${label}`);
      const s = mod(challenge(point, key, signed.message) * a);
      return [
        rejected(`y ≥ p: R = ${label}`, { ...signed, signature: join(point, s) }),
        rejected(`y ≥ p: key = ${label}`, { ...signed, publicKey: point }),
      ];
    }),
  );
}

/** y that no point has, as R and as key. */
function offCurve(): Case[] {
  const ys = times(200, (y) => BigInt(y)).filter((y) => !isY(y));
  return ys.slice(0, 12).flatMap((y) => {
    const point = le(y);
    const signed = signer(`off curve ${y}`).sign(stretch(`off curve ${y}`, 50));
    return [
      rejected(`off the curve: R = ${y}`, { ...signed, signature: Buffer.concat([point, signed.s]) }),
      rejected(`off the curve: key = ${y}`, { ...signed, publicKey: point }),
    ];
  });
}

/** Constant bytes: what broken or lazy code sends. */
function constants(): Case[] {
  const signed = signer("constants").sign(stretch("constants", 50));
  return [0x00, 0x01, 0x7f, 0x80, 0xff].flatMap((byte) => {
    const [key, signature] = [Buffer.alloc(32, byte), Buffer.alloc(64, byte)];
    return [
      rejected(`constant ${byte}: signature`, { ...signed, signature }),
      rejected(`constant ${byte}: key`, { ...signed, publicKey: key }),
      rejected(`constant ${byte}: both`, { ...signed, signature, publicKey: key }),
    ];
  });
}

/** All 14 encodings of points of small order: label, bytes, and which multiple of `TORSION` the point is. */
function weakEncodings(): [string, Uint8Array, bigint][] {
  const canonical = times(8, (i): [string, Uint8Array, bigint] => [`T${i}`, torsion(i).toBytes(), BigInt(i)]);
  const zero = canonical.filter(([, point]) => number(point) % SIGN === 0n);
  const multiple = (sign: bigint) => zero.find(([, point]) => number(point) >= SIGN === sign > 0n)?.[2] as bigint;
  return [
    ...canonical,
    ["1, signed", le(1n + SIGN), 0n],
    ["p - 1, signed", le(P - 1n + SIGN), 4n],
    ["p", le(P), multiple(0n)],
    ["p, signed", le(P + SIGN), multiple(SIGN)],
    ["p + 1", le(P + 1n), 0n],
    ["p + 1, signed", le(P + 1n + SIGN), 0n],
  ];
}

/** Whether some k has k·i + j ≡ 0 (mod 8). */
function solvable(i: number, j: number): boolean {
  return times(8, (k) => k).some((k) => (k * i + j) % 8 === 0);
}

function torsion(i: number): Point {
  return times(i, () => TORSION).reduce((sum, point) => sum.add(point), Point.ZERO);
}

function isY(y: bigint): boolean {
  try {
    Point.fromBytes(le(y));
    return true;
  } catch {
    return false;
  }
}

interface Signer {
  readonly a: bigint;
  readonly A: Point;
  readonly key: Uint8Array;
  sign(message: Uint8Array): Signed;
}

interface Signed {
  readonly message: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly signature: Uint8Array;
  readonly r: Uint8Array;
  readonly s: Uint8Array;
}

/** A key whose secret scalar is known. */
function signer(label: string): Signer {
  const a = scalarOf(`key ${label}`);
  const A = Point.BASE.multiply(a);
  const key = A.toBytes();
  const sign = (message: Uint8Array): Signed => {
    const nonce = scalarOf(`nonce ${label}`);
    const r = Point.BASE.multiply(nonce).toBytes();
    const s = scalar(mod(nonce + challenge(r, key, message) * a));
    return { message, publicKey: key, signature: Buffer.concat([r, s]), r, s };
  };
  return { a, A, key, sign };
}

function rejected(name: string, fields: Pick<Case, "message" | "signature" | "publicKey">): Case {
  const { message, signature, publicKey } = fields;
  return { name, message, signature, publicKey, accepted: false };
}

/** The first of `label`'s messages that fits; the last when none of `tries` does. */
function search(label: string, fits: (message: Uint8Array) => boolean, tries = 10_000): Uint8Array {
  for (let i = 0; i < tries - 1; i++) {
    const message = stretch(`${label} ${i}`, 50);
    if (fits(message)) return message;
  }
  return stretch(`${label} ${tries - 1}`, 50);
}

/** k = SHA-512(R ‖ key ‖ message) mod L, over the bytes as they are. */
function challenge(r: Uint8Array, key: Uint8Array, message: Uint8Array): bigint {
  return mod(number(sha512(Buffer.concat([r, key, message]))));
}

function sha512(data: Uint8Array): Uint8Array {
  return createHash("sha512").update(data).digest();
}

function join(r: Uint8Array, s: bigint): Uint8Array {
  return Buffer.concat([r, scalar(s)]);
}

function negated(point: Uint8Array): Uint8Array {
  return Point.fromBytes(point).negate().toBytes();
}

function mod(value: bigint): bigint {
  return ((value % L) + L) % L;
}

function scalar(value: bigint): Uint8Array {
  return le(mod(value));
}

function scalarOf(label: string): bigint {
  return mod(number(bytes(`scalar ${label}`)));
}

function bytes(label: string): Uint8Array {
  return sha512(Buffer.from(`mppsol ed25519 vectors: ${label}`));
}

/** `length` bytes that depend on nothing but the label. */
function stretch(label: string, length: number): Uint8Array {
  const blocks = times(Math.ceil(length / 64), (i) => bytes(`${label} block ${i}`));
  return Buffer.concat(blocks).subarray(0, length);
}

function le(value: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
}

function number(littleEndian: Uint8Array): bigint {
  return littleEndian.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

function hex(value: Uint8Array): string {
  return Buffer.from(value).toString("hex");
}

function times<T>(count: number, make: (i: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => make(i));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) writeFileSync(FILE, fileText());
