// @mppsol/core: wire formats of machine payments on Solana. One concept a namespace.
export * as Attestation from "./Attestation.js";
export * as Base58 from "./Base58.js";
export * as Base64Url from "./Base64Url.js";
export * as BatchVoucher from "./BatchVoucher.js";
export * as Challenge from "./Challenge.js";
export * as Credential from "./Credential.js";
export * from "./errors.js";
export * as Integer from "./Integer.js";
export * as Jcs from "./Jcs.js";
export type { JsonObject, JsonValue } from "./json.js";
export * as Network from "./Network.js";
export * as Receipt from "./Receipt.js";
export * as Refusal from "./Refusal.js";
export { RefusedError } from "./Refusal.js";
export * as SignedVoucher from "./SignedVoucher.js";
export * as Signer from "./Signer.js";
export * as Splits from "./Splits.js";
export * as Voucher from "./Voucher.js";
