// `--check`: what is wrong with the configuration, and with what it names.
import { checkCluster, Postgres, type Rpc, RpcError, signerAddress, WrongClusterError } from "@mppsol/server/parts";
import { Redis } from "ioredis";
import type { Config } from "../config.js";
import { FLOOR_LAMPORTS } from "../ops/health.js";
import { describeError } from "../ops/logging.js";
import { nodesOf } from "../ops/Nodes.js";

/** What is wrong, a line each; nothing when all is well. */
export async function findFaults(config: Config): Promise<string[]> {
  const nodes = nodesOf(config.rpcUrls);
  const faults = await Promise.all([
    ...nodes.map(({ name, rpc }) => nodeFault(name, rpc, config.network)),
    databaseFault(config),
    redisFault(config),
    ...config.feePayers.map((signer) => balanceFault(signerAddress(signer), nodes[0]!.rpc)),
  ]);
  return faults.filter((fault) => fault !== undefined);
}

async function nodeFault(name: string, rpc: Rpc, network: Config["network"]): Promise<string | undefined> {
  try {
    await checkCluster(rpc, network);
    return undefined;
  } catch (error) {
    if (error instanceof WrongClusterError) return `RPC_URLS: ${name}: ${error.message}`;
    return `RPC_URLS: ${name} does not answer`;
  }
}

async function databaseFault({ databaseUrl }: Config): Promise<string | undefined> {
  if (databaseUrl === undefined) return undefined;
  const database = new Postgres({ connectionString: databaseUrl, connections: 2, timeoutMs: 5_000 });
  try {
    await database.query({ name: "facilitator_check", text: "SELECT 1::text" }, []);
    return undefined;
  } catch (error) {
    return `DATABASE_URL: ${describeError(error).message}`;
  } finally {
    await database.close().catch(() => {});
  }
}

async function redisFault({ redisUrl }: Config): Promise<string | undefined> {
  if (redisUrl === undefined) return undefined;
  const redis = new Redis(redisUrl, {
    lazyConnect: true,
    maxRetriesPerRequest: 0,
    connectTimeout: 3_000,
    retryStrategy: () => null,
  });
  redis.on("error", () => {});
  try {
    await redis.connect();
    await redis.ping();
    return undefined;
  } catch (error) {
    return `REDIS_URL: ${describeError(error).message}`;
  } finally {
    redis.disconnect();
  }
}

async function balanceFault(address: string, rpc: Rpc): Promise<string | undefined> {
  try {
    const lamports = await rpc.balance(address);
    if (lamports >= FLOOR_LAMPORTS) return undefined;
    return `FEE_PAYER_KEYS: ${address} has ${lamports} lamports: send it ${FLOOR_LAMPORTS} or more`;
  } catch (error) {
    if (error instanceof RpcError) return undefined;
    throw error;
  }
}
