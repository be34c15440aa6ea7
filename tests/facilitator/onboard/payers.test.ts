// Which fee payer fronts the accounts of new wallets, and what it keeps.
import type { Localnet } from "@mppsol/localnet";
import { Keypair, VersionedTransaction } from "@solana/web3.js";
import { expect } from "chai";
import { FLOOR_LAMPORTS, RESERVE_LAMPORTS } from "../../../services/facilitator/src/floor.ts";
import { type FaultyRpc, faulty } from "../../server/chain/faults.ts";
import { startChain } from "../support.ts";
import { ACCOUNT_RENT, Agent, Books, type Office, okay, refused, startOffice } from "./support.ts";

const COST = ACCOUNT_RENT + 10_000n;

describe("the fee payers of new wallets' accounts", () => {
  let net: Localnet;
  let office: Office;
  let books: Books;
  let rpc: FaultyRpc;
  let small: Keypair;
  let rich: Keypair;
  let seller: string;
  before(async () => {
    net = await startChain();
  });
  after(() => net.close());
  afterEach(() => office.close());

  async function open(lamports: bigint, others = [10_000_000_000n]): Promise<void> {
    [small, rich] = [Keypair.generate(), Keypair.generate()];
    const [settlement, operator] = [Keypair.generate(), Keypair.generate()];
    for (const more of others) net.airdrop(rich.publicKey.toBase58(), more);
    net.airdrop(settlement.publicKey.toBase58(), 1_000_000_000n);
    office = await startOffice({
      net,
      keys: { feePayers: [small, rich], settlement, operator },
      rpc: (honest) => {
        rpc = faulty(honest);
        return rpc;
      },
    });
    // After the start, which has made the service's own account at the cost of another key.
    if (lamports > 0n) net.airdrop(small.publicKey.toBase58(), lamports);
    books = new Books(office);
    seller = books.person(0n).publicKey.toBase58();
  }

  async function offered(): Promise<{ readonly agent: Agent; readonly body: object; readonly funder: string }> {
    const agent = new Agent(office, books.person());
    const { body } = okay(await agent.start(seller));
    const { message } = VersionedTransaction.deserialize(Buffer.from(body.transaction, "base64"));
    return { agent, body, funder: message.staticAccountKeys[0]!.toBase58() };
  }

  it("take turns", async () => {
    await open(10_000_000_000n);
    const funders = [(await offered()).funder, (await offered()).funder, (await offered()).funder];
    expect(new Set(funders)).to.have.lengthOf(2);
    expect(funders[2]).to.equal(funders[0]);
  });

  it("are passed over when one is empty, or has no more than its reserve and a part of the rent", async () => {
    for (const lamports of [0n, 900_000n, RESERVE_LAMPORTS + COST - 1n]) {
      await open(lamports);
      const before = await books.lamports(small);
      for (const _ of [1, 2]) {
        const { agent, body, funder } = await offered();
        expect(funder).to.equal(rich.publicKey.toBase58());
        okay(await agent.confirm(body));
      }
      expect(await books.lamports(small)).to.equal(before);
      if (lamports < RESERVE_LAMPORTS + COST - 1n) await office.close();
    }
  });

  it("offer nothing when none has enough: asked again later, it goes on", async () => {
    await open(FLOOR_LAMPORTS, [FLOOR_LAMPORTS]);
    const agent = new Agent(office, books.person());
    refused(await agent.start(seller), 503, "sponsor_exhausted");
    net.airdrop(small.publicKey.toBase58(), 10_000_000n);
    net.advanceSeconds(10);
    expect(okay(await agent.start(seller)).body.status).to.equal("account");
  });

  describe("that have spent it since the offer", () => {
    it("sign nothing below the reserve, say so, and make the account when there is enough again", async () => {
      await open(RESERVE_LAMPORTS + COST, []);
      const { agent, body } = await offered();
      const other = await offered();
      okay(await other.agent.confirm(other.body));
      expect(await books.lamports(small)).to.equal(RESERVE_LAMPORTS);
      refused(await agent.confirm(body), 503, "sponsor_exhausted");
      expect(await books.lamports(small)).to.equal(RESERVE_LAMPORTS);
      net.airdrop(small.publicKey.toBase58(), COST);
      okay(await agent.confirm(body));
    });

    it("say the same when only the trial shows it", async () => {
      await open(10_000_000_000n, []);
      const { agent, body } = await offered();
      rpc.fault("simulate", async () => ({ err: "InsufficientFundsForFee", logs: [], slot: 0n }));
      refused(await agent.confirm(body), 503, "sponsor_exhausted");
      rpc.heal();
      okay(await agent.confirm(body));
    });
  });

  it("make as many at once as they have lamports for", async () => {
    await open(RESERVE_LAMPORTS + 2n * COST, []);
    const rounds = [await offered(), await offered(), await offered(), await offered()];
    const answers = await Promise.all(rounds.map(({ agent, body }) => agent.confirm(body)));
    const made = answers.filter(({ status }) => status === 200);
    expect(made).length.within(1, 2);
    for (const answer of answers) if (!made.includes(answer)) refused(answer, 503, "sponsor_exhausted");
    expect(await books.lamports(small)).to.equal(RESERVE_LAMPORTS + 2n * COST - BigInt(made.length) * COST);
  });

  it("hold nothing back when an account was made or refused", async () => {
    await open(RESERVE_LAMPORTS + COST, []);
    const { agent, body } = await offered();
    rpc.fault("simulate", async () => ({ err: "AccountInUse", logs: [], slot: 0n }));
    refused(await agent.confirm(body), 422, "simulation_failed");
    rpc.heal();
    okay(await agent.confirm(body));
    net.airdrop(small.publicKey.toBase58(), COST);
    net.advanceSeconds(10);
    const next = await offered();
    okay(await next.agent.confirm(next.body));
    expect(await books.lamports(small)).to.equal(RESERVE_LAMPORTS);
  });
});
