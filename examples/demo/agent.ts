// The paying client. It has tokens and no SOL, and never talks to the chain: the seller's challenge tells it all it
// needs to build the open transaction.
import { SignedVoucher as Signed, type SignedVoucher } from "@mppsol/core";
import {
  buildTransaction,
  grindSalt,
  OPEN_SLOT_WINDOW,
  requireChannelProgram,
  session,
  signVoucher,
} from "@mppsol/programs";
import { Keypair, PublicKey } from "@solana/web3.js";
import { type Answer, Pipeline } from "./pipeline.js";
import * as Wire from "./wire.js";

/** What the agent lets a seller ask of it. */
export interface Limits {
  readonly mint: PublicKey;
  /** Base units for one request. */
  readonly maxPrice: bigint;
}

/** Slots that the open transaction has to land in: 20 seconds. */
export const LANDING_SLOTS = 50n;

export interface Served {
  readonly serial: number;
  readonly receipt: Wire.Receipt;
}

interface Session {
  readonly challenge: Wire.Challenge;
  readonly channelId: string;
  readonly openSlot: bigint;
  readonly price: bigint;
  readonly deposit: bigint;
}

export class Agent {
  readonly wallet: Keypair;
  /** Signs vouchers and nothing else: the wallet's key signs once, at open. */
  readonly voucherKey = Keypair.generate();
  readonly #limits: Limits;
  #connection: Pipeline | undefined;
  #session: Session | undefined;
  #granted = 0n;
  #last: SignedVoucher.SignedVoucher | undefined;

  constructor(wallet: Keypair, limits: Limits) {
    this.wallet = wallet;
    this.#limits = limits;
  }

