// What a process of the service and its parent say to each other.

/** How a process is to serve; keys as bytes of their secrets. */
export interface Settings {
  readonly rpcUrl: string;
  readonly databaseUrl: string;
  readonly feePayers: readonly [number[], number[]];
  readonly settlement: number[];
  readonly operator: number[];
}

export type Said =
  /** Everything is loaded. */
  { readonly kind: "warm" } | { readonly kind: "serving"; readonly url: string };
