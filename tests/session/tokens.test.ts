// Token accounts and mints that are substituted, poisoned, frozen, donated to or extended (attack list 20–26).
import { parseSessionEvents, session, TREASURY } from "@mppsol/programs";
import {
  AccountState,
  AuthorityType,
  createCloseAccountInstruction,
  createEnableRequiredMemoTransfersInstruction,
  createFreezeAccountInstruction,
  createInitializeDefaultAccountStateInstruction,
  createInitializeGroupPointerInstruction,
  createInitializeInterestBearingMintInstruction,
  createInitializeMetadataPointerInstruction,
  createInitializeMint2Instruction,
  createInitializeMintCloseAuthorityInstruction,
  createInitializeNonTransferableMintInstruction,
  createInitializePausableConfigInstruction,
  createInitializePermanentDelegateInstruction,
  createInitializeScaledUiAmountConfigInstruction,
  createInitializeTransferFeeConfigInstruction,
  createInitializeTransferHookInstruction,
  createReallocateInstruction,
  createSetAuthorityInstruction,
  createThawAccountInstruction,
  createTransferInstruction,
  ExtensionType,
  getMintLen,
  TOKEN_2022_PROGRAM_ID,
  TOKEN_PROGRAM_ID,
} from "@solana/spl-token";
import { Keypair, type PublicKey, SystemProgram, TransactionInstruction } from "@solana/web3.js";
import { expect } from "chai";
import { chain, type Landed } from "../support/chain.js";
import { DECIMALS, must, World, withAccount } from "../support/world.js";

const programs = [
  ["SPL Token", TOKEN_PROGRAM_ID],
  ["Token-2022", TOKEN_2022_PROGRAM_ID],
] as const;

type Extend = (mint: PublicKey, authority: PublicKey) => TransactionInstruction;

/** Instructions that make a Token-2022 mint with these extensions. */
async function extendedMint(mint: PublicKey, authority: PublicKey, kinds: ExtensionType[], extend: Extend[]) {
  const space = getMintLen(kinds);
  return [
    SystemProgram.createAccount({
      fromPubkey: authority,
      newAccountPubkey: mint,
      space,
      lamports: await chain.connection.getMinimumBalanceForRentExemption(space),
      programId: TOKEN_2022_PROGRAM_ID,
    }),
    ...extend.map((make) => make(mint, authority)),
    createInitializeMint2Instruction(mint, DECIMALS, authority, authority, TOKEN_2022_PROGRAM_ID),
  ];
}

/** The library has no builder for this one: instruction 27, kind 0, authority, approval by hand, no auditor. */
function initializeConfidentialTransfers(mint: PublicKey, authority: PublicKey): TransactionInstruction {
  return new TransactionInstruction({
    programId: TOKEN_2022_PROGRAM_ID,
    keys: [{ pubkey: mint, isSigner: false, isWritable: true }],
    data: Buffer.concat([Buffer.from([27, 0]), authority.toBuffer(), Buffer.alloc(1 + 32)]),
  });
}

async function events(landed: Landed) {
  const transaction = await chain.transaction(landed);
  return parseSessionEvents(transaction);
}

