// A small economy around one mint: parties, their token accounts, a channel, and the books. After every transaction,
// landed or refused, the books are checked.
import type { SignedVoucher, Splits } from "@mppsol/core";
import {
  type ChannelState,
  channelAddress,
  decodeChannel,
  decodeError,
  escrowAddress,
  session,
  signVoucher,
  TREASURY,
  tokenAddress,
} from "@mppsol/programs";
import {
  ACCOUNT_SIZE,
  AccountLayout,
  createAssociatedTokenAccountIdempotentInstruction,
  createInitializeMint2Instruction,
  createMintToInstruction,
  MINT_SIZE,
  TOKEN_PROGRAM_ID,
} from "@solana/spl-token";
import { Keypair, PublicKey, SystemProgram, TransactionInstruction } from "@solana/web3.js";
import { expect } from "chai";
import { chain, type Landed, type SendOptions } from "./chain.js";

export const DECIMALS = 6;
/** Seconds of grace: short where it must be waited out. */
export const GRACE = chain.isLocalnet ? 900 : 3;
const START_BALANCE = 1_000_000n;
const START_LAMPORTS = 500_000_000;

export interface WorldOptions {
  readonly tokenProgram?: PublicKey;
  /** Owners that get a token account with nothing in it. */
  readonly extras?: readonly PublicKey[];
  /** Leaves out the treasury's token account. */
  readonly withoutTreasury?: boolean;
  /** Who may freeze accounts of the mint. */
  readonly freezeAuthority?: PublicKey | null;
  /** Instructions that make the mint, for one with extensions; it is initialized by the last of them. */
  readonly makeMint?: (mint: PublicKey, authority: PublicKey) => Promise<TransactionInstruction[]>;
}

export interface ChannelOptions {
  readonly deposit?: bigint;
  readonly gracePeriod?: number;
  readonly splits?: readonly Splits.Split[];
  readonly signer?: Keypair;
  /** How many slots ago `open_slot` was. */
  readonly slotsAgo?: bigint;
  readonly payee?: PublicKey;
  readonly salt?: bigint;
}

/** A channel that the tests opened, with what its builders need. */
export interface Channel {
  readonly address: PublicKey;
  readonly escrow: PublicKey;
  readonly signer: Keypair;
  readonly splits: readonly Splits.Split[];
  readonly payee: PublicKey;
  readonly openSlot: bigint;
  readonly salt: bigint;
  readonly deposit: bigint;
}

export class World {
  readonly mint: PublicKey;
  readonly tokenProgram: PublicKey;
  readonly payer = Keypair.generate();
  readonly payee = Keypair.generate();
  /** Pays rent, as a server that sponsors its clients does. */
  readonly operator = Keypair.generate();
  readonly stranger = Keypair.generate();
  readonly mintAuthority: Keypair;
  readonly #owners = new Set<string>();
  readonly #channels: Channel[] = [];
  #supply = 0n;

  private constructor(mint: PublicKey, mintAuthority: Keypair, tokenProgram: PublicKey) {
    this.mint = mint;
    this.mintAuthority = mintAuthority;
    this.tokenProgram = tokenProgram;
  }

  /** A mint, four parties with SOL, and token accounts of payer, payee, treasury and the extras. */
  static async create(options: WorldOptions = {}): Promise<World> {
    const tokenProgram = options.tokenProgram ?? TOKEN_PROGRAM_ID;
    const mint = Keypair.generate();
    const world = new World(mint.publicKey, chain.payer, tokenProgram);
    const authority = chain.payer.publicKey;
    const make = options.makeMint
      ? await options.makeMint(mint.publicKey, authority)
      : [
          SystemProgram.createAccount({
            fromPubkey: authority,
            newAccountPubkey: mint.publicKey,
            space: MINT_SIZE,
            lamports: await chain.connection.getMinimumBalanceForRentExemption(MINT_SIZE),
            programId: tokenProgram,
          }),
          createInitializeMint2Instruction(
            mint.publicKey,
            DECIMALS,
            authority,
            options.freezeAuthority === undefined ? authority : options.freezeAuthority,
            tokenProgram,
          ),
        ];
    must(await chain.send(make, [mint]));
    const owners = [
      world.payer.publicKey,
      world.payee.publicKey,
      ...(options.withoutTreasury ? [] : [TREASURY]),
      ...(options.extras ?? []),
    ];
    await world.createTokenAccounts(owners);
    const fund = [world.payer, world.payee, world.operator, world.stranger].map((key) =>
      SystemProgram.transfer({ fromPubkey: authority, toPubkey: key.publicKey, lamports: START_LAMPORTS }),
    );
    must(await chain.send([...fund, world.mintTo(world.payer.publicKey, START_BALANCE)]));
    world.#supply = START_BALANCE;
    return world;
  }

