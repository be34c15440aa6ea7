// The policy of a payment: everything that must hold of a transaction before it is tried, co-signed or sent
// (draft-solana-charge-00, "Pull Mode Verification", "Split Recipient ATA Creation", "Fee Payer Risks"). Pure.
import { ChargeRequest, RefusedError } from "@mppsol/core";
import { type AccountCreation, type Action, actionOf, type Memo, type Transfer } from "./actions.js";
import { tokenAccount } from "./addresses.js";
import { type Cost, costOf, totalOf } from "./cost.js";
import type { PaymentTransaction } from "./readTransaction.js";

/** One transfer that must happen. */
export interface Leg {
  /** Where the money goes: the recipient itself for SOL, else its associated token account. Base58. */
  readonly account: string;
  /** Base units. */
  readonly amount: bigint;
}

/** What the mint of a token payment must be. */
export interface Token {
  readonly program: string;
  readonly decimals: number;
}

export interface Terms {
  readonly request: ChargeRequest.ChargeRequest;
  /** Absent for SOL. */
  readonly token: Token | undefined;
  /** Present if the request has the server pay the fee. */
  readonly sponsor: Sponsorship | undefined;
  /** Refuses a payment without the request's `externalId` as a memo. */
  readonly requireMemo: boolean;
}

export interface Sponsorship {
  /** Base58. */
  readonly address: string;
  /** Lamports of priority fee that are paid at most. */
  readonly maxPriorityLamports: bigint;
  /** Lamports that are paid at most in all: signatures, priority and rent. */
  readonly maxLamports: bigint | undefined;
  /** Lamports of one token account that a payment may create. */
  readonly rentPerAccount: bigint;
}

/** A transaction that may be tried. */
export interface Approved {
  /** Who pays: the authority of every transfer. Base58. */
  readonly payer: string;
  readonly legs: readonly Leg[];
  /** Token accounts that it creates where they are missing. */
  readonly creations: readonly string[];
  /** What it costs the fee payer at most. */
  readonly cost: Cost;
}

/** Most assertions of a wallet in a transaction that the server pays for. */
const MAX_ASSERTIONS = 3;

/**
 * Those of Lighthouse that look at one account, which is all that they are given: `AssertAccountData` 2, `AssertAccountInfo` 5
 * and `AssertTokenAccount` 9, each with its variant for several assertions.
 */
const OF_ONE_ACCOUNT: ReadonlySet<number> = new Set([2, 3, 5, 6, 9, 10]);

/** The legs of a request, the primary recipient's first. */
export function legsOf(request: ChargeRequest.ChargeRequest, token: Token | undefined): Leg[] {
  return ChargeRequest.legs(request).map(({ recipient, amount }) => ({
    account: token === undefined ? recipient : tokenAccount(recipient, request.currency, token.program),
    amount,
  }));
}

/**
 * Checks a transaction against the terms.
 * @throws {RefusedError} for the first rule that it breaks.
 */
export function approve(payment: PaymentTransaction, terms: Terms): Approved {
  const { request, sponsor } = terms;
  const actions = payment.instructions.map(actionOf);
  if (actions.some(({ kind }) => kind === "nonce-advance")) throw new RefusedError("durable-nonce");
  if (actions.some(({ kind }) => kind === "other")) throw new RefusedError("instruction-unexpected");
  checkComputeBudget(actions);
  const transfers = only(actions, "transfer");
  const payer = transfers[0]?.authority;
  if (payer === undefined) throw new RefusedError("transfer-missing");
  checkSigners(payment, payer, sponsor?.address);
  if (payer === request.recipient) throw new RefusedError("payer-is-recipient");
  const legs = legsOf(request, terms.token);
  checkTransfers(transfers, legs, payer, terms);
  const creations = only(actions, "account-creation");
  checkCreations(creations, payment.feePayer, terms);
  checkRequiredCreations(actions, terms);
  checkMemos(only(actions, "memo"), payer, terms);
  const created = [...new Set(creations.map(({ account }) => account))];
  const cost = costOf({
    signatures: payment.signers.length,
    actions,
    creations: created.length,
    rentPerAccount: sponsor?.rentPerAccount ?? 0n,
  });
  if (sponsor !== undefined) {
    checkIsolation(payment, sponsor.address);
    checkAssertions(only(actions, "assertion"), [payer, sourceOf(payer, terms)]);
    checkCost(cost, sponsor);
  }
  return { payer, legs, creations: created, cost };
}

type Of<K extends Action["kind"]> = Extract<Action, { readonly kind: K }>;

function only<K extends Action["kind"]>(actions: readonly Action[], kind: K): Of<K>[] {
  return actions.filter((action): action is Of<K> => action.kind === kind);
}

/** The runtime takes each setting once; a second would make the transaction fail, at the fee payer's expense. */
function checkComputeBudget(actions: readonly Action[]): void {
  for (const kind of ["compute-limit", "compute-price", "data-limit"] as const) {
    if (actions.filter((action) => action.kind === kind).length > 1) throw new RefusedError("compute-budget-invalid");
  }
}

/** Nobody signs but the payer and, in its place, the server. */
function checkSigners({ feePayer, signers }: PaymentTransaction, payer: string, sponsor: string | undefined): void {
  if (payer === sponsor) throw new RefusedError("sponsor-account-used");
  if (feePayer !== (sponsor ?? payer)) throw new RefusedError("fee-payer-mismatch");
  if (!signers.includes(payer)) throw new RefusedError("transfer-authority");
  if (signers.length !== (sponsor === undefined ? 1 : 2)) throw new RefusedError("signers-unexpected");
}

