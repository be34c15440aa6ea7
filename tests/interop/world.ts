// One embedded chain with wallets, a server of ours on it, and what the money did.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Localnet, USDC_MINT } from "@mppsol/localnet";
import { SESSION_PROGRAM_ID } from "@mppsol/programs";
import { createPayments, memoryStore, type Payments, type PaymentsOptions } from "@mppsol/server";
import { getAssociatedTokenAddressSync } from "@solana/spl-token";
import { Connection, Keypair, PublicKey } from "@solana/web3.js";

export const SECRET = "interop secret of at least thirty-two bytes";
export const ARTIFACTS = process.env.MPPSOL_ARTIFACTS ?? "artifacts";

export interface World {
  readonly chain: Localnet;
  readonly connection: Connection;
  readonly payer: Keypair;
  readonly seller: Keypair;
  readonly sponsor: Keypair;
}

/** A payer with SOL and USDC, a seller with a token account, a sponsor with SOL. */
export async function createWorld(slotTime: number | "manual" = 50): Promise<World> {
  const programs = [{ id: SESSION_PROGRAM_ID.toBase58(), file: `${ARTIFACTS}/mppsol_session.so` }];
  const chain = await Localnet.start({ slotTime, programs });
  const [payer, seller, sponsor] = [Keypair.generate(), Keypair.generate(), Keypair.generate()];
  const connection = new Connection(chain.url, "confirmed");
  for (const key of [payer, seller, sponsor]) await airdrop(connection, key.publicKey);
  chain.mintUsdc(payer.publicKey.toBase58(), 100_000_000n);
  chain.mintUsdc(seller.publicKey.toBase58(), 1n);
  return { chain, connection, payer, seller, sponsor };
}

async function airdrop(connection: Connection, to: PublicKey): Promise<void> {
  const signature = await connection.requestAirdrop(to, 10_000_000_000);
  const latest = await connection.getLatestBlockhash();
  await connection.confirmTransaction({ signature, ...latest });
}

/** USDC base units of an owner. */
export async function usdc({ connection }: World, owner: PublicKey): Promise<bigint> {
  const address = getAssociatedTokenAddressSync(new PublicKey(USDC_MINT), owner, true);
  const account = await connection.getAccountInfo(address);
  return account === null ? 0n : account.data.readBigUInt64LE(64);
}

/** Payments for the world's seller. */
export function paymentsFor(world: World, options: Partial<PaymentsOptions> = {}): Payments {
  return createPayments({
    recipient: world.seller.publicKey,
    network: "localnet",
    rpc: world.chain.url,
    store: memoryStore(),
    secret: SECRET,
    closer: world.seller,
    ...options,
  });
}

export interface Listening {
  readonly url: string;
  readonly server: Server;
  close(): Promise<void>;
}

/** Serves a fetch-style handler on a free port of loopback. */
export async function listen(handler: (request: Request) => Promise<Response>): Promise<Listening> {
  const server = createServer((incoming, outgoing) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of incoming) chunks.push(chunk as Buffer);
      const body = Buffer.concat(chunks);
      const { port } = server.address() as AddressInfo;
      const request = new Request(`http://127.0.0.1:${port}${incoming.url}`, {
        method: incoming.method ?? "GET",
        headers: Object.entries(incoming.headers).map(([name, value]) => [name, String(value)] as [string, string]),
        ...(body.length > 0 ? { body } : {}),
      });
      const response = await handler(request);
      outgoing.writeHead(response.status, [...response.headers].flat());
      outgoing.end(Buffer.from(await response.arrayBuffer()));
    })().catch((error: unknown) => {
      outgoing.writeHead(500).end(String(error));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    server,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
