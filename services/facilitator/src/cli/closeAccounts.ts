// `close-accounts`: takes back the rent of token accounts that were made for wallets, and are empty.
import { WrongClusterError } from "@mppsol/server/parts";
import { ConfigurationError } from "../config/ConfigurationError.js";
import { readConfig } from "../config/readConfig.js";
import type { Environment } from "../config/variables.js";
import { openDatabase } from "../db/openDatabase.js";
import { AccountCloser, type Tally } from "../onboard/AccountCloser.js";
import { Nodes } from "../ops/Nodes.js";
import { explained } from "./StartError.js";

export interface CloseAccounts {
  readonly olderThanDays: number;
  readonly dryRun: boolean;
}

const DAY_MS = 24 * 60 * 60_000;

/**
 * @returns the exit code: 0 when nothing is left that could be closed.
 * @throws {ConfigurationError} {StartError}, and whatever keeps it from going on: the next run does.
 */
export async function closeAccounts(
  environment: Environment,
  { olderThanDays, dryRun }: CloseAccounts,
  print: (line: string) => void,
): Promise<0 | 1> {
  const { config, embedded, dataDir } = readConfig(environment);
  if (embedded) {
    const problem = "must name a node: the chain of the embedded mode, and all accounts on it, end with its process";
    throw new ConfigurationError([{ variable: "RPC_URLS", problem }]);
  }
  const { store, tables } = openDatabase(config);
  try {
    await store.migrate();
    await tables.migrate();
    const nodes = new Nodes(config);
    const failures = await nodes.check();
    const wrong = failures.find((error) => error instanceof WrongClusterError);
    if (wrong !== undefined || failures.length === nodes.all.length) throw wrong ?? failures[0];
    const closer = new AccountCloser({ config, rpc: nodes.rpc, tables, now: Date.now }, print);
    const tally = await closer.run({ olderThanMs: olderThanDays * DAY_MS, dryRun });
    print(summaryOf(tally, dryRun));
    return tally.open === 0 ? 0 : 1;
  } catch (error) {
    throw explained(error, config, dataDir);
  } finally {
    await store.close();
  }
}

function summaryOf({ closed, lamports, gone, lost, kept, open }: Tally, dryRun: boolean): string {
  const taken = lost === 0 ? "" : `; the rent of ${lost} is lost: their owners closed them`;
  if (dryRun) return `would close ${closed}, ${lamports} lamports; ${gone} are gone; ${kept} stay${taken}`;
  const left = open === 0 ? "" : `; ${open} are not closed, or not known to be: run it again`;
  return `closed ${closed}, ${lamports} lamports are back; ${gone} were gone; ${kept} stay${taken}${left}`;
}
