// Wallets that are onboarded over HTTP, as an agent does it with nothing but the core package, and the books of who has what.
import { BearerProof, SessionAction, SessionRequest, SignInWithX } from "@mppsol/core";
import type { Localnet } from "@mppsol/localnet";
import { USDC_MINT } from "@mppsol/localnet";
import { buildTransaction, escrowAddress, keypairSigner, session, tokenAddress } from "@mppsol/programs";
import { createRpc, type Rpc } from "@mppsol/server";
import { TOKEN_PROGRAM_ID } from "@solana/spl-token";
import {
  type Connection,
  Keypair,
  PublicKey,
  type TransactionInstruction,
  VersionedTransaction,
} from "@solana/web3.js";
import { expect } from "chai";
import { type Running, type StartOptions, startChain, startFacilitator } from "../support.ts";

export const MINT = new PublicKey(USDC_MINT);
export const DEPOSIT = 50_000n;
/** Rent of a token account. */
export const ACCOUNT_RENT = 2_039_280n;
export const START = "/api/sessions/onboard";
export const CONFIRM = `${START}/confirm`;
export const STATUS = `${START}/status`;

export type Office = Running;

/** A facilitator whose clock is the chain's, and whose background work stands still. */
export async function startOffice(options: StartOptions & { readonly rpc?: (rpc: Rpc) => Rpc } = {}): Promise<Office> {
  const { rpc, ...rest } = options;
  const net = options.net ?? (await startChain());
  const running = await startFacilitator({
    ...rest,
    net,
    overrides: {
      now: () => net.clock().unixTimestamp * 1000,
      background: false,
      tuning: { landing: { budgetMs: 400, pollMs: 2 } },
      ...(rpc === undefined ? {} : { rpc: rpc(createRpc({ endpoint: net.url, backoffMs: 1 })) }),
      ...options.overrides,
    },
  });
  const close = async () => {
    await running.close();
    if (options.net === undefined) await net.close();
  };
  return { ...running, close };
}

/** What the tests read of an answer. */
export interface Answer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  // biome-ignore lint/suspicious/noExplicitAny: whatever was answered
  readonly body: any;
}

/** A wallet with its agent. */
export class Agent {
  readonly office: Office;
  readonly wallet: Keypair;

  constructor(office: Office, wallet: Keypair) {
    this.office = office;
    this.wallet = wallet;
  }

  get address(): string {
    return this.wallet.publicKey.toBase58();
  }

  /** The same wallet at another instance. */
  at(office: Office): Agent {
    return new Agent(office, this.wallet);
  }

  /** A challenge for one request. */
  async challenge(path: string): Promise<SignInWithX.Challenge> {
    const refused =
      path === STATUS ? await this.get(path, this.query(this.address), {}) : await this.post(path, this.asked(), {});
    expect(refused.status, JSON.stringify(refused.body)).to.equal(401);
    return SignInWithX.challengeFromJson(refused.body.extensions[SignInWithX.EXTENSION]);
  }

  /** The header of one request. `change` makes another message of the one that should be signed. */
  async header(
    path: string,
    change: (message: SignInWithX.Message) => SignInWithX.Message = (message) => message,
    signer: Keypair = this.wallet,
  ): Promise<string> {
    const { info, chainIds } = await this.challenge(path);
    const message = change({ ...info, chainId: chainIds[0] as string, address: signer.publicKey.toBase58() });
    return SignInWithX.format(await SignInWithX.sign(message, keypairSigner(signer)));
  }

  asked(more: object = {}): object {
    return { wallet: this.address, seller: this.address, deposit: String(DEPOSIT), ...more };
  }

  query(seller: string, more: object = {}): Record<string, string> {
    return { wallet: this.address, seller, ...more };
  }

  async start(seller: string, more: object = {}, header?: string): Promise<Answer> {
    const signed = header ?? (await this.header(START));
    return this.post(START, this.asked({ seller, ...more }), { [SignInWithX.HEADER]: signed });
  }

