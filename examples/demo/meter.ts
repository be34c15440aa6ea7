// What a seller knows of its channels: the one place that decides whether a voucher pays for a request.
import { SignedVoucher } from "@mppsol/core";
import { GRACE_SECONDS } from "./cashier.js";
import { VoucherKey } from "./ed25519.js";
import { type JsonObject, object, Refusal, text } from "./wire.js";

/** Seconds in which a close lands, whatever the load and however far the clocks are apart. */
export const SETTLE_MARGIN_SECONDS = 60;

/** A channel as the journal keeps it. */
export interface ChannelRecord {
  readonly type: "open";
  readonly channelId: string;
  readonly payer: string;
  readonly authorizedSigner: string;
  readonly deposit: string;
  readonly signature: string;
}

/** A paid request as the journal keeps it: the whole voucher, because settling needs it. */
export interface VoucherRecord {
  readonly type: "voucher";
  readonly price: string;
  readonly signed: SignedVoucher.Json;
}

export interface ClosedRecord {
  readonly type: "closed";
  readonly channelId: string;
  readonly signature: string;
}

export type Record = ChannelRecord | VoucherRecord | ClosedRecord;

/** A channel in memory. Amounts are base units. */
export interface Account {
  readonly channelId: string;
  readonly payer: string;
  readonly deposit: bigint;
  readonly key: VoucherKey;
  /** Highest amount that a voucher granted. */
  accepted: bigint;
  /** Requests paid for. */
  served: number;
  highest: SignedVoucher.SignedVoucher | undefined;
  /** Closing or closed: takes no vouchers. */
  ended: boolean;
  /** Nothing is left to cash: the channel is no longer watched. */
  done: boolean;
}

export class Meter {
  readonly #accounts = new Map<string, Account>();

  /** The state after these records. */
  static restore(records: readonly JsonObject[]): Meter {
    const meter = new Meter();
    for (const record of records) meter.apply(record as unknown as Record);
    return meter;
  }

  /** Takes over what the journal has, or is about to have. A second open of a channel changes nothing. */
  apply(record: Record): void {
    if (record.type === "open") {
      const { channelId, payer, authorizedSigner, deposit } = record;
      if (this.knows(channelId)) return;
      const key = new VoucherKey(authorizedSigner);
      const fresh = { accepted: 0n, served: 0, highest: undefined, ended: false, done: false };
      this.#accounts.set(channelId, { channelId, payer, deposit: BigInt(deposit), key, ...fresh });
    } else if (record.type === "voucher") {
      const signed = SignedVoucher.fromJson(record.signed);
      const account = this.account(signed.voucher.channelId);
      account.accepted = signed.voucher.cumulativeAmount;
      account.highest = signed;
      account.served++;
    } else {
      Object.assign(this.account(record.channelId), { ended: true, done: true });
    }
  }

  knows(channelId: string): boolean {
    return this.#accounts.has(channelId);
  }

  /** @throws {Refusal} for a channel that was never opened here. */
  account(channelId: string): Account {
    const account = this.#accounts.get(channelId);
    if (account === undefined) throw new Refusal("verification-failed", "channel not found");
    return account;
  }

  /** Channels in which there may be something to cash, ended or not. */
  get watched(): readonly Account[] {
    return [...this.#accounts.values()].filter((account) => !account.done);
  }

  /**
   * Takes a voucher for one request. The caller has the record on disk before it answers.
   * @param now unix seconds.
   * @throws {Refusal} and changes nothing, unless the voucher raises what is accepted by exactly the price.
   */
  charge(payload: JsonObject, price: bigint, now: bigint): { account: Account; record: VoucherRecord } {
    const { account, signed } = this.authenticate(payload, now);
    const { cumulativeAmount, expiresAt } = signed.voucher;
    if (account.ended) throw new Refusal("verification-failed", "channel is closing");
    // A payer that leaves gives the seller the grace period: a voucher that expires in it might never be cashed.
    const needed = BigInt(GRACE_SECONDS + SETTLE_MARGIN_SECONDS);
    if (expiresAt !== 0n && expiresAt <= now + needed) {
      throw new Refusal("verification-failed", `voucher expires too soon: within ${needed} seconds`);
    }
    if (cumulativeAmount > account.deposit) throw new Refusal("verification-failed", "amount exceeds deposit");
    if (cumulativeAmount <= account.accepted) throw new Refusal("verification-failed", "voucher was already used");
    if (cumulativeAmount !== account.accepted + price) {
      throw new Refusal("verification-failed", "voucher does not add exactly the price");
    }
    const record: VoucherRecord = { type: "voucher", price: price.toString(), signed: SignedVoucher.toJson(signed) };
    this.apply(record);
    return { account, record };
  }

  /** The channel, and a voucher that its key signed. @throws {Refusal} */
  authenticate(payload: JsonObject, now: bigint): { account: Account; signed: SignedVoucher.SignedVoucher } {
    const signed = readVoucher(payload);
    const account = this.account(text(payload, "channelId"));
    const { channelId, expiresAt } = signed.voucher;
    if (channelId !== account.channelId) throw new Refusal("verification-failed", "voucher is for another channel");
    if (signed.signer !== account.key.address) throw new Refusal("verification-failed", "voucher has another signer");
    if (!account.key.signed(signed)) throw new Refusal("verification-failed", "voucher signature is invalid");
    if (expiresAt !== 0n && now >= expiresAt) throw new Refusal("verification-failed", "voucher has expired");
    return { account, signed };
  }
}

/** Whether the highest voucher is so near its expiry that it has to be cashed now. */
export function isDue({ highest }: Account, now: bigint): boolean {
  const expiresAt = highest?.voucher.expiresAt ?? 0n;
  return expiresAt !== 0n && now + BigInt(SETTLE_MARGIN_SECONDS) >= expiresAt;
}

function readVoucher(payload: JsonObject): SignedVoucher.SignedVoucher {
  const json = object(payload.voucher, "voucher");
  try {
    return SignedVoucher.fromJson(json, "voucher");
  } catch (error) {
    throw new Refusal("malformed-credential", (error as Error).message);
  }
}
