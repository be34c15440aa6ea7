// Localnet: a chain with its servers, and the cheats as methods.
import { readFileSync } from "node:fs";
import type { Connection, Keypair } from "@solana/web3.js";
import { fromBase58Exact } from "./chain/base58.js";
import { Chain } from "./chain/chain.js";
import { checkElf } from "./chain/elf.js";
import { airdrop } from "./chain/faucet.js";
import { createUsdc, fund } from "./chain/genesis.js";
import { type MintedUsdc, mintUsdc } from "./chain/usdc.js";
import { DEFAULT_SLOT_MS, USDC_MINT } from "./constants.js";
import { localKey } from "./keys.js";
import { answer } from "./rpc/dispatch.js";
import { methods } from "./rpc/methods.js";
import { createHttpServer } from "./server/http.js";
import { HOST, listenPair } from "./server/ports.js";
import { Subscriptions } from "./server/ws.js";

/** A program to load at start. */
export interface ProgramFile {
  /** Its address, base58. */
  readonly id: string;
  /** Path of its `.so`. */
  readonly file: string;
}

export interface LocalnetOptions {
  /** RPC port; the websocket listens on the next one. 0, the default, picks a free pair. */
  readonly port?: number;
  readonly programs?: readonly ProgramFile[];
  /** Milliseconds per slot (default 400), or `"manual"`: slots and the clock then move only when told to. */
  readonly slotTime?: number | "manual";
  /** How many keys `funded` holds, beside the payer. Default 3. */
  readonly fundedKeys?: number;
  /** Lamports that each of them starts with. Default 1,000 SOL. */
  readonly lamports?: bigint;
  /** Base units (6 decimals) of test USDC that each of them starts with. Default 0. */
  readonly usdc?: bigint;
  /** Transactions to remember. Default 100,000. */
  readonly history?: number;
}

/** Slot and unix seconds, as the Clock sysvar has them. */
export interface ClockTime {
  readonly slot: number;
  readonly unixTimestamp: number;
}

/** A running localnet. Everything it offers is on loopback and in memory. */
export class Localnet {
  /** URL of the JSON-RPC. */
  readonly url: string;
  /** URL of the websocket. */
  readonly wsUrl: string;
  /** Address of the test USDC mint, base58. */
  readonly usdcMint = USDC_MINT;
  /** A funded key, the same on every localnet. */
  readonly payer: Keypair;
  /** More funded keys, the same on every localnet. */
  readonly funded: readonly Keypair[];
  readonly #chain: Chain;
  readonly #close: () => Promise<void>;

  private constructor(chain: Chain, port: number, keys: readonly Keypair[], close: () => Promise<void>) {
    this.url = `http://${HOST}:${port}`;
    this.wsUrl = `ws://${HOST}:${port + 1}`;
    this.payer = keys[0]!;
    this.funded = keys.slice(1);
    this.#chain = chain;
    this.#close = close;
  }

  /** Starts a chain and its servers. Throws `LocalnetError` for a bad option or file, and when the port is taken. */
  static async start(options: LocalnetOptions = {}): Promise<Localnet> {
    const { port = 0, slotTime = DEFAULT_SLOT_MS, history = 100_000, fundedKeys = 3 } = options;
    check(Number.isInteger(port) && port >= 0 && port < 65_535, `port ${port} is not from 0 to 65534`);
    check(
      slotTime === "manual" || (Number.isInteger(slotTime) && slotTime >= 10 && slotTime <= 3_600_000),
      `slotTime ${slotTime} is neither "manual" nor from 10 to 3600000 ms`,
    );
    check(Number.isInteger(history) && history > 0, `history ${history} is not a whole number above 0`);
    check(
      Number.isInteger(fundedKeys) && fundedKeys >= 0 && fundedKeys <= 1000,
      `fundedKeys ${fundedKeys} is not from 0 to 1000`,
    );
    const programs = (options.programs ?? []).map(readProgram);
    const chain = new Chain({ slotTime, history });
    createUsdc(chain);
    for (const { id, elf } of programs) loadProgram(chain, id, elf);
    const keys = ["payer", ...Array.from({ length: fundedKeys }, (_, index) => `funded-${index + 1}`)].map(localKey);
    for (const key of keys) {
      fund(chain, key.publicKey.toBase58(), options.lamports ?? 1_000_000_000_000n);
      if (options.usdc) mintUsdc(chain, key.publicKey.toBase58(), options.usdc);
    }
    return serve(chain, port, keys, (...parts) => new Localnet(...parts));
  }

