// The configuration of an environment. Whatever is wrong is said at once, of all variables, with what to do about it.
import { homedir } from "node:os";
import { join } from "node:path";
import { Network, type Signer } from "@mppsol/core";
import { USDC_MINT } from "@mppsol/localnet";
import { signMessage } from "@mppsol/programs";
import type { TransactionSigner } from "@mppsol/server/parts";
import type { Keypair } from "@solana/web3.js";
import { z } from "zod";
import type { Config } from "../config.js";
import { type ConfigProblem, ConfigurationError } from "./ConfigurationError.js";
import { HIGHEST_PRIORITY, keyProblems, problemsOf, rolesOf, type SomeKeys, settingProblems } from "./check.js";
import {
  generatedAddresses,
  generatedKey,
  generatedSecret,
  KeyError,
  type KeyName,
  parseKey,
  parseKeys,
  readKeyFile,
  readText,
} from "./keys.js";
import { spelled } from "./network.js";
import { slipsIn } from "./slips.js";
import { type Environment, flag, list, units, whole } from "./variables.js";

/** Signers in the place of keys in the environment, as of a KMS. */
export interface GivenSigners {
  readonly feePayers?: readonly [TransactionSigner, ...TransactionSigner[]];
  readonly settlementKey?: TransactionSigner;
  readonly operatorKey?: Signer.Signer;
}

export interface ReadConfig {
  readonly config: Config;
  /** What was made for development, because nobody gave it. */
  readonly generated: readonly string[];
  /** Variables that are set and not read, and look like ones that would be. */
  readonly doubtful: readonly ConfigProblem[];
  /** The chain is to be one in this process, at `rpcUrls` once it runs. */
  readonly embedded: boolean;
  readonly dataDir: string;
  /** Where the programs of a chain in this process are. */
  readonly artifactsDir: string | undefined;
}

const USDC: Readonly<Record<Network.Network, string>> = {
  mainnet: "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",
  devnet: "4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU",
  localnet: USDC_MINT,
};

/** What stands in `rpcUrls` until the chain in this process has one. */
const NOT_YET = "http://127.0.0.1/";

const WILDCARDS = new Set(["0.0.0.0", "::", "[::]", "0", ""]);

const MOST_COUNT = 1_000_000_000;