  get token() {
    return { mint: this.mint, tokenProgram: this.tokenProgram };
  }

  ata(owner: PublicKey): PublicKey {
    return tokenAddress(owner, this.mint, this.tokenProgram);
  }

  mintTo(owner: PublicKey, amount: bigint): TransactionInstruction {
    return createMintToInstruction(
      this.mint,
      this.ata(owner),
      this.mintAuthority.publicKey,
      amount,
      [],
      this.tokenProgram,
    );
  }

  /** Mints more, and keeps the books. */
  async give(owner: PublicKey, amount: bigint): Promise<void> {
    this.#supply += amount;
    await this.send([this.mintTo(owner, amount)]);
  }

  async createTokenAccounts(owners: readonly PublicKey[]): Promise<void> {
    for (let at = 0; at < owners.length; at += 6) {
      const some = owners.slice(at, at + 6);
      must(
        await chain.send(
          some.map((owner) =>
            createAssociatedTokenAccountIdempotentInstruction(
              chain.payer.publicKey,
              this.ata(owner),
              owner,
              this.mint,
              this.tokenProgram,
            ),
          ),
        ),
      );
      for (const owner of some) this.#owners.add(owner.toBase58());
    }
  }

  /** Counts a token account's owner in the books from now on. */
  track(owner: PublicKey): void {
    this.#owners.add(owner.toBase58());
  }

  /** Base units at the associated token account of `owner`; 0 when there is none. */
  async balance(owner: PublicKey): Promise<bigint> {
    return amountOf(await chain.connection.getAccountInfo(this.ata(owner), "confirmed"));
  }

  async state(channel: Channel): Promise<ChannelState> {
    const account = await chain.connection.getAccountInfo(channel.address, "confirmed");
    if (account === null) throw new Error("the channel is gone");
    return decodeChannel(account.data);
  }

  /** The parameters of a channel that is not open yet; the books watch it from now on. */
  async plan(options: ChannelOptions = {}): Promise<Channel> {
    const openSlot = (await chain.slot()) - (options.slotsAgo ?? 0n);
    const signer = options.signer ?? this.payer;
    const payee = options.payee ?? this.payee.publicKey;
    const seeds = { payer: this.payer.publicKey, payee, mint: this.mint, authorizedSigner: signer.publicKey, openSlot };
    const salt = options.salt ?? BigInt(Math.floor(Math.random() * 2 ** 48));
    const address = channelAddress({ ...seeds, salt });
    const channel: Channel = {
      address,
      escrow: escrowAddress(address, this.mint, this.tokenProgram),
      signer,
      salt,
      payee,
      openSlot,
      splits: options.splits ?? [],
      deposit: options.deposit ?? 1_000n,
    };
    this.#channels.push(channel);
    return channel;
  }

  openInstructions(channel: Channel, gracePeriod = GRACE): Promise<TransactionInstruction[]> {
    return session.open({
      ...this.token,
      payer: this.payer.publicKey,
      rentPayer: this.operator.publicKey,
      payee: channel.payee,
      authorizedSigner: channel.signer.publicKey,
      salt: channel.salt,
      openSlot: channel.openSlot,
      deposit: channel.deposit,
      gracePeriod,
      splits: channel.splits,
    });
  }