  async status(seller: string, header?: string): Promise<Answer> {
    const signed = header ?? (await this.header(STATUS));
    return this.get(STATUS, this.query(seller), { [SignInWithX.HEADER]: signed });
  }

  /** Hands over what a round asks for, signed. */
  async confirm(round: Answer["body"], more: object = {}): Promise<Answer> {
    return this.post(CONFIRM, { ...(await this.signed(round)), ...more }, {});
  }

  /** The body by which a round is confirmed. What is signed is checked first, as an agent must. */
  async signed(round: Answer["body"]): Promise<{ onboardingId: string; transaction: string; authentication?: object }> {
    const transaction = VersionedTransaction.deserialize(Buffer.from(round.transaction, "base64"));
    if (round.status === "grant") await checkGrant(transaction, round, this.address);
    transaction.sign([this.wallet]);
    const body = {
      onboardingId: round.onboardingId as string,
      transaction: Buffer.from(transaction.serialize()).toString("base64"),
    };
    if (round.proof === undefined) return body;
    const input = { channelId: round.roleId, payer: this.address, sessionChallengeId: round.challenge.id };
    expect(Buffer.from(round.proof, "base64")).to.deep.equal(Buffer.from(BearerProof.message(input)));
    return { ...body, authentication: { ...(await BearerProof.sign(input, keypairSigner(this.wallet))) } };
  }

  /** Goes from round to round until it is ready. The rounds that it took. */
  async run(seller: string, more: object = {}): Promise<Answer["body"][]> {
    const rounds: Answer["body"][] = [];
    let { body } = okay(await this.start(seller, more));
    for (rounds.push(body); body.status !== "ready"; rounds.push(body)) {
      expect(["account", "grant"]).to.include(body.status, JSON.stringify(body));
      expect(rounds.length).to.be.lessThan(6);
      body = okay(await this.confirm(body)).body;
    }
    return rounds;
  }

  async post(url: string, payload: object, headers: Record<string, string>): Promise<Answer> {
    return answerOf(await this.office.app.inject({ method: "POST", url, payload, headers }));
  }

  async get(url: string, query: Record<string, string>, headers: Record<string, string>): Promise<Answer> {
    return answerOf(await this.office.app.inject({ method: "GET", url, query, headers }));
  }
}

function answerOf(response: { statusCode: number; headers: Record<string, unknown>; body: string }): Answer {
  return { status: response.statusCode, headers: response.headers, body: JSON.parse(response.body) };
}

export function okay(answer: Answer): Answer {
  expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
  return answer;
}

/** Expects a refusal with this code. */
export function refused(answer: Answer, status: number, code: string): Answer {
  expect(`${answer.status} ${answer.body.code}`, JSON.stringify(answer.body)).to.equal(`${status} ${code}`);
  return answer;
}

/** Whether the transaction is the open that the round speaks of, built anew from what it says. */
async function checkGrant(transaction: VersionedTransaction, round: Answer["body"], wallet: string): Promise<void> {
  const request = SessionRequest.fromJson(round.challenge.request);
  const open = SessionAction.fromJson({ ...round.open, transaction: round.transaction }) as SessionAction.Open;
  expect(open.payer).to.equal(wallet);
  expect(open.channelId).to.equal(round.roleId);
  expect(String(open.depositAmount)).to.equal(round.limit);
  expect(open.authorizedSigner).to.equal(round.authorizedSigner);
  const instructions = await session.open({
    payer: new PublicKey(wallet),
    rentPayer: new PublicKey(request.feePayerKey as string),
    payee: new PublicKey(request.recipient),
    mint: new PublicKey(request.currency),
    tokenProgram: new PublicKey(request.tokenProgram as string),
    authorizedSigner: new PublicKey(open.authorizedSigner),
    salt: open.salt,
    openSlot: open.openSlot,
    deposit: open.depositAmount,
    gracePeriod: request.gracePeriodSeconds as number,
    splits: request.distributionSplits,
    programId: new PublicKey(request.channelProgram),
  });
  const expected = buildTransaction({
    feePayer: new PublicKey(request.feePayerKey as string),
    recentBlockhash: request.recentBlockhash as string,
    instructions,
  });
  expect(Buffer.from(transaction.message.serialize())).to.deep.equal(Buffer.from(expected.message.serialize()));
}

