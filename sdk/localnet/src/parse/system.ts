// The system program.
import { Reader } from "./bytes.js";
import { accountAt, type Parsed } from "./instruction.js";

export function parseSystem(data: Uint8Array, accounts: readonly string[]): Parsed | undefined {
  const at = (index: number) => accountAt(accounts, index);
  const read = new Reader(data);
  switch (read.u32()) {
    case 0:
      return {
        type: "createAccount",
        info: {
          source: at(0),
          newAccount: at(1),
          lamports: read.u64(),
          space: read.u64(),
          owner: read.address(),
        },
      };
    case 1:
      return { type: "assign", info: { account: at(0), owner: read.address() } };
    case 2:
      return { type: "transfer", info: { source: at(0), destination: at(1), lamports: read.u64() } };
    case 3:
      return {
        type: "createAccountWithSeed",
        info: {
          source: at(0),
          newAccount: at(1),
          base: read.address(),
          seed: read.string(),
          lamports: read.u64(),
          space: read.u64(),
          owner: read.address(),
        },
      };
    case 4:
      return {
        type: "advanceNonce",
        info: { nonceAccount: at(0), recentBlockhashesSysvar: at(1), nonceAuthority: at(2) },
      };
    case 5:
      return {
        type: "withdrawFromNonce",
        info: {
          nonceAccount: at(0),
          destination: at(1),
          recentBlockhashesSysvar: at(2),
          rentSysvar: at(3),
          nonceAuthority: at(4),
          lamports: read.u64(),
        },
      };
    case 6:
      return {
        type: "initializeNonce",
        info: {
          nonceAccount: at(0),
          recentBlockhashesSysvar: at(1),
          rentSysvar: at(2),
          nonceAuthority: read.address(),
        },
      };
    case 7:
      return {
        type: "authorizeNonce",
        info: { nonceAccount: at(0), nonceAuthority: at(1), newAuthorized: read.address() },
      };
    case 8:
      return { type: "allocate", info: { account: at(0), space: read.u64() } };
    case 9:
      return {
        type: "allocateWithSeed",
        info: {
          account: at(0),
          base: read.address(),
          seed: read.string(),
          space: read.u64(),
          owner: read.address(),
        },
      };
    case 10:
      return {
        type: "assignWithSeed",
        info: { account: at(0), base: read.address(), seed: read.string(), owner: read.address() },
      };
    case 11:
      return {
        type: "transferWithSeed",
        info: {
          source: at(0),
          sourceBase: at(1),
          destination: at(2),
          lamports: read.u64(),
          sourceSeed: read.string(),
          sourceOwner: read.address(),
        },
      };
    case 12:
      return { type: "upgradeNonce", info: { nonceAccount: at(0) } };
    default:
      return undefined;
  }
}
