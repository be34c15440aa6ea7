// The environment that the service reads: each variable, what it says, what it is when it is absent. The README's table is
// made of this.
import { z } from "zod";

export interface Variable {
  readonly name: string;
  /** What it means, for the README and --help. */
  readonly help: string;
  /** What holds without it, in words; absent: see `help`. */
  readonly fallback?: string;
  /** Never printed, anywhere. */
  readonly secret?: true;
}

const variable = (name: string, help: string, fallback?: string): Variable => ({
  name,
  help,
  ...(fallback === undefined ? {} : { fallback }),
});
const secret = (name: string, help: string, fallback?: string): Variable => ({
  ...variable(name, help, fallback),
  secret: true,
});

/** In the order of the README. */
export const VARIABLES: readonly Variable[] = [
  variable("MPPSOL_NETWORK", "`localnet`, `devnet` or `mainnet-beta` (`mainnet` is the same)", "`localnet`"),
  variable(
    "RPC_URLS",
    "URLs of nodes, comma separated: reads go to the next one when one fails, transactions go to all. Required but on localnet",
    "on localnet: a chain in this process",
  ),
  secret(
    "DATABASE_URL",
    "Postgres, as `postgresql://user:password@host/database`. Several instances share one",
    "PGlite",
  ),
  variable("DATABASE_CONNECTIONS", "connections to Postgres at most", "`10`"),
  variable("MPPSOL_DATA_DIR", "folder of PGlite and of generated keys", "`~/.mppsol/facilitator`"),
  variable(
    "MPPSOL_ARTIFACTS",
    "folder of `mppsol_session.so`, for the chain in this process",
    "`artifacts` of this package or repository",
  ),
  variable("ALLOW_PGLITE_ON_MAINNET", "`1`: PGlite on mainnet-beta, so one instance on one disk", "refused"),
  secret("FEE_PAYER_KEYS", "keys that pay fees and front rent, comma separated: base58 of 64 bytes, or JSON arrays"),
  variable(
    "FEE_PAYER_KEY_FILES",
    "the same from files (JSON arrays of 64 bytes, as Solana's tools write), comma separated",
  ),
  secret("SETTLEMENT_KEY", "key that closes managed channels: their payee on chain"),
  variable("SETTLEMENT_KEY_FILE", "the same from a file"),
  secret("OPERATOR_KEY", "key that signs vouchers of operator sessions"),
  variable("OPERATOR_KEY_FILE", "the same from a file"),
  secret(
    "SECRET",
    "32 characters or more, for close tokens, sign-ins and hashes of addresses; the same for all instances",
  ),
  variable("SECRET_FILE", "the same from a file"),
  variable("MINTS", "mints that are taken, base58, comma separated; the first is the default", "USDC of the network"),
  variable("MAX_PRIORITY_LAMPORTS", "priority fee that is sponsored for one charge; at most 20,000", "`2000`"),
  variable(
    "GLOBAL_SETTLE_PER_MINUTE",
    "transactions that are sponsored in a minute, for all sellers: charges, opens, top-ups, accounts of new wallets",
    "`600`",
  ),
  variable("SELLER_SETTLE_PER_MINUTE", "for one seller", "`120`"),
  variable("SPONSOR_LAMPORTS_PER_DAY", "lamports that are spent in a day, on fees, for everybody", "`1000000000`"),
  variable("SPONSOR_LAMPORTS_PER_DAY_PER_PAYER", "for one payer", "`20000000`; on localnet `1000000000`"),
  variable("SPONSOR_LAMPORTS_PER_DAY_PER_SELLER", "for one seller", "`200000000`"),
  variable(
    "SPONSOR_RENT_LAMPORTS",
    "lamports of rent that are out at a time, for sessions; they come back. A session takes about 4,700,000",
    "`2000000000`; on localnet `100000000000`",
  ),
  variable("SPONSOR_RENT_LAMPORTS_PER_SELLER", "for one seller's sessions", "a fifth of that"),
  variable("SPONSOR_ACCOUNTS_PER_DAY", "recipients' token accounts whose rent is paid in a day", "`0`"),
  variable("MIN_CHARGE", "base units that a charge is settled from: its fee is paid here; `0`: any", "`1000`"),
  variable(
    "SELLERS",
    "who may be paid by charges, shares among them, and sell by sessions: base58, comma separated",
    "everybody",
  ),
  variable(
    "MAX_OPEN_SESSIONS_PER_BUYER",
    "managed sessions of one buyer whose rent is fronted at a time, closed ones until it is back (10 minutes and more)",
    "`4`; on localnet `100`",
  ),
  variable("MIN_DEPOSIT", "base units that a managed session is opened with at least", "`100000`"),
  variable("FEE_BPS", "share of the facilitator in managed sessions, basis points, fixed on chain at open", "`0`"),
  variable("GRACE_PERIOD_SECONDS", "between a buyer's forced close and its end, in which vouchers are cashed", "`900`"),
  variable("IDLE_TIMEOUT_SECONDS", "after which a managed session without vouchers is closed", "`600`"),
  variable("MAX_SESSION_SECONDS", "after which a managed session is closed, whatever happens", "`86400`"),
  variable("NOTICE_SECONDS", "for sellers to hand in vouchers, between the announcement of an end and the end", "`20`"),
  variable(
    "ONBOARD_ACCOUNTS_PER_DAY",
    "token accounts of new wallets that are made at our expense in a day; the rent is bound in them until `close-accounts`",
    "`100`; on mainnet-beta `0`",
  ),
  variable("ONBOARD_ACCOUNTS_PER_DAY_PER_CLIENT", "of them, for one client address", "`5`; on localnet `100`"),
  variable(
    "ONBOARD_RENT_LAMPORTS",
    "lamports of their rent that are out at a time; an account takes about 2,040,000",
    "`1000000000`; on localnet `100000000000`",
  ),
  variable(
    "RATE_LIMIT_PER_MINUTE",
    "requests of one client address in a minute, vouchers and looks at sessions apart",
    "`600`",
  ),
  variable(
    "VOUCHER_LIMIT_PER_MINUTE",
    "vouchers of one client address in a minute, and looks at sessions; a seller needs about 25 for each session that is being paid on",
    "`12000`",
  ),
  secret(
    "REDIS_URL",
    "Redis, so that instances count requests together; what costs money is counted in the database",
    "each counts by itself",
  ),
  variable("HOST", "address to listen on", "`127.0.0.1`"),
  variable(
    "ALLOW_PUBLIC_HOST",
    "`1`: HOST and ADMIN_HOST may be wildcards, as `0.0.0.0`, so that every network reaches them",
    "refused",
  ),
  variable("PORT", "port to listen on; `0` picks one", "`8402`"),
  variable(
    "ADMIN_PORT",
    "port on which alone /metrics and the details of /readyz are; `0` picks one",
    "on localnet they are at PORT; elsewhere nowhere",
  ),
  variable("ADMIN_HOST", "address of that port", "`127.0.0.1`"),
  variable(
    "ALLOW_PUBLIC_METRICS",
    "`1`: /metrics and the details of /readyz are at PORT, for everybody who reaches it",
    "only on localnet",
  ),
  variable(
    "PUBLIC_URL",
    "as clients see it; its domain is what wallets sign in to. Required on mainnet-beta",
    "`http://HOST:PORT`",
  ),
  variable("TRUST_PROXY", "proxies in front of it whose X-Forwarded-For is believed: how many", "`0`"),
  variable(
    "LOG_LEVEL",
    "`fatal`, `error`, `warn`, `info`, `debug`, `trace` or `silent`",
    "`info`; `warn` with a chain in this process",
  ),
  variable("DRAIN_SECONDS", "between saying that it goes down (/readyz) and doing so", "`0`"),
  variable("SETTLE_BUDGET_MS", "milliseconds until settling answers 202, and goes on", "`25000`"),
];

export type Environment = Readonly<Record<string, string | undefined>>;

const DIGITS = /^(0|[1-9][0-9]{0,18})$/;

/** A whole number from `least` to `most`. */
export function whole(least: number, most: number) {
  return z
    .string()
    .regex(DIGITS, `must be a whole number from ${least} to ${most}`)
    .transform(Number)
    .refine((value) => value >= least && value <= most, `must be a whole number from ${least} to ${most}`);
}

/** Lamports or base units. */
export function units(least: bigint, most = 2n ** 63n - 1n) {
  return z
    .string()
    .regex(DIGITS, `must be a whole number from ${least} to ${most}`)
    .transform(BigInt)
    .refine((value) => value >= least && value <= most, `must be a whole number from ${least} to ${most}`);
}

/** Texts between commas. */
export const list = z
  .string()
  .transform((text) =>
    text
      .split(",")
      .map((one) => one.trim())
      .filter((one) => one !== ""),
  )
  .refine((items) => items.length > 0, "must name at least one");

export const flag = z.enum(["0", "1"], "must be 0 or 1").transform((value) => value === "1");
