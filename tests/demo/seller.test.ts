// The demo's seller on the embedded chain: crashes, altered opens, and vouchers that are not worth a request.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { session, signVoucher } from "@mppsol/programs";
import { Keypair, PublicKey } from "@solana/web3.js";
import { expect } from "chai";
import { Agent } from "../../examples/demo/agent.js";
import { send } from "../../examples/demo/land.js";
import type { Answer } from "../../examples/demo/pipeline.js";
import { Seller, type SellerOptions } from "../../examples/demo/seller.js";
import * as Wire from "../../examples/demo/wire.js";
import { start, type World } from "../../examples/demo/world.js";

const PRICE = 10n;

/** An agent that changes its open before it sends it. */
class Cheat extends Agent {
  change: ((payload: Record<string, Wire.Json>) => void) | undefined;

  override get(authorization?: string): Promise<Answer> {
    if (authorization === undefined || this.change === undefined) return super.get(authorization);
    const { challenge, payload } = Wire.parseCredential(authorization);
    const changed = { ...payload };
    this.change(changed);
    return super.get(Wire.formatCredential({ challenge, payload: changed }));
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