const SCHEMA = z.object({
  MPPSOL_NETWORK: z
    .enum(
      ["localnet", "devnet", "mainnet-beta", "mainnet"],
      "must be localnet, devnet or mainnet-beta (mainnet is the same)",
    )
    .default("localnet"),
  RPC_URLS: list
    .refine((urls) => urls.every(isHttpUrl), "must be http:// or https:// URLs, comma separated")
    .optional(),
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, "must begin with postgresql://")
    .optional(),
  DATABASE_CONNECTIONS: whole(2, 1_000).default(10),
  MPPSOL_DATA_DIR: z.string().default(() => join(homedir(), ".mppsol", "facilitator")),
  MPPSOL_ARTIFACTS: z.string().optional(),
  ALLOW_PGLITE_ON_MAINNET: flag.default(false),
  FEE_PAYER_KEYS: z.string().optional(),
  FEE_PAYER_KEY_FILES: list.optional(),
  SETTLEMENT_KEY: z.string().optional(),
  SETTLEMENT_KEY_FILE: z.string().optional(),
  OPERATOR_KEY: z.string().optional(),
  OPERATOR_KEY_FILE: z.string().optional(),
  SECRET: z.string().optional(),
  SECRET_FILE: z.string().optional(),
  MINTS: list.optional(),
  MAX_PRIORITY_LAMPORTS: units(0n, HIGHEST_PRIORITY).default(2_000n),
  GLOBAL_SETTLE_PER_MINUTE: whole(1, MOST_COUNT).default(600),
  SELLER_SETTLE_PER_MINUTE: whole(1, MOST_COUNT).default(120),
  SPONSOR_LAMPORTS_PER_DAY: units(0n).default(1_000_000_000n),
  SPONSOR_LAMPORTS_PER_DAY_PER_PAYER: units(0n).optional(),
  SPONSOR_LAMPORTS_PER_DAY_PER_SELLER: units(0n).default(200_000_000n),
  SPONSOR_RENT_LAMPORTS: units(0n).optional(),
  SPONSOR_RENT_LAMPORTS_PER_SELLER: units(0n).optional(),
  SPONSOR_ACCOUNTS_PER_DAY: whole(0, MOST_COUNT).default(0),
  MIN_CHARGE: units(0n).default(1_000n),
  SELLERS: list.optional(),
  MAX_OPEN_SESSIONS_PER_BUYER: whole(1, 10_000).optional(),
  MIN_DEPOSIT: units(1n).default(100_000n),
  FEE_BPS: whole(0, 9_999).default(0),
  GRACE_PERIOD_SECONDS: whole(61, 2_592_000).default(900),
  IDLE_TIMEOUT_SECONDS: whole(1, 2_592_000).default(600),
  MAX_SESSION_SECONDS: whole(60, 31_536_000).default(86_400),
  NOTICE_SECONDS: whole(0, 600).default(20),
  ONBOARD_ACCOUNTS_PER_DAY: whole(0, MOST_COUNT).optional(),
  ONBOARD_ACCOUNTS_PER_DAY_PER_CLIENT: whole(0, MOST_COUNT).optional(),
  ONBOARD_RENT_LAMPORTS: units(0n).optional(),
  RATE_LIMIT_PER_MINUTE: whole(1, MOST_COUNT).default(600),
  VOUCHER_LIMIT_PER_MINUTE: whole(1, MOST_COUNT).default(12_000),
  REDIS_URL: z
    .string()
    .regex(/^rediss?:\/\//, "must begin with redis:// or rediss://")
    .optional(),
  HOST: z.string().default("127.0.0.1"),
  ALLOW_PUBLIC_HOST: flag.default(false),
  PORT: whole(0, 65_535).default(8402),
  ADMIN_PORT: whole(0, 65_535).optional(),
  ADMIN_HOST: z.string().optional(),
  ALLOW_PUBLIC_METRICS: flag.optional(),
  PUBLIC_URL: z.string().optional(),
  TRUST_PROXY: whole(0, 10).default(0),
  LOG_LEVEL: z
    .enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"], "must be info, or another level of README.md")
    .optional(),
  DRAIN_SECONDS: whole(0, 300).default(0),
  SETTLE_BUDGET_MS: whole(1_000, 120_000).default(25_000),
});

type Values = z.output<typeof SCHEMA>;

type Present = Readonly<Record<string, string>>;

/**
 * Reads an environment. An empty variable is an absent one. Off mainnet-beta, keys that nobody gives are made and kept in
 * the data folder, once nothing else is wrong.
 * @throws {ConfigurationError} with all that is wrong.
 */
export function readConfig(environment: Environment, given: GivenSigners = {}): ReadConfig {
  const present: Present = Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) =>
      value === undefined || value.trim() === "" ? [] : [[name, value]],
    ),
  );
  const { refused, doubtful } = slipsIn(present);
  const problems = new Problems();
  problems.add(refused);
  const { values, wrong } = parse(present);
  problems.add(wrong);
  // Of a network that nobody knows nothing follows.
  const network = problems.has("MPPSOL_NETWORK") ? undefined : Network.parse(values.MPPSOL_NETWORK);
  const embedded = network === "localnet" && present.RPC_URLS === undefined;
  problems.add(combinations(values, network, embedded));
  const settings = plain(values, network ?? "localnet", embedded);
  const reader = new KeyReader(values, { network, isShared: present.DATABASE_URL !== undefined });
  const { keys, secret } = reader.read(given);
  problems.add(reader.problems);
  problems.add(settingProblems({ ...settings, ...(secret === undefined ? {} : { secret }) }));
  problems.add(keyProblems(settings.network, keys));
  const { MPPSOL_DATA_DIR: dataDir, MPPSOL_ARTIFACTS: artifactsDir } = values;
  if (network === "mainnet") problems.add(developmentKeys(keys, dataDir));
  problems.throwIfAny();
  const config: Config = { ...settings, ...reader.complete(keys, secret) };
  problems.add(problemsOf(config));
  problems.throwIfAny();
  return { config, generated: reader.generated, doubtful, embedded, dataDir, artifactsDir };
}

