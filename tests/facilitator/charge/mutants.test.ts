// Valid payments, changed at random in every way a client can: none that costs the sponsor more than its cap, or pays the
// seller less, is ever signed. The trial run is switched off, so that the policy stands alone; whatever was signed is put
// on the chain, and the chain says what it did. MPPSOL_MUTANTS sets how many (default 300).
import { setTimeout as sleep } from "node:timers/promises";
import type { ChargeRequest } from "@mppsol/core";
import { RefusedError } from "@mppsol/core";
import type { RunningChargeEngine } from "@mppsol/facilitator";
import { approve, readTransaction } from "@mppsol/server/parts";
import { AddressLookupTableProgram, Keypair, PublicKey, VersionedTransaction } from "@solana/web3.js";
import { AssertionError, expect } from "chai";
import fc from "fast-check";
import { instructionsFor } from "../../server/charge/shop.ts";
import { ata, Market, USDC } from "./market.ts";
import { type Cast, type Mutation, mutant, mutations } from "./mutations.ts";

const RUNS = Number(process.env.MPPSOL_MUTANTS ?? 300);
const PRICE = 1_000_000n;
const MAX_PRIORITY = 2_000n;
const SIGNATURES = 10_000n;

/** What is asked for. */
const plan = fc.record({ splits: fc.nat({ max: 2 }), marked: fc.boolean(), externalId: fc.boolean() });
type Plan = typeof plan extends fc.Arbitrary<infer T> ? T : never;

/** What comes of handing a transaction in. */
interface Outcome {
  readonly signed: Uint8Array | undefined;
  /** What the payer was told. */
  readonly said: string;
}

/** Looks at a transaction; `undefined`: it signs nothing of the kind, and the chain need not be asked. */
type Signer = (request: ChargeRequest.ChargeRequest, wire: Uint8Array) => (() => Promise<Outcome>) | undefined;

