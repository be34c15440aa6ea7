// A seller of sessions, written from the draft and nothing else: raw HTTP, its own memory, the real program on the chain.
// It takes only what a strict server would. Tests replace the parts in which a hostile or a broken seller differs.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import {
  BearerProof,
  BodyDigest,
  Challenge,
  Credential,
  type JsonObject,
  Problem,
  Receipt,
  type Refusal,
  RefusedError,
  SessionAction,
  SessionRequest,
  SignedVoucher,
  type Splits,
  SseEvents,
} from "@mppsol/core";
import { buildTransaction, channelAddress, keypairSigner, SESSION_PROGRAM_ID, session } from "@mppsol/programs";
import { type Keypair, PublicKey, VersionedTransaction } from "@solana/web3.js";
import type { SessionWorld } from "./session-world.js";

/** A request, as it came. */
export interface Hit {
  readonly method: string;
  readonly path: string;
  readonly url: string;
  readonly key: string | undefined;
  readonly body: Buffer;
  readonly credential: Credential.Credential | undefined;
  readonly action: SessionAction.SessionAction | undefined;
}

export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | JsonObject;
  /** In place of a body. */
  readonly stream?: (response: ServerResponse) => Promise<void>;
}

/** What the seller knows of a channel. */
export interface Account {
  readonly open: SessionAction.Open;
  readonly challengeId: string;
  deposit: bigint;
  accepted: bigint;
  spent: bigint;
  highest: SignedVoucher.SignedVoucher | undefined;
  closed: boolean;
  idleTimeoutSeconds: number;
}

export interface Selling {
  readonly price: bigint;
  readonly unitType: string;
  readonly sponsored: boolean;
  /** Signs the vouchers in the client's place. */
  readonly operator?: Keypair;
  readonly gracePeriodSeconds: number;
  readonly minimumDeposit?: bigint;
  readonly suggestedDeposit?: bigint;
  readonly minVoucherDelta?: bigint;
  readonly idleTimeoutOptionsSeconds?: readonly number[];
  readonly splits: readonly Splits.Split[];
  /** Leaves it to the client to find the token program out. */
  readonly silent?: boolean;
}

/** What happens in place of the honest answer; `undefined` to break the connection, `"honest"` to answer honestly. */
export type Trick = (hit: Hit) => Promise<Reply | undefined | "honest"> | Reply | undefined | "honest";

const IDLE_SECONDS = 300;

export class SessionTill {
  readonly world: SessionWorld;
  selling: Selling;
  secret = "the till's secret, which has 32 bytes or more";
  /** Where credentials are asked for, when not in `Authorization`. */
  header: "Payment-Authorization" | undefined;
  /** Asked first, before the credential is looked at. */
  trick: Trick = () => "honest";
  /** Changes the receipt of an answer. */
  forge: (receipt: Receipt.SessionReceipt) => Receipt.SessionReceipt = (receipt) => receipt;
  /** The paid work of a route: its answer, at once or after a while. */
  work: (hit: Hit, account: Account) => Promise<Reply> | Reply = () => ({
    status: 200,
    body: { served: ++this.served },
  });
  served = 0;
  readonly hits: Hit[] = [];
  readonly accounts = new Map<string, Account>();
  readonly #replies = new Map<string, Reply>();
  readonly #server: Server;
  readonly #waiting = new Set<() => void>();

