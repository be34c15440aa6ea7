// `mppsol-facilitator`: starts the service and says where it is.
import { type AddressInfo, createServer } from "node:net";
import { Signer } from "@mppsol/core";
import { signerAddress } from "@mppsol/server/parts";
import { Keypair, type PublicKey } from "@solana/web3.js";
import { generatedKey } from "../config/keys.js";
import { spelled } from "../config/network.js";
import { type ReadConfig, readConfig } from "../config/readConfig.js";
import type { Environment } from "../config/variables.js";
import type { Config } from "../config.js";
import { forget, fund, startChain } from "../embedded/chain.js";
import { curlOf, demoCharge } from "../embedded/demo.js";
import { tellsEverybody } from "../ops/admin.js";
import { createFacilitator, type Facilitator } from "../service.js";
import { findFaults, findLocalFaults } from "./faults.js";
import { explained, StartError } from "./StartError.js";

export interface Served {
  readonly url: string;
  /** Nothing is to be said of its end. */
  readonly isSilent: boolean;
  close(): Promise<void>;
}

type Print = (line: string) => void;

interface Says {
  readonly print: Print;
  /** What is no reason not to start. */
  readonly warn: Print;
}

/** Base units that the demo buyer starts with: 1,000 USDC. */
const DEMO_USDC = 1_000_000_000n;

/** @throws {ConfigurationError} {StartError} and what `createFacilitator` throws. */
export async function serve(environment: Environment, { print, warn }: Says): Promise<Served> {
  const read = readConfig(environment);
  for (const { variable, problem } of read.doubtful) warn(`${variable} ${problem}`);
  const faults = await (read.embedded ? findLocalFaults(read.config) : findFaults(read.config));
  if (faults.some(({ stops }) => stops)) throw new StartError(faults.map(({ text }) => text));
  for (const { text } of faults) warn(text);
  try {
    return await (read.embedded ? serveEmbedded(read, print) : serveConfigured(read, print));
  } catch (error) {
    throw explained(error, read.config, read.dataDir);
  }
}

async function serveConfigured({ config: asked, generated, dataDir }: ReadConfig, print: Print): Promise<Served> {
  const config = await withPort(asked);
  const facilitator = await createFacilitator(config);
  const url = await facilitator.listen().catch(async (error: unknown) => {
    await facilitator.close();
    throw error;
  });
  if (generated.length > 0) print(`made for development, in ${dataDir}/keys: ${generated.join(", ")}`);
  print(`mppsol-facilitator on ${spelled(config.network)} at ${url} (${config.publicUrl})`);
  describeKeys(config, print);
  describeMetrics(facilitator, url, print);
  return { url, isSilent: config.logLevel === "silent", close: () => facilitator.close() };
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
      describeMetrics(facilitator, url, print);
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
        isSilent: config.logLevel === "silent",
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

function describeMetrics({ admin, context }: Facilitator, url: string, print: Print): void {
  const address = admin?.server.address();
  if (address !== null && typeof address === "object") {
    const host = address.family === "IPv6" ? `[${address.address}]` : address.address;
    print(`  metrics      http://${host}:${address.port}/metrics`);
  } else if (tellsEverybody(context.config)) print(`  metrics      ${url}/metrics`);
  else print("  metrics      nowhere; ADMIN_PORT=… gives them a port of their own");
}

/** Whoever is paid in the demo. Nobody needs its key: it is a name. */
export function demoSeller(): PublicKey {
  return Keypair.fromSeed(Buffer.alloc(32, "mppsol-facilitator demo seller")).publicKey;
}