describe("a mint with a Token-2022 extension", () => {
  const T = TOKEN_2022_PROGRAM_ID;
  const forbidden: [string, ExtensionType, Extend][] = [
    [
      "TransferFeeConfig",
      ExtensionType.TransferFeeConfig,
      (m, a) => createInitializeTransferFeeConfigInstruction(m, a, a, 100, 1_000n, T),
    ],
    [
      "PermanentDelegate",
      ExtensionType.PermanentDelegate,
      (m, a) => createInitializePermanentDelegateInstruction(m, a, T),
    ],
    [
      "MintCloseAuthority",
      ExtensionType.MintCloseAuthority,
      (m, a) => createInitializeMintCloseAuthorityInstruction(m, a, T),
    ],
    ["NonTransferable", ExtensionType.NonTransferable, (m) => createInitializeNonTransferableMintInstruction(m, T)],
    [
      "DefaultAccountState",
      ExtensionType.DefaultAccountState,
      (m) => createInitializeDefaultAccountStateInstruction(m, AccountState.Initialized, T),
    ],
    ["TransferHook", ExtensionType.TransferHook, (m, a) => createInitializeTransferHookInstruction(m, a, a, T)],
    [
      "InterestBearingConfig",
      ExtensionType.InterestBearingConfig,
      (m, a) => createInitializeInterestBearingMintInstruction(m, a, 500, T),
    ],
    ["PausableConfig", ExtensionType.PausableConfig, (m, a) => createInitializePausableConfigInstruction(m, a, T)],
    [
      "ScaledUiAmountConfig",
      ExtensionType.ScaledUiAmountConfig,
      (m, a) => createInitializeScaledUiAmountConfigInstruction(m, a, 2, T),
    ],
    ["ConfidentialTransferMint", ExtensionType.ConfidentialTransferMint, initializeConfidentialTransfers],
  ];

  for (const [name, kind, extend] of forbidden) {
    it(`of kind ${name} is refused at open`, async () => {
      const world = await World.create({ tokenProgram: TOKEN_2022_PROGRAM_ID });
      const mint = Keypair.generate();
      must(await chain.send(await extendedMint(mint.publicKey, chain.payer.publicKey, [kind], [extend]), [mint]));
      const open = await session.open({
        mint: mint.publicKey,
        tokenProgram: TOKEN_2022_PROGRAM_ID,
        payer: world.payer.publicKey,
        payee: world.payee.publicKey,
        salt: 1n,
        openSlot: await chain.slot(),
        deposit: 1n,
        gracePeriod: 60,
      });
      await world.refuses("MalformedMintTokenExtensions", open, [world.payer]);
    });
  }

  it("of kinds MetadataPointer and GroupPointer carries a channel from open to end", async () => {
    const makeMint = (mint: PublicKey, authority: PublicKey) =>
      extendedMint(
        mint,
        authority,
        [ExtensionType.MetadataPointer, ExtensionType.GroupPointer],
        [
          (m, a) => createInitializeMetadataPointerInstruction(m, a, m, T),
          (m, a) => createInitializeGroupPointerInstruction(m, a, m, T),
        ],
      );
    const world = await World.create({ tokenProgram: TOKEN_2022_PROGRAM_ID, makeMint });
    const channel = await world.open({ deposit: 100n });
    await world.topup(channel, 50n);
    await world.close(channel, 120n);
    await world.settle(channel);
    expect(await world.balance(world.payee.publicKey)).equal(120n);
  });
});

describe("a token account with a Token-2022 extension", () => {
  const memoRequired = (world: World, owner: Keypair) => {
    const account = world.ata(owner.publicKey);
    return [
      createReallocateInstruction(
        account,
        owner.publicKey,
        [ExtensionType.MemoTransfer],
        owner.publicKey,
        [],
        TOKEN_2022_PROGRAM_ID,
      ),
      createEnableRequiredMemoTransfersInstruction(account, owner.publicKey, [], TOKEN_2022_PROGRAM_ID),
    ];
  };

  it("that is not allowed is refused for the payer at open, at topup and at withdraw, even when added later", async () => {
    const world = await World.create({ tokenProgram: TOKEN_2022_PROGRAM_ID });
    const open = await world.open({ deposit: 100n });
    const sealed = await world.open({ deposit: 100n });
    await world.close(sealed, 1n);
    await world.send(memoRequired(world, world.payer), [world.payer]);
    const next = await world.plan();
    await world.refuses("InvalidPayerTokenExtensions", await world.openInstructions(next), [
      world.payer,
      world.operator,
    ]);
    const topup = await session.topup({
      ...world.token,
      channel: open.address,
      payer: world.payer.publicKey,
      amount: 1n,
    });
    await world.refuses("InvalidPayerTokenExtensions", topup, [world.payer]);
    await world.refuses("InvalidPayerTokenExtensions", await world.withdrawInstructions(sealed), [world.payer]);
  });

  it("that the payee added does not stop the payer's refund: its share goes to the treasury and is reported", async () => {
    const world = await World.create({ tokenProgram: TOKEN_2022_PROGRAM_ID });
    const channel = await world.open({ deposit: 100n });
    await world.send(memoRequired(world, world.payee), [world.payee]);
    await world.close(channel, 60n);
    const landed = await world.settle(channel);
    expect(await world.balance(world.payer.publicKey)).equal(999_940n);
    expect(await world.balance(TREASURY)).equal(60n);
    const [event] = await events(landed);
    expect(event).deep.include({
      name: "PayoutRedirected",
      amount: 60n,
      beneficiary: "payee",
      reason: "unsupportedExtension",
    });
  });

  it("makes rearm fail as a whole", async () => {
    const world = await World.create({ tokenProgram: TOKEN_2022_PROGRAM_ID });
    const channel = await world.open({ deposit: 100n });
    await world.send(memoRequired(world, world.payee), [world.payee]);
    await world.refuses("InvalidPayeeTokenExtensions", await world.rearmInstructions(channel, 10n), [world.payee]);
  });
});

