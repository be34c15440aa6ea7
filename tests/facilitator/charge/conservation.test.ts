// Money is neither made nor lost: buyers, sellers and faults at random, over HTTP, at two instances; after every step the
// chain holds what the answers say.
import type { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import fc from "fast-check";
import { type Answer, down, FEE, lost, Market, type Order } from "./market.ts";

const FUNDS = 10_000_000n;

/** One thing that happens. Small numbers say who and how much. */
type Step =
  | {
      readonly kind: "pay";
      readonly buyer: number;
      readonly seller: number;
      readonly amount: number;
      readonly split: boolean;
    }
  /** An order of before, again: once, or several times at once. */
  | { readonly kind: "again"; readonly which: number; readonly times: number }
  /** Two payments of all that a buyer has, at once. */
  | { readonly kind: "overspend"; readonly buyer: number; readonly seller: number }
  | { readonly kind: "fault"; readonly which: number }
  | { readonly kind: "restart" };

const place = fc.nat({ max: 2 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("pay" as const),
      buyer: place,
      seller: place,
      amount: fc.integer({ min: 1, max: 4_000_000 }),
      split: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("again" as const),
      which: fc.nat({ max: 50 }),
      times: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("overspend" as const), buyer: place, seller: place }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("fault" as const), which: fc.nat({ max: 4 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart" as const) }) },
);

describe("facilitator, money of charges", () => {
  let market: Market;
  before(async () => {
    market = await Market.start();
  });
  after(() => market.close());

  it("is what the answers say, after every step, whatever happens in whatever order", async function () {
    this.timeout(240_000);
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14 }), async (steps) => {
        const world = await World.create(market);
        for (const one of steps) {
          await world.take(one);
          await world.check(JSON.stringify(one));
        }
        await world.end();
      }),
      { numRuns: 12 },
    );
  });
});

/** An order, and what became of it. */
interface Sale {
  readonly order: Order;
  readonly buyer: number;
  readonly seller: number;
  readonly amount: bigint;
  readonly share: bigint;
  /** `failed`: it has landed, and did not pay. */
  state: "open" | "paid" | "dead" | "failed";
}

class World {
  readonly #market: Market;
  readonly #buyers: readonly Keypair[];
  readonly #sellers: readonly Keypair[];
  readonly #partner: Keypair;
  readonly #sponsors: bigint;
  readonly #sales: Sale[] = [];

  private constructor(market: Market, people: readonly Keypair[], sponsors: bigint) {
    this.#market = market;
    this.#buyers = people.slice(0, 3);
    this.#sellers = people.slice(3, 6);
    this.#partner = people[6]!;
    this.#sponsors = sponsors;
  }

  static async create(market: Market): Promise<World> {
    market.rpc.heal();
    const { config } = market.context;
    market.serveBy(market.another({ config: { ...config, settleBudgetMs: 400 } }));
    const people = [];
    for (let at = 0; at < 7; at++) people.push(await market.person(at < 3 ? FUNDS : 0n));
    return new World(market, people, await market.sponsors());
  }

  async take(one: Step): Promise<void> {
    switch (one.kind) {
      case "pay":
        return this.#settle([await this.#sale(one.buyer, one.seller, BigInt(one.amount), one.split)]);
      case "again": {
        const sale = this.#sales[one.which % Math.max(1, this.#sales.length)];
        return sale && this.#settle(Array.from({ length: one.times }, () => sale));
      }
      case "overspend": {
        const held = await this.#market.tokens(this.#buyers[one.buyer]!.publicKey);
        if (held === 0n) return;
        const sales = [
          await this.#sale(one.buyer, one.seller, held, false),
          await this.#sale(one.buyer, one.seller, held, false),
        ];
        return this.#settle(sales);
      }
      case "fault":
        return this.#break(one.which);
      case "restart": {
        const { config } = this.#market.context;
        this.#market.serveBy(this.#market.another({ config: { ...config, settleBudgetMs: 400 } }));
        await this.#market.engine.tick();
        return this.#learn();
      }
    }
  }

