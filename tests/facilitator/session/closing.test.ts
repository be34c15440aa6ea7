// How managed sessions end: by who may end them, and by themselves.
import { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import { CloseTokens } from "../../../services/facilitator/src/session/closeToken.ts";
import { DEPOSIT, GRACE, IDLE, MAX_SECONDS, type Office, Plaza, refusal, UNIT, type Wallet } from "./plaza.ts";

describe("close tokens", () => {
  const tokens = new CloseTokens("a secret");
  const channelId = Keypair.generate().publicKey.toBase58();

  it("are the same for the same channel and secret, in every process", () => {
    expect(new CloseTokens("a secret").of(channelId)).equal(tokens.of(channelId));
    expect(tokens.isOf(channelId, tokens.of(channelId))).equal(true);
  });

  it("are of one channel and of one secret", () => {
    const other = Keypair.generate().publicKey.toBase58();
    expect(tokens.isOf(other, tokens.of(channelId))).equal(false);
    expect(new CloseTokens("another secret").isOf(channelId, tokens.of(channelId))).equal(false);
  });

  it("are refused in any other form", () => {
    const token = tokens.of(channelId);
    const flipped = token.startsWith("A") ? `B${token.slice(1)}` : `A${token.slice(1)}`;
    for (const wrong of ["", token.slice(1), `${token}=`, `${token}A`, flipped, token.toLowerCase(), "é".repeat(43)]) {
      expect(tokens.isOf(channelId, wrong), wrong).equal(false);
    }
  });
});

describe("the end of a managed session", () => {
  let plaza: Plaza;
  let office: Office;
  before(async () => {
    plaza = await Plaza.start();
    office = await plaza.office();
  });
  afterEach(async () => {
    await plaza.market.checkBooks();
    expect(plaza.errors.splice(0)).deep.equal([]);
  });
  after(() => plaza.stop());

  const opened = (mode: "client" | "operator" = "client") => office.open({ seller: plaza.seller(), mode });

  /** The seller has `settled`, the buyer the rest. */
  async function expectPaid(wallet: Wallet, settled: bigint, deposit = DEPOSIT): Promise<void> {
    expect(await office.view(wallet)).include({
      status: "closed",
      settledOnChain: settled,
      refunded: deposit - settled,
    });
    expect(await plaza.tokens(wallet.seller)).equal(settled);
    expect(await plaza.tokens(wallet.buyer)).equal(10_000n - settled);
  }

  describe("that somebody asks for", () => {
    for (const mode of ["client", "operator"] as const) {
      it(`comes by the close token (${mode}), again with the same answer`, async () => {
        const wallet = await opened(mode);
        await wallet.pay(2n * UNIT);
        const closed = await wallet.close();
        await expectPaid(wallet, 2n * UNIT);
        expect(await wallet.close()).deep.equal(closed);
      });
    }

    it("comes by a fresh voucher, which is cashed", async () => {
      const wallet = await opened();
      await wallet.pay(2n * UNIT);
      await wallet.close(3n * UNIT);
      await expectPaid(wallet, 3n * UNIT);
    });

    it("comes by the proof, and by no other", async () => {
      const wallet = await opened("operator");
      const other = await opened("operator");
      await wallet.pay(UNIT);
      expect(await refusal(wallet.closeByProof(other.proof))).equal("proof-invalid");
      expect(await refusal(wallet.close(UNIT))).equal("voucher-not-taken");
      expect((await office.view(wallet)).status).equal("open");
      await wallet.closeByProof();
      await expectPaid(wallet, UNIT);
    });

    it("does not come by a token of another session, nor by none", async () => {
      const wallet = await opened();
      const other = await opened();
      const { channelId } = wallet;
      for (const closeToken of [other.closeToken, "", "x"]) {
        expect(await refusal(office.sessions.close({ channelId, closeToken }))).equal("close_token_invalid");
      }
      expect((await office.view(wallet)).status).equal("open");
    });

    it("says nothing of channels to who has no token for them", async () => {
      const channelId = Keypair.generate().publicKey.toBase58();
      expect(await refusal(office.sessions.close({ channelId, closeToken: "x" }))).equal("close_token_invalid");
      const right = new CloseTokens(plaza.config.secret).of(channelId);
      expect(await refusal(office.sessions.close({ channelId, closeToken: right }))).equal("channel-unknown");
    });

    it("does not come by an old voucher, nor by one that everybody can read on chain", async () => {
      const wallet = await opened();
      const old = await wallet.pay(UNIT);
      const highest = await wallet.pay(2n * UNIT);
      const by = (voucher: typeof old) =>
        refusal(office.sessions.close({ action: "close", channelId: wallet.channelId, voucher }));
      expect(await by(old)).equal("close-voucher");
      // The seller, or anybody, brings it to the chain.
      await wallet.debit(highest);
      expect(await by(highest)).equal("close-voucher-settled");
      expect((await office.view(wallet)).status).equal("open");
      // The buyer can always sign a new one.
      const fresh = await wallet.voucher(2n * UNIT, BigInt(Math.floor(plaza.market.now() / 1000) + 10 * GRACE));
      expect(await by(fresh)).equal("nothing");
      await expectPaid(wallet, 2n * UNIT);
    });

    it("does not come by a stranger's voucher", async () => {
      const wallet = await opened();
      const stranger = await wallet.voucher(UNIT, 0n, Keypair.generate());
      const closing = office.sessions.close({ action: "close", channelId: wallet.channelId, voucher: stranger });
      expect(await refusal(closing)).equal("voucher-signer");
      expect((await office.view(wallet)).status).equal("open");
    });

    it("happens once, however many ask at the same moment", async () => {
      const wallet = await opened();
      await wallet.pay(UNIT);
      const answers = await Promise.all(Array.from({ length: 8 }, () => wallet.close()));
      expect(new Set(answers.map(({ closeSignature }) => closeSignature)).size).equal(1);
      await expectPaid(wallet, UNIT);
    });

    it("takes no top-up and no voucher any more", async () => {
      const wallet = await opened();
      const toppingUp = await wallet.toppingUp(1_000n);
      await wallet.close();
      const before = await plaza.purse();
      expect(await refusal(office.sessions.topUp(toppingUp))).equal("channel-closed");
      expect(await refusal(wallet.pay(UNIT))).equal("channel-closed");
      expect(await plaza.purse()).equal(before);
    });

    it("takes no top-up once the buyer is leaving", async () => {
      const wallet = await opened();
      const toppingUp = await wallet.toppingUp(1_000n);
      await wallet.revoke();
      const before = await plaza.purse();
      // Nobody has told the facilitator: it asks the chain before it pays for a top-up.
      expect(await refusal(office.sessions.topUp(toppingUp))).equal("channel-closing");
      expect(await plaza.purse()).equal(before);
      await office.sessions.tick();
      await expectPaid(wallet, 0n);
    });
  });

  describe("of a token that is not taken any more", () => {
    const later = () =>
      plaza.office({ config: { mints: [Keypair.generate().publicKey.toBase58()] }, unprepared: true });

    it("comes as of any other, while nothing more can be paid", async () => {
      const byToken = await opened();
      await byToken.pay(UNIT);
      const byVoucher = await opened();
      const byProof = await opened("operator");
      await byProof.pay(3n * UNIT);
      const byItself = await opened();
      await byItself.pay(4n * UNIT);
      const narrow = await later();
      expect(await refusal(byToken.at(narrow).pay(2n * UNIT))).equal("mint-not-allowed");
      expect(await refusal(byProof.at(narrow).pay(4n * UNIT))).equal("mint-not-allowed");
      expect(await refusal(byToken.at(narrow).topUp(1_000n))).equal("mint-not-allowed");
      await byToken.at(narrow).close();
      await byVoucher.at(narrow).close(2n * UNIT);
      await byProof.at(narrow).closeByProof();
      plaza.pass(MAX_SECONDS);
      await narrow.sessions.tick();
      await expectPaid(byToken, UNIT);
      await expectPaid(byVoucher, 2n * UNIT);
      await expectPaid(byProof, 3n * UNIT);
      await expectPaid(byItself, 4n * UNIT);
    });
  });

  describe("that comes by itself", () => {
    for (const mode of ["client", "operator"] as const) {
      it(`comes when nobody pays for the idle timeout (${mode})`, async () => {
        const wallet = await opened(mode);
        await wallet.pay(UNIT);
        plaza.pass(IDLE - 1);
        await office.sessions.tick();
        expect((await office.view(wallet)).status).equal("open");
        await wallet.pay(2n * UNIT);
        plaza.pass(IDLE - 1);
        await office.sessions.tick();
        expect((await office.view(wallet)).status, "a voucher is activity").equal("open");
        plaza.pass(1);
        await office.sessions.tick();
        await expectPaid(wallet, 2n * UNIT);
      });

      it(`comes soon after the deposit is used up (${mode})`, async () => {
        const wallet = await opened(mode);
        await wallet.pay(DEPOSIT - UNIT);
        plaza.pass(120);
        await office.sessions.tick();
        expect((await office.view(wallet)).status, "one more can be bought").equal("open");
        await wallet.pay(DEPOSIT - UNIT + 1n);
        plaza.pass(59);
        await office.sessions.tick();
        expect((await office.view(wallet)).status, "a top-up may be on its way").equal("open");
        plaza.pass(1);
        await office.sessions.tick();
        await expectPaid(wallet, DEPOSIT - UNIT + 1n);
      });

      it(`comes at the deadline, whatever is paid until then (${mode})`, async () => {
        const wallet = await opened(mode);
        const { closesAt } = await office.view(wallet);
        let paid = 0n;
        while (plaza.market.now() + (IDLE - 60) * 1000 < closesAt!) {
          plaza.pass(IDLE - 60);
          paid += UNIT;
          await wallet.pay(paid);
          await office.sessions.tick();
          expect((await office.view(wallet)).status).equal("open");
        }
        plaza.pass(Math.ceil((closesAt! - plaza.market.now()) / 1000));
        await office.sessions.tick();
        await expectPaid(wallet, paid);
        expect(paid / UNIT).equal(BigInt(Math.floor((MAX_SECONDS - 1) / (IDLE - 60))));
      });
    }

    it("waits for a top-up that comes in time", async () => {
      const wallet = await opened();
      await wallet.pay(DEPOSIT);
      plaza.pass(50);
      await wallet.topUp(1_000n);
      plaza.pass(120);
      await office.sessions.tick();
      expect((await office.view(wallet)).status).equal("open");
      await wallet.pay(DEPOSIT + UNIT);
      await wallet.close();
      await expectPaid(wallet, DEPOSIT + UNIT, DEPOSIT + 1_000n);
    });

    it("comes before a voucher expires, in time to cash it", async () => {
      const patient = await plaza.office({ config: { idleTimeoutSeconds: 10 * GRACE } });
      const wallet = await patient.open({ seller: plaza.seller() });
      const until = BigInt(Math.floor(plaza.market.now() / 1000) + 2 * GRACE);
      await patient.sessions.keep(wallet.channelId, await wallet.voucher(3n * UNIT, until));
      plaza.pass(2 * GRACE - 301);
      await patient.sessions.tick();
      expect((await patient.view(wallet)).status).equal("open");
      plaza.pass(1);
      await patient.sessions.tick();
      await expectPaid(wallet, 3n * UNIT);
    });

    it("does not come for a voucher that expires and was followed by one that does not", async () => {
      const patient = await plaza.office({ config: { idleTimeoutSeconds: 10 * GRACE } });
      const wallet = await patient.open({ seller: plaza.seller() });
      const until = BigInt(Math.floor(plaza.market.now() / 1000) + 2 * GRACE);
      await patient.sessions.keep(wallet.channelId, await wallet.voucher(UNIT, until));
      await wallet.at(patient).pay(2n * UNIT);
      plaza.pass(2 * GRACE);
      await patient.sessions.tick();
      expect((await patient.view(wallet)).status).equal("open");
      await wallet.close();
      await expectPaid(wallet, 2n * UNIT);
    });

    it("does not lose a voucher that nobody looked at until a minute before it expires", async () => {
      const patient = await plaza.office({ config: { idleTimeoutSeconds: 10 * GRACE } });
      const wallet = await patient.open({ seller: plaza.seller() });
      const until = BigInt(Math.floor(plaza.market.now() / 1000) + 2 * GRACE);
      await patient.sessions.keep(wallet.channelId, await wallet.voucher(3n * UNIT, until));
      plaza.pass(2 * GRACE - 60);
      await patient.sessions.tick();
      plaza.pass(2 * GRACE);
      await wallet.close();
      await expectPaid(wallet, 3n * UNIT);
    });
  });
});
