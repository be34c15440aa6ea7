// The fixed addresses, keys and limits of localnet.

/** Address of the test USDC mint, the public key of `usdcMintKey()`: SPL Token, 6 decimals. The same on every localnet. */
export const USDC_MINT = "HWVK3jYEq1jChpPEuHtGqxvZd73xPrYsP4PRc8aHD6te";
/** Decimals of the test USDC. */
export const USDC_DECIMALS = 6;
/** Largest transaction in bytes: an IPv6 packet less its headers, as every cluster has it. */
export const PACKET_DATA_SIZE = 1232;
/** Slots for which a blockhash can be used. */
export const MAX_PROCESSING_AGE = 150;
/** Slots after which a processed slot counts as finalized, when slots advance by time. */
export const FINALIZED_DEPTH = 32;
/** Slots that the SlotHashes sysvar remembers. */
export const SLOT_HASHES = 512;
/** The slot at which a new localnet starts, so that a finalized slot with a blockhash exists from the first moment. */
export const START_SLOT = 64;
/** Length of a slot in milliseconds unless told otherwise. */
export const DEFAULT_SLOT_MS = 400;
/** Lamports charged per signature. */
export const LAMPORTS_PER_SIGNATURE = 5000n;
/** The version of agave whose RPC answers localnet imitates. */
export const API_VERSION = "3.1.9";
/** Feature set reported by `getVersion`, that of agave 3.1.9. */
export const FEATURE_SET = 1620780344;
/** Version of this package, reported by `getVersion` in the field `mppsol-localnet`. */
export const LOCALNET_VERSION = "0.1.0";

export const SYSTEM_PROGRAM = "11111111111111111111111111111111";
export const TOKEN_PROGRAM = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA";
export const TOKEN_2022_PROGRAM = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb";
export const ATA_PROGRAM = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL";
export const MEMO_PROGRAMS: readonly string[] = [
  "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr",
  "Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo",
];
export const ALT_PROGRAM = "AddressLookupTab1e1111111111111111111111111";
export const UPGRADEABLE_LOADER = "BPFLoaderUpgradeab1e11111111111111111111111";
export const SYSVAR_OWNER = "Sysvar1111111111111111111111111111111111111";
export const NATIVE_LOADER = "NativeLoader1111111111111111111111111111111";
export const SLOT_HASHES_SYSVAR = "SysvarS1otHashes111111111111111111111111111";
export const COMPUTE_BUDGET_PROGRAM = "ComputeBudget111111111111111111111111111111";
