// The cases of mppsol_cpi: payments with receipts, called by a wallet.
import { OPEN_SLOT_WINDOW, PAY_PROGRAM_ID, payments, receiptAddress, signAttestation } from "@mppsol/programs";
import { TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID } from "@solana/spl-token";
import { type Keypair, PublicKey } from "@solana/web3.js";
import { Channels, type Target } from "./channels.js";
import { type Economy, found } from "./economy.js";
import { Recorder, type Row } from "./row.js";
import type { Program, Vm } from "./vm.js";

const AMOUNT = 2_500n;
const LIFETIME = 600n;
const REQUEST = new Uint8Array(32).fill(7);
const RESULT = new Uint8Array(32).fill(9);

/** Measures every case, in order. `sessions` is the channel program that payments can draw on. */
export async function measurePay(vm: Vm, operator: Keypair, program: Program, sessions: Target): Promise<Row[]> {
  const bench = new PayBench(vm, operator, program, sessions);
  await bench.atOnce();
  await bench.attested();
  await bench.token2022();
  await bench.fromSession();
  return bench.recorder.rows;
}

class PayBench {
  readonly recorder: Recorder;
  readonly #vm: Vm;
  readonly #operator: Keypair;
  readonly #channels: Channels;
  readonly #spl: Economy;

  constructor(vm: Vm, operator: Keypair, program: Program, sessions: Target) {
    this.recorder = new Recorder(vm, program);
    this.#vm = vm;
    this.#operator = operator;
    this.#channels = new Channels(vm, operator, sessions);
    this.#spl = this.#found(TOKEN_PROGRAM_ID);
  }

  #found(tokenProgram: PublicKey): Economy {
    const treasury = this.#channels.target.treasury;
    return found(this.#vm, this.#operator, { label: "pay", tokenProgram, treasury, recipients: 0 });
  }

  /** Paid and consumed without an attestation. */
  async atOnce(): Promise<void> {
    const { payer } = this.#spl;
    const { receipt, instructions } = await this.#pay(this.#spl, false);
    this.recorder.record(["pay", ""], instructions, [payer]);
    const expected = { ...this.#expected(), result: "as-paid" as const };
    this.recorder.record(["verify", "as paid"], await payments.verify({ receipt, expected }));
    await this.#use("consume", "", receipt);
    this.#vm.pass({ slots: OPEN_SLOT_WINDOW + 1n });
    const close = await payments.closeReceipt({ receipt, rentPayer: this.#operator.publicKey });
    this.recorder.record(["close_receipt", ""], close);
  }

  /** Paid on the condition of an attestation, given in either way. */
  async attested(): Promise<void> {
    const { payer, payee } = this.#spl;
    const first = await this.#pay(this.#spl, true);
    this.recorder.record(["pay", "needs an attestation, expires"], first.instructions, [payer]);
    const own = await payments.attest({ receipt: first.receipt, recipient: payee.publicKey, resultHash: RESULT });
    this.recorder.record(["attest", "recipient signs"], own, [payee]);
    const second = await this.#pay(this.#spl, true);
    this.recorder.run(second.instructions, [payer]);
    const attestation = { receipt: second.receipt.toBase58(), requestHash: REQUEST, resultHash: RESULT };
    const signed = await payments.attestSigned(await signAttestation(attestation, payee));
    this.recorder.record(["attest", "Ed25519 instruction"], signed);
    const expected = { ...this.#expected(), payer: payer.publicKey, result: { hash: RESULT } };
    const question = { receipt: second.receipt, expected };
    this.recorder.record(["verify", "payer and result hash"], await payments.verify(question));
    await this.#use("consume", "attested", second.receipt);
  }

  async token2022(): Promise<void> {
    const economy = this.#found(TOKEN_2022_PROGRAM_ID);
    const { instructions } = await this.#pay(economy, false);
    this.recorder.record(["pay", "Token-2022"], instructions, [economy.payer]);
  }

  async fromSession(): Promise<void> {
    const { payer } = this.#spl;
    const channel = await this.#channels.open({ in: this.#spl });
    const { nonce } = this.#receipt(channel.address);
    const instructions = await payments.payFromSession({
      ...this.#terms(nonce, true),
      authority: payer.publicKey,
      rentPayer: this.#operator.publicKey,
      voucher: await this.#channels.voucher(channel, AMOUNT),
    });
    this.recorder.record(["pay_from_session", ""], instructions, [payer]);
  }

  async #use(instruction: string, note: string, receipt: PublicKey): Promise<void> {
    const consume = await payments.consume({ receipt, consumer: this.#operator.publicKey });
    this.recorder.record([instruction, note], consume);
  }

  async #pay({ mint, tokenProgram, payer, payee }: Economy, needsAttestation: boolean) {
    const { receipt, nonce } = this.#receipt(payer.publicKey);
    const instructions = await payments.pay({
      ...this.#terms(nonce, needsAttestation),
      mint,
      tokenProgram,
      payer: payer.publicKey,
      rentPayer: this.#operator.publicKey,
      recipient: payee.publicKey,
      needsAttestation,
    });
    return { receipt, instructions };
  }

  #terms(nonce: bigint, expires: boolean) {
    return {
      amount: AMOUNT,
      requestHash: REQUEST,
      nonce,
      paySlot: this.#vm.slot,
      expiresAt: expires ? this.#vm.now + LIFETIME : 0n,
      consumer: this.#operator.publicKey,
    };
  }

  #expected() {
    const { mint, payee } = this.#spl;
    const recipient = payee.publicKey;
    return { recipient, mint, amount: AMOUNT, requestHash: REQUEST, consumer: this.#operator.publicKey };
  }

  #receipt(source: PublicKey): { receipt: PublicKey; nonce: bigint } {
    return nextReceipt(this.#vm, source);
  }
}

/** The next receipt of a source whose address has bump 255. */
export function nextReceipt(vm: Vm, source: PublicKey): { receipt: PublicKey; nonce: bigint } {
  for (let nonce = 0n; ; nonce++) {
    const receipt = receiptAddress({ source, nonce, paySlot: vm.slot });
    if (!vm.exists(receipt) && receiptBump(receipt, source, nonce, vm.slot) === 255) return { receipt, nonce };
  }
}

function receiptBump(receipt: PublicKey, source: PublicKey, nonce: bigint, slot: bigint): number {
  const numbers = Buffer.alloc(16);
  numbers.writeBigUInt64LE(nonce, 0);
  numbers.writeBigUInt64LE(slot, 8);
  const seeds = [Buffer.from("receipt"), source.toBytes(), numbers.subarray(0, 8), numbers.subarray(8)];
  const [address, bump] = PublicKey.findProgramAddressSync(seeds, PAY_PROGRAM_ID);
  if (!address.equals(receipt)) throw new Error("the seeds of a receipt are others now");
  return bump;
}
