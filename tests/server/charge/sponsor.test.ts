// What a sponsor can be made to pay: attacks that work over several payments, or between two steps of one.

import type { Credential } from "@mppsol/core";
import {
  createBurnInstruction,
  createCloseAccountInstruction,
  createInitializeTransferFeeConfigInstruction,
  createInitializeTransferHookInstruction,
  createUpdateTransferHookInstruction,
  ExtensionType,
  TOKEN_2022_PROGRAM_ID,
} from "@solana/spl-token";
import { Keypair, SystemProgram, type VersionedTransaction } from "@solana/web3.js";
import { expect } from "chai";
import type { Account } from "../../../sdk/server/src/chain/index.ts";
import type { Paid, SponsorBook, SponsorOptions } from "../../../sdk/server/src/charge/index.ts";
import { memoryBook } from "../../../sdk/server/src/charge/SponsorBook.ts";
import { Turns } from "../../../sdk/server/src/charge/Turns.ts";
import { ata, paidBy, pull, Shop, type ShopOptions, signed, Town, USDC } from "./shop.ts";

describe("charge, what a sponsor can be made to pay", () => {
  let town: Town;
  let payer: Keypair;
  let sponsor: Keypair;
  before(async () => {
    town = await Town.start();
    payer = town.person({ lamports: 500_000_000_000n, usdc: 1_000_000_000n });
    sponsor = town.person({ lamports: 500_000_000_000n });
  });
  after(() => town.close());
  afterEach(() => town.rpc.heal());

  describe("the rent of a split's account that is closed and created again and again", () => {
    const DAY = 24 * 60 * 60 * 1000;
    let time: number;
    let owner: Keypair;
    let shop: Shop;
    let book: SponsorBook;
    beforeEach(async () => {
      time = Date.now();
      owner = town.person();
      book = memoryBook();
      const now = () => time;
      shop = new Shop(town, {
        sponsor: { signer: sponsor, book },
        now,
        currency: USDC.toBase58(),
        splits: [{ recipient: owner.publicKey.toBase58(), amount: 1_000n, ataCreationRequired: true }],
        settlement: { now },
      });
      await town.openAccount(shop.recipient);
    });

    /** The owner takes the tokens and the rent. */
    async function close(): Promise<void> {
      const [account, { publicKey }] = [ata(owner.publicKey), owner];
      await town.run(
        [
          createBurnInstruction(account, USDC, publicKey, await town.tokens(publicKey)),
          createCloseAccountInstruction(account, publicKey, publicKey),
        ],
        [owner],
      );
    }

    it("is paid once in a while; then the payer is asked to", async () => {
      const credentials = [await paidBy(shop, payer), await paidBy(shop, payer)];
      expect(await shop.refusal(credentials[0]!)).to.equal("grant");
      await close();
      const before = await town.lamports(sponsor.publicKey);
      expect(await shop.refusal(credentials[1]!)).to.equal("sponsorship-denied");
      expect(await town.lamports(sponsor.publicKey)).to.equal(before);
      const unsponsored = await shop.challenge();
      expect(unsponsored.request.feePayer).to.equal(false);
      const transaction = await signed(town, unsponsored.request, payer);
      expect(await shop.refusal(pull(unsponsored.challenge, transaction))).to.equal("grant");
      expect(await town.lamports(sponsor.publicKey)).to.equal(before);
    });

    it("is no reason to pay no fee while the account is there", async () => {
      for (const _ of [1, 2, 3]) expect(await shop.refusal(await paidBy(shop, payer))).to.equal("grant");
      expect((await shop.challenge()).request.feePayer).to.equal(true);
    });

    it("is paid again when the window is over", async () => {
      expect(await shop.refusal(await paidBy(shop, payer))).to.equal("grant");
      await close();
      time += DAY;
      expect(await shop.refusal(await paidBy(shop, payer))).to.equal("grant");
    });

    it("is not held against an owner whose own account was there", async () => {
      await town.openAccount(owner.publicKey);
      expect(await shop.refusal(await paidBy(shop, payer))).to.equal("grant");
      await close();
      expect(await shop.refusal(await paidBy(shop, payer))).to.equal("grant");
    });

    it("is paid once for two payments that come together, and both are granted", async () => {
      const other = town.person({ lamports: 0n, usdc: 1_000_000n });
      const credentials = [await paidBy(shop, payer), await paidBy(shop, other)];
      const before = await town.lamports(sponsor.publicKey);
      const answers = await Promise.all(credentials.map((credential) => shop.refusal(credential)));
      expect(answers).to.deep.equal(["grant", "grant"]);
      const rent = await town.rpc.rentExemption(165);
      expect(before - (await town.lamports(sponsor.publicKey))).to.equal(2n * 10_200n + rent);
    });

    it("is not paid again, there or not, for an account that was closed between a trial and the landing", async () => {
      expect(await shop.refusal(await paidBy(shop, payer))).to.equal("grant");
      const credentials = [await paidBy(shop, payer), await paidBy(shop, payer)];
      let isOpen = true;
      town.rpc.fault("send", async (ask) => {
        if (isOpen) await close();
        isOpen = false;
        return ask();
      });
      expect(await shop.refusal(credentials[0]!)).to.equal("grant");
      expect(await town.tokens(owner.publicKey), "the account is there").to.equal(1_000n);
      const before = await town.lamports(sponsor.publicKey);
      expect(await shop.refusal(credentials[1]!)).to.equal("sponsorship-denied");
      expect((await shop.challenge()).request.feePayer).to.equal(false);
      expect(await town.lamports(sponsor.publicKey)).to.equal(before);
    });

    describe("whose charge's process died before it was signed", () => {
      let credential: Credential.Credential;
      beforeEach(async () => {
        const charge = { key: "dead", challengeId: "dead", payer: "payer", recipient: "seller", currency: "sol" };
        await shop.store.charges.claim({ ...charge, state: "received", amount: 1n, sponsored: 1n }, time);
        const account = ata(owner.publicKey).toBase58();
        expect(await book.claimRent({ account, holder: "dead", until: time + DAY, now: time })).to.equal("dead");
        credential = await paidBy(shop, payer);
      });

      it("is left to payers once nobody is thought to be at work on it", async () => {
        expect((await shop.challenge()).request.feePayer, "it may be under way").to.equal(true);
        time += 10_000;
        expect((await shop.challenge()).request.feePayer).to.equal(false);
        time += 139_999;
        expect((await shop.challenge()).request.feePayer).to.equal(false);
      });

      it("is paid for another as soon as that one can never land", async () => {
        time += 150_000;
        expect((await shop.challenge()).request.feePayer).to.equal(true);
        expect(await shop.refusal(credential)).to.equal("grant");
        expect(await town.tokens(owner.publicKey)).to.equal(1_000n);
      });

      it("stays with the one that was signed in time, however long that takes", async () => {
        await shop.store.charges.advance("dead", ["received"], "signed", { signature: `of ${time}`, wire: "" }, time);
        time += 200_000;
        expect((await shop.challenge()).request.feePayer).to.equal(true);
        expect(await book.rentHolders([ata(owner.publicKey).toBase58()], time)).to.deep.equal(["dead"]);
      });
    });

    it("is not held against an owner whose payment never landed", async () => {
      const poor = town.person({ usdc: 10n });
      expect(await shop.refusal(await paidBy(shop, poor))).to.equal("simulation-failed");
      expect(await shop.refusal(await paidBy(shop, payer))).to.equal("grant");
    });
  });

  it("what a payment has cost is told once it has landed, to the lamport", async () => {
    const paid: Paid[] = [];
    const owner = town.person();
    const shop = new Shop(town, {
      sponsor: { signer: sponsor, onPaid: (one) => paid.push(one) },
      currency: USDC.toBase58(),
      splits: [{ recipient: owner.publicKey.toBase58(), amount: 1_000n, ataCreationRequired: true }],
    });
    await town.openAccount(shop.recipient);
    const rent = await town.rpc.rentExemption(165);
    for (const expected of [rent, 0n]) {
      const before = await town.lamports(sponsor.publicKey);
      const credential = await paidBy(shop, payer);
      expect(await shop.refusal(credential)).to.equal("grant");
      expect(paid.splice(0).map((one) => ({ fee: one.fee, rent: one.rent }))).to.deep.equal([
        { fee: 10_200n, rent: expected },
      ]);
      expect(before - (await town.lamports(sponsor.publicKey))).to.equal(10_200n + expected);
    }
  });

  it("what was counted for a signature is taken back when none is given", async () => {
    let counted = 0;
    let isAway = true;
    const signer = {
      publicKey: sponsor.publicKey.toBase58(),
      async signTransaction(transaction: VersionedTransaction) {
        if (isAway) throw new Error("the service is away");
        transaction.sign([sponsor]);
        return transaction;
      },
    };
    const authorize = () => {
      counted++;
      return () => {
        counted--;
      };
    };
    const shop = new Shop(town, { sponsor: { signer, authorize } });
    const credential = await paidBy(shop, payer);
    expect(await shop.refusal(credential)).to.equal("unavailable");
    expect(counted).to.equal(0);
    isAway = false;
    expect(await shop.refusal(credential)).to.equal("grant");
    expect(counted).to.equal(1);
  });

  it("one balance, shown in many payments at once, costs the sponsor the fee of one", async () => {
    const shop = new Shop(town, { sponsor, currency: USDC.toBase58() });
    await town.openAccount(shop.recipient);
    const poor = town.person({ lamports: 0n, usdc: 1_000_000n });
    const credentials = await Promise.all(Array.from({ length: 10 }, () => paidBy(shop, poor)));
    const before = await town.lamports(sponsor.publicKey);
    // All would have been tried and signed by the time the first one is sent.
    town.rpc.fault("send", async (ask) => {
      await new Promise((done) => setTimeout(done, 100));
      return ask();
    });
    const answers = await Promise.all(credentials.map((credential) => shop.refusal(credential)));
    expect(answers.filter((answer) => answer === "grant")).to.have.length(1);
    expect(answers.filter((answer) => answer === "simulation-failed")).to.have.length(9);
    expect(before - (await town.lamports(sponsor.publicKey))).to.equal(10_200n);
  });

  describe("by payments that fail on chain, whatever it was that made them", () => {
    let time: number;
    let thief: Keypair;
    beforeEach(() => {
      time = Date.now();
      thief = town.person({ lamports: 5_000_000_000n });
    });

    function shopOf(book: SponsorBook, more: Partial<SponsorOptions> = {}): Shop {
      const now = () => time;
      return new Shop(town, { sponsor: { signer: sponsor, book, ...more }, now, settlement: { now } });
    }

    /** The money is gone between the trial and the landing. */
    async function failing(shop: Shop): Promise<string> {
      const credential = await paidBy(shop, thief);
      let isThere = true;
      town.rpc.fault("send", async (ask) => {
        if (isThere) {
          isThere = false;
          const all = await town.lamports(thief.publicKey);
          await town.run(
            [SystemProgram.transfer({ fromPubkey: thief.publicKey, toPubkey: sponsor.publicKey, lamports: all })],
            [thief],
          );
        }
        return ask();
      });
      try {
        return await shop.refusal(credential);
      } finally {
        town.rpc.heal();
        town.net.airdrop(thief.publicKey.toBase58(), 5_000_000_000n);
      }
    }

    it("is so once: nothing more is signed for that payer for ten minutes, then twenty, in no process", async () => {
      const book = memoryBook();
      const shop = shopOf(book);
      for (const minutes of [10, 20]) {
        expect(await failing(shop)).to.equal("transaction-failed");
        const elsewhere = shopOf(book, { authorize: () => expect.fail("it is not asked about") });
        const before = await town.lamports(sponsor.publicKey);
        expect(await elsewhere.refusal(await paidBy(elsewhere, thief))).to.equal("sponsorship-denied");
        time += minutes * 60_000 - 1;
        expect(await shop.refusal(await paidBy(shop, thief))).to.equal("sponsorship-denied");
        expect(await town.lamports(sponsor.publicKey)).to.equal(before);
        expect(await shop.refusal(await paidBy(shop, payer)), "others are").to.equal("grant");
        time += 1;
        expect(await shop.refusal(await paidBy(shop, thief))).to.equal("grant");
      }
    });

    it("are its recipient's doing once: then once after each bar, which doubles; a day has room for eight, and payers are not barred", async () => {
      const [book, seller] = [memoryBook(), town.person()];
      const now = () => time;
      const recipient = seller.publicKey;
      const shop = new Shop(town, {
        recipient,
        currency: USDC.toBase58(),
        sponsor: { signer: sponsor, book },
        now,
        settlement: { now },
      });
      await town.openAccount(recipient);
      const [begun, before] = [time, await town.lamports(sponsor.publicKey)];
      let failures = 0n;
      while (time < begun + 24 * 60 * 60_000) {
        let isThere = true;
        town.rpc.fault("send", async (ask) => {
          const account = ata(recipient);
          if (isThere) await town.run([createCloseAccountInstruction(account, recipient, recipient)], [seller]);
          isThere = false;
          return ask();
        });
        const answer = await shop.refusal(await paidBy(shop, payer));
        town.rpc.heal();
        if (answer === "transaction-failed") failures++;
        else expect(answer).to.equal("sponsorship-denied");
        if (!isThere) await town.openAccount(recipient);
        time += 10 * 60_000;
      }
      // After 0, 10, 30, 70, 150, 310, 630 and 1270 minutes.
      expect(failures).to.equal(8n);
      expect(before - (await town.lamports(sponsor.publicKey))).to.equal(8n * 10_200n);
      expect(await shop.refusal(await paidBy(shop, payer))).to.equal("sponsorship-denied");
      const elsewhere = shopOf(book);
      expect(await elsewhere.refusal(await paidBy(elsewhere, payer)), "elsewhere").to.equal("grant");
    }).timeout(120_000);

    it("are looked into again when the node has no record of them yet", async () => {
      const book = memoryBook();
      const shop = shopOf(book);
      town.rpc.fault("transaction", async () => undefined);
      const credential = await paidBy(shop, thief);
      let isThere = true;
      town.rpc.fault("send", async (ask) => {
        if (isThere) {
          isThere = false;
          const lamports = await town.lamports(thief.publicKey);
          await town.run(
            [SystemProgram.transfer({ fromPubkey: thief.publicKey, toPubkey: sponsor.publicKey, lamports })],
            [thief],
          );
        }
        return ask();
      });
      expect(await shop.refusal(credential)).to.equal("pending");
      expect(await book.isBarred(thief.publicKey.toBase58(), time)).to.equal(false);
      town.rpc.heal();
      expect((await shop.reconciler().tick()).rejected).to.equal(1);
      expect(await book.isBarred(["somebody", thief.publicKey.toBase58()], time)).to.equal(true);
    });

    it("is known to whoever looks what became of it", async () => {
      const book = memoryBook();
      const shop = shopOf(book);
      town.rpc.fault("status", async () => ({ contextSlot: 0n }));
      const credential = await paidBy(shop, thief);
      const all = await town.lamports(thief.publicKey);
      town.rpc.fault("send", async (ask) => {
        await town.run(
          [SystemProgram.transfer({ fromPubkey: thief.publicKey, toPubkey: sponsor.publicKey, lamports: all })],
          [thief],
        );
        town.rpc.fault("send", (again) => again());
        return ask();
      });
      expect(await shop.refusal(credential)).to.equal("pending");
      town.rpc.heal();
      expect(await book.isBarred(thief.publicKey.toBase58(), time)).to.equal(false);
      expect((await shop.reconciler().tick()).rejected).to.equal(1);
      expect(await book.isBarred(thief.publicKey.toBase58(), time)).to.equal(true);
    });

    it("is not held against who pays the fee itself", async () => {
      const book = memoryBook();
      const shop = shopOf(book, { minimumBalance: 10n ** 15n });
      expect((await shop.challenge()).request.feePayer).to.equal(false);
      expect(await failing(shop)).to.be.oneOf(["transaction-failed", "pending", "transaction-expired"]);
      expect(await book.isBarred(thief.publicKey.toBase58(), time)).to.equal(false);
    });
  });

  it("payments that a payer can afford, made at once, are all granted, and nobody else's wait for them", async () => {
    const shop = new Shop(town, { sponsor, currency: USDC.toBase58() });
    await town.openAccount(shop.recipient);
    const other = town.person({ lamports: 0n, usdc: 1_000_000n });
    const [mine, theirs] = [await Promise.all([1, 2, 3].map(() => paidBy(shop, payer))), await paidBy(shop, other)];
    const held: (() => void)[] = [];
    const sending = new Promise<void>((begun) => {
      town.rpc.fault("send", async (ask) => {
        await new Promise<void>((go) => {
          held.push(go);
          begun();
        });
        return ask();
      });
    });
    const answers = mine.map((credential) => shop.refusal(credential));
    await sending;
    town.rpc.heal();
    expect(await shop.refusal(theirs)).to.equal("grant");
    expect(held).to.have.length(1);
    held[0]?.();
    expect(await Promise.all(answers)).to.deep.equal(["grant", "grant", "grant"]);
    expect(await town.tokens(shop.recipient)).to.equal(4_000_000n);
  });

  it("a turn that does not come in time is given up, and holds up nobody behind it", async () => {
    const turns = new Turns();
    const first = await turns.take("a", 0);
    expect(first).to.be.a("function");
    expect(await turns.take("a", 1)).to.equal(undefined);
    const third = turns.take("a", 10_000);
    expect(await turns.take("b", 0)).to.be.a("function");
    first?.();
    (await third)?.();
    expect(await turns.take("a", 0), "nobody is before").to.be.a("function");
  });

  it("the sponsor's signature is not asked for before the transaction has been tried", async () => {
    let asked = 0;
    const signer = {
      publicKey: sponsor.publicKey.toBase58(),
      async signTransaction(transaction: VersionedTransaction) {
        asked++;
        transaction.sign([sponsor]);
        return transaction;
      },
    };
    const shop = new Shop(town, { sponsor: { signer } });
    const poor = town.person({ lamports: 10n });
    const { challenge, request } = await shop.challenge();
    expect(await shop.refusal(pull(challenge, await signed(town, request, poor)))).to.equal("simulation-failed");
    expect(asked).to.equal(0);
    expect(await shop.refusal(await paidBy(shop, payer))).to.equal("grant");
    expect(asked).to.equal(1);
  });

  describe("a mint that changes after the challenge", () => {
    const shopOf = async (options: ShopOptions, recipient: Keypair) =>
      new Shop(town, { ...options, sponsor, recipient: recipient.publicKey });

    it("gets a hook: nothing is signed", async () => {
      const recipient = town.person();
      const hook = Keypair.generate().publicKey;
      const asset = await town.mint2022([payer.publicKey], {
        kinds: [ExtensionType.TransferHook],
        extend: (mint, authority) => [
          createInitializeTransferHookInstruction(mint, authority, SystemProgram.programId, TOKEN_2022_PROGRAM_ID),
        ],
        empty: [recipient.publicKey],
      });
      const shop = await shopOf({ currency: asset.mint.toBase58() }, recipient);
      const credential = await paidBy(shop, payer);
      const authority = Keypair.fromSecretKey(town.net.payer.secretKey);
      await town.run([
        createUpdateTransferHookInstruction(asset.mint, authority.publicKey, hook, [], TOKEN_2022_PROGRAM_ID),
      ]);
      const before = await town.lamports(sponsor.publicKey);
      expect(await shop.refusal(credential)).to.equal("simulation-failed");
      const fresh = await shopOf({ currency: asset.mint.toBase58() }, recipient);
      expect(await fresh.refusal(credential)).to.equal("asset-unsupported");
      expect(await town.lamports(sponsor.publicKey)).to.equal(before);
      expect(await town.tokens(recipient.publicKey, asset)).to.equal(0n);
    });

    it("keeps some of the money: what has arrived is what counts", async () => {
      const recipient = town.person();
      const asset = await town.mint2022([payer.publicKey], {
        kinds: [ExtensionType.TransferFeeConfig],
        extend: (mint, authority) => [
          createInitializeTransferFeeConfigInstruction(mint, authority, authority, 1, 10_000n, TOKEN_2022_PROGRAM_ID),
        ],
        empty: [recipient.publicKey],
      });
      // What is known of the mint is from before it took a fee.
      town.rpc.fault("account", async (ask, [address]) => {
        const account = (await ask()) as Account | undefined;
        if (account === undefined || address !== asset.mint.toBase58()) return account;
        return { ...account, data: Uint8Array.from(account.data).fill(0, 170 + 72) };
      });
      const shop = await shopOf({ currency: asset.mint.toBase58() }, recipient);
      const credential = await paidBy(shop, payer);
      expect(await shop.refusal(credential)).to.equal("payment-not-received");
      expect(await town.tokens(recipient.publicKey, asset)).to.equal(999_900n);
      expect(await shop.refusal(credential), "and again").to.equal("payment-not-received");
    });
  });
});
