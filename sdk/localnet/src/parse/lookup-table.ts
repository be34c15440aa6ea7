// The address lookup table program.
import { Reader } from "./bytes.js";
import { accountAt, type Parsed } from "./instruction.js";

export function parseLookupTable(data: Uint8Array, accounts: readonly string[]): Parsed | undefined {
  const at = (index: number) => accountAt(accounts, index);
  const reader = new Reader(data);
  const table = { lookupTableAccount: at(0), lookupTableAuthority: at(1) };
  switch (reader.u32()) {
    case 0:
      return {
        type: "createLookupTable",
        info: {
          ...table,
          payerAccount: at(2),
          systemProgram: at(3),
          recentSlot: reader.u64(),
          bumpSeed: reader.u8(),
        },
      };
    case 1:
      return { type: "freezeLookupTable", info: table };
    case 2: {
      const count = Number(reader.u64());
      const newAddresses = Array.from({ length: Math.min(count, 256) }, () => reader.address());
      const payer = accounts.length > 2 ? { payerAccount: at(2), systemProgram: at(3) } : {};
      return { type: "extendLookupTable", info: { ...table, ...payer, newAddresses } };
    }
    case 3:
      return { type: "deactivateLookupTable", info: table };
    case 4:
      return { type: "closeLookupTable", info: { ...table, recipient: at(2) } };
    default:
      return undefined;
  }
}
