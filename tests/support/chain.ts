// The chain under test: the embedded one, or whatever ANCHOR_PROVIDER_URL names. One for all test files.
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { fileURLToPath } from "node:url";
import { isLocalnet, Localnet } from "@mppsol/localnet";
import {
  type AddressLookupTableAccount,
  Connection,
  Keypair,
  PublicKey,
  SYSVAR_CLOCK_PUBKEY,
  type TransactionInstruction,
  TransactionMessage,
  VersionedTransaction,
  type VersionedTransactionResponse,
} from "@solana/web3.js";
import bs58 from "bs58";
import { PROXY_ID } from "./proxy.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const ARTIFACTS = process.env.MPPSOL_ARTIFACTS ?? `${ROOT}/artifacts`;
const PACKET_BYTES = 1_232;

/** What came of one transaction that landed. */
export interface Landed {
  readonly signature: string;
  readonly logs: readonly string[];
  /** Compute units of the whole transaction. */
  readonly units: number;
  /** Serialized transaction. */
  readonly bytes: number;
  /** As the RPC gives it; null when it succeeded. */
  readonly err: unknown;
  /** Data of the instructions that programs called on themselves, which is where events are. */
  readonly inner: readonly { programId: string; data: Uint8Array }[];
}

export interface SendOptions {
  readonly lookupTables?: readonly AddressLookupTableAccount[];
}

/** One chain, with what the tests need of it beyond JSON-RPC. */
export class Chain {
  readonly connection: Connection;
  /** Pays every fee. */
  readonly payer: Keypair;
  /** Whether time and slots can be set. On a real cluster they can only be waited for. */
  readonly isLocalnet: boolean;

  constructor(connection: Connection, payer: Keypair, local: boolean) {
    this.connection = connection;
    this.payer = payer;
    this.isLocalnet = local;
  }

  /** Unix seconds of the Clock sysvar, which is what programs see. */
  async now(): Promise<number> {
    return Number((await this.#clock()).getBigInt64(32, true));
  }

  /** Slot of the Clock sysvar. */
  async slot(): Promise<bigint> {
    return (await this.#clock()).getBigUint64(0, true);
  }

  async #clock(): Promise<DataView> {
    const account = await this.connection.getAccountInfo(SYSVAR_CLOCK_PUBKEY, "confirmed");
    if (account === null) throw new Error("the cluster has no clock");
    return new DataView(account.data.buffer, account.data.byteOffset, account.data.byteLength);
  }

  /** Lets at least `seconds` pass on the chain. */
  async advance(seconds: number): Promise<void> {
    if (this.isLocalnet) {
      await this.cheat("mppsol_advanceSeconds", seconds);
      return;
    }
    const until = (await this.now()) + seconds;
    while ((await this.now()) < until) await sleep(200);
  }

  /** Goes on until the chain is in `slot` or later. */
  async reachSlot(slot: bigint): Promise<void> {
    const missing = slot - (await this.slot());
    if (missing <= 0n) return;
    if (this.isLocalnet) await this.cheat("mppsol_warpSlots", Number(missing));
    else while ((await this.slot()) < slot) await sleep(100);
  }

  /** Calls a method that only localnet has. */
  async cheat(method: string, ...params: unknown[]): Promise<unknown> {
    const response = await fetch(this.connection.rpcEndpoint, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
    });
    const { result, error } = (await response.json()) as { result?: unknown; error?: { message: string } };
    if (error) throw new Error(`${method}: ${error.message}`);
    return result;
  }

  /** Sends a transaction without preflight and waits until it has landed, failed or not. */
  async send(
    instructions: readonly TransactionInstruction[],
    signers: readonly Keypair[] = [],
    options: SendOptions = {},
  ): Promise<Landed> {
    const { blockhash } = await this.connection.getLatestBlockhash("confirmed");
    const message = new TransactionMessage({
      payerKey: this.payer.publicKey,
      recentBlockhash: blockhash,
      instructions: [...instructions],
    }).compileToV0Message([...(options.lookupTables ?? [])]);
    const transaction = new VersionedTransaction(message);
    const needed = new Set(
      message.staticAccountKeys.slice(0, message.header.numRequiredSignatures).map((key) => key.toBase58()),
    );
    const keys = [this.payer, ...signers];
    transaction.sign(
      keys.filter(
        (key, at) =>
          needed.has(key.publicKey.toBase58()) && keys.findIndex((k) => k.publicKey.equals(key.publicKey)) === at,
      ),
    );
    const wire = transaction.serialize();
    if (wire.length > PACKET_BYTES) throw new Error(`the transaction has ${wire.length} bytes of ${PACKET_BYTES}`);
    const signature = await this.connection.sendRawTransaction(wire, { skipPreflight: true });
    return this.#landed(signature, wire.length);
  }

  /** A transaction that landed, as the RPC gives it. */
  async transaction({ signature }: Landed): Promise<VersionedTransactionResponse> {
    const found = await this.connection.getTransaction(signature, {
      commitment: "confirmed",
      maxSupportedTransactionVersion: 0,
    });
    if (found === null) throw new Error(`${signature} is not there`);
    return found;
  }

  async #landed(signature: string, bytes: number): Promise<Landed> {
    for (let tries = 0; tries < 600; tries++) {
      const found = await this.connection.getTransaction(signature, {
        commitment: "confirmed",
        maxSupportedTransactionVersion: 0,
      });
      if (found?.meta) {
        const keys = found.transaction.message.getAccountKeys({
          accountKeysFromLookups: found.meta.loadedAddresses ?? null,
        });
        const inner = (found.meta.innerInstructions ?? []).flatMap(({ instructions }) =>
          instructions.map(({ programIdIndex, data }) => ({
            programId: keys.get(programIdIndex)?.toBase58() ?? "",
            data: bs58.decode(data),
          })),
        );
        return {
          signature,
          bytes,
          inner,
          logs: found.meta.logMessages ?? [],
          units: found.meta.computeUnitsConsumed ?? 0,
          err: found.meta.err,
        };
      }
      await sleep(this.isLocalnet ? 5 : 100);
    }
    throw new Error(`${signature} has not landed`);
  }
}

