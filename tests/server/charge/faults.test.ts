// What nodes do to a payment: nothing they do makes the server say "failed" while the transaction may land.
import { Keypair, SystemProgram, VersionedTransaction } from "@solana/web3.js";
import { expect } from "chai";
import fc from "fast-check";
import { RpcError } from "../../../sdk/server/src/chain/index.ts";
import { memoryStore } from "../../../sdk/server/src/stores/index.ts";
import { down, type Fault, first, following, lost, swallow } from "../chain/faults.ts";
import { paidBy, pull, request, Shop, type ShopOptions, signed, Town } from "./shop.ts";

describe("charge, when nodes fail", () => {
  let town: Town;
  let payer: Keypair;
  let sponsor: Keypair;
  beforeEach(async () => {
    town = await Town.start();
    payer = town.person({ lamports: 500_000_000_000n });
    sponsor = town.person({ lamports: 500_000_000_000n });
  });
  afterEach(() => town.close());

  const quick = (more: ShopOptions = {}): ShopOptions => ({
    ...more,
    settlement: { budgetMs: 30, pollMs: 5, ...more.settlement },
  });

  for (const [name, options] of [
    ["unsponsored", () => ({})],
    ["sponsored", () => ({ sponsor })],
  ] as const) {
    describe(name, () => {
      it("a transaction that never arrives is pending as long as it can land, and then a new one may be made", async () => {
        const shop = new Shop(town, quick(options()));
        const credential = await paidBy(shop, payer);
        town.rpc.fault("send", swallow);
        let looks = 0;
        let answer = await shop.refusal(credential);
        const wire = await wireOf(shop, credential.challenge.id);
        while (await lands(wire)) {
          expect(answer).to.equal("pending");
          expect(++looks).to.be.lessThan(50);
          town.net.warpSlots(10);
          answer = await shop.refusal(credential);
        }
        expect(looks, "a blockhash is good for 150 blocks").to.be.greaterThan(14);
        // Ours is an upper bound of what somebody else's blockhash is good for.
        town.net.warpSlots(60);
        expect(await shop.refusal(credential)).to.equal("transaction-expired");
        expect(await town.lamports(shop.recipient)).to.equal(0n);
        town.rpc.heal();
        const { challenge } = credential;
        const { request } = await new Shop(town, { ...options(), recipient: shop.recipient }).challenge();
        expect(await shop.refusal(pull(challenge, await signed(town, request, payer)))).to.equal("grant");
      });

      /** Whether the chain would take the bytes now, had it got them. */
      async function lands(wire: Uint8Array): Promise<boolean> {
        const { value } = await town.connection.simulateTransaction(VersionedTransaction.deserialize(wire));
        return value.err === null;
      }

      const healed: [string, Parameters<Town["rpc"]["fault"]>[0], Fault, string[]][] = [
        ["a send whose answer is lost", "send", lost(), ["grant"]],
        ["a send that fails once", "send", first(1, down()), ["grant", "pending"]],
        ["a node that forgets to pass the bytes on", "send", first(1, swallow), ["grant", "pending"]],
        ["statuses that do not come", "status", following(down()), ["pending"]],
        ["statuses of a node that is far behind", "status", async () => ({ contextSlot: 0n }), ["pending"]],
        ["a transaction that no node hands out", "transaction", async () => undefined, ["pending"]],
        ["a transaction that is not to be had", "transaction", down(), ["pending"]],
      ];
      for (const [fault, method, how, allowed] of healed) {
        it(`${fault}: never a refusal, paid once, granted when the node is well`, async () => {
          const shop = new Shop(town, quick({ ...options(), settlement: { budgetMs: 30, pollMs: 5 } }));
          const credential = await paidBy(shop, payer);
          town.rpc.fault(method, how);
          expect(await shop.refusal(credential, request({ idempotencyKey: "k" }))).to.be.oneOf(allowed);
          town.rpc.heal();
          const after = await shop.refusal(credential, request({ idempotencyKey: "k" }));
          expect(after).to.be.oneOf(["grant", "idempotency-in-flight"]);
          expect(await town.lamports(shop.recipient)).to.equal(1_000_000n);
        });
      }

      for (const method of ["simulate", "height", "genesisHash"] as const) {
        it(`without an answer to ${method} nothing is signed or sent; the same credential pays later`, async () => {
          const shop = new Shop(town, quick(options()));
          const other = new Shop(town, { ...quick(options()), recipient: shop.recipient }, shop.store);
          const credential = await paidBy(other, payer);
          town.rpc.fault(method, down());
          town.rpc.forget();
          expect(await shop.refusal(credential)).to.equal("unavailable");
          expect(town.rpc.calls("send")).to.equal(0);
          expect(await shop.store.charges.lease("test", 9, Date.now(), 1)).to.deep.equal([]);
          town.rpc.heal();
          expect(await shop.refusal(credential)).to.equal("grant");
          expect(await town.lamports(shop.recipient)).to.equal(1_000_000n);
        });
      }

      it("a payment that landed for another store of the same recipient, is not served again by a node that lags behind", async () => {
        const there = new Shop(town, options());
        const here = new Shop(town, { ...options(), recipient: there.recipient });
        const { challenge, request } = await there.challenge();
        const transaction = await signed(town, request, payer);
        expect(await there.refusal(pull(challenge, transaction))).to.equal("grant");
        // A stranger shows what stands on the chain, to a process whose node tries it on an older block.
        town.rpc.fault("simulate", async () => ({ err: null, logs: [], slot: 1n }));
        town.rpc.forget();
        const again = pull((await here.challenge()).challenge, transaction);
        expect(await here.refusal(again)).to.equal("signature-consumed");
        expect(await here.refusal(again), "for good").to.equal("signature-consumed");
        expect(town.rpc.calls("send")).to.equal(0);
        town.rpc.heal();
        expect(await town.lamports(there.recipient)).to.equal(1_000_000n);
        expect(await here.refusal(await paidBy(here, payer)), "others are").to.equal("grant");
      });

      it("an endpoint that does not say what it knows holds no payment up; where none does, nothing is sent", async () => {
        const shop = new Shop(town, options());
        const [one, other] = [await paidBy(shop, payer), await paidBy(shop, payer)];
        town.rpc.fault("status", (ask, args) => {
          const { everywhere = false } = (args[1] ?? {}) as { everywhere?: boolean };
          return everywhere ? down()(ask, args) : ask();
        });
        expect(await shop.refusal(one)).to.equal("grant");
        town.rpc.fault("status", down());
        town.rpc.forget();
        expect(await shop.refusal(other)).to.equal("unavailable");
        expect(town.rpc.calls("send")).to.equal(0);
        town.rpc.heal();
        expect(await shop.refusal(other)).to.equal("grant");
      });

      it("an answer of a node that lags behind does not expire a transaction that has landed", async () => {
        const shop = new Shop(town, quick(options()));
        const credential = await paidBy(shop, payer);
        // It lands, and nobody notices.
        town.rpc.fault("status", following(down()));
        expect(await shop.refusal(credential)).to.equal("pending");
        const slot = BigInt(await town.connection.getSlot("finalized"));
        town.net.warpSlots(1_000);
        // This node has not seen the block yet, although finalized heights come from one that has.
        town.rpc.fault("status", async () => ({ contextSlot: slot + 999n }));
        expect(await shop.refusal(credential)).to.equal("pending");
        town.rpc.heal();
        expect(await shop.refusal(credential)).to.equal("grant");
      });

      it("a transaction that fails after it was tried is said to have failed, once it has", async () => {
        const shop = new Shop(town, quick(options()));
        const poor = town.person({ lamports: 10_000_000n });
        const credential = await paidBy(shop, poor);
        // Between trial and broadcast the payer spends its money elsewhere.
        town.rpc.fault("send", async (ask) => {
          const { blockhash } = await town.connection.getLatestBlockhash();
          const drain = await town.build({
            feePayer: poor.publicKey,
            instructions: [
              SystemProgram.transfer({
                fromPubkey: poor.publicKey,
                toPubkey: sponsor.publicKey,
                lamports: 9_000_000,
              }),
            ],
            blockhash,
          });
          drain.sign([poor]);
          await town.land(drain);
          return ask();
        });
        expect(await shop.refusal(credential)).to.equal("transaction-failed");
        town.rpc.heal();
        expect(await shop.refusal(credential), "and again").to.equal("transaction-failed");
        expect(await town.lamports(shop.recipient)).to.equal(0n);
      });
    });
  }

  it("a listener of errors that throws itself changes no answer", async () => {
    const onError = () => {
      throw new Error("the log is full");
    };
    const shop = new Shop(town, { onError, settlement: { onError, budgetMs: 30 } });
    const credential = await paidBy(shop, payer);
    town.rpc.fault("status", following(down()));
    expect(await shop.refusal(credential)).to.equal("pending");
    town.rpc.heal();
    expect(await shop.refusal(credential)).to.equal("grant");
  });

  it("a blockhash that a lagging node does not know yet, is tried again", async () => {
    const shop = new Shop(town);
    const unknown = async () => ({ err: "BlockhashNotFound", logs: [], slot: 0n });
    town.rpc.fault("simulate", first(2, unknown));
    expect(await shop.refusal(await paidBy(shop, payer))).to.equal("grant");
  });

  it("whatever nodes do, in whatever order: never refused, paid once, granted once", async () => {
    const methods = ["status", "transaction", "send", "height", "simulate", "balance"] as const;
    const kinds = ["ok", "down", "lost", "stale"] as const;
    const plan = fc.array(
      fc.tuple(fc.constantFrom(...methods), fc.array(fc.constantFrom(...kinds), { maxLength: 6 })),
      {
        maxLength: 8,
      },
    );
    await fc.assert(
      fc.asyncProperty(plan, fc.boolean(), async (faults, sponsored) => {
        town.rpc.heal();
        const shop = new Shop(town, {
          ...(sponsored ? { sponsor } : {}),
          settlement: { budgetMs: 15, pollMs: 2 },
        });
        const credential = await paidBy(shop, payer);
        for (const [method, script] of faults) town.rpc.fault(method, scripted(method, script));
        const answers: string[] = [];
        for (let tries = 0; tries < 3; tries++) answers.push(await shop.refusal(credential));
        town.rpc.heal();
        answers.push(await shop.refusal(credential));
        for (const answer of answers) {
          expect(answer).to.be.oneOf(["grant", "pending", "unavailable", "idempotency-in-flight"]);
        }
        expect(answers.filter((answer) => answer === "grant")).to.have.length(1);
        expect(await town.lamports(shop.recipient)).to.equal(1_000_000n);
      }),
      { numRuns: 60 },
    );
  });

  describe("the sponsor", () => {
    it("one without means is found out before anything is sent, and challenges leave the fee to the payer", async () => {
      const broke = town.person({ lamports: 5_000_000n });
      const shop = new Shop(town, { sponsor: broke });
      const credential = await paidBy(shop, payer);
      expect((await shop.challenge()).request.feePayer).to.equal(true);
      await drain(broke, 4_100_000n);
      town.rpc.forget();
      expect(await shop.refusal(credential)).to.equal("sponsor-exhausted");
      expect(town.rpc.calls("send")).to.equal(0);
      const fallback = await shop.challenge();
      expect(fallback.request.feePayer).to.equal(false);
      expect(await shop.refusal(pull(fallback.challenge, await signed(town, fallback.request, payer)))).to.equal(
        "grant",
      );
    });

    it("one that the chain says cannot pay, is taken out of the challenges, too", async () => {
      const shop = new Shop(town, { sponsor });
      const credential = await paidBy(shop, payer);
      town.rpc.fault("simulate", async () => ({ err: "InsufficientFundsForFee", logs: [], slot: 0n }));
      expect(await shop.refusal(credential)).to.equal("sponsor-exhausted");
      expect((await shop.challenge()).request.feePayer).to.equal(false);
    });

    it("one below its floor is not offered, and offered again when it is filled up", async () => {
      let time = Date.now();
      const poor = town.person({ lamports: 4_999_999n });
      const shop = new Shop(town, { sponsor: poor, settlement: { now: () => time } });
      expect((await shop.challenge()).request.feePayer).to.equal(false);
      town.net.airdrop(poor.publicKey.toBase58(), 1_000_000n);
      time += 10_000;
      expect((await shop.challenge()).request.feePayer).to.equal(true);
    });

    it("what charges under way may cost, is not promised twice", async () => {
      // Enough for two at a time.
      const small = town.person({ lamports: 890_880n + 2n * 10_200n });
      const shop = new Shop(town, { sponsor: { signer: small, minimumBalance: 0n }, settlement: { budgetMs: 30 } });
      const credentials = await Promise.all([1, 2, 3].map(() => paidBy(shop, town.person())));
      town.rpc.fault("send", swallow);
      const answers = await Promise.all(credentials.map((credential) => shop.refusal(credential)));
      expect(answers.sort()).to.deep.equal(["pending", "pending", "sponsor-exhausted"]);
    });

    it("what charges have cost is no longer set aside when they are done", async () => {
      const small = town.person({ lamports: 890_880n + 6n * 10_200n });
      const shop = new Shop(town, { sponsor: { signer: small, minimumBalance: 0n } });
      for (const _ of [1, 2, 3, 4, 5, 6]) expect(await shop.refusal(await paidBy(shop, payer))).to.equal("grant");
      expect(await town.lamports(small.publicKey)).to.equal(890_880n);
      expect(await shop.refusal(await paidBy(shop, payer))).to.equal("sponsor-exhausted");
    });

    it("the seller's own limits are asked before each signature, and refuse", async () => {
      const asked: unknown[] = [];
      const authorize = (expense: unknown) => asked.push(expense) < 2;
      const shop = new Shop(town, { sponsor: { signer: sponsor, authorize } });
      const credential = await paidBy(shop, payer);
      expect(await shop.refusal(credential)).to.equal("grant");
      expect(await shop.refusal(await paidBy(shop, payer))).to.equal("sponsorship-denied");
      expect(asked[0]).to.deep.equal({
        payer: payer.publicKey.toBase58(),
        recipient: shop.recipient.toBase58(),
        paid: [shop.recipient.toBase58()],
        lamports: 10_200n,
        creations: [],
        challengeId: credential.challenge.id,
      });
    });

    it("a route can leave the fee to the payer although there is a sponsor", async () => {
      const shop = new Shop(town, { sponsor, sponsored: false });
      expect((await shop.challenge()).request.feePayer).to.equal(false);
      const other = new Shop(town, { sponsor, recipient: shop.recipient }, shop.store);
      expect(await shop.refusal(await paidBy(other, payer))).to.equal("challenge-mismatch");
    });

    it("a signer that is a service signs; one that fails or signs something else pays for nothing", async () => {
      const good = {
        publicKey: sponsor.publicKey.toBase58(),
        signTransaction: async <T extends { sign(keys: Keypair[]): void }>(transaction: T) => {
          transaction.sign([sponsor]);
          return transaction;
        },
      };
      const shop = new Shop(town, { sponsor: { signer: good } });
      expect(await shop.refusal(await paidBy(shop, payer))).to.equal("grant");
      for (const signTransaction of [
        async () => Promise.reject(new Error("the service is down")),
        async <T>(transaction: T) => transaction,
      ]) {
        let bad: typeof good.signTransaction = signTransaction as typeof good.signTransaction;
        const signer = { ...good, signTransaction: ((one) => bad(one)) as typeof good.signTransaction };
        const flaky = new Shop(town, { sponsor: { signer } });
        const credential = await paidBy(flaky, payer);
        town.rpc.forget();
        expect(await flaky.refusal(credential)).to.equal("unavailable");
        expect(town.rpc.calls("send")).to.equal(0);
        bad = good.signTransaction;
        expect(await flaky.refusal(credential)).to.equal("grant");
      }
    });
  });

  describe("the cluster", () => {
    it("another network than the node's is neither sold on nor settled on", async () => {
      const shop = new Shop(town);
      const credential = await paidBy(shop, payer);
      for (const network of ["mainnet", "devnet"] as const) {
        const abroad = new Shop(town, { network, recipient: shop.recipient, settlement: { network } });
        expect(await codeOf(abroad.challenge())).to.equal("wrong-cluster");
        const misled = new Shop(town, { recipient: shop.recipient, settlement: { network } });
        expect(await codeOf(misled.present(credential))).to.equal("wrong-cluster");
        expect(await codeOf(misled.reconciler().tick())).to.equal("wrong-cluster");
      }
    });
  });

  describe("the reconciler", () => {
    it("finds out about what landed, failed and expired, and leaves open what is open", async () => {
      const store = memoryStore();
      const shop = new Shop(town, quick(), store);
      const mine = { recipient: shop.recipient };
      town.rpc.fault("status", following(down()));
      const landed = await paidBy(shop, payer);
      expect(await shop.refusal(landed)).to.equal("pending");
      town.rpc.fault("send", swallow);
      const open = await paidBy(new Shop(town, mine), payer);
      expect(await shop.refusal(open)).to.equal("pending");
      town.rpc.heal();
      town.rpc.forget();
      const reconciler = shop.reconciler();
      expect(await reconciler.tick()).to.deep.equal({ confirmed: 1, rejected: 0, expired: 0, pending: 1 });
      expect(town.rpc.calls("send"), "it only looks").to.equal(0);
      town.net.warpSlots(500);
      const other = new Shop(town, { settlement: { now: () => Date.now() + 20_000 } }, store).reconciler();
      expect(await other.tick()).to.deep.equal({ confirmed: 0, rejected: 0, expired: 1, pending: 0 });
      expect(await shop.refusal(landed)).to.equal("grant");
      expect(await shop.refusal(open)).to.equal("transaction-expired");
    });

    it("calls nothing expired because nodes do not answer", async () => {
      const shop = new Shop(town, quick());
      town.rpc.fault("send", swallow);
      const credential = await paidBy(shop, payer);
      expect(await shop.refusal(credential)).to.equal("pending");
      town.net.warpSlots(500);
      for (const [round, method] of (["status", "height"] as const).entries()) {
        town.rpc.heal();
        town.rpc.fault(method, down());
        const now = () => Date.now() + round * 1e6;
        const reconciler = new Shop(town, { settlement: { now } }, shop.store).reconciler();
        expect(await reconciler.tick()).to.deep.equal({ confirmed: 0, rejected: 0, expired: 0, pending: 1 });
      }
      town.rpc.fault("genesisHash", down());
      const blind = shop.reconciler();
      expect(await blind.tick()).to.deep.equal({ confirmed: 0, rejected: 0, expired: 0, pending: 0 });
      expect(shop.errors.some((error) => error instanceof RpcError)).to.equal(true);
      expect(await shop.refusal(credential)).to.equal("pending");
    });

    it("goes on by itself until it is stopped", async () => {
      const shop = new Shop(town, quick());
      town.rpc.fault("status", following(down()));
      const credential = await paidBy(shop, payer);
      expect(await shop.refusal(credential)).to.equal("pending");
      town.rpc.heal();
      const reconciler = new Shop(town, {}, shop.store).reconciler(town.rpc, { intervalMs: 5 });
      reconciler.start();
      for (let tries = 0; tries < 200 && (await stateOf(shop, credential.challenge.id)) === "unknown"; tries++) {
        await new Promise((done) => setTimeout(done, 5));
      }
      await reconciler.stop();
      expect(await stateOf(shop, credential.challenge.id)).to.be.oneOf(["confirmed", "finalized"]);
    });
  });

  async function drain(key: Keypair, lamports: bigint): Promise<void> {
    const to = Keypair.generate().publicKey;
    const instructions = [SystemProgram.transfer({ fromPubkey: key.publicKey, toPubkey: to, lamports })];
    const transaction = await town.build({ feePayer: key.publicKey, instructions });
    transaction.sign([key]);
    await town.land(transaction);
  }
});

/** Plays one kind of answer after the other; then the node is well. */
function scripted(method: string, script: readonly ("ok" | "down" | "lost" | "stale")[]): Fault {
  const left = [...script];
  return (ask, args) => {
    switch (left.shift()) {
      case "down":
        return down()(ask, args);
      case "lost":
        return lost()(ask, args);
      case "stale":
        if (method === "status") return Promise.resolve({ contextSlot: 0n });
        if (method === "transaction") return Promise.resolve(undefined);
        if (method === "send") return Promise.resolve(undefined);
        return down()(ask, args);
      default:
        return ask();
    }
  };
}

async function stateOf(shop: Shop, challengeId: string): Promise<string | undefined> {
  return (await shop.store.charges.byChallenge(challengeId))?.state;
}

async function wireOf(shop: Shop, challengeId: string): Promise<Uint8Array> {
  const charge = await shop.store.charges.byChallenge(challengeId);
  return Buffer.from(charge!.wire!, "base64");
}

async function codeOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => "none",
    (error: { code?: unknown }) => error.code,
  );
}
