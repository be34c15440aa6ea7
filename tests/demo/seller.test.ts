// The demo's seller on the embedded chain: crashes, altered opens, and vouchers that are not worth a request.
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SignedVoucher } from "@mppsol/core";
import { session, signVoucher, tokenAddress } from "@mppsol/programs";
import { AccountLayout, TOKEN_PROGRAM_ID } from "@solana/spl-token";
import { Keypair, PublicKey } from "@solana/web3.js";
import { expect } from "chai";
import { Agent } from "../../examples/demo/agent.js";
import { GRACE_SECONDS } from "../../examples/demo/cashier.js";
import { Journal } from "../../examples/demo/journal.js";
import { send } from "../../examples/demo/land.js";
import { LockedError } from "../../examples/demo/lock.js";
import { type Record as Entry, SETTLE_MARGIN_SECONDS } from "../../examples/demo/meter.js";
import type { Answer } from "../../examples/demo/pipeline.js";
import { Seller, type SellerOptions } from "../../examples/demo/seller.js";
import * as Wire from "../../examples/demo/wire.js";
import { start, type World } from "../../examples/demo/world.js";

const PRICE = 10n;

/** An agent that changes its open before it sends it, and keeps it. */
class Cheat extends Agent {
  change: ((payload: Record<string, Wire.Json>) => void) | undefined;
  /** Every open, as it was sent. */
  readonly opens: string[] = [];
  /** How often an open is sent at once. */
  times = 1;
  readonly answers: Promise<Answer>[] = [];

  override get(authorization?: string): Promise<Answer> {
    if (!authorization?.startsWith("Payment ")) return super.get(authorization);
    const { challenge, payload } = Wire.parseCredential(authorization);
    if (payload.action !== "open") return super.get(authorization);
    const changed = { ...payload };
    this.change?.(changed);
    const sent = Wire.formatCredential({ challenge, payload: changed });
    this.opens.push(sent);
    this.answers.push(...Array.from({ length: this.times }, () => super.get(sent)));
    return this.answers.at(-1)!;
  }
}

