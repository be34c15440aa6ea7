// What each instruction of the session program costs, or of another program with its interface.
import { BatchVoucher, Splits } from "@mppsol/core";
import { escrowAddress, grindSalt, session, signBatchVoucher, signVoucher, tokenAddress } from "@mppsol/programs";
import { TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID } from "@solana/spl-token";
import {
  AddressLookupTableAccount,
  AddressLookupTableProgram,
  ComputeBudgetProgram,
  type Keypair,
  PublicKey,
  TransactionInstruction,
} from "@solana/web3.js";
import { type Economy, found } from "./economy.js";
import { key } from "./keys.js";
import type { Row } from "./row.js";
import { type Program, TransactionFailed, type Vm } from "./vm.js";

export interface Target extends Program {
  readonly treasury: PublicKey;
  /** Whether it has our instructions from byte 32 up. */
  readonly extended: boolean;
}

const DEPOSIT = 1_000_000n;
const GRACE = 900;
const WINDOW = 1_500n;
const FEW_SPLITS = 5;
const MOST_SPLITS = 32;
const RECLAIMS = 8;
/** Channels of one batch: one, as many as go easily without a lookup table, and the most that fit with one. */
const BATCHES = [1, 10, 59];

interface Opened {
  readonly address: PublicKey;
  readonly splits: readonly Splits.Split[];
  readonly in: Economy;
}

interface OpenOptions {
  readonly splits?: number;
  readonly age?: bigint;
  readonly in?: Economy;
}

/** Measures every case, in order. Another program than ours may be unable to do some of them; they are told. */
export async function measureSession(
  vm: Vm,
  operator: Keypair,
  target: Target,
): Promise<{ rows: Row[]; missing: Record<string, string> }> {
  const bench = new SessionBench(vm, operator, target);
  const missing: Record<string, string> = {};
  for (const [name, measure] of Object.entries(bench.parts())) {
    try {
      await measure();
    } catch (error) {
      if (target.extended || !(error instanceof TransactionFailed)) throw error;
      missing[name] = error.reason;
    }
  }
  return { rows: bench.rows, missing };
}

class SessionBench {
  readonly rows: Row[] = [];
  readonly #vm: Vm;
  readonly #operator: Keypair;
  readonly #target: Target;
  readonly #spl: Economy;
  readonly #token2022: Economy;
  #salt = 0n;

  constructor(vm: Vm, operator: Keypair, target: Target) {
    this.#vm = vm;
    this.#operator = operator;
    this.#target = target;
    const { treasury } = target;
    this.#spl = found(vm, operator, { tokenProgram: TOKEN_PROGRAM_ID, treasury, recipients: MOST_SPLITS });
    this.#token2022 = found(vm, operator, { tokenProgram: TOKEN_2022_PROGRAM_ID, treasury, recipients: 0 });
  }

