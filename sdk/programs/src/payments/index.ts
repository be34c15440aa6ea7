// Instructions of the pay program. Each builder returns them in the order in which they must stand.
import { type Attestation, InvalidFieldError, type SignedVoucher } from "@mppsol/core";
import { PublicKey, SYSVAR_INSTRUCTIONS_PUBKEY, SystemProgram, type TransactionInstruction } from "@solana/web3.js";
import { SESSION_PROGRAM_ID } from "../constants.js";
import { attestationInstruction, voucherInstruction } from "../ed25519.js";
import { bn, bnSigned } from "../numbers.js";
import { receiptAddress, requireTokenProgram, tokenAddress } from "../pda.js";
import { offlinePayProgram } from "../programs.js";
import { createTokenAccounts, type Token } from "../session/tokens.js";

/** What a payment is for and who may use its receipt. */
export interface Terms {
  /** Base units, not 0. */
  readonly amount: bigint;
  /** 32 bytes, not all zero: what is paid for, hashed by rules of payer and recipient. */
  readonly requestHash: Uint8Array;
  /** u64; tells payments of one payer in one slot apart. */
  readonly nonce: bigint;
  /** A slot of the last 1,500. */
  readonly paySlot: bigint;
  /** Unix seconds; the receipt counts while now < expiresAt. `0n` never expires. */
  readonly expiresAt: bigint;
  /** Who alone may consume the receipt. */
  readonly consumer: PublicKey;
}

export interface PayInput extends Terms, Token {
  /** Signs; its associated token account pays. */
  readonly payer: PublicKey;
  /** Signs. Pays the receipt's rent and gets it back. The payer, unless told. */
  readonly rentPayer?: PublicKey;
  /** Owner of the associated token account that is paid. */
  readonly recipient: PublicKey;
  /** Whether the receipt counts only once the recipient has attested a result. It then needs an expiry. */
  readonly needsAttestation: boolean;
  /** Signs, and pays for the recipient's token account if it is missing; without it the payment then fails. */
  readonly createAccounts?: PublicKey;
}

/**
 * Moves the amount to the recipient and writes the receipt, at `receiptAddress({ source: payer, … })`.
 * Signers: payer, rent payer, who creates the account.
 * @throws {InvalidFieldError} for an integer, hash or token program that is none.
 */
export async function pay(input: PayInput): Promise<TransactionInstruction[]> {
  const { payer, recipient, mint, createAccounts } = input;
  const tokenProgram = requireTokenProgram(input.tokenProgram);
  const instruction = await offlinePayProgram()
    .methods.pay({ ...termsArgs(input), needsAttestation: input.needsAttestation })
    .accountsStrict({
      payer,
      rentPayer: input.rentPayer ?? payer,
      recipient,
      mint,
      receipt: receiptAddress({ source: payer, nonce: input.nonce, paySlot: input.paySlot }),
      payerTokenAccount: tokenAddress(payer, mint, tokenProgram),
      recipientTokenAccount: tokenAddress(recipient, mint, tokenProgram),
      tokenProgram,
      systemProgram: SystemProgram.programId,
    })
    .instruction();
  if (createAccounts === undefined) return [instruction];
  return [...createTokenAccounts(createAccounts, [recipient], input), instruction];
}

export interface PayFromSessionInput extends Terms {
  /** Signs: the channel's payer or its authorized signer. */
  readonly authority: PublicKey;
  /** Signs. Pays the receipt's rent and gets it back. The authority, unless told. */
  readonly rentPayer?: PublicKey;
  /** Raises the channel's watermark by exactly `amount`. */
  readonly voucher: SignedVoucher.SignedVoucher;
}

/**
 * Cashes a voucher and writes a receipt that waits for the payee's attestation, at
 * `receiptAddress({ source: channel, … })`: the Ed25519 instruction, then `pay_from_session`.
 * Signers: authority, rent payer. Throws as `pay`.
 */
export async function payFromSession(input: PayFromSessionInput): Promise<TransactionInstruction[]> {
  const { authority, voucher, nonce, paySlot } = input;
  const channel = new PublicKey(voucher.voucher.channelId);
  const instruction = await offlinePayProgram()
    .methods.payFromSession(termsArgs(input))
    .accountsStrict({
      authority,
      rentPayer: input.rentPayer ?? authority,
      channel,
      receipt: receiptAddress({ source: channel, nonce, paySlot }),
      instructionsSysvar: SYSVAR_INSTRUCTIONS_PUBKEY,
      sessionProgram: SESSION_PROGRAM_ID,
      systemProgram: SystemProgram.programId,
    })
    .instruction();
  return [voucherInstruction(voucher), instruction];
}

