// Onboarding a wallet at a facilitator, round by round, until it has a role. Nothing is signed that was not read: the
// transactions are built anew here and must be the same.
import { randomUUID } from "node:crypto";
import {
  BearerProof,
  InvalidFieldError,
  type JsonObject,
  SessionAction,
  SessionRequest,
  SignInWithX,
  TransactionBytes,
} from "@mppsol/core";
import { buildTransaction, tokenAddress } from "@mppsol/programs";
import { type SettlementClient, SettlementError } from "@mppsol/server/parts";
import {
  AuthorityType,
  createAssociatedTokenAccountIdempotentInstruction,
  createSetAuthorityInstruction,
  NATIVE_MINT,
} from "@solana/spl-token";
import { PublicKey, TransactionInstruction, VersionedTransaction } from "@solana/web3.js";
import { TOKEN_2022_PROGRAM, TOKEN_PROGRAM } from "../constants.js";
import type { Buyer } from "./buyer.js";
import { type Agreed, checkTerms, openTransaction } from "./opening.js";

/** A role that is there: a channel with one seller, its deposit the limit. */
export interface Role {
  /** Base58: the channel. */
  readonly roleId: string;
  /** What bearer proofs are bound to. */
  readonly challengeId: string;
  /** Ends the session: keep it secret. */
  readonly closeToken: string;
  /** Base units. */
  readonly limit: bigint;
  readonly authorizedSigner: string;
  readonly signature: string | undefined;
}

const PATH = "/api/sessions/onboard";
/** More than there can be: account, funding, grant, and each once more when a blockhash grew old. */
const MAX_ROUNDS = 8;
const POLL_MS = 2_000;
const MEMO = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr";

export class Onboarding {
  readonly #client: SettlementClient;
  readonly #buyer: Buyer;
  readonly #agreed: Agreed;
  readonly #deposit: bigint;

  constructor(client: SettlementClient, buyer: Buyer, agreed: Agreed, deposit: bigint) {
    this.#client = client;
    this.#buyer = buyer;
    this.#agreed = agreed;
    this.#deposit = deposit;
  }

  /**
   * Goes on until the wallet has its role; at once when it has one.
   * @throws {SettlementError} `funding_required` with `tokenAccount`, `required`, `held` and `missing` when the wallet holds
   * too little; `onboarding_offer_refused` for a transaction that is not what it should be: nothing was signed then.
   */
  async run(timeoutMs: number): Promise<Role> {
    const until = performance.now() + timeoutMs;
    let round = await this.#start();
    for (let rounds = 0; rounds < MAX_ROUNDS; ) {
      switch (round.status) {
        case "ready":
          return roleOf(round);
        case "account":
        case "grant":
          rounds++;
          round = await this.#client.confirmOnboarding(await this.#signed(round));
          break;
        case "pending":
          if (performance.now() >= until) throw pending(round);
          await new Promise((done) => setTimeout(done, POLL_MS));
          round = await this.#status();
          break;
        case "funding":
          throw missing(round);
        default:
          throw new SettlementError("onboarding_over", `The onboarding is ${String(round.status)}.`);
      }
    }
    throw new SettlementError("onboarding_endless", "The facilitator asks for one signature after the other.");
  }

  #start(): Promise<JsonObject> {
    const { buyer: wallet, seller, mint: currency, network, voucherSigner } = this.#agreed;
    const body = { wallet, seller, deposit: String(this.#deposit), currency, network, voucherSigner };
    return this.#signedIn(PATH, (proof) => this.#client.onboard(body, proof));
  }

  #status(): Promise<JsonObject> {
    const { buyer: wallet, seller, mint: currency, network } = this.#agreed;
    const query = { wallet, seller, currency, network };
    return this.#signedIn(`${PATH}/status`, (proof) => this.#client.onboardingStatus(query, proof));
  }

  /** Asks without a proof of ownership, and once more with the one that the answer wants signed. */
  async #signedIn(path: string, ask: (proof: string | undefined) => Promise<JsonObject>): Promise<JsonObject> {
    try {
      return await ask(undefined);
    } catch (error) {
      if (!(error instanceof SettlementError) || error.status !== 401) throw error;
      const { extensions } = error.members as { extensions?: Record<string, unknown> };
      const challenge = SignInWithX.challengeFromJson(extensions?.[SignInWithX.EXTENSION]);
      // Signed for the address that was asked, and no other.
      const url = `${this.#client.url}${path}`;
      const signIn = await SignInWithX.answer(challenge, { signer: this.#buyer, url });
      return ask(SignInWithX.format(signIn));
    }
  }

  /** What confirms a round. */
  async #signed(round: JsonObject): Promise<JsonObject> {
    const onboardingId = textOf(round, "onboardingId");
    const transaction = decode(textOf(round, "transaction"));
    const authentication = round.status === "grant" ? await this.#grant(round, transaction) : undefined;
    if (round.status === "account") this.#checkAccount(transaction);
    await this.#buyer.signTransaction(transaction);
    return {
      onboardingId,
      transaction: TransactionBytes.toBase64(transaction.serialize()),
      ...(authentication === undefined ? {} : { authentication: BearerProof.toJson(authentication) }),
    };
  }

