// The pay program's builders and decoders: accounts and flags, argument bytes, receipts, verdicts, events, errors.
import { InvalidFieldError } from "@mppsol/core";
import {
  AccountDecodeError,
  attestationInstruction,
  decodeError,
  decodePaymentEvent,
  decodeReceipt,
  decodeVerdict,
  offlinePayProgram,
  PAY_PROGRAM_ID,
  parsePaymentEvents,
  payments,
  receiptAddress,
  SESSION_PROGRAM_ID,
  signAttestation,
  tokenAddress,
} from "@mppsol/programs";
import { ASSOCIATED_TOKEN_PROGRAM_ID } from "@solana/spl-token";
import {
  Ed25519Program,
  PublicKey,
  SYSVAR_INSTRUCTIONS_PUBKEY,
  SystemProgram,
  type TransactionInstruction,
} from "@solana/web3.js";
import { expect } from "chai";
import fc from "fast-check";
import {
  channel,
  failure,
  funder,
  hex,
  key,
  metas,
  mint,
  payee,
  payer,
  rentPayer,
  tokenProgram,
  voucher,
} from "./helpers.ts";

const filled = (byte: number) => new Uint8Array(32).fill(byte);
const terms = {
  amount: 2n ** 53n + 1n,
  requestHash: filled(2),
  nonce: 2n ** 64n - 1n,
  paySlot: 5n,
  expiresAt: 2n ** 40n,
  consumer: key(60),
};
const payInput = {
  ...terms,
  payer: payer.publicKey,
  rentPayer: rentPayer.publicKey,
  recipient: payee.publicKey,
  mint,
  tokenProgram,
  needsAttestation: true,
};
const receipt = receiptAddress({ source: payer.publicKey, nonce: terms.nonce, paySlot: 5n });
const fromChannel = receiptAddress({ source: channel, nonce: terms.nonce, paySlot: 5n });
const attestation = { receipt: receipt.toBase58(), requestHash: filled(2), resultHash: filled(3) };
const signed = await signAttestation(attestation, payee);
const expectedTerms = {
  recipient: payee.publicKey,
  mint,
  amount: terms.amount,
  requestHash: filled(2),
  consumer: key(60),
  result: "as-paid" as const,
};

const none = PAY_PROGRAM_ID; // Anchor's sign for an optional account that is left out.
const expected: Record<string, { build: () => Promise<TransactionInstruction[]>; accounts: [string, PublicKey][] }> = {
  pay: {
    build: () => payments.pay(payInput),
    accounts: [
      ["s", payer.publicKey],
      ["sw", rentPayer.publicKey],
      ["-", payee.publicKey],
      ["-", mint],
      ["w", receipt],
      ["w", tokenAddress(payer.publicKey, mint, tokenProgram)],
      ["w", tokenAddress(payee.publicKey, mint, tokenProgram)],
      ["-", tokenProgram],
      ["-", SystemProgram.programId],
    ],
  },
  payFromSession: {
    build: () =>
      payments.payFromSession({ ...terms, authority: payer.publicKey, rentPayer: rentPayer.publicKey, voucher }),
    accounts: [
      ["s", payer.publicKey],
      ["sw", rentPayer.publicKey],
      ["w", channel],
      ["w", fromChannel],
      ["-", SYSVAR_INSTRUCTIONS_PUBKEY],
      ["-", SESSION_PROGRAM_ID],
      ["-", SystemProgram.programId],
    ],
  },
  attest: {
    build: () => payments.attest({ receipt, recipient: payee.publicKey, resultHash: filled(3) }),
    accounts: [
      ["w", receipt],
      ["s", payee.publicKey],
      ["-", none],
    ],
  },
  attestSigned: {
    build: () => payments.attestSigned(signed),
    accounts: [
      ["w", receipt],
      ["-", none],
      ["-", SYSVAR_INSTRUCTIONS_PUBKEY],
    ],
  },
  verify: {
    build: () => payments.verify({ receipt, expected: expectedTerms }),
    accounts: [["-", receipt]],
  },
  consume: {
    build: () => payments.consume({ receipt, consumer: key(60) }),
    accounts: [
      ["w", receipt],
      ["s", key(60)],
    ],
  },
  closeReceipt: {
    build: () => payments.closeReceipt({ receipt, rentPayer: rentPayer.publicKey }),
    accounts: [
      ["w", receipt],
      ["w", rentPayer.publicKey],
    ],
  },
};

