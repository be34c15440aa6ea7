// The command line: what it prints, and one clear line with exit code 2 for what it refuses.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Connection, Keypair, PublicKey } from "@solana/web3.js";
import { expect } from "chai";
import { CliError, readArguments } from "../../sdk/localnet/src/cli-arguments.ts";
import { Localnet, LocalnetError, localKey } from "../../sdk/localnet/src/index.ts";
import { call } from "./helpers.ts";

const CLI = fileURLToPath(new URL("../../sdk/localnet/src/cli.ts", import.meta.url));
const PROGRAM = "Mppso1Loca1netTest1111111111111111111111111";

const run = (...flags: string[]): ChildProcess => spawn(process.execPath, ["--import", "tsx", CLI, ...flags]);

async function finished(...flags: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const child = run(...flags);
  let out = "";
  let err = "";
  child.stdout?.on("data", (chunk) => {
    out += chunk;
  });
  child.stderr?.on("data", (chunk) => {
    err += chunk;
  });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, out, err };
}

/** What the command line does before it serves; gives what that threw. */
async function attempt(flags: string[]): Promise<unknown> {
  try {
    const options = readArguments(flags);
    if (options !== "help") await (await Localnet.start({ ...options, port: 0 })).close();
    return undefined;
  } catch (error) {
    return error;
  }
}

