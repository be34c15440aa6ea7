// The associated token account program.
import { accountAt, type Parsed } from "./instruction.js";

export function parseAssociatedToken(data: Uint8Array, accounts: readonly string[]): Parsed | undefined {
  const at = (index: number) => accountAt(accounts, index);
  const kind = data.length === 0 ? 0 : data[0];
  if (kind === 2) {
    return {
      type: "recoverNested",
      info: {
        nestedSource: at(0),
        nestedMint: at(1),
        destination: at(2),
        nestedOwner: at(3),
        ownerMint: at(4),
        wallet: at(5),
        tokenProgram: at(6),
      },
    };
  }
  if (kind !== 0 && kind !== 1) return undefined;
  return {
    type: kind === 0 ? "create" : "createIdempotent",
    info: {
      source: at(0),
      account: at(1),
      wallet: at(2),
      mint: at(3),
      systemProgram: at(4),
      tokenProgram: at(5),
    },
  };
}