describe("every pay builder", () => {
  for (const [name, { build, accounts }] of Object.entries(expected)) {
    it(`gives \`${name}\` its accounts in order, with neither signer nor writable flag too many`, async () => {
      const last = (await build()).at(-1);
      expect(metas(last)).to.deep.equal(accounts.map(([flags, address]) => `${flags} ${address.toBase58()}`));
      expect(last?.programId.equals(PAY_PROGRAM_ID)).to.equal(true);
    });
  }

  it("covers every instruction of the IDL", () => {
    const names = offlinePayProgram().idl.instructions.map((instruction) => instruction.name);
    expect([...names, "attestSigned"].sort()).to.deep.equal(Object.keys(expected).sort());
  });

  it("puts the Ed25519 instruction right before what relies on it", async () => {
    for (const name of ["payFromSession", "attestSigned"]) {
      const [proof, instruction, ...rest] = (await expected[name]?.build()) ?? [];
      expect(proof?.programId.equals(Ed25519Program.programId), name).to.equal(true);
      expect(instruction?.programId.equals(PAY_PROGRAM_ID), name).to.equal(true);
      expect(rest).to.deep.equal([]);
    }
    expect(hex(attestationInstruction(signed).data.subarray(112, 114))).to.equal("5201");
  });

  it("makes the recipient's token account only when told who pays for it", async () => {
    const built = await payments.pay({ ...payInput, createAccounts: funder });
    expect(built.map(({ programId }) => programId.toBase58())).to.deep.equal([
      ASSOCIATED_TOKEN_PROGRAM_ID.toBase58(),
      PAY_PROGRAM_ID.toBase58(),
    ]);
    expect(await payments.pay(payInput)).to.have.length(1);
  });

  it("keeps every number exactly", async () => {
    const u64 = (value: bigint) => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64LE(value);
      return bytes.toString("hex");
    };
    const any = fc.bigInt(0n, 2n ** 64n - 1n);
    await fc.assert(
      fc.asyncProperty(any, any, any, async (amount, nonce, paySlot) => {
        const [instruction] = await payments.pay({ ...payInput, amount, nonce, paySlot });
        expect(hex(instruction?.data.subarray(8))).to.equal(
          `${u64(amount)}${"02".repeat(32)}${u64(nonce)}${u64(paySlot)}${u64(terms.expiresAt)}${hex(key(60).toBytes())}01`,
        );
      }),
      { numRuns: 15 },
    );
  });

  it("writes what is expected of a receipt as the program reads it", async () => {
    const data = async (change: object) => {
      const [instruction] = await payments.verify({ receipt, expected: { ...expectedTerms, ...change } });
      return hex(instruction?.data.subarray(8));
    };
    expect((await data({})).slice(0, 2)).to.equal("00");
    expect((await data({ payer: key(9) })).slice(0, 66)).to.equal(`01${hex(key(9).toBytes())}`);
    expect((await data({})).slice(-2)).to.equal("00");
    expect((await data({ result: "attested" })).slice(-2)).to.equal("01");
    expect((await data({ result: { hash: filled(3) } })).slice(-66)).to.equal(`02${"03".repeat(32)}`);
  });

  it("refuses numbers and hashes that are none", async () => {
    for (const change of [
      { amount: 5 as unknown as bigint },
      { amount: 2n ** 64n },
      { nonce: -1n },
      { paySlot: 2n ** 64n },
      { expiresAt: 2n ** 63n },
      { requestHash: new Uint8Array(31) },
      { tokenProgram: SystemProgram.programId },
    ]) {
      expect(await failure(payments.pay({ ...payInput, ...change }))).to.be.instanceOf(InvalidFieldError);
    }
    expect(
      await failure(payments.attest({ receipt, recipient: payee.publicKey, resultHash: filled(3).subarray(1) })),
    ).to.be.instanceOf(InvalidFieldError);
  });
});

