// A real Postgres for tests: a cluster of its own in a temporary directory, on a socket, gone with the process.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";

/** Waits for the end of its input, which comes with the end of this process however it ends; then stops and cleans up. */
const KEEPER = `
"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=on -c synchronous_commit=on -c max_connections=60 >"$2/log" 2>&1 &
read -r how
kill -"\${how:-QUIT}" $! 2>/dev/null
wait
[ "$how" = KILL ] || rm -rf "$2"
`;

export class PostgresCluster {
  readonly #bin: string;
  readonly #directory: string;
  #keeper: ChildProcess;
  #databases = 0;

  private constructor(bin: string, directory: string) {
    this.#bin = bin;
    this.#directory = directory;
    this.#keeper = this.#start();
  }

  /** Makes a cluster and starts it. @throws when there are no server binaries: see `missing`. */
  static async create(): Promise<PostgresCluster> {
    const bin = binaries();
    if (bin === undefined) throw new Error(MISSING);
    const directory = mkdtempSync(join(tmpdir(), "mppsol-pg-"));
    const account = unprivileged();
    if (account !== undefined) chownSync(directory, account.uid, account.gid);
    chmodSync(directory, 0o700);
    const initdb = ["-D", join(directory, "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale"];
    execFileSync(join(bin, "initdb"), [...initdb, "--no-sync"], { stdio: "pipe", cwd: directory, ...account });
    const cluster = new PostgresCluster(bin, directory);
    await cluster.#ready();
    return cluster;
  }

  /** For a database of the cluster. */
  connectionString(database = "postgres"): string {
    return `postgresql://postgres@/${database}?host=${encodeURIComponent(this.#directory)}`;
  }

  /** Makes an empty database; its connection string. */
  async database(): Promise<string> {
    const name = `test_${++this.#databases}`;
    await this.#query(`CREATE DATABASE ${name}`);
    return this.connectionString(name);
  }

  /** Ends the connections to a database, as a failing network would, but not that of `spared`. How many they were. */
  async disconnect(connectionString: string, spared = 0): Promise<number> {
    const name = connectionString.match(/@\/([^?]+)/)?.[1];
    const ended = await this.#query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = '${name}' AND pid <> ${spared}`,
    );
    return ended.length;
  }

  /** Kills all of the server's processes and starts it again: what was not on disk is gone. */
  async crash(): Promise<void> {
    await this.#stop("KILL");
    for (const pid of this.pids()) kill(pid);
    await this.#startAgain();
  }

  /** The server's processes. */
  pids(): number[] {
    const file = join(this.#directory, "data", "postmaster.pid");
    if (!existsSync(file)) return [];
    const postmaster = Number(readFileSync(file, "utf8").split("\n")[0]);
    const children = readdirSync("/proc").filter((name) => /^[0-9]+$/.test(name) && parentOf(name) === postmaster);
    return [postmaster, ...children.map(Number)];
  }

  async stop(): Promise<void> {
    await this.#stop("QUIT");
  }

  #start(): ChildProcess {
    const keeper = spawn("/bin/sh", ["-c", KEEPER, "sh", this.#bin, this.#directory], {
      stdio: ["pipe", "ignore", "ignore"],
      cwd: this.#directory,
      // Out of reach of what a terminal sends to all processes in it: it must live to clean up.
      detached: true,
      ...unprivileged(),
    });
    // Neither of them keeps this process alive.
    keeper.unref();
    (keeper.stdin as unknown as { unref(): void }).unref();
    return keeper;
  }

  async #startAgain(): Promise<void> {
    this.#keeper = this.#start();
    await this.#ready();
  }

  async #stop(signal: "KILL" | "QUIT"): Promise<void> {
    const keeper = this.#keeper;
    keeper.ref();
    const ended = new Promise((resolve) => keeper.once("exit", resolve));
    keeper.stdin?.end(`${signal}\n`);
    await ended;
  }

  async #ready(): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      try {
        await this.#query("SELECT 1");
        return;
      } catch (error) {
        if (attempt === 300) throw new Error(`Postgres does not start:\n${this.#log()}`, { cause: error });
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }

  async #query(text: string): Promise<unknown[]> {
    const client = new pg.Client({ connectionString: this.connectionString() });
    client.on("error", () => {});
    await client.connect();
    try {
      return (await client.query(text)).rows;
    } finally {
      await client.end();
    }
  }

  #log(): string {
    const file = join(this.#directory, "log");
    return existsSync(file) ? readFileSync(file, "utf8") : "";
  }
}

const MISSING = "no Postgres server here (initdb in PATH, MPPSOL_POSTGRES_BIN or /usr/lib/postgresql/*/bin)";

let shared: Promise<PostgresCluster> | undefined;

/** One cluster for all tests of this process. Where there can be none, tests are pending, or fail if it is required. */
export async function postgres(context: { skip(): unknown; timeout(ms: number): unknown }): Promise<PostgresCluster> {
  if (binaries() === undefined && process.env.MPPSOL_REQUIRE_POSTGRES !== "1") {
    console.warn(`      pending: ${MISSING}`);
    context.skip();
  }
  context.timeout(60_000);
  shared ??= PostgresCluster.create();
  return shared;
}

/** Whether a server can be started here. */
export function hasPostgres(): boolean {
  return binaries() !== undefined;
}

/** The folder of the newest server's binaries. */
function binaries(): string | undefined {
  const given = process.env.MPPSOL_POSTGRES_BIN;
  const versions = existsSync("/usr/lib/postgresql") ? readdirSync("/usr/lib/postgresql") : [];
  const installed = versions
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => `/usr/lib/postgresql/${version}/bin`);
  const path = (process.env.PATH ?? "").split(":");
  return [...(given === undefined ? [] : [given]), ...installed, ...path].find((folder) =>
    ["initdb", "postgres"].every((name) => existsSync(join(folder, name))),
  );
}

/** Postgres refuses to run as root: the account `postgres` that came with it, or `nobody`. */
function unprivileged(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const accounts = readFileSync("/etc/passwd", "utf8").split("\n");
  const account =
    accounts.find((line) => line.startsWith("postgres:")) ?? accounts.find((l) => l.startsWith("nobody:"));
  const [, , uid, gid] = account?.split(":") ?? [];
  if (uid === undefined || gid === undefined) throw new Error("no account to run Postgres under");
  return { uid: Number(uid), gid: Number(gid) };
}

function parentOf(pid: string): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return undefined;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It is gone already.
  }
}
