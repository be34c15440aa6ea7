// Vouchers to accept: signed before anything is measured, for many channels in turn, each rising by one.
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { Base58, type SignedVoucher, Voucher } from "@mppsol/core";
import type { NewChannel, Store } from "@mppsol/server/stores";

export interface Channel {
  readonly id: string;
  /** Base58 public key of who signs its vouchers. */
  readonly signer: string;
  readonly key: KeyObject;
  readonly privateKey: KeyObject;
}

/** A voucher in all the forms that the measured functions take. */
export interface Prepared {
  readonly channel: Channel;
  readonly signed: SignedVoucher.SignedVoucher;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
  readonly publicKey: Uint8Array;
}

export function channels(count: number): Channel[] {
  return Array.from({ length: count }, () => {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    const signer = Base58.encode(publicKey.export({ format: "der", type: "spki" }).subarray(-32));
    return { id: Base58.encode(randomBytes(32)), signer, key: publicKey, privateKey };
  });
}

/** `count` vouchers, of one channel after the other. */
export function vouchers(channels: readonly Channel[], count: number): Prepared[] {
  return Array.from({ length: count }, (_, i) => {
    const channel = channels[i % channels.length] as Channel;
    const amount = BigInt(Math.floor(i / channels.length) + 1);
    const voucher = Voucher.from({ channelId: channel.id, cumulativeAmount: amount });
    const message = Voucher.encode(voucher);
    const signature = new Uint8Array(sign(null, message, channel.privateKey));
    const signed = {
      voucher,
      signer: channel.signer,
      signature: Base58.encode(signature),
      signatureType: "ed25519",
    } as const;
    return { channel, signed, message, signature, publicKey: Base58.decode(channel.signer, 32) };
  });
}

/** Opens the channels in a store. */
export async function open(store: Store, channels: readonly Channel[]): Promise<void> {
  const other = Base58.encode(randomBytes(32));
  const common: Omit<NewChannel, "channelId" | "authorizedSigner"> = {
    payer: other,
    payee: other,
    mint: other,
    tokenProgram: other,
    rentPayer: other,
    channelProgram: other,
    salt: 1n,
    openSlot: 1n,
    gracePeriodSeconds: 900,
    distributionSplits: [],
    voucherSigner: "client",
    challengeId: "bench",
    escrowed: 2n ** 64n - 1n,
    idleTimeoutSeconds: 3_600,
  };
  await Promise.all(
    channels.map(({ id, signer }) =>
      store.channels.create({ ...common, channelId: id, authorizedSigner: signer }, Date.now()),
    ),
  );
}
