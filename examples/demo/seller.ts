// A metered HTTP API: every answer costs, every voucher is on disk before its request is answered.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type ChannelState, SESSION_PROGRAM_ID } from "@mppsol/programs";
import { TOKEN_PROGRAM_ID } from "@solana/spl-token";
import { PublicKey } from "@solana/web3.js";
import { Cashier, type CashierOptions, GRACE_SECONDS } from "./cashier.js";
import { Journal, type OpenStore, type Store } from "./journal.js";
import { PendingError } from "./land.js";
import { type Account, type ClosedRecord, isDue, Meter, SETTLE_MARGIN_SECONDS } from "./meter.js";
import * as Wire from "./wire.js";
import { Refusal } from "./wire.js";

export interface SellerOptions extends CashierOptions {
  /** Base units for one request. */
  readonly price: bigint;
  readonly minimumDeposit: bigint;
  readonly decimals: number;
  /** Binds challenges; the same after a restart. */
  readonly secret: string;
  readonly journal: string;
  readonly openStore?: OpenStore;
  /** Told what went wrong inside, which no client is told; writes to stderr when it is not there. */
  readonly onError?: (error: unknown) => void;
}

const REALM = "demo.mppsol";
const IDLE_SECONDS = 300;
const CHALLENGE_MS = 5 * 60_000;
/** How often the channels are looked at on chain, for a payer who began to leave. */
const WATCH_MS = 1_000;

export class Seller {
  readonly url: string;
  /** Bytes of a torn last line that the start cut off. */
  readonly torn: number;
  readonly #server: Server;
  readonly #options: SellerOptions;
  readonly #cashier: Cashier;
  readonly #meter: Meter;
  readonly #store: Store;
  readonly #watch: NodeJS.Timeout;
  /** The last open under way, by channel. */
  readonly #opening = new Map<string, Promise<void>>();
  /** Closes under way, by channel. */
  readonly #cashing = new Map<string, Promise<string>>();
  #looking: Promise<void> | undefined;

