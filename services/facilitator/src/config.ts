// What the operator decides, read from the environment and checked before anything starts.
import type { Network, Signer } from "@mppsol/core";
import type { TransactionSigner } from "@mppsol/server";

/** The configuration, complete and checked. Lamports and base units are bigint, times in milliseconds unless named. */
export interface Config {
  readonly network: Network.Network;
  readonly rpcUrls: readonly [string, ...string[]];
  /** Postgres. Absent: PGlite in `databaseDir`. */
  readonly databaseUrl: string | undefined;
  /** Connections to Postgres at most. */
  readonly databaseConnections: number;
  /** Of PGlite. Absent: in memory, which dies with the process. */
  readonly databaseDir: string | undefined;
  /** Pay fees and fronted rent, in rotation. */
  readonly feePayers: readonly [TransactionSigner, ...TransactionSigner[]];
  /** The payee of managed channels: signs their closes. */
  readonly settlementKey: TransactionSigner;
  /** Signs vouchers of operator sessions. */
  readonly operatorKey: Signer.Signer;
  /** For close tokens and nonces. */
  readonly secret: string;
  /** Mints that are taken, base58; the first is the default. */
  readonly mints: readonly [string, ...string[]];
  readonly maxPriorityLamports: bigint;
  /** Sponsored transactions: charges, opens and top-ups of sessions, token accounts of new wallets. */
  readonly globalSettlePerMinute: number;
  readonly sellerSettlePerMinute: number;
  /** What does not come back: fees, and rent of recipients' token accounts. */
  readonly sponsorLamportsPerDay: bigint;
  readonly sponsorLamportsPerDayPerPayer: bigint;
  readonly sponsorLamportsPerDayPerSeller: bigint;
  /**
   * Token accounts of splits that a day's charges may create at our expense. Absent or 0: none. Whoever asks for a payment
   * names the owners, who can close their accounts and keep the rent: at most this is lost a day.
   */
  readonly sponsorAccountsPerDay?: number;
  /** Base units that a charge is settled from. Absent: any. */
  readonly minCharge?: bigint;
  /** Base58 of all who may be paid by charges, shares among them, and sell by sessions. Absent: everybody. */
  readonly sellers?: readonly string[];
  /** Rent of managed sessions that is out at a time, of all and of one seller. */
  readonly sponsorRentLamports: bigint;
  readonly sponsorRentLamportsPerSeller: bigint;
  readonly maxOpenSessionsPerBuyer: number;
  /** Base units. */
  readonly minDeposit: bigint;
  /** Share of the facilitator in managed sessions, basis points. */
  readonly feeBps: number;
  readonly gracePeriodSeconds: number;
  readonly idleTimeoutSeconds: number;
  /** A managed session is closed after so long, whatever happens. */
  readonly maxSessionSeconds: number;
  /** Between the announcement of a session's end and its sealing, where buyers sign. 0: none. */
  readonly noticeSeconds: number;
  /** Token accounts of new wallets that are made at our expense in a day. */
  readonly onboardAccountsPerDay: number;
  /** Of them, those for one client address. */
  readonly onboardAccountsPerDayPerClient: number;
  /** Rent of all such accounts that is out at a time. */
  readonly onboardRentLamports: bigint;
  readonly rateLimitPerMinute: number;
  /** Vouchers, and looks at sessions: each is counted by itself, and not with the rest. */
  readonly voucherLimitPerMinute: number;
  readonly redisUrl: string | undefined;
  readonly host: string;
  readonly port: number;
  /** Where metrics and the details of readiness are, and only there. Port 0 picks one. */
  readonly admin?: { readonly host: string; readonly port: number };
  /** Without `admin`: whether they are at `port`, for everybody. Absent: on localnet alone. */
  readonly publicMetrics?: boolean;
  /** As clients see it; names the domain that wallets sign in to. */
  readonly publicUrl: string;
  /** Proxies in front of it that say who asks (X-Forwarded-For). */
  readonly trustProxy: number;
  readonly logLevel: "fatal" | "error" | "warn" | "info" | "debug" | "trace" | "silent";
  /** Seconds between saying that it goes down (/readyz) and doing so. */
  readonly drainSeconds: number;
  /** Until `settle` answers 202. Default 30,000 less what the answer takes. */
  readonly settleBudgetMs: number;
}
