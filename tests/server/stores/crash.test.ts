// kill -9 between every two steps: nothing that was acknowledged is lost, nothing happens twice.
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pgliteStore, postgresStore, type Store } from "@mppsol/server/stores";
import { expect } from "chai";
import { postgres } from "../../support/postgres.js";
import { END, STORY, state } from "./crash/story.js";
import { channelOf } from "./values.js";

/** Where stores of one kind are kept. */
interface Place {
  /** A migrated, empty store; how it is named to a worker. */
  make(): Promise<string>;
  open(where: string): Store;
  remove(where: string): void;
}

/** Runs a script until it ends or `stop` says so, then kills it; the lines that it wrote. */
async function run(script: string, args: readonly string[], stop: (lines: number) => boolean = () => false) {
  const child = spawn(process.execPath, ["--import", "tsx", join(import.meta.dirname, "crash", script), ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
    if (stop(text.split("\n").length - 1)) child.kill("SIGKILL");
  });
  const killed = await new Promise<boolean>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (_, signal) => resolve(signal === "SIGKILL"));
  });
  // A line that is not whole was not said.
  return { killed, lines: text.split("\n").slice(0, -1) };
}

/**
 * The steps to die at. All of them; but of several in a row that leave the same files only the last, by which most was
 * acknowledged: the others leave nothing else to come back with, and less to answer for.
 */
function worthDying(lines: readonly string[], steps: number): number[] {
  const left = new Map(
    lines.flatMap((line) => {
      const [, step, contents] = line.match(/^at (\d+) there is (\w+)$/) ?? [];
      return step === undefined ? [] : [[Number(step), contents] as const];
    }),
  );
  const all = Array.from({ length: steps }, (_, i) => i + 1);
  return all.filter((step) => left.get(step) === undefined || left.get(step) !== left.get(step + 1));
}

function crashes(kind: "pglite" | "postgres", prepare: (context: Mocha.Context) => Promise<Place>): void {
  describe(`${kind}, killed`, function () {
    this.timeout(900_000);
    let place: Place;
    before(async function () {
      place = await prepare(this);
    });

    const within = async (work: (where: string) => Promise<void>) => {
      const where = await place.make();
      try {
        await work(where);
      } finally {
        place.remove(where);
      }
    };
    const opened = async (where: string, work: (store: Store) => Promise<void>) => {
      const store = place.open(where);
      try {
        await work(store);
      } finally {
        await store.close();
      }
    };

    it("at any step, comes back with what it acknowledged, and the story ends as if nothing had been", async () => {
      let steps = 0;
      let deaths: number[] = [];
      await within(async (where) => {
        const { lines } = await run("worker.ts", [kind, where, "0"]);
        steps = Number(lines.at(-1)?.match(/^told in (\d+) steps$/)?.[1]);
        deaths = worthDying(lines, steps);
        await opened(where, async (store) => {
          expect(await channelOf(store, "story")).to.include(END);
        });
      });
      expect(steps).to.be.greaterThan(30);
      expect(deaths.length).to.be.greaterThan(STORY.length);

      const dieAt = (step: number) =>
        within(async (where) => {
          const { killed, lines } = await run("worker.ts", [kind, where, `${step}`]);
          const death = lines.at(-1) ?? "";
          expect(killed, death).to.equal(true);
          expect(death).to.match(new RegExp(`^died at ${step}:`));
          await opened(where, async (store) => {
            const [channel, deliveries] = await state(store);
            for (const { name, happened } of STORY) {
              if (!lines.includes(`acknowledged ${name}`)) break;
              expect(happened(channel, deliveries), `${name}, acknowledged before it ${death}`).to.equal(true);
            }
            for (const { tell } of STORY) await tell(store);
            const [end, ends] = await state(store);
            expect(end, death).to.include(END);
            for (const { name, happened } of STORY) {
              expect(happened(end, ends), `${name} in the end, ${death}`).to.equal(true);
            }
          });
        });
      const killer = async () => {
        for (let step = deaths.shift(); step !== undefined; step = deaths.shift()) await dieAt(step);
      };
      await Promise.all([killer(), killer()]);
    });

    it("at any moment under load, again and again, has every spend that it acknowledged, once", async () => {
      await within(async (where) => {
        const acknowledged: [channelId: string, amount: bigint, key: string][] = [];
        for (let round = 0; round < 4; round++) {
          const enough = 30 + Math.floor(Math.random() * 150);
          const { killed, lines } = await run("load.ts", [kind, where, `${round}`], (count) => count >= enough);
          expect(killed).to.equal(true);
          for (const line of lines) {
            const [, channelId, amount, key] = line.match(/^(channel \d+) (\d+) (.*)$/) ?? [];
            acknowledged.push([channelId as string, BigInt(amount as string), key as string]);
          }
          await opened(where, async (store) => {
            for (const [channelId, amount, key] of acknowledged) {
              expect((await store.deliveries.get(channelId, key))?.debited).to.equal(1n);
              expect((await channelOf(store, channelId)).accepted >= amount).to.equal(true);
            }
            for (let i = 0; i < 10; i++) {
              // Each spend raises both by one: one that came twice, or by half, would show.
              const channel = await store.channels.get(`channel ${i}`);
              expect(channel?.spent).to.equal(channel?.accepted);
            }
          });
        }
        expect(acknowledged.length).to.be.greaterThan(100);
      });
    });
  });
}

crashes("postgres", async (context) => {
  const cluster = await postgres(context);
  return {
    async make() {
      const connectionString = await cluster.database();
      const store = postgresStore({ connectionString });
      await store.migrate();
      await store.close();
      return connectionString;
    },
    open: (connectionString) => postgresStore({ connectionString }),
    remove() {},
  };
});

crashes("pglite", async () => {
  const folder = mkdtempSync(join(tmpdir(), "mppsol-crash-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const made = join(folder, "made");
  const store = pgliteStore({ dataDir: made });
  await store.migrate();
  await store.close();
  let count = 0;
  return {
    async make() {
      const dataDir = join(folder, `${++count}`);
      cpSync(made, dataDir, { recursive: true });
      return dataDir;
    },
    open: (dataDir) => pgliteStore({ dataDir }),
    remove(dataDir) {
      rmSync(dataDir, { recursive: true, force: true });
      rmSync(`${dataDir}.lock`, { force: true });
    },
  };
});
