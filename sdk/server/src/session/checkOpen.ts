// Whether a channel may be opened: challenge, credential and decoded transaction say the same, and it is what was asked for
// (draft-solana-session-00, "Settlement Procedure", "Open", steps 1 to 12). Asks nobody; moves nothing.
import {
  Base58,
  BearerProof,
  Ed25519,
  RefusedError,
  type SessionAction,
  type SessionRequest,
  Splits,
} from "@mppsol/core";
import { channelAddress, escrowAddress, OPEN_SLOT_WINDOW, session, tokenAddress } from "@mppsol/programs";
import { PublicKey } from "@solana/web3.js";
import { verifySignature } from "../chain/index.js";
import type { NewChannel } from "../stores/Store.js";
import { defined } from "./defined.js";
import type { Settings } from "./options.js";
import { type Call, type ClientTransaction, checkWritable, onlyCall, readTransaction } from "./transaction.js";

/** An open that may be signed and sent, if the chain agrees. */
export interface CheckedOpen {
  readonly given: ClientTransaction;
  /** Base units. */
  readonly deposit: bigint;
  /** The fee payer is to sign it, and pays fees and rent. */
  readonly sponsored: boolean;
  /** What the server will know of the channel; `escrowed` is 0 until it has landed. */
  readonly channel: NewChannel;
}

/** The challenge that a credential answers. */
export interface Challenged {
  readonly id: string;
  readonly request: SessionRequest.SessionRequest;
}

/** As much of the options as decides over an open. */
export type OpenRules = Pick<
  Settings,
  | "allowedMints"
  | "distributionSplits"
  | "feePayerKey"
  | "idleTimeoutSeconds"
  | "maxPriorityFeeLamports"
  | "programId"
  | "sponsor"
>;

const CODES = {
  encoding: "open-transaction-encoding",
  lookupTable: "open-lookup-table",
  instructions: "open-instructions",
  feePayer: "open-fee-payer",
  computeBudget: "open-compute-budget",
  signature: "open-signature",
} as const;

/**
 * The open, checked against the challenge and against its transaction, which decides.
 * @throws {RefusedError}
 */
export async function checkOpen(
  open: SessionAction.Open,
  challenged: Challenged,
  settings: OpenRules,
): Promise<CheckedOpen> {
  const { request } = challenged;
  checkTerms(open, request, settings);
  const idleTimeoutSeconds = idleTimeout(open, request, settings);
  checkSlot(open.openSlot, request.recentSlot ?? 0n, "the challenged slot");
  checkSigner(open, challenged, settings);
  const sponsored = settings.sponsor && request.feePayer;
  const feePayer = sponsored ? settings.feePayerKey : open.payer;
  const given = readTransaction(open.transaction, CODES);
  const call = onlyCall(
    given,
    {
      payer: open.payer,
      feePayer,
      maxPriorityFeeLamports: sponsored ? settings.maxPriorityFeeLamports : undefined,
    },
    CODES,
  );
  if (given.blockhash !== request.recentBlockhash) throw new RefusedError("open-blockhash");
  const tokenProgram = request.tokenProgram as string;
  await checkCall(call, open, { feePayer, tokenProgram, settings });
  const escrow = call.accounts[7] as string;
  checkWritable(given, new Set([open.payer, feePayer, open.channelId, call.accounts[6] as string, escrow]), CODES);
  return {
    given,
    deposit: open.depositAmount,
    sponsored,
    channel: {
      channelId: open.channelId,
      payer: open.payer,
      payee: open.payee,
      mint: open.mint,
      tokenProgram,
      authorizedSigner: open.authorizedSigner,
      rentPayer: feePayer,
      channelProgram: settings.programId.toBase58(),
      salt: open.salt,
      openSlot: open.openSlot,
      gracePeriodSeconds: open.gracePeriodSeconds,
      distributionSplits: settings.distributionSplits,
      voucherSigner: request.voucherSigner,
      challengeId: challenged.id,
      ...defined({ proofSignature: open.authentication?.signature }),
      escrowed: 0n,
      idleTimeoutSeconds,
    },
  };
}