  private constructor(server: Server, options: SellerOptions, meter: Meter, store: Store, torn: number) {
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/quote`;
    this.torn = torn;
    this.#server = server;
    this.#options = options;
    this.#cashier = new Cashier(options);
    this.#meter = meter;
    this.#store = store;
    server.on("request", (request: IncomingMessage, response: ServerResponse) => void this.#answer(request, response));
    this.#watch = setInterval(() => void this.#look().catch(() => {}), WATCH_MS);
  }

  /**
   * Recovers from the journal and listens. Channels that are no longer open on chain take no vouchers; what can
   * still be cashed is.
   */
  static async start(options: SellerOptions): Promise<Seller> {
    const { store, records, torn } = await (options.openStore ?? Journal.open)(options.journal);
    let seller: Seller | undefined;
    try {
      const meter = Meter.restore(records);
      const server = createServer();
      await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
      seller = new Seller(server, options, meter, store, torn);
      await seller.#look();
      return seller;
    } catch (error) {
      await (seller === undefined ? store.close() : seller.stop());
      throw error;
    }
  }

  /** Times that the disk was asked to sync. */
  get syncs(): number {
    return this.#store.syncs;
  }

  /** What is known of a channel. */
  account(channelId: string): Readonly<Pick<Account, "accepted" | "served" | "ended">> {
    const { accepted, served, ended } = this.#meter.account(channelId);
    return { accepted, served, ended };
  }

  /** Waits for the closes under way. */
  async stop(): Promise<void> {
    clearInterval(this.#watch);
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
    await this.#looking?.catch(() => {});
    await Promise.allSettled(this.#cashing.values());
    await this.#store.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      if (request.url !== "/quote" || request.method !== "GET") return send(response, 404, {}, {});
      const { authorization } = request.headers;
      if (authorization === undefined) throw new Refusal("payment-required", "this costs");
      const { challenge, payload } = Wire.parseCredential(authorization);
      if (!Wire.isOurs(this.#options.secret, challenge)) throw new Refusal("invalid-challenge", "not our challenge");
      const action = Wire.text(payload, "action");
      if (action === "voucher") await this.#serve(response, challenge, payload);
      else if (action === "open") await this.#open(response, challenge, payload);
      else if (action === "close") await this.#close(response, challenge, payload);
      else throw new Refusal("malformed-credential", "unknown action");
    } catch (error) {
      await this.#refuse(response, error).catch(() => response.destroy());
    }
  }

  /** One metered request. Up to `append` nothing waits, so requests are taken in the order in which they came. */
  async #serve(response: ServerResponse, challenge: Wire.Challenge, payload: Wire.JsonObject): Promise<void> {
    const { account, record } = this.#meter.charge(payload, this.#options.price, unixNow());
    const [accepted, serial] = [account.accepted, account.served];
    await this.#store.append(record);
    const receipt = receiptFor(account.channelId, challenge, accepted, accepted);
    send(response, 200, quote(serial), { "payment-receipt": Wire.encode(receipt) });
  }

  async #open(response: ServerResponse, challenge: Wire.Challenge, payload: Wire.JsonObject): Promise<void> {
    if (Date.now() >= Date.parse(challenge.expires))
      throw new Refusal("invalid-challenge", "the challenge has expired");
    const request = Wire.decode(challenge.request) as unknown as Wire.SessionRequest;
    const channelId = Wire.text(payload, "channelId");
    await this.#inTurn(channelId, async () => {
      if (this.#meter.knows(channelId)) throw new Refusal("verification-failed", "channel is already open");
      const record = await this.#cashier.open(payload, request);
      await this.#store.append(record);
      this.#meter.apply(record);
      const receipt = { ...receiptFor(channelId, challenge, 0n, 0n), txHash: record.signature };
      send(response, 200, { channelId }, { "payment-receipt": Wire.encode(receipt) });
    });
  }

  /** Does `open` once the opens of this channel that came before are over. */
  async #inTurn(channelId: string, open: () => Promise<void>): Promise<void> {
    const before = this.#opening.get(channelId) ?? Promise.resolve();
    const mine = before.catch(() => {}).then(open);
    this.#opening.set(channelId, mine);
    try {
      await mine;
    } finally {
      if (this.#opening.get(channelId) === mine) this.#opening.delete(channelId);
    }
  }

  async #close(response: ServerResponse, challenge: Wire.Challenge, payload: Wire.JsonObject): Promise<void> {
    const { account, signed } = this.#meter.authenticate(payload, unixNow());
    if (account.ended) throw new Refusal("verification-failed", "channel is closing");
    if (signed.voucher.cumulativeAmount !== account.accepted) {
      throw new Refusal("verification-failed", "not the last voucher");
    }
    // No voucher is taken from here on; `highest` is what the seller holds, whatever the agent says.
    account.ended = true;
    const { channelId, accepted, deposit } = account;
    let signature: string;
    try {
      signature = await this.#cash(account);
    } catch (error) {
      if (!(error instanceof PendingError) && !account.done) account.ended = false;
      throw error;
    }
    const receipt: Wire.Receipt = {
      ...receiptFor(channelId, challenge, accepted, accepted),
      txHash: signature,
      refunded: (deposit - accepted).toString(),
    };
    send(response, 200, { channelId }, { "payment-receipt": Wire.encode(receipt) });
  }

  /** Closes with the highest voucher and journals it; a channel has one close under way at a time. */
  #cash(account: Account): Promise<string> {
    const { channelId, payer, highest } = account;
    const cash = async (): Promise<string> => {
      const signature = await this.#cashier.close(channelId, payer, highest);
      const record: ClosedRecord = { type: "closed", channelId, signature };
      this.#meter.apply(record);
      await this.#store.append(record);
      return signature;
    };
    const cashing = cash().finally(() => this.#cashing.delete(channelId));
    this.#cashing.set(channelId, cashing);
    return cashing;
  }

  /** Looks at every channel in which there may be something to cash; one round at a time. */
  #look(): Promise<void> {
    this.#looking ??= this.#lookAtAll().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #lookAtAll(): Promise<void> {
    const looks = await Promise.allSettled(this.#meter.watched.map((account) => this.#lookAt(account)));
    for (const look of looks) if (look.status === "rejected") throw look.reason;
  }

  /** A channel that its payer leaves, or whose voucher is about to expire, is closed. The next look tries again. */
  async #lookAt(account: Account): Promise<void> {
    const state = await this.#cashier.read(new PublicKey(account.channelId));
    if (account.done || this.#cashing.has(account.channelId)) return;
    const now = unixNow();
    if (state?.status === "open" && !account.ended && !isDue(account, now)) return;
    account.ended = true;
    if (state !== undefined && canClose(account, state, now)) this.#cash(account).catch((error) => this.#report(error));
    else account.done = true;
  }

  #report(error: unknown): void {
    const { onError = (thrown: unknown) => process.stderr.write(`seller: ${thrown}\n`) } = this.#options;
    onError(error);
  }

  async #refuse(response: ServerResponse, error: unknown): Promise<void> {
    if (!(error instanceof Refusal)) {
      this.#report(error);
      return send(response, 500, { title: "internal error", status: 500 }, PROBLEM);
    }
    const challenge = await this.#challenge();
    const body = {
      type: `https://paymentauth.org/problems/${error.problem}`,
      title: "Payment required",
      status: 402,
      detail: error.message,
    };
    const headers = { "www-authenticate": Wire.formatChallenge(challenge), "cache-control": "no-store" };
    send(response, 402, body, { ...PROBLEM, ...headers });
  }

  async #challenge(): Promise<Wire.Challenge> {
    const { connection, payee, operator, mint, price, minimumDeposit, decimals, secret } = this.#options;
    const { context, value } = await connection.getLatestBlockhashAndContext("confirmed");
    const request: Wire.SessionRequest = {
      amount: price.toString(),
      unitType: "request",
      minimumDeposit: minimumDeposit.toString(),
      recipient: payee.publicKey.toBase58(),
      currency: mint.toBase58(),
      description: "one quote",
      methodDetails: {
        network: "localnet",
        channelProgram: SESSION_PROGRAM_ID.toBase58(),
        recentBlockhash: value.blockhash,
        recentSlot: String(context.slot),
        decimals,
        tokenProgram: TOKEN_PROGRAM_ID.toBase58(),
        feePayer: true,
        feePayerKey: operator.publicKey.toBase58(),
        voucherSigner: "client",
        gracePeriodSeconds: GRACE_SECONDS,
      },
    };
    return Wire.challenge(secret, REALM, request, new Date(Date.now() + CHALLENGE_MS));
  }
}

