// Channels, vouchers, deliveries and charges to put into stores. The signatures are not real: stores do not look.
import { randomBytes } from "node:crypto";
import { Base58, type SignedVoucher } from "@mppsol/core";
import type { ChannelState, NewChannel, NewCharge, NewDelivery, Store } from "@mppsol/server/stores";
import { expect } from "chai";

export const MAX = 2n ** 64n - 1n;

/** Any time; stores know only the times that they are told. */
export const NOW = 1_700_000_000_000;

export function id(): string {
  return Base58.encode(randomBytes(32));
}

export function newChannel(overrides: Partial<NewChannel> = {}): NewChannel {
  return {
    channelId: id(),
    payer: id(),
    payee: id(),
    mint: id(),
    tokenProgram: id(),
    authorizedSigner: id(),
    rentPayer: id(),
    channelProgram: id(),
    salt: MAX,
    openSlot: MAX - 1n,
    gracePeriodSeconds: 900,
    distributionSplits: [{ recipient: id(), shareBps: 500 }],
    voucherSigner: "client",
    challengeId: "challenge",
    escrowed: 1_000n,
    idleTimeoutSeconds: 60,
    ...overrides,
  };
}

/** Creates a channel; its id. */
export async function open(store: Store, overrides: Partial<NewChannel> = {}): Promise<string> {
  const channel = newChannel(overrides);
  expect((await store.channels.create(channel, NOW)).created).to.equal(true);
  return channel.channelId;
}

export function voucher(channelId: string, cumulativeAmount: bigint, expiresAt = 0n): SignedVoucher.SignedVoucher {
  return {
    voucher: { channelId, cumulativeAmount, expiresAt },
    signer: "signer",
    signature: `signature of ${cumulativeAmount}`,
    signatureType: "ed25519",
  };
}

export function newDelivery(scope: string, key: string, overrides: Partial<NewDelivery> = {}): NewDelivery {
  return { scope, key, digest: "digest", owner: "owner", leaseUntil: NOW + 60_000, ...overrides };
}

export function newCharge(overrides: Partial<NewCharge> = {}): NewCharge {
  return {
    key: id(),
    challengeId: id(),
    state: "received",
    payer: id(),
    recipient: id(),
    currency: "sol",
    amount: 1n,
    sponsored: 5_000n,
    ...overrides,
  };
}

/** The channel, which must be there and keep the invariants. */
export async function channelOf(store: Store, channelId: string): Promise<ChannelState> {
  const channel = await store.channels.get(channelId);
  if (channel === undefined) throw new Error(`channel ${channelId} is not there`);
  const { accepted, spent, reserved, escrowed, voucherSigner, highestVoucher } = channel;
  const authorized = voucherSigner === "client" ? accepted : escrowed;
  expect(
    spent >= 0n && reserved >= 0n && spent <= accepted && accepted <= escrowed,
    "spent ≤ accepted ≤ escrowed",
  ).to.equal(true);
  expect(spent + reserved <= authorized, "what is reserved is covered").to.equal(true);
  expect(highestVoucher?.voucher.cumulativeAmount ?? 0n, "the voucher of `accepted` is kept").to.equal(accepted);
  return channel;
}

/** accepted, spent and reserved. */
export async function holdings(store: Store, channelId: string): Promise<[bigint, bigint, bigint]> {
  const { accepted, spent, reserved } = await channelOf(store, channelId);
  return [accepted, spent, reserved];
}

/** The error that a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Error) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
