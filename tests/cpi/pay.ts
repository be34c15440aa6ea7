// The pay program as the tests use it: instructions built from the IDL, sound terms by default, anything changeable.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import anchor, { type Idl } from "@coral-xyz/anchor";
import { ed25519Instruction, signMessage } from "@mppsol/programs";
import {
  type AccountInfo,
  Keypair,
  PublicKey,
  SYSVAR_INSTRUCTIONS_PUBKEY,
  SystemProgram,
  type TransactionInstruction,
} from "@solana/web3.js";
import { expect } from "chai";
import { artifact, chain, programId } from "../support/chain.js";
import type { Channel, World } from "../support/world.js";

const { BN, Program } = anchor;

function load(name: string): InstanceType<typeof Program> {
  const idl = JSON.parse(readFileSync(artifact(`${name}.json`), "utf8")) as Idl;
  return new Program(idl, { connection: chain.connection } as never);
}

export const pay = load("mppsol_cpi");
export const oracle = load("paid_oracle");
export const PAY_PROGRAM = pay.programId;
/** An optional account that is left out. */
export const NONE = PAY_PROGRAM;
export const SESSION_PROGRAM = programId("mppsol_session");
export const WINDOW = 1_500n;
export const RECEIPT_LEN = 332;
/** Seconds that a receipt lives where its end must be waited for. */
export const LIFETIME = chain.isLocalnet ? 600 : 4;

export interface Terms {
  amount: bigint;
  requestHash: Uint8Array;
  nonce: bigint;
  paySlot: bigint;
  expiresAt: bigint;
  consumer: PublicKey;
  needsAttestation: boolean;
}

export interface Receipt {
  version: number;
  bump: number;
  status: Record<string, unknown>;
  needsAttestation: boolean;
  nonce: bigint;
  paySlot: bigint;
  slot: bigint;
  paidAt: bigint;
  expiresAt: bigint;
  attestedAt: bigint;
  consumedAt: bigint;
  amount: bigint;
  payer: PublicKey;
  recipient: PublicKey;
  mint: PublicKey;
  consumer: PublicKey;
  rentPayer: PublicKey;
  channel: PublicKey;
  requestHash: Buffer;
  resultHash: Buffer;
}

export interface Expected {
  payer: PublicKey | null;
  recipient: PublicKey;
  mint: PublicKey;
  amount: bigint;
  requestHash: Uint8Array;
  consumer: PublicKey;
  result: { asPaid: object } | { attested: object } | { hash: [number[]] };
}

export const hash = (text: string): Buffer => createHash("sha256").update(text).digest();
export const bn = (value: bigint) => new BN(value.toString());
export const consumer = Keypair.generate();
export const RESULT = hash("the result");

const u64 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
};

/** Terms that `pay` accepts, with some of them changed. */
export async function terms(change: Partial<Terms> = {}): Promise<Terms> {
  return {
    amount: 100n,
    requestHash: hash("the request"),
    nonce: BigInt(Math.floor(Math.random() * 2 ** 48)),
    paySlot: await chain.slot(),
    expiresAt: BigInt((await chain.now()) + LIFETIME),
    consumer: consumer.publicKey,
    needsAttestation: true,
    ...change,
  };
}

/** A slot so old that few more have to pass until the window closes. */
export async function oldSlot(): Promise<bigint> {
  const slot = (await chain.slot()) - WINDOW + 20n;
  return slot > 0n ? slot : 0n;
}

export function receiptAddress(source: PublicKey, { nonce, paySlot }: Pick<Terms, "nonce" | "paySlot">): PublicKey {
  const seeds = [Buffer.from("receipt"), source.toBytes(), u64(nonce), u64(paySlot)];
  return PublicKey.findProgramAddressSync(seeds, PAY_PROGRAM)[0];
}

const args = (terms: Terms) => ({
  ...terms,
  amount: bn(terms.amount),
  nonce: bn(terms.nonce),
  paySlot: bn(terms.paySlot),
  expiresAt: bn(terms.expiresAt),
  requestHash: [...terms.requestHash],
});

export function payInstruction(
  world: World,
  terms: Terms,
  change: Record<string, PublicKey> = {},
): Promise<TransactionInstruction> {
  const payer = change.payer ?? world.payer.publicKey;
  const recipient = change.recipient ?? world.payee.publicKey;
  return pay.methods.pay!(args(terms))
    .accountsStrict({
      payer,
      rentPayer: world.operator.publicKey,
      recipient,
      mint: world.mint,
      receipt: receiptAddress(payer, terms),
      payerTokenAccount: world.ata(payer),
      recipientTokenAccount: world.ata(recipient),
      tokenProgram: world.tokenProgram,
      systemProgram: SystemProgram.programId,
      ...change,
    })
    .instruction();
}

/** Pays, and gives the receipt's address. */
export async function paid(world: World, change: Partial<Terms> = {}): Promise<PublicKey> {
  const the = await terms(change);
  await world.send([await payInstruction(world, the)], [world.payer, world.operator]);
  return receiptAddress(world.payer.publicKey, the);
}

export async function payFromSession(
  world: World,
  channel: Channel,
  cumulative: bigint,
  terms: Terms,
  change: Record<string, PublicKey> = {},
): Promise<TransactionInstruction[]> {
  const [voucher] = await world.debitInstructions(channel, cumulative);
  const instruction = await pay.methods.payFromSession!(args(terms))
    .accountsStrict({
      authority: world.payer.publicKey,
      rentPayer: world.operator.publicKey,
      channel: channel.address,
      receipt: receiptAddress(channel.address, terms),
      instructionsSysvar: SYSVAR_INSTRUCTIONS_PUBKEY,
      sessionProgram: SESSION_PROGRAM,
      systemProgram: SystemProgram.programId,
      ...change,
    })
    .instruction();
  return [voucher!, instruction];
}