/**
 * Throws unless the slot is in the window of `open` as of `slot`, which `of` names.
 * @throws {RefusedError} `open-slot-window`
 */
export function checkSlot(openSlot: bigint, slot: bigint, of: string): void {
  if (openSlot > slot) throw new RefusedError("open-slot-window", `openSlot is after ${of}.`);
  if (slot - openSlot > OPEN_SLOT_WINDOW) {
    throw new RefusedError("open-slot-window", `openSlot is more than ${OPEN_SLOT_WINDOW} slots before ${of}.`);
  }
}

/** Credential against challenge. */
function checkTerms(open: SessionAction.Open, request: SessionRequest.SessionRequest, settings: OpenRules): void {
  if (request.channelId !== undefined) mismatch("challenge", "it resumes a channel");
  if (open.payee !== request.recipient) mismatch("payee");
  if (open.mint !== request.currency) mismatch("mint");
  if (!settings.allowedMints.has(open.mint)) throw new RefusedError("mint-not-allowed");
  if (open.payer === open.payee) mismatch("payer", "it is the payee");
  // This server's key signs as fee payer, and would with the same signature deposit its own money.
  if (open.payer === settings.feePayerKey) {
    throw new RefusedError("open-fee-payer", "The payer of the channel is the fee payer of this server.");
  }
  if (open.gracePeriodSeconds !== request.gracePeriodSeconds) throw new RefusedError("open-grace-period");
  if (open.distributionSplits !== undefined && !sameSplits(open.distributionSplits, settings.distributionSplits)) {
    throw new RefusedError("open-splits");
  }
  if (settings.distributionSplits.some(({ recipient }) => recipient === open.channelId)) {
    throw new RefusedError("open-splits", "The channel itself is a recipient.");
  }
  const least = request.minimumDeposit ?? 1n;
  if (open.depositAmount === 0n || open.depositAmount < least) {
    throw new RefusedError(
      "open-deposit",
      `The deposit is ${open.depositAmount} base units; channels are opened with ${least} at least. Deposit that, or more.`,
      { minimumDeposit: String(least) },
    );
  }
}

function idleTimeout(
  { idleTimeoutSeconds: chosen }: SessionAction.Open,
  { idleTimeoutOptionsSeconds: offered }: SessionRequest.SessionRequest,
  settings: OpenRules,
): number {
  if (chosen === undefined) return settings.idleTimeoutSeconds;
  if (offered?.includes(chosen)) return chosen;
  throw new RefusedError("open-idle-timeout");
}

/** Who will sign vouchers, and whether the chain could ever take them. */
function checkSigner(open: SessionAction.Open, challenged: Challenged, settings: OpenRules): void {
  const { authorizedSigner, authentication, channelId, payer } = open;
  const { request, id } = challenged;
  if (!Ed25519.isPublicKey(Base58.decode(authorizedSigner, 32))) throw new RefusedError("open-authorized-signer");
  if (request.voucherSigner === "client") {
    if (authentication !== undefined) {
      throw new RefusedError(
        "open-authentication",
        "The client signs this channel's vouchers: no proof belongs in it.",
      );
    }
    if (authorizedSigner === settings.feePayerKey) {
      throw new RefusedError("open-fee-payer", "The voucher signer is the fee payer of this server.");
    }
    return;
  }
  if (authorizedSigner !== request.operator) mismatch("authorizedSigner", "it is not the challenged operator");
  if (authentication === undefined) throw new RefusedError("open-authentication", "The proof of the payer is missing.");
  if (!BearerProof.verify(authentication, { channelId, payer, challengeId: id }, verifySignature)) {
    throw new RefusedError(
      "open-authentication",
      "The proof of the payer is not for this challenge, payer and channel.",
    );
  }
}

