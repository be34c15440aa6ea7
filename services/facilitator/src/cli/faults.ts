// What is wrong with what the configuration names: ports, nodes, database, Redis, balances. A line each, which says what to do.
import { createServer } from "node:net";
import { checkCluster, Postgres, type Rpc, RpcError, signerAddress, WrongClusterError } from "@mppsol/server/parts";
import { Redis } from "ioredis";
import { spelled } from "../config/network.js";
import type { Config } from "../config.js";
import { FLOOR_LAMPORTS } from "../floor.js";
import { nodesOf } from "../ops/Nodes.js";
import { databaseText, isAway, listenText, type Place, redisText } from "./texts.js";

export interface Fault {
  readonly text: string;
  /** The service does not start with it; with others it does, and makes do. */
  readonly stops: boolean;
}

/** What is wrong with what this machine has to offer: all that there is to be found where the chain is in the process. */
export async function findLocalFaults(config: Config): Promise<Fault[]> {
  const found = await Promise.all([...placesOf(config).map(portFault), redisFault(config)]);
  return found.filter((fault) => fault !== undefined);
}

/** The same, and what is wrong with nodes, database and balances. */
export async function findFaults(config: Config): Promise<Fault[]> {
  const [local, chain, database] = await Promise.all([
    findLocalFaults(config),
    chainFaults(config),
    databaseFault(config),
  ]);
  return [...chain, ...(database === undefined ? [] : [database]), ...local];
}

/** Where the service is to listen. */
export function placesOf({ host, port, admin }: Config): Place[] {
  const own = { host, port, hostVariable: "HOST", portVariable: "PORT" } as const;
  return admin === undefined ? [own] : [own, { ...admin, hostVariable: "ADMIN_HOST", portVariable: "ADMIN_PORT" }];
}

async function portFault(place: Place): Promise<Fault | undefined> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(place.port, place.host, resolve);
    });
    return undefined;
  } catch (error) {
    return stopping(listenText(error, place));
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

/** One sound node is enough to start with, unless another is of another cluster. */
async function chainFaults({ rpcUrls, network, feePayers }: Config): Promise<Fault[]> {
  const nodes = nodesOf(rpcUrls);
  const states = await Promise.all(
    nodes.map(async ({ name, rpc }) => ({ rpc, ...(await nodeState(name, rpc, network)) })),
  );
  const sound = states.find(({ text }) => text === undefined);
  const faults = states.flatMap(({ text, isWrong }) =>
    text === undefined ? [] : [{ text, stops: isWrong || sound === undefined }],
  );
  if (sound === undefined) return faults;
  return [
    ...faults,
    ...(await balanceFaults(
      feePayers.map((signer) => signerAddress(signer)),
      sound.rpc,
      network,
    )),
  ];
}

async function nodeState(
  name: string,
  rpc: Rpc,
  network: Config["network"],
): Promise<{ readonly text?: string; readonly isWrong: boolean }> {
  try {
    await checkCluster(rpc, network);
    return { isWrong: false };
  } catch (error) {
    if (error instanceof WrongClusterError) {
      const text = `RPC_URLS: ${name}: ${spelled(error.message)}; MPPSOL_NETWORK says which it should be`;
      return { text, isWrong: true };
    }
    const instead = network === "localnet" ? "; npx mppsol-localnet starts one" : "";
    return { text: `RPC_URLS: ${name} does not answer: is it up, and the URL right?${instead}`, isWrong: false };
  }
}

/** With nothing in any of them nothing can be settled: they were never funded. Less than is needed can be added at any time. */
async function balanceFaults(addresses: readonly string[], rpc: Rpc, network: Config["network"]): Promise<Fault[]> {
  const balances = await Promise.all(
    addresses.map((address) =>
      rpc.balance(address).catch((error: unknown) => {
        if (error instanceof RpcError) return undefined;
        throw error;
      }),
    ),
  );
  const stops = balances.every((lamports) => lamports === 0n);
  const where = network === "devnet" ? "devnet" : "<node>";
  return addresses.flatMap((address, at) => {
    const lamports = balances[at];
    if (lamports === undefined || lamports >= FLOOR_LAMPORTS) return [];
    const how = network === "mainnet" ? "" : `, as by: solana airdrop 1 ${address} --url ${where}`;
    return [{ text: `FEE_PAYER_KEYS: ${address} has ${lamports} lamports: send it 0.006 SOL or more${how}`, stops }];
  });
}

async function databaseFault({ databaseUrl }: Config): Promise<Fault | undefined> {
  if (databaseUrl === undefined) return undefined;
  const database = new Postgres({ connectionString: databaseUrl, connections: 2, timeoutMs: 5_000 });
  try {
    await database.query({ name: "facilitator_check", text: "SELECT 1::text" }, []);
    return undefined;
  } catch (error) {
    return stopping(databaseText(error, databaseUrl));
  } finally {
    await database.close().catch(() => {});
  }
}

async function redisFault({ redisUrl }: Config): Promise<Fault | undefined> {
  if (redisUrl === undefined) return undefined;
  const redis = new Redis(redisUrl, {
    lazyConnect: true,
    maxRetriesPerRequest: 0,
    connectTimeout: 3_000,
    commandTimeout: 3_000,
    retryStrategy: () => null,
  });
  // What is thrown in the end says only that the connection is closed; this says why.
  let reason: unknown;
  redis.on("error", (error) => {
    reason ??= error;
  });
  try {
    await redis.connect();
    await redis.ping();
    return undefined;
  } catch (error) {
    const why = reason ?? error;
    // Requests are not counted while it is away, before start as after it; one that refuses us is not ours.
    return { text: redisText(why, redisUrl), stops: !isAway(why) };
  } finally {
    redis.disconnect();
  }
}

function stopping(text: string): Fault {
  return { text, stops: true };
}
