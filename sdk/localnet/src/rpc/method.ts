// What a JSON-RPC method is.
import type { Chain } from "../chain/chain.js";
import type { Json } from "../json.js";
import type { Params } from "./params.js";

/** A method: how many parameters it takes, and what it answers. It throws `RpcError` for what it refuses. */
export interface Method {
  readonly required: number;
  readonly most: number;
  readonly run: (chain: Chain, params: Params) => Json;
}

export type MethodTable = Readonly<Record<string, Method>>;

/** Declares a method that needs `required` parameters and takes up to `most`. */
export const method = (required: number, most: number, run: Method["run"]): Method => ({ required, most, run });
