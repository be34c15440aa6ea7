// The token accounts that the facilitator itself must have: without them its share of what sessions settle would be forfeited.
import { payable, SigningError, signerAddress, submit, tokenAddressOf } from "@mppsol/server/parts";
import { createAssociatedTokenAccountIdempotentInstruction } from "@solana/spl-token";
import { PublicKey } from "@solana/web3.js";
import type { Desks, Parts } from "./Desks.js";

/**
 * Makes the settlement key's missing token accounts, one for each mint, at the first fee payer's cost.
 * @throws {RpcError} {MintError} {SimulationError} {SigningError} and then the service must not start.
 */
export async function makeOwnAccounts({ config, rpc }: Parts, desks: Desks): Promise<void> {
  const owner = signerAddress(config.settlementKey);
  const [feePayer] = config.feePayers;
  for (const mint of config.mints) {
    const { tokenProgram } = await desks.facts(mint);
    const address = tokenAddressOf(owner, mint, tokenProgram);
    const read = async () => payable(await rpc.account(address), owner, mint, tokenProgram);
    if ((await read()) !== "missing") continue;
    const instruction = createAssociatedTokenAccountIdempotentInstruction(
      new PublicKey(signerAddress(feePayer)),
      new PublicKey(address),
      new PublicKey(owner),
      new PublicKey(mint),
      new PublicKey(tokenProgram),
    );
    await submit(rpc, { instructions: [instruction], feePayer, persist: async () => {} });
    if ((await read()) !== "yes") throw new SigningError(`${address}, the facilitator's own account, is not there yet`);
  }
}