  /** Slot and time now. */
  clock(): ClockTime {
    return { slot: this.#chain.time.slot(), unixTimestamp: this.#chain.time.unixTime() };
  }

  /** Sets the clock in unix seconds. When slots go by time, the clock goes on from there. */
  setClock(unixSeconds: number): ClockTime {
    this.#chain.time.setClock(unixSeconds);
    return this.clock();
  }

  /** Moves the clock by whole seconds and begins one new slot. Blockhashes stay valid. */
  advanceSeconds(seconds: number): ClockTime {
    this.#chain.time.advanceSeconds(seconds);
    return this.clock();
  }

  /** Moves `slots` slots on, and the clock by their length. Blockhashes older than 150 slots expire. */
  warpSlots(slots: number): ClockTime {
    this.#chain.time.advanceSlots(slots, true);
    return this.clock();
  }

  /** Makes all blockhashes handed out so far invalid; returns the new one. */
  expireBlockhash(): string {
    return this.#chain.time.expireBlockhashes();
  }

  /** Overwrites an account; `owner` is base58. Throws `LocalnetError` for sysvars, programs and `executable: true`. */
  setAccount(
    address: string,
    account: { lamports: bigint; data: Uint8Array; owner: string; executable?: boolean },
  ): void {
    try {
      this.#chain.setAccount(address, { ...account, executable: account.executable ?? false });
    } catch (error) {
      throw new LocalnetError(`can't set account: ${error instanceof Error ? error.message : error}`);
    }
  }

  /** Gives `address` lamports; returns the signature of the transfer. */
  airdrop(address: string, lamports: bigint): string {
    return airdrop(this.#chain, address, lamports);
  }

  /** Mints base units (6 decimals) of test USDC to the owner's associated token account, creating it when missing. */
  mintUsdc(owner: string, amount: bigint): MintedUsdc {
    return mintUsdc(this.#chain, owner, amount);
  }

  /** Loads a program from its ELF bytes, or replaces it. */
  addProgram(id: string, elf: Uint8Array): void {
    loadProgram(this.#chain, id, elf);
  }

  /** Stops the timer and the servers, and cuts off all clients. */
  close(): Promise<void> {
    return this.#close();
  }
}

/** What was wrong with an option, in one line. */
export class LocalnetError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "LocalnetError";
  }
}

/** Whether this connection talks to a localnet, and so understands the `mppsol_` methods. */
export async function isLocalnet(connection: Pick<Connection, "getVersion">): Promise<boolean> {
  const version: object = await connection.getVersion();
  return "mppsol-localnet" in version;
}

function check(holds: boolean, otherwise: string): void {
  if (!holds) throw new LocalnetError(otherwise);
}

function checkProgramId(id: unknown): asserts id is string {
  check(typeof id === "string", "a program id must be base58 text: give PublicKey.toBase58(), not the key itself");
  check(fromBase58Exact(id as string, 32) !== undefined, `program id ${JSON.stringify(id)} is not an address`);
}

function readProgram({ id, file }: ProgramFile): { id: string; elf: Uint8Array } {
  checkProgramId(id);
  let elf: Buffer;
  try {
    elf = readFileSync(file);
  } catch (error) {
    throw new LocalnetError(`can't read program file ${file}: ${(error as NodeJS.ErrnoException).code ?? error}`);
  }
  const fault = checkElf(elf);
  check(fault === undefined, `program file ${file} ${fault}`);
  return { id, elf };
}

function loadProgram(chain: Chain, id: string, elf: Uint8Array): void {
  checkProgramId(id);
  const fault = checkElf(elf);
  check(fault === undefined, `program ${id} ${fault}`);
  try {
    chain.addProgram(id, elf);
  } catch (error) {
    throw new LocalnetError(`can't load program ${id}: ${error instanceof Error ? error.message : error}`);
  }
}

async function serve<T>(
  chain: Chain,
  port: number,
  keys: readonly Keypair[],
  build: (chain: Chain, port: number, keys: readonly Keypair[], close: () => Promise<void>) => T,
): Promise<T> {
  const rpc = createHttpServer((body) => answer(chain, methods, body));
  const ws = createHttpServer((body) => answer(chain, methods, body));
  let chosen: number;
  try {
    chosen = await listenPair(rpc, ws, port);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    throw new LocalnetError(
      code === "EADDRINUSE"
        ? `port ${port} or ${port + 1} is in use`
        : `can't listen on port ${port}: ${code ?? error}`,
    );
  }
  const subscriptions = new Subscriptions(chain, [rpc, ws]);
  chain.time.start();
  const close = async () => {
    chain.time.stop();
    await subscriptions.close();
    await Promise.all(
      [rpc, ws].map((server) => {
        const closed = new Promise<void>((resolve) => server.close(() => resolve()));
        server.closeAllConnections();
        return closed;
      }),
    );
  };
  return build(chain, chosen, keys, close);
}
