// Opens that are accepted, in every form that the draft allows; once, however often and however many at a time they come; and
// never called failed while they may still land.
import { type JsonObject, RefusedError } from "@mppsol/core";
import { CHANNEL_LENGTH, SESSION_PROGRAM_ID } from "@mppsol/programs";
import {
  ComputeBudgetProgram,
  Keypair,
  PublicKey,
  TransactionInstruction,
  VersionedTransaction,
} from "@solana/web3.js";
import { expect } from "chai";
import type { Account } from "../../../sdk/server/src/chain/index.ts";
import { down, first, lost, swallow } from "../chain/faults.ts";
import { DEPOSIT, keyed, Market, type OpenChange, PRICE, Purse, Stall, shares } from "./market.ts";
import { token2022 } from "./token2022.ts";

const MEMO = new PublicKey("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr");

describe("an open", () => {
  let market: Market;
  before(async () => {
    market = await Market.start();
  });
  afterEach(async () => {
    market.rpc.heal();
    await market.checkBooks();
  });
  after(() => market.stop());

  const customer = () => market.person({ lamports: 0n, usdc: 10_000n });

  describe("is accepted", () => {
    const forms: readonly [string, OpenChange][] = [
      ["as a version-0 transaction", {}],
      ["as a legacy transaction", { legacy: true }],
      ["with a slot of the past", { slotsAgo: 1_400n }],
      ["with a signer of its own for vouchers", { signer: Keypair.generate() }],
      [
        "with a priority fee that is just within what is sponsored",
        {
          instructions: (honest) => [
            ComputeBudgetProgram.setComputeUnitLimit({ units: 200_000 }),
            ComputeBudgetProgram.setComputeUnitPrice({ microLamports: 10_000 }),
            ...honest,
          ],
        },
      ],
      [
        "with a memo",
        {
          instructions: (honest) => [
            ...honest,
            new TransactionInstruction({ programId: MEMO, keys: [], data: Buffer.from("order 7") }),
          ],
        },
      ],
    ];
    for (const [what, change] of forms) {
      it(what, async () => {
        const stall = new Stall(market);
        const payer = customer();
        const purse = await Purse.open(stall, payer, change);
        const known = await purse.known();
        expect(known).include({ status: "open", escrowed: DEPOSIT, accepted: 0n, spent: 0n, voucherSigner: "client" });
        expect(known).include({ rentPayer: stall.feePayer.publicKey.toBase58(), idleTimeoutSeconds: 300 });
        expect(await purse.onChain()).deep.include({ status: "open", deposit: DEPOSIT, openSlot: purse.openSlot });
        expect(await market.lamports(payer.publicKey), "the payer needs no SOL").equal(0n);
        expect(stall.ofType("opened")).length(1);
        await purse.buy(PRICE);
      });
    }

    it("paid for by the payer, when the server does not sponsor", async () => {
      const stall = new Stall(market, { sponsor: false });
      const payer = market.person({ usdc: 10_000n });
      const lamports = await market.lamports(stall.feePayer.publicKey);
      const purse = await Purse.open(stall, payer);
      expect(purse.opening.request).not.property("feePayerKey");
      expect((await purse.known()).rentPayer).equal(payer.publicKey.toBase58());
      expect(await market.lamports(stall.feePayer.publicKey)).equal(lamports);
    });

    it("that the payer has broadcast itself before, when the server does not sponsor", async () => {
      const stall = new Stall(market, { sponsor: false });
      const purse = await Purse.prepare(stall, market.person({ usdc: 10_000n }));
      await market.land(VersionedTransaction.deserialize(purse.wire));
      await stall.errand(purse.openCredential);
      expect((await purse.known()).escrowed).equal(DEPOSIT);
    });

    it("with the challenged splits, said in the credential or not", async () => {
      const partners = [market.person({ usdc: 0n }), market.person({ usdc: 0n })];
      const distributionSplits = shares([partners[0]!.publicKey, 2_500], [partners[1]!.publicKey, 100]);
      const stall = new Stall(market, { distributionSplits });
      const said = { distributionSplits: distributionSplits.map((split) => ({ ...split })) };
      await Purse.open(stall, customer());
      const purse = await Purse.open(stall, customer(), { payload: (honest) => ({ ...honest, ...said }) });
      expect((await purse.known()).distributionSplits).deep.equal(distributionSplits);
    });

    it("of a token of Token-2022", async () => {
      const payer = market.person({ lamports: 0n });
      const payee = market.person();
      const asset = await token2022(market, { owners: [payer.publicKey], amount: 5_000n, empty: [payee.publicKey] });
      const stall = new Stall(market, { currency: asset.mint.toBase58(), payee });
      const purse = await Purse.open(stall, payer);
      await purse.buy(PRICE);
      await stall.errand(await purse.closing(PRICE));
      expect(await market.tokens(payee.publicKey, asset)).equal(PRICE);
      expect(await market.tokens(payer.publicKey, asset)).equal(5_000n - PRICE);
      await market.checkBooks(asset);
    });

    it("with an idle timeout of the client's choice among those offered, or the seller's", async () => {
      const stall = new Stall(market, { idleTimeoutOptionsSeconds: [30, 600, 86_400], idleTimeoutSeconds: 600 });
      const chosen = await Purse.open(stall, customer(), { idleTimeoutSeconds: 86_400 });
      const left = await Purse.open(stall, customer());
      expect((await chosen.known()).idleTimeoutSeconds).equal(86_400);
      expect((await left.known()).idleTimeoutSeconds).equal(600);
    });

    it("and its receipt says so", async () => {
      const stall = new Stall(market);
      const purse = await Purse.prepare(stall, customer());
      const { status, receipt, body } = await stall.errand(purse.openCredential);
      expect(status).equal(200);
      expect(receipt).include({ intent: "session", reference: purse.channelId, acceptedCumulative: "0", spent: "0" });
      expect(receipt).include({ challengeId: purse.opening.challenge.id, idleTimeoutSeconds: 300 });
      expect(body).include({ channelId: purse.channelId, deposit: "1000" });
      expect(body?.signature).a("string");
    });
  });

  describe("that comes again", () => {
    it("gets the same answer, and opens nothing", async () => {
      const stall = new Stall(market);
      const purse = await Purse.prepare(stall, customer());
      const once = await stall.errand(purse.openCredential);
      await purse.buy(PRICE);
      const lamports = await market.lamports(stall.feePayer.publicKey);
      const again = await stall.errand(purse.openCredential);
      expect(again.body).deep.equal(once.body);
      expect(again.receipt).include({ acceptedCumulative: "100", spent: "100" });
      expect(await market.lamports(stall.feePayer.publicKey)).equal(lamports);
      expect(await stall.restart().refusal(purse.openCredential)).equal("answer");
    });

    it("16 times at once opens one channel by one transaction", async () => {
      const stall = new Stall(market);
      const other = stall.restart();
      const payer = customer();
      const purse = await Purse.prepare(stall, payer);
      const answers = await Promise.all(
        Array.from({ length: 16 }, (_, i) => (i % 2 === 0 ? stall : other).errand(purse.openCredential)),
      );
      expect(new Set(answers.map(({ body }) => body?.signature)).size).equal(1);
      expect(await market.tokens(payer.publicKey)).equal(10_000n - DEPOSIT);
      expect((await purse.known()).escrowed).equal(DEPOSIT);
    });

    it("and was landed by another process between two steps of this one is the same open", async () => {
      for (const method of ["height", "simulate"] as const) {
        const stall = new Stall(market);
        const other = stall.restart();
        const purse = await Purse.prepare(stall, customer());
        const meanwhile = async (ask: () => Promise<unknown>) => {
          await other.errand(purse.openCredential);
          return ask();
        };
        market.rpc.fault(method, first(1, meanwhile));
        await stall.errand(purse.openCredential);
        market.rpc.heal();
        expect((await purse.known()).escrowed, method).equal(DEPOSIT);
      }
    });

    it("after its channel was closed is refused: channel-closed", async () => {
      const stall = new Stall(market);
      const purse = await Purse.open(stall);
      await stall.errand(await purse.closing(0n));
      expect(await stall.refusal(purse.openCredential)).equal("channel-closed");
    });

    it("with another transaction for the same channel is refused: open-used", async () => {
      const stall = new Stall(market);
      const payer = customer();
      const purse = await Purse.open(stall, payer, { salt: 7n });
      const twin = await Purse.prepare(stall, payer, { salt: 7n, deposit: 900n }, purse.opening);
      expect(twin.channelId).equal(purse.channelId);
      market.rpc.fault("simulate", async () => ({ err: null, logs: [], slot: 0n }));
      expect(await stall.refusal(twin.openCredential)).equal("open-used");
      expect((await purse.known()).escrowed).equal(DEPOSIT);
    });

    it("with another transaction while the first may still land is neither accepted nor refused", async () => {
      const stall = new Stall(market);
      const payer = customer();
      const purse = await Purse.prepare(stall, payer, { salt: 7n });
      const twin = await Purse.prepare(stall, payer, { salt: 7n, deposit: 900n }, purse.opening);
      market.rpc.fault("send", swallow);
      const waiting = await stall.present(purse.openCredential);
      expect(waiting).include({ kind: "pending" });
      expect(await stall.present(twin.openCredential)).deep.equal(waiting);
      market.rpc.heal();
      // The first one lands, and then the second can be refused.
      expect(await stall.refusal(twin.openCredential)).equal("open-used");
      expect(await stall.refusal(purse.openCredential)).equal("answer");
      expect((await purse.known()).escrowed).equal(DEPOSIT);
    });

    it("under another challenge of the same terms is the same open", async () => {
      const stall = new Stall(market);
      const purse = await Purse.open(stall, customer());
      const other = await stall.challenge();
      expect(other.request.recentBlockhash).equal(purse.opening.request.recentBlockhash);
      expect(await stall.refusal({ ...purse.openCredential, challenge: other.challenge })).equal("answer");
    });

    it("with another idle timeout is refused: open-used", async () => {
      const stall = new Stall(market, { idleTimeoutOptionsSeconds: [30, 600] });
      const purse = await Purse.open(stall, customer());
      const payload = { ...purse.openCredential.payload, idleTimeoutSeconds: 600 };
      expect(await stall.refusal({ ...purse.openCredential, payload })).equal("open-used");
      expect((await purse.known()).idleTimeoutSeconds).equal(30);
    });
  });

  describe("whose transaction", () => {
    it("is swallowed is pending, and opens when the same credential comes again", async () => {
      const stall = new Stall(market);
      const purse = await Purse.prepare(stall, customer());
      market.rpc.fault("send", swallow);
      const waiting = await stall.present(purse.openCredential);
      expect(waiting).include({ kind: "pending", retryAfterSeconds: 2 });
      expect(await stall.refusal(await purse.paying(PRICE), keyed())).equal("channel-not-open-yet");
      expect(await stall.refusal(await purse.closing(0n))).equal("channel-not-open-yet");
      market.rpc.heal();
      const { body } = await stall.errand(purse.openCredential);
      expect(body?.signature).equal((waiting as { signature: string }).signature);
    });

    it("lands although the answer to its sending was lost", async () => {
      const stall = new Stall(market);
      const purse = await Purse.prepare(stall, customer());
      market.rpc.fault("send", lost("sendTransaction"));
      await stall.errand(purse.openCredential);
      expect((await purse.known()).escrowed).equal(DEPOSIT);
    });

    it("can never land any more is refused for good: open-expired, and its channel is not opened later", async () => {
      const stall = new Stall(market);
      const payer = customer();
      const purse = await Purse.prepare(stall, payer);
      market.rpc.fault("send", swallow);
      expect(await stall.present(purse.openCredential)).include({ kind: "pending" });
      market.net.warpSlots(400);
      market.rpc.heal();
      expect(await stall.refusal(purse.openCredential)).equal("open-expired");
      expect(await stall.refusal(purse.openCredential)).equal("open-expired");
      expect((await purse.known()).status).equal("closed");
      expect(await market.tokens(payer.publicKey)).equal(10_000n);
    });

    it("lands and fails is refused: open-failed", async () => {
      const stall = new Stall(market);
      const payer = customer();
      const purse = await Purse.prepare(stall, payer, { deposit: 10_001n });
      market.rpc.fault("simulate", async () => ({ err: null, logs: [], slot: 0n }));
      expect(await stall.refusal(purse.openCredential)).equal("open-failed");
      expect(await stall.refusal(purse.openCredential)).equal("open-failed");
      expect((await purse.known()).status).equal("closed");
    });

    it("cannot be tried is not sent: unavailable, and nothing is kept", async () => {
      const stall = new Stall(market);
      const purse = await Purse.prepare(stall, customer());
      for (const method of ["height", "simulate", "rentExemption"] as const) {
        market.rpc.fault(method, down(method));
        expect(await stall.refusal(purse.openCredential), method).equal("unavailable");
        market.rpc.heal();
      }
      expect(await stall.store.channels.get(purse.channelId)).equal(undefined);
      await stall.errand(purse.openCredential);
    });

    it("has landed, but cannot be read back, is not served until it can: unavailable", async () => {
      const stall = new Stall(market);
      const purse = await Purse.prepare(stall, customer());
      market.rpc.fault("account", first(3, down("getAccountInfo")));
      expect(await stall.refusal(purse.openCredential)).equal("unavailable");
      expect((await purse.known()).escrowed).equal(0n);
      market.rpc.fault(
        "account",
        first(1, async () => undefined),
      );
      expect(await stall.refusal(purse.openCredential), "a node that lags").equal("unavailable");
      market.rpc.heal();
      await stall.errand(purse.openCredential);
    });
  });

  describe("is refused when the channel on chain is not the one that was asked for: open-state", () => {
    /** Where fields lie in the account (spec/session.md, section 4), and a byte to change. */
    const fields: readonly [string, number, number?][] = [
      ["discriminator", 0],
      ["version", 1],
      ["status", 3],
      ["salt", 4],
      ["deposit", 13, 0xff],
      ["grace period", 52],
      ["distribution hash", 56],
      ["payer", 88],
      ["payee", 120],
      ["authorized signer", 152],
      ["mint", 184],
      ["rent payer", 216],
      ["open slot", 248],
    ];
    for (const [field, at, mask = 1] of fields) {
      it(`its ${field}`, () => reads((account) => change(account, at, mask)));
    }
    it("its owner", () => reads((account) => ({ ...account, owner: PublicKey.default.toBase58() })));
    it("its length", () => reads((account) => ({ ...account, data: account.data.subarray(1) })));
    it("a payer who is leaving already", () =>
      reads((account) => {
        const data = Uint8Array.from(account.data);
        data[3] = 2;
        data[36] = 1;
        return { ...account, data };
      }));

    function change(account: Account, at: number, mask: number): Account {
      const data = Uint8Array.from(account.data);
      // A deposit must become lower to be noticed: a higher one is a top-up that came in between.
      data[at] = mask === 0xff ? 0 : data[at]! ^ mask;
      return { ...account, data };
    }

    async function reads(as: (account: Account) => Account): Promise<void> {
      const stall = new Stall(market);
      const purse = await Purse.prepare(stall, customer());
      market.rpc.fault("account", async (ask) => {
        const account = (await ask()) as Account | undefined;
        const isChannel = account?.owner === SESSION_PROGRAM_ID.toBase58() && account.data.length === CHANNEL_LENGTH;
        return isChannel ? as(account) : account;
      });
      expect(await stall.refusal(purse.openCredential)).equal("open-state");
      expect((await purse.known()).escrowed, "nothing can be drawn on it").equal(0n);
      market.rpc.heal();
    }
  });

  it("counts a top-up that came in between", async () => {
    const stall = new Stall(market);
    const purse = await Purse.prepare(stall, customer());
    market.rpc.fault("account", first(1, down("getAccountInfo")));
    await stall.present(purse.openCredential).catch((error: unknown) => expect(error).instanceOf(RefusedError));
    market.rpc.heal();
    const topUp = (await purse.toppingUp(500n)).payload as JsonObject;
    const transaction = VersionedTransaction.deserialize(Buffer.from(topUp.transaction as string, "base64"));
    transaction.sign([stall.feePayer, purse.payer]);
    await market.land(transaction);
    await stall.errand(purse.openCredential);
    expect((await purse.known()).escrowed).equal(1_500n);
  });
});
