// The HTTP client of a facilitator: one method a route, every answer read strictly. It decides nothing; whether an answer
// can be true is for its caller to check.
import {
  Base58,
  type BearerProof,
  ChargeRequest,
  Integer,
  InvalidFieldError,
  type JsonObject,
  Network,
  SessionAction,
  SessionRequest,
  SignedVoucher,
  SignInWithX,
  type Splits,
  TokenProgram,
  TransactionBytes,
} from "@mppsol/core";
import { SettlementError } from "./errors.js";
import { type Answer, exchange, type Fetch } from "./exchange.js";
import { count, member, oneOf, optional, reading, text, time } from "./read.js";

export interface SettlementClientOptions {
  /** Where the facilitator is: http or https, a path before the routes allowed, no query, no credentials. */
  readonly url: string;
  /** Milliseconds for everything but settling. Default 10,000. */
  readonly prepareTimeoutMs?: number;
  /** Milliseconds for what lands a transaction: settle, open, top-up, close. Default 30,000. */
  readonly settleTimeoutMs?: number;
  /** Default: the platform's. */
  readonly fetch?: Fetch;
}

/** Sent with a request, so that it happens once however often it is sent. */
export interface CallOptions {
  /** 1 to 255 printable ASCII characters. */
  readonly idempotencyKey?: string;
  /** Milliseconds. Default: those of the client. */
  readonly timeoutMs?: number;
}

/** What is to be charged. */
export interface PrepareInput {
  /** Base58. */
  readonly recipient: string;
  /** Base units. */
  readonly amount?: bigint;
  /** "USDC", the default, or a mint. */
  readonly currency?: string;
  readonly network?: Network.Network;
  readonly splits?: readonly ChargeRequest.Split[];
}

/** What a challenge needs to know. */
export interface Preparation {
  /** Base58. */
  readonly feePayer: string;
  readonly recentBlockhash: string;
  /** After this block height a transaction with the blockhash cannot land. */
  readonly lastValidBlockHeight: bigint;
  readonly network: Network.Network;
  /** The mint, base58. */
  readonly currency: string;
  readonly decimals: number;
  readonly tokenProgram: string;
}

/** A payment, and what it is for. */
export interface SettleInput {
  /** At most one live payment for each. */
  readonly challengeId: string;
  /** The request of the challenge, as JSON. */
  readonly request: JsonObject;
  /** Wire bytes, signed by all but the fee payer. */
  readonly transaction: Uint8Array;
}

/** The facilitator's word for a payment. */
export interface Proof {
  readonly state: "confirmed" | "finalized";
  /** `pay_` and the hex SHA-256 of the transaction's message. */
  readonly id: string;
  readonly signature: string;
  readonly payer: string;
  readonly recipient: string;
  /** Base units. */
  readonly amount: bigint;
  /** "sol" or the mint. */
  readonly asset: string;
  readonly feePayer: string;
  readonly network: Network.Network;
  /** Unix milliseconds. */
  readonly settledAt: number;
}

/** Under way: ask again. */
export interface Pending {
  readonly state: "pending";
  readonly signature: string | undefined;
  /** Seconds. */
  readonly retryAfterSeconds: number;
}

/** What has become of a payment that was handed over. */
export type SettleAnswer = Proof | Pending;

/** How far a payment is; `unknown` may still land. */
export type PaymentState =
  | "received"
  | "signed"
  | "sent"
  | "confirmed"
  | "finalized"
  | "rejected"
  | "expired"
  | "unknown";

/** A payment as anybody may see it. */
export interface PaymentView {
  readonly id: string;
  readonly state: PaymentState;
  readonly signature: string | undefined;
  readonly recipient: string;
  /** The mint, base58. */
  readonly asset: string;
  /** Base units. */
  readonly amount: bigint;
  /** Stable code of why it was rejected. */
  readonly reason: string | undefined;
}

/** What a session is to be sold for. */
export interface SessionPrepareInput {
  /** Base58: who is paid. */
  readonly seller: string;
  /** "USDC", the default, or a mint. */
  readonly currency?: string;
  /** Base units of one request or unit. */
  readonly amount: bigint;
  /** What the facilitator must settle on. */
  readonly network?: Network.Network;
  readonly voucherSigner?: "client" | "operator";
  /** What a unit is, as "request". */
  readonly unitType?: string;
  /** Base units. Default: what the facilitator thinks fit. */
  readonly suggestedDeposit?: bigint;
}

