// Sessions for buyers: deposit once, pay each request with a voucher, get the rest back. Without SOL and without a node.
import {
  BearerProof,
  InvalidFieldError,
  Network,
  type SessionAction,
  type SessionRequest,
  SignedVoucher,
} from "@mppsol/core";
import { ConfigError } from "@mppsol/server";
import {
  checkSignature,
  insist,
  keyOf,
  type SessionView,
  SettlementClient,
  SettlementError,
} from "@mppsol/server/parts";
import { DEFAULT_API_URL, USDC_MINTS } from "../constants.js";
import { type Buyer, type BuyerLike, buyerOf } from "./buyer.js";
import { newChallengeId, Onboarding } from "./onboarding.js";
import { type Agreed, checkTerms, openTransaction, planOpen } from "./opening.js";

export type { BuyerLike, CryptoKeys, WalletCallbacks } from "./buyer.js";

export interface SessionClientParameters {
  /** Base58: who pays. */
  readonly buyerWallet: string;
  /** Signs for it. Needed by `open`; `onboard` brings its own. */
  readonly signer?: BuyerLike;
  /** The facilitator. Default: one on this machine. */
  readonly apiUrl?: string;
  /** Default "mainnet-beta". */
  readonly network?: Network.Network | "mainnet-beta";
  /** Base58 of the mint. Default: USDC of the network. */
  readonly splToken?: string;
  /**
   * Who signs vouchers. "operator", the default: the facilitator does, for whoever shows the proof that this client keeps, up
   * to the deposit and no further. "client": the buyer's own key, and the facilitator can spend nothing.
   */
  readonly voucherSigner?: "operator" | "client";
  /** Basis points of what is settled that the facilitator may keep, at most. Default 0. */
  readonly maxFeeBps?: number;
  /** Seconds that the buyer waits for its money at most when it leaves alone. Default one day. */
  readonly maxGraceSeconds?: number;
  /** Milliseconds for what lands a transaction. Default 30,000. */
  readonly settleTimeoutMs?: number;
  readonly onProgress?: (event: SessionProgress) => void;
}

export type SessionProgress =
  | { readonly type: "opening"; readonly seller: string; readonly deposit: string }
  | { readonly type: "opened"; readonly channel: SessionChannel }
  | { readonly type: "voucher"; readonly channel_id: string; readonly amount: string }
  | { readonly type: "closing"; readonly channel_id: string }
  | { readonly type: "closed"; readonly settlement: SessionSettlement }
  /** `close` has thrown `error`: the session is still there, its deposit locked. Call `close` again. */
  | { readonly type: "left"; readonly channel_id: string; readonly error: Error };

/** A session. Whoever has all of this can spend and end it: keep it secret. Amounts are base units. */
export interface SessionChannel {
  /** Base58. */
  readonly channel_id: string;
  readonly seller: string;
  readonly deposit: string;
  readonly voucher_signer: "operator" | "client";
  readonly authorized_signer: string;
  /** What the bearer proof is bound to. */
  readonly challenge_id: string;
  readonly close_token: string;
  /** Of the transaction that opened it, where it is known. */
  readonly signature?: string;
}

/** How a session ended. Amounts are base units. */
export interface SessionSettlement {
  readonly channel_id: string;
  /** What the seller got, and the facilitator's share where there is one. */
  readonly amount_settled: string;
  /** What the buyer got back; absent while it waits for the buyer's token account. */
  readonly buyer_refund?: string;
  readonly signature?: string;
}

export interface OpenParameters {
  /** Base58: who is paid. */
  readonly seller: string;
  /** Base units that are locked; the most that can be spent. */
  readonly deposit: string | bigint;
  /** Base units of one request, as the seller's challenge says. Default 1. */
  readonly pricePerUnit?: string | bigint;
  readonly unitType?: string;
}

export interface PayParameters {
  /** Base units in all since the session was opened: the last amount and what is to be paid now. */
  readonly amount: string | bigint;
  /** The seller's, if it gave one. */
  readonly serverNonce?: string;
}

export interface CloseParameters {
  /**
   * Base units in all, 0 or more and no more than was signed: the highest voucher that was sent to the seller. Default: the
   * highest that was signed. The seller still gets more where it has handed in a higher voucher, or does so before the end. Kept
   * for later calls. Only with `voucherSigner: "client"`: what the operator has signed is spent.
   */
  readonly amount?: string | bigint;
}

