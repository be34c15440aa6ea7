// Calls through the test proxy (`tests/proxy`): a program that makes the calls it is told to make and signs with an
// address of its own.
import { PublicKey, TransactionInstruction } from "@solana/web3.js";

export const PROXY_ID = new PublicKey("CbqDpq8UswqGkeahhYf2yegPQJdYKfEusCcg6oG3eAv");

/** The address that the proxy signs for. */
export const PROXY_SIGNER = PublicKey.findProgramAddressSync([Buffer.from("proxy")], PROXY_ID)[0];

/** One instruction of the proxy that makes these calls in turn. */
export function throughProxy(...calls: readonly TransactionInstruction[]): TransactionInstruction {
  const accounts = new Map<string, { pubkey: PublicKey; isSigner: boolean; isWritable: boolean }>();
  const index = (pubkey: PublicKey, isSigner: boolean, isWritable: boolean): number => {
    const known = accounts.get(pubkey.toBase58());
    const outside = isSigner && !pubkey.equals(PROXY_SIGNER);
    accounts.set(pubkey.toBase58(), {
      pubkey,
      isSigner: (known?.isSigner ?? false) || outside,
      isWritable: (known?.isWritable ?? false) || isWritable,
    });
    return [...accounts.keys()].indexOf(pubkey.toBase58());
  };
  const data = calls.map((call) => {
    const program = index(call.programId, false, false);
    const metas = call.keys.flatMap((key) => [
      index(key.pubkey, key.isSigner, key.isWritable),
      (key.isSigner ? 1 : 0) | (key.isWritable ? 2 : 0),
    ]);
    const length = [call.data.length & 255, call.data.length >> 8];
    return Buffer.concat([Buffer.from([program, call.keys.length, ...metas, ...length]), call.data]);
  });
  return new TransactionInstruction({ programId: PROXY_ID, keys: [...accounts.values()], data: Buffer.concat(data) });
}
