// A facilitator as tests need it: on an embedded chain, with a database of its own and funded keys.
import { fileURLToPath } from "node:url";
import { type Config, createFacilitator, type Facilitator, type Overrides } from "@mppsol/facilitator";
import { Localnet, USDC_MINT } from "@mppsol/localnet";
import { SESSION_PROGRAM_ID, signMessage } from "@mppsol/programs";
import { Connection, Keypair } from "@solana/web3.js";
import "../support/pglite.ts";

const ARTIFACTS = process.env.MPPSOL_ARTIFACTS ?? fileURLToPath(new URL("../../artifacts", import.meta.url));

export interface StartOptions {
  /** A Postgres database; absent: PGlite in memory. */
  readonly databaseUrl?: string;
  /** A chain that is there already, as for the second instance. It is not closed then. */
  readonly net?: Localnet;
  /** Default `manual`: what is sent is confirmed and finalized at once. */
  readonly slotTime?: number | "manual";
  /** Keys that are there already, as for the second instance. */
  readonly keys?: Keys;
  /** In the place of what the configuration says otherwise. */
  readonly config?: Partial<Config>;
  readonly overrides?: Overrides;
}

export interface Keys {
  readonly feePayers: readonly [Keypair, Keypair];
  readonly settlement: Keypair;
  readonly operator: Keypair;
}

export interface Running {
  readonly facilitator: Facilitator;
  readonly app: Facilitator["app"];
  readonly context: Facilitator["context"];
  readonly config: Config;
  readonly net: Localnet;
  readonly connection: Connection;
  readonly keys: Keys;
  /** What went wrong without changing an answer. */
  readonly errors: readonly { readonly error: unknown; readonly during: string }[];
  /** A new key with lamports and USDC; with 0 of either, without that account. Defaults: none, 10 USDC. */
  person(holds?: { readonly lamports?: bigint; readonly usdc?: bigint }): Keypair;
  /** Stops the service, and the chain unless it was there before. */
  close(): Promise<void>;
}

/** New keys; the fee payers with 10 SOL each, the settlement key with one. */
export function newKeys(net: Localnet): Keys {
  const keys: Keys = {
    feePayers: [Keypair.generate(), Keypair.generate()],
    settlement: Keypair.generate(),
    operator: Keypair.generate(),
  };
  for (const key of keys.feePayers) net.airdrop(key.publicKey.toBase58(), 10_000_000_000n);
  net.airdrop(keys.settlement.publicKey.toBase58(), 1_000_000_000n);
  return keys;
}

/** A chain with the program of sessions. */
export function startChain(slotTime: number | "manual" = "manual"): Promise<Localnet> {
  const programs = [{ id: SESSION_PROGRAM_ID.toBase58(), file: `${ARTIFACTS}/mppsol_session.so` }];
  return Localnet.start({ programs, slotTime });
}

/** A configuration for a chain: every limit wide enough not to be met by accident. */
export function configFor(net: Pick<Localnet, "url">, keys: Keys, more: Partial<Config> = {}): Config {
  const { operator } = keys;
  return {
    network: "localnet",
    rpcUrls: [net.url],
    databaseUrl: undefined,
    databaseConnections: 10,
    databaseDir: undefined,
    feePayers: keys.feePayers,
    settlementKey: keys.settlement,
    operatorKey: {
      publicKey: operator.publicKey.toBase58(),
      signMessage: (message) => signMessage(operator, message),
    },
    secret: "a secret of the tests, 32 bytes and more",
    mints: [USDC_MINT],
    maxPriorityLamports: 2_000n,
    globalSettlePerMinute: 100_000,
    sellerSettlePerMinute: 100_000,
    sponsorLamportsPerDay: 100_000_000_000n,
    sponsorLamportsPerDayPerPayer: 100_000_000_000n,
    sponsorLamportsPerDayPerSeller: 100_000_000_000n,
    sponsorRentLamports: 100_000_000_000n,
    sponsorRentLamportsPerSeller: 50_000_000_000n,
    sponsorAccountsPerDay: 100_000,
    maxOpenSessionsPerBuyer: 100,
    minDeposit: 10_000n,
    feeBps: 0,
    gracePeriodSeconds: 900,
    idleTimeoutSeconds: 300,
    maxSessionSeconds: 86_400,
    noticeSeconds: 0,
    onboardAccountsPerDay: 1_000,
    onboardAccountsPerDayPerClient: 1_000,
    onboardRentLamports: 100_000_000_000n,
    rateLimitPerMinute: 1_000_000,
    voucherLimitPerMinute: 1_000_000,
    redisUrl: undefined,
    host: "127.0.0.1",
    port: 0,
    publicUrl: "http://127.0.0.1:8402",
    trustProxy: 0,
    logLevel: "silent",
    drainSeconds: 0,
    settleBudgetMs: 10_000,
    ...more,
  };
}

/** Starts a facilitator; it does not listen until it is told to (`facilitator.listen()`): `app.inject` works at once. */
export async function startFacilitator(options: StartOptions = {}): Promise<Running> {
  const net = options.net ?? (await startChain(options.slotTime));
  const keys = options.keys ?? newKeys(net);
  const config = configFor(net, keys, { databaseUrl: options.databaseUrl, ...options.config });
  const errors: { error: unknown; during: string }[] = [];
  const facilitator = await createFacilitator(config, {
    onError: (error, during) => errors.push({ error, during }),
    ...options.overrides,
  });
  return {
    facilitator,
    app: facilitator.app,
    context: facilitator.context,
    config,
    net,
    connection: new Connection(net.url, "confirmed"),
    keys,
    errors,
    person({ lamports = 0n, usdc = 10_000_000n } = {}) {
      const key = Keypair.generate();
      if (lamports > 0n) net.airdrop(key.publicKey.toBase58(), lamports);
      if (usdc > 0n) net.mintUsdc(key.publicKey.toBase58(), usdc);
      return key;
    },
    async close() {
      await facilitator.close();
      if (options.net === undefined) await net.close();
    },
  };
}