describe("facilitator, mutants of valid payments", () => {
  let market: Market;
  let cast: Cast;
  let sponsor: Keypair;
  let rent: bigint;
  /** What the sponsor's key has signed. */
  let signatures: Uint8Array[] = [];
  let recent = { hash: "", until: 0 };
  before(async () => {
    market = await Market.start();
    rent = await market.rpc.rentExemption(165);
    market.rpc.fault("simulate", async () => ({ err: null, logs: [], slot: 0n }));
  });
  after(() => market.close());
  // New ones each time: a policy that lacks a rule lets their accounts be ruined.
  beforeEach(renew);

  async function renew(): Promise<void> {
    const [buyer, thief] = [await rich(), await rich()];
    const [seller, partner] = [await market.person(0n, 10n ** 9n), await market.person(0n, 10n ** 9n)];
    sponsor = await market.person(10n ** 9n, 10n ** 13n);
    cast = {
      buyer,
      thief,
      sponsor: sponsor.publicKey,
      seller: seller.publicKey,
      partner: partner.publicKey,
      table: await lookupTable([seller, partner, thief, buyer].map(({ publicKey }) => publicKey)),
    };
  }

  const rich = () => market.person(10n ** 12n, 10n ** 12n);

  function createEngine(): RunningChargeEngine {
    const signer = {
      publicKey: sponsor.publicKey.toBase58(),
      async signTransaction(transaction: VersionedTransaction) {
        transaction.sign([sponsor]);
        signatures.push(transaction.serialize());
        return transaction;
      },
    };
    const { config } = market.context;
    return market.another({
      config: { ...config, feePayers: [signer], settleBudgetMs: 2_000, sponsorAccountsPerDay: 1_000_000 },
    });
  }

  it("pay everybody what is asked for, and cost the sponsor no more than its cap, or are never signed", async function () {
    this.timeout(120_000 + RUNS * 1_000);
    const said = new Map<string, number>();
    const engine = createEngine();
    await fc.assert(property(by(engine), said), { numRuns: RUNS });
    await engine.close();
    const paid = (said.get("confirmed") ?? 0) + (said.get("finalized") ?? 0);
    // Some mutants are harmless, most are not.
    expect(paid, JSON.stringify([...said])).to.be.greaterThan(RUNS / 40);
    expect(RUNS - paid).to.be.greaterThan(RUNS / 4);
  });

  /**
   * Policies that lack one rule: each is found out, or the test above could not fail. By any seed, but what takes thousands
   * of mutants by most is looked for by one that comes to it soon.
   */
  for (const [rule, what, seed] of [
    ["fee-too-high", "a cap", 7],
    ["sponsor-account-used", "the isolation of the sponsor", 169],
    ["transfer-authority", "a look at who authorizes a transfer", 7],
    ["account-creation-unexpected", "a look at whose accounts are created", 7],
    ["instruction-unexpected", "a list of instructions that are allowed", 7],
    ["amount-mismatch", "a look at amounts", 7],
    ["transfer-missing", "a look at what is missing", 7],
  ] as const) {
    it(`would be found out by this if the policy lacked ${what}`, async function () {
      this.timeout(300_000);
      const found = await fc.check(property(breaking(rule), new Map()), {
        numRuns: 6_000,
        seed,
        endOnFailure: false,
      });
      expect(found.failed, "no mutant did harm").to.equal(true);
      expect(found.errorInstance, String(found.errorInstance)).to.be.instanceOf(AssertionError);
      const [, changes] = found.counterexample!;
      expect(changes.length, `shrunk to ${JSON.stringify(changes)}`).to.be.at.most(3);
    });
  }

  /** Signs by the service itself. */
  function by(engine: RunningChargeEngine): Signer {
    return (request, wire) => async () => {
      signatures = [];
      const challengeId = Keypair.generate().publicKey.toBase58();
      const said = await engine.settle({ request, transaction: wire, challengeId, protocol: "mpp" }).then(
        ({ state }) => state as string,
        (error: { code?: string }) => error.code ?? String(error),
      );
      return { signed: signatures[0], said };
    };
  }

  /** Signs what breaks one rule of the policy, and nothing else. */
  function breaking(rule: string): Signer {
    return (request, wire) => {
      if (refusal(request, wire) !== rule) return undefined;
      const transaction = VersionedTransaction.deserialize(wire);
      transaction.sign([sponsor]);
      return async () => ({ signed: transaction.serialize(), said: rule });
    };
  }

  function refusal(request: ChargeRequest.ChargeRequest, wire: Uint8Array): string | undefined {
    const address = sponsor.publicKey.toBase58();
    try {
      approve(readTransaction(wire), {
        request,
        token: { program: request.tokenProgram!, decimals: 6 },
        requireMemo: false,
        sponsor: { address, maxPriorityLamports: MAX_PRIORITY, maxLamports: undefined, rentPerAccount: rent },
      });
      return undefined;
    } catch (error) {
      return error instanceof RefusedError ? error.code : String(error);
    }
  }

  function property(signer: Signer, said: Map<string, number>) {
    return fc.asyncProperty(plan, mutations, async (asked, changes: Mutation[]) => {
      // One whose payments fail on chain is sponsored no more: the next mutant comes from somebody else.
      if (said.has("transaction_failed") || said.has("sent")) cast = { ...cast, buyer: await rich() };
      try {
        await handIn(signer, said, asked, changes);
      } catch (error) {
        // What was ruined must not stand in the way of shrinking.
        await renew();
        throw error;
      }
    });
  }

  async function handIn(signer: Signer, said: Map<string, number>, asked: Plan, changes: Mutation[]): Promise<void> {
    const owner = asked.marked ? Keypair.generate().publicKey : cast.partner;
    const request = requestOf(asked, owner);
    const wire = await mutant(instructionsFor(request, cast.buyer.publicKey), await blockhash(), changes, cast);
    const act = wire && signer(request, wire);
    if (act === undefined) return;
    const before = await books(owner);
    const { signed, said: answer } = await act();
    said.set(answer, (said.get(answer) ?? 0) + 1);
    const landed = signed === undefined ? undefined : await land(signed);
    if (signed === undefined && answer !== "confirmed" && answer !== "finalized") return;
    const after = await books(owner);
    const shares = request.splits.reduce((sum, { amount }) => sum + amount, 0n);
    if (landed === true || answer === "confirmed" || answer === "finalized") {
      expect(after.seller - before.seller >= PRICE - shares, "the seller has its share").to.equal(true);
      expect(after.owner - before.owner >= shares, "the splits have theirs").to.equal(true);
    }
    const creations = asked.marked && asked.splits > 0 ? 1n : 0n;
    const cap = SIGNATURES + MAX_PRIORITY + creations * rent;
    const spent = before.lamports - after.lamports;
    expect(spent <= cap, `the sponsor paid ${spent}, its cap is ${cap}`).to.equal(true);
    expect(after.sponsor, "the sponsor's own accounts are as they were").to.deep.equal(before.sponsor);
  }

  /** A recent one, asked for once in a while. */
  async function blockhash(): Promise<string> {
    if (performance.now() >= recent.until) {
      const { blockhash: hash } = await market.running.connection.getLatestBlockhash("confirmed");
      recent = { hash, until: performance.now() + 1_000 };
    }
    return recent.hash;
  }

  function requestOf({ splits, marked, externalId }: Plan, owner: PublicKey): ChargeRequest.ChargeRequest {
    return {
      amount: PRICE,
      currency: USDC.toBase58(),
      recipient: cast.seller.toBase58(),
      network: "localnet",
      decimals: 6,
      tokenProgram: "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
      feePayer: true,
      feePayerKey: sponsor.publicKey.toBase58(),
      ...(externalId ? { externalId: "order-1" } : {}),
      splits: Array.from({ length: splits }, (_, at) => ({
        recipient: owner.toBase58(),
        amount: BigInt(1_000 * (at + 1)),
        ...(marked ? { ataCreationRequired: true } : {}),
      })),
    };
  }

  async function books(owner: PublicKey) {
    const { connection } = market.running;
    const keys = [sponsor.publicKey, ata(sponsor.publicKey)];
    const [account, tokens] = await connection.getMultipleAccountsInfo(keys, "confirmed");
    return {
      seller: await market.tokens(cast.seller),
      owner: await market.tokens(owner),
      lamports: BigInt(account?.lamports ?? 0),
      // Everything but the lamports of the first: owner and data, tokens, delegates, authorities.
      sponsor: [
        account?.owner.toBase58(),
        account?.data.length,
        tokens?.owner.toBase58(),
        tokens?.lamports,
        tokens?.data.toString("hex"),
      ],
    };
  }

  /** Puts signed bytes on the chain, whatever they do. True: they succeeded. `undefined`: the chain did not take them. */
  async function land(signed: Uint8Array): Promise<boolean | undefined> {
    const { connection } = market.running;
    try {
      const signature = await connection.sendRawTransaction(signed, { skipPreflight: true });
      const { value } = await connection.getSignatureStatuses([signature]);
      return value[0] === null || value[0] === undefined ? undefined : value[0].err === null;
    } catch {
      return undefined;
    }
  }

  async function lookupTable(owners: readonly PublicKey[]) {
    const { connection, net } = market.running;
    const authority = new PublicKey(net.payer.publicKey);
    const recentSlot = (await connection.getSlot("finalized")) - 1;
    const [create, key] = AddressLookupTableProgram.createLookupTable({ authority, payer: authority, recentSlot });
    const addresses = [...owners, ...owners.map((owner) => ata(owner)), USDC];
    const extend = AddressLookupTableProgram.extendLookupTable({
      lookupTable: key,
      authority,
      payer: authority,
      addresses,
    });
    await market.run([create]);
    await market.run([extend]);
    net.warpSlots(2);
    await sleep(1);
    const { value } = await connection.getAddressLookupTable(key);
    if (value === null) throw new Error("there is no lookup table");
    return value;
  }
});
