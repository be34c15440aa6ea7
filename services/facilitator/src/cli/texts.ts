// What is said of errors of sockets, databases and files: which variable it is about, and what to do. Never a secret.
import { StoreError } from "@mppsol/server/parts";
import { redacted } from "../ops/logging.js";

/** An address to listen on, and the variables that it comes from. */
export interface Place {
  readonly host: string;
  readonly port: number;
  readonly hostVariable: "HOST" | "ADMIN_HOST";
  readonly portVariable: "PORT" | "ADMIN_PORT";
}

/** Why nobody can listen there. */
export function listenText(error: unknown, { host, port, hostVariable, portVariable }: Place): string {
  const flag = portVariable === "PORT" ? " or --port" : "";
  switch (codeOf(error)) {
    case "EADDRINUSE":
      return `${portVariable}: ${port} is taken on ${host}: stop what listens there, or choose another by ${portVariable}=…${flag}`;
    case "EACCES":
      return `${portVariable}: ${port} is not for everybody: choose one from 1024 by ${portVariable}=…${flag}`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `${hostVariable}: ${host} is no address of this machine; 127.0.0.1 is one`;
    default:
      return `${portVariable}: cannot listen on ${host}:${port}: ${messageOf(error)}`;
  }
}

/** Why Postgres does not do. */
export function databaseText(error: unknown, databaseUrl: string): string {
  const root = rootOf(error);
  const where = hostOf(databaseUrl);
  switch (codeOf(root)) {
    case "28P01":
    case "28000":
      return `DATABASE_URL: Postgres at ${where} refuses the user or the password`;
    case "3D000":
      return `DATABASE_URL: Postgres at ${where} has no such database: create it`;
    default:
      if (isAway(root)) {
        return `DATABASE_URL: no Postgres answers at ${where} (${codeOf(root) ?? "timeout"}): start it, or correct the URL`;
      }
      return `DATABASE_URL: ${messageOf(root)}`;
  }
}

/** Why Redis does not do. */
export function redisText(error: unknown, redisUrl: string): string {
  const where = hostOf(redisUrl);
  if (!isAway(error)) return `REDIS_URL: Redis at ${where} refuses: ${messageOf(error)}`;
  const instead = "start it, or leave REDIS_URL out, and each instance counts requests by itself";
  return `REDIS_URL: no Redis answers at ${where} (${codeOf(error) ?? "timeout"}): ${instead}`;
}

/** Why there is no database in that folder. */
export function folderText(error: unknown, dataDir: string): string {
  const inUse = messageOf(error).match(/is in use by process (\d+)/);
  if (inUse !== null) {
    const another = "stop it, or give this one a folder of its own by MPPSOL_DATA_DIR=…";
    return `MPPSOL_DATA_DIR: another instance (process ${inUse[1]}) uses ${dataDir}: ${another}`;
  }
  const code = codeOf(rootOf(error));
  if (code !== undefined && /^E[A-Z]+$/.test(code)) {
    return `MPPSOL_DATA_DIR: ${dataDir} cannot be used (${code}): choose another folder by MPPSOL_DATA_DIR=…`;
  }
  return `MPPSOL_DATA_DIR: ${messageOf(error)}`;
}

/** The error of the system behind that of a store. */
function rootOf(error: unknown): unknown {
  return error instanceof StoreError && error.cause instanceof Error ? error.cause : error;
}

export function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
}

/** Whether nobody is there, or nobody says anything. */
export function isAway(error: unknown): boolean {
  const code = codeOf(error);
  if (code !== undefined) return /^(E(?!RR_)[A-Z_]+|57P03)$/.test(code);
  return /timeout|timed out|terminated|Connection is closed/i.test(messageOf(error));
}

function messageOf(error: unknown): string {
  return redacted(error instanceof Error ? error.message : String(error));
}

function hostOf(url: string): string {
  const host = URL.canParse(url) ? new URL(url).host : "";
  return host === "" ? "its socket" : host;
}
