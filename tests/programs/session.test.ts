// The session builders: accounts and their flags, argument bytes, and the order of instructions.
import { BatchVoucher, InvalidFieldError, InvalidSplitsError, Splits } from "@mppsol/core";
import {
  channelAddress,
  escrowAddress,
  eventAuthority,
  FOUNDATION_CHANNEL_PROGRAM_ID,
  SESSION_PROGRAM_ID,
  session,
  signBatchVoucher,
  TREASURY,
  tokenAddress,
} from "@mppsol/programs";
import { ASSOCIATED_TOKEN_PROGRAM_ID, TOKEN_2022_PROGRAM_ID } from "@solana/spl-token";
import {
  Ed25519Program,
  type PublicKey,
  SYSVAR_INSTRUCTIONS_PUBKEY,
  SYSVAR_RENT_PUBKEY,
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
  parties,
  payee,
  payer,
  rentPayer,
  seeds,
  signer,
  splits,
  tokenProgram,
  voucher,
} from "./helpers.ts";

const ata = (owner: PublicKey, program = tokenProgram) => tokenAddress(owner, mint, program);
const escrow = escrowAddress(channel, mint, tokenProgram);
const openInput = {
  ...seeds,
  rentPayer: rentPayer.publicKey,
  tokenProgram,
  deposit: 2n ** 64n - 1n,
  gracePeriod: 900,
};
const batch = await signBatchVoucher(
  BatchVoucher.from({
    programId: SESSION_PROGRAM_ID.toBase58(),
    entries: [1n, 2n, 3n].map((salt) => ({
      channelId: channelAddress({ ...seeds, salt }).toBase58(),
      cumulativeAmount: salt,
    })),
  }),
  signer,
);

/** The accounts that the program expects, in order (programs/mppsol_session/src/instructions). */
const expected: Record<string, { build: () => Promise<TransactionInstruction[]>; accounts: [string, PublicKey][] }> = {
  open: {
    build: () => session.open(openInput),
    accounts: [
      ["sw", payer.publicKey],
      ["sw", rentPayer.publicKey],
      ["-", payee.publicKey],
      ["-", mint],
      ["-", signer.publicKey],
      ["w", channel],
      ["w", ata(payer.publicKey)],
      ["w", escrow],
      ["-", tokenProgram],
      ["-", SystemProgram.programId],
      ["-", SYSVAR_RENT_PUBKEY],
      ["-", ASSOCIATED_TOKEN_PROGRAM_ID],
      ["-", eventAuthority()],
      ["-", SESSION_PROGRAM_ID],
    ],
  },
  debit: {
    build: () => session.debit({ voucher }),
    accounts: [
      ["w", channel],
      ["-", SYSVAR_INSTRUCTIONS_PUBKEY],
    ],
  },
  topup: {
    build: () => session.topup({ ...parties, amount: 1n }),
    accounts: [
      ["sw", payer.publicKey],
      ["w", channel],
      ["w", ata(payer.publicKey)],
      ["w", escrow],
      ["-", mint],
      ["-", tokenProgram],
    ],
  },
  close: {
    build: () => session.close({ channel, payee: payee.publicKey, voucher }),
    accounts: [
      ["s", payee.publicKey],
      ["w", channel],
      ["-", SYSVAR_INSTRUCTIONS_PUBKEY],
    ],
  },
  revoke: {
    build: () => session.revoke({ channel, payer: payer.publicKey }),
    accounts: [
      ["s", payer.publicKey],
      ["w", channel],
    ],
  },
  seal: { build: () => session.seal({ channel }), accounts: [["w", channel]] },
  settle: {
    build: () => session.settle({ ...parties, splits: splits(2), createAccounts: false }),
    accounts: [
      ["w", channel],
      ["w", payer.publicKey],
      ["w", rentPayer.publicKey],
      ["w", escrow],
      ["w", ata(payer.publicKey)],
      ["w", ata(payee.publicKey)],
      ["w", ata(TREASURY)],
      ["-", mint],
      ["-", tokenProgram],
      ["-", eventAuthority()],
      ["-", SESSION_PROGRAM_ID],
      ["w", ata(key(100))],
      ["w", ata(key(101))],
    ],
  },
  withdrawPayer: {
    build: () => session.withdrawPayer(parties),
    accounts: [
      ["s", payer.publicKey],
      ["w", channel],
      ["w", escrow],
      ["w", ata(payer.publicKey)],
      ["-", mint],
      ["-", tokenProgram],
    ],
  },
  reclaim: {
    build: () => session.reclaim({ channel, rentPayer: rentPayer.publicKey }),
    accounts: [
      ["w", channel],
      ["w", rentPayer.publicKey],
    ],
  },
  debitBatch: {
    build: () => session.debitBatch({ voucher: batch }),
    accounts: [
      ["-", SYSVAR_INSTRUCTIONS_PUBKEY],
      ...[1n, 2n, 3n]
        .map((salt) => channelAddress({ ...seeds, salt }))
        .sort((a, b) => Buffer.compare(a.toBuffer(), b.toBuffer()))
        .map((address): [string, PublicKey] => ["w", address]),
    ],
  },
  rearm: {
    build: () => session.rearm({ ...parties, splits: splits(2), voucher, createAccounts: false }),
    accounts: [
      ["s", payee.publicKey],
      ["w", channel],
      ["w", escrow],
      ["w", ata(payer.publicKey)],
      ["w", ata(payee.publicKey)],
      ["-", mint],
      ["-", tokenProgram],
      ["-", SYSVAR_INSTRUCTIONS_PUBKEY],
      ["-", eventAuthority()],
      ["-", SESSION_PROGRAM_ID],
      ["w", ata(key(100))],
      ["w", ata(key(101))],
    ],
  },
};

