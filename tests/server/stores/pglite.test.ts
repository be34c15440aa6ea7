// The store on PGlite: the contract, in memory; what concerns its directory.
import { pgliteStore } from "@mppsol/server/stores";
import { contract } from "./contract.js";

contract("pglite", async (context) => {
  context.timeout(60_000);
  return pgliteStore();
});
