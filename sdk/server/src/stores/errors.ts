// What a store refuses or cannot do.
import { MppsolError } from "@mppsol/core";

/** The store could not be read or written. Nothing is known to have happened. */
export class StoreError extends MppsolError {
  override readonly code: string = "store";
}

/** Something else is there already. */
export class StoreConflictError extends StoreError {
  override readonly code = "store-conflict";
}
