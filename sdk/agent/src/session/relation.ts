// What has to be the same for two requests to be paid by one channel.
import type { ChannelTerms } from "./record.js";

export interface Relation {
  readonly origin: string;
  readonly payee: string;
  readonly mint: string;
  readonly channelProgram: string;
  readonly network: string;
  /** The seller's key, when it signs the vouchers. */
  readonly operator: string | undefined;
}

/** One text for each. */
export function relationOf({ origin, payee, mint, channelProgram, network, operator = "" }: Relation): string {
  return JSON.stringify([origin, payee, mint, channelProgram, network, operator]);
}

export function relationOfRecord(record: ChannelTerms): string {
  return relationOf({ ...record, operator: record.voucherSigner === "operator" ? record.authorizedSigner : undefined });
}
