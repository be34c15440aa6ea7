// What every way to pay is given by the agent.
import type { Network } from "@mppsol/core";
import type { Connection } from "@solana/web3.js";
import type { Now } from "./clock.js";
import type { Authorization, Errand, Progress } from "./payer.js";
import type { AgentSigner } from "./signers.js";
import type { AgentStore } from "./store.js";

/** The part of `fetch` that the agent uses and offers. */
export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

export interface Context {
  readonly signer: AgentSigner;
  readonly connection: Connection;
  readonly network: Network.Network;
  readonly store: AgentStore;
  readonly now: Now;
  /** Hands an event to `onProgress`; what that throws is dropped. */
  progress(event: Progress): void;
  /** An authorization that was neither cancelled nor, if a spend, committed; also one of an earlier process. */
  recall(id: string): Promise<Authorization | undefined>;
  /** The agent's paying fetch, held to one way to pay when `intent` says so. */
  readonly fetch: (
    input: string | URL | Request,
    init?: RequestInit,
    intent?: "charge" | "session",
  ) => Promise<Response>;
  /** An errand to the server of `url` that no request asked for: to close a session. */
  errand(url: string, signal?: AbortSignal): Errand;
  /** Micro-lamports for a compute unit, when the owner said; else the payer's own choice. */
  readonly computeUnitPrice: bigint | undefined;
}
