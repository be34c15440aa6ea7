// `mppsol-facilitator`: starts the service and says where it is.

import { type AddressInfo, createServer } from "node:net";
import { Signer } from "@mppsol/core";
import { signerAddress } from "@mppsol/server/parts";
import { Keypair, type PublicKey } from "@solana/web3.js";
import { generatedKey } from "../config/keys.js";
import { type ReadConfig, readConfig } from "../config/readConfig.js";
import type { Environment } from "../config/variables.js";
import type { Config } from "../config.js";
import { forget, fund, startChain } from "../embedded/chain.js";
import { curlOf, demoCharge } from "../embedded/demo.js";
import { createFacilitator } from "../service.js";

export interface Served {
  readonly url: string;
  close(): Promise<void>;
}

type Print = (line: string) => void;

/** Base units that the demo buyer starts with: 1,000 USDC. */
const DEMO_USDC = 1_000_000_000n;

/** @throws {ConfigurationError} and what `createFacilitator` throws. */
export async function serve(environment: Environment, print: Print): Promise<Served> {
  const read = readConfig(environment);
  return read.embedded ? serveEmbedded(read, print) : serveConfigured(read, print);
}

async function serveConfigured({ config: asked, generated, dataDir }: ReadConfig, print: Print): Promise<Served> {
  const config = await withPort(asked);
  const facilitator = await createFacilitator(config);
  const url = await facilitator.listen().catch(async (error: unknown) => {
    await facilitator.close();
    throw error;
  });
  if (generated.length > 0) print(`made for development, in ${dataDir}/keys: ${generated.join(", ")}`);
  print(`mppsol-facilitator on ${config.network} at ${url} (${config.publicUrl})`);
  describeKeys(config, print);
  return { url, close: () => facilitator.close() };
}

async function serveEmbedded({ config, dataDir, artifactsDir }: ReadConfig, print: Print): Promise<Served> {
  const net = await startChain(artifactsDir);
  try {
    const embedded = await withPort({ ...config, rpcUrls: [net.url] });
    fund(net, embedded);
    const buyer = generatedKey(dataDir, "demo-buyer");
    const seller = demoSeller();
    net.mintUsdc(buyer.publicKey.toBase58(), DEMO_USDC);
    net.mintUsdc(seller.toBase58(), 0n);
    await forget(config.databaseDir!);
    const facilitator = await createFacilitator(embedded);
    try {
      const url = await facilitator.listen();
      print(
        `mppsol-facilitator at ${url}, with a chain of its own (RPC ${net.url}) that ends with it; see ${url}/reference`,
      );
      describeKeys(embedded, print);
      print(`  demo buyer   ${buyer.publicKey} (1,000 USDC, no SOL)`);
      print(`  demo seller  ${seller}`);
      print("");
      print(
        "This settles a real charge, once, within two minutes (later: npx mppsol-facilitator demo-charge --print):",
      );
      print("");
      print(curlOf(url, await demoCharge(url, buyer, seller)));
      print("");
      return {
        url,
        async close() {
          await facilitator.close();
          await net.close();
        },
      };
    } catch (error) {
      await facilitator.close();
      throw error;
    }
  } catch (error) {
    await net.close();
    throw error;
  }
}

/** A port in the place of 0: clients are told where they are before anybody listens. */
async function withPort(config: Config): Promise<Config> {
  if (config.port !== 0) return config;
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, config.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return { ...config, port, publicUrl: config.publicUrl.replace(/:0$/, `:${port}`) };
}

function describeKeys({ feePayers, settlementKey, operatorKey }: Config, print: Print): void {
  for (const signer of feePayers) print(`  fee payer    ${signerAddress(signer)}`);
  print(`  settlement   ${signerAddress(settlementKey)}`);
  print(`  operator     ${Signer.address(operatorKey)}`);
}

/** Whoever is paid in the demo. Nobody needs its key: it is a name. */
export function demoSeller(): PublicKey {
  return Keypair.fromSeed(Buffer.alloc(32, "mppsol-facilitator demo seller")).publicKey;
}
