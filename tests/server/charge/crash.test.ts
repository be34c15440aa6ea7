// The process dies at every step of a payment, before it and after it. Whatever was going on: it is paid at most once,
// delivered at most once, and the truth is found out.
import { type Credential, RefusedError } from "@mppsol/core";
import { Keypair, PublicKey, type VersionedTransaction } from "@solana/web3.js";
import { expect } from "chai";
import { memoryStore, type Store } from "../../../sdk/server/src/stores/index.ts";
import {
  ANSWER,
  type Issued,
  pull,
  push,
  request,
  Shop,
  type ShopOptions,
  SIGNATURE_FEE,
  signed,
  Town,
  USDC,
} from "./shop.ts";

/** What a process does is not undone by its death; it only does nothing more. */
class Death extends Error {}

/** A process that dies at its `step`-th contact with the world: before that takes place, or when it has. */
class Life {
  readonly #step: number;
  readonly #when: "before" | "after";
  #contacts = 0;
  dead = false;

  constructor(step: number, when: "before" | "after") {
    this.#step = step;
    this.#when = when;
  }

  /** The same object, as this process can reach it. */
  of<T extends object>(object: T): T {
    return new Proxy(object, {
      get: (target, name) => {
        const value = Reflect.get(target, name) as unknown;
        if (typeof value === "function") return (...args: unknown[]) => this.#do(() => value.apply(target, args));
        return typeof value === "object" && value !== null ? this.of(value) : value;
      },
    });
  }

  async #do(act: () => unknown): Promise<unknown> {
    const isLast = ++this.#contacts === this.#step;
    if (isLast && this.#when === "before") this.dead = true;
    if (this.dead) throw new Death();
    const done = await act();
    if (isLast) this.dead = true;
    if (this.dead) throw new Death();
    return done;
  }
}

interface Scene {
  readonly name: string;
  readonly options: (town: Town) => ShopOptions & { readonly sponsor?: Keypair };
  readonly isPushed?: boolean;
}

const SCENES: Scene[] = [
  { name: "pulled, unsponsored", options: () => ({}) },
  { name: "pulled and sponsored", options: (town) => ({ sponsor: town.person() }) },
  {
    name: "pulled in tokens, sponsored, with an account that is created",
    options: (town) => ({
      sponsor: town.person(),
      currency: USDC.toBase58(),
      splits: [{ recipient: Keypair.generate().publicKey.toBase58(), amount: 5n, ataCreationRequired: true }],
    }),
  },
  { name: "pushed", options: () => ({}), isPushed: true },
];

describe("charge, when the process dies", () => {
  let town: Town;
  // One each: some let the chain's time run far ahead of ours.
  beforeEach(async () => {
    town = await Town.start();
  });
  afterEach(() => town.close());

  for (const scene of SCENES) {
    for (const when of ["before", "after"] as const) {
      it(`${when} each step of a payment that is ${scene.name}: the payer comes back and is served for one payment`, async () => {
        let died = true;
        for (let step = 1; died; step++) {
          expect(step).to.be.lessThan(60);
          const act = new Act(town, scene, step, when);
          await act.begin();
          await act.firstProcess();
          died = act.life.dead;
          await act.laterProcess();
          await act.check(`${when} step ${step}`);
        }
      });

      it(`${when} each step of a payment that is ${scene.name}: nobody comes back, and the store learns the truth`, async () => {
        let died = true;
        for (let step = 1; died; step++) {
          const act = new Act(town, scene, step, when);
          await act.begin();
          await act.firstProcess();
          died = act.life.dead;
          town.net.warpSlots(400);
          await act.reconcile();
          await act.checkTruth(`${when} step ${step}`);
        }
      });
    }
  }
});

const PRICE = 1_000_000n;

/** One payment, with one death in it. */
class Act {
  readonly life: Life;
  readonly #town: Town;
  readonly #scene: Scene;
  readonly #store: Store = memoryStore();
  readonly #options: ShopOptions & { readonly sponsor?: Keypair };
  readonly #payer: Keypair;
  #time = Date.now();
  readonly #recipient = Keypair.generate().publicKey;
  #credential!: Credential.Credential;
  #issued!: Issued;
  #handled = 0;
  #answered = 0;
  #before!: bigint[];

  constructor(town: Town, scene: Scene, step: number, when: "before" | "after") {
    this.#town = town;
    this.#scene = scene;
    this.#options = scene.options(town);
    this.#payer = town.person({ usdc: this.#isToken ? 10_000_000n : 0n });
    this.life = new Life(step, when);
  }

