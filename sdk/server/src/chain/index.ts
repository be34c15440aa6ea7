// Access to the chain: reading it, and landing transactions.
export { checkCluster } from "./cluster.js";
export { createRpc, type Endpoint, type RpcOptions } from "./createRpc.js";
export { MintError, type MintProblem, RpcError, SigningError, SimulationError, WrongClusterError } from "./errors.js";
export { type Broadcast, broadcastOf, type Fate, fateOf, type LandOptions, land, lastValidBound } from "./landing.js";
export { createMints, type Mint, type Mints, type TransferFee } from "./mint.js";
export type {
  Account,
  Blockhash,
  ByteMatch,
  Height,
  Level,
  ReadOptions,
  Rpc,
  SignatureAnswer,
  Simulation,
  StatusOptions,
} from "./Rpc.js";
export {
  addSignature,
  type KeypairSigner,
  type RemoteSigner,
  signerAddress,
  type TransactionSigner,
} from "./signer.js";
export { type Submission, submit } from "./submit.js";
export { verifySignature } from "./verify.js";
