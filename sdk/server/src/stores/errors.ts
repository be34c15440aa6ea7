// What a store refuses or cannot do.
import { MppsolError } from "@mppsol/core";

/** The store could not be read or written. A write that was under way may have happened, or not. */
export class StoreError extends MppsolError {
  override readonly code: string = "store";
}

/** What is there already does not allow it. Nothing has happened. */
export class StoreConflictError extends StoreError {
  override readonly code = "store-conflict";
}

/** Why somebody cannot finish a delivery. */
export const NOT_THEIRS = "there is no such delivery of this owner";

/** The store was closed. Nothing has happened. */
export class StoreClosedError extends StoreError {
  override readonly code = "store-closed";

  constructor() {
    super("the store is closed");
  }
}

/** The store needs a package that is not installed. */
export class MissingDependencyError extends StoreError {
  override readonly code = "missing-dependency";
  /** Its name on npm. */
  readonly dependency: string;

  constructor(store: string, dependency: string, options?: ErrorOptions) {
    super(`${store} needs the package ${dependency}: npm install ${dependency}`, options);
    this.dependency = dependency;
  }
}
