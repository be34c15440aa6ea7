// @mppsol/localnet: an embedded Solana chain. See README.md.
export type { MintedUsdc } from "./chain/usdc.js";
export {
  DEFAULT_SLOT_MS,
  LOCALNET_VERSION,
  MAX_PROCESSING_AGE,
  PACKET_DATA_SIZE,
  USDC_DECIMALS,
  USDC_MINT,
} from "./constants.js";
export { localKey, usdcAuthority, usdcMintKey } from "./keys.js";
export {
  type ClockTime,
  isLocalnet,
  Localnet,
  LocalnetError,
  type LocalnetOptions,
  type ProgramFile,
} from "./localnet.js";
