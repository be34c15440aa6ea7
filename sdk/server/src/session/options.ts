// What a seller of sessions decides, checked once.
import { Base58, Ed25519, Integer, type Network, type SignedVoucher, Signer, Splits } from "@mppsol/core";
import {
  CHANNEL_PROGRAM_IDS,
  FOUNDATION_CHANNEL_PROGRAM_ID,
  requireChannelProgram,
  SESSION_PROGRAM_ID,
  TREASURY,
} from "@mppsol/programs";
import { PublicKey, type TransactionInstruction } from "@solana/web3.js";
import {
  createMints,
  type LandOptions,
  type Mints,
  type Rpc,
  signerAddress,
  type TransactionSigner,
} from "../chain/index.js";
import { memoryBook, type SponsorBook } from "../charge/SponsorBook.js";
import type { Store } from "../stores/Store.js";
import { defined } from "./defined.js";
import { SessionConfigError } from "./errors.js";
import type { SessionEvent } from "./events.js";
import { VoucherVerifier } from "./VoucherVerifier.js";

/** How a recipient that is a program's address closes a channel: its program calls `settleAndSeal` by CPI. */
export interface CloseAdapter {
  /**
   * Instructions that seal the channel. With a voucher, its Ed25519 instruction (`voucherInstruction` of
   * @mppsol/programs) stands right before the one that calls.
   */
  close(input: {
    readonly channel: PublicKey;
    readonly payee: PublicKey;
    readonly programId: PublicKey;
    readonly voucher?: SignedVoucher.SignedVoucher;
  }): Promise<readonly TransactionInstruction[]>;
  /** Who else signs, besides the fee payer. */
  readonly signers?: readonly TransactionSigner[];
}

/**
 * What happens to a refund whose token account the payer has closed or made unusable.
 *
 * - `wait`: the channel is sealed, the refund stays in escrow until the payer takes it or repairs the account.
 * - `create`: a missing account is made, at this server's cost: a payer can close it again and keep its rent.
 * - `forfeit`: the refund goes to the program's treasury, for good.
 */
export type MissingPayerAccount = "wait" | "create" | "forfeit";

/**
 * What happens to what is earned by the recipient, or by one who shares, whose token account is not there.
 *
 * - `create`: it is made, at this server's cost. One that is there and unusable, as frozen, is waited for.
 * - `wait`: the channel is sealed, and nothing is paid out before the account can be paid: for recipients who could otherwise
 *   close it again and again and keep its rent.
 * - `forfeit`: the share goes to the program's treasury, for good; also where the account is there and unusable.
 */
export type MissingRecipientAccount = "create" | "wait" | "forfeit";

