// @mppsol/core: wire formats of machine payments on Solana. One concept a namespace.
export * as Attestation from "./Attestation.js";
export * as Base58 from "./Base58.js";
export * as BatchVoucher from "./BatchVoucher.js";
export * from "./errors.js";
export * as Integer from "./Integer.js";
export * as SignedVoucher from "./SignedVoucher.js";
export * as Signer from "./Signer.js";
export * as Splits from "./Splits.js";
export * as Voucher from "./Voucher.js";