  async open(options: ChannelOptions = {}): Promise<Channel> {
    const channel = await this.plan(options);
    await this.send(await this.openInstructions(channel, options.gracePeriod), [this.payer, this.operator]);
    return channel;
  }

  voucher(
    channel: Channel,
    cumulativeAmount: bigint,
    expiresAt = 0n,
    signer = channel.signer,
  ): Promise<SignedVoucher.SignedVoucher> {
    return signVoucher({ channelId: channel.address.toBase58(), cumulativeAmount, expiresAt }, signer);
  }

  async debitInstructions(channel: Channel, amount: bigint, expiresAt = 0n, signer = channel.signer) {
    return session.debit({ voucher: await this.voucher(channel, amount, expiresAt, signer) });
  }

  async debit(channel: Channel, amount: bigint, expiresAt = 0n): Promise<Landed> {
    return this.send(await this.debitInstructions(channel, amount, expiresAt));
  }

  async topup(channel: Channel, amount: bigint): Promise<Landed> {
    const { payer } = this;
    return this.send(await session.topup({ ...this.token, channel: channel.address, payer: payer.publicKey, amount }), [
      payer,
    ]);
  }

  async closeInstructions(channel: Channel, amount?: bigint, expiresAt = 0n) {
    const voucher = amount === undefined ? {} : { voucher: await this.voucher(channel, amount, expiresAt) };
    return session.close({ channel: channel.address, payee: channel.payee, ...voucher });
  }

  async close(channel: Channel, amount?: bigint): Promise<Landed> {
    return this.send(await this.closeInstructions(channel, amount), [this.payee]);
  }

  revokeInstructions(channel: Channel) {
    return session.revoke({ channel: channel.address, payer: this.payer.publicKey });
  }

  async revoke(channel: Channel): Promise<Landed> {
    return this.send(await this.revokeInstructions(channel), [this.payer]);
  }

  async seal(channel: Channel): Promise<Landed> {
    return this.send(await session.seal({ channel: channel.address }));
  }

  settleInstructions(channel: Channel) {
    return session.settle({
      ...this.token,
      channel: channel.address,
      payer: this.payer.publicKey,
      payee: channel.payee,
      rentPayer: this.operator.publicKey,
      splits: channel.splits,
      createAccounts: false,
    });
  }

  async settle(channel: Channel): Promise<Landed> {
    return this.send(await this.settleInstructions(channel));
  }

  withdrawInstructions(channel: Channel) {
    return session.withdrawPayer({ ...this.token, channel: channel.address, payer: this.payer.publicKey });
  }

  async withdraw(channel: Channel): Promise<Landed> {
    return this.send(await this.withdrawInstructions(channel), [this.payer]);
  }

  reclaimInstructions(channel: Channel) {
    return session.reclaim({ channel: channel.address, rentPayer: this.operator.publicKey });
  }

  async rearmInstructions(channel: Channel, amount?: bigint) {
    const voucher = amount === undefined ? {} : { voucher: await this.voucher(channel, amount) };
    return session.rearm({
      ...this.token,
      channel: channel.address,
      payer: this.payer.publicKey,
      payee: channel.payee,
      splits: channel.splits,
      createAccounts: false,
      ...voucher,
    });
  }

  /** Sends what must succeed, and checks the books. */
  async send(
    instructions: readonly TransactionInstruction[],
    signers: readonly Keypair[] = [],
    options: SendOptions = {},
  ): Promise<Landed> {
    const landed = must(await chain.send(instructions, signers, options));
    await this.check();
    return landed;
  }