export interface SessionOptions {
  readonly store: Store;
  readonly rpc: Rpc;
  readonly network: Network.Network;
  /** Base58 address that is paid. */
  readonly recipient: string;
  /**
   * Signs for the recipient; for one that is a program's address, how its program closes. A key also pays for closes and
   * debits that no fee payer can pay for.
   */
  readonly payee: TransactionSigner | CloseAdapter;
  /** Base58 address of the mint. */
  readonly currency: string;
  /** Mints whose channels are taken. Default: `currency` alone. Channels of others are no longer served or topped up. */
  readonly allowedMints?: readonly string[];
  /** Default: of `rpc`. */
  readonly mints?: Mints;
  /** Base58; one that is pinned for the network. Default: ours where it is deployed, else the Foundation's. */
  readonly channelProgram?: string;
  /** Base58 owner of the channel program's treasury accounts. Default: known for the pinned programs. */
  readonly treasury?: string;
  /** Pays the fees of this server's own transactions; when it sponsors, those of its clients and the rent too. */
  readonly feePayer: TransactionSigner;
  /** Pay for this server's own transactions, in this order, when the fee payer cannot; after them the payee's key. Default none. */
  readonly otherFeePayers?: readonly TransactionSigner[];
  /** Whether clients need no SOL. Default true. */
  readonly sponsor?: boolean;
  /** Lamports of priority fee that are sponsored in one transaction of a client, at most. Default 2,000. */
  readonly maxPriorityFeeLamports?: bigint;
  /**
   * Lamports of the fee payer that clients cannot spend: closes and debits are paid from them. Opens and top-ups that would
   * leave less are refused with `sponsor-exhausted`, and challenges leave fees and rent to the payer. Default 5,000,000.
   */
  readonly reserveLamports?: bigint;
  /**
   * Base units of a top-up that is sponsored, at least: others are refused with `topup-too-small`. Default: the larger of
   * the route's price and `minimumDeposit`.
   */
  readonly minimumTopUp?: bigint;
  /** Micro-lamports a compute unit for this server's own transactions. Default none. */
  readonly computeUnitPrice?: number;
  /** What processes and charges that sponsor with the same key agree on. Default: the memory of this server. */
  readonly book?: SponsorBook;
  /** Makes channels operator-signed: this key signs the vouchers, and clients show a proof instead. */
  readonly operator?: Signer.Signer;
  /** Seconds. Default 900. */
  readonly gracePeriodSeconds?: number;
  /** Base units. */
  readonly minimumDeposit?: bigint;
  /** Base units. */
  readonly suggestedDeposit?: bigint;
  /** Seconds that clients can choose from, strictly rising. Default: they cannot choose. */
  readonly idleTimeoutOptionsSeconds?: readonly number[];
  /** Seconds, for clients that do not choose; one of the options, when there are some. Default 300, or the first option. */
  readonly idleTimeoutSeconds?: number;
  /** Who shares in what is settled; at most 10, so that every payout fits a transaction. */
  readonly distributionSplits?: readonly Splits.Split[];
  /** Base units. */
  readonly minVoucherDelta?: bigint;
  /** Seconds; a suggestion. */
  readonly ttlSeconds?: number;
  /** Default `wait`. */
  readonly missingPayerAccount?: MissingPayerAccount;
  /** Default `create`. */
  readonly missingRecipientAccount?: MissingRecipientAccount;
  /** Seconds that clocks may be apart. Default 30. */
  readonly clockSkewSeconds?: number;
  /** Seconds in which a settlement lands, whatever the load. Default 60. */
  readonly settleMarginSeconds?: number;
  /**
   * Seconds that a voucher must be good for when it comes, so that it can still be cashed. Default: grace period and
   * settle margin.
   */
  readonly voucherWindowSeconds?: number;
  /** Milliseconds for which a channel that was looked at on chain is not looked at again. Default 60,000. */
  readonly recheckMs?: number;
  /** Milliseconds that a metered response waits for a voucher. Default 60,000. */
  readonly voucherTimeoutMs?: number;
  /** Milliseconds after which the request of a process that died may be taken over. Default 30,000. */
  readonly deliveryLeaseMs?: number;
  /** Milliseconds that a close waits for paid work under way. Default 5,000. */
  readonly drainMs?: number;
  /** Milliseconds that a blockhash is offered for. Default 1,000. */
  readonly blockhashTtlMs?: number;
  /** How transactions are waited for. Default: 20 seconds, then the answer is 202. */
  readonly landing?: LandOptions;
  /** Verifies vouchers; at least as strict as the chain. Default: node:crypto with cached keys. */
  readonly verifier?: { verify(signed: SignedVoucher.SignedVoucher): boolean };
  /** Unix milliseconds. Default Date.now. */
  readonly now?: () => number;
  /** Told of what happens to channels; must not throw. */
  readonly onEvent?: (event: SessionEvent) => void;
}

/** Options that stay absent when they are. */
type Absent =
  | "computeUnitPrice"
  | "operator"
  | "minimumDeposit"
  | "minimumTopUp"
  | "suggestedDeposit"
  | "idleTimeoutOptionsSeconds"
  | "minVoucherDelta"
  | "ttlSeconds";

type Replaced = "recipient" | "allowedMints" | "channelProgram" | "treasury";

/** The options, complete and checked. */
export type Settings = Omit<Required<SessionOptions>, Absent | Replaced> &
  Pick<SessionOptions, Absent> & {
    readonly recipient: PublicKey;
    readonly allowedMints: ReadonlySet<string>;
    readonly programId: PublicKey;
    readonly treasury: PublicKey;
    /** Base58. */
    readonly feePayerKey: string;
    /** Base58; there in operator mode. */
    readonly operatorKey: string | undefined;
  };

/** Most splits that a close fits a transaction with, without a lookup table. */
export const MAX_SPLITS = 10;

const MAX_IDLE_SECONDS = 2_592_000;
const DEFAULT_IDLE_SECONDS = 300;

/**
 * The options, complete.
 * @throws {SessionConfigError} for what no session could be sold by.
 * @throws {InvalidFieldError} {InvalidSplitsError} {UnknownProgramError} for values that are none.
 */
