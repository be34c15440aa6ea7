// Two processes of the facilitator on one Postgres: what holds in one holds in both together.
import { Postgres, SqlStore } from "@mppsol/server/parts";
import type { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import { SqlTables } from "../../../services/facilitator/src/db/SqlTables.ts";
import { faulty } from "../../server/chain/faults.ts";
import { hasPostgres, postgres } from "../../support/postgres.ts";
import { DEPOSIT, IDLE, type Office, Plaza, RENT, refusal, UNIT, Wallet } from "./plaza.ts";

describe("two processes of the facilitator on one database", () => {
  let plaza: Plaza | undefined;
  let other: Postgres;
  let offices: [Office, Office];
  let seller: Keypair;
  before(async function () {
    const cluster = await postgres(this);
    const connectionString = await cluster.database();
    plaza = await Plaza.start({ maxOpenSessionsPerBuyer: 3 }, new Postgres({ connectionString, connections: 8 }));
    other = new Postgres({ connectionString, connections: 8 });
    const store = new SqlStore(other, true);
    offices = [await plaza.office(), await plaza.office({ store, tables: new SqlTables(other) })];
    seller = plaza.seller();
  });
  afterEach(() => plaza?.market.checkBooks());
  after(async () => {
    await plaza?.stop();
    if (hasPostgres()) await other?.close();
  });

  const place = () => plaza as Plaza;

  it("open the same session once, whoever is asked", async () => {
    const [one, two] = offices;
    const before = await place().purse();
    const wallet = await Wallet.prepare(one, { seller });
    const answers = await Promise.all(Array.from({ length: 10 }, (_, i) => wallet.at(i % 2 === 0 ? one : two).open()));
    expect(new Set(answers.map(({ signature }) => signature)).size).equal(1);
    expect(new Set(answers.map(({ closeToken }) => closeToken)).size).equal(1);
    expect(await place().tokens(wallet.buyer)).equal(10_000n - DEPOSIT);
    expect(before - (await place().purse())).equal(RENT + 10_000n);
  });

  it("count a buyer's sessions together", async () => {
    const [one, two] = offices;
    const buyer = place().buyer(100_000n);
    const wallets = await Promise.all(
      Array.from({ length: 10 }, (_, i) => Wallet.prepare(i % 2 === 0 ? one : two, { seller, buyer })),
    );
    const results = await Promise.all(wallets.map((wallet) => refusal(wallet.present())));
    expect(results.filter((result) => result === "nothing")).length(3);
    expect(results.filter((result) => result === "buyer_session_cap_exceeded")).length(7);
    expect(await place().tokens(buyer)).equal(100_000n - 3n * DEPOSIT);
  });

  it("keep one cap of the rent that is out, and none waits for another without end, whoever opens for whom", async () => {
    const text = "SELECT lamports::text FROM facilitator_rent_out WHERE bucket = 'sessions'";
    const rentOut = async () => BigInt((await other.query({ name: "test_rent_out", text }, []))[0]?.[0] ?? "0");
    const before = await rentOut();
    const config = { sponsorRentLamports: before + 5n * RENT };
    const store = new SqlStore(other, true);
    const both = [
      await place().office({ config }),
      await place().office({ config, store, tables: new SqlTables(other) }),
    ];
    const sellers = [place().seller(), place().seller(), place().seller()] as const;
    const wallets = await Promise.all(
      Array.from({ length: 14 }, (_, i) => Wallet.prepare(both[i % 2]!, { seller: sellers[i % 3]! })),
    );
    const results = await Promise.all(wallets.map((wallet) => refusal(wallet.present())));
    expect(results.filter((result) => result === "nothing")).length(5);
    expect(results.filter((result) => result === "sponsor_budget_exceeded")).length(9);
    expect(await rentOut()).equal(before + 5n * RENT);
    place().pass(IDLE);
    await Promise.all(both.map((office) => office.sessions.tick()));
    place().passWindow();
    place().pass(60);
    await Promise.all(both.map((office) => office.sessions.tick()));
    expect(await rentOut(), "of those before, too").equal(0n);
  });

  it("pay for one open of one balance, however many are shown to both at once", async () => {
    const rpc = faulty(place().rpc);
    const store = new SqlStore(other, true);
    const [one, two] = [
      await place().office({ rpc }),
      await place().office({ rpc, store, tables: new SqlTables(other) }),
    ];
    const buyer = place().buyer(DEPOSIT);
    const wallets = await Promise.all(
      Array.from({ length: 6 }, (_, i) => Wallet.prepare(i % 2 === 0 ? one : two, { seller, buyer })),
    );
    const before = await place().purse();
    // All would have been tried by the time the first one lands.
    rpc.fault("send", async (ask) => {
      await new Promise((done) => setTimeout(done, 300));
      return ask();
    });
    const results = await Promise.all(wallets.map((wallet) => refusal(wallet.present())));
    expect(results.filter((result) => result === "nothing")).length(1);
    expect(results.filter((result) => result === "open-simulation")).length(5);
    expect(before - (await place().purse())).equal(RENT + 10_000n);
  });

  it("keep the highest of vouchers that sixty-four bring to both", async () => {
    const [one, two] = offices;
    const wallet = await one.open({ seller });
    const amounts = Array.from({ length: 64 }, (_, i) => BigInt(((i * 29) % 64) + 1) * 10n);
    const vouchers = await Promise.all(amounts.map((amount) => wallet.voucher(amount)));
    const results = await Promise.all(
      vouchers.map((voucher, i) => refusal((i % 2 === 0 ? one : two).sessions.keep(wallet.channelId, voucher))),
    );
    expect(results.every((result) => result === "nothing" || result === "voucher-not-monotonic")).equal(true);
    expect(results[amounts.indexOf(640n)]).equal("nothing");
    for (const office of offices) expect((await office.view(wallet)).accepted).equal(640n);
  });

  it("sign the same amount once, whoever is asked", async () => {
    const [one, two] = offices;
    const wallet = await one.open({ seller, mode: "operator" });
    const same = await Promise.all(offices.flatMap((office) => [1, 2, 3, 4].map(() => wallet.at(office).pay(UNIT))));
    expect(new Set(same.map(({ signature }) => signature)).size).equal(1);
    const amounts = Array.from({ length: 32 }, (_, i) => UNIT + BigInt(((i * 13) % 32) + 1) * 10n);
    const results = await Promise.all(
      amounts.map((amount, i) => refusal(wallet.at(i % 2 === 0 ? one : two).pay(amount))),
    );
    expect(results[amounts.indexOf(UNIT + 320n)]).equal("nothing");
    expect((await two.view(wallet)).accepted).equal(UNIT + 320n);
  });

  it("close a session once, asked for at both, and while both watch", async () => {
    const [one, two] = offices;
    const fresh = place().seller();
    const wallet = await one.open({ seller: fresh });
    await wallet.pay(5n * UNIT);
    const answers = await Promise.all([
      wallet.at(one).close(),
      wallet.at(two).close(),
      one.sessions.tick(),
      two.sessions.tick(),
    ]);
    for (const closed of answers.slice(0, 2)) expect(closed).include({ settledOnChain: 5n * UNIT });
    await two.sessions.tick();
    expect(await two.view(wallet)).include({ status: "closed", refunded: DEPOSIT - 5n * UNIT });
    expect(await place().tokens(fresh)).equal(5n * UNIT);
    expect(await place().tokens(wallet.buyer)).equal(10_000n - 5n * UNIT);
  });

  it("end what the other one has opened, and give back what it has fronted", async () => {
    const [one, two] = offices;
    const buyer = place().buyer();
    const wallet = await one.open({ seller, buyer });
    await wallet.pay(UNIT);
    place().pass(IDLE);
    await two.sessions.tick();
    expect(await one.view(wallet)).include({ status: "closed", settledOnChain: UNIT });
    place().passWindow();
    place().pass(60);
    await two.sessions.tick();
    expect(await wallet.onChain()).equal(undefined);
    const text = "SELECT held::text FROM facilitator_session_buyers WHERE payer = $1::text";
    const [row] = await other.query({ name: "test_held", text }, [buyer.publicKey.toBase58()]);
    expect(row?.[0]).equal("0");
  });
});
