// The configuration: what an environment makes of it, and what is refused.
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
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
