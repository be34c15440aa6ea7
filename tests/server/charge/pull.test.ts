// Pull mode on a chain: what is paid, by whom, to whom, for what.
import { Challenge } from "@mppsol/core";
import { createInitializeTransferFeeConfigInstruction, ExtensionType, TOKEN_2022_PROGRAM_ID } from "@solana/spl-token";
import { Keypair, type PublicKey, TransactionInstruction } from "@solana/web3.js";
import { expect } from "chai";
import {
  ANSWER,
  type Asset,
  memo,
  paidBy,
  pull,
  request,
  Shop,
  SIGNATURE_FEE,
  SPL,
  signed,
  Town,
  USDC,
} from "./shop.ts";

describe("charge, pull mode", () => {
  let town: Town;
  before(async () => {
    town = await Town.start();
  });
  after(() => town.close());

  it("a payment in SOL is granted: the seller has the price, the payer paid it and the fee, nobody lost anything", async () => {
    const shop = new Shop(town, { price: 2_000_000n });
    const payer = town.person();
    const before = await town.lamports(payer.publicKey);
    const credential = await paidBy(shop, payer);
    const { receipt, payment } = await shop.sell(credential);
    expect(await town.lamports(shop.recipient)).to.equal(2_000_000n);
    // 200 lamports: 200,000 units at 1,000 micro-lamports.
    expect(await town.lamports(payer.publicKey)).to.equal(before - 2_000_000n - SIGNATURE_FEE - 200n);
    expect(receipt).to.include({ status: "success", method: "solana", challengeId: credential.challenge.id });
    expect(receipt.reference).to.equal(payment.reference);
    expect(payment).to.include({ intent: "charge", payer: payer.publicKey.toBase58(), amount: 2_000_000n });
    const landed = await town.rpc.transaction(payment.reference);
    expect(landed?.meta?.err).to.equal(null);
  });

  for (const [name, make] of [
    ["SPL Token", async () => SPL],
    ["Token-2022", (town: Town, payer: PublicKey) => town.mint2022([payer])],
  ] as const) {
    for (const sponsored of [false, true]) {
      it(`a payment in ${name}${sponsored ? ", its fee sponsored," : ""} moves the price and nothing else`, async () => {
        const payer = town.person({ lamports: sponsored ? 0n : 1_000_000_000n, usdc: 50_000_000n });
        const asset: Asset = await make(town, payer.publicKey);
        const sponsor = town.person();
        const shop = new Shop(town, { currency: asset.mint.toBase58(), ...(sponsored ? { sponsor } : {}) });
        await town.openAccount(shop.recipient, asset);
        const had = await town.tokens(payer.publicKey, asset);
        const { challenge, request } = await shop.challenge();
        expect(request.feePayer).to.equal(sponsored);
        expect(request.decimals).to.equal(6);
        expect(request.tokenProgram).to.equal(asset.program.toBase58());
        await shop.sell(pull(challenge, await signed(town, request, payer)));
        expect(await town.tokens(shop.recipient, asset)).to.equal(1_000_000n);
        expect(await town.tokens(payer.publicKey, asset)).to.equal(had - 1_000_000n);
        expect(await town.lamports(sponsor.publicKey)).to.equal(
          1_000_000_000n - (sponsored ? 2n * SIGNATURE_FEE + 200n : 0n),
        );
        if (sponsored) expect(await town.lamports(payer.publicKey)).to.equal(0n);
      });
    }
  }

  it("a payment in SOL can be sponsored, too", async () => {
    const sponsor = town.person();
    const shop = new Shop(town, { sponsor, price: 1_500_000n });
    const payer = town.person();
    await shop.sell(await paidBy(shop, payer));
    expect(await town.lamports(shop.recipient)).to.equal(1_500_000n);
    expect(await town.lamports(payer.publicKey)).to.equal(1_000_000_000n - 1_500_000n);
  });

  it("splits are paid to the base unit, duplicates as transfers of their own, and their memos are carried", async () => {
    const [platform, partner] = [town.person(), town.person()];
    const payer = town.person({ usdc: 5_000_000n });
    const shop = new Shop(town, {
      price: 1_050_000n,
      currency: USDC.toBase58(),
      externalId: () => "order-7",
      splits: [
        { recipient: platform.publicKey.toBase58(), amount: 50_000n, memo: "platform fee" },
        { recipient: partner.publicKey.toBase58(), amount: 100_000n },
        { recipient: partner.publicKey.toBase58(), amount: 100_000n },
      ],
    });
    for (const owner of [shop.recipient, platform.publicKey, partner.publicKey]) await town.openAccount(owner);
    const { payment } = await shop.sell(await paidBy(shop, payer));
    expect(await town.tokens(shop.recipient)).to.equal(800_000n);
    expect(await town.tokens(platform.publicKey)).to.equal(50_000n);
    expect(await town.tokens(partner.publicKey)).to.equal(200_000n);
    expect(await town.tokens(payer.publicKey)).to.equal(5_000_000n - 1_050_000n);
    const landed = await town.rpc.transaction(payment.reference);
    const memos = landed?.transaction.message.instructions.flatMap((one) => ("parsed" in one ? [one.parsed] : []));
    expect(memos).to.include("order-7").and.to.include("platform fee");
  });

  it("splits in SOL are paid to the lamport", async () => {
    const partner = town.person();
    const shop = new Shop(town, {
      price: 3_000_000n,
      splits: [{ recipient: partner.publicKey.toBase58(), amount: 1_000_000n }],
    });
    await shop.sell(await paidBy(shop, town.person()));
    expect(await town.lamports(shop.recipient)).to.equal(2_000_000n);
    expect(await town.lamports(partner.publicKey)).to.equal(1_001_000_000n);
  });

  for (const sponsored of [true, false]) {
    it(`a marked split's token account is created at the ${sponsored ? "sponsor" : "payer"}'s expense`, async () => {
      const sponsor = town.person();
      const fresh = Keypair.generate().publicKey;
      const payer = town.person({ usdc: 5_000_000n });
      const shop = new Shop(town, {
        currency: USDC.toBase58(),
        ...(sponsored ? { sponsor } : {}),
        splits: [{ recipient: fresh.toBase58(), amount: 10_000n, ataCreationRequired: true }],
      });
      await town.openAccount(shop.recipient);
      const rent = await town.rpc.rentExemption(165);
      const funder = sponsored ? sponsor : payer;
      const before = await town.lamports(funder.publicKey);
      await shop.sell(await paidBy(shop, payer));
      expect(await town.tokens(fresh)).to.equal(10_000n);
      const signatures = sponsored ? 2n : 1n;
      expect(await town.lamports(funder.publicKey)).to.equal(before - rent - signatures * SIGNATURE_FEE - 200n);
    });
  }

  it("an unmarked split's token account may be created by a payer who pays its own fee", async () => {
    const fresh = Keypair.generate().publicKey;
    const payer = town.person({ usdc: 5_000_000n });
    const shop = new Shop(town, {
      currency: USDC.toBase58(),
      splits: [{ recipient: fresh.toBase58(), amount: 10_000n }],
    });
    await town.openAccount(shop.recipient);
    const { challenge, request } = await shop.challenge();
    const marked = { ...request, splits: request.splits.map((split) => ({ ...split, ataCreationRequired: true })) };
    const transaction = await signed(town, marked, payer);
    await shop.sell(pull(challenge, transaction));
    expect(await town.tokens(fresh)).to.equal(10_000n);
  });

  it("legacy transactions are taken as v0 ones are", async () => {
    const shop = new Shop(town, { sponsor: town.person() });
    await shop.sell(await paidBy(shop, town.person(), { legacy: true }));
    expect(await town.lamports(shop.recipient)).to.equal(1_000_000n);
  });

  it("what the store keeps of a charge names the transaction that paid it", async () => {
    const sponsor = town.person();
    const shop = new Shop(town, { sponsor });
    const payer = town.person();
    const credential = await paidBy(shop, payer);
    const { payment } = await shop.sell(credential);
    const kept = await shop.store.charges.bySignature(payment.reference);
    expect(kept).to.include({
      challengeId: credential.challenge.id,
      payer: payer.publicKey.toBase58(),
      currency: "sol",
      amount: 1_000_000n,
      sponsored: 10_200n,
    });
    expect(kept?.state).to.be.oneOf(["confirmed", "finalized"]);
  });

  it("a transaction without a compute limit costs what the runtime allows: 200,000 units an instruction", async () => {
    const shop = new Shop(town, { sponsor: town.person() });
    const credential = await paidBy(shop, town.person(), {
      instructions: ([price, , ...rest]) => [price!, ...rest],
    });
    const { payment } = await shop.sell(credential);
    const kept = await shop.store.charges.bySignature(payment.reference);
    // Price and transfer: two instructions.
    expect(kept?.sponsored).to.equal(2n * SIGNATURE_FEE + 400n);
  });

  it("a limit of loaded data and memos of the payer's own are let through", async () => {
    const shop = new Shop(town, { sponsor: town.person() });
    const payer = town.person();
    await shop.sell(
      await paidBy(shop, payer, {
        instructions: (honest) => [
          ...honest,
          memo("thanks", [payer.publicKey]),
          new TransactionInstruction({ ...honest[0]!, data: Buffer.from([4, 0, 0, 1, 0]) }),
        ],
      }),
    );
  });

  it("a retry of the same credential with its key, before delivery, is granted again; nothing is paid twice", async () => {
    const shop = new Shop(town);
    const payer = town.person();
    const context = request({ idempotencyKey: "k-1" });
    const credential = await paidBy(shop, payer);
    const first = await shop.sell(credential, context);
    await first.fail();
    const second = await shop.sell(credential, context);
    expect(second.receipt).to.deep.equal(first.receipt);
    expect(await town.lamports(shop.recipient)).to.equal(1_000_000n);
    expect(await second.finish(ANSWER)).to.deep.equal(first.receipt);
  });

  it("a mint that withholds a fee is refused, and taken by a seller who bears it", async () => {
    const payer = town.person();
    const recipient = Keypair.generate().publicKey;
    const asset = await town.mint2022([payer.publicKey], {
      kinds: [ExtensionType.TransferFeeConfig],
      extend: (mint, authority) => [
        createInitializeTransferFeeConfigInstruction(
          mint,
          authority,
          authority,
          100,
          10_000_000n,
          TOKEN_2022_PROGRAM_ID,
        ),
      ],
      empty: [recipient],
    });
    const strict = new Shop(town, { currency: asset.mint.toBase58(), recipient });
    expect(await codeOf(strict.challenge())).to.equal("asset-unsupported");
    const bears = new Shop(town, {
      currency: asset.mint.toBase58(),
      recipient,
      settlement: { allowTransferFees: true },
    });
    await bears.sell(await paidBy(bears, payer));
    expect(await town.tokens(recipient, asset)).to.equal(990_000n);
  });

  it("a challenge carries a fresh blockhash as a hint", async () => {
    const { request } = await new Shop(town).challenge();
    expect(await town.connection.isBlockhashValid(request.recentBlockhash!)).to.have.property("value", true);
  });

  it("without nodes, no challenge for a token is made up; the hint is left out where that is all that fails", async () => {
    const shop = new Shop(town, { currency: USDC.toBase58() });
    await town.openAccount(shop.recipient);
    town.rpc.fault("latestBlockhash", () => Promise.reject(new Error("down")));
    const { request } = await shop.challenge();
    expect(request.recentBlockhash).to.equal(undefined);
    town.rpc.heal();
    expect(Challenge.requestOf((await shop.challenge()).challenge)).to.have.property("amount", "1000000");
  });
});

describe("charge, pull mode, on a chain whose slots go by", () => {
  let town: Town;
  before(async () => {
    town = await Town.start(20);
  });
  after(() => town.close());

  for (const commitment of ["confirmed", "finalized"] as const) {
    it(`a payment counts when it is ${commitment}`, async () => {
      const payer = Keypair.fromSecretKey(town.net.payer.secretKey);
      const shop = new Shop(town, { settlement: { commitment, budgetMs: 20_000 } });
      const { challenge, request } = await shop.challenge();
      // Ours to use: a node may not have confirmed the newest one yet.
      const blockhash = request.recentBlockhash!;
      const { payment } = await shop.sell(pull(challenge, await signed(town, request, payer, { blockhash })));
      const { status } = await town.rpc.status(payment.reference);
      expect(status?.commitment).to.be.oneOf(["finalized", commitment]);
      const kept = await shop.store.charges.bySignature(payment.reference);
      expect(kept?.state).to.equal(commitment);
    });
  }
});

async function codeOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
    return "none";
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
}
