// What both sides of a payment take for granted.
import { type Network, TokenProgram } from "@mppsol/core";
import { moneyOf } from "@mppsol/server/parts";

/** Base58 mint of USDC by network, in both spellings of mainnet; on localnet the test mint of @mppsol/localnet. */
export const USDC_MINTS: Readonly<Record<Network.Network | "mainnet-beta", string>> = {
  mainnet: moneyOf("usdc", "mainnet").currency,
  "mainnet-beta": moneyOf("usdc", "mainnet").currency,
  devnet: moneyOf("usdc", "devnet").currency,
  localnet: moneyOf("usdc", "localnet").currency,
};

/** Decimals of USDC: 1,000,000 base units are one USDC. */
export const USDC_DECIMALS = 6;

/** SPL Token, base58. */
export const TOKEN_PROGRAM = TokenProgram.TOKEN;

/** Token-2022, base58. */
export const TOKEN_2022_PROGRAM = TokenProgram.TOKEN_2022;

/** Where a facilitator listens that is started without options. Name your own: there is no public one. */
export const DEFAULT_API_URL = "http://127.0.0.1:8402";

/** What clients pay for priority: micro-lamports a compute unit, so 0.05 lamports in all with the limit below. */
export const DEFAULT_COMPUTE_UNIT_PRICE = 1n;

/** Compute units that a charge may use. */
export const DEFAULT_COMPUTE_UNIT_LIMIT = 50_000;

/** Header in which a buyer shows its voucher, as JSON. */
export const VOUCHER_HEADER = "x-mpp-voucher";
