// What processes of a load test and their parent say to each other.

/** How an instance of the service is to serve; keys as bytes of their secrets. */
export interface Settings {
  readonly rpcUrl: string;
  /** Postgres. Absent: PGlite in `databaseDir`. */
  readonly databaseUrl?: string;
  readonly databaseDir?: string;
  readonly feePayers: readonly [number[], number[]];
  readonly settlement: number[];
  readonly operator: number[];
  /** Until `settle` answers 202. */
  readonly settleBudgetMs?: number;
  /** Milliseconds between looks at a transaction under way, and between rounds of the reconciler. Default: the service's. */
  readonly pollMs?: number;
  readonly intervalMs?: number;
}

/** What an instance holds. Bytes; the heap after a full collection where the process was started with --expose-gc. */
export interface Sample {
  readonly rss: number;
  readonly heapUsed: number;
  readonly external: number;
  /** Open file descriptors; of them sockets. */
  readonly descriptors: number;
  readonly sockets: number;
  /** What keeps the event loop alive: timers, requests, sockets. */
  readonly handles: number;
  /** Faults that changed no answer, so far. */
  readonly faults: number;
}

export type Asked =
  | { readonly kind: "serve"; readonly settings: Settings }
  | { readonly kind: "chain"; readonly slotMs: number }
  | { readonly kind: "sample" };

export type Said =
  /** Everything is loaded. */
  | { readonly kind: "warm" }
  | { readonly kind: "serving"; readonly url: string }
  | { readonly kind: "failed"; readonly message: string }
  | { readonly kind: "sampled"; readonly sample: Sample };