describe("every session builder", () => {
  for (const [name, { build, accounts }] of Object.entries(expected)) {
    it(`gives \`${name}\` its accounts in order, with neither signer nor writable flag too many`, async () => {
      const last = (await build()).at(-1);
      expect(metas(last)).to.deep.equal(accounts.map(([flags, address]) => `${flags} ${address.toBase58()}`));
      expect(last?.programId.toBase58()).to.equal(SESSION_PROGRAM_ID.toBase58());
    });
  }

  it("begins its data with the standard's byte", async () => {
    const bytes: Record<string, number> = {};
    for (const [name, { build }] of Object.entries(expected)) bytes[name] = (await build()).at(-1)?.data[0] ?? -1;
    expect(bytes).to.deep.equal({
      open: 1,
      debit: 2,
      topup: 3,
      close: 4,
      revoke: 5,
      seal: 6,
      settle: 7,
      withdrawPayer: 8,
      reclaim: 9,
      debitBatch: 32,
      rearm: 33,
    });
  });

  it("covers every instruction of the IDL", async () => {
    const { offlineSessionProgram } = await import("@mppsol/programs");
    const names = offlineSessionProgram().idl.instructions.map((instruction) => instruction.name);
    expect(Object.keys(expected).sort()).to.deep.equal([...names].sort());
  });
});