describe("command line of localnet", function () {
  this.timeout(60_000);
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "mppsol-localnet-"));
  });
  after(() => rmSync(folder, { recursive: true }));

  it("starts, prints the URL, the keys and the mint, and stops on SIGTERM", async () => {
    const source = await Localnet.start({ slotTime: "manual" });
    const ata = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL";
    const { value } = (await call(source, "getAccountInfo", ata, { encoding: "base64" })).result;
    await source.close();
    const file = join(folder, "program.so");
    writeFileSync(file, Buffer.from(value.data[0], "base64"));

    const child = run("--port", "0", "--program", `${PROGRAM}=${file}`, "--keys", "2", "--usdc", "25", "--json");
    const line = await new Promise<string>((resolve) => child.stdout?.once("data", (data) => resolve(data.toString())));
    const printed = JSON.parse(line);
    expect(printed).to.have.keys("url", "wsUrl", "usdcMint", "payer", "keys");
    expect(printed.payer).to.equal(printed.keys[0].address).and.equal(localKey("payer").publicKey.toBase58());
    expect(printed.keys.length).to.equal(3);
    const connection = new Connection(printed.url, "processed");
    expect((await connection.getAccountInfo(new PublicKey(PROGRAM)))?.executable).to.equal(true);
    const key = Keypair.fromSecretKey(Uint8Array.from(JSON.parse(printed.keys[0].secretKey)));
    expect(key.publicKey.toBase58()).to.equal(printed.keys[0].address);
    const held = await connection.getTokenAccountsByOwner(key.publicKey, { mint: new PublicKey(printed.usdcMint) });
    expect(held.value.length).to.equal(1);
    const code = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    expect(await code).to.equal(0);
  });

  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    it(`says which key is the payer, for people too, and stops on ${signal}`, async () => {
      const child = run("--port", "0", "--keys", "1");
      const out = await new Promise<string>((resolve) => child.stdout?.once("data", (data) => resolve(`${data}`)));
      expect(out).to.include(`\n  payer     ${localKey("payer").publicKey.toBase58()}  [`);
      expect(out).to.include(`\n  funded 1  ${localKey("funded-1").publicKey.toBase58()}  [`);
      const code = new Promise((resolve) => child.once("exit", resolve));
      child.kill(signal);
      expect(await code).to.equal(0);
    });
  }

  it("says how to build it when it is not built, and ends with 2", () => {
    const bin = join(folder, "bin");
    mkdirSync(bin);
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    const script = join(bin, "mppsol-localnet.js");
    copyFileSync(fileURLToPath(new URL("../../sdk/localnet/bin/mppsol-localnet.js", import.meta.url)), script);
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, "--help"], { encoding: "utf8" });
    expect([status, stdout, stderr]).to.deep.equal([2, "", "mppsol-localnet: it is not built; run: npm run build\n"]);
  });

  it("prints its help", async () => {
    const { code, out } = await finished("--help");
    expect(code).to.equal(0);
    expect(out).to.include("--program ID=FILE");
  });

  const text = () => {
    const file = join(folder, "text.so");
    writeFileSync(file, "not a program ".repeat(20));
    return file;
  };
  const negative = (message: string) => (flags: string) =>
    [`a negative number, ${flags}`, () => flags.split(" "), message] as [string, () => string[], string];
  const cases: readonly [string, () => string[], string][] = [
    ["an unknown flag", () => ["--nope"], "Unknown option '--nope'"],
    ["a stray argument", () => ["serve"], "Unexpected argument 'serve'"],
    ["a flag without its value", () => ["--port"], "argument missing"],
    ["a port that is no number", () => ["--port", "http"], '--port "http" is not a whole number from 0 to 65534'],
    ["a port out of range", () => ["--port", "70000"], '--port "70000" is not a whole number from 0 to 65534'],
    ["a program without a file", () => ["--program", PROGRAM], `--program "${PROGRAM}" is not ID=FILE`],
    ["a program id that is no address", () => ["--program", "x=y.so"], 'program id "x" is not an address'],
    [
      "a missing file",
      () => ["--program", `${PROGRAM}=/nonexistent.so`],
      "can't read program file /nonexistent.so: ENOENT",
    ],
    ["a file that is no program", () => ["--program", `${PROGRAM}=${text()}`], "is not an ELF file"],
    ["a slot time that is too short", () => ["--slot-time", "1"], '--slot-time "1" is neither "manual" nor'],
    ["a flag for a value", () => ["--port", "--json"], "Option '--port' argument is ambiguous"],
    ...["--keys=-1", "--keys -1"].map(negative('--keys "-1" is not a whole number from 0 to 1000')),
    ...["--port=-1", "--port -1"].map(negative('--port "-1" is not a whole number from 0 to 65534')),
    ...["--usdc=-1", "--usdc -1"].map(negative('--usdc "-1" is not a whole number from 0 to 1000000000')),
    ...["--slot-time=-1", "--slot-time -1"].map(
      negative('--slot-time "-1" is neither "manual" nor a whole number from 10 to 3600000'),
    ),
  ];
  for (const [name, flags, message] of cases) {
    it(`refuses ${name} in one line`, async () => {
      const error = await attempt(flags());
      expect(error instanceof CliError || error instanceof LocalnetError).to.equal(true);
      expect((error as Error).message)
        .to.include(message)
        .and.not.include("\n");
    });
  }

  for (const index of [0, 8]) {
    it(`exits with code 2 and prints that line only, for ${cases[index]![0]}`, async () => {
      const { code, out, err } = await finished(...cases[index]![1]());
      expect(err)
        .to.match(/^mppsol-localnet: .*\n$/)
        .and.include(cases[index]![2]);
      expect(out).to.equal("");
      expect(code).to.equal(2);
    });
  }

  it("refuses a program id that is not text, by name, at start and later", async () => {
    const id = new PublicKey(PROGRAM) as unknown as string;
    const refused = (error: unknown) => {
      expect(error).to.be.instanceOf(LocalnetError);
      expect((error as Error).message).to.match(/^a program id must be base58 text: .*toBase58\(\)/);
    };
    refused(await Localnet.start({ programs: [{ id, file: text() }] }).catch((error: unknown) => error));
    const chain = await Localnet.start({ slotTime: "manual" });
    try {
      chain.addProgram(id, new Uint8Array());
      expect.fail("it was taken");
    } catch (error) {
      refused(error);
    } finally {
      await chain.close();
    }
  });

  it("refuses a port that is taken", async () => {
    const other = await Localnet.start({ slotTime: "manual" });
    const { code, err } = await finished("--port", new URL(other.url).port);
    await other.close();
    expect(code).to.equal(2);
    expect(err).to.match(/^mppsol-localnet: port \d+ or \d+ is in use\n$/);
  });
});
