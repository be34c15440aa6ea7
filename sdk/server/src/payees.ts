// Who is paid by charges, and whether they can be: payers may not make the account of who is paid, so without it nobody
// could pay (draft-solana-charge-00, "Split Recipient ATA Creation").
import type { ChargeRequest } from "@mppsol/core";
import { createMints, type Rpc } from "./chain/index.js";
import { tokenAccount } from "./charge/addresses.js";
import { ConfigError } from "./errors.js";

export class Payees {
  /** By mint and owner. */
  readonly #all = new Map<string, { readonly mint: string; readonly owner: string }>();

  /** Who gets tokens of `mint`: all but shares whose account the payer makes. */
  add(mint: string, recipient: string, splits: readonly ChargeRequest.Split[]): void {
    const shares = splits.filter(({ ataCreationRequired }) => ataCreationRequired !== true);
    for (const owner of [recipient, ...shares.map((split) => split.recipient)]) {
      this.#all.set(`${mint} ${owner}`, { mint, owner });
    }
  }

  /**
   * Resolves when each has a token account.
   * @throws {ConfigError} `recipient`, for who has none. {MintError} {RpcError}
   */
  async check(rpc: Rpc): Promise<void> {
    const mints = createMints(rpc);
    for (const { mint, owner } of this.#all.values()) {
      const { tokenProgram } = await mints.get(mint);
      if ((await rpc.account(tokenAccount(owner, mint, tokenProgram))) !== undefined) continue;
      const make = `spl-token create-account ${mint} --owner ${owner} --fee-payer <keypair>`;
      throw new ConfigError("recipient", `${owner} has no account for the token ${mint}; make one: ${make}`);
    }
  }
}
