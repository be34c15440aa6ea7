// What must hold before anything is sold, and what starts once it does.
import { expect } from "chai";
import { Readiness, type Task, whenReady } from "../../../sdk/server/src/readiness.ts";
import { createSweeper } from "../../../sdk/server/src/sweeper.ts";
import { until } from "../adapters/scenarios.ts";
import { FakeCharge } from "./fakes.ts";

function never(error: unknown): void {
  throw error;
}

class Counted implements Task {
  started = 0;
  stopped = 0;

  start(): void {
    this.started++;
  }

  async stop(): Promise<void> {
    this.stopped++;
  }
}

describe("the sweeper", () => {
  it("forgets what is older than is kept, now and then, until it is stopped, and survives a store that fails", async () => {
    const sweeps: number[][] = [];
    const errors: unknown[] = [];
    const deliveries = {
      sweep: async (before: number, now: number) => {
        sweeps.push([before, now]);
        if (sweeps.length === 2) throw new Error("store");
        return { deleted: 0, released: 0 };
      },
    };
    const options = { deliveries, retentionMs: 300, intervalMs: 1, now: () => 1_000 };
    const sweeper = createSweeper({ ...options, onError: (error) => errors.push(error) });
    sweeper.start();
    await until(() => sweeps.length >= 3);
    await sweeper.stop();
    const count = sweeps.length;
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect([sweeps.length, errors.length]).to.deep.equal([count, 1]);
    expect(sweeps[0]).to.deep.equal([700, 1_000]);
  });

  it("has one sweep at work at a time", async () => {
    let at = 0;
    let most = 0;
    const deliveries = {
      sweep: async () => {
        most = Math.max(most, ++at);
        await new Promise((resolve) => setTimeout(resolve, 5));
        at--;
        return { deleted: 0, released: 0 };
      },
    };
    const sweeper = createSweeper({ deliveries, retentionMs: 1, intervalMs: 1, now: Date.now, onError: never });
    sweeper.start();
    await new Promise((resolve) => setTimeout(resolve, 30));
    await sweeper.stop();
    expect([most, at]).to.deep.equal([1, 0]);
  });
});

describe("readiness", () => {
  it("checks once for many who ask at the same time, and never again once it has passed", async () => {
    let checks = 0;
    const readiness = new Readiness(async () => {
      checks++;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }, never);
    await Promise.all(Array.from({ length: 10 }, () => readiness.ready()));
    await readiness.ready();
    expect(checks).to.equal(1);
  });

  it("rejects with what fails, for everybody who waits, and tries again for the next", async () => {
    const failures = [new Error("first"), new Error("second")];
    const readiness = new Readiness(async () => {
      const failure = failures.shift();
      if (failure !== undefined) throw failure;
    }, never);
    const message = () =>
      readiness.ready().then(
        () => "ready",
        (error: Error) => error.message,
      );
    expect(await Promise.all([message(), message()])).to.deep.equal(["first", "first"]);
    expect([await message(), await message()]).to.deep.equal(["second", "ready"]);
  });

  it("starts tasks only when the checks have passed, without anybody asking, and each once", async () => {
    let failing = 2;
    const errors: unknown[] = [];
    const readiness = new Readiness(
      async () => {
        if (failing-- > 0) throw new Error("not yet");
      },
      (error) => errors.push(error),
      1,
    );
    const [first, second] = [new Counted(), new Counted()];
    readiness.run(first);
    readiness.run(second);
    await until(() => first.started === 1);
    expect([errors.length, second.started]).to.deep.equal([2, 1]);
    const late = new Counted();
    readiness.run(late);
    await readiness.ready();
    expect([first.started, late.started]).to.deep.equal([1, 1]);
    await readiness.stop();
    expect([first.stopped, second.stopped, late.stopped]).to.deep.equal([1, 1, 1]);
  });

  it("starts nothing any more once it was stopped", async () => {
    let pass: () => void = () => undefined;
    const readiness = new Readiness(() => new Promise((resolve) => (pass = resolve)), never, 1);
    const task = new Counted();
    readiness.run(task);
    const ready = readiness.ready();
    const stopped = readiness.stop();
    pass();
    await Promise.all([ready, stopped]);
    expect(task.started).to.equal(0);
  });

  it("says nothing, and tries nothing, of a check that fails when it was stopped", async () => {
    let fail: (error: Error) => void = () => undefined;
    const errors: unknown[] = [];
    let checks = 0;
    const check = () =>
      new Promise<void>((_, reject) => {
        checks++;
        fail = reject;
      });
    const readiness = new Readiness(check, (error) => errors.push(error), 1);
    readiness.run(new Counted());
    await until(() => checks === 1);
    await readiness.stop();
    fail(new Error("too late"));
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect([errors.length, checks]).to.deep.equal([0, 1]);
  });

  it("keeps a way to pay from offering and from taking anything before", async () => {
    const charge = new FakeCharge();
    let refuse = true;
    const intent = whenReady(charge, async () => {
      if (refuse) throw new Error("not ready");
    });
    const failed = (promise: Promise<unknown>) =>
      promise.then(
        () => false,
        () => true,
      );
    expect(await failed(intent.offer({} as never))).to.equal(true);
    expect(await failed(intent.match({} as never, {} as never))).to.equal(true);
    expect(charge.contexts).to.have.length(0);
    refuse = false;
    expect(await failed(intent.offer({} as never))).to.equal(false);
    expect([intent.method, intent.intent]).to.deep.equal(["solana", "charge"]);
  });
});
