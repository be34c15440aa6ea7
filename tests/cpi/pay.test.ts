// pay: what moves, what the receipt says, and what is refused (attack list 20, 21, 24, 30, 34).
import {
  createApproveInstruction,
  createEnableCpiGuardInstruction,
  createFreezeAccountInstruction,
  createInitializeAccount3Instruction,
  createInitializeMint2Instruction,
  createInitializeTransferFeeConfigInstruction,
  createReallocateInstruction,
  ExtensionType,
  getMintLen,
  TOKEN_2022_PROGRAM_ID,
  TOKEN_PROGRAM_ID,
} from "@solana/spl-token";
import { Keypair, PublicKey, SystemProgram } from "@solana/web3.js";
import { expect } from "chai";
import { chain, localnetOnly } from "../support/chain.js";
import { must, unsigned, World, withAccount, withData } from "../support/world.js";
import {
  account,
  consumer,
  hash,
  PAY_PROGRAM,
  paid,
  pay,
  payInstruction,
  RECEIPT_LEN,
  receipt,
  receiptAddress,
  refuses,
  refusesWith,
  type Terms,
  terms,
  WINDOW,
} from "./pay.js";

for (const [name, tokenProgram] of [
  ["SPL Token", TOKEN_PROGRAM_ID],
  ["Token-2022", TOKEN_2022_PROGRAM_ID],
] as const) {
  describe(`pay in ${name}`, () => {
    let world: World;
    before(async () => {
      world = await World.create({ tokenProgram });
    });

    it("moves the amount and writes a receipt that says exactly what moved", async () => {
      const the = await terms();
      const [payer, payee] = [await world.balance(world.payer.publicKey), await world.balance(world.payee.publicKey)];
      await world.send([await payInstruction(world, the)], [world.payer, world.operator]);
      expect(await world.balance(world.payer.publicKey)).equal(payer - the.amount);
      expect(await world.balance(world.payee.publicKey)).equal(payee + the.amount);
      const it = await receipt(receiptAddress(world.payer.publicKey, the));
      const { bump, slot, paidAt, payer: by, recipient, mint, consumer: user, rentPayer, channel, ...rest } = it;
      expect([by, recipient, mint, user, rentPayer, channel].map(String)).deep.equal(
        [
          world.payer.publicKey,
          world.payee.publicKey,
          world.mint,
          consumer.publicKey,
          world.operator.publicKey,
          PublicKey.default,
        ].map(String),
      );
      expect(rest).deep.equal({
        version: 1,
        status: { paid: {} },
        needsAttestation: true,
        nonce: the.nonce,
        paySlot: the.paySlot,
        expiresAt: the.expiresAt,
        attestedAt: 0n,
        consumedAt: 0n,
        amount: the.amount,
        requestHash: the.requestHash,
        resultHash: Buffer.alloc(32),
      });
      expect(bump).greaterThan(200);
      expect(slot >= the.paySlot && paidAt > 0n).equal(true);
    });

    it("takes the whole balance, and not one unit more", async () => {
      const everything = await world.balance(world.payer.publicKey);
      await refusesWith(
        world,
        1,
        [await payInstruction(world, await terms({ amount: everything + 1n }))],
        [world.payer, world.operator],
      );
      await paid(world, { amount: everything });
      expect(await world.balance(world.payer.publicKey)).equal(0n);
      await world.give(world.payer.publicKey, everything);
    });

    it("is refused while the recipient's account is frozen", async () => {
      const freeze = createFreezeAccountInstruction(
        world.ata(world.payee.publicKey),
        world.mint,
        chain.payer.publicKey,
        [],
        tokenProgram,
      );
      const it = await payInstruction(world, await terms());
      const landed = await chain.send([freeze, it], [world.payer, world.operator]);
      expect(landed.err).deep.equal({ InstructionError: [1, { Custom: 17 }] });
      await world.check();
    });
  });
}

