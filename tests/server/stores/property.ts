// Random spends, in random bursts, beside a simple model that takes them one after the other.
import type { Spend, SpendResult, Store } from "@mppsol/server/stores";
import { expect } from "chai";
import fc from "fast-check";
import { channelOf, NOW, newDelivery, open, voucher } from "./values.js";

interface Step {
  readonly channel: number;
  readonly voucher: bigint | undefined;
  readonly expiresAt: bigint;
  readonly cost: bigint;
  readonly reserve: bigint | undefined;
  readonly minDelta: bigint | undefined;
  readonly expectedAccepted: bigint | undefined;
  readonly key: number | undefined;
}

type Mode = "client" | "operator";

interface Plan {
  readonly modes: readonly Mode[];
  /** Steps that are taken at once. */
  readonly bursts: readonly (readonly Step[])[];
}

const ESCROW = 40n;

const amount = fc.bigInt({ min: 0n, max: 12n });
const maybe = <T>(value: fc.Arbitrary<T>, freq: number) => fc.option(value, { nil: undefined, freq });

const step: fc.Arbitrary<Step> = fc.record({
  channel: fc.nat(2),
  voucher: maybe(fc.bigInt({ min: 0n, max: ESCROW + 2n }), 3),
  expiresAt: fc.constantFrom(0n, 0n, 500n, 900n),
  cost: amount,
  reserve: maybe(amount, 1),
  minDelta: maybe(amount, 1),
  expectedAccepted: maybe(fc.bigInt({ min: 0n, max: 15n }), 1),
  key: maybe(fc.nat(6), 2),
});

const plan: fc.Arbitrary<Plan> = fc.record({
  modes: fc.array(fc.constantFrom<Mode>("client", "operator"), { minLength: 3, maxLength: 3 }),
  bursts: fc.array(fc.array(step, { minLength: 1, maxLength: 25 }), { minLength: 1, maxLength: 4 }),
});

/** One channel, written down as the draft and the interface say it, not as the stores do it. */
class Model {
  accepted = 0n;
  spent = 0n;
  reserved = 0n;
  lastsUntil = 0n;
  readonly keys = new Set<number>();
  readonly #mode: Mode;

  constructor(mode: Mode) {
    this.#mode = mode;
  }

  take({ voucher, expiresAt, cost, reserve = 0n, minDelta, expectedAccepted, key }: Step): string {
    if (key !== undefined && this.keys.has(key)) return "replay";
    if (expectedAccepted !== undefined && expectedAccepted !== this.accepted) return "conflict";
    if (voucher !== undefined) {
      if (voucher <= this.accepted) return "not-monotonic";
      if (minDelta !== undefined && voucher < this.accepted + minDelta) return "delta-too-small";
      // The first may expire when it likes; 0 is never.
      if (this.accepted > 0n && expiresAt !== 0n && (this.lastsUntil === 0n || expiresAt < this.lastsUntil)) {
        return "expires-sooner";
      }
      if (voucher > ESCROW) return this.#mode === "client" ? "over-deposit" : "insufficient";
    }
    const accepted = voucher ?? this.accepted;
    if (this.#mode === "client") {
      if (accepted - this.spent - this.reserved < cost + reserve) return "insufficient";
    } else if (accepted - this.spent < cost || ESCROW - this.spent - this.reserved < cost + reserve) {
      return "insufficient";
    }
    this.accepted = accepted;
    if (voucher !== undefined) this.lastsUntil = expiresAt;
    this.spent += cost;
    this.reserved += reserve;
    if (key !== undefined) this.keys.add(key);
    return "ok";
  }
}

function spendOf(channelId: string, step: Step): Spend {
  const { voucher: cumulative, expiresAt, cost, reserve, minDelta, expectedAccepted, key } = step;
  return {
    channelId,
    cost,
    now: NOW,
    ...(cumulative === undefined ? {} : { voucher: voucher(channelId, cumulative, expiresAt) }),
    ...(reserve === undefined ? {} : { reserve }),
    ...(minDelta === undefined ? {} : { minDelta }),
    ...(expectedAccepted === undefined ? {} : { expectedAccepted }),
    ...(key === undefined ? {} : { delivery: newDelivery(channelId, `key ${key}`) }),
  };
}

function shown(result: SpendResult): string {
  const { accepted, spent, reserved } = result.balance ?? {};
  return `${result.ok ? "ok" : result.refusal} ${accepted} ${spent} ${reserved}`;
}

/** A reservation needs a key by which it can be settled. */
function possible({ reserve = 0n, key }: Step): boolean {
  return reserve === 0n || key !== undefined;
}

export function property(store: () => Store, runs: number): void {
  it("random spends, many at once, have the outcome of the same spends one after the other", async function () {
    this.timeout(300_000);
    await fc.assert(
      fc.asyncProperty(plan, async ({ modes, bursts }) => {
        const channels = await Promise.all(
          modes.map((voucherSigner) => open(store(), { voucherSigner, escrowed: ESCROW })),
        );
        const models = modes.map((mode) => new Model(mode));
        for (const burst of bursts) {
          const steps = burst.filter(possible);
          const results = await Promise.all(
            steps.map((step) => store().channels.spend(spendOf(channels[step.channel] as string, step))),
          );
          const expected = steps.map((step) => {
            const model = models[step.channel] as Model;
            const outcome = model.take(step);
            return `${outcome} ${model.accepted} ${model.spent} ${model.reserved}`;
          });
          expect(results.map(shown)).to.deep.equal(expected);
        }
        for (const [i, channelId] of channels.entries()) {
          const { accepted, spent, reserved, keys } = models[i] as Model;
          expect(await channelOf(store(), channelId)).to.include({ accepted, spent, reserved });
          for (let key = 0; key <= 6; key++) {
            const delivery = await store().deliveries.get(channelId, `key ${key}`);
            expect(delivery !== undefined).to.equal(keys.has(key));
          }
        }
      }),
      { numRuns: runs },
    );
  });
}
