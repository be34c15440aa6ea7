// Which cluster a command talks to, and where its RPC is.
import { InvalidFieldError, Network } from "@mppsol/core";
import { USDC_MINT } from "@mppsol/localnet";
import { Connection } from "@solana/web3.js";
import { usage } from "./exit.js";

export interface Cluster {
  readonly network: Network.Network;
  readonly url: string;
  readonly connection: Connection;
}

const URLS: Readonly<Record<Network.Network, string>> = {
  mainnet: "https://api.mainnet-beta.solana.com",
  devnet: "https://api.devnet.solana.com",
  localnet: "http://127.0.0.1:8899",
};

/** USDC on each network (Circle's mints; on localnet the mint that @mppsol/localnet makes). */
export const USDC: Readonly<Record<Network.Network, string>> = {
  mainnet: "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",
  devnet: "4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU",
  localnet: USDC_MINT,
};

/** @throws {CliError} for an unknown network or something that is no URL. */
export function cluster(options: { network?: string; rpc?: string }): Cluster {
  const network = readNetwork(options.network ?? process.env.MPPSOL_NETWORK ?? "localnet");
  const url = options.rpc ?? process.env.MPPSOL_RPC ?? URLS[network];
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) throw usage(`--rpc: ${url} is not an http(s) URL`);
  return { network, url, connection: new Connection(url, "confirmed") };
}

function readNetwork(text: string): Network.Network {
  try {
    return Network.parse(text, "--network");
  } catch (error) {
    if (error instanceof InvalidFieldError) throw usage(error.message);
    throw error;
  }
}
