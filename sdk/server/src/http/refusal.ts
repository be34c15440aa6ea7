// Which refusal an error is to the client: known ones as they are, a chain or store that is away as 503, the rest as 500.
import { RefusedError } from "@mppsol/core";
import { RpcError } from "../chain/errors.js";
import { StoreError } from "../stores/errors.js";

/** The refusal to answer with. Whether the error must also be reported: what the client can do nothing about. */
export function refusalOf(error: unknown): { readonly refusal: RefusedError; readonly report: boolean } {
  if (error instanceof RefusedError) return { refusal: error, report: error.status >= 500 };
  if (error instanceof RpcError || error instanceof StoreError) {
    // It may have failed halfway, so nothing is said of what was taken: the same request brings it to light.
    const detail = "The payment cannot be checked right now. Send the same request again.";
    return { refusal: new RefusedError("unavailable", detail, {}, { cause: error }), report: true };
  }
  return { refusal: new RefusedError("internal-error", undefined, {}, { cause: error }), report: true };
}