  private constructor(world: SessionWorld, selling: Partial<Selling>) {
    this.world = world;
    this.selling = {
      ...{ price: 10n, unitType: "request", sponsored: true, gracePeriodSeconds: 900, splits: [] },
      ...selling,
    };
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        if (!response.headersSent) response.writeHead(500);
        response.end(String(error));
      });
    });
  }

  static async start(world: SessionWorld, selling: Partial<Selling> = {}): Promise<SessionTill> {
    const till = new SessionTill(world, selling);
    await till.listen(0);
    return till;
  }

  listen(port: number): Promise<void> {
    return new Promise((done) => this.#server.listen(port, "127.0.0.1", () => done()));
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Actions that came, with the cumulative amount of those that have one. */
  get log(): string[] {
    return this.hits.map(({ action, method }) => {
      const at = method === "HEAD" ? " by HEAD" : "";
      if (action === undefined) return `asked${at}`;
      if (!("voucher" in action) || action.voucher === undefined) return action.action + at;
      return `${action.action} ${action.voucher.voucher.cumulativeAmount}${at}`;
    });
  }

  /** The one channel. */
  get account(): Account {
    const [account, ...others] = [...this.accounts.values()];
    if (account === undefined || others.length > 0) throw new Error(`${this.accounts.size} channels`);
    return account;
  }

  get channelIds(): string[] {
    return [...this.accounts.keys()];
  }

  /** What a fresh challenge asks for. */
  async request(more: Partial<SessionRequest.SessionRequest> = {}): Promise<SessionRequest.SessionRequest> {
    const { selling, world } = this;
    const { context, value } = await world.connection.getLatestBlockhashAndContext();
    const optional = Object.fromEntries(
      (["minimumDeposit", "suggestedDeposit", "minVoucherDelta", "idleTimeoutOptionsSeconds"] as const)
        .filter((key) => selling[key] !== undefined)
        .map((key) => [key, selling[key]]),
    );
    return {
      amount: selling.price,
      unitType: selling.unitType,
      recipient: world.seller.publicKey.toBase58(),
      currency: world.mint.toBase58(),
      network: "localnet",
      channelProgram: SESSION_PROGRAM_ID.toBase58(),
      recentBlockhash: value.blockhash,
      recentSlot: BigInt(context.slot),
      decimals: world.decimals,
      ...(selling.silent ? {} : { tokenProgram: world.tokenProgram.toBase58() }),
      feePayer: selling.sponsored,
      ...(selling.sponsored ? { feePayerKey: world.sponsor.publicKey.toBase58() } : {}),
      ...(selling.operator === undefined
        ? { voucherSigner: "client" as const }
        : { voucherSigner: "operator" as const, operator: selling.operator.publicKey.toBase58() }),
      gracePeriodSeconds: selling.gracePeriodSeconds,
      distributionSplits: selling.splits,
      ...optional,
      ...more,
    };
  }

  async challenge(hit?: Hit, more: Partial<SessionRequest.SessionRequest> = {}): Promise<Challenge.Challenge> {
    const digest = hit === undefined || hit.body.length === 0 ? {} : { digest: BodyDigest.of(hit.body) };
    return Challenge.issue(
      {
        ...{ realm: "the till", method: "solana", intent: "session", ...digest },
        ...(this.header === undefined ? {} : { header: this.header }),
        request: SessionRequest.toJson(await this.request(more)),
        expires: new Date(Date.now() + 60_000).toISOString(),
      },
      this.secret,
    );
  }

  /** A refusal with a fresh challenge. */
  async ask(hit: Hit, code: Refusal.Code = "payment-required", members: JsonObject = {}): Promise<Reply> {
    return this.askWith(await this.challenge(hit), code, members);
  }

  askWith(challenge: Challenge.Challenge, code: Refusal.Code = "payment-required", members: JsonObject = {}): Reply {
    const problem = Problem.from(new RefusedError(code, undefined, members));
    return {
      status: problem.status,
      headers: {
        "www-authenticate": Challenge.format(challenge),
        "content-type": Problem.CONTENT_TYPE,
        "cache-control": "no-store",
      },
      body: problem as JsonObject,
    };
  }

  receipt(account: Account, challengeId: string, more: Partial<Receipt.SessionReceipt> = {}): Record<string, string> {
    const receipt = this.forge({
      channelId: account.open.channelId,
      challengeId,
      acceptedCumulative: account.accepted,
      spent: account.spent,
      idleTimeoutSeconds: account.idleTimeoutSeconds,
      timestamp: new Date(),
      ...more,
    });
    return { "payment-receipt": Receipt.format(Receipt.session(receipt)), "cache-control": "private" };
  }

  /** Where a channel stands, as refusals say it. */
  figures(account: Account): JsonObject {
    const { accepted, spent, deposit } = account;
    return { acceptedCumulative: String(accepted), spent: String(spent), deposit: String(deposit) };
  }

  /** The honest answer. */
  async answer(hit: Hit): Promise<Reply> {
    const { credential, action } = hit;
    if (credential === undefined || action === undefined) return this.ask(hit);
    if (!Challenge.isBound(credential.challenge, this.secret)) return this.ask(hit, "challenge-unknown");
    const { digest } = credential.challenge;
    if (digest !== undefined && !BodyDigest.matches(digest, hit.body)) return this.ask(hit, "digest-mismatch");
    const request = SessionRequest.fromJson(Challenge.requestOf(credential.challenge));
    if (SessionRequest.sameTerms(request, await this.request()) !== undefined)
      return this.ask(hit, "challenge-mismatch");
    const key = `${action.channelId} ${hit.key}`;
    const known = this.#replies.get(key);
    if (known !== undefined) return known;
    try {
      const reply = await this.#act(hit, action, credential.challenge, request);
      this.#replies.set(key, reply);
      return reply;
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      return this.ask(hit, error.code, error.members);
    }
  }

  /** Tokens, each at the price; pauses when there is no credit. For `work`. */
  streams(count: number, credential?: (hit: Hit) => string): (hit: Hit, account: Account) => Reply {
    return (hit, account) => ({
      status: 200,
      headers: {
        "content-type": "text/event-stream",
        ...this.receipt(account, hit.credential?.challenge.id ?? credential?.(hit) ?? ""),
      },
      stream: async (response) => {
        for (let i = 1; i <= count; i++) {
          if (!(await this.debit(account, response))) return;
          response.write(`id: ${i}\ndata: token ${i}\n\n`);
        }
        const data = Receipt.parse(this.receipt(account, hit.credential?.challenge.id ?? "")["payment-receipt"]!);
        response.write(SseEvents.format({ event: "payment-receipt", data }));
      },
    });
  }

  /** Debits one unit; asks for a voucher and waits while there is no credit. False when the client has gone. */
  async debit(account: Account, response: ServerResponse, required?: bigint): Promise<boolean> {
    const { price, operator } = this.selling;
    const room = () => (operator === undefined ? account.accepted : account.deposit) - account.spent;
    let told = "";
    while (room() < price) {
      if (response.destroyed) return false;
      const requiredCumulative = required ?? account.spent + price;
      const { accepted: acceptedCumulative, deposit } = account;
      const data = { channelId: account.open.channelId, requiredCumulative, acceptedCumulative, deposit };
      const event = SseEvents.format({ event: "payment-need-voucher", data });
      // Others may have used up what came.
      if (event !== told) response.write(event);
      told = event;
      await new Promise<void>((done) => {
        const go = () => {
          response.off("close", go);
          done();
        };
        this.#waiting.add(go);
        response.once("close", go);
      });
    }
    account.spent += price;
    if (operator !== undefined) account.accepted = account.spent;
    return true;
  }

  async #act(
    hit: Hit,
    action: SessionAction.SessionAction,
    challenge: Challenge.Challenge,
    request: SessionRequest.SessionRequest,
  ): Promise<Reply> {
    switch (action.action) {
      case "open":
        return this.#open(action, challenge, request);
      case "voucher":
        return this.#voucher(hit, action, challenge);
      case "use":
        return this.#use(hit, action, challenge);
      case "topUp":
        return this.#topUp(action, challenge, request);
      case "close":
        return this.#close(action, challenge);
    }
  }

  /** Lands the open when it is, byte for byte, the one that these terms make. */
  async #open(
    open: SessionAction.Open,
    challenge: Challenge.Challenge,
    request: SessionRequest.SessionRequest,
  ): Promise<Reply> {
    if (this.accounts.has(open.channelId)) throw new RefusedError("open-used");
    const { sponsor } = this.world;
    const payer = new PublicKey(open.payer);
    const { operator } = this.selling;
    const parties = {
      payer,
      payee: new PublicKey(request.recipient),
      mint: new PublicKey(request.currency),
      authorizedSigner: new PublicKey(open.authorizedSigner),
      salt: open.salt,
      openSlot: open.openSlot,
    };
    refuse(open.channelId !== channelAddress(parties).toBase58(), "open-channel-address");
    refuse(open.depositAmount < (request.minimumDeposit ?? 0n), "open-deposit");
    refuse(open.payee !== request.recipient || open.mint !== request.currency, "open-mismatch");
    refuse(open.gracePeriodSeconds !== request.gracePeriodSeconds, "open-grace-period");
    const { idleTimeoutSeconds: idle } = open;
    refuse(idle !== undefined && !request.idleTimeoutOptionsSeconds?.includes(idle), "open-idle-timeout");
    const splits = JSON.stringify(open.distributionSplits ?? []);
    refuse(splits !== JSON.stringify(request.distributionSplits), "open-splits");
    refuse(operator !== undefined && open.authorizedSigner !== request.operator, "open-authorized-signer");
    const { channelId } = open;
    const proven =
      operator === undefined
        ? open.authentication === undefined
        : open.authentication !== undefined &&
          BearerProof.verify(open.authentication, { channelId, payer: open.payer, challengeId: challenge.id });
    refuse(!proven, "open-authentication");
    const feePayer = request.feePayer ? sponsor.publicKey : payer;
    const expected = buildTransaction({
      feePayer,
      recentBlockhash: request.recentBlockhash!,
      instructions: await session.open({
        ...{ ...parties, rentPayer: feePayer, deposit: open.depositAmount, tokenProgram: this.world.tokenProgram },
        gracePeriod: request.gracePeriodSeconds!,
        splits: request.distributionSplits,
      }),
    });
    const transaction = VersionedTransaction.deserialize(open.transaction);
    const same = Buffer.from(transaction.message.serialize()).equals(Buffer.from(expected.message.serialize()));
    refuse(!same, "open-mismatch");
    if (request.feePayer) transaction.sign([sponsor]);
    const txHash = await this.world.land(transaction);
    const account: Account = {
      ...{ open, challengeId: challenge.id, deposit: open.depositAmount, accepted: 0n, spent: 0n },
      ...{ highest: undefined, closed: false, idleTimeoutSeconds: idle ?? IDLE_SECONDS },
    };
    this.accounts.set(channelId, account);
    return { status: 200, headers: this.receipt(account, challenge.id, { txHash }), body: { channelId } };
  }

  async #voucher(hit: Hit, action: SessionAction.Voucher, challenge: Challenge.Challenge): Promise<Reply> {
    const account = this.#known(action.channelId);
    const { voucher } = action;
    const { cumulativeAmount, channelId } = voucher.voucher;
    refuse(channelId !== account.open.channelId, "voucher-channel");
    refuse(voucher.signer !== account.open.authorizedSigner, "voucher-signer");
    refuse(!SignedVoucher.verify(voucher), "voucher-signature");
    const figures = this.figures(account);
    refuse(cumulativeAmount <= account.accepted, "voucher-not-monotonic", figures);
    const delta = cumulativeAmount - account.accepted;
    refuse(delta < (this.selling.minVoucherDelta ?? 1n), "voucher-delta-too-small", figures);
    refuse(cumulativeAmount > account.deposit, "voucher-over-deposit", figures);
    const alone = hit.method === "HEAD";
    // A stream is paid for as it goes on, so nothing is due at its beginning.
    const cost = alone || hit.path.startsWith("/stream") ? 0n : this.selling.price;
    const required = { ...figures, requiredCumulative: String(account.spent + cost) };
    refuse(cumulativeAmount - account.spent < cost, "voucher-insufficient", required);
    account.accepted = cumulativeAmount;
    account.highest = voucher;
    account.spent += cost;
    this.#wake();
    if (alone) return { status: 204, headers: this.receipt(account, challenge.id) };
    return this.#work(hit, account, challenge);
  }

  async #use(
    hit: Hit,
    { channelId, authentication }: SessionAction.Use,
    challenge: Challenge.Challenge,
  ): Promise<Reply> {
    const account = this.#known(channelId);
    const { open, challengeId } = account;
    refuse(challenge.id !== challengeId, "proof-invalid");
    refuse(!BearerProof.verify(authentication, { channelId, payer: open.payer, challengeId }), "proof-invalid");
    const cost = hit.path.startsWith("/stream") ? 0n : this.selling.price;
    refuse(account.deposit - account.accepted < cost, "deposit-exhausted", this.figures(account));
    account.accepted += cost;
    account.spent += cost;
    return this.#work(hit, account, challenge);
  }

  async #work(hit: Hit, account: Account, challenge: Challenge.Challenge): Promise<Reply> {
    const reply = await this.work(hit, account);
    if (reply.status >= 400 || reply.stream !== undefined) return reply;
    return { ...reply, headers: { ...this.receipt(account, challenge.id), ...reply.headers } };
  }

  async #topUp(
    { channelId, transaction: wire, additionalAmount }: SessionAction.TopUp,
    challenge: Challenge.Challenge,
    request: SessionRequest.SessionRequest,
  ): Promise<Reply> {
    const account = this.#known(channelId);
    const transaction = VersionedTransaction.deserialize(wire);
    if (request.feePayer) transaction.sign([this.world.sponsor]);
    const txHash = await this.world.land(transaction);
    const deposit = (await this.world.channel(channelId))!.deposit;
    if (deposit !== account.deposit + additionalAmount) throw new RefusedError("topup-state");
    account.deposit = deposit;
    this.#wake();
    return { status: 200, headers: this.receipt(account, challenge.id, { txHash }), body: { channelId } };
  }

  async #close(action: SessionAction.Close, challenge: Challenge.Challenge): Promise<Reply> {
    const account = this.#known(action.channelId);
    const { open, challengeId } = account;
    const { channelId, voucher, authentication } = action;
    if (this.selling.operator === undefined) {
      refuse(voucher === undefined || !SignedVoucher.verify(voucher), "voucher-signature");
      refuse(voucher!.voucher.channelId !== channelId, "voucher-channel");
      refuse(voucher!.signer !== open.authorizedSigner, "voucher-signer");
      refuse(voucher!.voucher.cumulativeAmount !== account.accepted, "close-voucher", this.figures(account));
    } else {
      const expected = { channelId, payer: open.payer, challengeId };
      refuse(challenge.id !== challengeId, "proof-invalid");
      refuse(authentication === undefined || !BearerProof.verify(authentication, expected), "proof-invalid");
    }
    account.closed = true;
    const txHash = await this.settle(account);
    const refunded = account.deposit - account.accepted;
    return { status: 200, headers: this.receipt(account, challenge.id, { txHash, refunded }), body: { channelId } };
  }

  /** Last voucher, close, payout and refund, in one transaction. */
  async settle(account: Account): Promise<string> {
    const { world, selling } = this;
    const { open } = account;
    const { operator } = selling;
    const signer = operator && keypairSigner(operator);
    const last =
      signer === undefined || account.accepted === 0n
        ? account.highest
        : await SignedVoucher.sign({ channelId: open.channelId, cumulativeAmount: account.accepted }, signer);
    const { blockhash } = await world.connection.getLatestBlockhash();
    const transaction = buildTransaction({
      feePayer: world.sponsor.publicKey,
      recentBlockhash: blockhash,
      instructions: await session.closeAndSettle({
        channel: new PublicKey(open.channelId),
        payer: new PublicKey(open.payer),
        payee: world.seller.publicKey,
        rentPayer: selling.sponsored ? world.sponsor.publicKey : new PublicKey(open.payer),
        ...{ mint: world.mint, tokenProgram: world.tokenProgram, splits: open.distributionSplits ?? [] },
        createAccounts: world.sponsor.publicKey,
        ...(last === undefined ? {} : { voucher: last }),
      }),
    });
    transaction.sign([world.sponsor, world.seller]);
    return world.land(transaction);
  }

  #known(channelId: string): Account {
    const account = this.accounts.get(channelId);
    if (account === undefined) throw new RefusedError("channel-unknown");
    if (account.closed) throw new RefusedError("channel-closed");
    return account;
  }

  #wake(): void {
    for (const done of this.#waiting) done();
    this.#waiting.clear();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method = "", url = "", headers } = request;
    const given = [headers.authorization, headers["payment-authorization"] as string | undefined];
    const paying = given.find((value) => value !== undefined && Credential.isPayment(value));
    const credential = paying === undefined ? undefined : Credential.parse(paying);
    const hit: Hit = {
      ...{ method, path: url, url: `${this.url}${url}`, body: Buffer.concat(chunks), credential },
      key: headers["idempotency-key"] as string | undefined,
      action: credential === undefined ? undefined : SessionAction.fromJson(credential.payload),
    };
    this.hits.push(hit);
    const tricked = await this.trick(hit);
    const reply = tricked === "honest" ? await this.answer(hit) : tricked;
    if (reply === undefined) {
      request.socket.destroy();
      return;
    }
    for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value);
    if (reply.stream !== undefined) {
      response.writeHead(reply.status);
      response.flushHeaders();
      await reply.stream(response);
      response.end();
      return;
    }
    const json = typeof reply.body === "object";
    if (json && !response.hasHeader("content-type")) response.setHeader("content-type", "application/json");
    response.writeHead(reply.status).end(json ? JSON.stringify(reply.body) : reply.body);
  }
}

function refuse(when: boolean, code: Refusal.Code, members: JsonObject = {}): void {
  if (when) throw new RefusedError(code, undefined, members);
}
