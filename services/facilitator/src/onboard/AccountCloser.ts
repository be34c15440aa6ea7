// Takes back the rent of token accounts that were made for wallets and are empty: several in one transaction. It may end anywhere,
// and run any number of times, beside the service too: what was sent is seen on chain, and booked by the next run.
import {
  type Account,
  type LandOptions,
  SimulationError,
  signerAddress,
  submit,
  type TransactionSigner,
} from "@mppsol/server/parts";
import {
  ACCOUNT_SIZE,
  AccountLayout,
  createCloseAccountInstruction,
  TOKEN_2022_PROGRAM_ID,
  TOKEN_PROGRAM_ID,
} from "@solana/spl-token";
import { PublicKey, SystemProgram, type TransactionInstruction } from "@solana/web3.js";
import type { Context } from "../context.js";
import { AccountBook, type Landed } from "./AccountBook.js";
import { FEE_LAMPORTS } from "./FrontedAccounts.js";

export interface ClosingOptions {
  /** Accounts that were made so long ago. Milliseconds. */
  readonly olderThanMs: number;
  /** Looks, and changes nothing. */
  readonly dryRun: boolean;
  readonly landing?: LandOptions;
}

/** What became of the accounts. */
export interface Tally {
  /** Closed, or would be by a dry run. */
  closed: number;
  /** Rent that came back by these. */
  lamports: bigint;
  /** Closed before, and booked now. */
  gone: number;
  /** They have money, or a session that can come back to them, or a key that may close them is not one of ours. */
  kept: number;
  /** It is not known what became of them: another run will see. */
  open: number;
}

type Parts = Pick<Context, "config" | "rpc" | "tables" | "now">;

/** An account that can be closed, as far as is known. */
interface Candidate {
  readonly made: Landed;
  readonly account: Account;
  /** Who may close it, base58. */
  readonly closer: string;
}

const PROGRAMS = new Map([TOKEN_PROGRAM_ID, TOKEN_2022_PROGRAM_ID].map((program) => [program.toBase58(), program]));
/** Accounts that are looked at in one request. */
const PAGE = 100;
/** Closed in one transaction, each with a transfer beside it: more would not fit. */
const BATCH = 8;
/** Less than that no account without data can hold. Lamports. */
const RENT_EXEMPT = 890_880n;

export class AccountCloser {
  readonly #parts: Parts;
  readonly #book: AccountBook;
  readonly #signers: ReadonlyMap<string, TransactionSigner>;
  readonly #report: (line: string) => void;

  /** @param report is told of every transaction, and of every account that is kept though it looked empty. */
  constructor(parts: Parts, report: (line: string) => void) {
    this.#parts = parts;
    this.#book = new AccountBook(parts.tables.database);
    this.#signers = new Map(parts.config.feePayers.map((signer) => [signerAddress(signer), signer]));
    this.#report = report;
  }

  /** @throws {RpcError} {StoreError} {SigningError} and then it goes on in the next run. */
  async run(options: ClosingOptions): Promise<Tally> {
    const tally: Tally = { closed: 0, lamports: 0n, gone: 0, kept: 0, open: 0 };
    const before = this.#parts.now() - options.olderThanMs;
    for (let after = ""; ; ) {
      const page = await this.#book.there(after, before, PAGE);
      const last = page.at(-1);
      if (last === undefined) return tally;
      const closable = await this.#closable(page, tally, options);
      for (const batch of batchesOf(closable)) await this.#close(batch, tally, options);
      after = last.wallet;
    }
  }