for (const [name, tokenProgram] of programs) {
  describe(`an account that cannot be paid, under ${name}`, () => {
    const close = (world: World, owner: Keypair) =>
      createCloseAccountInstruction(world.ata(owner.publicKey), owner.publicKey, owner.publicKey, [], tokenProgram);
    const freeze = (world: World, account: PublicKey) =>
      createFreezeAccountInstruction(account, world.mint, chain.payer.publicKey, [], tokenProgram);

    it("because the payee closed it, sends its share to the treasury and the refund to the payer", async () => {
      const world = await World.create({ tokenProgram });
      const channel = await world.open({ deposit: 1_000n });
      await world.send([close(world, world.payee)], [world.payee]);
      await world.close(channel, 300n);
      const [event] = await events(await world.settle(channel));
      expect(event).deep.include({
        name: "PayoutRedirected",
        amount: 300n,
        beneficiary: "payee",
        reason: "closedOrMalformed",
      });
      expect(await world.balance(TREASURY)).equal(300n);
      expect(await world.balance(world.payer.publicKey)).equal(999_700n);
    });

    it("because the payee's is missing, is made by the SDK's settle and paid", async () => {
      const world = await World.create({ tokenProgram });
      const channel = await world.open({ deposit: 1_000n });
      await world.send([close(world, world.payee)], [world.payee]);
      await world.close(channel, 300n);
      await world.send(
        await session.settle({
          ...world.token,
          channel: channel.address,
          payer: world.payer.publicKey,
          payee: world.payee.publicKey,
          rentPayer: world.operator.publicKey,
          createAccounts: chain.payer.publicKey,
        }),
      );
      expect(await world.balance(world.payee.publicKey)).equal(300n);
      expect(await world.balance(TREASURY)).equal(0n);
    });

    it("because a recipient is frozen, does not hold up payee and other recipients, while open and at the end", async () => {
      const [frozen, fine] = [Keypair.generate().publicKey, Keypair.generate().publicKey];
      const world = await World.create({ tokenProgram, extras: [frozen, fine] });
      const splits = [
        { recipient: frozen.toBase58(), shareBps: 1_000 },
        { recipient: fine.toBase58(), shareBps: 2_000 },
      ];
      const channel = await world.open({ deposit: 1_000n, splits });
      await world.send([freeze(world, world.ata(frozen))]);
      await world.debit(channel, 100n);
      const [event] = await events(await world.settle(channel));
      expect(event).deep.include({
        name: "PayoutRedirected",
        amount: 10n,
        beneficiary: "recipient",
        reason: "notInitialized",
      });
      expect([
        await world.balance(fine),
        await world.balance(world.payee.publicKey),
        await world.balance(TREASURY),
      ]).deep.equal([20n, 70n, 10n]);
      await world.send([
        createThawAccountInstruction(world.ata(frozen), world.mint, chain.payer.publicKey, [], tokenProgram),
      ]);
      await world.close(channel, 200n);
      await world.settle(channel);
      expect(await world.balance(frozen), "only what was settled after the thaw").equal(10n);
    });

    it("because it is the payer's own, does not hold up the payee: the refund goes to the treasury", async () => {
      const world = await World.create({ tokenProgram });
      const channel = await world.open({ deposit: 1_000n });
      await world.close(channel, 300n);
      await world.send([freeze(world, world.ata(world.payer.publicKey))]);
      await world.refuses("PayerAccountMismatch", await world.withdrawInstructions(channel), [world.payer]);
      const [event] = await events(await world.settle(channel));
      expect(event).deep.include({ amount: 700n, beneficiary: "payer", reason: "notInitialized" });
      expect(await world.balance(world.payee.publicKey)).equal(300n);
    });

    it("because the escrow is frozen, changes nothing until it is thawed, then everybody is paid", async () => {
      const world = await World.create({ tokenProgram });
      const channel = await world.open({ deposit: 1_000n });
      await world.close(channel, 300n);
      await world.send([freeze(world, channel.escrow)]);
      await world.refuses("ChannelAccountMismatch", await world.settleInstructions(channel));
      await world.refuses("ChannelAccountMismatch", await world.withdrawInstructions(channel), [world.payer]);
      await world.send([
        createThawAccountInstruction(channel.escrow, world.mint, chain.payer.publicKey, [], tokenProgram),
      ]);
      await world.settle(channel);
      expect(await world.balance(world.payee.publicKey)).equal(300n);
    });

    it("because the treasury's is frozen, holds up nobody while nothing is due to it", async () => {
      const world = await World.create({ tokenProgram });
      const channel = await world.open({ deposit: 1_000n });
      await world.send([freeze(world, world.ata(TREASURY))]);
      await world.debit(channel, 100n);
      await world.settle(channel);
      await world.close(channel, 300n);
      await world.settle(channel);
      expect(await world.balance(world.payee.publicKey)).equal(300n);
    });

    it("because the treasury's is frozen or missing while something is due to it, fails with the treasury's number until it is not", async () => {
      const [a, b] = [Keypair.generate().publicKey, Keypair.generate().publicKey];
      const world = await World.create({ tokenProgram, extras: [a, b] });
      const splits = [a, b].map((owner) => ({ recipient: owner.toBase58(), shareBps: 3_333 }));
      const channel = await world.open({ deposit: 1_000n, splits });
      await world.close(channel, 100n);
      await world.send([freeze(world, world.ata(TREASURY))]);
      await world.refuses("TreasuryAccountMismatch", await world.settleInstructions(channel));
      await world.send([
        createThawAccountInstruction(world.ata(TREASURY), world.mint, chain.payer.publicKey, [], tokenProgram),
      ]);
      await world.settle(channel);
      expect(await world.balance(TREASURY)).equal(1n);
      const bare = await World.create({ tokenProgram, extras: [a, b], withoutTreasury: true });
      const dusty = await bare.open({ deposit: 1_000n, splits });
      await bare.close(dusty, 100n);
      await bare.refuses("InvalidTreasuryTokenAccount", await bare.settleInstructions(dusty));
      await bare.createTokenAccounts([TREASURY]);
      await bare.settle(dusty);
    });
  });

  describe(`money that nobody deposited, under ${name}`, () => {
    it("in an escrow counts for no voucher and no refund, stops nothing, and goes to the treasury at the end", async () => {
      const world = await World.create({ tokenProgram });
      const channel = await world.open({ deposit: 1_000n });
      await world.send(
        [
          createTransferInstruction(
            world.ata(world.payer.publicKey),
            channel.escrow,
            world.payer.publicKey,
            55n,
            [],
            tokenProgram,
          ),
        ],
        [world.payer],
      );
      expect((await world.state(channel)).deposit).equal(1_000n);
      await world.refuses("VoucherOverDeposit", await world.debitInstructions(channel, 1_001n));
      await world.debit(channel, 400n);
      await world.settle(channel);
      await world.close(channel);
      await world.settle(channel);
      expect(await world.balance(world.payer.publicKey)).equal(999_545n);
      expect(await world.balance(TREASURY)).equal(55n);
    });
  });
}

