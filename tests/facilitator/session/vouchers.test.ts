// Vouchers of managed sessions: kept or signed only for channels that were opened here, never beyond the deposit, and never lost.
import { BearerProof } from "@mppsol/core";
import { keypairSigner } from "@mppsol/programs";
import { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import { identitySignature, raisedScalar } from "../../server/session/weak.ts";
import { DEPOSIT, GRACE, instead, type Office, Plaza, refusal, UNIT, Wallet } from "./plaza.ts";

describe("vouchers of managed sessions", () => {
  let plaza: Plaza;
  let office: Office;
  let seller: Keypair;
  before(async () => {
    plaza = await Plaza.start();
    office = await plaza.office();
    seller = plaza.seller();
  });
  afterEach(() => plaza.market.checkBooks());
  after(() => plaza.stop());

  const accepted = async (wallet: Wallet) => (await office.view(wallet)).accepted;

  describe("that the buyer signs", () => {
    it("are kept, the highest of them", async () => {
      const wallet = await office.open({ seller });
      expect(await office.sessions.keep(wallet.channelId, await wallet.voucher(UNIT))).include({
        accepted: UNIT,
        deposit: DEPOSIT,
        status: "open",
      });
      await wallet.pay(5n * UNIT);
      expect(await refusal(wallet.pay(3n * UNIT))).equal("voucher-not-monotonic");
      expect(await accepted(wallet)).equal(5n * UNIT);
    });

    it("are kept once: the very same again is answered the same, another of the same amount is refused", async () => {
      const wallet = await office.open({ seller });
      const voucher = await wallet.voucher(UNIT);
      const first = await office.sessions.keep(wallet.channelId, voucher);
      expect(await office.sessions.keep(wallet.channelId, voucher)).deep.equal(first);
      const expiry = BigInt(Math.floor(plaza.market.now() / 1000) + 10 * GRACE);
      const other = await wallet.voucher(UNIT, expiry);
      expect(await refusal(office.sessions.keep(wallet.channelId, other))).equal("voucher-not-monotonic");
    });

    it("are refused for a channel that was not opened here, the first one too", async () => {
      const wallet = await Wallet.prepare(office, { seller });
      expect(await refusal(wallet.pay(UNIT))).equal("channel-unknown");
      const proof = refusal(office.sessions.sign(wallet.channelId, UNIT, wallet.proof));
      expect(await proof).equal("channel-unknown");
    });

    it("are refused when somebody else signed them", async () => {
      const wallet = await office.open({ seller });
      const thief = Keypair.generate();
      const forged = await wallet.voucher(UNIT, 0n, thief);
      expect(await refusal(office.sessions.keep(wallet.channelId, forged))).equal("voucher-signer");
      const claimed = { ...forged, signer: wallet.signer.publicKey.toBase58() };
      expect(await refusal(office.sessions.keep(wallet.channelId, claimed))).equal("voucher-signature");
      const own = await wallet.voucher(UNIT);
      const raised = { ...own, voucher: { ...own.voucher, cumulativeAmount: 2n * UNIT } };
      expect(await refusal(office.sessions.keep(wallet.channelId, raised))).equal("voucher-signature");
      expect(await accepted(wallet)).equal(0n);
    });

    it("are refused when a lenient verifier would take them and the chain never will", async () => {
      const wallet = await office.open({ seller });
      const honest = await wallet.voucher(UNIT);
      const weak = { ...honest, signature: identitySignature(honest.voucher, wallet.signer) };
      expect(await refusal(office.sessions.keep(wallet.channelId, weak))).equal("voucher-signature");
      const raised = { ...honest, signature: raisedScalar(honest.signature) };
      expect(await refusal(office.sessions.keep(wallet.channelId, raised))).equal("voucher-signature");
      expect(await accepted(wallet)).equal(0n);
    });

    it("are refused for another channel, though the same buyer signed them", async () => {
      const buyer = plaza.buyer();
      const [one, two] = [await office.open({ seller, buyer }), await office.open({ seller, buyer })];
      const voucher = await two.voucher(UNIT);
      expect(await refusal(office.sessions.keep(one.channelId, voucher))).equal("voucher-channel");
      const moved = { ...voucher, voucher: { ...voucher.voucher, channelId: one.channelId } };
      expect(await refusal(office.sessions.keep(one.channelId, moved))).equal("voucher-signature");
    });

    it("are refused beyond the deposit, or when they expire before they could be cashed", async () => {
      const wallet = await office.open({ seller });
      expect(await refusal(wallet.pay(DEPOSIT + 1n))).equal("voucher-over-deposit");
      const seconds = BigInt(Math.floor(plaza.market.now() / 1000));
      // Sellers ask for more than that: a voucher that was good when it was shown to them is kept.
      const short = await wallet.voucher(UNIT, seconds + 59n);
      expect(await refusal(office.sessions.keep(wallet.channelId, short))).equal("voucher-expires-too-soon");
      const past = await wallet.voucher(UNIT, seconds - 1n);
      expect(await refusal(office.sessions.keep(wallet.channelId, past))).equal("voucher-expired");
      expect(await accepted(wallet)).equal(0n);
      const enough = await wallet.voucher(UNIT, seconds + BigInt(GRACE));
      await office.sessions.keep(wallet.channelId, enough);
      expect(await accepted(wallet)).equal(UNIT);
    });

    it("are kept in the place of one that lasts longer, if they last half of the grace period", async () => {
      const wallet = await office.open({ seller: plaza.seller() });
      // The buyer has handed it in itself: all that it signs for the seller expires.
      await wallet.pay(1n);
      const seconds = BigInt(Math.ceil(plaza.market.now() / 1000));
      const last = await wallet.voucher(9n * UNIT, seconds + BigInt(GRACE / 2));
      await office.sessions.keep(wallet.channelId, last);
      expect(await accepted(wallet)).equal(9n * UNIT);
      const shorter = await wallet.voucher(10n * UNIT, seconds + BigInt(GRACE / 2) - 1n);
      expect(await refusal(office.sessions.keep(wallet.channelId, shorter))).equal("voucher-expires-too-soon");
      await wallet.close();
      expect(await plaza.tokens(wallet.seller)).equal(9n * UNIT);
    });

    it("cost the sponsor the fee of one debit, however many are made to expire", async () => {
      const wallet = await office.open({ seller: plaza.seller() });
      const seconds = BigInt(Math.ceil(plaza.market.now() / 1000));
      await office.sessions.keep(wallet.channelId, await wallet.voucher(UNIT, seconds + 61n));
      // The watchtower comes first, and cashes it.
      await office.sessions.tick();
      expect(await office.view(wallet)).include({ status: "closed", settledOnChain: UNIT });
      expect(await refusal(wallet.pay(2n * UNIT))).equal("channel-closed");
      expect(await plaza.tokens(wallet.seller)).equal(UNIT);
    });

    it("are not signed here, whoever shows what proof", async () => {
      const wallet = await office.open({ seller });
      expect(await refusal(office.sessions.sign(wallet.channelId, UNIT, wallet.proof))).equal("use-not-taken");
    });

    it("are all the same whether one or sixty-four bring them: the highest stays", async () => {
      const wallet = await office.open({ seller });
      const amounts = Array.from({ length: 64 }, (_, i) => BigInt(i + 1) * 10n);
      const order = amounts.map((amount, i) => ({ amount, at: (i * 37) % 64 })).sort((a, b) => a.at - b.at);
      const vouchers = await Promise.all(order.map(({ amount }) => wallet.voucher(amount)));
      const results = await Promise.all(
        vouchers.map((voucher) => refusal(office.sessions.keep(wallet.channelId, voucher))),
      );
      expect(await accepted(wallet)).equal(640n);
      expect(new Set(results)).deep.equal(new Set(["nothing", "voucher-not-monotonic"]));
      expect(results[order.findIndex(({ amount }) => amount === 640n)]).equal("nothing");
    });

    it("stop when the buyer leaves on chain, and what was kept is cashed in time", async () => {
      const wallet = await office.open({ seller: plaza.seller() });
      await wallet.pay(3n * UNIT);
      await wallet.revoke();
      // Long before the channel would be looked at for a payment.
      await office.sessions.tick();
      expect(await office.view(wallet)).include({ status: "closed", settledOnChain: 3n * UNIT });
      expect(await refusal(wallet.pay(4n * UNIT))).equal("channel-closed");
      expect(await plaza.tokens(wallet.seller)).equal(3n * UNIT);
    });

    it("are kept after a revocation until it is acted upon, and cashed then", async () => {
      const wallet = await office.open({ seller: plaza.seller() });
      await wallet.pay(UNIT);
      await wallet.revoke();
      plaza.pass(61);
      await wallet.pay(2n * UNIT);
      expect((await wallet.onChain())?.settled).equal(0n);
      await office.sessions.tick();
      expect(await plaza.tokens(wallet.seller)).equal(2n * UNIT);
      expect(await refusal(wallet.pay(3n * UNIT))).equal("channel-closed");
    });
  });

  describe("that the operator signs", () => {
    it("are signed up to the deposit, and stored before they are given out", async () => {
      const wallet = await office.open({ seller, mode: "operator" });
      const { voucher, session } = await office.sessions.sign(wallet.channelId, DEPOSIT, wallet.proof);
      expect(voucher.signer).equal(plaza.operator.publicKey.toBase58());
      expect(session.accepted).equal(DEPOSIT);
      const stored = await office.parts.store.channels.get(wallet.channelId);
      expect(stored?.highestVoucher).deep.equal(voucher);
      expect(await refusal(wallet.pay(DEPOSIT + 1n))).equal("deposit-exhausted");
    });

    it("are not given out when they could not be stored", async () => {
      const wallet = await office.open({ seller, mode: "operator" });
      const { store } = office.parts;
      const spend = () => Promise.reject(new Error("the disk is full"));
      const full = await plaza.office({ store: instead(store, { channels: instead(store.channels, { spend }) }) });
      const error = await full.sessions.sign(wallet.channelId, UNIT, wallet.proof).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect(error).instanceOf(Error).with.property("message", "the disk is full");
      expect(await accepted(wallet)).equal(0n);
    });

    it("are the same for the same amount, and none for a lower one", async () => {
      const wallet = await office.open({ seller, mode: "operator" });
      const first = await wallet.pay(4n * UNIT);
      expect(await wallet.pay(4n * UNIT)).deep.equal(first);
      const error = await wallet.pay(UNIT).catch((thrown: unknown) => thrown);
      expect(error).include({ code: "voucher-not-monotonic" });
      expect((error as { members: object }).members).include({ acceptedCumulative: "400", deposit: String(DEPOSIT) });
      expect(await refusal(wallet.pay(0n))).equal("voucher-not-monotonic");
    });

    it("are not signed without the proof that the channel was opened with", async () => {
      const buyer = plaza.buyer();
      const wallet = await office.open({ seller, mode: "operator", buyer });
      const other = await office.open({ seller, mode: "operator", buyer });
      const { channelId } = wallet;
      const strangers = Keypair.generate();
      const payer = strangers.publicKey.toBase58();
      const proofs = {
        "of another channel of the same buyer": other.proof,
        "of somebody else, for this channel": await BearerProof.sign(
          { channelId, payer, sessionChallengeId: wallet.challenge.id },
          keypairSigner(strangers),
        ),
        "for another challenge": await BearerProof.sign(
          { channelId, payer: buyer.publicKey.toBase58(), sessionChallengeId: other.challenge.id },
          keypairSigner(buyer),
        ),
        "with a signature of another": { ...wallet.proof, signature: other.proof.signature },
        "cut short": { ...wallet.proof, signature: wallet.proof.signature.slice(0, -1) },
      };
      for (const [what, proof] of Object.entries(proofs)) {
        expect(await refusal(office.sessions.sign(channelId, UNIT, proof)), what).equal("proof-invalid");
      }
      expect(await accepted(wallet)).equal(0n);
    });

    it("are not brought by anybody else", async () => {
      const wallet = await office.open({ seller, mode: "operator" });
      expect(await refusal(office.sessions.keep(wallet.channelId, await wallet.voucher(UNIT)))).equal(
        "voucher-not-taken",
      );
    });

    it("end with the key that the channel was opened for", async () => {
      const wallet = await office.open({ seller, mode: "operator" });
      await wallet.pay(UNIT);
      const rotated = await plaza.office({ config: { operatorKey: keypairSigner(Keypair.generate()) } });
      const signing = rotated.sessions.sign(wallet.channelId, 2n * UNIT, wallet.proof);
      expect(await refusal(signing)).equal("voucher-signer");
      // What was signed before is cashed nevertheless.
      expect(await wallet.at(rotated).closeByProof()).include({ status: "closed", settledOnChain: UNIT });
    });

    it("come out as high as the highest that was asked for, however many ask", async () => {
      const wallet = await office.open({ seller, mode: "operator" });
      const amounts = Array.from({ length: 32 }, (_, i) => BigInt(((i * 13) % 32) + 1) * 10n);
      const results = await Promise.all(amounts.map((amount) => refusal(wallet.pay(amount))));
      expect(await accepted(wallet)).equal(320n);
      expect(results[amounts.indexOf(320n)]).equal("nothing");
      const stored = await office.parts.store.channels.get(wallet.channelId);
      expect(stored).include({ accepted: 320n, spent: 320n });
    });
  });
});