export const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

/** The artifacts that the embedded chain runs. */
export const artifact = (name: string): string => `${ARTIFACTS}/${name}`;

async function start(): Promise<Chain> {
  const url = process.env.ANCHOR_PROVIDER_URL;
  if (url) {
    const connection = new Connection(url, "confirmed");
    const local = await isLocalnet(connection);
    return new Chain(connection, await wallet(connection), local);
  }
  const programs = ["mppsol_session", "mppsol_cpi", "paid_oracle"]
    .map((name) => ({ idl: artifact(`${name}.json`), file: artifact(`${name}.so`) }))
    .filter(({ idl, file }) => existsSync(idl) && existsSync(file))
    .map(({ idl, file }) => ({ id: (JSON.parse(readFileSync(idl, "utf8")) as { address: string }).address, file }));
  programs.push({ id: PROXY_ID.toBase58(), file: artifact("test_proxy.so") });
  const net = await Localnet.start({ programs, slotTime: "manual" });
  // Past the first window, so that channels can be opened with a slot of the past.
  net.warpSlots(2_000);
  const connection = new Connection(net.url, { commitment: "confirmed", wsEndpoint: net.wsUrl });
  return new Chain(connection, Keypair.fromSecretKey(net.payer.secretKey), true);
}

/** The wallet that `anchor test` names, or a new one with an airdrop. */
async function wallet(connection: Connection): Promise<Keypair> {
  const path = (process.env.ANCHOR_WALLET ?? "").replace(/^~/, homedir());
  const key =
    path && existsSync(path)
      ? Keypair.fromSecretKey(Uint8Array.from(JSON.parse(readFileSync(path, "utf8")) as number[]))
      : Keypair.generate();
  if ((await connection.getBalance(key.publicKey)) < 100e9) {
    const signature = await connection.requestAirdrop(key.publicKey, 1_000e9);
    for (let tries = 0; tries < 300; tries++) {
      const { value } = await connection.getSignatureStatuses([signature]);
      if (value[0]?.confirmationStatus === "confirmed" || value[0]?.confirmationStatus === "finalized") break;
      await sleep(100);
    }
  }
  return key;
}

/**
 * For tests that set what a real cluster does not let anybody set: the clock, the slot, an account. There the test is
 * reported as pending.
 */
export function localnetOnly(test: Mocha.Context): void {
  if (!chain.isLocalnet) test.skip();
}

/** The chain that all tests share. */
export const chain: Chain = await start();
export const programId = (name: string): PublicKey =>
  new PublicKey((JSON.parse(readFileSync(artifact(`${name}.json`), "utf8")) as { address: string }).address);
