// Charges of the agent, settled on the embedded chain by a seller that knows nothing of the agent.
import { type AgentOptions, createAgent, type Progress, paymentOf } from "@mppsol/agent";
import { ChargePayload } from "@mppsol/core";
import { MAX_TRANSACTION_SIZE } from "@mppsol/programs";
import { ComputeBudgetProgram, Keypair, type PublicKey, VersionedTransaction } from "@solana/web3.js";
import { expect } from "chai";
import { rejected, Till } from "./support/till.js";
import { SOL, World } from "./support/world.js";

const MEMO = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr";

describe("a charge", () => {
  let world: World;
  let till: Till;
  const progress: Progress[] = [];

  before(async () => {
    world = await World.start();
  });
  after(() => world.close());
  beforeEach(async () => {
    till = await Till.start(world);
    progress.length = 0;
  });
  afterEach(() => till.close());

  function agent(more: Partial<AgentOptions> = {}) {
    const limits = { perRequest: 10n * SOL };
    return createAgent({
      signer: world.buyer,
      rpc: world.connection,
      network: "localnet",
      budget: { sol: limits, [world.usdc.mint.toBase58()]: limits, fees: { perRequest: SOL } },
      onProgress: (event) => progress.push(event),
      ...more,
    });
  }

  function presented(): VersionedTransaction {
    const payload = ChargePayload.fromJson(till.paidHits.at(-1)!.credential!.payload);
    if (payload.type !== "transaction") throw new Error(payload.type);
    return VersionedTransaction.deserialize(payload.transaction);
  }

  /** What every account gains while `work` runs. */
  async function gains(owners: readonly PublicKey[], work: () => Promise<unknown>, asset = world.usdc) {
    const before = await Promise.all(owners.map((owner) => world.tokens(owner, asset)));
    await work();
    const after = await Promise.all(owners.map((owner) => world.tokens(owner, asset)));
    return after.map((amount, i) => amount - before[i]!);
  }

  it("in a token is paid with the agent's own SOL for the fee", async () => {
    till.route = till.sells(till.usdc(1_500n));
    const [buyer, seller] = [world.buyer.publicKey, world.seller.publicKey];
    const gained = await gains([buyer, seller], async () => {
      const response = await agent().fetch(`${till.url}/a`);
      expect(response.status).to.equal(200);
      expect(paymentOf(response)?.receipt?.reference).to.equal(till.settled[0]);
    });
    expect(gained).to.deep.equal([-1_500n, 1_500n]);
    await world.checkConservation();
    expect(progress.map(({ step }) => step)).to.deep.equal(["building", "signing", "signed", "paying", "paid"]);
    expect(presented().message.staticAccountKeys[0]?.equals(buyer)).to.equal(true);
  });

  it("with a server that pays the fee is signed by the agent alone, and costs it no SOL", async () => {
    const poor = world.tokenHolder(10_000n);
    till.route = till.sells(till.usdc(2_000n, till.sponsored));
    const response = await agent({ signer: poor }).fetch(till.url);
    expect(response.status).to.equal(200);
    expect(await world.lamports(poor.publicKey)).to.equal(0n);
    expect(await world.tokens(poor.publicKey)).to.equal(8_000n);
    await world.checkConservation();
    const { message, signatures } = presented();
    expect(message.staticAccountKeys[0]?.equals(world.sponsor.publicKey)).to.equal(true);
    expect(signatures[0]).to.deep.equal(new Uint8Array(64));
    const reference = paymentOf(response)?.receipt?.reference;
    expect(reference).to.equal(till.settled[0]);
  });

  it("asks a server that pays the fee for at most 2,000 lamports of priority, whatever price is set", async () => {
    till.route = till.sells(till.usdc(1n, till.sponsored));
    await agent({ computeUnitPrice: 1_000_000n }).fetch(till.url);
    expect(Number(priorityFee(presented()))).to.be.within(1_000, 2_000);
    till.route = till.sells(till.usdc(1n));
    await agent({ computeUnitPrice: 1_000_000n, charge: { computeUnitLimit: 77_000 } }).fetch(till.url);
    expect(priorityFee(presented())).to.equal(77_000n);
  });

  it("in SOL moves lamports", async () => {
    till.route = till.sells(till.sol(SOL));
    const before = await world.lamports(world.seller.publicKey);
    const mine = await world.lamports(world.buyer.publicKey);
    await agent().fetch(till.url);
    expect((await world.lamports(world.seller.publicKey)) - before).to.equal(SOL);
    const paid = mine - (await world.lamports(world.buyer.publicKey)) - SOL;
    expect(paid).to.equal(5_000n + priorityFee(presented()));
  });

  it("in SOL with a server that pays the fee takes the amount and no more", async () => {
    till.route = till.sells(till.sol(SOL, till.sponsored));
    const mine = await world.lamports(world.buyer.publicKey);
    await agent().fetch(till.url);
    expect(mine - (await world.lamports(world.buyer.publicKey))).to.equal(SOL);
  });

  for (const named of [true, false]) {
    it(`in Token-2022 finds the program ${named ? "in the challenge" : "by the mint's owner"}`, async () => {
      const asset = await world.token2022(5_000n, 3);
      const { tokenProgram: _, ...details } = till.usdc(700n, {
        currency: asset.mint.toBase58(),
        decimals: 3,
        tokenProgram: asset.program.toBase58(),
      }).methodDetails as { tokenProgram?: string };
      const request = till.usdc(700n, {
        currency: asset.mint.toBase58(),
        decimals: 3,
        tokenProgram: asset.program.toBase58(),
      });
      till.route = till.sells(named ? request : { ...request, methodDetails: details });
      const payer = agent({ budget: { [asset.mint.toBase58()]: {} } });
      const gained = await gains(
        [world.buyer.publicKey, world.seller.publicKey],
        async () => expect((await payer.fetch(till.url)).status).to.equal(200),
        asset,
      );
      expect(gained).to.deep.equal([-700n, 700n]);
    });
  }

  it("with splits is one transfer a leg, equal ones too, and the memos are in it", async () => {
    const [a, b] = [Keypair.generate().publicKey, Keypair.generate().publicKey];
    for (const owner of [a, b]) world.fund(owner, 0n);
    const splits = [
      { recipient: a.toBase58(), amount: 10n, memo: "platform fee" },
      { recipient: a.toBase58(), amount: 10n },
      { recipient: b.toBase58(), amount: 30n, memo: "Überweisung" },
    ];
    till.route = till.sells(till.usdc(1_000n, { splits, externalId: "order 17" }));
    const gained = await gains([world.buyer.publicKey, world.seller.publicKey, a, b], () => agent().fetch(till.url));
    expect(gained).to.deep.equal([-1_000n, 950n, 20n, 30n]);
    await world.checkConservation();
    expect(memos(presented())).to.deep.equal(["order 17", "platform fee", "Überweisung"]);
  });

  it("in SOL with splits pays every leg", async () => {
    const [a, b] = [Keypair.generate().publicKey, Keypair.generate().publicKey];
    const splits = [a, b].map((owner, i) => ({ recipient: owner.toBase58(), amount: 1_000_000n + BigInt(i) }));
    till.route = till.sells(till.sol(SOL, { splits }));
    await agent().fetch(till.url);
    expect(await world.lamports(a)).to.equal(1_000_000n);
    expect(await world.lamports(b)).to.equal(1_000_001n);
  });

  for (const feePayer of [true, false]) {
    it(`creates the accounts that the challenge marks, paid by ${feePayer ? "the server" : "the agent"}, once each`, async () => {
      const fresh = Array.from({ length: 2 }, () => Keypair.generate().publicKey);
      const splits = [fresh[0]!, fresh[1]!, fresh[0]!].map((owner) => ({
        recipient: owner.toBase58(),
        amount: 5n,
        ataCreationRequired: true,
      }));
      till.route = till.sells(till.usdc(100n, { splits, ...(feePayer ? till.sponsored : {}) }));
      const payer = feePayer ? world.sponsor : world.buyer;
      const before = await world.lamports(payer.publicKey);
      const buying = agent();
      await buying.fetch(till.url);
      expect(await Promise.all(fresh.map((owner) => world.tokens(owner)))).to.deep.equal([10n, 5n]);
      const rent = BigInt(await world.connection.getMinimumBalanceForRentExemption(165));
      const cost = before - (await world.lamports(payer.publicKey));
      expect(cost >= 2n * rent && cost < 2n * rent + 50_000n).to.equal(true);
      await world.checkConservation(...fresh);
      expect((await buying.spending("fees")).spent).to.equal(feePayer ? 0n : cost);
    });
  }

  it("with eight splits, their accounts and a short memo each fits a transaction", async () => {
    const owners = Array.from({ length: 8 }, () => Keypair.generate().publicKey);
    const splits = owners.map((owner) => ({ recipient: owner.toBase58(), amount: 5n, ataCreationRequired: true }));
    till.route = till.sells(till.usdc(100n, { splits, ...till.sponsored }));
    await agent().fetch(till.url);
    expect(await Promise.all(owners.map((owner) => world.tokens(owner)))).to.deep.equal(owners.map(() => 5n));
    expect(presented().serialize().length).to.be.at.most(MAX_TRANSACTION_SIZE);
    await world.checkConservation(...owners);
  });

  it("that would not fit a transaction is refused before anything is signed", async () => {
    const splits = [{ recipient: Keypair.generate().publicKey.toBase58(), amount: 5n, memo: "x".repeat(566) }];
    till.route = till.sells(till.sol(SOL, { splits, externalId: "y".repeat(566) }));
    await rejected(agent().fetch(till.url), "challenge-refused:too-large");
    expect(till.paidHits).to.have.length(0);
    expect((await agent().spending("sol")).spent).to.equal(0n);
  });

  it("names the blockhash of the challenge while it is good, and a new one once it is not", async () => {
    const { blockhash } = await world.connection.getLatestBlockhash();
    till.route = till.sells(till.usdc(1n, { recentBlockhash: blockhash }));
    await agent().fetch(till.url);
    expect(presented().message.recentBlockhash).to.equal(blockhash);
    world.expireBlockhashes();
    expect((await agent().fetch(till.url)).status).to.equal(200);
    expect(presented().message.recentBlockhash).not.to.equal(blockhash);
  });

  it("never names a blockhash that its own cluster does not know: the transaction would be good on another", async () => {
    const foreign = Keypair.generate().publicKey.toBase58();
    till.route = till.sells(till.usdc(1n, { recentBlockhash: foreign }));
    expect((await agent().fetch(till.url)).status).to.equal(200);
    expect(presented().message.recentBlockhash).not.to.equal(foreign);
  });

  it("by push is confirmed before its signature is shown", async () => {
    till.route = async (hit) => {
      if (hit.credential !== undefined) {
        const { signature } = ChargePayload.fromJson(hit.credential.payload) as ChargePayload.Signature;
        const { value } = await world.connection.getSignatureStatuses([signature]);
        expect(value[0]).to.include({ err: null });
      }
      return till.sells(till.usdc(500n))(hit);
    };
    const gained = await gains([world.buyer.publicKey, world.seller.publicKey], () =>
      agent({ charge: { mode: "push" } }).fetch(till.url),
    );
    expect(gained).to.deep.equal([-500n, 500n]);
    expect(till.settled).to.have.length(1);
    await world.checkConservation();
  });

  it("by push is pull where the server pays the fee", async () => {
    till.route = till.sells(till.usdc(500n, till.sponsored));
    await agent({ charge: { mode: "push" } }).fetch(till.url);
    expect(till.paidHits[0]!.credential!.payload.type).to.equal("transaction");
  });

  it("by push whose challenge the server has forgotten shows the same payment under the fresh one", async () => {
    let forgotten = false;
    const sells = till.sells(till.usdc(500n));
    till.route = (hit) => {
      if (hit.credential === undefined || forgotten) return sells(hit);
      forgotten = true;
      return till.ask([till.challenge(till.usdc(500n), hit)], "challenge-unknown");
    };
    const gained = await gains([world.buyer.publicKey], () => agent({ charge: { mode: "push" } }).fetch(till.url));
    expect(gained).to.deep.equal([-500n]);
    const [first, second] = till.paidHits.map(({ credential }) => credential!);
    expect(second!.payload).to.deep.equal(first!.payload);
    expect(second!.challenge.id).not.to.equal(first!.challenge.id);
  });

  describe("is refused, with nothing signed and nothing counted,", () => {
    async function refused(request: ReturnType<Till["usdc"]>, code: string, more: Partial<AgentOptions> = {}) {
      till.route = till.sells(request);
      const payer = agent(more);
      const error = await rejected(payer.fetch(till.url), code);
      expect(till.paidHits).to.have.length(0);
      expect(progress.some(({ step }) => step === "signing")).to.equal(false);
      for (const asset of ["sol", "fees", world.usdc.mint.toBase58()]) {
        expect(await payer.spending(asset)).to.deep.equal({ spent: 0n, spentToday: 0n, open: 0n, locked: 0n });
      }
      return error;
    }

    it("when the wallet lacks the tokens", async () => {
      const poor = world.tokenHolder(99n);
      const error = await refused(till.usdc(100n, till.sponsored), "insufficient-funds", { signer: poor });
      expect(error).to.include({ asset: world.usdc.mint.toBase58(), needed: 100n, available: 99n });
    });

    it("when the wallet has no account for the token", async () => {
      const stranger = Keypair.generate();
      await refused(till.usdc(100n, till.sponsored), "insufficient-funds", { signer: stranger });
    });

    it("when the wallet lacks the SOL", async () => {
      const error = await refused(till.sol(1_000n * SOL), "insufficient-funds", {
        budget: { sol: {}, fees: { perRequest: SOL } },
      });
      expect(error).to.include({ asset: "sol" });
    });

    it("when the wallet lacks the SOL for the fee", async () => {
      const error = await refused(till.usdc(100n), "insufficient-funds", { signer: world.tokenHolder(1_000n) });
      expect(error).to.include({ asset: "sol", available: 0n });
    });

    it("when it would leave the wallet with less than its rent", async () => {
      const poor = Keypair.generate();
      world.net.airdrop(poor.publicKey.toBase58(), 1_000_000n);
      await refused(till.sol(900_000n, till.sponsored), "insufficient-funds", { signer: poor });
    });

    it("when the recipient has no account for the token", async () => {
      const recipient = Keypair.generate().publicKey.toBase58();
      await refused(till.usdc(100n, { recipient }), "challenge-refused:recipient-account");
    });

    it("when a split's recipient has none and the challenge does not have it created", async () => {
      const splits = [{ recipient: Keypair.generate().publicKey.toBase58(), amount: 1n }];
      await refused(till.usdc(100n, { splits }), "challenge-refused:recipient-account");
    });

    it("when SOL goes to an account that would be below its rent", async () => {
      const recipient = Keypair.generate().publicKey.toBase58();
      await refused(till.sol(100n, { recipient }), "challenge-refused:recipient-account");
    });

    it("when the mint has other decimals", async () => {
      await refused(till.usdc(100n, { decimals: 2 }), "challenge-refused:decimals");
    });

    it("when the mint is of the other token program", async () => {
      const tokenProgram = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb";
      await refused(till.usdc(100n, { tokenProgram }), "challenge-refused:token-program");
    });

    it("when the mint is none, with no guess at its program", async () => {
      const currency = Keypair.generate().publicKey.toBase58();
      const { tokenProgram: _, ...rest } = till.usdc(100n, { currency }).methodDetails as { tokenProgram?: string };
      const request = { ...till.usdc(100n, { currency }), methodDetails: rest };
      await refused(request, "challenge-refused:token-program", { budget: { [currency]: {} } });
    });

    it("when the server gives the agent's own key as the one that pays the fee", async () => {
      const feePayerKey = world.buyer.publicKey.toBase58();
      await refused(till.usdc(100n, { feePayer: true, feePayerKey }), "challenge-refused:fee-payer");
    });

    it("when the agent would pay itself", async () => {
      await refused(till.usdc(100n, { recipient: world.buyer.publicKey.toBase58() }), "challenge-refused:recipient");
    });

    it("when it is to be confidential", async () => {
      const request = till.usdc(100n, {
        tokenProgram: "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb",
        confidential: true,
      });
      await refused(request, "challenge-refused:confidential");
    });

    it("when its splits leave nothing to the recipient", async () => {
      const sound = till.usdc(100n, { splits: [{ recipient: world.sponsor.publicKey.toBase58(), amount: 99n }] });
      const details = sound.methodDetails as { splits: { recipient: string }[] };
      const splits = [{ ...details.splits[0], amount: "100" }];
      await refused({ ...sound, methodDetails: { ...details, splits } }, "challenge-refused:malformed");
    });

    it("when the rent of an account that is there would be too much: it could be closed before the payment lands", async () => {
      const splits = [{ recipient: world.seller.publicKey.toBase58(), amount: 1n, ataCreationRequired: true }];
      await refused(till.usdc(100n, { splits }), "budget-exceeded", {
        budget: { usdc: {}, fees: { perRequest: 1_000_000n } },
      });
    });

    it("when the rent of accounts that it creates is more than fees may be", async () => {
      const splits = [{ recipient: Keypair.generate().publicKey.toBase58(), amount: 1n, ataCreationRequired: true }];
      const error = await refused(till.usdc(100n, { splits }), "budget-exceeded", {
        budget: { [world.usdc.mint.toBase58()]: {}, fees: { perRequest: 1_000_000n } },
      });
      expect(error).to.include({ asset: "fees", limit: "request" });
    });
  });

  function memos({ message }: VersionedTransaction): string[] {
    return message.compiledInstructions
      .filter(({ programIdIndex }) => message.staticAccountKeys[programIdIndex]?.toBase58() === MEMO)
      .map(({ data }) => Buffer.from(data).toString());
  }

  function priorityFee({ message }: VersionedTransaction): bigint {
    const settings = message.compiledInstructions
      .filter(({ programIdIndex }) => message.staticAccountKeys[programIdIndex]?.equals(ComputeBudgetProgram.programId))
      .map(({ data }) => Buffer.from(data));
    const limit = settings.find((data) => data[0] === 2)!.readUInt32LE(1);
    const price = settings.find((data) => data[0] === 3)?.readBigUInt64LE(1) ?? 0n;
    return (price * BigInt(limit) + 999_999n) / 1_000_000n;
  }
});
