// Instructions of the session program. Each builder returns them in the order in which they must stand.
import { type BatchVoucher, type SignedVoucher, Splits } from "@mppsol/core";
import { ASSOCIATED_TOKEN_PROGRAM_ID } from "@solana/spl-token";
import {
  PublicKey,
  SYSVAR_INSTRUCTIONS_PUBKEY,
  SYSVAR_RENT_PUBKEY,
  SystemProgram,
  type TransactionInstruction,
} from "@solana/web3.js";
import { SESSION_PROGRAM_ID, TREASURY } from "../constants.js";
import { batchVoucherInstruction, voucherInstruction } from "../ed25519.js";
import { UnsettleableSplitsError } from "../failures.js";
import { bn, u32 } from "../numbers.js";
import { channelAddress, escrowAddress, eventAuthority, requireTokenProgram, tokenAddress } from "../pda.js";
import { offlineSessionProgram } from "../programs.js";
import { createTokenAccounts, type Token, writable } from "./tokens.js";

export { createTokenAccounts, type Token } from "./tokens.js";

/** Every builder can name another program of the same interface; the session program when it does not. */
export interface Target {
  readonly programId?: PublicKey;
}

export interface OpenInput extends Target, Token {
  /** Signs. Deposits, and gets the refund. */
  readonly payer: PublicKey;
  /** Signs. Pays the rent and gets it back. The payer, unless told. */
  readonly rentPayer?: PublicKey;
  readonly payee: PublicKey;
  /** Signs the vouchers. The payer, unless told. */
  readonly authorizedSigner?: PublicKey;
  /** u64; see `grindSalt`. */
  readonly salt: bigint;
  /** A slot of the last 1,500. */
  readonly openSlot: bigint;
  /** Base units, not 0. */
  readonly deposit: bigint;
  /** Seconds between `revoke` and `seal`, not 0. */
  readonly gracePeriod: number;
  readonly splits?: readonly Splits.Split[];
}

/**
 * Creates a channel and its escrow and moves the deposit in. Signers: payer, rent payer.
 * @throws {InvalidFieldError} for an integer out of range or an unknown token program.
 * @throws {InvalidSplitsError} for splits that the program would refuse.
 * @throws {UnsettleableSplitsError} for more than could ever be settled.
 */
export async function open(input: OpenInput): Promise<TransactionInstruction[]> {
  const { payer, payee, mint, salt, openSlot, programId = SESSION_PROGRAM_ID, splits = [] } = input;
  const tokenProgram = requireTokenProgram(input.tokenProgram);
  const authorizedSigner = input.authorizedSigner ?? payer;
  const channel = channelAddress({ payer, payee, mint, authorizedSigner, salt, openSlot }, programId);
  requireSettleable(splits, channel);
  const instruction = await offlineSessionProgram(programId)
    .methods.open({
      salt: bn(salt, "salt"),
      deposit: bn(input.deposit, "deposit"),
      gracePeriod: u32(input.gracePeriod, "gracePeriod"),
      openSlot: bn(openSlot, "openSlot"),
      recipients: recipients(splits),
    })
    .accountsStrict({
      payer,
      rentPayer: input.rentPayer ?? payer,
      payee,
      mint,
      authorizedSigner,
      channel,
      payerTokenAccount: tokenAddress(payer, mint, tokenProgram),
      channelTokenAccount: escrowAddress(channel, mint, tokenProgram),
      tokenProgram,
      systemProgram: SystemProgram.programId,
      rent: SYSVAR_RENT_PUBKEY,
      associatedTokenProgram: ASSOCIATED_TOKEN_PROGRAM_ID,
      eventAuthority: eventAuthority(programId),
      selfProgram: programId,
    })
    .instruction();
  return [instruction];
}

export interface DebitInput extends Target {
  readonly voucher: SignedVoucher.SignedVoucher;
  /** The voucher's channel, unless told. */
  readonly channel?: PublicKey;
}

/** Raises the watermark: the Ed25519 instruction, then `debit`. Nobody signs. Throws as `Voucher.encode`. */
export async function debit(input: DebitInput): Promise<TransactionInstruction[]> {
  const channel = input.channel ?? new PublicKey(input.voucher.voucher.channelId);
  const instruction = await offlineSessionProgram(input.programId)
    .methods.debit()
    .accountsStrict({ channel, instructionsSysvar: SYSVAR_INSTRUCTIONS_PUBKEY })
    .instruction();
  return [voucherInstruction(input.voucher), instruction];
}

export interface TopupInput extends Target, Token {
  readonly channel: PublicKey;
  /** Signs. */
  readonly payer: PublicKey;
  /** Base units, not 0. */
  readonly amount: bigint;
}

