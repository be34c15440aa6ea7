// All methods that localnet answers over HTTP.
import { accountMethods } from "./accounts.js";
import { blockMethods } from "./blocks.js";
import { cheatMethods } from "./cheats.js";
import { clusterMethods } from "./cluster.js";
import type { MethodTable } from "./method.js";
import { tokenMethods } from "./tokens.js";
import { transactionMethods } from "./transactions.js";

export const methods: MethodTable = {
  ...clusterMethods,
  ...blockMethods,
  ...accountMethods,
  ...tokenMethods,
  ...transactionMethods,
  ...cheatMethods,
};