export function complete(options: SessionOptions): Settings {
  const { gracePeriodSeconds = 900, settleMarginSeconds = 60, currency } = options;
  const programId = requireChannelProgram(options.network, options.channelProgram ?? defaultProgram(options.network));
  const settings: Settings = {
    mints: createMints(options.rpc),
    otherFeePayers: [],
    sponsor: true,
    maxPriorityFeeLamports: 2_000n,
    reserveLamports: 5_000_000n,
    book: memoryBook(),
    missingPayerAccount: "wait",
    missingRecipientAccount: "create",
    clockSkewSeconds: 30,
    voucherWindowSeconds: gracePeriodSeconds + settleMarginSeconds,
    recheckMs: 60_000,
    voucherTimeoutMs: 60_000,
    deliveryLeaseMs: 30_000,
    drainMs: 5_000,
    blockhashTtlMs: 1_000,
    verifier: new VoucherVerifier(),
    now: Date.now,
    onEvent: () => {},
    ...(defined(options) as SessionOptions),
    gracePeriodSeconds,
    settleMarginSeconds,
    idleTimeoutSeconds: options.idleTimeoutSeconds ?? options.idleTimeoutOptionsSeconds?.[0] ?? DEFAULT_IDLE_SECONDS,
    distributionSplits: options.distributionSplits ?? [],
    landing: { budgetMs: 20_000, ...options.landing },
    recipient: new PublicKey(Base58.address(options.recipient, "recipient")),
    allowedMints: new Set(options.allowedMints ?? [currency]),
    programId,
    treasury: treasuryOf(options, programId),
    feePayerKey: signerAddress(options.feePayer, "feePayer.publicKey"),
    operatorKey: options.operator && Signer.address(options.operator),
  };
  check(settings);
  return settings;
}

function check(settings: Settings): void {
  const { store, network, currency, allowedMints, recipient, payee, distributionSplits } = settings;
  demand(network !== "mainnet" || store.durable, "store", "one that forgets is not for mainnet");
  Base58.address(currency, "currency");
  for (const mint of allowedMints) Base58.address(mint, "allowedMints");
  demand(allowedMints.has(currency), "currency", "not among the allowed mints");
  if ("close" in payee) demand(!isWallet(recipient), "payee", "a recipient with a key closes by its signature");
  else {
    // Nobody could sign its close, so what is served might never be cashed.
    demand(isWallet(recipient), "recipient", "a program's address needs a close adapter as `payee`");
    demand(signerAddress(payee) === recipient.toBase58(), "payee", "not the recipient's key");
  }
  Splits.check(distributionSplits);
  demand(distributionSplits.length <= MAX_SPLITS, "distributionSplits", `more than ${MAX_SPLITS}`);
  if (settings.operatorKey !== undefined) {
    const key = Base58.decode(settings.operatorKey, 32, "operator");
    demand(Ed25519.isPublicKey(key), "operator", "not a key that can sign");
  }
  seconds(settings.gracePeriodSeconds, "gracePeriodSeconds", 0xffff_ffff);
  demand(settings.gracePeriodSeconds > settings.settleMarginSeconds, "gracePeriodSeconds", "within the settle margin");
  checkIdle(settings);
  for (const option of [
    "minimumDeposit",
    "minimumTopUp",
    "suggestedDeposit",
    "minVoucherDelta",
    "reserveLamports",
  ] as const) {
    if (settings[option] !== undefined) Integer.u64(settings[option], option);
  }
}

function checkIdle({ idleTimeoutOptionsSeconds: offered, idleTimeoutSeconds }: Settings): void {
  seconds(idleTimeoutSeconds, "idleTimeoutSeconds", MAX_IDLE_SECONDS);
  if (offered === undefined) return;
  demand(offered.length > 0, "idleTimeoutOptionsSeconds", "empty");
  offered.forEach((option, i) => {
    seconds(option, "idleTimeoutOptionsSeconds", MAX_IDLE_SECONDS);
    demand(i === 0 || option > (offered[i - 1] as number), "idleTimeoutOptionsSeconds", "not strictly rising");
  });
  demand(offered.includes(idleTimeoutSeconds), "idleTimeoutSeconds", "not one of the options");
}

function demand(holds: boolean, option: string, problem: string): void {
  if (!holds) throw new SessionConfigError(option, problem);
}

function seconds(value: number, option: string, max: number): void {
  demand(Number.isInteger(value) && value >= 1 && value <= max, option, `not whole seconds from 1 to ${max}`);
}

/** Whether somebody can hold the key: program addresses lie off the curve. */
function isWallet(key: PublicKey): boolean {
  return PublicKey.isOnCurve(key.toBytes());
}

function defaultProgram(network: Network.Network): PublicKey {
  const pinned = CHANNEL_PROGRAM_IDS[network];
  return pinned.find((id) => id.equals(SESSION_PROGRAM_ID)) ?? FOUNDATION_CHANNEL_PROGRAM_ID;
}

/** Owner of the treasury's token accounts in the Foundation's mainnet build. */
const FOUNDATION_TREASURY = new PublicKey("Cs2zdfUNonRdRGsiZUQQLdTxzxVvJZmgiX2mpLYKuEqP");

function treasuryOf({ treasury, network }: SessionOptions, programId: PublicKey): PublicKey {
  if (treasury !== undefined) return new PublicKey(Base58.address(treasury, "treasury"));
  if (programId.equals(SESSION_PROGRAM_ID)) return TREASURY;
  demand(network === "mainnet", "treasury", "unknown for this program on this network");
  return FOUNDATION_TREASURY;
}
