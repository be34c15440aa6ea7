// The name of a refusal, from everything that web3.js, Anchor, simulations and LiteSVM throw or return.
import anchor from "@coral-xyz/anchor";
import { decodeError, FOUNDATION_CHANNEL_PROGRAM_ID, SESSION_PROGRAM_ID, session } from "@mppsol/programs";
import { TOKEN_PROGRAM_ID } from "@solana/spl-token";
import { Ed25519Program, SendTransactionError, SystemProgram } from "@solana/web3.js";
import { expect } from "chai";
import fc from "fast-check";
import { mppsolSessionIdl } from "../../sdk/programs/src/generated/mppsol_session.ts";
import { channel, key, voucher } from "./helpers.ts";

const id = SESSION_PROGRAM_ID.toBase58();
const caller = key(50).toBase58();
const failed = (program: string, code: number) => [
  `Program ${program} invoke [1]`,
  `Program ${program} consumed 100 of 200000 compute units`,
  `Program ${program} failed: custom program error: 0x${code.toString(16)}`,
];
const logs = failed(id, 234);
const name = (error: unknown, context = {}) => decodeError(error, context)?.name;

describe("decoding an error", () => {
  it("names every number of the IDL, those that Anchor has too included", () => {
    for (const { code, name: expected, msg } of mppsolSessionIdl.errors) {
      expect(decodeError({ logs: failed(id, code) })).to.deep.equal({
        program: id,
        code,
        name: expected,
        message: msg,
        instructionIndex: undefined,
      });
    }
    // Anchor's own names for these are ConstraintRaw, ConstraintOwner and ConstraintHasOne.
    expect([2003, 2004, 2001].map((code) => name({ logs: failed(id, code) }))).to.deep.equal([
      "OpenSlotOutOfWindow",
      "Custom",
      "PayerPayeeMustDiffer",
    ]);
  });

  it("reads web3.js' SendTransactionError, with its logs", () => {
    const transactionMessage =
      "Transaction simulation failed: Error processing Instruction 1: custom program error: 0xea";
    const error = new SendTransactionError({ action: "simulate", signature: "", transactionMessage, logs });
    expect(decodeError(error)).to.deep.include({ program: id, code: 234, name: "VoucherWatermarkNotMonotonic" });
    expect(decodeError(error)?.instructionIndex).to.equal(1);
  });

  it("reads one without logs, by the transaction's instructions", async () => {
    const transactionMessage =
      "Transaction simulation failed: Error processing Instruction 1: custom program error: 0x2";
    const error = new SendTransactionError({ action: "send", signature: "", transactionMessage });
    const instructions = await session.debit({ voucher });
    expect(decodeError(error, { instructions })).to.deep.include({ program: id, name: "InvalidChannelStatus" });
    expect(decodeError(error)).to.deep.include({ program: undefined, code: 2, name: "Custom" });
  });

  it("reads the status of a transaction, an RPC answer, and the answer to a simulation", () => {
    const err = { InstructionError: [1, { Custom: 235 }] };
    const simulation = { context: { slot: 1 }, value: { err, logs: failed(id, 235) } };
    const rpc = {
      error: { code: -32002, message: "Transaction simulation failed", data: { err, logs: failed(id, 235) } },
    };
    for (const error of [err, { err }, { meta: { err } }, { value: { err } }, simulation, rpc, [err][0]]) {
      expect(decodeError(error)).to.deep.include({ code: 235, name: "VoucherOverDeposit", instructionIndex: 1 });
    }
  });

  it("reads the messages that web3.js builds around a status", () => {
    const error = new Error('Raw transaction abc failed ({"err":{"InstructionError":[2,{"Custom":231}]}})');
    expect(decodeError(error)).to.deep.include({ code: 231, name: "MalformedEd25519Instruction", instructionIndex: 2 });
    expect(decodeError(error.message)?.code).to.equal(231);
  });

  it("reads Anchor's errors, and corrects the name that Anchor gives", () => {
    const lines = failed(id, 2003);
    const translated = anchor.translateError({ logs: lines, message: "custom program error: 0x7d3" }, new Map());
    expect(decodeError(translated)).to.deep.include({ program: id, code: 2003, name: "OpenSlotOutOfWindow" });
  });

  it("reads an error that is another's cause", () => {
    expect(name(new Error("payment failed", { cause: { logs } }))).to.equal("VoucherWatermarkNotMonotonic");
  });

  it("reads LiteSVM's failed transaction", () => {
    const result = { err: () => ({ index: 0 }), meta: () => ({ logs: () => logs }) };
    expect(decodeError(result)).to.deep.include({ program: id, code: 234 });
  });

  it("reads numbers that a client gives as bigint", () => {
    expect(name({ InstructionError: [0n, { Custom: 234n }] })).to.equal("VoucherWatermarkNotMonotonic");
  });

  it("blames the program that failed first, not those that called it", () => {
    const nested = [
      `Program ${caller} invoke [1]`,
      `Program ${id} invoke [2]`,
      `Program ${TOKEN_PROGRAM_ID.toBase58()} invoke [3]`,
      `Program ${TOKEN_PROGRAM_ID.toBase58()} failed: custom program error: 0x1`,
      `Program ${id} failed: custom program error: 0x1`,
      `Program ${caller} failed: custom program error: 0x1`,
    ];
    const decoded = decodeError({ logs: nested, err: { InstructionError: [0, { Custom: 1 }] } });
    expect(decoded).to.deep.include({ program: TOKEN_PROGRAM_ID.toBase58(), name: "InsufficientFunds" });
  });

  it("is not misled by what programs log themselves", () => {
    const forged = [
      `Program log: Program ${id} failed: custom program error: 0x1`,
      "Program log: failed: custom program error: 0x1",
      ...failed(caller, 6000),
    ];
    expect(decodeError({ logs: forged })).to.deep.include({ program: caller, code: 6000, name: "Custom" });
  });

  it("names what the token, system and Ed25519 programs refuse", () => {
    const system = { logs: failed(SystemProgram.programId.toBase58(), 1) };
    expect(name(system)).to.equal("ResultWithNegativeLamports");
    expect(name({ logs: failed(TOKEN_PROGRAM_ID.toBase58(), 17) })).to.equal("AccountFrozen");
    const signature = { InstructionError: [0, { Custom: 2 }] };
    expect(name(signature, { program: Ed25519Program.programId })).to.equal("InvalidSignature");
  });

  it("names the Foundation's refusals as the standard does", () => {
    expect(name({ logs: failed(FOUNDATION_CHANNEL_PROGRAM_ID.toBase58(), 238) })).to.equal("VoucherBadMagic");
  });

  it("takes an unknown Anchor program's own word", () => {
    const lines = [
      `Program ${caller} invoke [1]`,
      "Program log: AnchorError thrown in src/lib.rs:1. Error Code: TooLate. Error Number: 6001. Error Message: It is too late.",
      `Program ${caller} failed: custom program error: 0x1771`,
    ];
    expect(decodeError({ logs: lines })).to.deep.include({ name: "TooLate", message: "It is too late" });
  });

  it("does not guess at numbers that many programs share when nothing says whose they are", () => {
    expect(name({ InstructionError: [0, { Custom: 1 }] })).to.equal("Custom");
    expect(name({ InstructionError: [0, { Custom: 1 }] }, { program: SESSION_PROGRAM_ID })).to.equal(
      "MissingRequiredSignature",
    );
    expect(name({ InstructionError: [0, { Custom: 7008 }] })).to.equal("ChannelInvariantViolated");
  });

  it("gives the runtime's own errors by their name, without a number", () => {
    const error = { InstructionError: [3, "MissingAccount"] };
    expect(decodeError(error)).to.deep.include({ code: undefined, name: "MissingAccount", instructionIndex: 3 });
    const budget = { logs: [`Program ${id} invoke [1]`, `Program ${id} failed: Computational budget exceeded`] };
    expect(decodeError(budget)).to.deep.include({
      program: id,
      code: undefined,
      message: "Computational budget exceeded",
    });
  });

  it("says nothing of errors that are no program's", () => {
    const inert = [undefined, null, 1, "", "fetch failed", new Error("ECONNREFUSED"), {}, [], { logs: [] }, channel];
    for (const error of inert) expect(decodeError(error)).to.equal(undefined);
  });

  it("never throws, whatever it is given", () => {
    const hostile = {
      get logs(): never {
        throw new Error("no");
      },
      err: () => {
        throw new Error("no");
      },
    };
    const circular: Record<string, unknown> = {};
    circular.error = circular;
    expect(decodeError(hostile)).to.equal(undefined);
    expect(decodeError(circular)).to.equal(undefined);
    const nearly = fc.record({ logs: fc.anything(), err: fc.anything(), message: fc.anything() }, { requiredKeys: [] });
    const tuple = fc.record({ InstructionError: fc.oneof(fc.anything(), fc.tuple(fc.anything(), fc.anything())) });
    fc.assert(fc.property(fc.oneof(fc.anything(), nearly, tuple), (error) => void decodeError(error)));
  });
});
