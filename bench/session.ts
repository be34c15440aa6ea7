// The cases of the session program: every instruction, in each of the ways that cost differently.
import { BatchVoucher } from "@mppsol/core";
import { OPEN_SLOT_WINDOW, session, signBatchVoucher } from "@mppsol/programs";
import { TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID } from "@solana/spl-token";
import {
  AddressLookupTableAccount,
  AddressLookupTableProgram,
  ComputeBudgetProgram,
  type Keypair,
  PublicKey,
  type TransactionInstruction,
} from "@solana/web3.js";
import { Channels, GRACE, type Opened, type OpenOptions, type Target } from "./channels.js";
import { type Economy, found } from "./economy.js";
import { key } from "./keys.js";
import { measureAsQuoted } from "./quoted.js";
import type { Row } from "./row.js";
import { TransactionFailed, type Vm } from "./vm.js";

const FEW_SPLITS = 5;
const MOST_SPLITS = 32;
const RECLAIMS = 8;
/** Channels of one batch: one, as many as go easily without a lookup table, and the most that fit with one. */
const BATCHES = [1, 10, 59];
/** Most channels of one batch without a lookup table. */
const WITHOUT_TABLE = 18;

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
  return { rows: bench.channels.rows, missing };
}

class SessionBench {
  readonly channels: Channels;
  readonly #spl: Economy;
  readonly #token2022: Economy;

