// The store on Postgres: the contract, on a real server.
import { postgresStore } from "@mppsol/server/stores";
import { postgres } from "../../support/postgres.js";
import { contract } from "./contract.js";

contract("postgres", async (context) => {
  const cluster = await postgres(context);
  return postgresStore({ connectionString: await cluster.database() });
});