/** What is wrong, in the order of looking. A variable that is wrong by itself is not asked what else it breaks. */
class Problems {
  readonly #all: ConfigProblem[] = [];

  has(variable: string): boolean {
    return this.#all.some((one) => one.variable === variable);
  }

  add(more: readonly ConfigProblem[]): void {
    this.#all.push(...more.filter(({ variable }) => !this.has(variable)));
  }

  throwIfAny(): void {
    if (this.#all.length > 0) throw new ConfigurationError(this.#all);
  }
}

/** What can be read, and what is wrong with the rest, which counts as absent: so that all the others are looked at. */
function parse(present: Present): { readonly values: Values; readonly wrong: readonly ConfigProblem[] } {
  const parsed = SCHEMA.safeParse(present);
  if (parsed.success) return { values: parsed.data, wrong: [] };
  const messages = new Map<string, string>();
  for (const { path, message } of parsed.error.issues) {
    const variable = String(path[0]);
    if (!messages.has(variable)) messages.set(variable, message);
  }
  const readable = Object.entries(present).filter(([name]) => !messages.has(name));
  const wrong = [...messages].map(([variable, problem]) => ({ variable, problem }));
  return { values: SCHEMA.parse(Object.fromEntries(readable)), wrong };
}

/** Keys that were made for development stay there: nobody has ever taken care of them. */
function developmentKeys(keys: SomeKeys, dataDir: string): ConfigProblem[] {
  try {
    const made = generatedAddresses(dataDir);
    return rolesOf(keys)
      .filter(({ address }) => made.has(address))
      .map(({ address }) => ({
        variable: "keys",
        problem: `${address} was made for development: make one for mainnet-beta`,
      }));
  } catch (error) {
    if (!(error instanceof KeyError)) throw error;
    return [{ variable: "MPPSOL_DATA_DIR", problem: `a key in ${dataDir}/keys ${error.message}` }];
  }
}

/** What works alone, and not together. */
function combinations(values: Values, network: Network.Network | undefined, embedded: boolean): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const refuse = (holds: boolean, variable: string, problem: string) => {
    if (holds) problems.push({ variable, problem });
  };
  refuse(
    network !== undefined && network !== "localnet" && values.RPC_URLS === undefined,
    "RPC_URLS",
    `must name a node of ${spelled(network ?? "")}, better two`,
  );
  refuse(
    embedded && values.DATABASE_URL !== undefined,
    "RPC_URLS",
    "must name a localnet that outlives this process, as the database does: start one with npx mppsol-localnet",
  );
  refuse(
    network === "mainnet" && values.DATABASE_URL === undefined && !values.ALLOW_PGLITE_ON_MAINNET,
    "DATABASE_URL",
    "must name a Postgres on mainnet-beta; for one instance on one disk, say ALLOW_PGLITE_ON_MAINNET=1",
  );
  refuse(values.ADMIN_HOST !== undefined && values.ADMIN_PORT === undefined, "ADMIN_HOST", "needs ADMIN_PORT");
  for (const variable of ["HOST", "ADMIN_HOST"] as const) {
    const host = values[variable];
    refuse(
      host !== undefined && WILDCARDS.has(host) && !values.ALLOW_PUBLIC_HOST,
      variable,
      `${host} listens on every network; where that is meant, as in a container, say ALLOW_PUBLIC_HOST=1`,
    );
  }
  refuse(
    network === "mainnet" && values.PUBLIC_URL === undefined,
    "PUBLIC_URL",
    "must be the https:// URL that clients use: wallets sign in to its domain",
  );
  return problems;
}

