// One measured case, and what collects them.
import type { AddressLookupTableAccount, Keypair, TransactionInstruction } from "@solana/web3.js";
import type { Cost, Program, Vm } from "./vm.js";

export interface Row extends Cost {
  /** Stable: the instruction, then the case. */
  readonly id: string;
  /** Name of the program. */
  readonly program: string;
}

/** Name of an instruction, and what is special about the case. */
export type Case = readonly [instruction: string, note: string];

/** Runs transactions of one program and keeps what they cost. */
export class Recorder {
  readonly rows: Row[] = [];
  readonly vm: Vm;
  readonly program: Program;

  constructor(vm: Vm, program: Program) {
    this.vm = vm;
    this.program = program;
  }

  /** Runs what must succeed. */
  run(instructions: readonly TransactionInstruction[], signers: readonly Keypair[] = []): void {
    this.vm.run(instructions, signers, this.program.id);
  }

  /** Runs what must succeed and keeps what it cost. */
  record(
    [instruction, note]: Case,
    instructions: readonly TransactionInstruction[],
    signers: readonly Keypair[] = [],
    tables: readonly AddressLookupTableAccount[] = [],
  ): void {
    const cost = this.vm.run(instructions, signers, this.program.id, tables);
    const id = note === "" ? instruction : `${instruction}: ${note}`;
    this.rows.push({ id, program: this.program.name, ...cost });
  }
}
