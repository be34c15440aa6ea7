// Takes back the rent of token accounts that were made for wallets and are empty: several in one transaction. It may end anywhere,
// and run any number of times, beside the service too: what was sent is seen on chain, and booked by the next run.
//
// What a channel has to refund must find its account: the channel program sends a refund that cannot be paid to its treasury. So
// none is closed while the chain has a channel of its wallet, whoever serves that, and this service opens none while one is closed.
import { randomUUID } from "node:crypto";
import { CHANNEL_PAYER_OFFSET, SESSION_PROGRAM_ID } from "@mppsol/programs";
import {
  type Account,
  type LandOptions,
  type Level,
  SimulationError,
  signerAddress,
  submit,
  type TransactionSigner,
} from "@mppsol/server/parts";
import {
  ACCOUNT_SIZE,
  AccountLayout,
  AuthorityType,
  createCloseAccountInstruction,
  TOKEN_2022_PROGRAM_ID,
  TOKEN_PROGRAM_ID,
  TokenInstruction,
} from "@solana/spl-token";
import { PublicKey, SystemProgram, type TransactionInstruction, VersionedTransaction } from "@solana/web3.js";
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
  /** Closed before by a key of this service, and booked now: their rent came back then. */
  gone: number;
  /** Closed by others, who kept the rent, as older versions let them. It stays counted as out, and the wallet gets no other. */
  lost: number;
  /** They have money, or a session or channel that can come back to them, or a key that may close them is not one of ours. */
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

/** One that is marked as being closed. */
interface Marked extends Candidate {
  /** Names the mark. */
  readonly run: string;
  /** It was taken over from no other run, of which something may still land. */
  readonly isFresh: boolean;
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