describe("argument bytes", () => {
  const le = (value: bigint, length: number) => {
    let text = "";
    for (let i = 0; i < length; i++) text += ((value >> BigInt(8 * i)) & 0xffn).toString(16).padStart(2, "0");
    return text;
  };
  const u64 = fc.bigInt(0n, 2n ** 64n - 1n);

  it("of `open` keep every u64 exactly, 2^53 + 1 and 2^64 − 1 included", async () => {
    await fc.assert(
      fc.asyncProperty(u64, u64, u64, fc.nat(0xffff_ffff), async (salt, deposit, openSlot, gracePeriod) => {
        const [instruction] = await session.open({ ...openInput, salt, deposit, openSlot, gracePeriod });
        expect(hex(instruction?.data)).to.equal(
          `01${le(salt, 8)}${le(deposit, 8)}${le(BigInt(gracePeriod), 4)}${le(openSlot, 8)}00000000`,
        );
      }),
      { numRuns: 25, examples: [[2n ** 53n + 1n, 2n ** 64n - 1n, 2n ** 53n + 1n, 1]] },
    );
  });

  it("of `topup` are the amount", async () => {
    await fc.assert(
      fc.asyncProperty(u64, async (amount) => {
        const [instruction] = await session.topup({ ...parties, amount });
        expect(hex(instruction?.data)).to.equal(`03${le(amount, 8)}`);
      }),
      { numRuns: 25 },
    );
  });

  it("of `open`, `settle` and `rearm` end in the splits' preimage", async () => {
    const list = splits(3);
    const preimage = hex(Splits.encode(list));
    const [open] = await session.open({ ...openInput, splits: list });
    const [settle] = await session.settle({ ...parties, splits: list, createAccounts: false });
    const [rearm] = await session.rearm({ ...parties, splits: list, createAccounts: false });
    expect(hex(open?.data.subarray(29))).to.equal(preimage);
    expect(hex(settle?.data)).to.equal(`07${preimage}`);
    expect(hex(rearm?.data)).to.equal(`2100${preimage}`);
  });

  it("of `close` and `rearm` say whether there is a voucher", async () => {
    const close = (await session.close({ channel, payee: payee.publicKey })).map(({ data }) => hex(data));
    expect(close).to.deep.equal(["0400"]);
    expect(hex((await session.close({ channel, payee: payee.publicKey, voucher })).at(-1)?.data)).to.equal("0401");
    const rearm = await session.rearm({ ...parties, voucher, createAccounts: false });
    expect(hex(rearm.at(-1)?.data)).to.equal("210100000000");
  });

  it("are refused when an amount is a JS number or no u64", async () => {
    for (const wrong of [5 as unknown as bigint, -1n, 2n ** 64n]) {
      expect(await failure(session.topup({ ...parties, amount: wrong }))).to.be.instanceOf(InvalidFieldError);
      expect(await failure(session.open({ ...openInput, deposit: wrong }))).to.be.instanceOf(InvalidFieldError);
    }
    for (const gracePeriod of [-1, 1.5, 2 ** 32, Number.NaN]) {
      expect(await failure(session.open({ ...openInput, gracePeriod }))).to.be.instanceOf(InvalidFieldError);
    }
  });

  it("are refused when the splits are none, or name the channel", async () => {
    const naming = [{ recipient: channel.toBase58(), shareBps: 1 }];
    const zero = [{ recipient: key(9).toBase58(), shareBps: 0 }];
    for (const wrong of [naming, zero]) {
      for (const build of [
        session.open({ ...openInput, splits: wrong }),
        session.settle({ ...parties, splits: wrong, createAccounts: false }),
        session.rearm({ ...parties, splits: wrong, createAccounts: false }),
      ]) {
        expect(await failure(build)).to.be.instanceOf(InvalidSplitsError);
      }
    }
  });

  it("are refused when the token program is neither of the two", async () => {
    const wrong = { ...parties, tokenProgram: SystemProgram.programId };
    for (const build of [
      session.open({ ...openInput, tokenProgram: SystemProgram.programId }),
      session.topup({ ...wrong, amount: 1n }),
      session.settle({ ...wrong, createAccounts: false }),
      session.withdrawPayer(wrong),
    ]) {
      expect(await failure(build)).to.be.instanceOf(InvalidFieldError);
    }
  });
});