/** Who holds what: every token that was minted is somewhere known. */
export class Books {
  readonly #net: Localnet;
  readonly #connection: Connection;
  readonly #owners = new Map<string, PublicKey>();

  constructor({ net, connection }: Pick<Office, "net" | "connection">) {
    this.#net = net;
    this.#connection = connection;
  }

  watch(...owners: readonly (PublicKey | string)[]): void {
    for (const owner of owners) this.#owners.set(String(owner), new PublicKey(owner));
  }

  /** A key without lamports; with a token account when it holds `usdc`, 0n included. */
  person(usdc?: bigint): Keypair {
    const key = Keypair.generate();
    this.watch(key.publicKey);
    if (usdc !== undefined) this.#net.mintUsdc(key.publicKey.toBase58(), usdc);
    return key;
  }

  fund(owner: PublicKey, usdc: bigint): void {
    this.#net.mintUsdc(owner.toBase58(), usdc);
  }

  async tokens(owner: PublicKey): Promise<bigint> {
    const account = await this.#connection.getAccountInfo(tokenAddress(owner, MINT, TOKEN_PROGRAM_ID), "confirmed");
    return account === null ? 0n : account.data.readBigUInt64LE(64);
  }

  async hasAccount(owner: PublicKey): Promise<boolean> {
    return (await this.#connection.getAccountInfo(tokenAddress(owner, MINT, TOKEN_PROGRAM_ID))) !== null;
  }

  async lamports(...keys: readonly Keypair[]): Promise<bigint> {
    let sum = 0n;
    for (const key of keys) sum += BigInt(await this.#connection.getBalance(key.publicKey, "confirmed"));
    return sum;
  }

  escrow(channelId: string): PublicKey {
    return escrowAddress(new PublicKey(channelId), MINT, TOKEN_PROGRAM_ID);
  }

  /** Base units in the channel's escrow. */
  async escrowed(channelId: string): Promise<bigint> {
    return this.tokens(new PublicKey(channelId));
  }

  /** No token is lost or made. */
  async check(): Promise<void> {
    let held = 0n;
    for (const owner of this.#owners.values()) held += await this.tokens(owner);
    const { value } = await this.#connection.getTokenSupply(MINT, "confirmed");
    expect(held, "tokens in all known accounts").to.equal(BigInt(value.amount));
  }
}

/** Lands instructions that somebody else pays for. */
export async function run(
  { net, connection }: Pick<Office, "net" | "connection">,
  instructions: readonly TransactionInstruction[],
  signers: readonly Keypair[] = [],
): Promise<void> {
  const funder = Keypair.fromSecretKey(net.payer.secretKey);
  const { blockhash } = await connection.getLatestBlockhash("confirmed");
  const transaction = buildTransaction({ feePayer: funder.publicKey, recentBlockhash: blockhash, instructions });
  transaction.sign([funder, ...signers]);
  const signature = await connection.sendRawTransaction(transaction.serialize());
  const { value } = await connection.getSignatureStatuses([signature]);
  expect(value[0]?.err, `${signature} must land`).to.equal(null);
}

/** For a while, another configuration. */
export async function configured(
  { context }: Office,
  changes: Partial<Office["config"]>,
  work: () => Promise<void>,
): Promise<void> {
  const config = context.config as { -readonly [K in keyof Office["config"]]: Office["config"][K] };
  const before = { ...config };
  Object.assign(config, changes);
  try {
    await work();
  } finally {
    Object.assign(config, before);
  }
}
