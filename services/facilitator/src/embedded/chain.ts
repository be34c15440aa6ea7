// The chain of the embedded mode: in this process, in memory, new with every start, and so its books are new, too.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Localnet } from "@mppsol/localnet";
import { SESSION_PROGRAM_ID } from "@mppsol/programs";
import { Pglite, signerAddress, translated } from "@mppsol/server/parts";
import { ConfigurationError } from "../config/ConfigurationError.js";
import type { Config } from "../config.js";

/** Milliseconds: twice those of a cluster, so that a blockhash, 150 slots, is good for two minutes. */
const SLOT_MS = 800;

const FEE_PAYER_LAMPORTS = 10_000_000_000n;
const SETTLEMENT_LAMPORTS = 1_000_000_000n;

/** Where the program of sessions is: in the repository that this is built in, or in this package, into which it is packed. */
const FOLDERS = [
  fileURLToPath(new URL("../../../../artifacts", import.meta.url)),
  fileURLToPath(new URL("../../artifacts", import.meta.url)),
];

/** Path of the program of sessions. @throws {ConfigurationError} when it is not there. */
export function programFile(artifactsDir: string | undefined): string {
  const folders = artifactsDir === undefined ? FOLDERS : [artifactsDir];
  const file = folders.map((folder) => `${folder}/mppsol_session.so`).find((path) => existsSync(path));
  if (file === undefined) {
    const problem = "must name the folder of mppsol_session.so for a chain in this process; or name nodes by RPC_URLS";
    throw new ConfigurationError([{ variable: "MPPSOL_ARTIFACTS", problem }]);
  }
  return file;
}

/** @throws {ConfigurationError} when the program of sessions is not there. */
export async function startChain(artifactsDir: string | undefined): Promise<Localnet> {
  const file = programFile(artifactsDir);
  return Localnet.start({ programs: [{ id: SESSION_PROGRAM_ID.toBase58(), file }], slotTime: SLOT_MS });
}

/** Gives the service's keys the lamports that they pay with. */
export function fund(net: Localnet, { feePayers, settlementKey }: Config): void {
  for (const signer of feePayers) net.airdrop(signerAddress(signer), FEE_PAYER_LAMPORTS);
  net.airdrop(signerAddress(settlementKey), SETTLEMENT_LAMPORTS);
}

/**
 * Forgets what was settled on a chain that is gone.
 * @throws {StoreError} while another process has the folder.
 */
export async function forget(databaseDir: string): Promise<void> {
  if (!existsSync(databaseDir)) return;
  const database = new Pglite(databaseDir);
  try {
    await translated(() => database.script("DROP SCHEMA public CASCADE; CREATE SCHEMA public"));
  } finally {
    await database.close();
  }
}
