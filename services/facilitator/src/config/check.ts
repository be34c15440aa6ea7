// Rules that every configuration keeps, wherever it comes from.
import { Base58, Signer } from "@mppsol/core";
import { localKey } from "@mppsol/localnet";
import { signerAddress } from "@mppsol/server/parts";
import type { Config } from "../config.js";
import { leastGrace } from "../session/Notices.js";
import { type ConfigProblem, ConfigurationError } from "./ConfigurationError.js";

/** Lamports of priority fee that no charge is worth more than. */
export const HIGHEST_PRIORITY = 20_000n;

/** Lamports of rent of a session, rounded up: of its channel and its escrow. */
const SESSION_RENT = 5_000_000n;

const LEAST_SECRET = 32;
const WHOLE_BPS = 10_000;

/** Labels of the keys that everybody has: those of @mppsol/localnet. */
const PUBLIC_KEYS = ["payer", "faucet", "identity", "usdc-authority", "usdc-mint", "funded-1", "funded-2", "funded-3"];

/** @throws {ConfigurationError} with all that is wrong. */
export function checkConfig(config: Config): void {
  const problems = problemsOf(config);
  if (problems.length > 0) throw new ConfigurationError(problems);
}

export function problemsOf(config: Config): ConfigProblem[] {
  return [...keyProblems(config.network, config), ...settingProblems(config)];
}

/** What is known of the keys; the others are missing, or cannot be read. */
export type SomeKeys = Partial<Pick<Config, "feePayers" | "settlementKey" | "operatorKey">>;

/** What is known besides the keys. */
export type Settings = Omit<Config, keyof SomeKeys | "secret"> & Partial<Pick<Config, "secret">>;

/** Roles of keys, and their addresses, base58. */
export function rolesOf({ feePayers, settlementKey, operatorKey }: SomeKeys) {
  return [
    ...(feePayers ?? []).map((signer) => ({ variable: "FEE_PAYER_KEYS", address: signerAddress(signer) })),
    ...(settlementKey === undefined ? [] : [{ variable: "SETTLEMENT_KEY", address: signerAddress(settlementKey) }]),
    ...(operatorKey === undefined ? [] : [{ variable: "OPERATOR_KEY", address: Signer.address(operatorKey) }]),
  ];
}

/** One key, one role: what steals one of them steals one thing. */
export function keyProblems(network: Config["network"], keys: SomeKeys): ConfigProblem[] {
  const roles = rolesOf(keys);
  const problems: ConfigProblem[] = [];
  roles.forEach(({ variable, address }, at) => {
    const before = roles.slice(0, at).find((role) => role.address === address);
    if (before !== undefined) {
      problems.push({
        variable,
        problem: `${address} is also in ${before.variable}: every role needs a key of its own`,
      });
    }
  });
  if (network === "localnet") return problems;
  const known = new Set(PUBLIC_KEYS.map((label) => localKey(label).publicKey.toBase58()));
  for (const { variable, address } of roles.filter(({ address }) => known.has(address))) {
    problems.push({ variable, problem: `${address} is a key of @mppsol/localnet that everybody has: make another` });
  }
  return problems;
}

export function settingProblems(settings: Settings): ConfigProblem[] {
  return [...limitProblems(settings), ...placeProblems(settings)];
}

function limitProblems(settings: Settings): ConfigProblem[] {
  const { maxPriorityLamports, feeBps, secret, mints, gracePeriodSeconds, noticeSeconds, sellers = [] } = settings;
  const problems: ConfigProblem[] = [];
  const demand = (holds: boolean, variable: string, problem: string) => {
    if (!holds) problems.push({ variable, problem });
  };
  demand(
    maxPriorityLamports >= 0n && maxPriorityLamports <= HIGHEST_PRIORITY,
    "MAX_PRIORITY_LAMPORTS",
    `must be from 0 to ${HIGHEST_PRIORITY}: whoever is sponsored decides how much of it is spent`,
  );
  demand(Number.isInteger(feeBps) && feeBps >= 0 && feeBps < WHOLE_BPS, "FEE_BPS", "must be from 0 to 9999");
  const enough = secret === undefined || secret.length >= LEAST_SECRET;
  demand(enough, "SECRET", `must have ${LEAST_SECRET} characters or more: openssl rand -hex 32`);
  demand(gracePeriodSeconds > 60, "GRACE_PERIOD_SECONDS", "must be more than 60: a voucher has to be cashed within it");
  const { sponsorRentLamports, sponsorRentLamportsPerSeller, maxOpenSessionsPerBuyer } = settings;
  demand(
    settings.sellers !== undefined || 2n * sponsorRentLamportsPerSeller <= sponsorRentLamports,
    "SPONSOR_RENT_LAMPORTS_PER_SELLER",
    "must be at most half of SPONSOR_RENT_LAMPORTS, unless SELLERS names who they are: one would take it all",
  );
  demand(
    sponsorRentLamports === 0n || 2n * BigInt(maxOpenSessionsPerBuyer) * SESSION_RENT <= sponsorRentLamports,
    "MAX_OPEN_SESSIONS_PER_BUYER",
    `must leave half of SPONSOR_RENT_LAMPORTS to others: a session takes ${SESSION_RENT} lamports`,
  );
  const least = leastGrace(noticeSeconds);
  demand(
    gracePeriodSeconds >= least,
    "GRACE_PERIOD_SECONDS",
    `must be ${least} or more with a notice of ${noticeSeconds} seconds, which a revocation must leave time for`,
  );
  for (const mint of mints) demand(isAddress(mint), "MINTS", "must be base58 addresses of mints, comma separated");
  for (const seller of sellers) demand(isAddress(seller), "SELLERS", "must be base58 addresses, comma separated");
  demand(new Set(mints).size === mints.length, "MINTS", "names a mint twice");
  return problems;
}

function placeProblems(settings: Settings): ConfigProblem[] {
  const { network, publicUrl, databaseUrl, databaseDir, host, port, admin, publicMetrics } = settings;
  const problems: ConfigProblem[] = [];
  if (admin !== undefined && admin.port !== 0 && admin.port === port && admin.host === host) {
    problems.push({
      variable: "ADMIN_PORT",
      problem: "must differ from PORT; to have all on one port, leave it out and say ALLOW_PUBLIC_METRICS=1",
    });
  }
  if (admin !== undefined && publicMetrics === true) {
    problems.push({ variable: "ALLOW_PUBLIC_METRICS", problem: "contradicts ADMIN_PORT: say one of them" });
  }
  if (network === "mainnet" && databaseUrl === undefined && databaseDir === undefined) {
    problems.push({ variable: "DATABASE_URL", problem: "is needed on mainnet-beta: memory forgets what was paid" });
  }
  const url = URL.canParse(publicUrl) ? new URL(publicUrl) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.search + url.hash !== "") {
    problems.push({ variable: "PUBLIC_URL", problem: "must be a URL as https://pay.example.com" });
  } else if (network === "mainnet" && url.protocol !== "https:") {
    problems.push({ variable: "PUBLIC_URL", problem: "must begin with https:// on mainnet-beta" });
  }
  return problems;
}

function isAddress(text: string): boolean {
  try {
    Base58.address(text);
    return true;
  } catch {
    return false;
  }
}
