// Push mode on a chain: the payer has sent the transaction itself.
import { Keypair, SystemProgram } from "@solana/web3.js";
import { expect } from "chai";
import { down, first } from "../chain/faults.ts";
import {
  ANSWER,
  type Change,
  createAccount,
  type Issued,
  issued as issuedFor,
  memo,
  pull,
  push,
  request,
  Shop,
  type ShopOptions,
  signatureOf,
  signed,
  Town,
  transfer,
  USDC,
} from "./shop.ts";

describe("charge, push mode", () => {
  let town: Town;
  let payer: Keypair;
  before(async () => {
    town = await Town.start();
    payer = town.person({ lamports: 100_000_000_000n, usdc: 1_000_000_000n });
  });
  after(() => town.close());
  afterEach(() => town.rpc.heal());

  async function shopOf(options: ShopOptions = {}): Promise<Shop> {
    const shop = new Shop(town, options);
    if (options.currency !== undefined) await town.openAccount(shop.recipient);
    return shop;
  }

  /** Sends a payment as a customer does, and returns its signature. */
  async function sent({ request }: Pick<Issued, "request">, change: Change = {}): Promise<string> {
    return town.land(await signed(town, request, payer, change));
  }

  for (const [name, options] of [
    ["SOL", {}],
    ["tokens", { currency: USDC.toBase58() }],
  ] as const) {
    it(`a payment in ${name} that is on chain, is granted once`, async () => {
      const shop = await shopOf(options);
      const issued = await shop.challenge();
      const signature = await sent(issued);
      const context = request({ idempotencyKey: "k" });
      const grant = await shop.sell(push(issued.challenge, signature), context);
      expect(grant.receipt.reference).to.equal(signature);
      expect(grant.payment.payer).to.equal(payer.publicKey.toBase58());
      await grant.finish(ANSWER);
      expect(await shop.refusal(push(issued.challenge, signature), context)).to.equal("replay");
      expect(await shop.refusal(push(issued.challenge, signature))).to.equal("challenge-used");
      const other = await shop.challenge();
      expect(await shop.refusal(push(other.challenge, signature))).to.equal("signature-consumed");
      expect(town.rpc.calls("send"), "the server sends nothing").to.equal(0);
    });

    it(`a payment of a base unit less in ${name}, is refused`, async () => {
      const shop = await shopOf(options);
      const issued = await shop.challenge();
      const { request } = issued;
      const less = () => [transfer(request, payer.publicKey, request.recipient, request.amount - 1n)];
      const signature = await sent(issued, { instructions: less });
      expect(await shop.refusal(push(issued.challenge, signature))).to.equal("payment-not-received");
    });

    it(`a payment in ${name} to somebody else, is refused`, async () => {
      const shop = await shopOf(options);
      const other = await shopOf(options);
      const signature = await sent(await other.challenge());
      const { challenge } = await shop.challenge();
      expect(await shop.refusal(push(challenge, signature))).to.equal("payment-not-received");
    });

    it(`the price in ${name} in parts is not the price, even beside a transfer of the price to somebody else`, async () => {
      const shop = await shopOf(options);
      const other = await shopOf(options);
      const issued = await shop.challenge();
      const { request } = issued;
      const pay = (to: string, amount: bigint) => transfer(request, payer.publicKey, to, amount);
      const parts = [pay(request.recipient, 600_000n), pay(request.recipient, 400_000n)];
      const elsewhere = pay(other.recipient.toBase58(), request.amount);
      const signature = await sent(issued, { instructions: () => [...parts, elsewhere] });
      expect(await shop.refusal(push(issued.challenge, signature))).to.equal("payment-not-received");
    });

    it(`splits in ${name}: one transfer does not pay two of them, whatever else arrives there`, async () => {
      const partner = town.person().publicKey;
      await town.openAccount(partner);
      const splits = [1_000n, 1_000n].map((amount) => ({ recipient: partner.toBase58(), amount }));
      const shop = await shopOf({ ...options, splits });
      const issued = await shop.challenge();
      const part = (amount: bigint) => transfer(issued.request, payer.publicKey, partner.toBase58(), amount);
      const parts = await sent(issued, { instructions: (honest) => [...honest.slice(0, -1), part(600n), part(400n)] });
      expect(await shop.refusal(push(issued.challenge, parts))).to.equal("payment-not-received");
    });

    it(`splits in ${name}: one transfer does not pay two of them`, async () => {
      const partner = town.person().publicKey;
      await town.openAccount(partner);
      const splits = [1_000n, 1_000n].map((amount) => ({ recipient: partner.toBase58(), amount }));
      const shop = await shopOf({ ...options, splits });
      const issued = await shop.challenge();
      const once = await sent(issued, { instructions: (honest) => honest.slice(0, -1) });
      expect(await shop.refusal(push(issued.challenge, once))).to.equal("payment-not-received");
      const whole = await sent(issued);
      expect(await shop.refusal(push(issued.challenge, whole))).to.equal("grant");
    });
  }

  it("a split whose account the payer created, is granted", async () => {
    const fresh = Keypair.generate().publicKey.toBase58();
    const shop = await shopOf({ currency: USDC.toBase58(), splits: [{ recipient: fresh, amount: 1_000n }] });
    const issued = await shop.challenge();
    const signature = await sent(issued, {
      instructions: (honest) => [createAccount(issued.request, payer.publicKey, fresh), ...honest],
    });
    expect(await shop.refusal(push(issued.challenge, signature))).to.equal("grant");
  });

  it("money that leaves the seller again in the same transaction, is not received", async () => {
    const seller = town.person();
    const shop = await shopOf({ recipient: seller.publicKey });
    const issued = await shop.challenge();
    const back = SystemProgram.transfer({ fromPubkey: seller.publicKey, toPubkey: payer.publicKey, lamports: 1 });
    const signature = await sent(issued, { instructions: (honest) => [...honest, back], signers: [seller] });
    expect(await shop.refusal(push(issued.challenge, signature))).to.equal("payment-not-received");
  });

  it("a seller that pays itself, is refused", async () => {
    for (const options of [{}, { currency: USDC.toBase58() }]) {
      const shop = await shopOf({ ...options, recipient: payer.publicKey });
      const issued = await shop.challenge();
      expect(await shop.refusal(push(issued.challenge, await sent(issued)))).to.equal("payment-not-received");
    }
  });

  it("a split that pays the payer back, takes nothing from the seller and is granted", async () => {
    for (const options of [{}, { currency: USDC.toBase58() }]) {
      const splits = [{ recipient: payer.publicKey.toBase58(), amount: 100n }];
      const shop = await shopOf({ ...options, splits });
      const issued = await shop.challenge();
      expect(await shop.refusal(push(issued.challenge, await sent(issued)))).to.equal("grant");
      const pulled = await shop.challenge();
      const transaction = await signed(town, pulled.request, payer);
      expect(await shop.refusal(pull(pulled.challenge, transaction))).to.equal("grant");
    }
  });

  it("a transaction that failed on chain, is refused", async () => {
    const shop = await shopOf({ price: 500_000_000_000n });
    const issued = await shop.challenge();
    const transaction = await signed(town, issued.request, payer);
    await town.connection.sendRawTransaction(transaction.serialize(), { skipPreflight: true });
    expect(await shop.refusal(push(issued.challenge, signatureOf(transaction)))).to.equal("transaction-failed");
  });

  it("a signature that nobody has heard of, is refused; the same one is taken once it is there", async () => {
    const shop = await shopOf();
    const issued = await shop.challenge();
    const transaction = await signed(town, issued.request, payer);
    const credential = push(issued.challenge, signatureOf(transaction));
    expect(await shop.refusal(credential)).to.equal("transaction-not-found");
    await town.land(transaction);
    expect(await shop.refusal(credential)).to.equal("grant");
  });

  it("a transaction that a node has a status of but not yet at hand, is pending", async () => {
    const shop = await shopOf();
    const issued = await shop.challenge();
    const signature = await sent(issued);
    town.rpc.fault("transaction", async () => undefined);
    expect(await shop.refusal(push(issued.challenge, signature))).to.equal("pending");
    town.rpc.heal();
    expect(await shop.refusal(push(issued.challenge, signature))).to.equal("grant");
  });

  it("a transaction that arrives late at the node, is waited for", async () => {
    const shop = await shopOf();
    const issued = await shop.challenge();
    const signature = await sent(issued);
    town.rpc.fault(
      "transaction",
      first(2, async () => undefined),
    );
    expect(await shop.refusal(push(issued.challenge, signature))).to.equal("grant");
  });

  it("while no node answers, a payment is neither taken nor refused", async () => {
    const shop = await shopOf();
    const issued = await shop.challenge();
    const signature = await sent(issued);
    town.rpc.fault("transaction", down());
    expect(await shop.refusal(push(issued.challenge, signature))).to.equal("unavailable");
    town.rpc.heal();
    expect(await shop.refusal(push(issued.challenge, signature))).to.equal("grant");
  });

  it("a sponsored challenge takes no signature", async () => {
    const shop = await shopOf({ sponsor: town.person() });
    const issued = await shop.challenge();
    expect(await shop.refusal(push(issued.challenge, "1".repeat(64)))).to.equal("push-sponsored");
  });

  it("a confidential bundle is refused by name", async () => {
    const shop = await shopOf();
    const { challenge } = await shop.challenge();
    const credential = { challenge, payload: { type: "bundle", transactions: ["AQID"] } };
    expect(await shop.refusal(credential)).to.equal("bundle-unsupported");
  });

  it("a challenge of a confidential transfer, which no route of ours makes, is refused by name", async () => {
    const shop = await shopOf();
    const { mint, program } = await town.mint2022([]);
    const { challenge } = issuedFor({
      amount: "1000",
      currency: mint.toBase58(),
      recipient: shop.recipient.toBase58(),
      methodDetails: { network: "localnet", decimals: 6, tokenProgram: program.toBase58(), confidential: true },
    });
    const honest = await shop.challenge();
    const transaction = await signed(town, honest.request, payer);
    town.rpc.forget();
    for (const credential of [pull(challenge, transaction), push(challenge, signatureOf(transaction))]) {
      expect(await codeOf(shop.intent.redeem(credential, request()))).to.equal("bundle-unsupported");
    }
    expect(town.rpc.calls()).to.equal(0);
  });

  it("a payload that is none, is refused as malformed", async () => {
    const shop = await shopOf();
    const { challenge } = await shop.challenge();
    for (const payload of [{}, { type: "cash" }, { type: "signature", signature: "0OIl" }, { type: "transaction" }]) {
      expect(await shop.refusal({ challenge, payload })).to.equal("malformed-credential");
    }
  });

  it("a payment that is older than a challenge can be, is refused", async () => {
    const shop = await shopOf({ settlement: { now: () => Date.now() + 700_000 } });
    const issued = await shop.challenge();
    expect(await shop.refusal(push(issued.challenge, await sent(issued)))).to.equal("transaction-too-old");
  });

  it("a payment that was made in time, is served once however late it is shown", async () => {
    let time = Date.now();
    const now = () => time;
    const shop = await shopOf({ now, settlement: { now } });
    const issued = await shop.challenge();
    const credential = push(issued.challenge, await sent(issued));
    time += 301_000;
    const redemption = await shop.present(credential, request(), time);
    if (redemption.kind !== "grant") throw new Error(redemption.kind);
    await redemption.finish(ANSWER);
    expect(await codeOf(shop.present(credential, request(), time))).to.equal("challenge-used");
    expect(await town.lamports(shop.recipient)).to.equal(1_000_000n);
  });

  it("a payment that was made after its challenge had expired, is refused, by a clock half a minute slow", async () => {
    const shop = await shopOf();
    const offered = async (ttlMs: number) => issuedFor((await shop.intent.offer(request())).request, undefined, ttlMs);
    const [late, just] = [await offered(-60_000), await offered(-5_000)];
    expect(await shop.refusal(push(late.challenge, await sent(late)))).to.equal("challenge-expired");
    expect(await shop.refusal(push(just.challenge, await sent(just)))).to.equal("grant");
  });

  for (const price of [1_000_001n, 999_999n]) {
    it(`a payment that was made before the price became ${price}, is served once, for what was asked`, async () => {
      let now = 1_000_000n;
      const shop = await shopOf({ price: () => now });
      const issued = await shop.challenge();
      const credential = push(issued.challenge, await sent(issued));
      now = price;
      const grant = await shop.sell(credential);
      expect(grant.payment.amount).to.equal(1_000_000n);
      await grant.finish(ANSWER);
      expect(await shop.refusal(credential)).to.equal("challenge-used");
      expect(await town.lamports(shop.recipient)).to.equal(1_000_000n);
    });
  }

  it("a payment of the new price does not pay a challenge of the old one, nor the other way round", async () => {
    let price = 1_000_000n;
    const shop = await shopOf({ price: () => price });
    const old = await shop.challenge();
    price = 2_000_000n;
    const fresh = await shop.challenge();
    const [cheap, dear] = [await sent(old), await sent(fresh)];
    expect(await shop.refusal(push(fresh.challenge, cheap))).to.equal("payment-not-received");
    expect(await shop.refusal(push(old.challenge, dear))).to.equal("payment-not-received");
  });

  const strange: [string, ShopOptions][] = [
    ["recipient", { recipient: Keypair.generate().publicKey }],
    ["currency", { currency: USDC.toBase58() }],
    ["network", { network: "devnet" }],
    ["splits", { splits: [{ recipient: Keypair.generate().publicKey.toBase58(), amount: 1n }] }],
  ];
  for (const [name, options] of strange) {
    it(`a payment for a route with another ${name}, is refused`, async () => {
      const there = await shopOf();
      const here = new Shop(town, { recipient: there.recipient, ...options }, there.store);
      const issued = await there.challenge();
      const credential = push(issued.challenge, await sent(issued));
      expect(await here.refusal(credential)).to.equal("challenge-mismatch");
      expect(await there.refusal(credential)).to.equal("grant");
    });
  }

  it("a payment whose time no node knows, is refused", async () => {
    const shop = await shopOf();
    const issued = await shop.challenge();
    const signature = await sent(issued);
    for (const blockTime of [null, undefined]) {
      town.rpc.fault("transaction", async (ask) => ({ ...((await ask()) as object), blockTime }));
      expect(await shop.refusal(push(issued.challenge, signature))).to.equal("transaction-too-old");
    }
  });

  it("somebody else's payment of another order, is refused where orders have a reference", async () => {
    let order = 0;
    const shop = await shopOf({ externalId: () => `order-${++order}` });
    const [mine, theirs] = [await shop.challenge(), await shop.challenge()];
    const signature = await sent(theirs);
    expect(await shop.refusal(push(mine.challenge, signature))).to.equal("memo-missing");
    const forged = await sent(mine, {
      instructions: (honest) => [...honest.filter((_, at) => at !== 2), memo("order")],
    });
    expect(await shop.refusal(push(mine.challenge, forged))).to.equal("memo-missing");
    expect(await shop.refusal(push(theirs.challenge, signature))).to.equal("grant");
  });

  it("of many who present one transaction at once, for many challenges, one is granted", async () => {
    const shop = await shopOf();
    const challenges = await Promise.all(Array.from({ length: 20 }, () => shop.challenge()));
    const signature = await sent(challenges[0]!);
    const answers = await Promise.all(challenges.map(({ challenge }) => shop.refusal(push(challenge, signature))));
    expect(answers.filter((answer) => answer === "grant")).to.have.length(1);
    expect(answers.filter((answer) => answer === "signature-consumed")).to.have.length(19);
  });

  it("two payments for one challenge are not both taken", async () => {
    const shop = await shopOf();
    const issued = await shop.challenge();
    const [one, two] = [await sent(issued), await sent(issued)];
    expect(await shop.refusal(push(issued.challenge, one))).to.equal("grant");
    expect(await shop.refusal(push(issued.challenge, two))).to.equal("challenge-used");
  });

  it("a transaction that was pulled cannot be pushed for another challenge, nor the other way round", async () => {
    const shop = await shopOf();
    const pulled = await shop.challenge();
    const transaction = await signed(town, pulled.request, payer);
    await shop.sell(pull(pulled.challenge, transaction));
    const other = await shop.challenge();
    expect(await shop.refusal(push(other.challenge, signatureOf(transaction)))).to.equal("signature-consumed");

    const pushed = await shop.challenge();
    const second = await signed(town, pushed.request, payer);
    await town.land(second);
    await shop.sell(push(pushed.challenge, signatureOf(second)));
    const third = await shop.challenge();
    const before = await town.lamports(shop.recipient);
    expect(await shop.refusal(pull(third.challenge, second))).to.equal("simulation-failed");
    expect(await town.lamports(shop.recipient)).to.equal(before);
  });

  it("a transaction that somebody else pushes while it is pulled, is delivered for one of the two challenges", async () => {
    const shop = await shopOf();
    const [victim, thief] = [await shop.challenge(), await shop.challenge()];
    const transaction = await signed(town, victim.request, payer);
    await town.land(transaction);
    // The thief is first: what the payer had sent for everybody to see.
    expect(await shop.refusal(push(thief.challenge, signatureOf(transaction)))).to.equal("grant");
    // The chain would still take these bytes: an old answer of a node.
    town.rpc.fault("simulate", async () => ({ err: null, logs: [], slot: 0n }));
    expect(await shop.refusal(pull(victim.challenge, transaction))).to.equal("signature-consumed");
  });

  it("a pulled payment may be asked for by its signature too, for the same challenge", async () => {
    const shop = await shopOf();
    const issued = await shop.challenge();
    const transaction = await signed(town, issued.request, payer);
    const grant = await shop.sell(pull(issued.challenge, transaction));
    await grant.fail();
    expect(await shop.refusal(push(issued.challenge, signatureOf(transaction)))).to.equal("grant");
    expect(await town.lamports(shop.recipient)).to.equal(1_000_000n);
  });
});

async function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  const error = await work.then(
    () => undefined,
    (reason: { code?: string }) => reason,
  );
  return error?.code;
}
