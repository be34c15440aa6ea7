// The facilitator's benchmark: that it measures what it says. How fast anything is, is not tested.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import fc from "fast-check";
import { BadArgument, PARTS, readArguments } from "../../bench/facilitator/arguments.js";
import { COUNT_LIMIT, HEAP_LEAST, HEAP_LIMIT, type Point, verdictOf } from "../../bench/facilitator/flat.js";
import { ACCEPTED } from "../../bench/facilitator/judges.js";
import { measurePolicy, type PolicyRow } from "../../bench/facilitator/policy.js";
import { type Parts, read, write } from "../../bench/facilitator/record.js";
import { faultsOf, tablesOf } from "../../bench/facilitator/report.js";
import { closedLoop, openLoop } from "../../bench/support/loops.js";
import { fitLine, quantile } from "../../bench/support/numbers.js";

const file = (name: string) => new URL(`../../bench/${name}`, import.meta.url);

describe("arguments of the facilitator's benchmark", () => {
  it("measure everything, at length, unless they say otherwise", () => {
    expect(readArguments([])).deep.equal({
      parts: PARTS,
      seconds: 20,
      rate: undefined,
      voucherRate: undefined,
      soakMinutes: 10,
      soakRate: 100,
      slotMs: 400,
      out: undefined,
      dry: false,
    });
  });

  it("that are dry are short, and can be told otherwise", () => {
    expect(readArguments(["--dry"])).include({ seconds: 1, soakMinutes: 0.1, dry: true });
    expect(readArguments(["--dry", "--seconds", "0.5", "--out", "x"])).include({ seconds: 0.5, out: "x" });
  });

  it("name parts, which are measured in their own order", () => {
    expect(readArguments(["--only", "soak,policy"])).deep.include({ parts: ["policy", "soak"] });
    expect(readArguments(["--help"])).equal("help");
  });

  for (const [args, message] of [
    ["--only nothing", "--only: there is no nothing"],
    ["--seconds 0", "--seconds: 0 is no number above 0"],
    ["--seconds x", "--seconds: x is no number above 0"],
    ["--rate Infinity", "--rate: Infinity is no number above 0"],
    ["--voucher-rate=-1", "--voucher-rate: -1 is no number above 0"],
    ["--slot-ms 9", "--slot-ms: 9 is no whole number from 10 on"],
    ["--slot-ms 10.5", "--slot-ms: 10.5 is no whole number from 10 on"],
    ["--nope", "Unknown option '--nope'"],
  ] as const) {
    it(`are refused in one line: ${args}`, () => {
      expect(() => readArguments(args.split(" ")))
        .throws(BadArgument, message)
        .property("message")
        .match(/^.+$/);
    });
  }
});

describe("load", () => {
  it("that is open does not wait for answers, and counts time from when each was due", async () => {
    let [underWay, most] = [0, 0];
    const found = await openLoop(40, 1_000, async () => {
      most = Math.max(most, ++underWay);
      await new Promise((resolve) => setTimeout(resolve, 100));
      underWay--;
      return true;
    });
    expect(most).above(20);
    expect(found).include({ rate: 1_000, count: 40, errors: 0 });
    expect(found.p50).least(99);
  });

  it("that is open counts a stall of the whole process on all that were due meanwhile", async () => {
    const stalled = await openLoop(100, 1_000, async (at) => {
      if (at !== 0) return true;
      const until = performance.now() + 200;
      while (performance.now() < until);
      return true;
    });
    // Those that were due in the first 100 of the 200 milliseconds have waited for 100 and more.
    expect(stalled.p50).above(50);
  });

  it("that is closed has so many under way and no more, and stops when its time is over", async () => {
    let [underWay, most] = [0, 0];
    const act = async (): Promise<boolean> => {
      most = Math.max(most, ++underWay);
      await new Promise((resolve) => setTimeout(resolve, 5));
      underWay--;
      return true;
    };
    expect(await closedLoop(20, 4, act)).include({ count: 20, errors: 0 });
    expect(most).equal(4);
    expect((await closedLoop(1_000_000, 4, act, 0.05)).count).below(1_000_000);
  });

  it("counts as errors what says no and what throws", async () => {
    const act = async (at: number): Promise<boolean> => {
      if (at % 4 === 0) throw new Error("no answer");
      return at % 4 !== 1;
    };
    expect(await closedLoop(8, 2, act)).include({ count: 8, errors: 4 });
    expect(await openLoop(8, 10_000, act)).include({ count: 8, errors: 4 });
  });
});

describe("numbers", () => {
  it("quantiles are values that were measured", () => {
    const values = Array.from({ length: 100 }, (_, at) => 100 - at);
    expect([0, 0.5, 0.95, 0.99, 1].map((share) => quantile(values, share))).deep.equal([1, 51, 96, 100, 100]);
    expect(quantile([], 0.5)).NaN;
  });

  it("a line through points on a line is that line, with no error", () => {
    const number = fc.integer({ min: -1_000, max: 1_000 });
    fc.assert(
      fc.property(number, number, fc.uniqueArray(number, { minLength: 3, maxLength: 50 }), (slope, offset, xs) => {
        const line = fitLine(xs.map((x) => [x, slope * x + offset]));
        expect(line.slope).closeTo(slope, 1e-6);
        expect(line.error).closeTo(0, 1e-3);
      }),
    );
  });

  it("a line through noise says how little it knows", () => {
    const { slope, error } = fitLine([1, -1, 1, -1, 1, -1].map((y, x) => [x, y]));
    expect(Math.abs(slope)).below(2 * error);
    expect(
      fitLine([
        [0, 1],
        [1, 2],
      ]).slope,
    ).NaN;
  });
});