const discriminator = (list: "accounts" | "events", name: string) =>
  offlinePayProgram().rawIdl[list]?.find((entry) => entry.name === name)?.discriminator ?? [];
const anyReceiptBytes = fc
  .tuple(fc.nat(255), fc.nat(2), fc.boolean(), fc.uint8Array({ minLength: 320, maxLength: 320 }))
  .map(([bump, status, needs, rest]) =>
    Uint8Array.of(...discriminator("accounts", "Receipt"), 1, bump, status, needs ? 1 : 0, ...rest),
  );

describe("a receipt", () => {
  it("decodes to what Anchor's coder reads by the IDL", () => {
    const coder = offlinePayProgram().coder.accounts;
    fc.assert(
      fc.property(anyReceiptBytes, (bytes) => {
        const theirs = coder.decode("receipt", Buffer.from(bytes)) as Record<string, unknown>;
        const ours: Record<string, unknown> = { version: 1, ...decodeReceipt(bytes) };
        expect(Object.keys(ours).sort()).to.deep.equal(Object.keys(theirs).sort());
        for (const [name, value] of Object.entries(theirs)) {
          const mine = ours[name] instanceof Uint8Array ? [...(ours[name] as Uint8Array)].join() : String(ours[name]);
          const text = name === "status" ? Object.keys(value as object)[0] : String(value);
          expect(mine, name).to.equal(text);
        }
      }),
      { numRuns: 30 },
    );
  });

  it("has neither channel nor result where the program wrote zeros", () => {
    const bytes = new Uint8Array(332);
    bytes.set([...discriminator("accounts", "Receipt"), 1]);
    expect(decodeReceipt(bytes)).to.include({ channel: undefined, resultHash: undefined, status: "paid" });
  });

  it("is refused at another length, and with another discriminator, version or status", () => {
    const good = new Uint8Array(332);
    good.set([...discriminator("accounts", "Receipt"), 1]);
    const problem = (bytes: Uint8Array) => {
      try {
        decodeReceipt(bytes);
      } catch (error) {
        return error instanceof AccountDecodeError ? error.problem : error;
      }
      return "none";
    };
    const changed = (at: number, byte: number) => {
      const copy = good.slice();
      copy[at] = byte;
      return copy;
    };
    expect(problem(good)).to.equal("none");
    expect(problem(good.subarray(1))).to.equal("length");
    expect(problem(changed(0, 0))).to.equal("discriminator");
    expect(problem(changed(8, 2))).to.equal("version");
    expect(problem(changed(10, 3))).to.equal("status");
  });
});

describe("a verdict", () => {
  const programId = PAY_PROGRAM_ID.toBase58();
  const data = Uint8Array.of(
    ...Buffer.from("mpv1"),
    ...receipt.toBytes(),
    1,
    ...filled(3),
    ...[0xd2, 0x04, 0, 0, 0, 0, 0, 0],
  );

  it("is read from the pay program's return data", () => {
    const verdict = decodeVerdict({ programId, data });
    expect(verdict).to.deep.equal({ receipt, attested: true, resultHash: filled(3), expiresAt: 1234n });
  });

  it("is none when another program answered, or in another form", () => {
    expect(decodeVerdict({ programId: SESSION_PROGRAM_ID.toBase58(), data })).to.equal(undefined);
    for (const wrong of [data.subarray(1), data.subarray(0, 76), Uint8Array.of(...data, 0), new Uint8Array(77)]) {
      expect(decodeVerdict({ programId, data: wrong })).to.equal(undefined);
    }
  });
});