describe("the demo's seller", () => {
  let world: World;
  let folder: string;
  let options: SellerOptions;
  let seller: Seller;
  let agent: Cheat;

  before(async () => {
    world = await start(1_000_000n);
  });
  after(() => world.net.close());

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "mppsol-seller-"));
    const { connection, mint, decimals, seller: payee, operator } = world;
    options = {
      ...{ connection, mint, decimals, payee, operator, price: PRICE, minimumDeposit: PRICE },
      secret: "a secret of the tests, 32 bytes or more",
      journal: join(folder, "journal"),
    };
    seller = await Seller.start(options);
    agent = new Cheat(world.agent, { mint, maxPrice: PRICE });
    await agent.connect(seller.url);
  });
  afterEach(async () => {
    agent.disconnect();
    await seller.stop();
    rmSync(folder, { recursive: true });
  });

  async function restart(): Promise<void> {
    seller = await Seller.start(options);
    await agent.connect(seller.url);
  }

  async function refused(detail: string, authorization: string): Promise<void> {
    const { accepted, served } = seller.account(agent.session.channelId);
    const answer = await agent.get(authorization);
    expect([answer.status, (JSON.parse(answer.body) as { detail: string }).detail]).deep.equal([402, detail]);
    expect(seller.account(agent.session.channelId)).deep.include({ accepted, served });
  }

  it("loses nothing to a torn write: the agent sends the same voucher again and is served once", async () => {
    await agent.open(1_000n);
    const serials: number[] = [];
    await agent.pay(10, 4, ({ serial }) => serials.push(serial));
    await seller.stop();
    const bytes = readFileSync(options.journal);
    bytes[bytes.length - 20] = bytes[bytes.length - 20]! ^ 0x20;
    writeFileSync(options.journal, bytes);

    await restart();
    expect(seller.torn).greaterThan(0);
    expect(seller.account(agent.session.channelId)).deep.include({ accepted: 9n * PRICE, served: 9 });
    const again = await agent.get(agent.credential("voucher", agent.lastVoucher!));
    expect(again.status).equal(200);
    await agent.pay(5, 4, ({ serial }) => serials.push(serial));
    expect(serials).deep.equal(Array.from({ length: 15 }, (_, at) => at + 1));
    expect((await agent.close()).spent).equal("150");
  });

  it("takes a voucher only if it adds exactly the price, is for this channel, by its key, and in time", async () => {
    await agent.open(30n);
    await agent.pay(2, 1, () => {});
    const { channelId } = agent.session;
    const by = (key: Keypair, cumulativeAmount: bigint, expiresAt = 0n, channel = channelId) =>
      signVoucher({ channelId: channel, cumulativeAmount, expiresAt }, key);
    const say = async (...of: Parameters<typeof by>) => agent.credential("voucher", await by(...of));
    const mine = agent.voucherKey;
    await refused("voucher does not add exactly the price", await say(mine, 29n));
    await refused("voucher was already used", await say(mine, 20n));
    await refused("voucher was already used", await say(mine, 1n));
    await refused("amount exceeds deposit", await say(mine, 31n));
    await refused("voucher has another signer", await say(Keypair.generate(), 30n));
    await refused("voucher has expired", await say(mine, 30n, 1n));
    await refused("voucher is for another channel", await say(mine, 30n, 0n, PublicKey.unique().toBase58()));
    await refused("not a Payment credential", "Bearer 30");
    const { challenge } = agent.session;
    const other = { ...challenge, request: Wire.encode({ amount: "1" }) };
    const payload = { action: "voucher", channelId };
    await refused("not our challenge", Wire.formatCredential({ challenge: other, payload }));
    await refused("voucher is not an object", Wire.formatCredential({ challenge, payload }));

    const last = agent.lastVoucher!;
    expect((await agent.close()).spent).equal("20");
    await refused("channel is closing", agent.credential("voucher", last));
    await refused("channel is closing", agent.credential("close", last));
  });

  it("signs no open that is not exactly what it asked for", async () => {
    const balance = await world.connection.getBalance(world.operator.publicKey, "confirmed");
    const cases: [detail: RegExp, change: (payload: Record<string, Wire.Json>) => void][] = [
      [/bump was not asked for/, (open) => Object.assign(open, { bump: 255 })],
      [/voucher was not asked for/, (open) => Object.assign(open, { voucher: {} })],
      [/payee is not what was asked for/, (open) => Object.assign(open, { payee: open.payer })],
      [/channelId is not what was asked for/, (open) => Object.assign(open, { salt: "1" })],
      [/deposit is below the minimum/, (open) => Object.assign(open, { depositAmount: "9" })],
      [/transaction is not the open/, (open) => Object.assign(open, { depositAmount: "2000" })],
      [/openSlot is out of its window/, (open) => Object.assign(open, { openSlot: "99999999" })],
      [/depositAmount is not a u64/, (open) => Object.assign(open, { depositAmount: "-1" })],
      [/malformed-credential/, (open) => Object.assign(open, { transaction: "AAAA" })],
      [/small order/, (open) => Object.assign(open, { authorizedSigner: PublicKey.default.toBase58() })],
    ];
    for (const [detail, change] of cases) {
      agent.change = change;
      const error = await agent.open(1_000n).catch((thrown: unknown) => thrown);
      expect((error as Error).message).match(/refused with 402/);
      expect((error as Error).message).match(detail);
    }
    expect(await world.connection.getBalance(world.operator.publicKey, "confirmed")).equal(balance);
  });

  it("serves no more once the payer has begun to leave on chain", async () => {
    await agent.open(1_000n);
    await agent.pay(1, 1, () => {});
    const channel = new PublicKey(agent.session.channelId);
    const revoke = await session.revoke({ channel, payer: agent.wallet.publicKey });
    await send(world.connection, revoke, [world.operator, agent.wallet]);
    await new Promise((done) => setTimeout(done, 1_500));
    await refused("channel is closing", agent.credential("voucher", await agent.voucher(2n * PRICE)));
    await seller.stop();
    await restart();
    await refused("channel is closing", agent.credential("voucher", await agent.voucher(2n * PRICE)));
  });

  async function tokens(): Promise<bigint> {
    const address = tokenAddress(world.seller.publicKey, world.mint, TOKEN_PROGRAM_ID);
    const account = await world.connection.getAccountInfo(address, "confirmed");
    return AccountLayout.decode(account!.data).amount;
  }

  async function records(): Promise<Entry[]> {
    const copy = join(folder, "copy");
    copyFileSync(options.journal, copy);
    const { store, records } = await Journal.open(copy);
    await store.close();
    return records as unknown as Entry[];
  }

  /** Opens with 1,000, takes 50 quotes and starts to leave. */
  async function takeAndRevoke(): Promise<PublicKey> {
    await agent.open(1_000n);
    await agent.pay(50, 4, () => {});
    const channel = new PublicKey(agent.session.channelId);
    const revoke = await session.revoke({ channel, payer: agent.wallet.publicKey });
    await send(world.connection, revoke, [world.operator, agent.wallet]);
    return channel;
  }

  async function closed(): Promise<void> {
    const { channelId } = agent.session;
    for (let n = 0; n < 100; n++) {
      if ((await records()).some((record) => record.type === "closed" && record.channelId === channelId)) return;
      await new Promise((done) => setTimeout(done, 100));
    }
    throw new Error("the seller did not close");
  }

  it("is paid for 50 quotes when the payer leaves on chain without it", async () => {
    const before = await tokens();
    await takeAndRevoke();
    await closed();
    expect(await tokens()).equal(before + 50n * PRICE);
    expect((await records()).filter(({ type }) => type === "closed")).length(1);
  });

  it("is paid after a restart when the payer left while it was away", async () => {
    const before = await tokens();
    await agent.open(1_000n);
    await agent.pay(5, 4, () => {});
    await seller.stop();
    const channel = new PublicKey(agent.session.channelId);
    const revoke = await session.revoke({ channel, payer: agent.wallet.publicKey });
    await send(world.connection, revoke, [world.operator, agent.wallet]);
    await restart();
    await closed();
    expect(await tokens()).equal(before + 5n * PRICE);
  });

  it("tries again when its close fails, until it has its money", async () => {
    const before = await tokens();
    const errors: unknown[] = [];
    await seller.stop();
    let failures = 2;
    const connection = new Proxy(world.connection, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (name === "getLatestBlockhash" && failures > 0) {
          failures--;
          return () => Promise.reject(new Error("the node is away"));
        }
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    options = { ...options, connection, onError: (error) => errors.push(error) };
    await restart();
    await takeAndRevoke();
    await closed();
    expect(errors.map((error) => (error as Error).message)).deep.equal(["the node is away", "the node is away"]);
    expect(await tokens()).equal(before + 50n * PRICE);
  });

  it("is paid when the payer brings the last voucher to the chain before it leaves", async () => {
    const before = await tokens();
    await agent.open(1_000n);
    await agent.pay(5, 4, () => {});
    const channel = new PublicKey(agent.session.channelId);
    const debit = await session.debit({ channel, voucher: agent.lastVoucher! });
    const revoke = await session.revoke({ channel, payer: agent.wallet.publicKey });
    await send(world.connection, [...debit, ...revoke], [world.operator, agent.wallet]);
    await closed();
    expect(await tokens()).equal(before + 5n * PRICE);
  });

  it("serves nothing for a voucher that could expire before it is cashed", async () => {
    await agent.open(1_000n);
    const { channelId } = agent.session;
    const now = BigInt(Math.floor(Date.now() / 1000));
    const needed = GRACE_SECONDS + SETTLE_MARGIN_SECONDS;
    const until = async (expiresAt: bigint) =>
      agent.credential(
        "voucher",
        await signVoucher({ channelId, cumulativeAmount: PRICE, expiresAt }, agent.voucherKey),
      );
    for (const seconds of [5, GRACE_SECONDS, needed]) {
      const detail = `voucher expires too soon: within ${needed} seconds`;
      await refused(detail, await until(now + BigInt(seconds)));
    }
    expect((await agent.get(await until(now + BigInt(needed + 30)))).status).equal(200);
  });

  it("cashes a voucher before it expires, whether the payer leaves or not", async () => {
    const before = await tokens();
    await agent.open(1_000n);
    const { channelId } = agent.session;
    await seller.stop();
    // As the journal is when the voucher was taken a grace period ago.
    const expiresAt = BigInt(Math.floor(Date.now() / 1000) + SETTLE_MARGIN_SECONDS - 5);
    const signed = await signVoucher({ channelId, cumulativeAmount: PRICE, expiresAt }, agent.voucherKey);
    const { store } = await Journal.open(options.journal);
    await store.append({ type: "voucher", price: PRICE.toString(), signed: SignedVoucher.toJson(signed) });
    await store.close();
    await restart();
    await closed();
    expect(await tokens()).equal(before + PRICE);
  });

  it("opens a channel once, however often and whenever its open is sent", async () => {
    await seller.stop();
    // As a node that takes a transaction again while it has not landed.
    let sent: Promise<string> | undefined;
    const connection = new Proxy(world.connection, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (name === "sendRawTransaction") {
          return (wire: Uint8Array) => {
            sent ??= target.sendRawTransaction(wire);
            return sent;
          };
        }
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    options = { ...options, connection };
    await restart();
    agent.times = 6;
    await agent.open(1_000n).catch(() => {});
    const statuses = (await Promise.all(agent.answers)).map(({ status }) => status).sort();
    expect(statuses).deep.equal([200, 402, 402, 402, 402, 402]);
    expect((await records()).map(({ type }) => type)).deep.equal(["open"]);
  });

  it("forgets nothing when the open of a channel comes again", async () => {
    await agent.open(1_000n);
    await agent.pay(10, 4, () => {});
    await refused("channel is already open", agent.opens[0]!);
    await seller.stop();
    const { store, records } = await Journal.open(options.journal);
    await store.append(records[0]!);
    await store.close();
    await restart();
    expect(seller.account(agent.session.channelId)).deep.include({ accepted: 10n * PRICE, served: 10 });
    const last = agent.lastVoucher!;
    await refused("voucher was already used", agent.credential("voucher", last));
    expect((await agent.close()).spent).equal("100");
  });

  it("does not start on the journal of a seller that runs", async () => {
    const second = await Seller.start(options).catch((thrown: unknown) => thrown);
    expect(second).instanceOf(LockedError);
  });

  it("tells the operator what went wrong inside, and the client only that something did", async () => {
    await agent.open(1_000n);
    await seller.stop();
    const errors: unknown[] = [];
    const openStore: SellerOptions["openStore"] = async (path) => {
      const recovered = await Journal.open(path);
      const append = () => Promise.reject(new Error("ENOSPC: /var/lib/seller/journal"));
      return { ...recovered, store: { append, close: () => recovered.store.close(), syncs: 0 } };
    };
    options = { ...options, openStore, onError: (error) => errors.push(error) };
    await restart();
    const answer = await agent.get(agent.credential("voucher", await agent.voucher(PRICE)));
    expect([answer.status, JSON.parse(answer.body)]).deep.equal([500, { title: "internal error", status: 500 }]);
    expect(String(errors)).equal("Error: ENOSPC: /var/lib/seller/journal");
  });

  it("is not paid more than the agent grants", async () => {
    const { mint } = world;
    for (const limits of [
      { mint, maxPrice: PRICE - 1n },
      { mint: PublicKey.unique(), maxPrice: PRICE },
    ]) {
      const careful = new Agent(world.agent, limits);
      await careful.connect(seller.url);
      const error = await careful.open(1_000n).catch((thrown: unknown) => thrown);
      careful.disconnect();
      expect((error as Error).message).equal("the seller asks for more than this agent grants");
    }
  });
});
