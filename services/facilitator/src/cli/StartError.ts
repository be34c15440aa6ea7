// Why the service does not start, in words for whoever starts it.
import { MppsolError } from "@mppsol/core";
import { RpcError, StoreError, WrongClusterError } from "@mppsol/server/parts";
import { spelled } from "../config/network.js";
import type { Config } from "../config.js";
import { placesOf } from "./faults.js";
import { codeOf, databaseText, folderText, listenText } from "./texts.js";

export class StartError extends MppsolError {
  override readonly code = "start";

  /** @param lines each names a variable and says what to do. */
  constructor(lines: readonly string[], options?: ErrorOptions) {
    super(`it cannot start\n${lines.join("\n")}`, options);
  }
}

/** The error in such words, where it is one of those that are to be expected; else itself. */
export function explained(error: unknown, config: Config, dataDir: string): unknown {
  const text = textOf(error, config, dataDir);
  return text === undefined ? error : new StartError([text], { cause: error });
}

function textOf(error: unknown, config: Config, dataDir: string): string | undefined {
  if (error instanceof WrongClusterError) return `RPC_URLS: ${spelled(error.message)}`;
  if (error instanceof RpcError) return "RPC_URLS: no node answers any more: are they up?";
  if (error instanceof StoreError) {
    return config.databaseUrl === undefined ? folderText(error, dataDir) : databaseText(error, config.databaseUrl);
  }
  if (!/^(EADDR|EACCES|ENOTFOUND|EAI_)/.test(codeOf(error) ?? "")) return undefined;
  const places = placesOf(config);
  const place = places.find(({ port }) => port === (error as { port?: number }).port) ?? places[0]!;
  return listenText(error, place);
}
