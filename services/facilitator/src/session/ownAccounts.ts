// The token accounts that the facilitator itself must have: without them its share of what sessions settle would be forfeited.
import { payable, SigningError, signerAddress, type TransactionSigner, tokenAddressOf } from "@mppsol/server/parts";
import { createAssociatedTokenAccountIdempotentInstruction } from "@solana/spl-token";
import { PublicKey } from "@solana/web3.js";
import type { Desks, Parts } from "./Desks.js";

/**
 * Makes the settlement key's missing token accounts, one for each mint, at the cost of the first fee payer that can.
 * @throws {RpcError} {MintError} {SimulationError} {SigningError} and then the service must not start.
 */
export async function makeOwnAccounts({ config, rpc }: Parts, desks: Desks): Promise<void> {
  const owner = signerAddress(config.settlementKey);
  const feePayers = desks.feePayers.book(signerAddress(config.feePayers[0]));
  for (const mint of config.mints) {
    const { tokenProgram } = await desks.facts(mint);
    const address = tokenAddressOf(owner, mint, tokenProgram);
    const read = async () => payable(await rpc.account(address), owner, mint, tokenProgram);
    if ((await read()) !== "missing") continue;
    const [account, wallet, token, program] = [address, owner, mint, tokenProgram].map((key) => new PublicKey(key)) as [
      PublicKey,
      PublicKey,
      PublicKey,
      PublicKey,
    ];
    const build = async (feePayer: TransactionSigner) => {
      const payer = new PublicKey(signerAddress(feePayer));
      const instruction = createAssociatedTokenAccountIdempotentInstruction(payer, account, wallet, token, program);
      return { instructions: [instruction], feePayer, persist: async () => {} };
    };
    await feePayers.submit({ creates: 1, build }, {});
    if ((await read()) !== "yes") throw new SigningError(`${address}, the facilitator's own account, is not there yet`);
  }
}
