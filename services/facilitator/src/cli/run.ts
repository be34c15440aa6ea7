// The command line, without a process around it.
import { MppsolError } from "@mppsol/core";
import { LocalnetError } from "@mppsol/localnet";
import { ConfigurationError } from "../config/ConfigurationError.js";
import { generatedKey } from "../config/keys.js";
import { spelled } from "../config/network.js";
import { readConfig } from "../config/readConfig.js";
import type { Environment } from "../config/variables.js";
import { programFile } from "../embedded/chain.js";
import { curlOf, DemoError, demoCharge, post } from "../embedded/demo.js";
import { redacted } from "../ops/logging.js";
import { VERSION } from "../version.js";
import { HELP, readArguments, UsageError } from "./arguments.js";
import { closeAccounts } from "./closeAccounts.js";
import { findFaults, findLocalFaults } from "./faults.js";
import { demoSeller, type Served, serve } from "./serve.js";

export interface Streams {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

export type Outcome = { readonly exit: 0 | 1 | 2 } | { readonly served: Served };

/** Does what the arguments say. Nothing that it prints holds a key. */
export async function run(args: readonly string[], environment: Environment, { out, err }: Streams): Promise<Outcome> {
  const print = (line: string) => out(`${line}\n`);
  const warn = (line: string) => err(`mppsol-facilitator: warning: ${line}\n`);
  try {
    const command = readArguments(args);
    switch (command.kind) {
      case "help":
        out(HELP);
        return { exit: 0 };
      case "version":
        print(VERSION);
        return { exit: 0 };
      case "check":
        return { exit: await check(withPort(environment, command.port), print, warn) };
      case "demo-charge":
        await charge(environment, command.url.replace(/\/+$/, ""), command.print, print);
        return { exit: 0 };
      case "close-accounts":
        return { exit: await closeAccounts(environment, command, print) };
      case "serve":
        return { served: await serve(withPort(environment, command.port), { print, warn }) };
    }
  } catch (error) {
    err(`mppsol-facilitator: ${messageOf(error)}\n`);
    return { exit: error instanceof UsageError ? 2 : 1 };
  }
}

function withPort(environment: Environment, port: string | undefined): Environment {
  return port === undefined ? environment : { ...environment, PORT: port };
}

async function check(
  environment: Environment,
  print: (line: string) => void,
  warn: (line: string) => void,
): Promise<0 | 1> {
  const { config, generated, doubtful, embedded, dataDir, artifactsDir } = readConfig(environment);
  for (const { variable, problem } of doubtful) warn(`${variable} ${problem}`);
  if (generated.length > 0) print(`made for development, in ${dataDir}/keys: ${generated.join(", ")}`);
  if (embedded) programFile(artifactsDir);
  const faults = await (embedded ? findLocalFaults(config) : findFaults(config));
  for (const { text } of faults) print(text);
  if (faults.length === 0) print(`all is well: ${embedded ? "a chain in this process" : spelled(config.network)}`);
  return faults.length === 0 ? 0 : 1;
}

async function charge(
  environment: Environment,
  url: string,
  printOnly: boolean,
  print: (line: string) => void,
): Promise<void> {
  const { dataDir } = readConfig(environment);
  const body = await demoCharge(url, generatedKey(dataDir, "demo-buyer"), demoSeller());
  print(printOnly ? curlOf(url, body) : JSON.stringify(await post(`${url}/mpp/settle`, body), undefined, 2));
}

function messageOf(error: unknown): string {
  if (error instanceof UsageError) return `${error.message}\ntry mppsol-facilitator --help`;
  if (error instanceof ConfigurationError) return `it is not configured such that it can work\n${error.message}`;
  if (error instanceof MppsolError || error instanceof LocalnetError || error instanceof DemoError) {
    return redacted(error.message);
  }
  return redacted(error instanceof Error ? (error.stack ?? error.message) : String(error));
}
