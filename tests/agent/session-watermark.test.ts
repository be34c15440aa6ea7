// The arithmetic of vouchers, and turns: what holds for every history, not only for those that somebody thought of.
import { expect } from "chai";
import fc from "fast-check";
import { Mutex } from "../../sdk/agent/src/session/mutex.ts";
import { learn, nextCumulative, objection, type Watermark } from "../../sdk/agent/src/session/watermark.ts";

const DEPOSIT = 1_000n;
const amount = fc.bigInt({ min: 0n, max: 1_200n });

/** What can happen next to a payer: it pays, or the server claims something. */
const happening = fc.oneof(
  fc.record({
    kind: fc.constant("pay" as const),
    cost: fc.bigInt({ min: 1n, max: 60n }),
    delta: fc.bigInt({ min: 0n, max: 80n }),
  }),
  fc.record({ kind: fc.constant("claim" as const), accepted: amount, spent: fc.option(amount, { nil: undefined }) }),
);

/** The most that one request may cost. */
const BOUND = 50n;

describe("the watermark of a payer", () => {
  it("never falls, never passes the deposit, and grows by no more than the bound a request, whatever a server claims", () => {
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 60 }), (history) => {
        let mark: Watermark = { deposit: DEPOSIT, signed: 0n, acknowledged: 0n, spent: 0n };
        let requests = 0n;
        for (const next of history) {
          const before = mark;
          if (next.kind === "claim") {
            const { accepted, spent } = next;
            const learned = learn(mark, { acceptedCumulative: accepted, ...(spent === undefined ? {} : { spent }) });
            if (accepted > mark.signed) expect(learned).a("string");
            if (typeof learned !== "string") mark = learned;
            expect(mark.signed).equal(before.signed);
          } else {
            const target = nextCumulative(mark, next.cost, next.delta);
            if (objection(mark, target, { more: BOUND, ahead: BOUND }) !== undefined) continue;
            requests++;
            mark = { ...mark, signed: target };
          }
          expect(mark.signed >= before.signed).equal(true);
          expect(mark.acknowledged >= before.acknowledged).equal(true);
          expect(mark.spent <= mark.acknowledged && mark.acknowledged <= mark.signed).equal(true);
          expect(mark.signed <= DEPOSIT && mark.signed <= requests * BOUND).equal(true);
          expect(mark.signed - mark.acknowledged <= BOUND || mark.signed === before.signed).equal(true);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it("asks for enough for the cost, and for more than what was accepted by what is demanded", () => {
    const mark = (signed: bigint, acknowledged: bigint, spent: bigint) => ({
      deposit: DEPOSIT,
      signed,
      acknowledged,
      spent,
    });
    expect(nextCumulative(mark(0n, 0n, 0n), 10n)).equal(10n);
    expect(nextCumulative(mark(50n, 50n, 50n), 10n)).equal(60n);
    expect(nextCumulative(mark(50n, 50n, 30n), 10n)).equal(51n); // credit, and one more
    expect(nextCumulative(mark(50n, 50n, 45n), 10n)).equal(55n);
    expect(nextCumulative(mark(50n, 50n, 30n), 10n, 25n)).equal(75n);
    expect(nextCumulative(mark(90n, 50n, 50n), 10n)).equal(90n); // signed before: again that one
    expect(nextCumulative(mark(60n, 50n, 50n), 30n)).equal(80n);
  });

  it("is not raised beyond deposit, bounds, or what was acknowledged and one bound", () => {
    const mark = { deposit: 100n, signed: 50n, acknowledged: 40n, spent: 40n };
    const bound = { more: 30n, ahead: 35n };
    expect(objection(mark, 49n, bound)).contain("below");
    expect(objection(mark, 50n, { more: 0n, ahead: 0n })).equal(undefined);
    expect(objection(mark, 75n, bound)).equal(undefined);
    expect(objection(mark, 76n, bound)).contain("acknowledged");
    expect(objection(mark, 81n, { more: 30n, ahead: 100n })).contain("bound");
    expect(objection(mark, 101n, { more: 100n, ahead: 100n })).contain("deposit");
  });

  it("takes no claim that cannot be true, and none that lags behind", () => {
    const mark = { deposit: 100n, signed: 50n, acknowledged: 40n, spent: 30n };
    expect(learn(mark, { acceptedCumulative: 51n })).a("string");
    expect(learn(mark, { acceptedCumulative: 50n, spent: 51n })).a("string");
    expect(learn(mark, { acceptedCumulative: 30n, spent: 30n })).equal(mark);
    expect(learn(mark, { acceptedCumulative: 50n, spent: 20n })).deep.include({ acknowledged: 50n, spent: 20n });
    expect(learn(mark, { acceptedCumulative: 50n })).deep.include({ acknowledged: 50n, spent: 50n });
    expect(learn(mark, { acceptedCumulative: 40n })).deep.include({ acknowledged: 40n, spent: 30n });
  });
});

describe("a mutex", () => {
  it("gives turns one at a time, in the order in which they were asked for", async () => {
    const mutex = new Mutex();
    const order: number[] = [];
    let under = 0;
    await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        mutex.run(async () => {
          expect(++under).equal(1);
          await new Promise((done) => setTimeout(done, i % 3));
          order.push(i);
          under--;
        }),
      ),
    );
    expect(order).deep.equal(Array.from({ length: 20 }, (_, i) => i));
  });

  it("passes the turn on when the work fails, and when who waits gives up", async () => {
    const mutex = new Mutex();
    const release = await mutex.acquire();
    const controller = new AbortController();
    const given = mutex.acquire(controller.signal).then(
      () => "got it",
      (error: Error) => error.name,
    );
    const next = mutex.run(async () => "mine");
    controller.abort();
    expect(await given).equal("AbortError");
    let early = true;
    const failing = mutex.run(async () => {
      throw new Error("no");
    });
    setImmediate(() => {
      early = false;
      release();
    });
    expect(await next).equal("mine");
    expect(early).equal(false);
    expect(await failing.catch((error: Error) => error.message)).equal("no");
    expect(await mutex.run(async () => "after")).equal("after");
    release();
    expect(await mutex.run(async () => "still")).equal("still");
  });

  it("gives no turn to who has given up already", async () => {
    const mutex = new Mutex();
    const reason = await mutex.acquire(AbortSignal.abort(new Error("gone"))).catch((error: Error) => error.message);
    expect(reason).equal("gone");
    expect(await mutex.run(async () => "free")).equal("free");
  });
});