export interface OnboardParameters {
  readonly seller: string;
  readonly deposit: string | bigint;
  /** How long rounds are waited for, milliseconds. Default 60,000. */
  readonly timeoutMs?: number;
}

/** What `onboard` gives. */
export interface Onboarded {
  readonly status: "ready";
  /** Base58: the channel, which is the role. */
  readonly roleId: string;
  readonly channel: SessionChannel;
}

export interface SessionClient {
  /**
   * Locks a deposit for one seller. The facilitator pays fee and rent.
   * @throws {SettlementError} {ConfigError} {SignerError}
   */
  open(parameters: OpenParameters): Promise<SessionChannel>;
  /**
   * The voucher that pays up to an amount: JSON, for the header `x-mpp-voucher`. Whoever has it has the money, and whether it
   * is sent is not known here: `close` counts it as spent. With `voucherSigner: "operator"` it is spent as soon as it is
   * signed, for good.
   * @throws {SettlementError} {ConfigError} for an amount that is neither a decimal string of base units nor a bigint.
   */
  pay(channelId: string, parameters: PayParameters): Promise<SignedVoucher.Json>;
  /**
   * Ends a session: the seller gets what vouchers say, the buyer the rest. Of vouchers that the buyer signed the highest counts
   * that `pay` has given, whether or not it was sent to the seller; `amount` says what was really sent.
   *
   * ```ts
   * await session.pay(channel_id, { amount: "30000" }); // its request was never sent
   * await session.close(channel_id, { amount: "20000" }); // what the seller has seen
   * ```
   * @throws {SettlementError} `close_pending` while it is under way: call it again. {ConfigError} for an `amount` that cannot be.
   */
  close(channelId: string, parameters?: CloseParameters): Promise<SessionSettlement>;
  /**
   * Takes a wallet from nothing to a role with one seller: its token account is made if there is none, then the channel. Proves
   * by a signature that the wallet is the one that asks.
   * @param wallet a `CryptoKeyPair`, anything that an agent pays with, or three callbacks.
   * @throws {SettlementError} `funding_required` when the wallet holds too little.
   */
  onboard(
    wallet: ({ readonly signer: BuyerLike } | Exclude<BuyerLike, string>) & OnboardParameters,
  ): Promise<Onboarded>;
  /** Goes on with a session of an earlier process. */
  resume(channel: SessionChannel): void;
}

const DAY_SECONDS = 86_400;
const POLL_MS = 1_000;

/** What is known of a session here. */
interface Known {
  readonly channel: SessionChannel;
  /** Base units that vouchers were asked for, at most. */
  signed: bigint;
  proof: BearerProof.BearerProof | undefined;
  voucher: SignedVoucher.SignedVoucher | undefined;
  /** Fulfilled when the last payment that was asked for has its voucher, or none. */
  turn: Promise<unknown>;
}

/**
 * A client of sessions. Amounts are base units, as decimal strings or bigints.
 *
 * ```ts
 * const session = createSessionClient({ buyerWallet, network: "localnet", signer });
 * const { channel_id } = await session.open({ seller, deposit: "1000000", pricePerUnit: "10000" }); // 1 USDC, 0.01 each
 * const voucher = await session.pay(channel_id, { amount: 20_000n }); // 0.02 USDC in all
 * const { buyer_refund } = await session.close(channel_id); // "980000"
 * ```
 * @throws {ConfigError} for parameters that are none.
 */
export function createSessionClient(parameters: SessionClientParameters): SessionClient {
  return new Client(parameters);
}

class Client implements SessionClient {
  readonly #parameters: SessionClientParameters;
  readonly #network: Network.Network;
  readonly #client: SettlementClient;
  readonly #sessions = new Map<string, Known>();
  #buyer: Promise<Buyer> | undefined;