/** Every transfer is a leg and every leg a transfer, one to one. */
function checkTransfers(transfers: readonly Transfer[], legs: readonly Leg[], payer: string, terms: Terms): void {
  const { request, token } = terms;
  const source = sourceOf(payer, terms);
  const open = [...legs];
  for (const transfer of transfers) {
    if (transfer.authority !== payer || transfer.source !== source) throw new RefusedError("transfer-authority");
    const ofToken = transfer.token?.program === token?.program && transfer.token?.decimals === token?.decimals;
    if (transfer.currency !== request.currency || !ofToken) throw new RefusedError("asset-mismatch");
    const at = open.findIndex(({ account, amount }) => account === transfer.destination && amount === transfer.amount);
    if (at < 0) throw stray(transfer, legs);
    open.splice(at, 1);
  }
  const [missing] = open;
  if (missing !== undefined) {
    const { amount, account } = missing;
    throw new RefusedError(
      "transfer-missing",
      `The transaction lacks the transfer of ${amount} base units to ${account}.`,
    );
  }
}

/** What the payer pays from. */
function sourceOf(payer: string, { request, token }: Terms): string {
  return token === undefined ? payer : tokenAccount(payer, request.currency, token.program);
}

/** The refusal of a transfer that is no leg. */
function stray({ destination, amount }: Transfer, legs: readonly Leg[]): RefusedError {
  const named = legs.filter(({ account }) => account === destination);
  // To the right account, with an amount that no leg there has.
  if (named.length === 0 || named.some((leg) => leg.amount === amount)) return new RefusedError("transfer-unexpected");
  const wanted = named.map((leg) => leg.amount).join(" and ");
  return new RefusedError(
    "amount-mismatch",
    `The transfer to ${destination} is of ${amount} base units; the challenge asks for ${wanted}. Sign a transaction for that.`,
  );
}

/** Accounts are created for split recipients only, and at the server's expense only for those that the challenge marks. */
function checkCreations(creations: readonly AccountCreation[], feePayer: string, terms: Terms): void {
  const { request, token, sponsor } = terms;
  for (const { owner, mint, tokenProgram, account, payer } of creations) {
    const provided =
      token !== undefined &&
      mint === request.currency &&
      tokenProgram === token.program &&
      payer === feePayer &&
      account === tokenAccount(owner, mint, tokenProgram) &&
      request.splits.some(
        (split) => split.recipient === owner && (sponsor === undefined || split.ataCreationRequired === true),
      );
    if (!provided) throw new RefusedError("account-creation-unexpected");
  }
}

/** Where the challenge asks for a creation, it stands before the first transfer to that account. */
function checkRequiredCreations(actions: readonly Action[], { request, token }: Terms): void {
  for (const { recipient, ataCreationRequired } of request.splits) {
    if (ataCreationRequired !== true || token === undefined) continue;
    const account = tokenAccount(recipient, request.currency, token.program);
    const created = actions.findIndex((action) => action.kind === "account-creation" && action.account === account);
    const paid = actions.findIndex((action) => action.kind === "transfer" && action.destination === account);
    if (created < 0 || created > paid) throw new RefusedError("account-creation-missing");
  }
}

function checkMemos(memos: readonly Memo[], payer: string, { request, requireMemo }: Terms): void {
  for (const { data, signers } of memos) {
    const sound = data.length <= ChargeRequest.MAX_MEMO_BYTES && signers.every((signer) => signer === payer);
    if (!sound) throw new RefusedError("memo-invalid");
  }
  if (!requireMemo || request.externalId === undefined) return;
  const wanted = Buffer.from(request.externalId, "utf8");
  if (!memos.some(({ data }) => wanted.equals(data))) throw new RefusedError("memo-missing");
}

/**
 * What the server pays for must not hang on anything but the payer's means: an assertion about time, or about accounts that
 * others move, could hold when it is tried and fail when it lands.
 */
function checkAssertions(assertions: readonly Of<"assertion">[], own: readonly string[]): void {
  const sound = assertions.every(({ discriminator, accounts }) => {
    const [account] = accounts;
    return OF_ONE_ACCOUNT.has(discriminator) && accounts.length === 1 && account !== undefined && own.includes(account);
  });
  if (!sound || assertions.length > MAX_ASSERTIONS) throw new RefusedError("instruction-unexpected");
}

function checkCost(cost: Cost, { maxPriorityLamports, maxLamports }: Sponsorship): void {
  const { priority } = cost;
  if (priority > maxPriorityLamports) {
    throw new RefusedError(
      "fee-too-high",
      `The priority fee would be ${priority} lamports; at most ${maxPriorityLamports} are paid. Lower the price of a compute unit, or their limit.`,
    );
  }
  if (maxLamports !== undefined && totalOf(cost) > maxLamports) {
    throw new RefusedError(
      "fee-too-high",
      `The transaction would cost ${totalOf(cost)} lamports; at most ${maxLamports} are paid. Lower its fee, or create fewer accounts.`,
    );
  }
}

/** The server's key pays the fee and the rent of accounts that the challenge marks; it has no other part in anything. */
function checkIsolation({ instructions }: PaymentTransaction, sponsor: string): void {
  for (const instruction of instructions) {
    const { accounts } = instruction;
    // `checkCreations` has pinned who is the payer of a creation.
    const others = actionOf(instruction).kind === "account-creation" ? accounts.slice(1) : accounts;
    if (others.includes(sponsor)) throw new RefusedError("sponsor-account-used");
  }
}
