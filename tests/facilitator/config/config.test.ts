// The configuration: what an environment makes of it, and what is refused.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Base58, Signer } from "@mppsol/core";
import { type Config, ConfigurationError, checkConfig, readConfig, VARIABLES } from "@mppsol/facilitator";
import { localKey, USDC_MINT } from "@mppsol/localnet";
import { signerAddress } from "@mppsol/server";
import { Keypair } from "@solana/web3.js";
import { expect } from "chai";

const json = (key: Keypair) => `[${key.secretKey.join(",")}]`;
const base58 = (key: Keypair) => Base58.encode(key.secretKey);

describe("the configuration of the facilitator", () => {
  let dataDir: string;
  let keys: Record<"feePayer" | "second" | "settlement" | "operator", Keypair>;
  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), "facilitator-config-"));
    keys = {
      feePayer: Keypair.generate(),
      second: Keypair.generate(),
      settlement: Keypair.generate(),
      operator: Keypair.generate(),
    };
  });
  afterEach(() => rmSync(dataDir, { recursive: true }));

  const read = (environment: Record<string, string> = {}) => readConfig({ MPPSOL_DATA_DIR: dataDir, ...environment });
  const mainnet = (more: Record<string, string> = {}) => ({
    MPPSOL_NETWORK: "mainnet-beta",
    RPC_URLS: "https://one.example/KEY, https://two.example/KEY",
    DATABASE_URL: "postgresql://user:password@host/db",
    FEE_PAYER_KEYS: `${base58(keys.feePayer)},${base58(keys.second)}`,
    SETTLEMENT_KEY: json(keys.settlement),
    OPERATOR_KEY: base58(keys.operator),
    SECRET: "x".repeat(32),
    PUBLIC_URL: "https://pay.example",
    ...more,
  });
  const problems = (environment: Record<string, string>) => {
    try {
      read(environment);
    } catch (error) {
      if (error instanceof ConfigurationError) return error.problems;
      throw error;
    }
    return [];
  };
  const faulty = (environment: Record<string, string>) => problems(environment).map(({ variable }) => variable);

  it("is the embedded mode where there is none: a chain in the process, PGlite in the folder, keys that are kept", () => {
    const { config, embedded, generated } = read();
    expect(embedded).to.equal(true);
    expect(generated).to.deep.equal(["FEE_PAYER_KEYS", "SETTLEMENT_KEY", "OPERATOR_KEY", "SECRET"]);
    expect(config).to.include({
      network: "localnet",
      databaseUrl: undefined,
      host: "127.0.0.1",
      port: 8402,
      feeBps: 0,
    });
    expect(config.databaseDir).to.equal(join(dataDir, "embedded.db"));
    expect(config.mints).to.deep.equal([USDC_MINT]);
    expect(config.maxPriorityLamports).to.equal(2_000n);
    expect(config.maxOpenSessionsPerBuyer, "somebody who tries things out is one buyer").to.equal(100);
    const again = read().config;
    expect(signerAddress(again.settlementKey)).to.equal(signerAddress(config.settlementKey));
    expect(again.secret).to.equal(config.secret);
  });

  it("keeps generated keys for their owner alone", () => {
    read();
    const folder = join(dataDir, "keys");
    expect(statSync(folder).mode & 0o777).to.equal(0o700);
    expect(readdirSync(folder).sort()).to.deep.equal(["fee-payer.json", "operator.json", "secret", "settlement.json"]);
    for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).mode & 0o777, name).to.equal(0o600);
  });

  it("takes an empty variable for an absent one, as compose files write them", () => {
    expect(read({ RPC_URLS: "", DATABASE_URL: " ", PORT: "" }).embedded).to.equal(true);
  });

  it("reads a production's", () => {
    const { config, generated, embedded } = read(mainnet({ FEE_BPS: "25", MINTS: USDC_MINT, TRUST_PROXY: "1" }));
    expect([generated, embedded]).to.deep.equal([[], false]);
    expect(config.network).to.equal("mainnet");
    expect(config.onboardAccountsPerDay, "accounts that somebody can close").to.equal(0);
    expect(config.maxOpenSessionsPerBuyer).to.equal(4);
    expect(config.rpcUrls).to.deep.equal(["https://one.example/KEY", "https://two.example/KEY"]);
    expect(config.feePayers.map((signer) => signerAddress(signer))).to.deep.equal(
      [keys.feePayer, keys.second].map((key) => key.publicKey.toBase58()),
    );
    expect(signerAddress(config.settlementKey)).to.equal(keys.settlement.publicKey.toBase58());
    expect(Signer.address(config.operatorKey)).to.equal(keys.operator.publicKey.toBase58());
    expect(config).to.include({ feeBps: 25, trustProxy: 1, publicUrl: "https://pay.example", databaseDir: undefined });
    expect(config.mints).to.deep.equal([USDC_MINT]);
  });

  it("settles from a thousandth of a USDC, for everybody, unless it says otherwise", () => {
    expect(read().config.minCharge).to.equal(1_000n);
    expect(read().config.sellers).to.equal(undefined);
    expect(read({ MIN_CHARGE: "0" }).config.minCharge).to.equal(0n);
    const [one, two] = [keys.settlement, keys.second].map((key) => key.publicKey.toBase58());
    expect(read({ SELLERS: `${one}, ${two}` }).config.sellers).to.deep.equal([one, two]);
    expect(faulty({ SELLER: one! })).to.deep.equal(["SELLER"]);
    expect(faulty({ SELLERS: "somebody" })).to.deep.equal(["SELLERS"]);
    expect(faulty({ MIN_CHARGE: "-1" })).to.deep.equal(["MIN_CHARGE"]);
  });

  it("bounds the rent that is out, such that no seller and no buyer can have all of it", () => {
    const rents = (environment: Record<string, string>) => {
      const { sponsorRentLamports, sponsorRentLamportsPerSeller, onboardRentLamports } = read(environment).config;
      return [sponsorRentLamports, sponsorRentLamportsPerSeller, onboardRentLamports];
    };
    expect(rents({})).to.deep.equal([100_000_000_000n, 20_000_000_000n, 100_000_000_000n]);
    expect(rents(mainnet())).to.deep.equal([2_000_000_000n, 400_000_000n, 1_000_000_000n]);
    expect(rents(mainnet({ SPONSOR_RENT_LAMPORTS: "50000000" }))).to.deep.equal([
      50_000_000n,
      10_000_000n,
      1_000_000_000n,
    ]);
    expect(rents(mainnet({ SPONSOR_RENT_LAMPORTS: "0" }))[0], "no sessions").to.equal(0n);
    const greedy = { SPONSOR_RENT_LAMPORTS: "1000000000", SPONSOR_RENT_LAMPORTS_PER_SELLER: "500000001" };
    expect(faulty(mainnet(greedy))).to.deep.equal(["SPONSOR_RENT_LAMPORTS_PER_SELLER"]);
    const known = keys.second.publicKey.toBase58();
    expect(faulty(mainnet({ ...greedy, SELLERS: known }))).to.deep.equal([]);
    expect(faulty(mainnet({ SPONSOR_RENT_LAMPORTS: "39999999" }))).to.deep.equal(["MAX_OPEN_SESSIONS_PER_BUYER"]);
    expect(faulty(mainnet({ SPONSOR_RENT_LAMPORTS: "40000000" }))).to.deep.equal([]);
    expect(faulty(mainnet({ ONBOARD_RENT_LAMPORTS: "-1" }))).to.deep.equal(["ONBOARD_RENT_LAMPORTS"]);
  });

  it("makes few accounts of new wallets a day for one client, but where lamports are free", () => {
    expect(read().config.onboardAccountsPerDayPerClient).to.equal(100);
    expect(read(mainnet()).config.onboardAccountsPerDayPerClient).to.equal(5);
    expect(read(mainnet({ ONBOARD_ACCOUNTS_PER_DAY_PER_CLIENT: "0" })).config.onboardAccountsPerDayPerClient).to.equal(
      0,
    );
    expect(faulty(mainnet({ ONBOARD_ACCOUNTS_PER_DAY_PER_CLIENT: "x" }))).to.deep.equal([
      "ONBOARD_ACCOUNTS_PER_DAY_PER_CLIENT",
    ]);
  });

  it("reads keys in the forms that they come in, from variables and files", () => {
    const file = join(dataDir, "key.json");
    writeFileSync(file, `${json(keys.feePayer)}\n`);
    const addresses = (environment: Record<string, string>) =>
      read(mainnet({ FEE_PAYER_KEYS: "", ...environment })).config.feePayers.map((signer) => signerAddress(signer));
    const first = keys.feePayer.publicKey.toBase58();
    const second = keys.second.publicKey.toBase58();
    expect(addresses({ FEE_PAYER_KEYS: json(keys.feePayer) })).to.deep.equal([first]);
    expect(addresses({ FEE_PAYER_KEYS: `${json(keys.feePayer)}, ${json(keys.second)}` })).to.deep.equal([
      first,
      second,
    ]);
    expect(addresses({ FEE_PAYER_KEYS: `[${json(keys.feePayer)},${json(keys.second)}]` })).to.deep.equal([
      first,
      second,
    ]);
    expect(addresses({ FEE_PAYER_KEY_FILES: file })).to.deep.equal([first]);
    expect(addresses({ FEE_PAYER_KEYS: base58(keys.second), FEE_PAYER_KEY_FILES: file })).to.deep.equal([
      second,
      first,
    ]);
    const secret = join(dataDir, "secret");
    writeFileSync(secret, `${"y".repeat(40)}\n`);
    expect(read(mainnet({ SECRET: "", SECRET_FILE: secret })).config.secret).to.equal("y".repeat(40));
  });

  it("takes signers in the place of keys, as of a KMS", () => {
    const signer = { publicKey: keys.feePayer.publicKey, signTransaction: async <T>(transaction: T) => transaction };
    const { config } = readConfig(mainnet({ FEE_PAYER_KEYS: "" }), { feePayers: [signer as never] });
    expect(config.feePayers[0]).to.equal(signer);
  });

  it("says of each variable what is wrong with it, all at once", () => {
    expect(faulty({ PORT: "http", FEE_BPS: "10000", MPPSOL_NETWORK: "testnet", LOG_LEVEL: "loud" })).to.have.members([
      "PORT",
      "FEE_BPS",
      "MPPSOL_NETWORK",
      "LOG_LEVEL",
    ]);
    for (const { variable, problem } of problems({ PORT: "65536", RPC_URLS: "ftp://x" })) {
      expect(problem, variable).to.match(/^must /);
    }
  });

  it("says all that is wrong at once: what is misspelt, what cannot be read, keys, and what does not go together", () => {
    const environment = mainnet({
      PORT: "http",
      MIN_DEPOSIT: "1e6",
      SELLER: "x",
      RPC_URLS: "",
      HOST: "0.0.0.0",
      PUBLIC_URL: "http://pay.example",
      MINTS: "usdc",
      FEE_PAYER_KEYS: json(keys.settlement),
      OPERATOR_KEY: "x",
      SECRET: "short",
    });
    expect(faulty(environment)).to.have.members([
      "PORT",
      "MIN_DEPOSIT",
      "SELLER",
      "RPC_URLS",
      "HOST",
      "PUBLIC_URL",
      "MINTS",
      "SETTLEMENT_KEY",
      "OPERATOR_KEY",
      "SECRET",
    ]);
  });

  it("says of a variable what is wrong with it, not what that leads to", () => {
    expect(faulty(mainnet({ RPC_URLS: "ftp://x", DATABASE_URL: "mysql://x", PUBLIC_URL: "" }))).to.have.members([
      "RPC_URLS",
      "DATABASE_URL",
      "PUBLIC_URL",
    ]);
    // Whatever that network is, a database shares its keys.
    const unknown = { ...mainnet(), MPPSOL_NETWORK: "testnet", SETTLEMENT_KEY: "", PUBLIC_URL: "", HOST: "::" };
    expect(faulty(unknown)).to.have.members(["MPPSOL_NETWORK", "SETTLEMENT_KEY", "HOST"]);
  });

  it("makes no keys as long as anything is wrong", () => {
    expect(faulty({ PORT: "http" })).to.deep.equal(["PORT"]);
    expect(faulty({ OPERATOR_KEY: "x" })).to.deep.equal(["OPERATOR_KEY"]);
    expect(existsSync(join(dataDir, "keys"))).to.equal(false);
  });

  it("says so when there can be no folder for keys", () => {
    const file = join(dataDir, "file");
    writeFileSync(file, "");
    const [problem, ...others] = problems({ MPPSOL_DATA_DIR: file });
    expect([problem?.variable, others]).to.deep.equal(["MPPSOL_DATA_DIR", []]);
    expect(problem?.problem).to.match(/^must be a folder .*(ENOTDIR|EEXIST)/);
    read();
    writeFileSync(join(dataDir, "keys", "operator.json"), "[1]");
    expect(faulty(mainnet()), "a key of development that cannot be compared").to.deep.equal(["MPPSOL_DATA_DIR"]);
  });

  it("takes mainnet for mainnet-beta, and calls it that", () => {
    expect(read(mainnet({ MPPSOL_NETWORK: "mainnet" })).config.network).to.equal("mainnet");
    for (const MPPSOL_NETWORK of ["mainnet", "mainnet-beta"]) {
      const without = { RPC_URLS: "", DATABASE_URL: "", PUBLIC_URL: "", SECRET: "" };
      for (const { variable, problem } of problems(mainnet({ MPPSOL_NETWORK, ...without }))) {
        expect(problem.replaceAll("mainnet-beta", ""), variable).to.not.include("mainnet");
      }
    }
    expect(problems({ MPPSOL_NETWORK: "testnet" })[0]?.problem).to.include("mainnet-beta (mainnet is the same)");
  });

  describe("of variables that look like ours", () => {
    const doubtful = (names: Record<string, string>) =>
      read(names).doubtful.map(({ variable, problem }) => `${variable} ${problem}`);

    for (const [name, meant] of [
      ["RPC_URL", "RPC_URLS"],
      ["DATABASE_ULR", "DATABASE_URL"],
      ["DATABASE_URI", "DATABASE_URL"],
      ["DATABASE_URL_FILE", "DATABASE_URL"],
      ["MINT", "MINTS"],
      ["GRACE_PERIOD", "GRACE_PERIOD_SECONDS"],
      ["GRACE_PERIOD_SECS", "GRACE_PERIOD_SECONDS"],
      ["GRACE_PERIOD_MS", "GRACE_PERIOD_SECONDS"],
      ["IDLE_TIMEOUT", "IDLE_TIMEOUT_SECONDS"],
      ["RATE_LIMIT", "RATE_LIMIT_PER_MINUTE"],
      ["REDIS_URI", "REDIS_URL"],
      ["LOGLEVEL", "LOG_LEVEL"],
      ["TRUSTED_PROXY", "TRUST_PROXY"],
      ["MPPSOL_NETWROK", "MPPSOL_NETWORK"],
      ["MPPSOL_DATADIR", "MPPSOL_DATA_DIR"],
      ["MPPSOL_PORT", "PORT"],
      ["MPPSOL_SECRET", "SECRET"],
      ["DATA_DIR", "MPPSOL_DATA_DIR"],
      ["NETWORK", "MPPSOL_NETWORK"],
      ["rpc_urls", "RPC_URLS"],
      ["ADMIN_PROT", "ADMIN_PORT"],
      ["PUBLIC_ULR", "PUBLIC_URL"],
      ["MIN_DEPOSITS", "MIN_DEPOSIT"],
    ] as const) {
      it(`points ${name} out, and goes on`, () => {
        expect(doubtful({ [name]: "1" })).to.deep.equal([`${name} is not read; is ${meant} meant?`]);
      });
    }

    it("says which one is meant where it is refused", () => {
      expect(problems({ FEE_PAYER_KEY: "x" })[0]?.problem).to.match(/; is FEE_PAYER_KEYS meant\?$/);
    });

    it("is silent about ordinary environments", () => {
      const names = `PATH HOME USER SHELL PWD OLDPWD SHLVL TERM LANG LC_ALL TZ HOSTNAME HOSTTYPE LOGNAME MAIL EDITOR
        PORTS HOSTS SECRETS PORT_RANGE HOST_IP SECRET_KEY SECRET_KEY_BASE SECRET_NAME NODE_ENV NODE_OPTIONS NODE_VERSION
        NODE_PATH YARN_VERSION PGHOST PGPORT PGDATABASE PGUSER PGPASSWORD PGDATA PGSSLMODE POSTGRES_PASSWORD POSTGRES_USER
        POSTGRES_DB DATABASE_HOST DATABASE_USER DATABASE_NAME REDIS_HOST REDIS_PORT REDIS_PASSWORD npm_config_registry
        npm_package_name npm_lifecycle_event npm_config_user_agent INIT_CWD COLOR CI GITHUB_TOKEN GITHUB_ACTIONS
        KUBERNETES_PORT KUBERNETES_SERVICE_HOST KUBERNETES_SERVICE_PORT KUBERNETES_SERVICE_PORT_HTTPS
        KUBERNETES_PORT_443_TCP KUBERNETES_PORT_443_TCP_PROTO KUBERNETES_PORT_443_TCP_PORT KUBERNETES_PORT_443_TCP_ADDR
        POD_NAME POD_IP NAMESPACE http_proxy https_proxy no_proxy HTTP_PROXY NO_PROXY SSH_AUTH_SOCK XDG_RUNTIME_DIR
        XDG_SESSION_ID DISPLAY INVOCATION_ID JOURNAL_STREAM NOTIFY_SOCKET MEMORY_LIMIT CPU_LIMIT PUBLIC_KEY PUBLIC_DIR
        ADMIN_PASSWORD ADMIN_EMAIL ADMIN_USER MPPSOL_POSTGRES_BIN MPPSOL_HOME LOG_FILE LOG_FORMAT MAX_OPEN_FILES _`;
      expect(doubtful(Object.fromEntries(names.split(/\s+/).map((name) => [name, "1"])))).to.deep.equal([]);
      // Of services that are called so, wherever those run.
      const services = {
        SELLER_SERVICE_HOST: "10.0.0.1",
        SELLER_SERVICE_PORT_HTTP: "80",
        SELLER_PORT: "tcp://10.0.0.1:80",
        SELLER_PORT_80_TCP_ADDR: "10.0.0.1",
      };
      expect(doubtful(services)).to.deep.equal([]);
    });

    it("is silent about its own", () => {
      expect(doubtful({ ...mainnet(), PORT: "0", LOG_LEVEL: "info" })).to.deep.equal([]);
    });
  });

  it("has an admin port where that is said, on loopback unless that is said, and no contradictions", () => {
    expect(read().config).to.not.have.any.keys("admin", "publicMetrics");
    expect(read(mainnet({ ADMIN_PORT: "9402" })).config.admin).to.deep.equal({ host: "127.0.0.1", port: 9402 });
    expect(read(mainnet({ ADMIN_PORT: "0", ADMIN_HOST: "10.0.0.1" })).config.admin).to.include({ host: "10.0.0.1" });
    expect(read(mainnet({ ALLOW_PUBLIC_METRICS: "1" })).config.publicMetrics).to.equal(true);
    expect(faulty({ ADMIN_PORT: "9402", ADMIN_HOST: "0.0.0.0" })).to.deep.equal(["ADMIN_HOST"]);
    expect(faulty({ ADMIN_HOST: "10.0.0.1" }), "an address of no port").to.deep.equal(["ADMIN_HOST"]);
    expect(faulty({ ADMIN_PORT: "8402" }), "that of everybody").to.deep.equal(["ADMIN_PORT"]);
    expect(faulty({ PORT: "0", ADMIN_PORT: "0" })).to.deep.equal([]);
    expect(faulty({ ADMIN_PORT: "9402", ALLOW_PUBLIC_METRICS: "1" })).to.deep.equal(["ALLOW_PUBLIC_METRICS"]);
    expect(faulty({ ADMIN_PORT: "9402", ALLOW_PUBLIC_METRICS: "0" })).to.deep.equal([]);
  });

  for (const [what, change, variable] of [
    ["mainnet without nodes", { RPC_URLS: "" }, "RPC_URLS"],
    ["PGlite on mainnet", { DATABASE_URL: "" }, "DATABASE_URL"],
    ["mainnet without a fee payer", { FEE_PAYER_KEYS: "" }, "FEE_PAYER_KEYS"],
    ["mainnet without a settlement key", { SETTLEMENT_KEY: "" }, "SETTLEMENT_KEY"],
    ["mainnet without an operator key", { OPERATOR_KEY: "" }, "OPERATOR_KEY"],
    ["mainnet without a secret", { SECRET: "" }, "SECRET"],
    ["mainnet without a public URL", { PUBLIC_URL: "" }, "PUBLIC_URL"],
    ["a public URL without TLS on mainnet", { PUBLIC_URL: "http://pay.example" }, "PUBLIC_URL"],
    ["a public URL that is none", { PUBLIC_URL: "pay.example" }, "PUBLIC_URL"],
    ["a public URL with a password", { PUBLIC_URL: "https://u:p@pay.example" }, "PUBLIC_URL"],
    ["a short secret", { SECRET: "x".repeat(31) }, "SECRET"],
    ["a priority fee that no charge is worth", { MAX_PRIORITY_LAMPORTS: "20001" }, "MAX_PRIORITY_LAMPORTS"],
    ["a share that leaves nothing to the seller", { FEE_BPS: "10000" }, "FEE_BPS"],
    ["every network", { HOST: "0.0.0.0" }, "HOST"],
    ["every network of IPv6", { HOST: "::" }, "HOST"],
    ["a mint that is no address", { MINTS: "usdc" }, "MINTS"],
    ["a mint twice", { MINTS: `${USDC_MINT},${USDC_MINT}` }, "MINTS"],
    ["a grace period in which nobody can cash a voucher", { GRACE_PERIOD_SECONDS: "60" }, "GRACE_PERIOD_SECONDS"],
    ["a grace period that leaves no time for the notice", { GRACE_PERIOD_SECONDS: "199" }, "GRACE_PERIOD_SECONDS"],
    ["a database that is no Postgres", { DATABASE_URL: "mysql://host/db" }, "DATABASE_URL"],
    ["a node that is no URL", { RPC_URLS: "one.example" }, "RPC_URLS"],
    ["a negative amount", { MIN_DEPOSIT: "-1" }, "MIN_DEPOSIT"],
    ["an amount with a point", { MIN_DEPOSIT: "1.5" }, "MIN_DEPOSIT"],
    ["an amount in other digits", { SPONSOR_LAMPORTS_PER_DAY: "1e9" }, "SPONSOR_LAMPORTS_PER_DAY"],
    ["a variable that is misspelt", { FEE_PAYER_KEY: "x" }, "FEE_PAYER_KEY"],
    ["a key that is none", { OPERATOR_KEY: "x" }, "OPERATOR_KEY"],
    ["a key file that is not there", { SETTLEMENT_KEY: "", SETTLEMENT_KEY_FILE: "/nowhere" }, "SETTLEMENT_KEY"],
  ] as const) {
    it(`refuses ${what}`, () => {
      expect(faulty(mainnet(change)), JSON.stringify(problems(mainnet(change)))).to.deep.equal([variable]);
    });
  }

  it("takes what is said to be meant", () => {
    expect(faulty(mainnet({ DATABASE_URL: "", ALLOW_PGLITE_ON_MAINNET: "1" }))).to.be.empty;
    expect(faulty(mainnet({ HOST: "0.0.0.0", ALLOW_PUBLIC_HOST: "1" }))).to.be.empty;
    expect(faulty(mainnet({ HOST: "0.0.0.0", ALLOW_PUBLIC_HOST: "0" }))).to.deep.equal(["HOST"]);
  });

  it("refuses one key in two roles, whichever they are", () => {
    const same = base58(keys.operator);
    expect(faulty(mainnet({ SETTLEMENT_KEY: same }))).to.deep.equal(["OPERATOR_KEY"]);
    expect(faulty(mainnet({ FEE_PAYER_KEYS: same }))).to.deep.equal(["OPERATOR_KEY"]);
    expect(faulty(mainnet({ FEE_PAYER_KEYS: json(keys.settlement) }))).to.deep.equal(["SETTLEMENT_KEY"]);
    expect(faulty(mainnet({ FEE_PAYER_KEYS: `${base58(keys.second)},${base58(keys.second)}` }))).to.deep.equal([
      "FEE_PAYER_KEYS",
    ]);
  });

  it("refuses a database that outlives the chain", () => {
    const { FEE_PAYER_KEYS, SETTLEMENT_KEY, OPERATOR_KEY, SECRET } = mainnet();
    const given = { FEE_PAYER_KEYS, SETTLEMENT_KEY, OPERATOR_KEY, SECRET };
    expect(faulty({ DATABASE_URL: "postgresql://host/db", ...given })).to.deep.equal(["RPC_URLS"]);
  });

  it("makes no keys where other instances would make others", () => {
    const environment = { RPC_URLS: "http://127.0.0.1:8899", DATABASE_URL: "postgresql://host/db" };
    expect(faulty(environment)).to.deep.equal(["FEE_PAYER_KEYS", "SETTLEMENT_KEY", "OPERATOR_KEY", "SECRET"]);
    expect(faulty({ RPC_URLS: environment.RPC_URLS })).to.be.empty;
  });

  it("refuses on mainnet what was made for development, whatever way it comes", () => {
    read();
    const path = join(dataDir, "keys", "settlement.json");
    for (const change of [
      { SETTLEMENT_KEY: "", SETTLEMENT_KEY_FILE: path },
      { SETTLEMENT_KEY: readFileSync(path, "utf8") },
    ]) {
      const [problem] = problems(mainnet(change));
      expect(problem?.problem).to.match(/made for development/);
    }
  });

  it("refuses the keys of localnet, which everybody has, anywhere else", () => {
    const key = base58(localKey("funded-1"));
    expect(faulty(mainnet({ FEE_PAYER_KEYS: key }))).to.deep.equal(["FEE_PAYER_KEYS"]);
    expect(faulty({ FEE_PAYER_KEYS: key })).to.be.empty;
  });

  it("never says a secret, whatever is wrong", () => {
    const secrets = {
      FEE_PAYER_KEYS: `${base58(keys.feePayer)}1`,
      SETTLEMENT_KEY: json(keys.settlement).replace("[", "[300,"),
      OPERATOR_KEY: base58(Keypair.generate()).replace(/./, "1"),
      DATABASE_URL: "mysql://user:swordfish@host",
      REDIS_URL: "http://:swordfish@host",
      SECRET: "swordfish",
      RPC_URLS: "ftp://rpc.example/swordfish",
    };
    const said = (environment: Record<string, string>) => {
      try {
        read(mainnet(environment));
      } catch (error) {
        return String(error) + JSON.stringify((error as ConfigurationError).problems);
      }
      throw new Error("nothing was refused");
    };
    const known = [keys.feePayer, keys.settlement].flatMap((key) => [
      base58(key).slice(0, 20),
      key.secretKey.slice(0, 8).join(","),
    ]);
    for (const [name, value] of Object.entries(secrets)) {
      const text = said({ [name]: value });
      for (const part of ["swordfish", ...known]) expect(text, name).to.not.include(part);
    }
  });

  it("has the same rules for whoever makes it by hand", () => {
    const { config } = read();
    const codes = (change: Partial<Config>) => {
      try {
        checkConfig({ ...config, ...change });
      } catch (error) {
        return (error as ConfigurationError).problems.map(({ variable }) => variable);
      }
      return [];
    };
    expect(codes({})).to.be.empty;
    expect(codes({ maxPriorityLamports: 20_001n })).to.deep.equal(["MAX_PRIORITY_LAMPORTS"]);
    expect(codes({ maxPriorityLamports: -1n })).to.deep.equal(["MAX_PRIORITY_LAMPORTS"]);
    expect(codes({ feeBps: 0.5 })).to.deep.equal(["FEE_BPS"]);
    expect(codes({ settlementKey: config.feePayers[0] })).to.deep.equal(["SETTLEMENT_KEY"]);
    expect(codes({ network: "mainnet", publicUrl: "https://a.example", databaseDir: undefined })).to.deep.equal([
      "DATABASE_URL",
    ]);
  });

  it("tells no variable in its help that it does not read, and none twice", () => {
    const names = VARIABLES.map(({ name }) => name);
    expect(new Set(names).size).to.equal(names.length);
    for (const { name, secret } of VARIABLES) {
      expect(/(^SECRET|_KEY|_KEYS|DATABASE_URL|REDIS_URL)$/.test(name), name).to.equal(secret === true);
    }
  });
});