/** The challenge that an open answers. */
export interface OpenChallenge {
  readonly id: string;
  readonly request: SessionRequest.SessionRequest;
}

/** A managed session as anybody may see it. Amounts in base units, `…Seconds` in seconds, `openSlot` a slot. */
export interface SessionView {
  readonly state: "opening" | "open" | "closing" | "closed";
  readonly channelId: string;
  readonly payer: string;
  /** The facilitator's key on the channel. */
  readonly payee: string;
  /** Who is paid. */
  readonly seller: string;
  readonly mint: string;
  readonly tokenProgram: string;
  readonly channelProgram: string;
  readonly authorizedSigner: string;
  readonly rentPayer: string;
  readonly salt: bigint;
  readonly openSlot: bigint;
  readonly distributionSplits: readonly Splits.Split[];
  readonly voucherSigner: "client" | "operator";
  readonly deposit: bigint;
  readonly accepted: bigint;
  readonly settledOnChain: bigint;
  readonly gracePeriodSeconds: number;
  readonly idleTimeoutSeconds: number;
  /** Between the announcement of its end and the end, at most; `undefined` where the facilitator gives no notice. */
  readonly noticeSeconds: number | undefined;
  /** Unix milliseconds after which it is closed, whatever happens. */
  readonly closesAt: number | undefined;
  /** Unix seconds of a forced close seen on chain. */
  readonly closureStartedAt: number | undefined;
  readonly closeSignature: string | undefined;
  readonly refunded: bigint | undefined;
  /** Of the transaction that was asked for: open, top-up. */
  readonly signature: string | undefined;
  /** Lets its holder close the session; whoever opened it gets it. */
  readonly closeToken: string | undefined;
}

/** Operator mode: asks for the voucher of this cumulative amount. */
export interface SignInput {
  readonly channelId: string;
  /** Cumulative, base units. */
  readonly amount: bigint;
  readonly authentication: BearerProof.BearerProof;
  /** The seller's, bound into nothing here: it makes one request of many tellable. */
  readonly serverNonce?: string;
}

/** Who ends a session: the buyer by its last voucher or proof, or whoever has the close token. */
export type CloseInput = SessionAction.Close | { readonly channelId: string; readonly closeToken: string };

const PREPARE_MS = 10_000;
const SETTLE_MS = 30_000;

/**
 * A facilitator's routes, one method each. Amounts are bigint base units, times say their unit.
 *
 * ```ts
 * const client = new SettlementClient("http://127.0.0.1:8402");
 * const { feePayer, recentBlockhash } = await client.prepare({ recipient, amount: 10_000n }); // 0.01 USDC
 * ```
 */
export class SettlementClient {
  readonly url: string;
  readonly #prepareMs: number;
  readonly #settleMs: number;
  readonly #fetch: Fetch;

  /** @throws {InvalidFieldError} for a URL that is none. */
  constructor(options: SettlementClientOptions | string) {
    const given = typeof options === "string" ? { url: options } : options;
    this.url = baseUrl(given.url);
    this.#prepareMs = given.prepareTimeoutMs ?? PREPARE_MS;
    this.#settleMs = given.settleTimeoutMs ?? SETTLE_MS;
    // Looked up when it is called, so that what replaces the platform's is heeded.
    this.#fetch = given.fetch ?? ((url, init) => fetch(url, init));
  }

  /** Milliseconds that settling is given. */
  get settleTimeoutMs(): number {
    return this.#settleMs;
  }