describe("an account whose authority was handed on", () => {
  it("is not paid: the share goes to the treasury, whoever owns it now", async () => {
    const world = await World.create();
    const channel = await world.open({ deposit: 1_000n });
    const handOver = createSetAuthorityInstruction(
      world.ata(world.payee.publicKey),
      world.payee.publicKey,
      AuthorityType.AccountOwner,
      world.stranger.publicKey,
    );
    await world.send([handOver], [world.payee]);
    await world.close(channel, 300n);
    const [event] = await events(await world.settle(channel));
    expect(event).deep.include({ amount: 300n, beneficiary: "payee", reason: "reassignedAuthority" });
  });
});

describe("a mint that is not the channel's", () => {
  it("and the other token program are refused in every instruction that moves tokens", async () => {
    const world = await World.create();
    const twin = await World.create({ tokenProgram: TOKEN_2022_PROGRAM_ID });
    const channel = await world.open({ deposit: 1_000n });
    await world.debit(channel, 10n);
    const [topup] = await session.topup({
      ...world.token,
      channel: channel.address,
      payer: world.payer.publicKey,
      amount: 1n,
    });
    const [settle] = await world.settleInstructions(channel);
    await world.refuses("InvalidChannelMint", [withAccount(topup!, 4, twin.mint)], [world.payer]);
    await world.refuses("MintAccountMismatch", [withAccount(topup!, 5, TOKEN_2022_PROGRAM_ID)], [world.payer]);
    await world.refuses("InvalidChannelMint", [withAccount(settle!, 7, twin.mint)]);
    await world.refuses("MintAccountMismatch", [withAccount(settle!, 8, TOKEN_2022_PROGRAM_ID)]);
    const open = (await world.openInstructions(await world.plan()))[0]!;
    await world.refuses(
      "MintAccountMismatch",
      [withAccount(open, 8, TOKEN_2022_PROGRAM_ID)],
      [world.payer, world.operator],
    );
  });

  it("because it is a token account, a wallet or nothing is refused at open", async () => {
    const world = await World.create();
    for (const mint of [world.ata(world.payer.publicKey), world.stranger.publicKey, Keypair.generate().publicKey]) {
      const open = await session.open({
        mint,
        tokenProgram: TOKEN_PROGRAM_ID,
        payer: world.payer.publicKey,
        payee: world.payee.publicKey,
        salt: 1n,
        openSlot: await chain.slot(),
        deposit: 1n,
        gracePeriod: 60,
      });
      await world.refuses("MintAccountMismatch", open, [world.payer]);
    }
  });
});

