// The store in memory.
import { memoryStore } from "@mppsol/server/stores";
import { contract } from "./contract.js";

contract("memory", async () => memoryStore());
