// What a voucher must be, whatever it pays for (draft-solana-session-00, "Voucher Verification", steps 1 to 4 and 9). What
// depends on amounts is decided by the store, in one step with the debit.
import { RefusedError, type SignedVoucher } from "@mppsol/core";
import type { ChannelState } from "../stores/Store.js";
import type { Settings } from "./options.js";

type Rules = Pick<Settings, "verifier" | "now" | "clockSkewSeconds" | "voucherWindowSeconds" | "settleMarginSeconds">;

/** For what a voucher is checked. */
export type Purpose =
  /** It pays: it must be good for as long as it may take until it is cashed. */
  | "pay"
  /** It is the last one, and cashed at once. */
  | "cash"
  /** It only shows who asks. */
  | "authenticate";

/**
 * Throws unless the channel's signer signed the voucher for this channel and it is good for its purpose. The cheap checks
 * come first.
 * @throws {RefusedError}
 */
export function checkVoucher(
  signed: SignedVoucher.SignedVoucher,
  channel: Pick<ChannelState, "channelId" | "authorizedSigner">,
  purpose: Purpose,
  rules: Rules,
): void {
  const { voucher, signer } = signed;
  if (voucher.channelId !== channel.channelId) throw new RefusedError("voucher-channel");
  if (signer !== channel.authorizedSigner) throw new RefusedError("voucher-signer");
  checkExpiry(voucher.expiresAt, purpose, rules);
  if (!rules.verifier.verify(signed)) throw new RefusedError("voucher-signature");
}

function checkExpiry(expiresAt: bigint, purpose: Purpose, rules: Rules): void {
  if (expiresAt === 0n) return;
  const now = rules.now() / 1000;
  const left = Number(expiresAt) - now;
  if (left <= -rules.clockSkewSeconds || (purpose !== "authenticate" && left <= 0)) {
    throw new RefusedError("voucher-expired");
  }
  const needed = { pay: rules.voucherWindowSeconds, cash: rules.settleMarginSeconds, authenticate: undefined }[purpose];
  if (needed !== undefined && left < needed) {
    throw new RefusedError("voucher-expires-too-soon", `The voucher must be good for at least ${needed} seconds.`);
  }
}
