// Every way in which a client can change a payment before, while and after it signs it. Small numbers say where and how,
// so that a counterexample shrinks to the few changes that matter.

import { signMessage } from "@mppsol/programs";
import {
  AuthorityType,
  createApproveInstruction,
  createAssociatedTokenAccountIdempotentInstruction,
  createBurnInstruction,
  createCloseAccountInstruction,
  createSetAuthorityInstruction,
  createTransferCheckedInstruction,
  createTransferInstruction,
} from "@solana/spl-token";
import {
  type AddressLookupTableAccount,
  ComputeBudgetProgram,
  Keypair,
  type PublicKey,
  SystemProgram,
  TransactionInstruction,
  TransactionMessage,
  VersionedTransaction,
} from "@solana/web3.js";
import fc from "fast-check";
import { memo } from "../../server/charge/shop.ts";
import { ata, USDC } from "./market.ts";

/** Who and what a mutant is made of. */
export interface Cast {
  readonly buyer: Keypair;
  readonly thief: Keypair;
  readonly sponsor: PublicKey;
  readonly seller: PublicKey;
  readonly partner: PublicKey;
  readonly table: AddressLookupTableAccount;
}

const KINDS = [
  "drop",
  "duplicate",
  "move",
  "account",
  "accounts-swapped",
  "account-added",
  "account-dropped",
  "flags",
  "program",
  "data-byte",
  "data-length",
  "amount",
  "hostile",
  "unit-price",
  "unit-limit",
  "no-unit-limit",
  "fee-payer",
  "legacy",
  "table",
  "message-byte",
  "signature-byte",
] as const;

/** One change: which, and three numbers that say where and how. */
export interface Mutation {
  readonly kind: (typeof KINDS)[number];
  readonly at: number;
  readonly how: number;
  readonly much: number;
}

const small = fc.nat({ max: 1 << 16 });

export const mutations: fc.Arbitrary<Mutation[]> = fc.array(
  fc.record({ kind: fc.constantFrom(...KINDS), at: small, how: small, much: small }),
  { minLength: 1, maxLength: 4 },
);

/** Work on one mutant. */
interface Work {
  instructions: TransactionInstruction[];
  feePayer: PublicKey;
  legacy: boolean;
  table: boolean;
  /** Changes of the finished message, and of the signatures. */
  late: Mutation[];
}

/** The transaction that is left of an honest one, signed by the buyer and the thief wherever they are asked to. */
export async function mutant(
  honest: readonly TransactionInstruction[],
  blockhash: string,
  changes: readonly Mutation[],
  cast: Cast,
): Promise<Uint8Array | undefined> {
  const work: Work = {
    instructions: honest.map(copy),
    feePayer: cast.sponsor,
    legacy: false,
    table: false,
    late: [],
  };
  for (const change of changes) mutate(work, change, cast);
  const { instructions, feePayer, legacy, table, late } = work;
  const plan = new TransactionMessage({ payerKey: feePayer, recentBlockhash: blockhash, instructions });
  const message = legacy ? plan.compileToLegacyMessage() : plan.compileToV0Message(table ? [cast.table] : []);
  let bytes: Uint8Array;
  try {
    bytes = new VersionedTransaction(message).message.serialize();
  } catch {
    // It does not fit into a packet.
    return undefined;
  }
  for (const { kind, at, how } of late) if (kind === "message-byte") bytes[at % bytes.length] = how % 256;
  const wire = await sign(bytes, message.header.numRequiredSignatures, [cast.buyer, cast.thief]);
  for (const { kind, at, how } of late) {
    if (kind === "signature-byte") wire[1 + (at % (64 * message.header.numRequiredSignatures))] = how % 256;
  }
  return wire.length > 1_232 ? undefined : wire;
}

/** Signs the bytes as they are, even if they are no message any more. */
async function sign(message: Uint8Array, count: number, signers: readonly Keypair[]): Promise<Uint8Array> {
  const keysAt = (message[0]! & 0x80 ? 1 : 0) + 3 + 1;
  const signatures = await Promise.all(
    Array.from({ length: count }, async (_, at) => {
      const key = message.subarray(keysAt + 32 * at, keysAt + 32 * at + 32);
      const signer = signers.find(({ publicKey }) => Buffer.compare(publicKey.toBytes(), key) === 0);
      return signer === undefined ? new Uint8Array(64) : signMessage(signer, message);
    }),
  );
  return Uint8Array.of(count, ...signatures.flatMap((signature) => [...signature]), ...message);
}

function mutate(work: Work, change: Mutation, cast: Cast): void {
  const { kind, at, how, much } = change;
  const list = work.instructions;
  switch (kind) {
    case "hostile":
      list.splice(at % (list.length + 1), 0, hostile(how, much, cast));
      return;
    case "unit-price":
      replace(list, ComputeBudgetProgram.setComputeUnitPrice({ microLamports: how * 8 }), at % 4 === 3);
      return;
    case "unit-limit":
      replace(list, ComputeBudgetProgram.setComputeUnitLimit({ units: how * 32 }), at % 4 === 3);
      return;
    case "no-unit-limit":
      work.instructions = list.filter((one) => !isBudget(one, 2));
      return;
    case "fee-payer":
      work.feePayer = pick(keysOf(cast), at);
      return;
    case "legacy":
      work.legacy = true;
      return;
    case "table":
      work.table = true;
      return;
    case "message-byte":
    case "signature-byte":
      work.late.push(change);
      return;
    default:
      if (list.length > 0) edit(list, change, cast);
  }
}

