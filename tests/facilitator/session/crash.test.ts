// A process of the facilitator that dies between any two of its steps, and another one that goes on with the same database:
// nothing is lost, nothing is deposited or paid twice, nobody is stuck, and what was fronted is counted no longer than it is out.

import { SqlStore } from "@mppsol/server/parts";
import type { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import { SqlTables } from "../../../services/facilitator/src/db/SqlTables.ts";
import type { Tables } from "../../../services/facilitator/src/db/Tables.ts";
import { atEveryStep, type Death, ignoreDeath, Mortal } from "../../support/mortal.ts";
import { DEPOSIT, IDLE, MAX_SECONDS, type Office, Plaza, refusal, UNIT, Wallet } from "./plaza.ts";

describe("a process of the facilitator that dies", function () {
  // A process for each of dozens of steps.
  this.timeout(300_000);
  let plaza: Plaza;
  let seller: Keypair;
  let office: Office;
  before(async () => {
    plaza = await Plaza.start();
    seller = plaza.seller();
    office = await plaza.office();
  });
  afterEach(async () => {
    await plaza.market.checkBooks();
    plaza.errors.splice(0);
  });
  after(() => plaza.stop());

  async function doomed(die: Death, at: Plaza = plaza) {
    const process = new Mortal(die);
    // A dead process waits for nothing.
    const dying = await at.office({ ...reached(at, process), unprepared: true, landing: { budgetMs: 60, pollMs: 2 } });
    return { process, dying };
  }

  /** The next process, once the turns of the dead one have run out, which takes seconds. */
  async function successor(): Promise<Office> {
    await plaza.database.query({ name: "test_turns", text: "DELETE FROM facilitator_turns" }, []);
    return plaza.office();
  }

  /** Sessions of the buyer that count as fronted. */
  async function held(buyer: Keypair): Promise<number> {
    const statement = {
      name: "test_held",
      text: "SELECT held::text FROM facilitator_session_buyers WHERE payer = $1::text",
    };
    const [row] = await plaza.database.query(statement, [buyer.publicKey.toBase58()]);
    return Number(row?.[0] ?? 0);
  }

  it("while it opens a session: the same credential opens it, once", async () => {
    const tried = await atEveryStep(async (die) => {
      const wallet = await Wallet.prepare(office, { seller });
      const { process, dying } = await doomed(die);
      await wallet.at(dying).present().catch(ignoreDeath);
      const next = await successor();
      await wallet.at(next).open();
      expect(await plaza.tokens(wallet.buyer)).equal(10_000n - DEPOSIT);
      expect(await next.view(wallet)).include({ status: "open", deposit: DEPOSIT });
      expect(await held(wallet.buyer)).equal(1);
      await wallet.at(next).pay(UNIT);
      return process.dead;
    });
    expect(tried).greaterThan(15);
  });

  it("while it opens a session, whose buyer never comes back: all of it comes back", async () => {
    await atEveryStep(async (die) => {
      const wallet = await Wallet.prepare(office, { seller });
      const { process, dying } = await doomed(die);
      await wallet.at(dying).present().catch(ignoreDeath);
      const next = await successor();
      await next.sessions.tick();
      if ((await wallet.onChain()) !== undefined) expect((await next.view(wallet)).deposit).equal(DEPOSIT);
      plaza.pass(Math.max(IDLE, 16 * 60));
      plaza.passWindow();
      for (let i = 0; i < 3; i++) {
        await next.sessions.tick();
        plaza.pass(60);
      }
      expect(await plaza.tokens(wallet.buyer)).equal(10_000n);
      expect(await wallet.onChain(), "its rent is back").equal(undefined);
      expect(await held(wallet.buyer)).equal(0);
      return process.dead;
    });
  });

  it("while it signs as the operator: the same amount gets a voucher, and the close cashes it", async () => {
    await atEveryStep(async (die) => {
      const buyer = plaza.buyer();
      const wallet = await office.open({ seller: plaza.seller(), mode: "operator", buyer });
      await wallet.pay(UNIT);
      const { process, dying } = await doomed(die);
      const first = await wallet
        .at(dying)
        .pay(3n * UNIT)
        .catch(ignoreDeath);
      const next = await successor();
      const again = await wallet.at(next).pay(3n * UNIT);
      // Who was answered has the voucher that is kept.
      if (first !== undefined) expect(again).deep.equal(first);
      await wallet.at(next).closeByProof();
      expect(await plaza.tokens(wallet.seller)).equal(3n * UNIT);
      expect(await plaza.tokens(buyer)).equal(10_000n - 3n * UNIT);
      return process.dead;
    });
  });

  it("while it keeps a voucher: what it has answered for is cashed", async () => {
    await atEveryStep(async (die) => {
      const wallet = await office.open({ seller: plaza.seller() });
      await wallet.pay(UNIT);
      const { process, dying } = await doomed(die);
      const kept = await wallet
        .at(dying)
        .pay(3n * UNIT)
        .catch(ignoreDeath);
      const next = await successor();
      await wallet.at(next).close();
      const paid = await plaza.tokens(wallet.seller);
      expect(paid === 3n * UNIT || (kept === undefined && paid === UNIT), String(paid)).equal(true);
      expect(await plaza.tokens(wallet.buyer)).equal(10_000n - paid);
      return process.dead;
    });
  });

  it("while it tops a session up: the same credential tops it up, once", async () => {
    await atEveryStep(async (die) => {
      const wallet = await office.open({ seller });
      const action = await wallet.toppingUp(1_000n);
      const { process, dying } = await doomed(die);
      await dying.sessions.topUp(action).catch(ignoreDeath);
      const next = await successor();
      await next.sessions.topUp(action);
      expect(await plaza.tokens(wallet.buyer)).equal(10_000n - DEPOSIT - 1_000n);
      expect((await next.view(wallet)).deposit).equal(DEPOSIT + 1_000n);
      return process.dead;
    });
  });

  for (const [by, steps] of [
    ["the same token", atEveryStep],
    ["the watchtower", atSomeSteps],
  ] as const) {
    it(`while it closes a session: ${by} closes it at the highest voucher, once`, async () => {
      await steps(async (die) => {
        const wallet = await office.open({ seller: plaza.seller() });
        await wallet.pay(UNIT);
        await wallet.pay(4n * UNIT);
        const { process, dying } = await doomed(die);
        await wallet.at(dying).close().catch(ignoreDeath);
        const next = await successor();
        if (by === "the same token") {
          expect(await wallet.at(next).close()).include({ status: "closed", settledOnChain: 4n * UNIT });
        } else {
          plaza.pass(IDLE);
          await next.sessions.tick();
        }
        expect(await next.view(wallet)).include({ status: "closed", refunded: DEPOSIT - 4n * UNIT });
        expect(await plaza.tokens(wallet.seller)).equal(4n * UNIT);
        expect(await plaza.tokens(wallet.buyer)).equal(10_000n - 4n * UNIT);
        expect(await refusal(wallet.at(next).pay(5n * UNIT))).equal("channel-closed");
        return process.dead;
      });
    });
  }

  it("while it ends a session whose time is over: the next one does", async () => {
    // A database of its own, so that the rounds of the dying process are about this session alone.
    const own = await Plaza.start({ idleTimeoutSeconds: 100 * MAX_SECONDS });
    try {
      await atSomeSteps(async (die) => {
        const patient = await own.office();
        const wallet = await patient.open({ seller: own.seller() });
        await wallet.pay(4n * UNIT);
        own.pass(MAX_SECONDS);
        const { dying } = await doomed(die, own);
        // It reports what goes wrong, and so its death.
        await dying.sessions.tick();
        const isAlive = (await patient.view(wallet)).status === "closed";
        const next = await own.office();
        await next.sessions.tick();
        own.pass(90);
        await next.sessions.tick();
        expect(await next.view(wallet)).include({ status: "closed", settledOnChain: 4n * UNIT });
        expect(await own.tokens(wallet.seller)).equal(4n * UNIT);
        expect(await own.tokens(wallet.buyer)).equal(10_000n - 4n * UNIT);
        return !isAlive;
      });
      await own.market.checkBooks();
    } finally {
      await own.stop();
    }
  });
});

/** What outlives a process, as that process can reach it. */
function reached(plaza: Plaza, process: Mortal) {
  const tables = new SqlTables(plaza.database);
  const database = process.reach(tables.database);
  return {
    store: process.store(new SqlStore(plaza.database, false)),
    tables: new Proxy<Tables>(process.reach(tables as Tables), {
      get: (from, key) => (key === "database" ? database : Reflect.get(from, key)),
    }),
    rpc: process.reach(plaza.rpc),
  };
}

/** As `atEveryStep`, at every third step: for stories that take long. */
async function atSomeSteps(story: (die: Death) => Promise<boolean>): Promise<void> {
  for (let steps = 0; ; steps += 3) {
    if (steps > 200) throw new Error("the story does not end");
    if (!(await story({ steps, doing: steps % 2 === 0 }))) return;
  }
}
