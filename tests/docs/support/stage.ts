// What the snippets of the READMEs take for granted: a facilitator where they look for it, a seller, a buyer, and hosts.
import { mkdtempSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memoryStore } from "@mppsol/server";
import { createKeyPairSignerFromBytes } from "@solana/kit";
import { Keypair, type VersionedTransaction } from "@solana/web3.js";
import express from "express";
import { startFacilitator } from "../../facilitator/support.ts";

/** Where READMEs say that a facilitator listens, and so where wallets sign in to. */
const ADDRESS = "http://127.0.0.1:8402";

const running = await startFacilitator({ config: { publicUrl: ADDRESS } });
const folder = mkdtempSync(join(tmpdir(), "mppsol-snippets-"));
const buyer = running.person({ usdc: 10_000_000n });
const feePayer = Keypair.generate();
running.net.airdrop(feePayer.publicKey.toBase58(), 1_000_000_000n);

// What the README's own configuration is read from.
Object.assign(process.env, {
  ...{ MPPSOL_NETWORK: "localnet", RPC_URLS: running.net.url, PORT: "0", LOG_LEVEL: "silent", MPPSOL_DATA_DIR: folder },
});

export const recipient = running.person({ usdc: 1n }).publicKey.toBase58();
export const seller = recipient;
export const realm = "api.example.com";
export const secretKey = "a secret of the snippets, 32 bytes or more";
export const secret = secretKey;
export const store = memoryStore();
export const app = express();
export const signer = await createKeyPairSignerFromBytes(buyer.secretKey);
export const buyerWallet = buyer.publicKey.toBase58();
export const publicKey = feePayer.publicKey;
export const signTransaction = async (transaction: VersionedTransaction) => {
  transaction.sign([feePayer]);
  return transaction;
};

const shop = app.listen(0, "127.0.0.1");
await new Promise((listening) => shop.once("listening", listening));

type Handler = (request: Request) => Promise<Response>;
const platform = globalThis.fetch;
const to = (base: string): Handler => {
  return (request) => platform(new Request(request.url.replace(new URL(request.url).origin, base), request));
};
const hosts = new Map<string, Handler>([
  [ADDRESS, to(await running.facilitator.listen())],
  ["https://api.seller.com", to(`http://127.0.0.1:${(shop.address() as AddressInfo).port}`)],
]);

const staged: typeof fetch = (input, init) => {
  const request = new Request(input, { duplex: "half", ...init } as RequestInit);
  return (hosts.get(new URL(request.url).origin) ?? platform)(request);
};

/** Lets `handler` answer what is sent to an origin. */
export function serve(origin: string, handler: Handler): void {
  hosts.set(origin, handler);
}

/** The `fetch` that knows the hosts, in the place of whatever has taken it. */
export function restoreFetch(): void {
  globalThis.fetch = staged;
}

/** Throws unless they are the same, as JSON. */
export function same(actual: unknown, expected: unknown): void {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${a} instead of ${b}`);
}

export async function close(): Promise<void> {
  shop.closeAllConnections();
  shop.close();
  await running.close();
  rmSync(folder, { recursive: true });
}

restoreFetch();