  /** Those of a page that can be closed. The chain first: what happens to an account after that, the token program sees. */
  async #closable(page: readonly Landed[], tally: Tally, { dryRun }: ClosingOptions): Promise<Candidate[]> {
    const since = latest(page.map(({ slot }) => slot));
    const addresses = page.map(({ account }) => account);
    // Nothing is booked that a fork could undo.
    const found = await this.#parts.rpc.accounts(addresses, { commitment: "finalized", minContextSlot: since });
    const idle = await this.#book.idle(page.map(({ wallet }) => wallet));
    const candidates: Candidate[] = [];
    for (const [at, made] of page.entries()) {
      const account = found[at];
      if (account === undefined || account.data.length === 0) {
        // Nobody else could close it.
        if (!dryRun) await this.#book.closed(made);
        tally.gone++;
        continue;
      }
      const closer = idle.has(made.wallet) ? this.#closerOf(made, account) : undefined;
      if (closer === undefined) tally.kept++;
      else candidates.push({ made, account, closer });
    }
    return candidates;
  }

  /** Which of our keys may close it; undefined when none may, or there is something in it. */
  #closerOf({ wallet }: Landed, { owner, data }: Account): string | undefined {
    if (!PROGRAMS.has(owner) || data.length < ACCOUNT_SIZE) return undefined;
    const state = AccountLayout.decode(data.subarray(0, ACCOUNT_SIZE));
    const closer = state.closeAuthorityOption === 1 ? state.closeAuthority.toBase58() : "";
    const isEmpty = state.amount === 0n && state.isNativeOption === 0 && state.owner.toBase58() === wallet;
    return isEmpty && this.#signers.has(closer) ? closer : undefined;
  }

  /** All in one transaction; if that fails, each alone, so that one that has got money holds up no other. */
  async #close(batch: readonly Candidate[], tally: Tally, options: ClosingOptions): Promise<void> {
    const lamports = batch.reduce((sum, { made }) => sum + rentOf(made), 0n);
    if (options.dryRun) {
      tally.closed += batch.length;
      tally.lamports += lamports;
      return;
    }
    const outcome = await this.#send(batch, options.landing);
    switch (outcome.kind) {
      case "closed":
        for (const { made } of batch) await this.#book.closed(made);
        tally.closed += batch.length;
        tally.lamports += lamports;
        this.#report(`closed ${batch.length}, ${lamports} lamports: ${outcome.signature}`);
        break;
      case "refused":
        if (batch.length > 1) for (const one of batch) await this.#close([one], tally, options);
        else {
          tally.kept++;
          this.#report(`kept ${batch[0]?.made.account}: ${outcome.reason}`);
        }
        break;
      case "open":
        tally.open += batch.length;
        this.#report(`not closed, or not yet: ${outcome.reason}`);
        break;
    }
  }

  async #send(batch: readonly Candidate[], landing: LandOptions | undefined): Promise<Outcome> {
    const feePayer = this.#signers.get(batch[0]!.closer)!;
    try {
      const instructions = batch.flatMap(instructionsOf);
      // Nothing is to be kept: the accounts themselves say whether it landed.
      const sent = await submit(this.#parts.rpc, { instructions, feePayer, persist: async () => {} }, landing);
      const { fate, broadcast } = sent;
      if (fate.kind !== "landed") return { kind: "open", reason: `${broadcast.signature} is ${fate.kind}` };
      return fate.err === null ? { kind: "closed", signature: broadcast.signature } : refusal(fate.err);
    } catch (error) {
      if (error instanceof SimulationError) return refusal(error.err);
      throw error;
    }
  }
}

type Outcome =
  | { readonly kind: "closed"; readonly signature: string }
  /** Nothing was closed, because of one of them. */
  | { readonly kind: "refused"; readonly reason: string }
  /** It is not known what became of it, or it is about us. */
  | { readonly kind: "open"; readonly reason: string };

/** What an instruction fails with is about an account; all else is about us, as a fee payer that has nothing left. */
function refusal(err: unknown): Outcome {
  const isAboutAccount = typeof err === "object" && err !== null && "InstructionError" in err;
  const reason = typeof err === "string" ? err : JSON.stringify(err);
  return isAboutAccount ? { kind: "refused", reason } : { kind: "open", reason };
}

/** Of one key each, which pays and is paid. */
function batchesOf(candidates: readonly Candidate[]): Candidate[][] {
  const batches: Candidate[][] = [];
  for (const closer of new Set(candidates.map((candidate) => candidate.closer))) {
    const theirs = candidates.filter((candidate) => candidate.closer === closer);
    for (let at = 0; at < theirs.length; at += BATCH) batches.push(theirs.slice(at, at + BATCH));
  }
  return batches;
}

/** What somebody has sent to the account besides its rent is the wallet's. */
function instructionsOf({ made, account, closer }: Candidate): TransactionInstruction[] {
  const [address, funder] = [new PublicKey(made.account), new PublicKey(closer)];
  const close = createCloseAccountInstruction(address, funder, funder, [], PROGRAMS.get(account.owner));
  const more = account.lamports - rentOf(made);
  if (more < RENT_EXEMPT) return [close];
  const toPubkey = new PublicKey(made.wallet);
  return [close, SystemProgram.transfer({ fromPubkey: funder, toPubkey, lamports: more })];
}

function latest(slots: readonly bigint[]): bigint {
  let last = 0n;
  for (const slot of slots) if (slot > last) last = slot;
  return last;
}

function rentOf({ lamports }: Landed): bigint {
  return lamports - FEE_LAMPORTS;
}
