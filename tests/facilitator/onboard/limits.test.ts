// How many token accounts are made for new wallets: bounded for each client address, each minute, and by the rent that is out.
import { createHmac } from "node:crypto";
import { expect } from "chai";
import { FrontedAccounts } from "../../../services/facilitator/src/onboard/FrontedAccounts.ts";
import { type FaultyRpc, faulty, lost, swallow } from "../../server/chain/faults.ts";
import {
  ACCOUNT_RENT,
  Agent,
  type Answer,
  Books,
  CONFIRM,
  configured,
  type Office,
  okay,
  refused,
  startOffice,
} from "./support.ts";

const DAY = 86_400;

describe("token accounts of new wallets", () => {
  let office: Office;
  let books: Books;
  let seller: string;
  let rpc: FaultyRpc;
  before(async () => {
    office = await startOffice({ rpc: (real) => (rpc = faulty(real)), config: { settleBudgetMs: 300 } });
    books = new Books(office);
    seller = books.person(0n).publicKey.toBase58();
  });
  beforeEach(() => {
    // A day begins.
    const now = office.net.clock().unixTimestamp;
    office.net.advanceSeconds(DAY - (now % DAY));
  });
  afterEach(async () => {
    rpc.heal();
    await books.check();
  });
  after(() => office.close());

  /** A wallet that is to be given an account. */
  async function asking(of = seller): Promise<{ agent: Agent; round: Answer["body"] }> {
    const agent = new Agent(office, books.person());
    return { agent, round: okay(await agent.start(of)).body };
  }

  /** Hands over the round's transaction from an address. */
  async function confirm(remoteAddress: string, of = seller): Promise<Answer> {
    const { agent, round } = await asking(of);
    return confirmed(agent, round, remoteAddress);
  }

  async function confirmed(agent: Agent, round: Answer["body"], remoteAddress: string): Promise<Answer> {
    const payload = await agent.signed(round);
    const reply = await office.app.inject({ method: "POST", url: CONFIRM, payload, remoteAddress });
    return { status: reply.statusCode, headers: reply.headers, body: JSON.parse(reply.body) };
  }

  const rows = (text: string) =>
    office.context.tables.database.query({ name: `test_${text.length}_${text}`, text }, []) as Promise<string[][]>;
  const spent = (bucket: string) => office.context.tables.spent(bucket, DAY * 1_000, office.context.now());
  async function rentOut(): Promise<bigint> {
    const [row] = await rows("SELECT lamports::text FROM facilitator_rent_out WHERE bucket = 'onboarding'");
    return BigInt(row?.[0] ?? "0");
  }

  it("are so many a day for one client address, whatever wallets it has; others are not kept from theirs", async () => {
    await configured(office, { onboardAccountsPerDayPerClient: 2 }, async () => {
      for (const _ of [1, 2]) expect(okay(await confirm("10.1.1.1")).body.status).to.equal("funding");
      const made = await spent("onboard:accounts");
      const { agent, round } = await asking();
      const answer = refused(await confirmed(agent, round, "10.1.1.1"), 429, "onboarding_cap_exceeded");
      expect(answer.body.detail).to.equal("At most 2 token accounts are made in a day for one client address.");
      expect(Number(answer.headers["retry-after"])).to.be.within(1, DAY);
      refused(await confirmed(agent, round, "::ffff:10.1.1.1"), 429, "onboarding_cap_exceeded");
      expect(await spent("onboard:accounts"), "it takes nothing of what all share").to.equal(made);
      expect(okay(await confirm("10.1.1.2")).body.status).to.equal("funding");
      office.net.advanceSeconds(DAY);
      expect(okay(await confirmed(agent, okay(await agent.start(seller)).body, "10.1.1.1")).body.status).to.equal(
        "funding",
      );
    });
  });

  it("count the addresses of one IPv6 network as one client", async () => {
    await configured(office, { onboardAccountsPerDayPerClient: 1 }, async () => {
      okay(await confirm("2001:db8:1:2::1"));
      refused(await confirm("2001:db8:1:2:ffff::9"), 429, "onboarding_cap_exceeded");
      okay(await confirm("2001:db8:1:3::1"));
    });
  });

  it("keep no address that could be read: a keyed hash, and of an account that is there not even that", async () => {
    const address = "10.77.66.55";
    rpc.fault("send", swallow);
    const { agent, round } = await asking();
    expect((await confirmed(agent, round, address)).status).to.equal(202);
    const hash = createHmac("sha256", office.config.secret).update(`onboard client\n${address}`).digest("hex");
    const kept = async () => {
      const accounts = await rows(
        `SELECT coalesce(client, 'nobody') FROM facilitator_made_accounts WHERE wallet = '${agent.address}'`,
      );
      return accounts[0]?.[0];
    };
    expect(await kept()).to.equal(hash.slice(0, 32));
    expect(await spent(`onboard:client:${hash.slice(0, 32)}`)).to.equal(1n);
    const all = await rows("SELECT bucket FROM facilitator_budgets");
    expect(JSON.stringify(all)).not.to.include(address);
    rpc.heal();
    okay(await agent.status(seller));
    expect(await kept()).to.equal("nobody");
  });

  it("that can never come to be count no more, neither against anybody's day nor as rent", async () => {
    const buckets = ["onboard:accounts", "lamports:global", `lamports:seller:${seller}`];
    const figures = async () => [await rentOut(), ...(await Promise.all(buckets.map(spent)))];
    const before = await figures();
    const { agent, round } = await asking();
    rpc.fault("send", swallow);
    expect((await confirmed(agent, round, "10.2.2.2")).status).to.equal(202);
    expect(await figures()).to.deep.equal([ACCOUNT_RENT, 1n, 10_000n, 10_000n].map((more, at) => before[at]! + more));
    expect(await spent(`lamports:payer:${agent.address}`)).to.equal(10_000n);
    office.net.warpSlots(400);
    expect((await agent.status(seller)).body.status).to.equal("account");
    expect(await figures()).to.deep.equal(before);
    expect(await spent(`lamports:payer:${agent.address}`)).to.equal(0n);
    await configured(office, { onboardAccountsPerDayPerClient: 1 }, async () => {
      rpc.heal();
      okay(await confirm("10.2.2.2"));
    });
  });

  it("of wallets that never come back are found out about by the sweep", async () => {
    const sweep = () => new FrontedAccounts(office.context).sweep();
    const before = await rentOut();
    const gone = await asking();
    rpc.fault("send", swallow);
    expect((await confirmed(gone.agent, gone.round, "10.3.3.1")).status).to.equal(202);
    rpc.fault("send", lost());
    rpc.fault("status", lost());
    const there = await asking();
    expect((await confirmed(there.agent, there.round, "10.3.3.2")).status).to.equal(202);
    rpc.heal();
    rpc.fault("send", swallow);
    office.net.warpSlots(400);
    await sweep();
    expect(await rentOut(), "they may still land").to.equal(before + 2n * ACCOUNT_RENT);
    office.net.advanceSeconds(15 * 60);
    await sweep();
    expect(await rentOut()).to.equal(before + ACCOUNT_RENT);
    const [row] = await rows(
      `SELECT (slot IS NOT NULL)::text FROM facilitator_made_accounts WHERE wallet = '${there.agent.address}'`,
    );
    expect(row).to.deep.equal(["true"]);
    await sweep();
    expect(await rentOut()).to.equal(before + ACCOUNT_RENT);
  });

  it("are sponsored transactions: so many a minute for a seller, and in all", async () => {
    const other = books.person(0n).publicKey.toBase58();
    await configured(office, { sellerSettlePerMinute: 1 }, async () => {
      okay(await confirm("10.4.4.1", other));
      const answer = refused(await confirm("10.4.4.1", other), 429, "seller_settle_cap_exceeded");
      expect(Number(answer.headers["retry-after"])).to.be.within(1, 60);
      okay(await confirm("10.4.4.1"));
    });
    office.net.advanceSeconds(60);
    await configured(office, { globalSettlePerMinute: 1 }, async () => {
      okay(await confirm("10.4.4.1"));
      refused(await confirm("10.4.4.1", other), 429, "global_settle_cap_exceeded");
    });
  });

  it("are made until so much rent is out, and no day's end changes that", async () => {
    const out = await rentOut();
    await configured(office, { onboardRentLamports: out + ACCOUNT_RENT }, async () => {
      okay(await confirm("10.5.5.1"));
      const made = await spent("onboard:accounts");
      const answer = refused(await confirm("10.5.5.1"), 429, "sponsor_budget_exceeded");
      expect(answer.body.detail).to.match(/^The rent that is fronted for accounts of new wallets is used up/);
      expect(answer.headers["retry-after"]).to.equal("60");
      expect(await spent("onboard:accounts")).to.equal(made);
      office.net.advanceSeconds(DAY);
      refused(await confirm("10.5.5.1"), 429, "sponsor_budget_exceeded");
      expect(await rentOut()).to.equal(out + ACCOUNT_RENT);
    });
  });

  it("are not counted as spent by the day but for their fee, so that charges are paid for as before", async () => {
    const before = await spent("lamports:global");
    okay(await confirm("10.6.6.1"));
    expect((await spent("lamports:global")) - before).to.equal(10_000n);
  });
});
