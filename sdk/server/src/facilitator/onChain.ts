// The seller's own look at the chain, for those who do not want to take the facilitator's word.
import { type ChargeRequest, type Network, RefusedError } from "@mppsol/core";
import { checkCluster, type Rpc, RpcError } from "../chain/index.js";
import { sleep } from "../chain/sleep.js";
import { judge } from "../charge/landed.js";
import { SettlementError } from "./errors.js";
import { mismatch, type Payable } from "./proof.js";

export interface Lookup {
  readonly rpc: Rpc;
  /** Milliseconds that a transaction is looked for. */
  readonly waitMs: number;
  /** Milliseconds between looks. */
  readonly pollMs: number;
  readonly onError: (error: unknown) => void;
}

/** Looks transactions up that a facilitator says have landed. */
export class OnChain {
  readonly #lookup: Lookup;
  #checked = false;

  constructor(lookup: Lookup) {
    this.#lookup = lookup;
  }

  get rpc(): Rpc {
    return this.#lookup.rpc;
  }

  /** Throws {WrongClusterError} {RpcError} unless the node is of the network that is sold on. */
  async checkNetwork(network: Network.Network): Promise<void> {
    if (this.#checked) return;
    await checkCluster(this.#lookup.rpc, network);
    this.#checked = true;
  }

  /**
   * Whether the transaction of this signature is on chain and has paid the request. False: it is not to be seen, or no node
   * answers; that proves nothing, and may be asked again.
   * @throws {RefusedError} `transaction-failed`
   * @throws {SettlementError} `settlement_transfer_mismatch`
   * @throws {WrongClusterError}
   */
  async hasPaid(signature: string, { approved }: Payable, request: ChargeRequest.ChargeRequest): Promise<boolean> {
    const { rpc, waitMs, pollMs, onError } = this.#lookup;
    const until = performance.now() + waitMs;
    for (;;) {
      try {
        await this.checkNetwork(request.network);
        const transaction = await rpc.transaction(signature, "confirmed");
        if (transaction !== undefined) {
          const { currency } = request;
          const verdict = judge(transaction, {
            currency,
            legs: approved.legs,
            transferFee: undefined,
            memo: undefined,
          });
          if (verdict.paid) return true;
          if (verdict.code === "transaction-failed") throw new RefusedError("transaction-failed");
          throw mismatch("transfer", "What arrived on chain is not what was asked for.");
        }
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        onError(error);
      }
      if (performance.now() >= until) break;
      await sleep(pollMs);
    }
    onError(
      new SettlementError(
        "settlement_not_found",
        `The facilitator says that ${signature} has landed; it is not there.`,
        {
          uncertain: true,
        },
      ),
    );
    return false;
  }
}
