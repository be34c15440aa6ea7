// Channels of one program under measurement: opening them, building their instructions, recording what those cost.
import { Splits } from "@mppsol/core";
import { escrowAddress, grindSalt, session, signVoucher, tokenAddress } from "@mppsol/programs";
import { type Keypair, PublicKey, TransactionInstruction } from "@solana/web3.js";
import type { Economy } from "./economy.js";
import { Recorder } from "./row.js";
import type { Program, Vm } from "./vm.js";

/** A channel program: ours, or another with the standard's instructions. */
export interface Target extends Program {
  readonly treasury: PublicKey;
  /** Whether it has our instructions from byte 32 up. */
  readonly extended: boolean;
}

export const GRACE = 900;
const DEPOSIT = 1_000_000n;

/** An open channel. */
export interface Opened {
  readonly address: PublicKey;
  readonly splits: readonly Splits.Split[];
  readonly in: Economy;
}

export interface OpenOptions {
  readonly splits?: number;
  readonly in: Economy;
}

export class Channels extends Recorder {
  readonly operator: Keypair;
  readonly target: Target;
  #salt = 0n;

  /** `operator` pays every fee and all rent. */
  constructor(vm: Vm, operator: Keypair, target: Target) {
    super(vm, target);
    this.operator = operator;
    this.target = target;
  }

  /** Opens a channel whose address and escrow have bump 255. */
  async open(options: OpenOptions): Promise<Opened> {
    const { channel, instructions } = await this.opening(options);
    this.run(instructions, [channel.in.payer]);
    const { mint, tokenProgram } = channel.in;
    if (!this.vm.exists(escrowAddress(channel.address, mint, tokenProgram))) throw new Error("no escrow was made");
    return channel;
  }

  /** The instructions that open one. */
  async opening({
    splits = 0,
    in: economy,
  }: OpenOptions): Promise<{ channel: Opened; instructions: TransactionInstruction[] }> {
    const { payer, payee, mint, tokenProgram, recipients } = economy;
    const programId = this.target.id;
    const openSlot = this.vm.slot;
    const authorizedSigner = payer.publicKey;
    const seeds = { payer: payer.publicKey, payee: payee.publicKey, mint, tokenProgram, authorizedSigner, openSlot };
    const { salt, channel } = grindSalt(seeds, { programId, start: this.#salt });
    this.#salt = salt + 1n;
    const shares = recipients.slice(0, splits).map((owner) => ({ recipient: owner.toBase58(), shareBps: 100 }));
    const instructions = await session.open({
      ...seeds,
      programId,
      salt,
      rentPayer: this.operator.publicKey,
      deposit: DEPOSIT,
      gracePeriod: GRACE,
    });
    return {
      channel: { address: channel, splits: shares, in: economy },
      instructions: instructions.map((instruction) => withSplits(instruction, shares)),
    };
  }

  /** Program, address and token of a channel, as the builders take them. */
  common(channel: Opened) {
    const { mint, tokenProgram } = channel.in;
    return { programId: this.target.id, channel: channel.address, mint, tokenProgram };
  }

  /** The same with payer and payee. */
  parties(channel: Opened) {
    const { payer, payee } = channel.in;
    return { ...this.common(channel), payer: payer.publicKey, payee: payee.publicKey };
  }

  voucher({ address, in: { payer } }: Opened, cumulativeAmount: bigint, expiresAt = 0n) {
    return signVoucher({ channelId: address.toBase58(), cumulativeAmount, expiresAt }, payer);
  }

  async debit(channel: Opened, amount: bigint, expiresAt = 0n): Promise<TransactionInstruction[]> {
    return session.debit({ programId: this.target.id, voucher: await this.voucher(channel, amount, expiresAt) });
  }

  /** With a voucher when there is an amount. */
  async close(channel: Opened, amount?: bigint): Promise<TransactionInstruction[]> {
    const voucher = amount === undefined ? {} : { voucher: await this.voucher(channel, amount, 0n) };
    const payee = channel.in.payee.publicKey;
    return session.close({ programId: this.target.id, channel: channel.address, payee, ...voucher });
  }

  revoke(channel: Opened): Promise<TransactionInstruction[]> {
    const payer = channel.in.payer.publicKey;
    return session.revoke({ programId: this.target.id, channel: channel.address, payer });
  }

  async topup(channel: Opened): Promise<TransactionInstruction[]> {
    return session.topup({ ...this.common(channel), payer: channel.in.payer.publicKey, amount: 5n });
  }

  async seal(channel: Opened): Promise<TransactionInstruction[]> {
    return session.seal({ programId: this.target.id, channel: channel.address });
  }

  async reclaim(channel: Opened): Promise<TransactionInstruction[]> {
    const rentPayer = this.operator.publicKey;
    return session.reclaim({ programId: this.target.id, channel: channel.address, rentPayer });
  }

  async settle(channel: Opened): Promise<TransactionInstruction[]> {
    const { treasury } = this.target;
    const rentPayer = this.operator.publicKey;
    const parties = this.parties(channel);
    const instructions = await session.settle({ ...parties, rentPayer, treasury, createAccounts: false });
    const accounts = channel.splits.map(({ recipient }) =>
      tokenAddress(new PublicKey(recipient), parties.mint, parties.tokenProgram),
    );
    return instructions.map((instruction) => withSplits(instruction, channel.splits, accounts));
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
