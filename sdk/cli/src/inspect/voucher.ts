// Inspecting vouchers, as JSON and as the bytes that are signed.
import { Base58, SignedVoucher, Voucher } from "@mppsol/core";
import { attempt, problem, type Report, report } from "./report.js";

/** A signed voucher: its fields, its bytes, and whether the chain would take the signature. */
export function inspectSignedVoucher(value: unknown, now: number): Report {
  const to = report("signed-voucher");
  const signed = attempt(to, () => SignedVoucher.fromJson(value));
  if (signed === undefined) return to;
  Object.assign(to.members, voucherMembers(signed.voucher), { signer: signed.signer, signature: signed.signature });
  const verified = SignedVoucher.verify(signed);
  to.members.signatureValid = verified;
  if (!verified) {
    problem(
      to,
      "voucher-signature",
      "the chain's Ed25519 program would refuse the signature: it could never be cashed",
    );
  }
  checkExpiry(to, signed.voucher, now);
  return to;
}

/** The 50 bytes of a voucher. */
export function inspectVoucherBytes(bytes: Uint8Array, now: number): Report {
  const to = report("voucher");
  const voucher = attempt(to, () => Voucher.decode(bytes));
  if (voucher === undefined) return to;
  Object.assign(to.members, voucherMembers(voucher));
  checkExpiry(to, voucher, now);
  return to;
}

function voucherMembers(voucher: Voucher.Voucher): Record<string, unknown> {
  return {
    channelId: voucher.channelId,
    cumulativeAmount: voucher.cumulativeAmount,
    expiresAt: voucher.expiresAt === 0n ? "never" : voucher.expiresAt,
    message: Buffer.from(Voucher.encode(voucher)).toString("hex"),
  };
}

function checkExpiry(to: Report, { expiresAt }: Voucher.Voucher, now: number): void {
  if (expiresAt !== 0n && BigInt(Math.floor(now / 1000)) >= expiresAt) {
    problem(to, "voucher-expired", "it has expired, and can no longer be cashed");
  }
}

/** Whether text is base58 of so many bytes. */
export function isBase58(text: string, length: 32 | 64): boolean {
  try {
    Base58.decode(text, length);
    return true;
  } catch {
    return false;
  }
}