describe("a party in two roles", () => {
  it("as payer and split recipient gets its share like anybody", async () => {
    const world = await World.create();
    const splits = [{ recipient: world.payer.publicKey.toBase58(), shareBps: 2_500 }];
    const channel = await world.open({ deposit: 1_000n, splits });
    await world.close(channel, 400n);
    await world.settle(channel);
    expect(await world.balance(world.payer.publicKey)).equal(999_700n);
    expect(await world.balance(world.payee.publicKey)).equal(300n);
  });

  it("as payee and split recipient gets both", async () => {
    const world = await World.create();
    const splits = [{ recipient: world.payee.publicKey.toBase58(), shareBps: 3_333 }];
    const channel = await world.open({ deposit: 1_000n, splits });
    await world.close(channel, 301n);
    await world.settle(channel);
    expect(await world.balance(world.payee.publicKey)).equal(100n + 200n);
    expect(await world.balance(TREASURY)).equal(1n);
  });

  it("as rent payer and payer needs no other account", async () => {
    const world = await World.create();
    const channel = await world.plan({ deposit: 10n });
    const [open] = await world.openInstructions(channel);
    await world.send([withAccount(open!, 1, world.payer.publicKey)], [world.payer]);
    expect((await world.state(channel)).rentPayer.equals(world.payer.publicKey)).equal(true);
  });
});