function plain(values: Values, network: Network.Network, embedded: boolean) {
  const [first = NOT_YET, ...others] = values.RPC_URLS ?? [];
  const [mint = USDC[network], ...mints] = values.MINTS ?? [];
  const host = values.HOST;
  const named = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
  const database = embedded ? "embedded.db" : `${network}.db`;
  const sessionRent = values.SPONSOR_RENT_LAMPORTS ?? (network === "localnet" ? 100_000_000_000n : 2_000_000_000n);
  return {
    network,
    rpcUrls: [first, ...others] as const,
    databaseUrl: values.DATABASE_URL,
    databaseConnections: values.DATABASE_CONNECTIONS,
    databaseDir: values.DATABASE_URL === undefined ? join(values.MPPSOL_DATA_DIR, database) : undefined,
    mints: [mint, ...mints] as const,
    maxPriorityLamports: values.MAX_PRIORITY_LAMPORTS,
    globalSettlePerMinute: values.GLOBAL_SETTLE_PER_MINUTE,
    sellerSettlePerMinute: values.SELLER_SETTLE_PER_MINUTE,
    sponsorLamportsPerDay: values.SPONSOR_LAMPORTS_PER_DAY,
    // Where lamports are free, whoever tries things out should not run into it.
    sponsorLamportsPerDayPerPayer:
      values.SPONSOR_LAMPORTS_PER_DAY_PER_PAYER ?? (network === "localnet" ? 1_000_000_000n : 20_000_000n),
    sponsorLamportsPerDayPerSeller: values.SPONSOR_LAMPORTS_PER_DAY_PER_SELLER,
    sponsorRentLamports: sessionRent,
    // Several sellers fit in, so that one cannot take it all.
    sponsorRentLamportsPerSeller: values.SPONSOR_RENT_LAMPORTS_PER_SELLER ?? sessionRent / 5n,
    sponsorAccountsPerDay: values.SPONSOR_ACCOUNTS_PER_DAY,
    minCharge: values.MIN_CHARGE,
    ...(values.SELLERS === undefined ? {} : { sellers: values.SELLERS }),
    maxOpenSessionsPerBuyer: values.MAX_OPEN_SESSIONS_PER_BUYER ?? (network === "localnet" ? 100 : 4),
    minDeposit: values.MIN_DEPOSIT,
    feeBps: values.FEE_BPS,
    gracePeriodSeconds: values.GRACE_PERIOD_SECONDS,
    idleTimeoutSeconds: values.IDLE_TIMEOUT_SECONDS,
    maxSessionSeconds: values.MAX_SESSION_SECONDS,
    noticeSeconds: values.NOTICE_SECONDS,
    // Rent that is bound in the accounts of strangers: only for who has decided so.
    onboardAccountsPerDay: values.ONBOARD_ACCOUNTS_PER_DAY ?? (network === "mainnet" ? 0 : 100),
    onboardAccountsPerDayPerClient: values.ONBOARD_ACCOUNTS_PER_DAY_PER_CLIENT ?? (network === "localnet" ? 100 : 5),
    onboardRentLamports: values.ONBOARD_RENT_LAMPORTS ?? (network === "localnet" ? 100_000_000_000n : 1_000_000_000n),
    rateLimitPerMinute: values.RATE_LIMIT_PER_MINUTE,
    voucherLimitPerMinute: values.VOUCHER_LIMIT_PER_MINUTE,
    redisUrl: values.REDIS_URL,
    host,
    port: values.PORT,
    ...adminOf(values),
    publicUrl: values.PUBLIC_URL ?? `http://${WILDCARDS.has(host) ? "127.0.0.1" : named}:${values.PORT}`,
    trustProxy: values.TRUST_PROXY,
    logLevel: values.LOG_LEVEL ?? (embedded ? ("warn" as const) : ("info" as const)),
    drainSeconds: values.DRAIN_SECONDS,
    settleBudgetMs: values.SETTLE_BUDGET_MS,
  };
}

type KeyVariable = "SETTLEMENT_KEY" | "OPERATOR_KEY";

function adminOf({ ADMIN_PORT: port, ADMIN_HOST: host = "127.0.0.1", ALLOW_PUBLIC_METRICS }: Values) {
  return {
    ...(port === undefined ? {} : { admin: { host, port } }),
    ...(ALLOW_PUBLIC_METRICS === undefined ? {} : { publicMetrics: ALLOW_PUBLIC_METRICS }),
  };
}

interface Circumstances {
  /** Undefined: nobody knows. */
  readonly network: Network.Network | undefined;
  /** Other instances need the same keys. */
  readonly isShared: boolean;
}

/** Reads the keys, and makes those that are missing where that is no danger. */
class KeyReader {
  /** What is to be made, or was. */
  readonly generated: string[] = [];
  readonly problems: ConfigProblem[] = [];
  readonly #values: Values;
  readonly #circumstances: Circumstances;

