// The notice before an end: what sellers hold of the buyer's vouchers is handed in, and cashed, however the session ends.
import { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import { DEPOSIT, GRACE, IDLE, MAX_SECONDS, type Office, Plaza, refusal, UNIT, type Wallet } from "./plaza.ts";

const NOTICE = 20;

describe("the end of a session whose buyer signs", () => {
  let plaza: Plaza;
  let office: Office;
  before(async () => {
    plaza = await Plaza.start({ noticeSeconds: NOTICE });
    office = await plaza.office();
  });
  afterEach(async () => {
    await plaza.market.checkBooks();
    expect(plaza.errors.splice(0)).deep.equal([]);
  });
  after(() => plaza.stop());

  const opened = (mode: "client" | "operator" = "client") => office.open({ seller: plaza.seller(), mode });
  const tick = () => office.sessions.tick();

  /** It is announced, and nothing has happened on chain; the seller hands its last voucher in, and then it ends by that. */
  async function expectNotice(wallet: Wallet, last: bigint, seconds = NOTICE): Promise<void> {
    const { status, closingAt } = await office.view(wallet);
    expect(status).equal("closing");
    expect(closingAt).equal(plaza.market.now() + seconds * 1000);
    expect((await wallet.onChain())?.settled).equal(0n);
    plaza.pass(seconds - 1);
    await tick();
    expect(await plaza.tokens(wallet.seller)).equal(0n);
    const voucher = await wallet.voucher(last);
    expect(await office.sessions.keep(wallet.channelId, voucher)).include({
      status: "closing",
      accepted: last,
      closingAt,
    });
    plaza.pass(1);
    await tick();
    await expectPaid(wallet, last);
  }

  const inSeconds = (seconds: number) => BigInt(Math.ceil(plaza.market.now() / 1000) + seconds);

  async function expectPaid(wallet: Wallet, settled: bigint): Promise<void> {
    const view = await office.view(wallet);
    expect(view).include({ status: "closed", settledOnChain: settled, refunded: DEPOSIT - settled });
    expect(view).not.have.property("closingAt");
    expect(await plaza.tokens(wallet.seller)).equal(settled);
  }

  it("is announced when the buyer asks by a low voucher", async () => {
    const wallet = await opened();
    expect(await wallet.close(1n)).include({ status: "closing", accepted: 1n });
    await expectNotice(wallet, 9n * UNIT);
  });

  it("is announced when somebody asks by the close token", async () => {
    const wallet = await opened();
    expect((await wallet.close()).status).equal("closing");
    await expectNotice(wallet, 9n * UNIT);
  });

  it("is answered the same while it has notice, and as it was once it has ended, whatever was handed in since", async () => {
    const wallet = await opened();
    const asked = await wallet.close(1n);
    plaza.pass(NOTICE - 5);
    await wallet.pay(7n * UNIT);
    expect((await wallet.close(1n)).closingAt).equal(asked.closingAt);
    expect((await wallet.close()).closingAt).equal(asked.closingAt);
    const stranger = await wallet.voucher(1n, 0n, Keypair.generate());
    const byStranger = { action: "close", channelId: wallet.channelId, voucher: stranger } as const;
    expect(await refusal(office.sessions.close(byStranger))).equal("voucher-signer");
    plaza.pass(5);
    const closed = await wallet.close(1n);
    await expectPaid(wallet, 7n * UNIT);
    expect(await wallet.close(1n)).deep.equal(closed);
  });

  it("is known to all processes, and goes on in the next", async () => {
    const wallet = await opened();
    const { closingAt } = await wallet.close();
    const next = await plaza.office();
    expect((await next.view(wallet)).closingAt).equal(closingAt);
    await wallet.at(next).pay(2n * UNIT);
    plaza.pass(NOTICE);
    await next.sessions.tick();
    await expectPaid(wallet, 2n * UNIT);
  });

  it("takes no top-up from then on", async () => {
    const wallet = await opened();
    await wallet.close();
    const before = await plaza.purse();
    expect(await refusal(wallet.topUp(1_000n))).equal("channel-closing");
    expect(await plaza.purse()).equal(before);
    plaza.pass(NOTICE);
    await tick();
    await expectPaid(wallet, 0n);
  });

  it("is announced when the buyer revokes on chain", async () => {
    const wallet = await opened();
    await wallet.pay(UNIT);
    await wallet.revoke();
    await tick();
    await expectNotice(wallet, 9n * UNIT);
  });

  it("is not announced for longer than the grace period allows", async () => {
    const wallet = await opened();
    await wallet.pay(UNIT);
    await wallet.revoke();
    const { closureStartedAt } = (await wallet.onChain())!;
    const left = Number(closureStartedAt) + GRACE - Math.floor(plaza.market.now() / 1000);
    plaza.pass(left - 125);
    await tick();
    expect((await office.view(wallet)).status).equal("closing");
    plaza.pass(6);
    await tick();
    await expectPaid(wallet, UNIT);
  });

  it("is announced when nobody pays for the idle timeout", async () => {
    const wallet = await opened();
    await wallet.pay(UNIT);
    plaza.pass(IDLE);
    await tick();
    await expectNotice(wallet, 9n * UNIT);
  });

  it("is announced when the deposit is used up", async () => {
    const wallet = await opened();
    await wallet.pay(DEPOSIT - UNIT + 1n);
    plaza.pass(60);
    await tick();
    await expectNotice(wallet, DEPOSIT);
  });

  it("is announced at the deadline", async () => {
    const wallet = await opened();
    await wallet.pay(UNIT);
    // Nobody looks for all that time.
    plaza.pass(MAX_SECONDS);
    await tick();
    await expectNotice(wallet, 9n * UNIT);
  });

  it("is announced for as long as ever by a voucher that soon expires, which is kept though it does not last the grace period", async () => {
    const wallet = await opened();
    await office.sessions.keep(wallet.channelId, await wallet.voucher(3n * UNIT, inSeconds(NOTICE + 150)));
    await tick();
    await expectNotice(wallet, 9n * UNIT);
  });

  it("is not hastened by vouchers that would expire before, however they come", async () => {
    const wallet = await opened();
    const short = await wallet.voucher(UNIT, inSeconds(NOTICE + 149));
    expect(await refusal(office.sessions.keep(wallet.channelId, short))).equal("voucher-expires-too-soon");
    const byShort = { action: "close", channelId: wallet.channelId, voucher: short } as const;
    expect(await refusal(office.sessions.close(byShort))).equal("voucher-expires-too-soon");
    await tick();
    expect((await office.view(wallet)).status).equal("open");
    await wallet.close(1n);
    expect(await refusal(office.sessions.keep(wallet.channelId, short))).equal("voucher-expires-too-soon");
    await tick();
    await expectNotice(wallet, 9n * UNIT);
  });

  it("is not announced for longer than a voucher lasts when nobody has looked for a long time", async () => {
    const wallet = await opened();
    await office.sessions.keep(wallet.channelId, await wallet.voucher(3n * UNIT, inSeconds(400)));
    plaza.pass(281);
    await tick();
    await expectPaid(wallet, 3n * UNIT);
  });

  it("takes vouchers up to a deposit that the buyer raised just before it revoked", async () => {
    const wallet = await opened();
    await wallet.topUpAlone(1_000n);
    await wallet.revoke();
    await tick();
    const last = DEPOSIT + 900n;
    await office.sessions.keep(wallet.channelId, await wallet.voucher(last));
    plaza.pass(NOTICE);
    await tick();
    expect(await office.view(wallet)).include({ status: "closed", settledOnChain: last });
    expect(await plaza.tokens(wallet.seller)).equal(last);
  });

  it("comes at once where the operator signs", async () => {
    const wallet = await opened("operator");
    await wallet.pay(2n * UNIT);
    await wallet.close();
    await expectPaid(wallet, 2n * UNIT);
  });
});
