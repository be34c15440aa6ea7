// The packages as `npm pack` makes them, installed outside of this repository: the service starts there and settles a charge.
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const WORKSPACES = ["sdk/core", "sdk/programs", "sdk/localnet", "sdk/server", "services/facilitator"];

interface Manifest {
  readonly name: string;
  readonly dependencies?: Record<string, string>;
}

/** Whatever installing them would bring, from what is installed here: no registry is asked. */
function install(app: string, tarballs: string): void {
  const packed = execFileSync(
    "npm",
    ["pack", "--json", "--pack-destination", tarballs, ...WORKSPACES.flatMap((path) => ["-w", path])],
    { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] },
  );
  const files = JSON.parse(packed) as { name: string; filename: string }[];
  for (const workspace of WORKSPACES) {
    const { name, dependencies = {} } = manifestOf(join(ROOT, workspace));
    const place = join(app, "node_modules", name);
    mkdirSync(place, { recursive: true });
    const file = files.find((one) => one.name === name)!.filename;
    execFileSync("tar", ["-xzf", join(tarballs, file), "-C", place, "--strip-components=1"]);
    for (const dependency of Object.keys(dependencies).filter((one) => !one.startsWith("@mppsol/"))) {
      link(dependency, join(ROOT, workspace), { app, place });
    }
  }
}

/** Beside all others where npm has it there, else below the package that needs it. */
function link(dependency: string, from: string, { app, place }: { app: string; place: string }): void {
  const own = join(from, "node_modules", dependency);
  const [found, into] = existsSync(own) ? [own, place] : [join(ROOT, "node_modules", dependency), app];
  const target = join(into, "node_modules", dependency);
  if (existsSync(target)) return;
  mkdirSync(dirname(target), { recursive: true });
  symlinkSync(realpathSync(found), target);
}

function manifestOf(path: string): Manifest {
  return JSON.parse(readFileSync(join(path, "package.json"), "utf8")) as Manifest;
}

describe("the packages of the facilitator, outside of this repository", () => {
  let directory: string;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), "facilitator-packed-"));
  });
  after(function () {
    this.timeout(60_000);
    rmSync(directory, { recursive: true, force: true });
  });

  it("start by themselves, settle a charge, and say when they go down", async function () {
    this.timeout(300_000);
    const app = join(directory, "app");
    install(app, directory);
    expect(existsSync(join(ROOT, "services/facilitator/artifacts")), "a copy that could grow old").to.equal(false);
    const bin = join(app, "node_modules/@mppsol/facilitator/bin/mppsol-facilitator.js");
    const { PATH } = process.env;
    const options = { cwd: app, env: { PATH, HOME: directory, MPPSOL_DATA_DIR: join(directory, "data") } };
    const service = spawn(process.execPath, [bin, "--port", "0"], options);
    let printed = "";
    for (const stream of [service.stdout, service.stderr]) {
      stream.on("data", (data: Buffer) => {
        printed += data.toString();
      });
    }
    const ended = new Promise<number | null>((resolve) => service.on("exit", resolve));
    try {
      while (!/^curl .*'\n/m.test(printed)) {
        if (service.exitCode !== null) throw new Error(printed);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      const url = printed.match(/at (http:\/\/[0-9.:]+)/)![1]!;
      const body = printed.match(/^curl .* -d '(.*)'$/m)![1]!;
      const paid = await fetch(`${url}/mpp/settle`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
      });
      expect(await paid.json()).to.include({ success: true, amount: "10000" });
      const readme = await fetch(`${url}/README.md`);
      expect([readme.status, (await readme.text()).startsWith("# @mppsol/facilitator")]).to.deep.equal([200, true]);
    } finally {
      service.kill("SIGINT");
    }
    expect(await ended).to.equal(0);
    expect(printed).to.match(/^mppsol-facilitator: SIGINT: going down; .*\nmppsol-facilitator: stopped\n$/m);
  });
});