  constructor(values: Values, circumstances: Circumstances) {
    this.#values = values;
    this.#circumstances = circumstances;
  }

  /** Those that are given. What is missing without being a problem is in `generated`. */
  read(given: GivenSigners): { readonly keys: SomeKeys; readonly secret: string | undefined } {
    const [first, ...others] = given.feePayers ?? this.#feePayers() ?? [];
    const settlementKey = given.settlementKey ?? this.#one("SETTLEMENT_KEY");
    const operator = given.operatorKey ?? this.#one("OPERATOR_KEY");
    const keys: SomeKeys = {
      ...(first === undefined ? {} : { feePayers: [first, ...others] as const }),
      ...(settlementKey === undefined ? {} : { settlementKey }),
      ...(operator === undefined ? {} : { operatorKey: asSigner(operator) }),
    };
    return { keys, secret: this.#secret() };
  }

  /** With what is missing made. @throws {ConfigurationError} where it cannot be kept. */
  complete(keys: SomeKeys, secret: string | undefined): Required<SomeKeys> & Pick<Config, "secret"> {
    const { MPPSOL_DATA_DIR: dataDir } = this.#values;
    const made = (name: KeyName) => generatedKey(dataDir, name);
    try {
      return {
        feePayers: keys.feePayers ?? [made("fee-payer")],
        settlementKey: keys.settlementKey ?? made("settlement"),
        operatorKey: keys.operatorKey ?? messageSigner(made("operator")),
        secret: secret ?? generatedSecret(dataDir),
      };
    } catch (error) {
      if (!(error instanceof KeyError)) throw error;
      const problem = `must be a folder for this service alone: ${error.message}`;
      throw new ConfigurationError([{ variable: "MPPSOL_DATA_DIR", problem }]);
    }
  }

  #secret(): string | undefined {
    const { SECRET, SECRET_FILE } = this.#values;
    return this.#guarded("SECRET", () => {
      if (SECRET !== undefined) return SECRET;
      if (SECRET_FILE !== undefined) return readText(SECRET_FILE);
      return this.#missing("SECRET");
    });
  }

  #feePayers(): readonly Keypair[] | undefined {
    const { FEE_PAYER_KEYS, FEE_PAYER_KEY_FILES } = this.#values;
    return this.#guarded("FEE_PAYER_KEYS", () => {
      const keys = [
        ...(FEE_PAYER_KEYS === undefined ? [] : parseKeys(FEE_PAYER_KEYS)),
        ...(FEE_PAYER_KEY_FILES ?? []).map((path) => this.#file("FEE_PAYER_KEY_FILES", path)),
      ];
      return keys.length > 0 ? keys : this.#missing("FEE_PAYER_KEYS");
    });
  }

  #one(variable: KeyVariable): Keypair | undefined {
    return this.#guarded(variable, () => {
      const text = this.#values[variable];
      const path = this.#values[`${variable}_FILE`];
      if (text !== undefined) return parseKey(text);
      if (path !== undefined) return this.#file(`${variable}_FILE`, path);
      return this.#missing(variable);
    });
  }

  #file(variable: string, path: string): Keypair {
    try {
      return readKeyFile(path);
    } catch (error) {
      throw error instanceof KeyError ? new KeyError(`${variable} ${path}: ${error.message}`) : error;
    }
  }

  #missing(variable: string): undefined {
    const { network, isShared } = this.#circumstances;
    if (network === "mainnet") {
      throw new KeyError("must be given on mainnet-beta: keys are made for development only");
    }
    if (isShared) throw new KeyError("must be given with DATABASE_URL: all instances on one database need the same");
    this.generated.push(variable);
    return undefined;
  }

  #guarded<T>(variable: string, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof KeyError)) throw error;
      this.problems.push({ variable, problem: error.message });
      return undefined;
    }
  }
}

function asSigner(key: Keypair | Signer.Signer): Signer.Signer {
  return "secretKey" in key ? messageSigner(key as Keypair) : key;
}

function messageSigner(key: Keypair): Signer.Signer {
  return { publicKey: key.publicKey.toBase58(), signMessage: (message) => signMessage(key, message) };
}

function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}
