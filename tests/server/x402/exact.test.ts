// The layout of x402's exact scheme, against its definition as a regular expression over the kinds of instructions.
import { RefusedError } from "@mppsol/core";
import type { TransactionInstruction } from "@solana/web3.js";
import { expect } from "chai";
import fc from "fast-check";
import { readTransaction } from "../../../sdk/server/src/charge/readTransaction.ts";
import { checkExact } from "../../../sdk/server/src/x402/exact.ts";
import { transaction, type Usual } from "../../support/exact.ts";

/** By a letter each: limit, price, transfer, memo, assertion of a wallet, account creation, lamports. */
const MAKERS: Readonly<Record<string, (usual: Usual) => TransactionInstruction>> = {
  L: ({ limit }) => limit,
  P: ({ price }) => price,
  T: ({ transfer }) => transfer,
  M: ({ memo }) => memo("m"),
  A: ({ lighthouse }) => lighthouse,
  C: ({ creation }) => creation,
  S: ({ lamports }) => lamports,
};

function verdict(letters: string, memo?: string): string {
  const wire = transaction({ instructions: (usual) => [...letters].map((letter) => MAKERS[letter]!(usual)) });
  try {
    checkExact(readTransaction(Buffer.from(wire, "base64")), memo);
    return "taken";
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    return error.code;
  }
}

describe("the layout of x402's exact scheme", () => {
  const anyLetters = fc.oneof(
    fc.array(fc.constantFrom(...Object.keys(MAKERS)), { minLength: 1, maxLength: 9 }).map((all) => all.join("")),
    fc.array(fc.constantFrom("M", "A"), { maxLength: 6 }).map((others) => `LPT${others.join("")}`),
  );

  it("is compute limit, compute price, transfer, and up to four memos and assertions", () => {
    fc.assert(
      fc.property(anyLetters, (letters) => {
        expect(verdict(letters) === "taken").to.equal(/^LPT[MA]{0,4}$/.test(letters));
      }),
      { numRuns: 300 },
    );
  });

  it("has the memo that is asked for, once", () => {
    fc.assert(
      fc.property(anyLetters, (letters) => {
        const memos = letters.replaceAll(/[^M]/g, "").length;
        expect(verdict(letters, "m") === "taken").to.equal(verdict(letters) === "taken" && memos === 1);
        expect(verdict(letters, "n")).not.to.equal("taken");
      }),
      { numRuns: 300 },
    );
  });

  it("is refused by the first thing that is wrong", () => {
    for (const letters of ["LPM", "LPSM"]) expect(verdict(letters)).to.equal("transfer-missing");
    expect(verdict("TLP")).to.equal("instruction-unexpected");
    expect(verdict("LPT", "m")).to.equal("memo-missing");
  });
});