  /** `POST /mpp/prepare`. Throws {SettlementError}. */
  async prepare(input: PrepareInput): Promise<Preparation> {
    const { recipient, amount, currency, network, splits = [] } = input;
    const answer = await this.#post("/mpp/prepare", {
      recipient,
      ...(amount === undefined ? {} : { amount: String(amount) }),
      ...(currency === undefined ? {} : { currency }),
      ...(network === undefined ? {} : { network }),
      ...(splits.length === 0 ? {} : { splits: splits.map(splitJson) }),
    });
    return reading(() => preparationOf(answer.body), answer.status);
  }

  /** `POST /mpp/settle`. The key makes it one payment; the transaction itself does too. Throws {SettlementError}. */
  async settle(input: SettleInput, options: CallOptions = {}): Promise<SettleAnswer> {
    const { challengeId, request, transaction } = input;
    const body = { challengeId, request, transaction: TransactionBytes.toBase64(transaction) };
    const answer = await this.#post("/mpp/settle", body, { timeoutMs: this.#settleMs, ...options });
    return reading(() => (answer.status === 202 ? pendingOf(answer) : proofOf(answer.body)), answer.status);
  }

  /** `GET /mpp/payments/:id`; undefined when the facilitator does not know it. Throws {SettlementError}. */
  async payment(id: string): Promise<PaymentView | undefined> {
    const answer = await this.#find(`/mpp/payments/${encodeURIComponent(id)}`);
    return answer && reading(() => paymentOf(answer.body), answer.status);
  }

  /** `GET /mpp/stats`, as it is. Throws {SettlementError}. */
  async stats(): Promise<JsonObject> {
    return (await this.#get("/mpp/stats")).body;
  }

  /** `POST /mpp/session/prepare`: the request of a challenge. Throws {SettlementError}. */
  async prepareSession(input: SessionPrepareInput): Promise<SessionRequest.SessionRequest> {
    const { seller, currency, amount, network, voucherSigner, unitType, suggestedDeposit } = input;
    const answer = await this.#post("/mpp/session/prepare", {
      seller,
      amount: String(amount),
      ...(network === undefined ? {} : { network }),
      ...(currency === undefined ? {} : { currency }),
      ...(voucherSigner === undefined ? {} : { voucherSigner }),
      ...(unitType === undefined ? {} : { unitType }),
      ...(suggestedDeposit === undefined ? {} : { suggestedDeposit: String(suggestedDeposit) }),
    });
    return reading(() => SessionRequest.fromJson(member(answer.body, "request")), answer.status);
  }

  /** `POST /mpp/session/open`. Throws {SettlementError}. */
  async open(
    { id, request }: OpenChallenge,
    action: SessionAction.Open,
    options: CallOptions = {},
  ): Promise<SessionView | Pending> {
    const challenge = { id, request: SessionRequest.toJson(request) };
    return this.#session("/mpp/session/open", { challenge, payload: SessionAction.toJson(action) }, options);
  }

  /** `POST /mpp/session/voucher`: hands in a voucher that the buyer signed. Throws {SettlementError}. */
  async keep(channelId: string, voucher: SignedVoucher.SignedVoucher): Promise<SessionView> {
    const answer = await this.#post("/mpp/session/voucher", { channelId, voucher: voucherJson(voucher) });
    return reading(() => sessionOf(answer.body), answer.status);
  }

  /** `POST /mpp/session/voucher`: has the operator sign. Throws {SettlementError}. */
  async sign(input: SignInput): Promise<SignedVoucher.SignedVoucher> {
    const { channelId, amount, authentication, serverNonce } = input;
    const answer = await this.#post("/mpp/session/voucher", {
      channelId,
      amount: String(amount),
      authentication: { ...authentication },
      ...(serverNonce === undefined ? {} : { serverNonce }),
    });
    return reading(() => SignedVoucher.fromJson(member(answer.body, "voucher")), answer.status);
  }

  /** `POST /mpp/session/topup`. Throws {SettlementError}. */
  async topUp(action: SessionAction.TopUp, options: CallOptions = {}): Promise<SessionView | Pending> {
    return this.#session("/mpp/session/topup", { payload: SessionAction.toJson(action) }, options);
  }

  /** `POST /mpp/session/close`, by the buyer's voucher or proof, or by the close token. Throws {SettlementError}. */
  async close(input: CloseInput, options: CallOptions = {}): Promise<SessionView | Pending> {
    const body =
      "closeToken" in input
        ? { channelId: input.channelId, closeToken: input.closeToken }
        : { payload: SessionAction.toJson(input) };
    return this.#session("/mpp/session/close", body, options);
  }

  /** `GET /mpp/session/:id`; undefined when the facilitator does not know it. Throws {SettlementError}. */
  async session(channelId: string): Promise<SessionView | undefined> {
    const answer = await this.#find(`/mpp/session/${encodeURIComponent(channelId)}`);
    return answer && reading(() => sessionOf(answer.body), answer.status);
  }

  /**
   * `POST /api/sessions/onboard`, with the proof of ownership of the wallet.
   * @param proof value of the `SIGN-IN-WITH-X` header. Without one the answer is 401, and says what to sign.
   * @throws {SettlementError}
   */
  async onboard(body: JsonObject, proof?: string): Promise<JsonObject> {
    const headers = signedIn(proof);
    return (await this.#post("/api/sessions/onboard", body, { headers, timeoutMs: this.#settleMs })).body;
  }

  /** `POST /api/sessions/onboard/confirm`, with what was signed. Throws {SettlementError}. */
  async confirmOnboarding(body: JsonObject): Promise<JsonObject> {
    return (await this.#post("/api/sessions/onboard/confirm", body, { timeoutMs: this.#settleMs })).body;
  }

  /** `GET /api/sessions/onboard/status`, with a proof as `onboard`. Throws {SettlementError}. */
  async onboardingStatus(query: Readonly<Record<string, string>>, proof?: string): Promise<JsonObject> {
    const path = `/api/sessions/onboard/status?${new URLSearchParams(query)}`;
    return (await this.#get(path, signedIn(proof))).body;
  }

  async #session(path: string, body: JsonObject, options: CallOptions): Promise<SessionView | Pending> {
    const answer = await this.#post(path, body, { timeoutMs: this.#settleMs, ...options });
    return reading(() => (answer.status === 202 ? pendingOf(answer) : sessionOf(answer.body)), answer.status);
  }

  #post(
    path: string,
    body: JsonObject,
    options: CallOptions & { readonly headers?: Readonly<Record<string, string>> } = {},
  ): Promise<Answer> {
    const { idempotencyKey, timeoutMs = this.#prepareMs, headers } = options;
    const key: Record<string, string> = idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey };
    const url = this.url + path;
    return exchange({ method: "POST", url, body, timeoutMs, fetch: this.#fetch, headers: { ...headers, ...key } });
  }

  #get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const { url } = this;
    return exchange({ method: "GET", url: url + path, timeoutMs: this.#prepareMs, fetch: this.#fetch, headers });
  }

  /** An answer, or undefined when the facilitator itself says that there is nothing. */
  async #find(path: string): Promise<Answer | undefined> {
    try {
      return await this.#get(path);
    } catch (error) {
      if (error instanceof SettlementError && error.status === 404 && error.code !== "invalid_answer") return undefined;
      throw error;
    }
  }
}

function signedIn(proof: string | undefined): Readonly<Record<string, string>> {
  return proof === undefined ? {} : { [SignInWithX.HEADER]: proof };
}

/** The address without a slash at its end. */
function baseUrl(given: string): string {
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new InvalidFieldError("url", "not an http or https URL");
  if (url.username !== "" || url.password !== "") throw new InvalidFieldError("url", "has credentials in it");
  if (url.search !== "" || url.hash !== "") throw new InvalidFieldError("url", "has a query or fragment");
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
}

function splitJson({ recipient, amount, memo, ataCreationRequired }: ChargeRequest.Split): JsonObject {
  return {
    recipient,
    amount: String(amount),
    ...(memo === undefined ? {} : { memo }),
    ...(ataCreationRequired === true ? { ataCreationRequired } : {}),
  };
}

function voucherJson(signed: SignedVoucher.SignedVoucher): JsonObject {
  const { voucher, ...rest } = SignedVoucher.toJson(signed);
  return { voucher: { ...voucher }, ...rest };
}

function decimals(value: unknown, field: string): number {
  if (count(value, field) > 9) throw new InvalidFieldError(field, "more than 9");
  return value as number;
}

/** Block heights are JSON numbers or decimal strings. */
function height(value: unknown, field: string): bigint {
  return typeof value === "number" ? Integer.fromJsonNumber(value, field) : Integer.fromDecimal(value, field);
}

function preparationOf(json: JsonObject): Preparation {
  return {
    feePayer: Base58.address(member(json, "feePayer"), "feePayer"),
    recentBlockhash: Base58.address(member(json, "recentBlockhash"), "recentBlockhash"),
    lastValidBlockHeight: height(member(json, "lastValidBlockHeight"), "lastValidBlockHeight"),
    network: Network.parse(member(json, "network")),
    currency: Base58.address(member(json, "currency"), "currency"),
    decimals: decimals(member(json, "decimals"), "decimals"),
    tokenProgram: TokenProgram.parse(member(json, "tokenProgram"), "tokenProgram"),
  };
}

function pendingOf({ body, retryAfterSeconds }: Answer): Pending {
  return {
    state: "pending",
    signature: optional(Base58.signature, member(body, "signature"), "signature"),
    retryAfterSeconds: retryAfterSeconds ?? optional(count, member(body, "retryAfter"), "retryAfter") ?? 2,
  };
}

function proofOf(json: JsonObject): Proof {
  if (member(json, "success") !== true) throw new InvalidFieldError("success", "not true");
  return {
    state: oneOf(["confirmed", "finalized"], member(json, "state"), "state"),
    id: text(member(json, "id"), "id"),
    signature: Base58.signature(member(json, "signature")),
    payer: Base58.address(member(json, "payer"), "payer"),
    recipient: Base58.address(member(json, "recipient"), "recipient"),
    amount: Integer.fromDecimal(member(json, "amount")),
    asset: assetOf(member(json, "asset"), "asset"),
    feePayer: Base58.address(member(json, "feePayer"), "feePayer"),
    network: Network.parse(member(json, "network")),
    settledAt: time(member(json, "settledAt"), "settledAt"),
  };
}

function assetOf(value: unknown, field: string): string {
  return value === ChargeRequest.SOL ? ChargeRequest.SOL : Base58.address(value, field);
}

const PAYMENT_STATES = [
  "received",
  "signed",
  "sent",
  "confirmed",
  "finalized",
  "rejected",
  "expired",
  "unknown",
] as const satisfies readonly PaymentState[];

function paymentOf(json: JsonObject): PaymentView {
  return {
    id: text(member(json, "id"), "id"),
    state: oneOf(PAYMENT_STATES, member(json, "state"), "state"),
    signature: optional(Base58.signature, member(json, "signature"), "signature"),
    recipient: Base58.address(member(json, "recipient"), "recipient"),
    asset: assetOf(member(json, "asset"), "asset"),
    amount: Integer.fromDecimal(member(json, "amount")),
    reason: optional(text, member(json, "reason"), "reason"),
  };
}

function sessionOf(json: JsonObject): SessionView {
  return {
    state: oneOf(["opening", "open", "closing", "closed"], member(json, "status"), "status"),
    channelId: Base58.address(member(json, "channelId"), "channelId"),
    payer: Base58.address(member(json, "payer"), "payer"),
    payee: Base58.address(member(json, "payee"), "payee"),
    seller: Base58.address(member(json, "seller"), "seller"),
    mint: Base58.address(member(json, "mint"), "mint"),
    tokenProgram: TokenProgram.parse(member(json, "tokenProgram"), "tokenProgram"),
    channelProgram: Base58.address(member(json, "channelProgram"), "channelProgram"),
    authorizedSigner: Base58.address(member(json, "authorizedSigner"), "authorizedSigner"),
    rentPayer: Base58.address(member(json, "rentPayer"), "rentPayer"),
    salt: Integer.fromDecimal(member(json, "salt"), "salt"),
    openSlot: Integer.fromDecimal(member(json, "openSlot"), "openSlot"),
    distributionSplits: SessionRequest.distributionSplits(member(json, "distributionSplits"), "distributionSplits"),
    voucherSigner: oneOf(["client", "operator"], member(json, "voucherSigner"), "voucherSigner"),
    deposit: Integer.fromDecimal(member(json, "deposit"), "deposit"),
    accepted: Integer.fromDecimal(member(json, "accepted"), "accepted"),
    settledOnChain: Integer.fromDecimal(member(json, "settledOnChain"), "settledOnChain"),
    gracePeriodSeconds: count(member(json, "gracePeriodSeconds"), "gracePeriodSeconds"),
    idleTimeoutSeconds: count(member(json, "idleTimeoutSeconds"), "idleTimeoutSeconds"),
    noticeSeconds: optional(count, member(json, "noticeSeconds"), "noticeSeconds"),
    closesAt: optional(time, member(json, "closesAt"), "closesAt"),
    closureStartedAt: optional(count, member(json, "closureStartedAt"), "closureStartedAt"),
    closeSignature: optional(Base58.signature, member(json, "closeSignature"), "closeSignature"),
    refunded: optional(Integer.fromDecimal, member(json, "refunded"), "refunded"),
    signature: optional(Base58.signature, member(json, "signature"), "signature"),
    closeToken: optional(text, member(json, "closeToken"), "closeToken"),
  };
}