  /**
   * @throws {RpcError} also when no node says what channels there are: then nothing is closed. {StoreError} {SigningError}. It goes on
   * in the next run.
   */
  async run(options: ClosingOptions): Promise<Tally> {
    const tally: Tally = { closed: 0, lamports: 0n, gone: 0, lost: 0, kept: 0, open: 0 };
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
        const wasOurs = isClosedByUsAlone(made);
        if (wasOurs && !dryRun) await this.#book.closed(made);
        if (wasOurs) tally.gone++;
        else tally.lost++;
        continue;
      }
      const closer = idle.has(made.wallet) ? this.#closerOf(made, account) : undefined;
      if (closer === undefined || (await this.#hasChannel(made, "finalized"))) tally.kept++;
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

  /** Whether the wallet has a channel, with whomever: what that refunds goes to its account. */
  async #hasChannel({ wallet, slot }: Landed, commitment: Level): Promise<boolean> {
    const match = { offset: CHANNEL_PAYER_OFFSET, bytes: new PublicKey(wallet).toBytes() };
    const options = { commitment, minContextSlot: slot };
    try {
      return (await this.#parts.rpc.programAccounts(SESSION_PROGRAM_ID.toBase58(), match, options)).length > 0;
    } catch (error) {
      this.#report(`no more is closed: no node says what channels ${wallet} has (getProgramAccounts)`);
      throw error;
    }
  }

  /** All in one transaction; if that fails, each alone, so that one that has got money holds up no other. */
  async #close(candidates: readonly Candidate[], tally: Tally, options: ClosingOptions): Promise<void> {
    if (options.dryRun) {
      tally.closed += candidates.length;
      tally.lamports += lamportsOf(candidates);
      return;
    }
    const batch = await this.#mark(candidates, tally);
    if (batch.length === 0) return;
    const outcome = await this.#sendMarked(batch, options.landing);
    const lamports = lamportsOf(batch);
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

  /** Those of which no session can begin from now on. Throws {StoreError}: then marks are left that run out. */
  async #mark(candidates: readonly Candidate[], tally: Tally): Promise<Marked[]> {
    const batch: Marked[] = [];
    for (const candidate of candidates) {
      const run = randomUUID();
      const marked = await this.#book.mark(candidate.made, run);
      if (marked === "busy") tally.kept++;
      else if (marked === "gone") tally.gone++;
      else batch.push({ ...candidate, run, isFresh: marked === "marked" });
    }
    return batch;
  }

  /** Takes the marks away again once nothing that was sent under them can land any more. */
  async #sendMarked(batch: readonly Marked[], landing: LandOptions | undefined): Promise<Outcome> {
    let outcome: Outcome | undefined;
    try {
      outcome = await this.#send(batch, landing);
      return outcome;
    } finally {
      // What was thrown was thrown before anything was sent. What is closed has no row, once that is booked.
      if (outcome === undefined || outcome.kind === "refused" || (outcome.kind === "open" && outcome.isOver)) {
        const fresh = batch.filter(({ isFresh }) => isFresh);
        // A mark runs out by itself.
        await Promise.allSettled(fresh.map(({ made, run }) => this.#book.unmark(made, run)));
      }
    }
  }

  /**
   * The last look, when the blockhash is there already and before anything is sent: what happens after it that nobody but the chain
   * knows of has no longer than that blockhash lasts.
   */
  async #requireClosable(batch: readonly Marked[]): Promise<void> {
    for (const { made, run } of batch) {
      if (!(await this.#book.renew(made, run))) throw new NotSent({ ...OVER, reason: "another run is at it" });
    }
    for (const { made } of batch) {
      if (!(await this.#hasChannel(made, "confirmed"))) continue;
      throw new NotSent({ kind: "refused", reason: `${made.wallet} has a channel` });
    }
  }

  async #send(batch: readonly Marked[], landing: LandOptions | undefined): Promise<Outcome> {
    const feePayer = this.#signers.get(batch[0]!.closer)!;
    try {
      const instructions = batch.flatMap(instructionsOf);
      // Nothing is to be kept: the accounts themselves say whether it landed.
      const persist = () => this.#requireClosable(batch);
      const { fate, broadcast } = await submit(this.#parts.rpc, { instructions, feePayer, persist }, landing);
      const isOver = fate.kind !== "pending";
      if (fate.kind !== "landed") return { kind: "open", isOver, reason: `${broadcast.signature} is ${fate.kind}` };
      return fate.err === null ? { kind: "closed", signature: broadcast.signature } : refusal(fate.err);
    } catch (error) {
      if (error instanceof NotSent) return error.outcome;
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
  | { readonly kind: "open"; readonly reason: string /** Nothing can land any more. */; readonly isOver: boolean };

const OVER = { kind: "open", isOver: true } as const;

/** Ends a submission before anything is sent. */
class NotSent extends Error {
  readonly outcome: Outcome;

  constructor(outcome: Outcome) {
    super("not sent");
    this.outcome = outcome;
  }
}

/** What an instruction fails with is about an account; all else is about us, as a fee payer that has nothing left. */
function refusal(err: unknown): Outcome {
  const isAboutAccount = typeof err === "object" && err !== null && "InstructionError" in err;
  const reason = typeof err === "string" ? err : JSON.stringify(err);
  return isAboutAccount ? { kind: "refused", reason } : { ...OVER, reason };
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

/** Whether the transaction that made it gave us alone the right to close it. In older versions the owner could, and kept the rent. */
function isClosedByUsAlone({ broadcast }: Landed): boolean {
  const { message } = VersionedTransaction.deserialize(broadcast.wire);
  const ours = message.staticAccountKeys[0]!.toBuffer();
  return message.compiledInstructions.some(({ programIdIndex, data }) => {
    const [instruction, authority, isSome] = data;
    const isToken = PROGRAMS.has(message.staticAccountKeys[programIdIndex]?.toBase58() ?? "");
    const isClose = instruction === TokenInstruction.SetAuthority && authority === AuthorityType.CloseAccount;
    return isToken && isClose && isSome === 1 && ours.equals(data.subarray(3, 35));
  });
}

function lamportsOf(candidates: readonly Candidate[]): bigint {
  return candidates.reduce((sum, { made }) => sum + rentOf(made), 0n);
}

function rentOf({ lamports }: Landed): bigint {
  return lamports - FEE_LAMPORTS;
}
