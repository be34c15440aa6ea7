// Accounts that no honest token program would leave behind, put there by the embedded chain's cheats: each is refused by
// its own number.
import { session, TREASURY } from "@mppsol/programs";
import {
  createCloseAccountInstruction,
  createInitializeMetadataPointerInstruction,
  createInitializeMint2Instruction,
  createTransferInstruction,
  ExtensionType,
  getMintLen,
  TOKEN_2022_PROGRAM_ID,
} from "@solana/spl-token";
import { Keypair, type PublicKey, SystemProgram } from "@solana/web3.js";
import { chain, localnetOnly } from "../support/chain.js";
import { DECIMALS, World } from "../support/world.js";

/** Overwrites an account's data, keeping the rest. */
async function overwrite(address: PublicKey, change: (data: Buffer) => Buffer, owner?: PublicKey): Promise<void> {
  const account = await chain.connection.getAccountInfo(address, "confirmed");
  await chain.cheat("mppsol_setAccount", address.toBase58(), {
    lamports: account!.lamports,
    owner: (owner ?? account!.owner).toBase58(),
    data: change(Buffer.from(account!.data)).toString("base64"),
  });
}

/** A Token-2022 account's data with one more extension: MemoTransfer, one byte. */
const withMemo = (data: Buffer) => Buffer.concat([data, Buffer.from([8, 0, 1, 0, 1])]);
/** The same cut short: the length says more than there is. */
const cutShort = (data: Buffer) => Buffer.concat([data, Buffer.from([7, 0, 9, 0])]);

describe("a damaged account", () => {
  before(function () {
    localnetOnly(this);
  });

  it("as escrow: not a token account, or with an extension", async () => {
    const world = await World.create({ tokenProgram: TOKEN_2022_PROGRAM_ID });
    const [gone, extended] = [await world.open(), await world.open()];
    await world.debit(gone, 10n);
    await world.debit(extended, 10n);
    const settle = { gone: await world.settleInstructions(gone), extended: await world.settleInstructions(extended) };
    await overwrite(extended.escrow, withMemo);
    await world.refuses("InvalidChannelTokenExtensions", settle.extended);
    await overwrite(extended.escrow, cutShort);
    await world.refuses("InvalidChannelTokenExtensions", settle.extended);
    const held = await chain.connection.getAccountInfo(gone.escrow, "confirmed");
    await overwrite(gone.escrow, (data) => data, SystemProgram.programId);
    await world.refuses("InvalidChannelTokenAccount", settle.gone);
    await overwrite(gone.escrow, () => held!.data, held!.owner);
    await world.settle(gone);
  });

  it("as recipient, payee or payer: malformed extensions fail instead of forfeiting", async () => {
    const recipient = Keypair.generate().publicKey;
    const world = await World.create({ tokenProgram: TOKEN_2022_PROGRAM_ID, extras: [recipient] });
    const splits = [{ recipient: recipient.toBase58(), shareBps: 5_000 }];
    const channel = await world.open({ splits });
    await world.close(channel, 10n);
    for (const [owner, name] of [
      [recipient, "InvalidRecipientTokenExtensions"],
      [world.payee.publicKey, "InvalidPayeeTokenExtensions"],
      [world.payer.publicKey, "InvalidPayerTokenExtensions"],
    ] as const) {
      const whole = await chain.connection.getAccountInfo(world.ata(owner), "confirmed");
      await overwrite(world.ata(owner), cutShort);
      await world.refuses(name, await world.settleInstructions(channel));
      await overwrite(world.ata(owner), () => whole!.data);
    }
    await world.settle(channel);
  });

  it("as treasury with something due: an extension", async () => {
    const [a, b] = [Keypair.generate().publicKey, Keypair.generate().publicKey];
    const world = await World.create({ tokenProgram: TOKEN_2022_PROGRAM_ID, extras: [a, b] });
    const splits = [a, b].map((owner) => ({ recipient: owner.toBase58(), shareBps: 3_333 }));
    const channel = await world.open({ splits });
    await world.close(channel, 100n);
    await overwrite(world.ata(TREASURY), withMemo);
    await world.refuses("InvalidTreasuryTokenExtensions", await world.settleInstructions(channel));
  });

  it("as mint: bytes where there must be none", async () => {
    const space = getMintLen([ExtensionType.MetadataPointer]);
    const makeMint = async (mint: PublicKey, authority: PublicKey) => [
      SystemProgram.createAccount({
        fromPubkey: authority,
        newAccountPubkey: mint,
        space,
        lamports: await chain.connection.getMinimumBalanceForRentExemption(space),
        programId: TOKEN_2022_PROGRAM_ID,
      }),
      createInitializeMetadataPointerInstruction(mint, authority, mint, TOKEN_2022_PROGRAM_ID),
      createInitializeMint2Instruction(mint, DECIMALS, authority, authority, TOKEN_2022_PROGRAM_ID),
    ];
    const world = await World.create({ tokenProgram: TOKEN_2022_PROGRAM_ID, makeMint });
    await overwrite(world.mint, (data) => {
      data[100] = 1;
      return data;
    });
    const open = await world.openInstructions(await world.plan());
    await world.refuses("MalformedMintTokenAccountData", open, [world.payer, world.operator]);
  });
});

describe("a token account that its owner closed", () => {
  it("as the payer's is refused at open, topup, withdraw and rearm; as the payee's at rearm", async () => {
    const world = await World.create();
    const [open, sealed] = [await world.open({ deposit: 600_000n }), await world.open({ deposit: 400_000n })];
    await world.close(sealed, 1n);
    const { payer, payee } = world;
    const close = (owner: Keypair) =>
      createCloseAccountInstruction(world.ata(owner.publicKey), owner.publicKey, owner.publicKey);
    await world.send([close(payer)], [payer]);
    const topup = await session.topup({ ...world.token, channel: open.address, payer: payer.publicKey, amount: 1n });
    const next = await world.openInstructions(await world.plan());
    await world.refuses("InvalidPayerTokenAccount", next, [payer, world.operator]);
    await world.refuses("InvalidPayerTokenAccount", topup, [payer]);
    await world.refuses("InvalidPayerTokenAccount", await world.withdrawInstructions(sealed), [payer]);
    await world.refuses("InvalidPayerTokenAccount", await world.rearmInstructions(open, 5n), [payee]);
    await world.createTokenAccounts([payer.publicKey]);
    await world.withdraw(sealed);
    await world.send([close(payee)], [payee]);
    await world.refuses("InvalidPayeeTokenAccount", await world.rearmInstructions(open, 5n), [payee]);
    await world.createTokenAccounts([payee.publicKey]);
    await world.send(await world.rearmInstructions(open, 5n), [payee]);
    const back = createTransferInstruction(world.ata(payer.publicKey), world.ata(payee.publicKey), payer.publicKey, 1n);
    await world.send([back], [payer]);
  });
});
