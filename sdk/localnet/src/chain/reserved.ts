// What `setAccount` must not touch. LiteSVM keeps programs and sysvars in caches beside the accounts, and aborts the
// process at the next transaction when an account and its cache disagree.
import {
  ALT_PROGRAM,
  COMPUTE_BUDGET_PROGRAM,
  NATIVE_LOADER,
  SYSTEM_PROGRAM,
  SYSVAR_OWNER,
  UPGRADEABLE_LOADER,
} from "../constants.js";
import { fromBase58Exact } from "./base58.js";

/** Every sysvar, whether or not the VM holds an account for it. */
const SYSVARS: ReadonlySet<string> = new Set([
  "SysvarC1ock11111111111111111111111111111111",
  "SysvarEpochRewards1111111111111111111111111",
  "SysvarEpochSchedu1e111111111111111111111111",
  "SysvarFees111111111111111111111111111111111",
  "Sysvar1nstructions1111111111111111111111111",
  "SysvarLastRestartS1ot1111111111111111111111",
  "SysvarRecentB1ockHashes11111111111111111111",
  "SysvarRent111111111111111111111111111111111",
  "SysvarRewards111111111111111111111111111111",
  "SysvarS1otHashes111111111111111111111111111",
  "SysvarS1otHistory11111111111111111111111111",
  "SysvarStakeHistory1111111111111111111111111",
  SYSVAR_OWNER,
]);

/** Builtin programs, loaders and precompiles: some have no account, and not all accounts of programs are marked so. */
const BUILTINS: ReadonlySet<string> = new Set([
  SYSTEM_PROGRAM,
  ALT_PROGRAM,
  COMPUTE_BUDGET_PROGRAM,
  NATIVE_LOADER,
  UPGRADEABLE_LOADER,
  "BPFLoader1111111111111111111111111111111111",
  "BPFLoader2111111111111111111111111111111111",
  "LoaderV411111111111111111111111111111111111",
  "Config1111111111111111111111111111111111111",
  "Feature111111111111111111111111111111111111",
  "Stake11111111111111111111111111111111111111",
  "Vote111111111111111111111111111111111111111",
  "ZkE1Gama1Proof11111111111111111111111111111",
  "ZkTokenProof1111111111111111111111111111111",
  "Ed25519SigVerify111111111111111111111111111",
  "KeccakSecp256k11111111111111111111111111111",
  "Secp256r1SigVerify1111111111111111111111111",
]);

/** Throws when an account can't be set: nothing has reached the VM then. `isProgram` is asked about an address alone. */
export function checkOverwrite(
  address: string,
  owner: string,
  executable: boolean,
  isProgram: (address: string) => boolean,
): void {
  for (const key of [address, owner]) {
    if (fromBase58Exact(key, 32) === undefined) throw new Error(`${JSON.stringify(key)} is not an address`);
  }
  if (SYSVARS.has(address)) {
    throw new Error(`${address} is a sysvar: use setClock, advanceSeconds, warpSlots or expireBlockhash`);
  }
  if (BUILTINS.has(address)) throw new Error(`${address} is a builtin program, which can't be set`);
  if (isProgram(address)) throw new Error(`${address} is a program: Localnet.addProgram replaces programs`);
  if (executable)
    throw new Error("an executable account can't be set: Localnet.addProgram or --program loads programs");
}