describe("pay", () => {
  let world: World;
  let signers: Keypair[];
  before(async () => {
    world = await World.create();
    signers = [world.payer, world.operator];
  });
  const refusesTerms = async (name: string, change: Partial<Terms>) =>
    refuses(world, name, [await payInstruction(world, await terms(change))], signers);

  it("needs the payer's signature and the rent payer's", async () => {
    const it = await payInstruction(world, await terms());
    await refusesWith(world, 3010, [unsigned(it, 0)], [world.operator]);
    await refusesWith(world, 3010, [unsigned(it, 1)], [world.payer]);
  });

  it("lets a payer without any SOL pay, and takes the rent from the rent payer alone", async () => {
    const poor = Keypair.generate();
    await world.createTokenAccounts([poor.publicKey]);
    await world.give(poor.publicKey, 500n);
    const the = await terms();
    const before = await chain.connection.getBalance(world.operator.publicKey, "confirmed");
    await world.send([await payInstruction(world, the, { payer: poor.publicKey })], [poor, world.operator]);
    const rent = await chain.connection.getMinimumBalanceForRentExemption(RECEIPT_LEN);
    expect(before - (await chain.connection.getBalance(world.operator.publicKey, "confirmed"))).equal(rent);
    expect(await account(poor.publicKey)).equal(null);
  });

  it("refuses an amount of zero", () => refusesTerms("AmountMustBeNonZero", { amount: 0n }));
  it("refuses an empty request hash", () =>
    refusesTerms("RequestHashMustBeNonZero", { requestHash: Buffer.alloc(32) }));
  it("refuses a receipt that nobody could consume", () =>
    refusesTerms("ConsumerMustBeNamed", { consumer: PublicKey.default }));
  it("refuses an expiry of now, of the past, and below zero", async () => {
    const now = BigInt(await chain.now());
    for (const expiresAt of [now, now - 1n, 1n, -1n, -(2n ** 63n)])
      await refusesTerms("ExpiryNotInTheFuture", { expiresAt });
  });
  it("refuses to wait for an attestation for ever", () => refusesTerms("ExpiryRequired", { expiresAt: 0n }));
  it("takes no expiry where no attestation is needed", async () => {
    const it = await receipt(await paid(world, { expiresAt: 0n, needsAttestation: false }));
    expect([it.expiresAt, it.needsAttestation]).deep.equal([0n, false]);
  });
  it("refuses a slot of the future", async () => {
    await refusesTerms("PaySlotOutOfWindow", { paySlot: (await chain.slot()) + 1_000n });
    await refusesTerms("PaySlotOutOfWindow", { paySlot: 2n ** 64n - 1n });
  });
  it("takes a slot as old as the window and refuses one slot more", async function () {
    localnetOnly(this); // slots pass on their own there
    const now = await chain.slot();
    await refusesTerms("PaySlotOutOfWindow", { paySlot: now - WINDOW - 1n });
    await paid(world, { paySlot: (await chain.slot()) - WINDOW });
  });

  it("refuses a payment to oneself", async () => {
    const it = await payInstruction(world, await terms(), { recipient: world.payer.publicKey });
    await refuses(world, "PayerRecipientMustDiffer", [it], signers);
  });

  it("refuses a second payment to the address of a receipt", async () => {
    const the = await terms();
    await world.send([await payInstruction(world, the)], signers);
    await refuses(world, "ReceiptAlreadyExists", [await payInstruction(world, { ...the, amount: 7n })], signers);
  });

  it("refuses the address of another payer, nonce or slot", async () => {
    const the = await terms();
    for (const [source, other] of [
      [world.payee.publicKey, the],
      [world.payer.publicKey, { ...the, nonce: the.nonce + 1n }],
      [world.payer.publicKey, { ...the, paySlot: the.paySlot - 1n }],
    ] as const) {
      const it = await payInstruction(world, the, { receipt: receiptAddress(source, other) });
      await refusesWith(world, 2006, [it], signers);
    }
  });

  it("is not blocked by lamports that somebody sent to the address, few or many", async () => {
    const rent = await chain.connection.getMinimumBalanceForRentExemption(RECEIPT_LEN);
    const least = await chain.connection.getMinimumBalanceForRentExemption(0);
    for (const lamports of [least, rent, 2 * rent]) {
      const the = await terms();
      const address = receiptAddress(world.payer.publicKey, the);
      const gift = SystemProgram.transfer({ fromPubkey: chain.payer.publicKey, toPubkey: address, lamports });
      await world.send([gift, await payInstruction(world, the)], signers);
      expect((await account(address))?.lamports).equal(Math.max(rent, lamports));
      expect((await receipt(address)).amount).equal(the.amount);
    }
  });

  describe("takes the associated token accounts and nothing else", () => {
    const theirs = async (owner: PublicKey): Promise<PublicKey> => {
      const key = Keypair.generate();
      const make = SystemProgram.createAccount({
        fromPubkey: chain.payer.publicKey,
        newAccountPubkey: key.publicKey,
        space: 165,
        lamports: await chain.connection.getMinimumBalanceForRentExemption(165),
        programId: TOKEN_PROGRAM_ID,
      });
      must(await chain.send([make, createInitializeAccount3Instruction(key.publicKey, world.mint, owner)], [key]));
      return key.publicKey;
    };

    it("not another account of the recipient or of somebody else", async () => {
      const the = await terms();
      for (const account of [await theirs(world.payee.publicKey), await theirs(world.stranger.publicKey)]) {
        const it = await payInstruction(world, the, { recipientTokenAccount: account });
        await refuses(world, "RecipientTokenAccountMismatch", [it], signers);
      }
    });

    it("not another account of the payer", async () => {
      const it = await payInstruction(world, await terms(), { payerTokenAccount: await theirs(world.payer.publicKey) });
      await refuses(world, "PayerTokenAccountMismatch", [it], signers);
    });

    it("not the account of somebody who only delegated to the payer", async () => {
      const { payee, payer } = world;
      await world.give(payee.publicKey, 500n);
      const approve = createApproveInstruction(world.ata(payee.publicKey), payer.publicKey, payee.publicKey, 500n);
      await world.send([approve], [payee]);
      await world.createTokenAccounts([world.stranger.publicKey]);
      const it = await payInstruction(world, await terms(), {
        recipient: world.stranger.publicKey,
        payerTokenAccount: world.ata(payee.publicKey),
      });
      await refuses(world, "PayerTokenAccountMismatch", [it], signers);
    });

    it("not the recipient's account of another mint", async () => {
      const other = await World.create();
      await other.createTokenAccounts([world.payee.publicKey]);
      const it = await payInstruction(world, await terms(), {
        recipientTokenAccount: other.ata(world.payee.publicKey),
      });
      await refuses(world, "RecipientTokenAccountMismatch", [it], signers);
      const mint = await payInstruction(world, await terms(), { mint: other.mint });
      await refuses(world, "PayerTokenAccountMismatch", [mint], signers);
    });

    it("not under the other token program, and not under any other", async () => {
      const it = await payInstruction(world, await terms(), { tokenProgram: TOKEN_2022_PROGRAM_ID });
      await refuses(world, "MintProgramMismatch", [it], signers);
      await refusesWith(
        world,
        3008,
        [await payInstruction(world, await terms(), { tokenProgram: PAY_PROGRAM })],
        signers,
      );
    });

    it("not an account that does not exist", async () => {
      const nobody = Keypair.generate().publicKey;
      await refusesWith(world, 3012, [await payInstruction(world, await terms(), { recipient: nobody })], signers);
    });
  });

  it("refuses a mint with a transfer fee", async () => {
    const extensions = [ExtensionType.TransferFeeConfig];
    const taxed = await World.create({
      tokenProgram: TOKEN_2022_PROGRAM_ID,
      makeMint: async (mint, authority) => [
        SystemProgram.createAccount({
          fromPubkey: authority,
          newAccountPubkey: mint,
          space: getMintLen(extensions),
          lamports: await chain.connection.getMinimumBalanceForRentExemption(getMintLen(extensions)),
          programId: TOKEN_2022_PROGRAM_ID,
        }),
        createInitializeTransferFeeConfigInstruction(mint, authority, authority, 100, 1_000n, TOKEN_2022_PROGRAM_ID),
        createInitializeMint2Instruction(mint, 6, authority, null, TOKEN_2022_PROGRAM_ID),
      ],
    });
    const it = await payInstruction(taxed, await terms());
    await refuses(taxed, "MintExtensionNotAllowed", [it], [taxed.payer, taxed.operator]);
  });

  it("refuses a payer's account with an extension that is not allowed", async () => {
    const guarded = await World.create({ tokenProgram: TOKEN_2022_PROGRAM_ID });
    const { payer } = guarded;
    const ata = guarded.ata(payer.publicKey);
    await guarded.send(
      [
        createReallocateInstruction(
          ata,
          payer.publicKey,
          [ExtensionType.CpiGuard],
          payer.publicKey,
          [],
          TOKEN_2022_PROGRAM_ID,
        ),
        createEnableCpiGuardInstruction(ata, payer.publicKey, [], TOKEN_2022_PROGRAM_ID),
      ],
      [payer],
    );
    const it = await payInstruction(guarded, await terms());
    await refuses(guarded, "AccountExtensionNotAllowed", [it], [payer, guarded.operator]);
  });

  it("refuses arguments that are cut short", async () => {
    const it = await payInstruction(world, await terms());
    await refusesWith(world, 102, [withData(it, (data) => data.subarray(0, -1))], signers);
  });

  it("refuses a system program of somebody's own", async () => {
    await refusesWith(world, 3008, [withAccount(await payInstruction(world, await terms()), 8, PAY_PROGRAM)], signers);
  });

  it("gives each refusal a number of its own, from 8000", () => {
    const codes = (pay.idl.errors ?? []).map((error) => error.code);
    expect(new Set(codes).size).equal(codes.length);
    expect(Math.min(...codes)).equal(8000);
  });

  it("logs what was paid", async () => {
    const the = await terms({ requestHash: hash("something else") });
    const { logs } = await world.send([await payInstruction(world, the)], signers);
    const data = logs
      .filter((line) => line.startsWith("Program data: "))
      .map((line) => pay.coder.events.decode(line.slice(14)));
    expect(data.map((event) => event?.name)).deep.equal(["paid"]);
    expect(String(data[0]?.data.receipt)).equal(String(receiptAddress(world.payer.publicKey, the)));
  });
});
