// Taking back the rent of token accounts that were made for wallets: what is empty and nobody needs, whatever happens meanwhile, and
// not a token or lamport of anybody else's.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildTransaction, tokenAddress } from "@mppsol/programs";
import { type Database, StoreError } from "@mppsol/server/parts";
import {
  createAssociatedTokenAccountIdempotentInstruction,
  createTransferInstruction,
  TOKEN_PROGRAM_ID,
} from "@solana/spl-token";
import { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import { run as command } from "../../../services/facilitator/src/cli/run.ts";
import { AccountCloser, type ClosingOptions } from "../../../services/facilitator/src/onboard/AccountCloser.ts";
import { down, type FaultyRpc, faulty, first, swallow } from "../../server/chain/faults.ts";
import { newKeys, startChain } from "../support.ts";
import { ACCOUNT_RENT, Agent, Books, DEPOSIT, MINT, type Office, okay, run, startOffice } from "./support.ts";

const DAY_MS = 86_400_000;
const MONTH: ClosingOptions = { olderThanMs: 30 * DAY_MS, dryRun: false, landing: { budgetMs: 300, pollMs: 2 } };

describe("closing the accounts of wallets", () => {
  let office: Office;
  let books: Books;
  let seller: string;
  let rpc: FaultyRpc;
  let told: string[];
  before(async () => {
    const net = await startChain();
    const keys = newKeys(net);
    // One that pays for all, so that what is closed is closed together.
    const config = { settleBudgetMs: 300, feePayers: [keys.feePayers[0]] as const };
    office = await startOffice({ net, keys, config, rpc: (real) => (rpc = faulty(real)) });
    books = new Books(office);
    seller = books.person(0n).publicKey.toBase58();
  });
  beforeEach(async () => {
    told = [];
    // Of what others have left nothing is known any more.
    const text = "DELETE FROM facilitator_made_accounts";
    await office.context.tables.database.query({ name: "test_forget", text }, []);
  });
  afterEach(async () => {
    rpc.heal();
    await books.check();
  });
  after(async () => {
    await office.close();
    await office.net.close();
  });

  const sponsors = () => books.lamports(...office.keys.feePayers);
  const close = (options: Partial<ClosingOptions> = {}, of: Partial<Office["context"]> = {}) =>
    new AccountCloser({ ...office.context, ...of }, (line) => told.push(line)).run({ ...MONTH, ...options });
  const month = () => office.net.advanceSeconds(30 * 86_400);

  async function rentOut(): Promise<bigint> {
    const text = "SELECT lamports::text FROM facilitator_rent_out WHERE bucket = 'onboarding'";
    const [row] = await office.context.tables.database.query({ name: "test_rent_out", text }, []);
    return BigInt(row?.[0] ?? "0");
  }

  /** Wallets that were made an account. */
  async function made(count: number): Promise<Agent[]> {
    const agents = Array.from({ length: count }, () => new Agent(office, books.person()));
    for (const agent of agents) {
      const { body } = okay(await agent.start(seller));
      expect(okay(await agent.confirm(body)).body.status).to.equal("funding");
    }
    return agents;
  }

  const has = (agent: Agent) => books.hasAccount(agent.wallet.publicKey);

  it("brings the rent of all that are empty and old enough, several in one transaction; wallets may have another one", async () => {
    const [before, out] = [await sponsors(), await rentOut()];
    const agents = await made(10);
    expect(await rentOut()).to.equal(out + 10n * ACCOUNT_RENT);
    expect(await close()).to.include({ closed: 0, gone: 0 });
    month();
    const young = await made(1);
    expect(await close()).to.deep.equal({
      closed: 10,
      lamports: 10n * ACCOUNT_RENT,
      gone: 0,
      lost: 0,
      kept: 0,
      open: 0,
    });
    expect(told.filter((line) => line.startsWith("closed"))).to.have.length(2);
    for (const agent of agents) expect(await has(agent)).to.equal(false);
    for (const agent of young) expect(await has(agent)).to.equal(true);
    // Eleven were made at two signatures each, two transactions closed ten of them.
    expect(before - (await sponsors())).to.equal(11n * 10_000n + 2n * 5_000n + ACCOUNT_RENT);
    expect(await rentOut()).to.equal(out + ACCOUNT_RENT);
    expect(await close(), "again").to.include({ closed: 0, gone: 0, kept: 0 });
    const [again] = agents as [Agent];
    const { body } = okay(await again.start(seller));
    expect(body.status).to.equal("account");
    expect(okay(await again.confirm(body)).body.status).to.equal("funding");
    expect(await rentOut()).to.equal(out + 2n * ACCOUNT_RENT);
  });

  it("leaves those that have money, and those that a session can come back to", async () => {
    const [rich, busy, poor] = (await made(3)) as [Agent, Agent, Agent];
    books.fund(rich.wallet.publicKey, 1n);
    books.fund(busy.wallet.publicKey, DEPOSIT);
    month();
    const rounds = await busy.run(seller);
    const { roleId, closeToken } = rounds.at(-1);
    books.watch(roleId);
    expect(await books.tokens(busy.wallet.publicKey), "all of it is in the channel").to.equal(0n);
    expect(await close()).to.deep.equal({ closed: 1, lamports: ACCOUNT_RENT, gone: 0, lost: 0, kept: 2, open: 0 });
    expect([await has(rich), await has(busy), await has(poor)]).to.deep.equal([true, true, false]);
    await office.context.sessions.close({ channelId: roleId, closeToken });
    expect(await books.tokens(busy.wallet.publicKey), "the refund has arrived").to.equal(DEPOSIT);
    expect(await close()).to.include({ closed: 0, kept: 2 });
  });

  it("changes nothing when it only looks", async () => {
    const agents = await made(2);
    month();
    const [before, out] = [await sponsors(), await rentOut()];
    expect(await close({ dryRun: true })).to.include({ closed: 2, lamports: 2n * ACCOUNT_RENT });
    expect([await sponsors(), await rentOut()]).to.deep.equal([before, out]);
    for (const agent of agents) expect(await has(agent)).to.equal(true);
    expect(await close()).to.include({ closed: 2 });
  });

  for (const method of ["simulate", "send"] as const) {
    it(`closes the others when one gets money before it is to ${method}`, async () => {
      const agents = await made(5);
      month();
      const [before, lucky] = [await sponsors(), agents[2] as Agent];
      rpc.fault(
        method,
        first(1, async (ask) => {
          books.fund(lucky.wallet.publicKey, 7n);
          return ask();
        }),
      );
      expect(await close()).to.deep.equal({
        closed: 4,
        lamports: 4n * ACCOUNT_RENT,
        gone: 0,
        lost: 0,
        kept: 1,
        open: 0,
      });
      for (const agent of agents) expect(await has(agent)).to.equal(agent === lucky);
      expect(await books.tokens(lucky.wallet.publicKey)).to.equal(7n);
      // Alone each costs a fee; what landed and failed did, too.
      const fees = method === "send" ? 5n : 4n;
      expect((await sponsors()) - before).to.equal(4n * ACCOUNT_RENT - fees * 5_000n);
      expect(told.join("\n")).to.include(`kept ${tokenAddress(lucky.wallet.publicKey, MINT, TOKEN_PROGRAM_ID)}`);
    });
  }

  it("books what a run has closed that was killed before it could, wherever that was", async () => {
    const { database } = office.context.tables;
    let steps = 0;
    for (let dies = 0; ; dies++) {
      const agents = await made(2);
      month();
      const [before, out] = [await sponsors(), await rentOut()];
      const tables = { database: mortal(database, dies) } as Office["context"]["tables"];
      const killed = await close({}, { tables }).then(
        () => false,
        (error: unknown) => {
          expect(error).to.be.instanceOf(StoreError);
          return true;
        },
      );
      const tally = await close();
      expect(tally.open).to.equal(0);
      for (const agent of agents) expect(await has(agent)).to.equal(false);
      expect((await sponsors()) - before, `killed at ${dies}`).to.equal(2n * ACCOUNT_RENT - 5_000n);
      expect(await rentOut()).to.equal(out - 2n * ACCOUNT_RENT);
      steps++;
      if (!killed) break;
    }
    // Reading a page, looking for sessions, marking two and again, booking two, and seeing that there is no more; before and after.
    expect(steps).to.be.greaterThan(16);
  });

  it("goes on in another run when no node answers, or what was sent does not arrive", async () => {
    const agents = await made(2);
    month();
    rpc.fault("latestBlockhash", down());
    expect(await close().catch((error: { code: string }) => error.code)).to.equal("rpc");
    rpc.heal();
    rpc.fault("send", swallow);
    expect(await close()).to.include({ closed: 0, open: 2 });
    rpc.heal();
    for (const agent of agents) expect(await has(agent)).to.equal(true);
    expect(await close()).to.include({ closed: 2, open: 0 });
  });

  it("does not take a fee payer that has nothing left for a reason to keep an account", async () => {
    await made(1);
    month();
    rpc.fault("simulate", async () => ({ err: "InsufficientFundsForFee", logs: [], slot: 1n }));
    expect(await close()).to.include({ closed: 0, kept: 0, open: 1 });
    rpc.heal();
    expect(await close()).to.include({ closed: 1 });
  });

  it("pays for each account once when it runs twice at the same time", async () => {
    await made(4);
    month();
    const [before, out] = [await sponsors(), await rentOut()];
    await Promise.all([close(), close()]);
    const left = await close();
    expect(left).to.include({ closed: 0, open: 0 });
    const back = (await sponsors()) - before;
    expect(back >= 4n * ACCOUNT_RENT - 50_000n && back < 4n * ACCOUNT_RENT, String(back)).to.equal(true);
    expect(await rentOut()).to.equal(out - 4n * ACCOUNT_RENT);
  });

  it("gives the wallet what somebody has sent to its account besides the rent", async () => {
    const [agent] = (await made(1)) as [Agent];
    const address = tokenAddress(agent.wallet.publicKey, MINT, TOKEN_PROGRAM_ID).toBase58();
    office.net.airdrop(address, 900_000n);
    month();
    const before = await sponsors();
    expect(await close()).to.include({ closed: 1 });
    expect(await books.lamports(agent.wallet)).to.equal(900_000n);
    expect((await sponsors()) - before).to.equal(ACCOUNT_RENT - 5_000n);
  });

  it("leaves what only a key may close that is not among ours any more", async () => {
    await made(1);
    month();
    const feePayers = [Keypair.generate()] as unknown as Office["config"]["feePayers"];
    const config = { ...office.config, feePayers };
    expect(await close({}, { config })).to.include({ closed: 0, kept: 1 });
    expect(await close()).to.include({ closed: 1 });
  });

  describe("what a channel refunds", () => {
    let other: Office;
    before(async () => {
      other = await startOffice({ net: office.net });
    });
    after(() => other.close());

    /** All that the wallet has goes into a channel of another service. */
    async function goesElsewhere(agent: Agent): Promise<() => Promise<void>> {
      books.fund(agent.wallet.publicKey, DEPOSIT);
      const { roleId, closeToken } = (await agent.at(other).run(seller)).at(-1);
      books.watch(roleId);
      expect(await books.tokens(agent.wallet.publicKey)).to.equal(0n);
      return async () => {
        await other.context.sessions.close({ channelId: roleId, closeToken });
        expect(await books.tokens(agent.wallet.publicKey), "the refund").to.equal(DEPOSIT);
      };
    }

    it("finds its account, though another service has opened the channel", async () => {
      const [away, idle] = (await made(2)) as [Agent, Agent];
      const end = await goesElsewhere(away);
      month();
      expect(await close({ dryRun: true })).to.include({ closed: 1, kept: 1 });
      expect(await close()).to.include({ closed: 1, kept: 1 });
      expect([await has(away), await has(idle)]).to.deep.equal([true, false]);
      await end();
    });

    it("finds its account, though another service has opened the channel between the first look and the last", async () => {
      const [away, idle] = (await made(2)) as [Agent, Agent];
      month();
      let end = async () => {};
      rpc.fault(
        "simulate",
        first(1, async (ask) => {
          const answer = await ask();
          end = await goesElsewhere(away);
          return answer;
        }),
      );
      expect(await close()).to.include({ closed: 1, kept: 1, open: 0 });
      expect([await has(away), await has(idle)]).to.deep.equal([true, false]);
      expect(told.join("\n")).to.include(`${away.address} has a channel`);
      await end();
    });

    it("is not risked when no node says what channels there are: nothing is closed then", async () => {
      const [agent] = (await made(1)) as [Agent];
      month();
      for (const fault of [down("getProgramAccounts"), first(1, (ask) => ask(), down("getProgramAccounts"))]) {
        rpc.fault("programAccounts", fault);
        told = [];
        expect(await close().catch((error: { code: string }) => error.code)).to.equal("rpc");
        expect(told.join("\n")).to.include("no more is closed: no node says what channels");
        expect(await has(agent)).to.equal(true);
      }
      rpc.heal();
      // Nothing is left of the mark either.
      books.fund(agent.wallet.publicKey, DEPOSIT);
      books.watch((await agent.run(seller)).at(-1).roleId);
    });

    for (const method of ["simulate", "send"] as const) {
      it(`finds its account: this service opens no session that is asked for when it is to ${method}, and does so afterwards`, async () => {
        const [agent] = (await made(1)) as [Agent];
        month();
        let refused: unknown;
        rpc.fault(
          method,
          first(1, async (ask) => {
            rpc.heal();
            books.fund(agent.wallet.publicKey, DEPOSIT);
            refused = (await agent.confirm(okay(await agent.start(seller)).body)).body;
            return ask();
          }),
        );
        expect(await close()).to.include({ closed: 0, kept: 1, open: 0 });
        expect(refused).to.include({ status: 409, code: "channel_busy", retryable: true });
        const { roleId, closeToken } = (await agent.run(seller)).at(-1);
        books.watch(roleId);
        expect(await books.tokens(agent.wallet.publicKey)).to.equal(0n);
        await office.context.sessions.close({ channelId: roleId, closeToken });
        expect(await books.tokens(agent.wallet.publicKey)).to.equal(DEPOSIT);
      });
    }

    it("finds its account, though a session begins between the look and the mark", async () => {
      const [agent] = (await made(1)) as [Agent];
      month();
      rpc.fault(
        "programAccounts",
        first(1, async (ask) => {
          const answer = await ask();
          books.fund(agent.wallet.publicKey, DEPOSIT);
          books.watch((await agent.run(seller)).at(-1).roleId);
          return answer;
        }),
      );
      expect(await close()).to.include({ closed: 0, kept: 1, open: 0 });
      expect(await has(agent)).to.equal(true);
    });
  });

  it("keeps nobody from opening sessions for ever who died while it closed: its mark runs out", async () => {
    const [agent] = (await made(1)) as [Agent];
    month();
    const { database } = office.context.tables;
    rpc.fault("send", swallow);
    expect(await close({ landing: { budgetMs: 20, pollMs: 2 } })).to.include({ closed: 0, open: 1 });
    rpc.heal();
    books.fund(agent.wallet.publicKey, DEPOSIT);
    const { body } = okay(await agent.start(seller));
    expect((await agent.confirm(body)).body).to.include({ status: 409, code: "channel_busy" });
    const left = "SELECT closing_until - (extract(epoch FROM now()) * 1000)::bigint FROM facilitator_made_accounts";
    const [row] = await database.query({ name: "test_left", text: left }, []);
    // Longer than 150 blocks, and no longer than somebody waits.
    expect(Number(row?.[0])).to.be.within(10 * 60_000, 15 * 60_000);
    const past = "UPDATE facilitator_made_accounts SET closing_until = (extract(epoch FROM now()) * 1000)::bigint";
    await database.query({ name: "test_past", text: past }, []);
    books.watch((await agent.run(seller)).at(-1).roleId);
  });

  it("sends nothing under a mark that another run has taken over, and the other leaves it in place", async () => {
    const [agent] = (await made(1)) as [Agent];
    month();
    let inner: unknown;
    rpc.fault(
      "simulate",
      first(1, async (ask) => {
        const answer = await ask();
        rpc.fault("send", swallow);
        inner = await close({ landing: { budgetMs: 20, pollMs: 2 } });
        rpc.heal();
        return answer;
      }),
    );
    expect(await close()).to.include({ closed: 0, open: 1 });
    expect(inner).to.include({ closed: 0, open: 1 });
    expect(told.join("\n")).to.include("another run is at it");
    books.fund(agent.wallet.publicKey, DEPOSIT);
    const { body } = okay(await agent.start(seller));
    expect((await agent.confirm(body)).body).to.include({ status: 409, code: "channel_busy" });
  });

  it("does not book rent as back that the owner kept, as one could whose account an older version made", async () => {
    const [old] = (await made(2)) as [Agent];
    const { database } = office.context.tables;
    const wire = await wireWithoutAuthority(old);
    const text = "UPDATE facilitator_made_accounts SET wire = $2::text WHERE wallet = $1::text";
    await database.query({ name: "test_old", text }, [old.address, wire]);
    const out = await rentOut();
    month();
    // Of both nothing is there any more.
    rpc.fault("accounts", async (_, [addresses]) => (addresses as string[]).map(() => undefined));
    expect(await close({ dryRun: true })).to.include({ closed: 0, gone: 1, lost: 1 });
    expect(await close()).to.deep.equal({ closed: 0, lamports: 0n, gone: 1, lost: 1, kept: 0, open: 0 });
    expect(await rentOut()).to.equal(out - ACCOUNT_RENT);
    expect(await close()).to.include({ gone: 0, lost: 1 });
    expect(okay(await old.start(seller)).body.status, "it gets no other").to.equal("funding");
  });

  /** What version 1 sent: an account that its owner may close. */
  async function wireWithoutAuthority(agent: Agent): Promise<string> {
    const owner = agent.wallet.publicKey;
    const payer = office.keys.feePayers[0].publicKey;
    const account = tokenAddress(owner, MINT, TOKEN_PROGRAM_ID);
    const instructions = [createAssociatedTokenAccountIdempotentInstruction(payer, account, owner, MINT)];
    const { blockhash } = await office.connection.getLatestBlockhash();
    return Buffer.from(
      buildTransaction({ feePayer: payer, recentBlockhash: blockhash, instructions }).serialize(),
    ).toString("base64");
  }

  it("does not free a wallet that has emptied its account by itself before it is closed", async () => {
    const [agent] = (await made(1)) as [Agent];
    books.fund(agent.wallet.publicKey, 5n);
    const [from, to] = [agent.wallet.publicKey, books.person(0n).publicKey].map((owner) =>
      tokenAddress(owner, MINT, TOKEN_PROGRAM_ID),
    );
    await run(office, [createTransferInstruction(from!, to!, agent.wallet.publicKey, 5n)], [agent.wallet]);
    expect(okay(await agent.start(seller)).body.status, "it has one").to.equal("funding");
    month();
    expect(await close()).to.include({ closed: 1 });
    expect(okay(await agent.start(seller)).body.status).to.equal("account");
  });
});

describe("mppsol-facilitator close-accounts", () => {
  it("closes what the books of a service say, and says so; with 0, 1 where something is left, 2 for what it does not know", async () => {
    const net = await startChain();
    const dataDir = mkdtempSync(join(tmpdir(), "facilitator-close-"));
    try {
      const keys = newKeys(net);
      const config = { databaseDir: join(dataDir, "localnet.db"), feePayers: [keys.feePayers[0]] as const };
      const office = await startOffice({ net, keys, config });
      const books = new Books(office);
      const seller = books.person(0n).publicKey.toBase58();
      for (let at = 0; at < 3; at++) {
        const agent = new Agent(office, books.person());
        okay(await agent.confirm(okay(await agent.start(seller)).body));
      }
      await office.close();
      const json = (key: Keypair) => JSON.stringify([...key.secretKey]);
      const environment = {
        MPPSOL_DATA_DIR: dataDir,
        RPC_URLS: net.url,
        FEE_PAYER_KEYS: office.keys.feePayers.map(json).join(","),
        SETTLEMENT_KEY: json(office.keys.settlement),
        OPERATOR_KEY: json(office.keys.operator),
        SECRET: office.config.secret,
      };
      const closing = async (args: string[], more: Record<string, string> = {}) => {
        let text = "";
        const write = (line: string) => {
          text += line;
        };
        const asked = ["close-accounts", ...args];
        const outcome = await command(asked, { ...environment, ...more }, { out: write, err: write });
        return { exit: "exit" in outcome ? outcome.exit : undefined, text };
      };
      const before = await books.lamports(...office.keys.feePayers);
      expect(await closing([])).to.deep.equal({
        exit: 0,
        text: "closed 0, 0 lamports are back; 0 were gone; 0 stay\n",
      });
      expect(await closing(["--older-than", "0", "--dry-run"])).to.deep.equal({
        exit: 0,
        text: `would close 3, ${3n * ACCOUNT_RENT} lamports; 0 are gone; 0 stay\n`,
      });
      expect(await books.lamports(...office.keys.feePayers)).to.equal(before);
      const closed = await closing(["--older-than", "0"]);
      expect(closed.exit, closed.text).to.equal(0);
      expect(closed.text).to.match(/^closed 3, 6117840 lamports: \w{80,90}\nclosed 3, 6117840 lamports are back;/);
      expect((await books.lamports(...office.keys.feePayers)) - before).to.equal(3n * ACCOUNT_RENT - 5_000n);
      expect((await closing(["--older-than", "0"])).text).to.match(/^closed 0/);
      for (const days of ["x", "-1", "1.5"]) expect((await closing([`--older-than=${days}`])).exit).to.equal(2);
      const embedded = await closing([], { RPC_URLS: "" });
      expect(embedded.exit).to.equal(1);
      expect(embedded.text).to.include("RPC_URLS: ");
      const away = await closing([], { RPC_URLS: "http://127.0.0.1:1" });
      expect(away.exit).to.equal(1);
    } finally {
      await net.close();
      rmSync(dataDir, { recursive: true, force: true });
    }
  }).timeout(120_000);
});

/** A database that is gone after so many steps: for even numbers before the last of them is done, else after it. */
function mortal(database: Database, dies: number): Database {
  let left = dies >> 1;
  const step = async <T>(work: () => Promise<T>): Promise<T> => {
    if (left < 0) throw new StoreError("gone");
    const isLast = left-- === 0;
    if (isLast && dies % 2 === 0) throw new StoreError("gone");
    const done = await work();
    if (isLast) throw new StoreError("gone");
    return done;
  };
  return {
    ...database,
    query: (...args) => step(() => database.query(...args)),
    transaction: (work) => step(() => database.transaction(work)),
  };
}