interface Against {
  readonly feePayer: string;
  readonly tokenProgram: string;
  readonly settings: OpenRules;
}

/** The decoded instruction against credential and challenge: to the byte, and account by account. */
async function checkCall(call: Call, open: SessionAction.Open, against: Against): Promise<void> {
  const { feePayer, tokenProgram, settings } = against;
  const { programId, distributionSplits: splits } = settings;
  if (call.programId !== programId.toBase58()) throw new RefusedError("open-program");
  checkArguments(call.data, open, settings);
  const [payer, payee, mint, authorizedSigner] = [open.payer, open.payee, open.mint, open.authorizedSigner].map(
    (key) => new PublicKey(key),
  ) as [PublicKey, PublicKey, PublicKey, PublicKey];
  const { salt, openSlot } = open;
  const channel = channelAddress({ payer, payee, mint, authorizedSigner, salt, openSlot }, programId);
  if (open.channelId !== channel.toBase58()) throw new RefusedError("open-channel-address");
  const token = new PublicKey(tokenProgram);
  const [expected] = await session.open({
    programId,
    payer,
    rentPayer: new PublicKey(feePayer),
    payee,
    mint,
    tokenProgram: token,
    authorizedSigner,
    salt,
    openSlot,
    deposit: open.depositAmount,
    gracePeriod: open.gracePeriodSeconds,
    splits,
  });
  const wanted = (expected?.keys ?? []).map((key) => key.pubkey.toBase58());
  const wrong = wanted.findIndex((account, i) => call.accounts[i] !== account);
  if (call.accounts.length !== wanted.length) {
    throw new RefusedError("open-instructions", `The open instruction has ${call.accounts.length} accounts.`);
  }
  if (wrong < 0) return;
  const known = [
    [1, "open-fee-payer", "The rent payer is not the fee payer."],
    [5, "open-channel-address", undefined],
    [6, "open-mismatch", `The deposit does not come from ${tokenAddress(payer, mint, token)}.`],
    [7, "open-escrow", `The escrow is not ${escrowAddress(channel, mint, token)}.`],
    [8, "open-escrow", "The token program is not that of the mint."],
  ] as const;
  const found = known.find(([at]) => at === wrong);
  if (found !== undefined) throw new RefusedError(found[1], found[2]);
  mismatch(["payer", "", "payee", "mint", "authorizedSigner"][wrong] || `account ${wrong} of open`);
}

const OPEN = 1;
const FIXED_LENGTH = 1 + 8 + 8 + 4 + 8;

function checkArguments(data: Uint8Array, open: SessionAction.Open, settings: OpenRules): void {
  if (data[0] !== OPEN || data.length < FIXED_LENGTH) {
    throw new RefusedError("open-instructions", "The instruction for the channel program is not open.");
  }
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (view.getBigUint64(1, true) !== open.salt) mismatch("salt");
  const deposit = view.getBigUint64(9, true);
  if (deposit !== open.depositAmount) {
    const { depositAmount } = open;
    mismatch("depositAmount", `the credential says ${depositAmount} base units, the transaction locks ${deposit}`);
  }
  if (view.getUint32(17, true) !== open.gracePeriodSeconds) throw new RefusedError("open-grace-period");
  if (view.getBigUint64(21, true) !== open.openSlot) mismatch("openSlot");
  if (!Buffer.from(Splits.encode(settings.distributionSplits)).equals(data.subarray(FIXED_LENGTH))) {
    throw new RefusedError("open-splits");
  }
}

function sameSplits(a: readonly Splits.Split[], b: readonly Splits.Split[]): boolean {
  return Buffer.from(Splits.encode(a)).equals(Splits.encode(b));
}

function mismatch(field: string, why = "challenge, credential and transaction disagree about it"): never {
  throw new RefusedError("open-mismatch", `${field}: ${why}.`, { field });
}
