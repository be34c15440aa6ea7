// A chain in a process of its own, the service's keys on it, and whoever buys and sells there.
import { decodeChannel, type ChannelState as OnChain } from "@mppsol/programs";
import { Connection, Keypair, PublicKey } from "@solana/web3.js";
import { ata } from "../charge/market.ts";
import type { Keys } from "../support.ts";
import { Child } from "./Child.ts";
import type { Settings } from "./messages.ts";

/** Signatures in one question. */
const STATUSES = 256;

export class Town {
  readonly chain: Child;
  readonly connection: Connection;
  readonly keys: Keys;

  private constructor(chain: Child, keys: Keys) {
    this.chain = chain;
    this.connection = new Connection(chain.url, "confirmed");
    this.keys = keys;
  }

  static async start(slotMs: number): Promise<Town> {
    const [one, two, settlement, operator] = Array.from({ length: 4 }, () => Keypair.generate());
    const town = new Town(await Child.chain(slotMs), {
      feePayers: [one!, two!],
      settlement: settlement!,
      operator: operator!,
    });
    for (const key of [one!, two!, settlement!]) await town.airdrop(key, 1_000_000_000_000n);
    // Until what they have is confirmed.
    for (const key of [one!, two!, settlement!]) {
      while ((await town.connection.getBalance(key.publicKey)) === 0) await pause(slotMs / 4);
    }
    return town;
  }

  close(): Promise<void> {
    return this.chain.kill();
  }

  settings(more: Omit<Settings, "rpcUrl" | "feePayers" | "settlement" | "operator">): Settings {
    const { feePayers, settlement, operator } = this.keys;
    return {
      rpcUrl: this.chain.url,
      feePayers: [secretOf(feePayers[0]), secretOf(feePayers[1])],
      settlement: secretOf(settlement),
      operator: secretOf(operator),
      ...more,
    };
  }

  /** Keys with so much USDC each; their accounts are there when it resolves, and confirmed a slot later. */
  async people(count: number, usdc: bigint): Promise<Keypair[]> {
    const keys = Array.from({ length: count }, () => Keypair.generate());
    for (const key of keys) await this.#cheat("mppsol_mintUsdc", [key.publicKey.toBase58(), String(usdc)]);
    const last = keys.at(-1);
    while (last !== undefined && (await this.connection.getAccountInfo(ata(last.publicKey))) === null) await pause(20);
    return keys;
  }

  async airdrop({ publicKey }: Keypair, lamports: bigint): Promise<void> {
    await this.#cheat("requestAirdrop", [publicKey.toBase58(), Number(lamports)]);
  }

  /** Base units; 0 without an account. */
  async tokens({ publicKey }: { readonly publicKey: PublicKey }): Promise<bigint> {
    const account = await this.connection.getAccountInfo(ata(publicKey));
    return account === null ? 0n : account.data.readBigUInt64LE(64);
  }

  async channel(id: string): Promise<OnChain | undefined> {
    const account = await this.connection.getAccountInfo(new PublicKey(id));
    return account === null ? undefined : decodeChannel(account.data);
  }

  /** Those of the signatures that have landed without an error. */
  async landed(signatures: readonly string[]): Promise<Set<string>> {
    const landed = new Set<string>();
    for (let at = 0; at < signatures.length; at += STATUSES) {
      const asked = signatures.slice(at, at + STATUSES);
      const { value } = await this.connection.getSignatureStatuses(asked, { searchTransactionHistory: true });
      value.forEach((status, index) => {
        if (status?.err === null) landed.add(asked[index]!);
      });
    }
    return landed;
  }

  async #cheat(method: string, params: readonly unknown[]): Promise<void> {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
    const headers = { "content-type": "application/json" };
    const reply = (await (await fetch(this.chain.url, { method: "POST", headers, body })).json()) as {
      error?: unknown;
    };
    if (reply.error !== undefined) throw new Error(`${method}: ${JSON.stringify(reply.error)}`);
  }
}

function secretOf({ secretKey }: Keypair): number[] {
  return [...secretKey];
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
