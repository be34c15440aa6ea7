// JSON-RPC errors with the codes and messages of a Solana node.
import type { Json } from "./json.js";

/** The JSON-RPC error codes that localnet answers, as agave numbers them. */
export const RpcCode = {
  parse: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internal: -32603,
  preflightFailure: -32002,
  signatureVerification: -32003,
  blockNotAvailable: -32004,
  unsupportedTransactionVersion: -32015,
  minContextSlot: -32016,
} as const;

/** An error that is answered to the caller as the `error` member of a JSON-RPC response. */
export class RpcError extends Error {
  readonly code: number;
  readonly data: Json | undefined;
  constructor(code: number, message: string, data?: Json) {
    super(message);
    this.name = "RpcError";
    this.code = code;
    this.data = data;
  }
}

/** -32602 with agave's wording, e.g. `Invalid param: WrongSize`. */
export const invalidParams = (message: string): RpcError => new RpcError(RpcCode.invalidParams, message);