const PROBLEM = { "content-type": "application/problem+json" };

/** What is sold. The serial number lets the demo see that nothing is served twice. */
function quote(serial: number): object {
  return { symbol: "SOL/USD", price: (150 + 10 * Math.sin(serial / 40)).toFixed(4), serial };
}

/** Whether a close can still bring something: neither grace period nor voucher is over, with a margin for the clocks. */
function canClose(account: Account, { status, closureStartedAt, gracePeriod }: ChannelState, now: bigint): boolean {
  const expiresAt = account.highest?.voucher.expiresAt ?? 0n;
  const late = now - BigInt(SETTLE_MARGIN_SECONDS);
  if (expiresAt !== 0n && expiresAt <= late) return false;
  return status === "open" || (status === "closing" && closureStartedAt + BigInt(gracePeriod) > late);
}

function receiptFor(channelId: string, challenge: Wire.Challenge, accepted: bigint, spent: bigint): Wire.Receipt {
  return {
    method: "solana",
    intent: "session",
    status: "success",
    reference: channelId,
    timestamp: new Date().toISOString(),
    challengeId: challenge.id,
    acceptedCumulative: accepted.toString(),
    spent: spent.toString(),
    idleTimeoutSeconds: IDLE_SECONDS,
  };
}

function send(response: ServerResponse, status: number, body: object, headers: Record<string, string>): void {
  const bytes = Buffer.from(JSON.stringify(body));
  const all = {
    "content-type": "application/json",
    "cache-control": "private",
    "content-length": bytes.length,
    ...headers,
  };
  response.writeHead(status, all).end(bytes);
}

function unixNow(): bigint {
  return BigInt(Math.floor(Date.now() / 1000));
}