/** Adds to the deposit. Signer: payer. Throws as `open`. */
export async function topup(input: TopupInput): Promise<TransactionInstruction[]> {
  const { channel, payer, mint, tokenProgram } = input;
  const instruction = await offlineSessionProgram(input.programId)
    .methods.topup({ amount: bn(input.amount, "amount") })
    .accountsStrict({
      payer,
      channel,
      payerTokenAccount: tokenAddress(payer, mint, tokenProgram),
      channelTokenAccount: escrowAddress(channel, mint, tokenProgram),
      mint,
      tokenProgram,
    })
    .instruction();
  return [instruction];
}

export interface CloseInput extends Target {
  readonly channel: PublicKey;
  /** Signs. */
  readonly payee: PublicKey;
  /** The last voucher, when it is above what is settled. */
  readonly voucher?: SignedVoucher.SignedVoucher;
}

/** Seals the channel: with a voucher the Ed25519 instruction, then `close`. Signer: payee. */
export async function close(input: CloseInput): Promise<TransactionInstruction[]> {
  const { channel, payee, voucher } = input;
  const instruction = await offlineSessionProgram(input.programId)
    .methods.close({ hasVoucher: voucher === undefined ? 0 : 1 })
    .accountsStrict({ payee, channel, instructionsSysvar: SYSVAR_INSTRUCTIONS_PUBKEY })
    .instruction();
  return voucher === undefined ? [instruction] : [voucherInstruction(voucher), instruction];
}

/** Starts the grace period. Signer: payer. */
export async function revoke(
  input: Target & { readonly channel: PublicKey; readonly payer: PublicKey },
): Promise<TransactionInstruction[]> {
  const { channel, payer } = input;
  return [
    await offlineSessionProgram(input.programId).methods.revoke().accountsStrict({ payer, channel }).instruction(),
  ];
}

/** Seals the channel after the grace period. Nobody signs. */
export async function seal(input: Target & { readonly channel: PublicKey }): Promise<TransactionInstruction[]> {
  const { channel } = input;
  return [await offlineSessionProgram(input.programId).methods.seal().accountsStrict({ channel }).instruction()];
}

/** Who shares in a payout. */
export interface Parties extends Token {
  readonly channel: PublicKey;
  readonly payer: PublicKey;
  readonly payee: PublicKey;
  /** The splits that the channel was opened with. */
  readonly splits?: readonly Splits.Split[];
}

export interface SettleInput extends Target, Parties {
  /** The channel's, who gets the rent back. */
  readonly rentPayer: PublicKey;
  /** The program's; another only for another build or program. */
  readonly treasury?: PublicKey;
  /**
   * Signs, and pays for the token accounts that payee, recipients, payer and treasury lack. Without one a share
   * goes to the treasury for good, so `false` is only for who knows that all exist.
   */
  readonly createAccounts: PublicKey | false;
}

/**
 * Pays recipients and payee; once sealed also refunds the payer and closes the escrow. Signer: who creates the
 * accounts. Throws as `open`.
 */
export async function settle(input: SettleInput): Promise<TransactionInstruction[]> {
  return [...accountsFor(input, input.treasury ?? TREASURY), await settleInstruction(input)];
}

/**
 * Ends a session in one transaction: missing accounts, then Ed25519 and `close` side by side, then `settle`.
 * Signers: payee, and who creates the accounts. Throws as `open`.
 */
export async function closeAndSettle(
  input: SettleInput & { readonly voucher?: SignedVoucher.SignedVoucher },
): Promise<TransactionInstruction[]> {
  return [...accountsFor(input, input.treasury ?? TREASURY), ...(await close(input)), await settleInstruction(input)];
}

async function settleInstruction(input: SettleInput): Promise<TransactionInstruction> {
  const { channel, payer, payee, rentPayer, mint, tokenProgram, splits = [] } = input;
  const { treasury = TREASURY, programId = SESSION_PROGRAM_ID } = input;
  requireSettleable(splits, channel);
  return offlineSessionProgram(programId)
    .methods.settle({ recipients: recipients(splits) })
    .accountsStrict({
      channel,
      payer,
      rentPayer,
      channelTokenAccount: escrowAddress(channel, mint, tokenProgram),
      payerTokenAccount: tokenAddress(payer, mint, tokenProgram),
      payeeTokenAccount: tokenAddress(payee, mint, tokenProgram),
      treasuryTokenAccount: tokenAddress(treasury, mint, tokenProgram),
      mint,
      tokenProgram,
      eventAuthority: eventAuthority(programId),
      selfProgram: programId,
    })
    .remainingAccounts(splitAccounts(input))
    .instruction();
}

export interface WithdrawPayerInput extends Target, Token {
  readonly channel: PublicKey;
  /** Signs. */
  readonly payer: PublicKey;
}