describe("verdict on what a process holds", () => {
  const MIB = 2 ** 20;
  /** A hundred samples, 100 requests a second, with noise that is the same in every run. */
  function run(more: (at: number) => Partial<Point>): Point[] {
    return Array.from({ length: 100 }, (_, at) => ({
      seconds: 6 * (at + 1),
      requests: 600 * (at + 1),
      heapUsed: 80 * MIB + Math.sin(at * 7) * 0.2 * MIB,
      external: 5 * MIB,
      rss: 200 * MIB + Math.sin(at * 3) * 2 * MIB,
      descriptors: 40 + (at % 3),
      sockets: 20,
      handles: 30 + (at % 5),
      faults: 0,
      ...more(at),
    }));
  }

  it("is flat for what goes up and down, and for what grows at first only", () => {
    expect(verdictOf(run(() => ({})))).deep.include({ flat: true, grows: [] });
    const warming = run((at) => ({ heapUsed: (50 + Math.min(at, 40)) * MIB, descriptors: 40 }));
    expect(verdictOf(warming).flat).equal(true);
  });

  it("is not for an entry of a Map for each request, on the heap or outside of it", () => {
    for (const where of ["heapUsed", "external"] as const) {
      const verdict = verdictOf(run((at) => ({ [where]: 80 * MIB + 4 * HEAP_LIMIT * 600 * at })));
      expect(verdict.flat, where).equal(false);
      expect(verdict.heapPerRequest.slope, where).closeTo(4 * HEAP_LIMIT, 4);
      expect(verdict.grows.join(), where).contain("bytes a request");
    }
  });

  it("is flat for what is below either limit: a few bytes a request, or a heap that settles", () => {
    expect(verdictOf(run((at) => ({ heapUsed: 80 * MIB + 10 * 600 * at }))).flat).equal(true);
    const settling = run((at) => ({ heapUsed: 80 * MIB + at * 10_000, requests: 60 * at }));
    expect(settling.at(-1)!.heapUsed - settling[50]!.heapUsed).below(HEAP_LEAST);
    expect(verdictOf(settling).flat).equal(true);
  });

  it("is not for a process, descriptors or handles that grow", () => {
    const grows = (more: (at: number) => Partial<Point>) => verdictOf(run(more)).grows.join();
    expect(grows((at) => ({ rss: (200 + at) * MIB }))).contain("the process grows");
    expect(grows((at) => ({ descriptors: 40 + at }))).contain("descriptors");
    expect(grows((at) => ({ handles: 30 + (at >= 50 ? COUNT_LIMIT + 1 : 0) }))).contain("handles");
  });

  it("is none for a run that is too short", () => {
    expect(verdictOf(run(() => ({})).slice(0, 18)).flat).equal(undefined);
    expect(verdictOf([]).flat).equal(undefined);
  });
});

describe("policies side by side", () => {
  let rows: readonly PolicyRow[];
  before(async () => {
    rows = await measurePolicy({ rounds: 1, size: 4 });
  });

  it("ours takes what is valid and refuses every other case, each for its own reason", () => {
    const verdicts = Object.fromEntries(rows.map(({ id, judged }) => [id, judged[0]?.verdict]));
    expect(verdicts).deep.equal({
      "valid, 64 buyers and 8 sellers": ACCEPTED,
      "valid, every buyer and seller new": ACCEPTED,
      "pays less": "amount-mismatch",
      "pays somebody else": "transfer-unexpected",
      "a program that is not allowed": "instruction-unexpected",
      "spends the sponsor's tokens": "sponsor-account-used",
      "the buyer's signature is forged": "signature-invalid",
      "cut short": "transaction-encoding",
    });
  });
});

describe("what is kept of a run", () => {
  const recorded: Parts = read(file("facilitator.json"));

  it("has every part, with its date, its machine and its settings", () => {
    expect(Object.keys(recorded)).members([...PARTS]);
    for (const part of Object.values(recorded)) {
      expect(part.date).match(/^\d{4}-\d\d-\d\d$/);
      expect(part.machine.cores).above(0);
      expect(part.settings).an("object");
    }
  });

  it("has no faults, and its tables are those of the README", () => {
    expect(faultsOf(recorded)).deep.equal([]);
    const readme = readFileSync(fileURLToPath(file("README.md")), "utf8");
    for (const [part, text] of Object.entries(tablesOf(recorded))) expect(readme, part).contain(text);
  });

  it("keeps the parts that were not measured again", () => {
    const folder = mkdtempSync(join(tmpdir(), "mppsol-bench-"));
    try {
      const path = join(folder, "kept.json");
      const { policy, instances } = recorded;
      write(path, { policy: policy! });
      write(path, { instances: instances! });
      expect(read(path)).deep.equal({ policy, instances });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("is a fault where a charge has not landed, a voucher was refused, a client was lied to, or memory grows", () => {
    const { settlements, vouchers, soak, instances } = recorded as Required<Parts>;
    const { results } = settlements;
    const unlanded = { ...settlements, results: { ...results, landed: results.settled - 1 } };
    expect(faultsOf({ settlements: unlanded })).length(1);
    const refused = {
      ...vouchers,
      results: vouchers.results.map((one) => ({ ...one, otherwise: { "422 x": 1, "503 y": 1 } })),
    };
    expect(faultsOf({ vouchers: refused })).length(vouchers.results.length);
    const grown = { ...soak.results.verdict, flat: false, grows: ["it grows"] };
    expect(faultsOf({ soak: { ...soak, results: { ...soak.results, verdict: grown } } })).deep.equal([
      "soak: it grows",
    ]);
    expect(faultsOf({ instances: { ...instances, results: { ...instances.results, lies: ["a lie"] } } })).deep.equal([
      "a lie",
    ]);
  });
});