  constructor(vm: Vm, operator: Keypair, target: Target) {
    this.channels = new Channels(vm, operator, target);
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
      "as quoted": () => measureAsQuoted(this.channels),
      ...(this.channels.target.extended ? { batches: () => this.batches(), rearms: () => this.rearms() } : {}),
    };
  }

  async opens(): Promise<void> {
    for (const [note, options] of [
      ["no splits", {}],
      ["1 split", { splits: 1 }],
      [`${MOST_SPLITS} splits`, { splits: MOST_SPLITS }],
      ["no splits, Token-2022", { in: this.#token2022 }],
    ] as const) {
      const { channel, instructions } = await this.channels.opening({ in: this.#spl, ...options });
      this.channels.record(["open", note], instructions, [channel.in.payer]);
    }
  }

  async debits(): Promise<void> {
    const channel = await this.#open();
    this.channels.record(["debit", "voucher without expiry"], await this.channels.debit(channel, 1n), []);
    this.channels.record(
      ["debit", "voucher with expiry"],
      await this.channels.debit(channel, 2n, this.channels.vm.now + 60n),
      [],
    );
    const budget = [
      ComputeBudgetProgram.setComputeUnitLimit({ units: 2_000 }),
      ComputeBudgetProgram.setComputeUnitPrice({ microLamports: 1 }),
    ];
    this.channels.record(
      ["debit", "with compute unit limit and price, as clients send it"],
      [...budget, ...(await this.channels.debit(channel, 3n))],
      [],
    );
    // The Foundation's program takes a voucher from a closing channel by `close` alone.
    if (!this.channels.target.extended) return;
    await this.#revoke(channel);
    this.channels.record(["debit", "closing, voucher without expiry"], await this.channels.debit(channel, 4n), []);
    this.channels.record(
      ["debit", "closing, voucher with expiry"],
      await this.channels.debit(channel, 5n, this.channels.vm.now + 60n),
      [],
    );
  }

  async deposits(): Promise<void> {
    for (const [economy, note] of [
      [this.#spl, ""],
      [this.#token2022, "Token-2022"],
    ] as const) {
      const channel = await this.#open({ in: economy });
      this.channels.record(["topup", note], await this.channels.topup(channel), [economy.payer]);
    }
  }

  async endings(): Promise<void> {
    const { payee } = this.#spl;
    this.channels.record(["close", "no voucher"], await this.channels.close(await this.#open()), [payee]);
    this.channels.record(["close", "with voucher"], await this.channels.close(await this.#open(), 10n), [payee]);
    const closing = await this.#open();
    this.channels.record(["revoke", ""], await this.channels.revoke(closing), [this.#spl.payer]);
    this.channels.record(["close", "closing, with voucher"], await this.channels.close(closing, 10n), [payee]);
    const left = await this.#open();
    await this.#revoke(left);
    this.channels.vm.pass({ seconds: BigInt(GRACE) });
    this.channels.record(["seal", ""], await this.channels.seal(left), []);
    const payer = this.#spl.payer;
    const withdraw = await session.withdrawPayer({ ...this.channels.common(left), payer: payer.publicKey });
    this.channels.record(["withdraw_payer", ""], withdraw, [payer]);
    this.channels.record(["settle", "sealed, payer withdrew before"], await this.channels.settle(left), []);
  }

  async payouts(splits: number): Promise<void> {
    const note = splits === 0 ? "one payee" : `payee and ${splits} splits`;
    const channel = await this.#open({ splits });
    this.channels.run(await this.channels.debit(channel, 10_000n));
    this.channels.record(["settle", `open, ${note}`], await this.channels.settle(channel), []);
    this.channels.run(await this.channels.close(channel, 20_000n), [this.#spl.payee]);
    this.channels.record(["settle", `final, ${note}`], await this.channels.settle(channel), []);
  }

  async latePayout(): Promise<void> {
    const channel = await this.#open();
    this.channels.run(await this.channels.close(channel, 10_000n), [this.#spl.payee]);
    this.channels.vm.pass({ slots: OPEN_SLOT_WINDOW + 1n });
    const note = "final, one payee, after the window: also frees the channel";
    this.channels.record(["settle", note], await this.channels.settle(channel), []);
  }

  async token2022Payout(): Promise<void> {
    const channel = await this.#open({ in: this.#token2022 });
    this.channels.run(await this.channels.close(channel, 10_000n), [channel.in.payee]);
    this.channels.record(["settle", "final, one payee, Token-2022"], await this.channels.settle(channel), []);
  }

  async closeAndSettle(): Promise<void> {
    const channel = await this.#open();
    const end = [...(await this.channels.close(channel, 10_000n)), ...(await this.channels.settle(channel))];
    this.channels.record(["close + settle", "a session's end in one transaction, with voucher"], end, [
      this.#spl.payee,
    ]);
  }

  async reclaims(): Promise<void> {
    const channels: Opened[] = [];
    for (let i = 0; i <= RECLAIMS; i++) {
      const channel = await this.#open();
      this.channels.run(
        [...(await this.channels.close(channel)), ...(await this.channels.settle(channel))],
        [this.#spl.payee],
      );
      channels.push(channel);
    }
    this.channels.vm.pass({ slots: OPEN_SLOT_WINDOW + 1n });
    const all: TransactionInstruction[] = [];
    for (const channel of channels) all.push(...(await this.channels.reclaim(channel)));
    this.channels.record(["reclaim", ""], all.slice(0, 1), []);
    this.channels.record(["reclaim", `${RECLAIMS} in a transaction, together`], all.slice(1), []);
  }

  async batches(): Promise<void> {
    const { payer } = this.#spl;
    const opened: Opened[] = [];
    for (const count of BATCHES) while (opened.length < count) opened.push(await this.#open());
    for (const [round, count] of BATCHES.entries()) {
      const batch = BatchVoucher.from({
        programId: this.channels.target.id.toBase58(),
        entries: opened.slice(0, count).map(({ address }) => ({
          channelId: address.toBase58(),
          cumulativeAmount: BigInt(100 * (round + 1)),
        })),
      });
      const instructions = await session.debitBatch({ voucher: await signBatchVoucher(batch, payer) });
      const tables =
        count > WITHOUT_TABLE ? [this.#table(batch.entries.map(({ channelId }) => new PublicKey(channelId)))] : [];
      const plural = count === 1 ? "1 channel" : `${count} channels`;
      this.channels.record(
        ["debit_batch", plural + (tables.length > 0 ? ", lookup table" : "")],
        instructions,
        [],
        tables,
      );
    }
  }

  async rearms(): Promise<void> {
    const { payee } = this.#spl;
    for (const [amount, note] of [
      [undefined, "no voucher"],
      [20_000n, "with voucher"],
    ] as const) {
      const channel = await this.#open();
      this.channels.run(await this.channels.debit(channel, 10_000n));
      const proof = amount === undefined ? {} : { voucher: await this.channels.voucher(channel, amount) };
      const instructions = await session.rearm({ ...this.channels.parties(channel), createAccounts: false, ...proof });
      this.channels.record(["rearm", note], instructions, [payee]);
    }
  }

  #open(options: Partial<OpenOptions> = {}): Promise<Opened> {
    return this.channels.open({ in: this.#spl, ...options });
  }

  async #revoke(channel: Opened): Promise<void> {
    this.channels.run(await this.channels.revoke(channel), [channel.in.payer]);
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
    this.channels.vm.put(table, AddressLookupTableProgram.programId, data);
    return new AddressLookupTableAccount({ key: table, state });
  }
}