  /**
   * The buyer's token account, which who pays for it may close when it is empty, and a memo. Never for wrapped SOL: token
   * programs close that with what is in it.
   */
  #checkAccount(transaction: VersionedTransaction): void {
    const { message } = transaction;
    const funder = message.staticAccountKeys[0] as PublicKey;
    const [owner, mint] = [new PublicKey(this.#agreed.buyer), new PublicKey(this.#agreed.mint)];
    const memo = message.compiledInstructions.find(
      ({ programIdIndex }) => message.staticAccountKeys[programIdIndex]?.toBase58() === MEMO,
    );
    const expected = [TOKEN_PROGRAM, TOKEN_2022_PROGRAM].map((program) => {
      const tokenProgram = new PublicKey(program);
      const account = tokenAddress(owner, mint, tokenProgram);
      const { message: same } = buildTransaction({
        feePayer: funder,
        recentBlockhash: message.recentBlockhash,
        instructions: [
          createAssociatedTokenAccountIdempotentInstruction(funder, account, owner, mint, tokenProgram),
          createSetAuthorityInstruction(account, owner, AuthorityType.CloseAccount, funder, [], tokenProgram),
          new TransactionInstruction({
            programId: new PublicKey(MEMO),
            keys: [{ pubkey: owner, isSigner: true, isWritable: false }],
            data: Buffer.from(memo?.data ?? []),
          }),
        ],
      });
      return Buffer.from(same.serialize());
    });
    const given = Buffer.from(message.serialize());
    if (funder.equals(owner) || mint.equals(NATIVE_MINT) || !expected.some((one) => one.equals(given)))
      throw offerRefused();
  }

  /** Checks that the role is what was asked for; the bearer proof, where the operator signs vouchers. */
  async #grant(round: JsonObject, transaction: VersionedTransaction): Promise<BearerProof.BearerProof | undefined> {
    const challenge = round.challenge as { readonly id?: unknown; readonly request?: unknown } | undefined;
    const sessionChallengeId = challenge?.id;
    const bytes = TransactionBytes.toBase64(transaction.serialize());
    const open = action({ ...(round.open as object), transaction: bytes });
    const request = SessionRequest.fromJson(challenge?.request);
    checkTerms(request, this.#agreed);
    const { transaction: _1, authentication: _2, ...planned } = open;
    const sameParties =
      open.payer === this.#agreed.buyer &&
      open.payee === request.recipient &&
      open.mint === request.currency &&
      open.authorizedSigner === (request.operator ?? this.#agreed.buyer) &&
      open.depositAmount <= this.#deposit &&
      open.gracePeriodSeconds === request.gracePeriodSeconds;
    const expected = await openTransaction(request, planned);
    const same = Buffer.from(expected.message.serialize()).equals(transaction.message.serialize());
    if (!sameParties || !same || typeof sessionChallengeId !== "string") throw offerRefused();
    if (request.voucherSigner === "client") return undefined;
    const { channelId, payer } = open;
    return BearerProof.sign({ channelId, payer, sessionChallengeId }, this.#buyer);
  }
}

function action(json: JsonObject): SessionAction.Open {
  const read = SessionAction.fromJson(json);
  if (read.action !== "open") throw offerRefused();
  return read;
}

function decode(text: string): VersionedTransaction {
  try {
    return VersionedTransaction.deserialize(TransactionBytes.fromBase64(text));
  } catch {
    throw offerRefused();
  }
}

function textOf(json: JsonObject, name: string): string {
  const value = json[name];
  if (typeof value !== "string" || value === "") throw new InvalidFieldError(name, "not a string");
  return value;
}

function roleOf(round: JsonObject): Role {
  return {
    roleId: textOf(round, "roleId"),
    challengeId: textOf(round, "challengeId"),
    closeToken: textOf(round, "closeToken"),
    authorizedSigner: textOf(round, "authorizedSigner"),
    limit: BigInt(textOf(round, "limit")),
    signature: typeof round.signature === "string" ? round.signature : undefined,
  };
}

function missing({ tokenAccount, required, held, missing }: JsonObject): SettlementError {
  const members = { tokenAccount: tokenAccount ?? null, required: required ?? null, held: held ?? null };
  return new SettlementError("funding_required", `The wallet's token account lacks ${String(missing)} base units.`, {
    retryable: true,
    members: { ...members, missing: missing ?? null },
  });
}

function pending({ signature }: JsonObject): SettlementError {
  return new SettlementError("onboarding_pending", "A transaction of the onboarding is still under way.", {
    retryable: true,
    uncertain: true,
    members: { signature: signature ?? null },
  });
}

function offerRefused(): SettlementError {
  return new SettlementError(
    "onboarding_offer_refused",
    "The facilitator wants something else signed than what was asked for.",
  );
}

/** A name that nobody else has used. */
export function newChallengeId(): string {
  return randomUUID();
}
