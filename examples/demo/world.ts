// The stage: an embedded chain with the real program binaries, and who appears on it.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Idl } from "@coral-xyz/anchor";
import { Localnet } from "@mppsol/localnet";
import { TREASURY } from "@mppsol/programs";
import { Connection, Keypair, PublicKey } from "@solana/web3.js";

const ARTIFACTS = process.env.MPPSOL_ARTIFACTS ?? fileURLToPath(new URL("../../artifacts", import.meta.url));
const PROGRAMS = ["mppsol_session", "mppsol_cpi", "paid_oracle"] as const;
/** Slots that the chain has behind it, so that a channel can be opened with a slot of the past. */
const START_SLOTS = 2_000;
const OPERATOR_LAMPORTS = 1_000_000_000n;

export interface World {
  readonly net: Localnet;
  readonly connection: Connection;
  /** Test USDC. */
  readonly mint: PublicKey;
  readonly decimals: number;
  /** Programs whose binaries are there. */
  readonly programs: ReadonlySet<string>;
  /** Tokens, no SOL. */
  readonly agent: Keypair;
  readonly seller: Keypair;
  /** The seller's key that pays fees and rent. */
  readonly operator: Keypair;
}

/** Starts the chain. The agent gets `tokens` base units, the operator one SOL, nobody anything else. */
export async function start(tokens: bigint): Promise<World> {
  const found = PROGRAMS.filter(
    (name) => existsSync(`${ARTIFACTS}/${name}.so`) && existsSync(`${ARTIFACTS}/${name}.json`),
  );
  const programs = found.map((name) => ({ id: idl(name).address, file: `${ARTIFACTS}/${name}.so` }));
  const net = await Localnet.start({ programs });
  const { unixTimestamp } = net.clock();
  net.warpSlots(START_SLOTS);
  net.setClock(unixTimestamp);
  const world: World = {
    net,
    connection: new Connection(net.url, { commitment: "confirmed", wsEndpoint: net.wsUrl }),
    mint: new PublicKey(net.usdcMint),
    decimals: 6,
    programs: new Set(found),
    agent: Keypair.generate(),
    seller: Keypair.generate(),
    operator: Keypair.generate(),
  };
  net.airdrop(world.operator.publicKey.toBase58(), OPERATOR_LAMPORTS);
  net.mintUsdc(world.agent.publicKey.toBase58(), tokens);
  // Only their token accounts: the seller's is where it is paid, the treasury's gets rounding remainders.
  net.mintUsdc(world.seller.publicKey.toBase58(), 0n);
  net.mintUsdc(TREASURY.toBase58(), 0n);
  return world;
}

/** @throws {Error} when the artifacts of one of these are missing. */
export function requirePrograms(world: World, ...names: readonly (typeof PROGRAMS)[number][]): void {
  const missing = names.find((name) => !world.programs.has(name));
  if (missing !== undefined) throw new Error(`the artifacts of ${missing} are missing: \`make build\` makes them`);
}

/** A program's IDL. */
export function idl(name: (typeof PROGRAMS)[number]): Idl {
  return JSON.parse(readFileSync(`${ARTIFACTS}/${name}.json`, "utf8")) as Idl;
}