/** Changes one instruction. */
function edit(list: TransactionInstruction[], { kind, at, how, much }: Mutation, cast: Cast): void {
  const index = at % list.length;
  const one = list[index]!;
  const { keys } = one;
  const place = keys.length === 0 ? 0 : much % keys.length;
  const key = pick(keysOf(cast), how);
  const meta = keys[place];
  if (kind === "drop") list.splice(index, 1);
  if (kind === "duplicate") list.splice(how % (list.length + 1), 0, copy(one));
  if (kind === "move") list.splice(how % list.length, 0, ...list.splice(index, 1));
  if (kind === "account" && meta !== undefined) keys[place] = { ...meta, pubkey: key };
  if (kind === "accounts-swapped" && meta !== undefined) {
    const other = how % keys.length;
    [keys[place], keys[other]] = [keys[other]!, meta];
  }
  if (kind === "account-added") keys.push({ pubkey: key, isSigner: much % 3 === 0, isWritable: much % 2 === 0 });
  if (kind === "account-dropped") keys.pop();
  if (kind === "flags" && meta !== undefined) {
    keys[place] = { ...meta, isSigner: how % 2 === 0, isWritable: how % 3 === 0 };
  }
  if (kind === "program") one.programId = key;
  if (kind === "data-byte" && one.data.length > 0) one.data[how % one.data.length] = much % 256;
  if (kind === "data-length")
    one.data = how % 2 ? one.data.subarray(0, -1) : Buffer.concat([one.data, Buffer.of(much)]);
  if (kind === "amount" && one.data.length >= 9) {
    const offset = one.data.length === 12 ? 4 : 1;
    const amount = one.data.readBigUInt64LE(offset) + BigInt((how % 3) - 1) * BigInt(1 + much);
    one.data.writeBigUInt64LE(BigInt.asUintN(64, amount), offset);
  }
}

/** Puts a setting in the place of the same one, or beside it. */
function replace(list: TransactionInstruction[], setting: TransactionInstruction, beside: boolean): void {
  const same = list.findIndex((one) => isBudget(one, setting.data[0]!));
  if (same >= 0 && !beside) list[same] = setting;
  else list.unshift(setting);
}

function isBudget({ programId, data }: TransactionInstruction, kind: number): boolean {
  return programId.equals(ComputeBudgetProgram.programId) && data[0] === kind;
}

const known = new WeakMap<Cast, readonly PublicKey[]>();

/** Keys that a mutant may put anywhere. To derive the accounts takes longer than all else: once for each cast. */
function keysOf(cast: Cast): readonly PublicKey[] {
  const { buyer, thief, sponsor, seller, partner } = cast;
  const owners = [sponsor, thief.publicKey, buyer.publicKey, seller, partner];
  const keys = known.get(cast) ?? [...owners, ...owners.map((owner) => ata(owner)), USDC, SystemProgram.programId];
  known.set(cast, keys);
  return keys;
}

/** Instructions that a thief would like to see signed. */
function hostile(how: number, much: number, { buyer, thief, sponsor, seller }: Cast): TransactionInstruction {
  const from = pick([sponsor, buyer.publicKey, thief.publicKey], much);
  const to = pick([thief.publicKey, buyer.publicKey, seller], how >> 4);
  const amount = BigInt(1 + (much % 5_000));
  const makers = [
    () => SystemProgram.transfer({ fromPubkey: from, toPubkey: to, lamports: 20_000_000n + amount }),
    () => createTransferCheckedInstruction(ata(from), USDC, ata(to), from, amount, 6),
    () => createTransferCheckedInstruction(ata(from), USDC, ata(to), buyer.publicKey, amount, 6),
    () => createTransferInstruction(ata(from), ata(to), from, amount),
    () => createCloseAccountInstruction(ata(from), to, from),
    () => createApproveInstruction(ata(from), to, from, amount),
    () => createSetAuthorityInstruction(ata(from), from, AuthorityType.AccountOwner, to),
    () => createBurnInstruction(ata(from), USDC, from, amount),
    () => SystemProgram.assign({ accountPubkey: from, programId: USDC }),
    () => SystemProgram.allocate({ accountPubkey: from, space: 1 }),
    () => SystemProgram.nonceAdvance({ noncePubkey: to, authorizedPubkey: from }),
    () => creation(sponsor, Keypair.generate().publicKey),
    () => creation(from, to),
    () => memo("memo", much % 2 ? [from] : []),
    () => ComputeBudgetProgram.requestHeapFrame({ bytes: 65_536 }),
  ];
  return pick(makers, how)();
}

function creation(payer: PublicKey, owner: PublicKey): TransactionInstruction {
  return createAssociatedTokenAccountIdempotentInstruction(payer, ata(owner), owner, USDC);
}

function pick<T>(list: readonly T[], at: number): T {
  return list[at % list.length]!;
}

function copy({ programId, keys, data }: TransactionInstruction): TransactionInstruction {
  return new TransactionInstruction({ programId, keys: keys.map((key) => ({ ...key })), data: Buffer.from(data) });
}