  get #isToken(): boolean {
    return this.#options.currency !== undefined;
  }

  /** A healthy process made the challenge; the payer signed, or has sent. */
  async begin(): Promise<void> {
    if (this.#isToken) await this.#town.openAccount(this.#recipient);
    this.#issued = await this.#shop().challenge();
    this.#before = await this.#books();
    const transaction = await signed(this.#town, this.#issued.request, this.#payer);
    this.#credential = this.#scene.isPushed
      ? push(this.#issued.challenge, await this.#town.land(transaction))
      : pull(this.#issued.challenge, transaction);
  }

  /** The process that dies. */
  async firstProcess(): Promise<void> {
    await this.#serve(this.#shop(this.life)).catch(() => undefined);
  }

  /** What comes after: a process that stays alive, and the same request again and again. */
  async laterProcess(): Promise<void> {
    const shop = this.#shop();
    for (let tries = 0; tries < 5 && this.#answered === 0; tries++) {
      // The dead process' leases run out.
      this.#time += 61_000;
      await this.#serve(shop);
    }
  }

  async reconcile(): Promise<void> {
    this.#time += 61_000;
    await this.#shop().reconciler().tick();
  }

  /** Answers one request of the payer, as a server does. */
  async #serve(shop: Shop): Promise<void> {
    const context = request({ idempotencyKey: "key" });
    const redemption = await shop.present(this.#credential, context, this.#time).catch((error: unknown) => {
      if (error instanceof RefusedError && ["idempotency-in-flight", "unavailable"].includes(error.code))
        return undefined;
      throw error;
    });
    if (redemption?.kind === "grant") {
      this.#handled++;
      await redemption.finish(ANSWER);
    }
    if (redemption?.kind === "grant" || redemption?.kind === "replay") this.#answered++;
  }

  /** Paid once, to the lamport; one answer, kept. */
  async check(where: string): Promise<void> {
    expect(this.#answered, `${where}: answered`).to.equal(1);
    // Twice only where the first one's work was lost before it was kept.
    expect(this.#handled, `${where}: handled`).to.be.within(this.life.dead ? 0 : 1, this.life.dead ? 2 : 1);
    expect(await this.#changes(), `${where}: money`).to.deep.equal(await this.#paidOnce());
    const charge = await this.#store.charges.byChallenge(this.#issued.challenge.id);
    expect(charge?.state, `${where}: state`).to.be.oneOf(["confirmed", "finalized"]);
    // And never again, with this key or another.
    const shop = this.#shop();
    expect(await shop.refusal(this.#credential, request({ idempotencyKey: "key" }))).to.equal("replay");
    expect(await shop.refusal(this.#credential, request({ idempotencyKey: "other" }))).to.equal("challenge-used");
    const other = await shop.challenge();
    const stolen = { ...this.#credential, challenge: other.challenge };
    expect(await shop.refusal(stolen), `${where}: for another challenge`).to.equal("signature-consumed");
    expect(await this.#changes(), `${where}: money, later`).to.deep.equal(await this.#paidOnce());
  }

  /** Money moved exactly if the store says so. */
  async checkTruth(where: string): Promise<void> {
    const { id } = this.#issued.challenge;
    const state = (await this.#store.charges.byChallenge(id))?.state;
    const changes = await this.#changes();
    const paid = await this.#paidOnce();
    if (this.#scene.isPushed) {
      expect(changes).to.deep.equal(paid);
      expect(state, where).to.be.oneOf([undefined, "confirmed", "finalized"]);
    } else if (state === "confirmed" || state === "finalized") {
      expect(changes, `${where}: ${state}`).to.deep.equal(paid);
    } else {
      // Expired charges are not live any more; `received` ones were never signed.
      expect(state, where).to.be.oneOf([undefined, "received"]);
      expect(changes, `${where}: ${state}`).to.deep.equal(changes.map(() => 0n));
    }
    expect(await this.#store.charges.lease("nobody", 9, this.#time + 1e9, 1), `${where}: open`).to.deep.equal([]);
  }

  #shop(life?: Life): Shop {
    const { sponsor, ...more } = this.#options;
    const now = () => this.#time;
    const store = life?.of(this.#store) ?? this.#store;
    const service = sponsor && {
      async signTransaction(transaction: VersionedTransaction) {
        transaction.sign([sponsor]);
        return transaction;
      },
    };
    const reached = service && (life?.of(service) ?? service);
    const signer = reached && {
      publicKey: sponsor.publicKey.toBase58(),
      signTransaction: (transaction: VersionedTransaction) => reached.signTransaction(transaction),
    };
    return new Shop(
      this.#town,
      {
        ...more,
        now,
        price: PRICE,
        recipient: this.#recipient,
        ...(signer && { sponsor: { signer } }),
        settlement: { now, budgetMs: 20, pollMs: 2, ...(life && { rpc: life.of(this.#town.rpc) }) },
      },
      store,
    );
  }

  /** Base units of payer and recipients, then lamports of payer and sponsor. */
  async #books(): Promise<bigint[]> {
    const { sponsor, splits } = this.#options;
    const split = typeof splits === "object" ? splits[0]?.recipient : undefined;
    const owners = [this.#recipient, ...(split === undefined ? [] : [new PublicKey(split)])];
    const held = (owner: PublicKey) => (this.#isToken ? this.#town.tokens(owner) : this.#town.lamports(owner));
    return Promise.all([
      ...owners.map(held),
      ...(this.#isToken ? [this.#town.tokens(this.#payer.publicKey)] : []),
      this.#town.lamports(this.#payer.publicKey),
      ...(sponsor === undefined ? [] : [this.#town.lamports(sponsor.publicKey)]),
    ]);
  }

  async #changes(): Promise<bigint[]> {
    const now = await this.#books();
    return now.map((amount, at) => amount - this.#before[at]!);
  }

  /** What one payment changes in the books. */
  async #paidOnce(): Promise<bigint[]> {
    const fee = (signatures: bigint) => signatures * SIGNATURE_FEE + 200n;
    if (this.#isToken) {
      return [PRICE - 5n, 5n, -PRICE, 0n, -fee(2n) - (await this.#town.rpc.rentExemption(165))];
    }
    return this.#options.sponsor === undefined ? [PRICE, -PRICE - fee(1n)] : [PRICE, -PRICE, -fee(2n)];
  }
}