/** Binds a result to a receipt, by the recipient's own signature on the transaction. Signer: recipient. */
export async function attest(input: {
  readonly receipt: PublicKey;
  readonly recipient: PublicKey;
  /** 32 bytes, not all zero. */
  readonly resultHash: Uint8Array;
}): Promise<TransactionInstruction[]> {
  const { receipt, recipient } = input;
  const instruction = await offlinePayProgram()
    .methods.attest({ resultHash: hash(input.resultHash, "resultHash") })
    .accountsStrict({ receipt, recipient, instructionsSysvar: null })
    .instruction();
  return [instruction];
}

/**
 * Binds a result to a receipt by what the recipient signed off chain: the Ed25519 instruction, then `attest`.
 * Nobody signs. Throws as `Attestation.encode`.
 */
export async function attestSigned(signed: Attestation.SignedAttestation): Promise<TransactionInstruction[]> {
  const { receipt, resultHash } = signed.attestation;
  const proof = attestationInstruction(signed);
  const instruction = await offlinePayProgram()
    .methods.attest({ resultHash: [...resultHash] })
    .accountsStrict({
      receipt: new PublicKey(receipt),
      recipient: null,
      instructionsSysvar: SYSVAR_INSTRUCTIONS_PUBKEY,
    })
    .instruction();
  return [proof, instruction];
}

/** What a receipt must say. */
export interface Expected {
  /** Left out, any payer is accepted. */
  readonly payer?: PublicKey;
  readonly recipient: PublicKey;
  readonly mint: PublicKey;
  /** Base units, exactly. */
  readonly amount: bigint;
  /** 32 bytes. */
  readonly requestHash: Uint8Array;
  readonly consumer: PublicKey;
  /** Attested if it was paid on that condition; attested in any case; or attested with this hash. */
  readonly result: "as-paid" | "attested" | { readonly hash: Uint8Array };
}

/** Fails unless the receipt is good for these terms; answers by return data (`decodeVerdict`). Nobody signs. */
export async function verify(input: {
  readonly receipt: PublicKey;
  readonly expected: Expected;
}): Promise<TransactionInstruction[]> {
  const { expected, receipt } = input;
  const instruction = await offlinePayProgram()
    .methods.verify({
      payer: expected.payer ?? null,
      recipient: expected.recipient,
      mint: expected.mint,
      amount: bn(expected.amount, "amount"),
      requestHash: hash(expected.requestHash, "requestHash"),
      consumer: expected.consumer,
      result: expectedResult(expected.result),
    })
    .accountsStrict({ receipt })
    .instruction();
  return [instruction];
}

/** Uses a receipt up. Signer: consumer. */
export async function consume(input: {
  readonly receipt: PublicKey;
  readonly consumer: PublicKey;
}): Promise<TransactionInstruction[]> {
  const { receipt, consumer } = input;
  return [await offlinePayProgram().methods.consume().accountsStrict({ receipt, consumer }).instruction()];
}

/** Returns the rent of a receipt that is consumed or expired, after its window. Nobody signs. */
export async function closeReceipt(input: {
  readonly receipt: PublicKey;
  readonly rentPayer: PublicKey;
}): Promise<TransactionInstruction[]> {
  const { receipt, rentPayer } = input;
  return [await offlinePayProgram().methods.closeReceipt().accountsStrict({ receipt, rentPayer }).instruction()];
}

function termsArgs(terms: Terms) {
  return {
    amount: bn(terms.amount, "amount"),
    requestHash: hash(terms.requestHash, "requestHash"),
    nonce: bn(terms.nonce, "nonce"),
    paySlot: bn(terms.paySlot, "paySlot"),
    expiresAt: bnSigned(terms.expiresAt, "expiresAt"),
    consumer: terms.consumer,
  };
}

function expectedResult(result: Expected["result"]) {
  if (result === "as-paid") return { asPaid: {} };
  if (result === "attested") return { attested: {} };
  return { hash: { 0: hash(result.hash, "result.hash") } };
}

function hash(bytes: Uint8Array, field: string): number[] {
  if (bytes.length !== 32) throw new InvalidFieldError(field, "not 32 bytes");
  return [...bytes];
}