describe("the order of instructions", () => {
  const names = (instructions: readonly TransactionInstruction[]) =>
    instructions.map(({ programId, data }) => {
      if (programId.equals(Ed25519Program.programId)) return "ed25519";
      if (programId.equals(ASSOCIATED_TOKEN_PROGRAM_ID)) return "ata";
      return String(data[0]);
    });

  it("puts the Ed25519 instruction right before `debit`, `close`, `rearm` and `debit_batch`", async () => {
    expect(names(await session.debit({ voucher }))).to.deep.equal(["ed25519", "2"]);
    expect(names(await session.close({ channel, payee: payee.publicKey, voucher }))).to.deep.equal(["ed25519", "4"]);
    expect(names(await session.rearm({ ...parties, voucher, createAccounts: funder }))).to.deep.equal([
      "ata",
      "ata",
      "ed25519",
      "33",
    ]);
    expect(names(await session.debitBatch({ voucher: batch }))).to.deep.equal(["ed25519", "32"]);
  });

  it("of `closeAndSettle` has nothing between Ed25519 and `close`, and `settle` last", async () => {
    const build = (withVoucher: boolean, createAccounts: PublicKey | false) =>
      session.closeAndSettle({ ...parties, ...(withVoucher ? { voucher } : {}), createAccounts });
    expect(names(await build(true, false))).to.deep.equal(["ed25519", "4", "7"]);
    expect(names(await build(true, funder))).to.deep.equal(["ata", "ata", "ata", "ed25519", "4", "7"]);
    expect(names(await build(false, funder))).to.deep.equal(["ata", "ata", "ata", "4", "7"]);
  });
});

describe("creating token accounts", () => {
  it("covers payee, recipients, payer and treasury, each once, paid for by the one named", async () => {
    const list = [...splits(2), { recipient: payer.publicKey.toBase58(), shareBps: 1 }];
    const built = await session.settle({ ...parties, splits: list, createAccounts: funder });
    const created = built.slice(0, -1);
    expect(created.map((instruction) => hex(instruction.data))).to.deep.equal(created.map(() => "01"));
    expect(created.map((instruction) => metas(instruction)[0])).to.deep.equal(
      created.map(() => `sw ${funder.toBase58()}`),
    );
    expect(created.map((instruction) => instruction.keys[1]?.pubkey.toBase58())).to.deep.equal(
      [payee.publicKey, key(100), key(101), payer.publicKey, TREASURY].map((owner) => ata(owner).toBase58()),
    );
  });

  it("is left out when the caller says so", async () => {
    expect(await session.settle({ ...parties, createAccounts: false })).to.have.length(1);
    expect(await session.rearm({ ...parties, createAccounts: false })).to.have.length(1);
  });
});

describe("other token and channel programs", () => {
  it("are used throughout: Token-2022 for every token account", async () => {
    const built = await session.settle({
      ...parties,
      tokenProgram: TOKEN_2022_PROGRAM_ID,
      splits: splits(1),
      createAccounts: funder,
    });
    const accounts = metas(built.at(-1));
    expect(accounts[8]).to.equal(`- ${TOKEN_2022_PROGRAM_ID.toBase58()}`);
    for (const owner of [payer.publicKey, payee.publicKey, TREASURY, key(100)]) {
      expect(accounts).to.include(`w ${ata(owner, TOKEN_2022_PROGRAM_ID).toBase58()}`);
    }
  });

  it("are used throughout: the Foundation's program, with its own addresses", async () => {
    const programId = FOUNDATION_CHANNEL_PROGRAM_ID;
    const [open] = await session.open({ ...openInput, programId });
    const address = channelAddress(seeds, programId);
    const accounts = metas(open);
    expect(open?.programId.equals(programId)).to.equal(true);
    expect(accounts[5]).to.equal(`w ${address.toBase58()}`);
    expect(accounts.slice(12)).to.deep.equal([
      `- ${eventAuthority(programId).toBase58()}`,
      `- ${programId.toBase58()}`,
    ]);
    const [, debit] = await session.debit({ voucher, programId });
    expect(debit?.programId.equals(programId)).to.equal(true);
  });

  it("is that of the batch for `debit_batch`", async () => {
    const entries = [{ channelId: channel.toBase58(), cumulativeAmount: 1n }];
    const programId = FOUNDATION_CHANNEL_PROGRAM_ID.toBase58();
    const signed = await signBatchVoucher(BatchVoucher.from({ programId, entries }), signer);
    expect((await session.debitBatch({ voucher: signed })).at(-1)?.programId.toBase58()).to.equal(programId);
  });
});