  /** In an order that a program without some of them can follow. */
  parts(): Record<string, () => Promise<void>> {
    const payouts = [0, FEW_SPLITS, MOST_SPLITS].map((splits) => [
      `payouts with ${splits} splits`,
      () => this.payouts(splits),
    ]);
    return {
      opens: () => this.opens(),
      debits: () => this.debits(),
      deposits: () => this.deposits(),
      endings: () => this.endings(),
      ...Object.fromEntries(payouts),
      "late payout": () => this.latePayout(),
      "payout under Token-2022": () => this.token2022Payout(),
      "close and settle": () => this.closeAndSettle(),
      reclaims: () => this.reclaims(),
      ...(this.#target.extended ? { batches: () => this.batches(), rearms: () => this.rearms() } : {}),
    };
  }

  async opens(): Promise<void> {
    await this.#open({}, ["open", "no splits"]);
    await this.#open({ splits: 1 }, ["open", "1 split"]);
    await this.#open({ splits: MOST_SPLITS }, ["open", `${MOST_SPLITS} splits`]);
    await this.#open({ in: this.#token2022 }, ["open", "no splits, Token-2022"]);
  }

  async debits(): Promise<void> {
    const channel = await this.#open();
    this.#record(["debit", "voucher without expiry"], await this.#debit(channel, 1n), []);
    this.#record(["debit", "voucher with expiry"], await this.#debit(channel, 2n, this.#vm.now + 60n), []);
    const budget = [
      ComputeBudgetProgram.setComputeUnitLimit({ units: 2_000 }),
      ComputeBudgetProgram.setComputeUnitPrice({ microLamports: 1 }),
    ];
    this.#record(
      ["debit", "with compute unit limit and price, as clients send it"],
      [...budget, ...(await this.#debit(channel, 3n))],
      [],
    );
    // The Foundation's program takes a voucher from a closing channel by `close` alone.
    if (!this.#target.extended) return;
    await this.#revoke(channel);
    this.#record(["debit", "closing, voucher without expiry"], await this.#debit(channel, 4n), []);
    this.#record(["debit", "closing, voucher with expiry"], await this.#debit(channel, 5n, this.#vm.now + 60n), []);
  }

  async deposits(): Promise<void> {
    for (const [economy, note] of [
      [this.#spl, ""],
      [this.#token2022, "Token-2022"],
    ] as const) {
      const channel = await this.#open({ in: economy });
      const { payer } = economy;
      const input = { ...this.#common(channel), payer: payer.publicKey, amount: 5n };
      this.#record(["topup", note], await session.topup(input), [payer]);
    }
  }

  async endings(): Promise<void> {
    const { payee } = this.#spl;
    this.#record(["close", "no voucher"], await this.#close(await this.#open()), [payee]);
    this.#record(["close", "with voucher"], await this.#close(await this.#open(), 10n), [payee]);
    const closing = await this.#open();
    this.#record(["revoke", ""], await this.#revokeInstructions(closing), [this.#spl.payer]);
    this.#record(["close", "closing, with voucher"], await this.#close(closing, 10n), [payee]);
    const left = await this.#open();
    await this.#revoke(left);
    this.#vm.pass({ seconds: BigInt(GRACE) });
    const { programId } = this.#common(left);
    this.#record(["seal", ""], await session.seal({ channel: left.address, programId }), []);
    const payer = this.#spl.payer;
    const withdraw = await session.withdrawPayer({ ...this.#common(left), payer: payer.publicKey });
    this.#record(["withdraw_payer", ""], withdraw, [payer]);
    this.#record(["settle", "sealed, payer withdrew before"], await this.#settle(left), []);
  }

  async payouts(splits: number): Promise<void> {
    const note = splits === 0 ? "one payee" : `payee and ${splits} splits`;
    const channel = await this.#open({ splits });
    this.#run(await this.#debit(channel, 10_000n));
    this.#record(["settle", `open, ${note}`], await this.#settle(channel), []);
    this.#run(await this.#close(channel, 20_000n), [this.#spl.payee]);
    this.#record(["settle", `final, ${note}`], await this.#settle(channel), []);
  }

  async latePayout(): Promise<void> {
    const channel = await this.#open({ age: WINDOW - 5n });
    this.#run(await this.#close(channel, 10_000n), [this.#spl.payee]);
    this.#vm.pass({ slots: 10n });
    const note = "final, one payee, after the window: also frees the channel";
    this.#record(["settle", note], await this.#settle(channel), []);
  }

  async token2022Payout(): Promise<void> {
    const channel = await this.#open({ in: this.#token2022 });
    this.#run(await this.#close(channel, 10_000n), [channel.in.payee]);
    this.#record(["settle", "final, one payee, Token-2022"], await this.#settle(channel), []);
  }

  async closeAndSettle(): Promise<void> {
    const channel = await this.#open();
    const end = [...(await this.#close(channel, 10_000n)), ...(await this.#settle(channel))];
    this.#record(["close + settle", "a session's end in one transaction, with voucher"], end, [this.#spl.payee]);
  }

  async reclaims(): Promise<void> {
    const channels: Opened[] = [];
    for (let i = 0; i <= RECLAIMS; i++) {
      const channel = await this.#open();
      this.#run([...(await this.#close(channel)), ...(await this.#settle(channel))], [this.#spl.payee]);
      channels.push(channel);
    }
    this.#vm.pass({ slots: WINDOW + 1n });
    const all: TransactionInstruction[] = [];
    for (const { address } of channels) {
      const { id: programId } = this.#target;
      const rentPayer = this.#operator.publicKey;
      all.push(...(await session.reclaim({ channel: address, rentPayer, programId })));
    }
    this.#record(["reclaim", ""], all.slice(0, 1), []);
    this.#record(["reclaim", `${RECLAIMS} in a transaction, together`], all.slice(1), []);
  }

  async batches(): Promise<void> {
    const { payer } = this.#spl;
    const opened: Opened[] = [];
    for (const count of BATCHES) while (opened.length < count) opened.push(await this.#open());
    for (const [round, count] of BATCHES.entries()) {
      const batch = BatchVoucher.from({
        programId: this.#target.id.toBase58(),
        entries: opened.slice(0, count).map(({ address }) => ({
          channelId: address.toBase58(),
          cumulativeAmount: BigInt(100 * (round + 1)),
        })),
      });
      const instructions = await session.debitBatch({ voucher: await signBatchVoucher(batch, payer) });
      const tables = count > 18 ? [this.#table(batch.entries.map(({ channelId }) => new PublicKey(channelId)))] : [];
      const plural = count === 1 ? "1 channel" : `${count} channels`;
      this.#record(["debit_batch", plural + (tables.length > 0 ? ", lookup table" : "")], instructions, [], tables);
    }
  }

  async rearms(): Promise<void> {
    const { payee } = this.#spl;
    for (const [amount, note] of [
      [undefined, "no voucher"],
      [20_000n, "with voucher"],
    ] as const) {
      const channel = await this.#open();
      this.#run(await this.#debit(channel, 10_000n));
      const proof = amount === undefined ? {} : { voucher: await this.#voucher(channel, amount, 0n) };
      const instructions = await session.rearm({ ...this.#parties(channel), createAccounts: false, ...proof });
      this.#record(["rearm", note], instructions, [payee]);
    }
  }

  /** Opens a channel whose address and escrow have bump 255. */
  async #open({ splits = 0, age = 0n, in: economy = this.#spl }: OpenOptions = {}, name?: [string, string]) {
    const { payer, payee, mint, tokenProgram, recipients } = economy;
    const programId = this.#target.id;
    const openSlot = this.#vm.slot - age;
    const authorizedSigner = payer.publicKey;
    const seeds = { payer: payer.publicKey, payee: payee.publicKey, mint, tokenProgram, authorizedSigner, openSlot };
    const { salt, channel } = grindSalt(seeds, { programId, start: this.#salt });
    this.#salt = salt + 1n;
    const shares = recipients.slice(0, splits).map((owner) => ({ recipient: owner.toBase58(), shareBps: 100 }));
    const instructions = await session.open({
      ...seeds,
      programId,
      salt,
      rentPayer: this.#operator.publicKey,
      deposit: DEPOSIT,
      gracePeriod: GRACE,
    });
    const opening = instructions.map((instruction) => withSplits(instruction, shares));
    if (name) this.#record(name, opening, [payer]);
    else this.#run(opening, [payer]);
    if (!this.#vm.exists(escrowAddress(channel, mint, tokenProgram))) throw new Error("no escrow was made");
    return { address: channel, splits: shares, in: economy };
  }

  #common(channel: Opened) {
    const { mint, tokenProgram } = channel.in;
    return { programId: this.#target.id, channel: channel.address, mint, tokenProgram };
  }

  #parties(channel: Opened) {
    const { payer, payee } = channel.in;
    return { ...this.#common(channel), payer: payer.publicKey, payee: payee.publicKey };
  }

  #voucher({ address, in: { payer } }: Opened, cumulativeAmount: bigint, expiresAt: bigint) {
    return signVoucher({ channelId: address.toBase58(), cumulativeAmount, expiresAt }, payer);
  }

  async #debit(channel: Opened, amount: bigint, expiresAt = 0n) {
    return session.debit({ programId: this.#target.id, voucher: await this.#voucher(channel, amount, expiresAt) });
  }

  async #close(channel: Opened, amount?: bigint) {
    const voucher = amount === undefined ? {} : { voucher: await this.#voucher(channel, amount, 0n) };
    const payee = channel.in.payee.publicKey;
    return session.close({ programId: this.#target.id, channel: channel.address, payee, ...voucher });
  }

  #revokeInstructions(channel: Opened) {
    const payer = channel.in.payer.publicKey;
    return session.revoke({ programId: this.#target.id, channel: channel.address, payer });
  }

  async #revoke(channel: Opened): Promise<void> {
    this.#run(await this.#revokeInstructions(channel), [channel.in.payer]);
  }

  async #settle(channel: Opened): Promise<TransactionInstruction[]> {
    const { treasury } = this.#target;
    const rentPayer = this.#operator.publicKey;
    const parties = this.#parties(channel);
    const instructions = await session.settle({ ...parties, rentPayer, treasury, createAccounts: false });
    const accounts = channel.splits.map(({ recipient }) =>
      tokenAddress(new PublicKey(recipient), parties.mint, parties.tokenProgram),
    );
    return instructions.map((instruction) => withSplits(instruction, channel.splits, accounts));
  }

  /** A lookup table that was extended before this slot. */
  #table(addresses: readonly PublicKey[]): AddressLookupTableAccount {
    const table = key("table").publicKey;
    const state = {
      deactivationSlot: 2n ** 64n - 1n,
      lastExtendedSlot: 0,
      lastExtendedSlotStartIndex: 0,
      addresses: [...addresses],
    };
    const data = Buffer.alloc(56 + 32 * addresses.length);
    data.writeUInt32LE(1, 0);
    data.writeBigUInt64LE(state.deactivationSlot, 4);
    for (const [i, address] of addresses.entries()) data.set(address.toBytes(), 56 + 32 * i);
    this.#vm.put(table, AddressLookupTableProgram.programId, data);
    return new AddressLookupTableAccount({ key: table, state });
  }

  #run(instructions: readonly TransactionInstruction[], signers: readonly Keypair[] = []): void {
    this.#vm.run(instructions, signers, this.#target.id);
  }

  #record(
    [instruction, note]: readonly [string, string],
    instructions: readonly TransactionInstruction[],
    signers: readonly Keypair[],
    tables: readonly AddressLookupTableAccount[] = [],
  ): void {
    const cost = this.#vm.run(instructions, signers, this.#target.id, tables);
    this.rows.push({ id: note === "" ? instruction : `${instruction}: ${note}`, program: "mppsol_session", ...cost });
  }
}

/**
 * The instruction, built without splits, with these. Its last argument is the list. The builders take no more splits
 * than can be paid in today's transactions; the program takes 32.
 */
function withSplits(
  { programId, keys, data }: TransactionInstruction,
  splits: readonly Splits.Split[],
  accounts: readonly PublicKey[] = [],
): TransactionInstruction {
  const none = Splits.encode([]).length;
  return new TransactionInstruction({
    programId,
    keys: [...keys, ...accounts.map((pubkey) => ({ pubkey, isSigner: false, isWritable: true }))],
    data: Buffer.concat([data.subarray(0, data.length - none), Splits.encode(splits)]),
  });
}