describe("payment events", () => {
  const body = (name: string, ...parts: Uint8Array[]) =>
    Buffer.concat([Buffer.from(discriminator("events", name)), ...parts]);
  const amount = Buffer.alloc(8);
  amount.writeBigUInt64LE(2n ** 64n - 1n);
  const keys = (...bytes: number[]) => bytes.map((byte) => key(byte).toBytes());
  const paid = body("Paid", ...keys(1, 2, 3, 4), amount, filled(5), ...keys(6), filled(0));
  const closed = body("ReceiptClosed", ...keys(1, 2));
  const pay = PAY_PROGRAM_ID.toBase58();
  const log = (data: Buffer) => `Program data: ${data.toString("base64")}`;
  const answer = (logMessages: string[], err: unknown = null) => ({
    transaction: { message: {} },
    meta: { err, logMessages },
  });

  it("decode to typed values", () => {
    expect(decodePaymentEvent(paid)).to.deep.equal({
      name: "Paid",
      receipt: key(1),
      payer: key(2),
      recipient: key(3),
      mint: key(4),
      amount: 2n ** 64n - 1n,
      requestHash: filled(5),
      consumer: key(6),
      channel: undefined,
    });
    expect(decodePaymentEvent(closed)).to.deep.equal({ name: "ReceiptClosed", receipt: key(1), rentPayer: key(2) });
    expect(decodePaymentEvent(body("Consumed", ...keys(1, 2)))).to.deep.include({ name: "Consumed", consumer: key(2) });
    expect(decodePaymentEvent(body("Attested", ...keys(1), filled(3)))).to.deep.include({ resultHash: filled(3) });
  });

  it("that are unknown or cut short are none", () => {
    for (const event of [paid, closed]) expect(decodePaymentEvent(event.subarray(0, -1))).to.equal(undefined);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (rest) => {
        expect(decodePaymentEvent(rest)).to.equal(undefined);
      }),
    );
  });

  it("are found in order, also where the pay program was called by another", () => {
    const caller = key(70).toBase58();
    const logs = [
      `Program ${caller} invoke [1]`,
      `Program ${pay} invoke [2]`,
      "Program log: Instruction: Pay",
      `Program ${tokenProgram.toBase58()} invoke [3]`,
      `Program ${tokenProgram.toBase58()} success`,
      log(paid),
      `Program ${pay} success`,
      `Program ${caller} success`,
      `Program ${pay} invoke [1]`,
      log(closed),
      `Program ${pay} success`,
    ];
    expect(parsePaymentEvents(answer(logs)).map((event) => event.name)).to.deep.equal(["Paid", "ReceiptClosed"]);
  });

  it("are not taken from other programs, nor from what a program says it logs", () => {
    const other = key(70).toBase58();
    const logs = [
      `Program ${pay} invoke [1]`,
      `Program ${other} invoke [2]`,
      log(paid),
      `Program log: Program ${pay} invoke [1]`,
      log(paid),
      "Program log: success",
      log(paid),
      `Program log: ${log(paid)}`,
      `Program ${other} success`,
      `Program ${pay} success`,
      log(paid),
    ];
    expect(parsePaymentEvents(answer(logs))).to.deep.equal([]);
  });

  it("of a failed transaction are none", () => {
    const logs = [`Program ${pay} invoke [1]`, log(paid), `Program ${pay} success`];
    expect(parsePaymentEvents(answer(logs))).to.have.length(1);
    expect(parsePaymentEvents(answer(logs, { InstructionError: [1, "MissingAccount"] }))).to.deep.equal([]);
  });
});

describe("the pay program's errors", () => {
  const name = (code: number) =>
    decodeError({ InstructionError: [0, { Custom: code }] }, { program: PAY_PROGRAM_ID })?.name;

  it("are named by its IDL, and by Anchor where Anchor refuses", () => {
    for (const error of offlinePayProgram().rawIdl.errors ?? []) expect(name(error.code)).to.equal(error.name);
    expect([2000, 3012, 101].map(name)).to.deep.equal([
      "ConstraintMut",
      "AccountNotInitialized",
      "InstructionFallbackNotFound",
    ]);
  });
});

describe("a receipt's address", () => {
  it("comes from the source, the nonce and the slot", () => {
    const u64 = (value: bigint) => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64LE(value);
      return bytes;
    };
    const parts = [Buffer.from("receipt"), payer.publicKey.toBytes(), u64(terms.nonce), u64(5n)];
    const [address] = PublicKey.findProgramAddressSync(parts, PAY_PROGRAM_ID);
    expect(receipt.toBase58()).to.equal(address.toBase58());
    expect(() => receiptAddress({ source: channel, nonce: 2n ** 64n, paySlot: 5n })).to.throw(InvalidFieldError);
  });
});