/** Refunds the payer alone, once the channel is sealed. Signer: payer. Throws as `open`. */
export async function withdrawPayer(input: WithdrawPayerInput): Promise<TransactionInstruction[]> {
  const { channel, payer, mint, tokenProgram } = input;
  const instruction = await offlineSessionProgram(input.programId)
    .methods.withdrawPayer()
    .accountsStrict({
      payer,
      channel,
      channelTokenAccount: escrowAddress(channel, mint, tokenProgram),
      payerTokenAccount: tokenAddress(payer, mint, tokenProgram),
      mint,
      tokenProgram,
    })
    .instruction();
  return [instruction];
}

/** Returns the rent of a channel that was paid out, after its window. Nobody signs. */
export async function reclaim(
  input: Target & { readonly channel: PublicKey; readonly rentPayer: PublicKey },
): Promise<TransactionInstruction[]> {
  const { channel, rentPayer } = input;
  return [
    await offlineSessionProgram(input.programId).methods.reclaim().accountsStrict({ channel, rentPayer }).instruction(),
  ];
}

/**
 * Raises the watermarks of many channels: the Ed25519 instruction, then `debit_batch`. Nobody signs. The program is
 * the one that the batch was signed for. More than 20 channels need an address lookup table.
 * Throws as `BatchVoucher.encode`.
 */
export async function debitBatch(input: {
  readonly voucher: BatchVoucher.SignedBatchVoucher;
}): Promise<TransactionInstruction[]> {
  const { batch } = input.voucher;
  const channels = batch.entries.map((entry) => new PublicKey(entry.channelId));
  const instruction = await offlineSessionProgram(new PublicKey(batch.programId))
    .methods.debitBatch()
    .accountsStrict({ instructionsSysvar: SYSVAR_INSTRUCTIONS_PUBKEY })
    .remainingAccounts(writable(channels))
    .instruction();
  return [batchVoucherInstruction(input.voucher), instruction];
}

export interface RearmInput extends Target, Parties {
  /** The last voucher, when it is above what is settled. */
  readonly voucher?: SignedVoucher.SignedVoucher;
  /** Signs, and pays for the token accounts that payee, recipients and payer lack; if one is missing, it fails. */
  readonly createAccounts: PublicKey | false;
}

/**
 * Pays everyone, refunds the unspent deposit and keeps the channel: missing accounts, with a voucher the Ed25519
 * instruction, then `rearm`. Signers: payee, and who creates the accounts. Throws as `open`.
 */
export async function rearm(input: RearmInput): Promise<TransactionInstruction[]> {
  const { channel, payer, payee, mint, tokenProgram, voucher, splits = [] } = input;
  const programId = input.programId ?? SESSION_PROGRAM_ID;
  requireSettleable(splits, channel);
  const instruction = await offlineSessionProgram(programId)
    .methods.rearm({ hasVoucher: voucher === undefined ? 0 : 1, recipients: recipients(splits) })
    .accountsStrict({
      payee,
      channel,
      channelTokenAccount: escrowAddress(channel, mint, tokenProgram),
      payerTokenAccount: tokenAddress(payer, mint, tokenProgram),
      payeeTokenAccount: tokenAddress(payee, mint, tokenProgram),
      mint,
      tokenProgram,
      instructionsSysvar: SYSVAR_INSTRUCTIONS_PUBKEY,
      eventAuthority: eventAuthority(programId),
      selfProgram: programId,
    })
    .remainingAccounts(splitAccounts(input))
    .instruction();
  const proof = voucher === undefined ? [] : [voucherInstruction(voucher)];
  return [...accountsFor(input), ...proof, instruction];
}

/**
 * Most recipients whose `settle` still fits a transaction, with a lookup table for all that one can hold; without
 * one it is 10. A channel with more could be opened, but nobody would ever be paid.
 */
export const MAX_SETTLEABLE_SPLITS = 27;

function requireSettleable(splits: readonly Splits.Split[], channel: PublicKey): void {
  Splits.check(splits, channel.toBase58());
  if (splits.length > MAX_SETTLEABLE_SPLITS) throw new UnsettleableSplitsError(splits.length, MAX_SETTLEABLE_SPLITS);
}

function accountsFor(
  input: Parties & { readonly createAccounts: PublicKey | false },
  treasury?: PublicKey,
): TransactionInstruction[] {
  if (input.createAccounts === false) return [];
  const owners = [input.payee, ...splitOwners(input.splits), input.payer];
  if (treasury !== undefined) owners.push(treasury);
  return createTokenAccounts(input.createAccounts, owners, input);
}

function splitOwners(splits: readonly Splits.Split[] = []): PublicKey[] {
  return splits.map((split) => new PublicKey(split.recipient));
}

function splitAccounts({ splits, mint, tokenProgram }: Parties) {
  return writable(splitOwners(splits).map((owner) => tokenAddress(owner, mint, tokenProgram)));
}

function recipients(splits: readonly Splits.Split[]) {
  return splits.map((split) => ({ recipient: new PublicKey(split.recipient), bps: split.shareBps }));
}