/** By the recipient's own signature on the transaction. */
export function attest(
  receipt: PublicKey,
  recipient: PublicKey,
  result: Uint8Array = RESULT,
): Promise<TransactionInstruction> {
  return pay.methods.attest!({ resultHash: [...result] })
    .accountsStrict({ receipt, recipient, instructionsSysvar: NONE })
    .instruction();
}

/** By whatever the Ed25519 instruction before it proves. */
export function attestBySignature(
  receipt: PublicKey,
  result: Uint8Array = RESULT,
  instructionsSysvar: PublicKey = SYSVAR_INSTRUCTIONS_PUBKEY,
): Promise<TransactionInstruction> {
  return pay.methods.attest!({ resultHash: [...result] })
    .accountsStrict({ receipt, recipient: NONE, instructionsSysvar })
    .instruction();
}

export interface Attestation {
  magic?: readonly number[];
  receipt: PublicKey;
  request?: Uint8Array;
  result?: Uint8Array;
}

export function attestationMessage({
  magic = [0x52, 0x01],
  receipt,
  request = hash("the request"),
  result = RESULT,
}: Attestation): Buffer {
  return Buffer.concat([Buffer.from(magic), receipt.toBytes(), request, result]);
}

export function signed(key: Keypair, message: Uint8Array): TransactionInstruction {
  return ed25519Instruction({ publicKey: key.publicKey.toBytes(), signature: signMessage(key, message), message });
}

export function consume(receipt: PublicKey, by: PublicKey = consumer.publicKey): Promise<TransactionInstruction> {
  return pay.methods.consume!().accountsStrict({ receipt, consumer: by }).instruction();
}

export function closeReceipt(receipt: PublicKey, rentPayer: PublicKey): Promise<TransactionInstruction> {
  return pay.methods.closeReceipt!().accountsStrict({ receipt, rentPayer }).instruction();
}

export function verify(receipt: PublicKey, expected: Expected): Promise<TransactionInstruction> {
  return pay.methods.verify!({ ...expected, amount: bn(expected.amount), requestHash: [...expected.requestHash] })
    .accountsStrict({ receipt })
    .instruction();
}

/** The terms of a payment of these defaults. */
export function expected(world: World, change: Partial<Expected> = {}): Expected {
  return {
    payer: world.payer.publicKey,
    recipient: world.payee.publicKey,
    mint: world.mint,
    amount: 100n,
    requestHash: hash("the request"),
    consumer: consumer.publicKey,
    result: { asPaid: {} },
    ...change,
  };
}

export async function account(address: PublicKey): Promise<AccountInfo<Buffer> | null> {
  return chain.connection.getAccountInfo(address, "confirmed");
}

/** The receipt at an address, its numbers as bigints. */
export async function receipt(address: PublicKey): Promise<Receipt> {
  const found = await account(address);
  if (found === null) throw new Error("there is no receipt");
  expect(found.owner.equals(PAY_PROGRAM), "the pay program owns the receipt").equal(true);
  expect(found.data.length).equal(RECEIPT_LEN);
  const raw = pay.coder.accounts.decode<Record<string, unknown>>("receipt", found.data);
  const plain = Object.entries(raw).map(([name, value]) => [
    name,
    BN.isBN(value) ? BigInt(value.toString()) : Array.isArray(value) ? Buffer.from(value as number[]) : value,
  ]);
  return Object.fromEntries(plain) as Receipt;
}

/** Sends what must be refused by one of our numbers, and checks number, name, books, and that nothing changed. */
export async function refuses(
  world: World,
  name: string,
  instructions: readonly TransactionInstruction[],
  signers: readonly Keypair[] = [],
  program = pay,
): Promise<void> {
  const error = program.idl.errors?.find((e) => e.name.toLowerCase() === name.toLowerCase());
  if (error === undefined) throw new Error(`the IDL has no error ${name}`);
  await refusesWith(world, error.code, instructions, signers);
}

/** As `refuses`, for a number that is not in our IDL, or a refusal that the runtime names. */
export async function refusesWith(
  world: World,
  code: number | string,
  instructions: readonly TransactionInstruction[],
  signers: readonly Keypair[] = [],
): Promise<void> {
  const before = await writable(instructions);
  const landed = await chain.send(instructions, signers);
  const [, reason] = (landed.err as { InstructionError?: [number, unknown] } | null)?.InstructionError ?? [];
  const got = (reason as { Custom?: number } | undefined)?.Custom ?? reason;
  expect(got, `${JSON.stringify(landed.err)}\n${landed.logs.join("\n")}`).equal(code);
  expect(await writable(instructions), "a refused transaction changed something").deep.equal(before);
  await world.check();
}

async function writable(instructions: readonly TransactionInstruction[]): Promise<string[]> {
  const keys = instructions.flatMap((ix) => ix.keys.filter((key) => key.isWritable).map((key) => key.pubkey));
  const accounts = await chain.connection.getMultipleAccountsInfo(keys, "confirmed");
  return accounts.map((a, at) => {
    const lamports = keys[at]?.equals(chain.payer.publicKey) ? "" : a?.lamports;
    return `${keys[at]} ${a?.owner} ${lamports} ${a?.data.toString("hex")}`;
  });
}