  /** Sends what must fail with `name`, and checks that nothing changed. */
  async refuses(
    name: string,
    instructions: readonly TransactionInstruction[],
    signers: readonly Keypair[] = [],
  ): Promise<void> {
    const before = await this.#snapshot(instructions);
    const landed = await chain.send(instructions, signers);
    expect(landed.err, `nothing refused this; ${name} should have`).not.equal(null);
    expect(nameOf(landed), landed.logs.join("\n")).equal(name);
    expect(await this.#snapshot(instructions), "a refused transaction changed something").deep.equal(before);
    await this.check();
  }

  /** Data and owner of every writable account but the fee payer's lamports. */
  async #snapshot(instructions: readonly TransactionInstruction[]): Promise<string[]> {
    const keys = instructions.flatMap(({ keys }) => keys.filter((key) => key.isWritable).map((key) => key.pubkey));
    const unique = [...new Map(keys.map((key) => [key.toBase58(), key])).values()];
    const accounts = await accountsOf(unique);
    return accounts.map((account, at) =>
      account === null
        ? `${unique[at]} missing`
        : `${unique[at]} ${account.owner} ${unique[at]?.equals(chain.payer.publicKey) ? "" : account.lamports} ${Buffer.from(account.data).toString("hex")}`,
    );
  }

  /** No token is lost or made, and every channel's escrow holds what its record says it owes. */
  async check(): Promise<void> {
    const owners = [...this.#owners].map((owner) => new PublicKey(owner));
    const escrows = this.#channels.map((channel) => channel.escrow.toBase58());
    const holders = [...new Set([...owners.map((owner) => this.ata(owner).toBase58()), ...escrows])];
    const addresses = [...holders.map((key) => new PublicKey(key)), ...this.#channels.map((c) => c.address)];
    const accounts = await accountsOf(addresses);
    const held = new Map(holders.map((holder, at) => [holder, amountOf(accounts[at])]));
    const total = [...held.values()].reduce((sum, amount) => sum + amount, 0n);
    expect(total, "tokens in all known accounts").equal(this.#supply);
    this.#channels.forEach((channel, at) => {
      const account = accounts[holders.length + at];
      if (!account || account.data.length === 0) return;
      const state = decodeChannel(account.data);
      const { payoutWatermark, settled, deposit } = state;
      expect(payoutWatermark <= settled && settled <= deposit, "paid <= settled <= deposit").equal(true);
      if (state.status === "distributed") return;
      const refunded = state.payerWithdrawnAt === 0n ? 0n : deposit - settled;
      const owed = deposit - payoutWatermark - refunded;
      expect(held.get(channel.escrow.toBase58())! >= owed, "the escrow covers what is owed").equal(true);
    });
  }
}

async function accountsOf(addresses: readonly PublicKey[]) {
  const pages = [];
  for (let at = 0; at < addresses.length; at += 100) {
    pages.push(await chain.connection.getMultipleAccountsInfo(addresses.slice(at, at + 100), "confirmed"));
  }
  return pages.flat();
}

function amountOf(account: { data: Uint8Array } | null | undefined): bigint {
  if (!account || account.data.length < ACCOUNT_SIZE) return 0n;
  return AccountLayout.decode(account.data).amount;
}

/** The landed transaction, or an error with its logs. */
export function must(landed: Landed): Landed {
  if (landed.err !== null)
    throw new Error(`${nameOf(landed)}: ${JSON.stringify(landed.err)}\n${landed.logs.join("\n")}`);
  return landed;
}

/** The name of a failure: an error of ours by name, anything else as the cluster says it. */
export function nameOf(landed: Landed): string {
  const decoded = decodeError({ err: landed.err, logs: [...landed.logs] });
  return decoded?.name ?? JSON.stringify(landed.err);
}

/** The instruction with account number `at` replaced. */
export function withAccount(
  instruction: TransactionInstruction,
  at: number,
  pubkey: PublicKey,
): TransactionInstruction {
  const keys = instruction.keys.map((key, i) => (i === at ? { ...key, pubkey } : key));
  return new TransactionInstruction({ ...instruction, keys });
}

/** The instruction with account number `at` not signing. */
export function unsigned(instruction: TransactionInstruction, at: number): TransactionInstruction {
  const keys = instruction.keys.map((key, i) => (i === at ? { ...key, isSigner: false } : key));
  return new TransactionInstruction({ ...instruction, keys });
}

/** The instruction with other data. */
export function withData(
  instruction: TransactionInstruction,
  change: (data: Buffer) => Buffer,
): TransactionInstruction {
  return new TransactionInstruction({ ...instruction, data: change(Buffer.from(instruction.data)) });
}