  constructor(parameters: SessionClientParameters) {
    const { apiUrl: url = DEFAULT_API_URL, settleTimeoutMs, network = "mainnet-beta" } = parameters;
    this.#parameters = parameters;
    this.#network = within("network", () => Network.parse(network));
    this.#client = within(
      "apiUrl",
      () => new SettlementClient({ url, ...(settleTimeoutMs === undefined ? {} : { settleTimeoutMs }) }),
    );
  }

  async open({ seller, deposit, pricePerUnit = 1n, unitType }: OpenParameters): Promise<SessionChannel> {
    const buyer = await this.#signer();
    const agreed = this.#agreed(seller);
    const amount = units(deposit, "deposit");
    this.#tell({ type: "opening", seller, deposit: String(amount) });
    const request = await this.#client.prepareSession({
      seller,
      currency: agreed.mint,
      amount: units(pricePerUnit, "pricePerUnit"),
      network: this.#network,
      voucherSigner: agreed.voucherSigner,
      suggestedDeposit: amount,
      ...(unitType === undefined ? {} : { unitType }),
    });
    checkTerms(request, agreed);
    const authorizedSigner = request.operator ?? buyer.publicKey;
    const planned = planOpen(request, { buyer: buyer.publicKey, authorizedSigner, deposit: amount });
    const transaction = await openTransaction(request, planned);
    await buyer.signTransaction(transaction);
    const { channelId, payer } = planned;
    const id = newChallengeId();
    const proof =
      agreed.voucherSigner === "operator"
        ? await BearerProof.sign({ channelId, payer, sessionChallengeId: id }, buyer)
        : undefined;
    const action: SessionAction.Open = {
      ...planned,
      transaction: transaction.serialize(),
      ...(proof === undefined ? {} : { authentication: proof }),
    };
    const view = await this.#land({ id, request }, action, transaction.message.serialize());
    return this.#opened(view, proof, { seller, challengeId: id, deposit: amount });
  }

  async pay(channelId: string, { amount: given, serverNonce }: PayParameters): Promise<SignedVoucher.Json> {
    const known = this.#known(channelId);
    const amount = units(given, "amount");
    // One after the other: the operator signs no lower amount once it has signed a higher one.
    const turn = known.turn.then(() => this.#pay(known, amount, serverNonce));
    known.turn = turn.catch(() => undefined);
    return turn;
  }

  async #pay(known: Known, amount: bigint, serverNonce: string | undefined): Promise<SignedVoucher.Json> {
    if (amount > BigInt(known.channel.deposit)) {
      throw new SettlementError("deposit_exhausted", `The deposit is ${known.channel.deposit}.`);
    }
    if (amount < known.signed) {
      throw new SettlementError("voucher_not_monotonic", `A voucher of ${known.signed} was asked for already.`);
    }
    const voucher = await this.#voucher(known, amount, serverNonce);
    known.signed = amount;
    known.voucher = voucher;
    this.#tell({ type: "voucher", channel_id: known.channel.channel_id, amount: String(amount) });
    return SignedVoucher.toJson(voucher);
  }

  async close(channelId: string, { amount }: CloseParameters = {}): Promise<SessionSettlement> {
    const known = this.#known(channelId);
    if (amount !== undefined) await this.#lower(known, amount);
    this.#tell({ type: "closing", channel_id: channelId });
    try {
      return await this.#close(channelId, known);
    } catch (error) {
      if (error instanceof Error) this.#tell({ type: "left", channel_id: channelId, error });
      throw error;
    }
  }

  /** From here on the session is to be closed by a voucher for this much. */
  async #lower(known: Known, given: string | bigint): Promise<void> {
    const { channel_id: channelId, voucher_signer } = known.channel;
    const amount = isZero(given) ? 0n : units(given, "amount");
    if (voucher_signer !== "client") throw new ConfigError("amount", "what the operator has signed is spent already");
    if (amount > known.signed) throw new ConfigError("amount", `more than the ${known.signed} that was signed`);
    if (amount === known.voucher?.voucher.cumulativeAmount) return;
    const input = { channelId, cumulativeAmount: amount };
    known.voucher = amount === 0n ? undefined : await SignedVoucher.sign(input, await this.#signer());
  }

  async #close(channelId: string, { channel, voucher }: Known): Promise<SessionSettlement> {
    // The seller may not have handed it in yet: what it has served is owed to it.
    if (voucher !== undefined && channel.voucher_signer === "client") await this.#handIn(channelId, voucher);
    const byToken = { channelId, closeToken: channel.close_token };
    const until = performance.now() + this.#client.settleTimeoutMs;
    for (;;) {
      const answer = await insist((options) => this.#client.close(byToken, options), {
        idempotencyKey: newChallengeId(),
        timeoutMs: Math.max(1, until - performance.now()),
        onError: () => {},
      }).catch(asSettlementError);
      if (answer !== undefined && "deposit" in answer && answer.state === "closed") return this.#closed(answer);
      if (performance.now() + POLL_MS >= until) {
        throw new SettlementError("close_pending", "The session is being closed; call close again.", {
          retryable: true,
          uncertain: true,
        });
      }
      await new Promise((done) => setTimeout(done, POLL_MS));
    }
  }

  async onboard(
    wallet: ({ readonly signer: BuyerLike } | Exclude<BuyerLike, string>) & OnboardParameters,
  ): Promise<Onboarded> {
    const { seller, deposit, timeoutMs = 60_000 } = wallet;
    const buyer = await this.#checked("signer" in wallet ? wallet.signer : wallet);
    const agreed = this.#agreed(seller);
    const role = await new Onboarding(this.#client, buyer, agreed, units(deposit, "deposit")).run(timeoutMs);
    const { roleId, challengeId, closeToken, limit, authorizedSigner, signature } = role;
    this.#buyer = Promise.resolve(buyer);
    const proof =
      agreed.voucherSigner === "operator"
        ? await BearerProof.sign({ channelId: roleId, payer: buyer.publicKey, sessionChallengeId: challengeId }, buyer)
        : undefined;
    const channel: SessionChannel = {
      channel_id: roleId,
      seller,
      deposit: String(limit),
      voucher_signer: agreed.voucherSigner,
      authorized_signer: authorizedSigner,
      challenge_id: challengeId,
      close_token: closeToken,
      ...(signature === undefined ? {} : { signature }),
    };
    this.#remember(channel, proof);
    return { status: "ready", roleId, channel };
  }

  resume(channel: SessionChannel): void {
    if (!this.#sessions.has(channel.channel_id)) this.#remember(channel, undefined);
  }

  #agreed(seller: string): Agreed {
    const { buyerWallet: buyer, splToken, maxFeeBps = 0, maxGraceSeconds = DAY_SECONDS } = this.#parameters;
    const { voucherSigner = "operator" } = this.#parameters;
    const mint = splToken ?? USDC_MINTS[this.#network];
    return { network: this.#network, buyer, seller, mint, voucherSigner, maxFeeBps, maxGraceSeconds };
  }

  #signer(): Promise<Buyer> {
    const { signer } = this.#parameters;
    if (this.#buyer === undefined) {
      if (signer === undefined) throw new ConfigError("signer", "needed to sign for the buyer; or onboard first");
      this.#buyer = this.#checked(signer);
    }
    return this.#buyer;
  }

  async #checked(signer: BuyerLike): Promise<Buyer> {
    const buyer = await buyerOf(signer);
    if (buyer.publicKey === this.#parameters.buyerWallet) return buyer;
    throw new ConfigError("signer", "not the key of buyerWallet");
  }

  /** Asks until the channel is open. */
  async #land(
    challenge: { readonly id: string; readonly request: SessionRequest.SessionRequest },
    action: SessionAction.Open,
    message: Uint8Array,
  ): Promise<SessionView> {
    const until = performance.now() + this.#client.settleTimeoutMs;
    const { channelId, transaction, depositAmount } = action;
    const idempotencyKey = keyOf("open", { id: challenge.id }, transaction);
    for (;;) {
      const timeoutMs = Math.max(1, until - performance.now());
      const view = await insist((options) => this.#client.open(challenge, action, options), {
        ...{ idempotencyKey, timeoutMs, errand: "open", onError: () => {} },
      }).catch(asSettlementError);
      if (view !== undefined && "deposit" in view) {
        if (view.channelId !== channelId || view.deposit < depositAmount || view.signature === undefined) {
          throw mismatch("The facilitator speaks of another channel.");
        }
        checkSignature(view.signature, message, challenge.request.feePayerKey as string);
        return view;
      }
      if (performance.now() + POLL_MS >= until) {
        const members = { channelId, ...(view?.signature === undefined ? {} : { signature: view.signature }) };
        throw new SettlementError("open_pending", "The channel may still be opened.", {
          ...{ retryable: true, uncertain: true, members },
        });
      }
      await new Promise((done) => setTimeout(done, POLL_MS));
    }
  }

  #opened(
    view: SessionView,
    proof: BearerProof.BearerProof | undefined,
    asked: { readonly seller: string; readonly challengeId: string; readonly deposit: bigint },
  ): SessionChannel {
    const { channelId, voucherSigner, authorizedSigner, signature, closeToken } = view;
    if (closeToken === undefined) throw mismatch("The facilitator gives no token to close the session by.");
    const channel: SessionChannel = {
      channel_id: channelId,
      seller: asked.seller,
      deposit: String(asked.deposit),
      voucher_signer: voucherSigner,
      authorized_signer: authorizedSigner,
      challenge_id: asked.challengeId,
      close_token: closeToken,
      ...(signature === undefined ? {} : { signature }),
    };
    this.#remember(channel, proof);
    this.#tell({ type: "opened", channel });
    return channel;
  }

  #remember(channel: SessionChannel, proof: BearerProof.BearerProof | undefined): void {
    this.#sessions.set(channel.channel_id, { channel, signed: 0n, proof, voucher: undefined, turn: Promise.resolve() });
  }

  #known(channelId: string): Known {
    const known = this.#sessions.get(channelId);
    if (known === undefined) throw new SettlementError("channel_unknown", "This client has no such session.");
    return known;
  }

  async #voucher(known: Known, amount: bigint, serverNonce: string | undefined): Promise<SignedVoucher.SignedVoucher> {
    const { channel } = known;
    const { channel_id: channelId, voucher_signer, authorized_signer, challenge_id } = channel;
    const input = { channelId, cumulativeAmount: amount };
    if (voucher_signer === "client") return SignedVoucher.sign(input, await this.#signer());
    known.proof ??= await BearerProof.sign(
      { channelId, payer: this.#parameters.buyerWallet, sessionChallengeId: challenge_id },
      await this.#signer(),
    );
    const voucher = await this.#client.sign({
      channelId,
      amount,
      authentication: known.proof,
      ...(serverNonce === undefined ? {} : { serverNonce }),
    });
    const sound =
      voucher.voucher.channelId === channelId &&
      voucher.voucher.cumulativeAmount === amount &&
      voucher.signer === authorized_signer &&
      SignedVoucher.verify(voucher);
    if (!sound) throw mismatch("The facilitator has signed another voucher than it was asked for.");
    return voucher;
  }

  async #handIn(channelId: string, voucher: SignedVoucher.SignedVoucher): Promise<void> {
    try {
      await this.#client.keep(channelId, voucher);
    } catch (error) {
      // A higher one is there, or the session is over already.
      const done = error instanceof SettlementError && /^(voucher_not_monotonic|channel_clos)/.test(error.code);
      if (!done) throw error;
    }
  }

  #closed({ channelId, settledOnChain, refunded, closeSignature }: SessionView): SessionSettlement {
    const settlement: SessionSettlement = {
      channel_id: channelId,
      amount_settled: String(settledOnChain),
      ...(refunded === undefined ? {} : { buyer_refund: String(refunded) }),
      ...(closeSignature === undefined ? {} : { signature: closeSignature }),
    };
    this.#sessions.delete(channelId);
    this.#tell({ type: "closed", settlement });
    return settlement;
  }

  #tell(event: SessionProgress): void {
    this.#parameters.onProgress?.(event);
  }
}

function mismatch(why: string): SettlementError {
  return new SettlementError("session_mismatch", why, { uncertain: true });
}

/** What `insist` says in the words of servers, in those of the facilitator. */
function asSettlementError(error: unknown): never {
  const { cause } = (error ?? {}) as { cause?: unknown };
  throw cause instanceof SettlementError ? cause : error;
}

/** Numbers are none: above 2^53 they are others than were written, and a fraction is a price in another unit. */
function units(value: unknown, option: string): bigint {
  const text = typeof value === "string" || typeof value === "bigint" ? String(value) : "";
  if (!/^[1-9][0-9]{0,19}$/.test(text) || BigInt(text) > 2n ** 64n - 1n) {
    throw new ConfigError(option, 'not a decimal string of base units above 0, as "10000", nor such a bigint');
  }
  return BigInt(text);
}

function isZero(value: unknown): boolean {
  return value === 0n || value === "0";
}

function within<T>(option: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof InvalidFieldError) throw new ConfigError(option, error.problem, { cause: error });
    throw error;
  }
}