  /** Everything is well again, time has passed: nothing is left open, and the books are closed. */
  async end(): Promise<void> {
    this.#market.rpc.heal();
    this.#market.running.net.warpSlots(400);
    this.#market.serveBy(this.#market.another());
    await this.#market.engine.tick();
    await this.#learn();
    for (const sale of this.#sales) if (sale.state === "open") await this.#settle([sale]);
    await this.check("the end");
    expect(this.#sales.filter(({ state }) => state === "open")).to.deep.equal([]);
  }

  /**
   * What must be is there; what is open may be.
   * Base units of everybody together never change; the sponsors have paid for what has landed, and for nothing else.
   */
  async check(where: string): Promise<void> {
    const of = (people: readonly Keypair[]) =>
      Promise.all(people.map(({ publicKey }) => this.#market.tokens(publicKey)));
    const [buyers, sellers, [partner]] = await Promise.all([of(this.#buyers), of(this.#sellers), of([this.#partner])]);
    expect(sum([...buyers, ...sellers, partner!]), `${where}: all together`).to.equal(3n * FUNDS);
    const open = this.#sales.filter(({ state }) => state === "open");
    sellers.forEach((held, at) => {
      const due = this.#total((sale) => sale.seller === at && sale.state === "paid");
      const maybe = this.#total((sale) => sale.seller === at && sale.state === "open");
      expect(held >= due && held <= due + maybe, `${where}: seller ${at} has ${held} of ${due}`).to.equal(true);
    });
    buyers.forEach((held, at) => {
      const paid = sum(
        this.#sales.filter(({ buyer, state }) => buyer === at && state === "paid").map(({ amount }) => amount),
      );
      const maybe = sum(open.filter(({ buyer }) => buyer === at).map(({ amount }) => amount));
      expect(held <= FUNDS - paid && held >= FUNDS - paid - maybe, `${where}: buyer ${at} has ${held}`).to.equal(true);
    });
    const spent = this.#sponsors - (await this.#market.sponsors());
    const paid = BigInt(this.#sales.filter(({ state }) => state === "paid").length);
    const most = paid + BigInt(open.length);
    expect(spent >= paid * FEE && spent <= most * FEE, `${where}: the sponsors spent ${spent} for ${paid}`).to.equal(
      true,
    );
  }

  #total(which: (sale: Sale) => boolean): bigint {
    return sum(this.#sales.filter(which).map(({ amount, share }) => amount - share));
  }

  async #sale(buyer: number, seller: number, amount: bigint, split: boolean): Promise<Sale> {
    const share = split && amount > 1n ? 1n : 0n;
    const splits = share === 0n ? [] : [{ recipient: this.#partner.publicKey.toBase58(), amount: share }];
    const terms = { recipient: this.#sellers[seller]!.publicKey, amount, splits };
    const request = await this.#whole(() => this.#market.order(terms, this.#buyers[buyer]!));
    const sale: Sale = { order: request, buyer, seller, amount, share, state: "open" };
    this.#sales.push(sale);
    return sale;
  }

  /** With nodes that are well: what is asked for is not what is tested here. */
  async #whole<T>(work: () => Promise<T>): Promise<T> {
    const { rpc } = this.#market;
    const broken = this.#broken;
    rpc.heal();
    const made = await work();
    if (broken !== undefined) this.#break(broken);
    return made;
  }

  #broken: number | undefined;

  #break(which: number): void {
    const { rpc } = this.#market;
    rpc.heal();
    this.#broken = which === 4 ? undefined : which;
    if (which === 0) rpc.fault("send", lost);
    if (which === 1) rpc.fault("send", async () => undefined);
    if (which === 2) rpc.fault("status", down);
    if (which === 3) rpc.fault("simulate", down);
  }

  async #settle(sales: readonly Sale[]): Promise<void> {
    const answers = await Promise.all(sales.map(({ order }) => this.#market.settle(order)));
    for (const [at, answer] of answers.entries()) this.#hear(sales[at]!, answer);
  }

  #hear(sale: Sale, { status, json }: Answer): void {
    expect(status, JSON.stringify(json)).to.be.oneOf([200, 202, 422, 503]);
    if (status === 200) {
      expect(sale.state, "nothing that was dead is paid").to.be.oneOf(["open", "paid"]);
      expect(json.amount).to.equal(String(sale.amount));
      sale.state = "paid";
    }
    if (status === 422) {
      expect(sale.state, "nothing that was paid is dead").not.equal("paid");
      sale.state = json.code === "transaction_failed" ? "failed" : "dead";
    }
    if (status === 202) expect(sale.state, "an end is an end").to.equal("open");
  }

  /** What the background work has found out. */
  async #learn(): Promise<void> {
    for (const sale of this.#sales.filter(({ state }) => state === "open")) await this.#settle([sale]);
  }
}

function sum(amounts: readonly bigint[]): bigint {
  return amounts.reduce((total, amount) => total + amount, 0n);
}