  get session(): Session {
    if (this.#session === undefined) throw new Error("no session is open");
    return this.#session;
  }

  /** Base units that vouchers have granted. */
  get granted(): bigint {
    return this.#granted;
  }

  get lastVoucher(): SignedVoucher.SignedVoucher | undefined {
    return this.#last;
  }

  async connect(url: string): Promise<void> {
    this.disconnect();
    this.#connection = await Pipeline.connect(url);
  }

  disconnect(): void {
    this.#connection?.close();
    this.#connection = undefined;
  }

  /** Asks, is told the price, and locks `deposit` in a channel. Returns the transaction's signature. */
  async open(deposit: bigint): Promise<string> {
    const asked = await this.get();
    const header = asked.headers.get("www-authenticate");
    if (asked.status !== 402 || header === undefined) throw new Error(`expected a challenge, got ${asked.status}`);
    const challenge = Wire.parseChallenge(header);
    const request = this.#agree(challenge);
    const { methodDetails: terms } = request;

    const payer = this.wallet.publicKey;
    const parties = {
      payer,
      payee: new PublicKey(request.recipient),
      mint: new PublicKey(request.currency),
      authorizedSigner: this.voucherKey.publicKey,
      tokenProgram: new PublicKey(terms.tokenProgram),
      // As old as the draft allows, less the time to land: so the rent can be back soon after the close.
      openSlot: max(0n, BigInt(terms.recentSlot) - OPEN_SLOT_WINDOW + LANDING_SLOTS),
    };
    const { salt, channel } = grindSalt(parties);
    const operator = new PublicKey(terms.feePayerKey);
    const transaction = buildTransaction({
      feePayer: operator,
      recentBlockhash: terms.recentBlockhash,
      instructions: await session.open({
        ...parties,
        salt,
        deposit,
        rentPayer: operator,
        gracePeriod: terms.gracePeriodSeconds,
      }),
    });
    transaction.sign([this.wallet]);
    const channelId = channel.toBase58();
    const payload = {
      action: "open",
      channelId,
      payer: payer.toBase58(),
      payee: request.recipient,
      mint: request.currency,
      authorizedSigner: this.voucherKey.publicKey.toBase58(),
      salt: salt.toString(),
      depositAmount: deposit.toString(),
      gracePeriodSeconds: terms.gracePeriodSeconds,
      openSlot: parties.openSlot.toString(),
      transaction: Buffer.from(transaction.serialize()).toString("base64"),
    };
    const answer = await this.get(Wire.formatCredential({ challenge, payload }));
    const receipt = receiptOf(answer, channelId);
    this.#session = { challenge, channelId, openSlot: parties.openSlot, price: BigInt(request.amount), deposit };
    return receipt.txHash ?? "";
  }

  /**
   * Makes `count` paid requests, up to `window` under way at a time. The agent risks no more than `window` prices.
   * @param onServed called for each answer, in order.
   */
  async pay(count: number, window: number, onServed: (served: Served) => void): Promise<void> {
    const under: Promise<void>[] = [];
    for (let i = 0; i < count; i++) {
      if (under.length >= window) await under.shift();
      const credential = await this.#nextCredential();
      const granted = this.#granted;
      under.push(
        this.get(credential).then((answer) => {
          const receipt = receiptOf(answer, this.session.channelId);
          if (receipt.acceptedCumulative !== granted.toString()) throw new Error("the receipt has another amount");
          onServed({ serial: (JSON.parse(answer.body) as { serial: number }).serial, receipt });
        }),
      );
      under.at(-1)?.catch(() => {}); // seen when it is shifted
    }
    await Promise.all(under);
  }

  /** Asks the seller to close with the last voucher. */
  async close(): Promise<Wire.Receipt> {
    if (this.#last === undefined) throw new Error("nothing was paid");
    return receiptOf(await this.get(this.credential("close", this.#last)), this.session.channelId);
  }

  /** A credential of this session around any voucher. */
  credential(action: "voucher" | "close", voucher: SignedVoucher.SignedVoucher): string {
    const { challenge, channelId } = this.session;
    return Wire.formatCredential({
      challenge,
      payload: { action, channelId, voucher: Signed.toJson(voucher) as unknown as Wire.JsonObject },
    });
  }

  /** A voucher of this session for any amount, by any key. */
  voucher(cumulativeAmount: bigint, key = this.voucherKey): Promise<SignedVoucher.SignedVoucher> {
    return signVoucher({ channelId: this.session.channelId, cumulativeAmount }, key);
  }

  /** One request, as it is. */
  get(authorization?: string): Promise<Answer> {
    if (this.#connection === undefined) return Promise.reject(new Error("not connected"));
    return this.#connection.get(authorization);
  }

  async #nextCredential(): Promise<string> {
    const { price, deposit } = this.session;
    const next = this.#granted + price;
    if (next > deposit) throw new Error("the deposit is used up");
    const voucher = await this.voucher(next);
    this.#granted = next;
    this.#last = voucher;
    return this.credential("voucher", voucher);
  }

  /** @throws {Error} when the seller asks for what the agent does not do. */
  #agree(challenge: Wire.Challenge): Wire.SessionRequest {
    const request = Wire.decode(challenge.request) as unknown as Wire.SessionRequest;
    const { methodDetails: terms } = request;
    requireChannelProgram("localnet", terms.channelProgram);
    const agreed =
      challenge.method === "solana" &&
      challenge.intent === "session" &&
      terms.network === "localnet" &&
      terms.voucherSigner === "client" &&
      terms.feePayer &&
      request.currency === this.#limits.mint.toBase58() &&
      BigInt(request.amount) <= this.#limits.maxPrice;
    if (!agreed) throw new Error("the seller asks for more than this agent grants");
    return request;
  }
}

function receiptOf(answer: Answer, channelId: string): Wire.Receipt {
  const header = answer.headers.get("payment-receipt");
  if (answer.status !== 200 || header === undefined) throw new Error(`refused with ${answer.status}: ${answer.body}`);
  const receipt = Wire.decode(header) as unknown as Wire.Receipt;
  if (receipt.status !== "success" || receipt.reference !== channelId)
    throw new Error("the receipt is of another channel");
  return receipt;
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
