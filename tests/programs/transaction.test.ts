// Transactions that fit 1,232 bytes, at every size that the builders support, and those that do not.
import { BatchVoucher, type Splits } from "@mppsol/core";
import {
  buildTransaction,
  MAX_TRANSACTION_SIZE,
  requireFits,
  SESSION_PROGRAM_ID,
  session,
  signBatchVoucher,
  TransactionTooLargeError,
  transactionSize,
  UnsettleableSplitsError,
} from "@mppsol/programs";
import {
  AddressLookupTableAccount,
  type PublicKey,
  Transaction,
  type TransactionInstruction,
  type VersionedTransaction,
} from "@solana/web3.js";
import { expect } from "chai";
import { failure, key, parties, payee, payer, seeds, signer, splits, tokenProgram, voucher } from "./helpers.ts";

const recentBlockhash = key(77).toBase58();

type Build = (count: number) => Promise<TransactionInstruction[]>;

const open: Build = (count) =>
  session.open({ ...seeds, tokenProgram, deposit: 1n, gracePeriod: 1, splits: splits(count) });
const settle: Build = (count) => session.settle({ ...parties, splits: splits(count), createAccounts: false });
const settleCreating: Build = (count) =>
  session.settle({ ...parties, splits: splits(count), createAccounts: payee.publicKey });
const closeAndSettle: Build = (count) =>
  session.closeAndSettle({ ...parties, splits: splits(count), voucher, createAccounts: payee.publicKey });
const rearm: Build = (count) => session.rearm({ ...parties, splits: splits(count), voucher, createAccounts: false });
const debitBatch: Build = async (count) => {
  const entries = Array.from({ length: count }, (_, i) => ({
    channelId: key(100 + i).toBase58(),
    cumulativeAmount: 1n,
  }));
  const batch = BatchVoucher.from({ programId: SESSION_PROGRAM_ID.toBase58(), entries });
  return session.debitBatch({ voucher: await signBatchVoucher(batch, signer) });
};

/** A table with every account of these instructions. */
function tableFor(instructions: readonly TransactionInstruction[]): AddressLookupTableAccount {
  const keys = instructions.flatMap((instruction) => instruction.keys.map(({ pubkey }) => pubkey));
  const addresses = [...new Map(keys.map((address) => [address.toBase58(), address])).values()];
  const state = { deactivationSlot: 2n ** 64n - 1n, lastExtendedSlot: 0, lastExtendedSlotStartIndex: 0, addresses };
  return new AddressLookupTableAccount({ key: key(99), state });
}

async function transaction(build: Build, count: number, feePayer: PublicKey, withTable: boolean) {
  const instructions = await build(count);
  const lookupTables = withTable ? [tableFor(instructions)] : [];
  return buildTransaction({ feePayer, recentBlockhash, instructions, lookupTables });
}

describe("a built transaction", () => {
  /** Most recipients, or channels, without and with a lookup table. */
  const limits: [string, Build, PublicKey, number, number][] = [
    ["open", open, payer.publicKey, 19, 27],
    ["settle", settle, payee.publicKey, 10, 27],
    ["settle with accounts to create", settleCreating, payee.publicKey, 5, 19],
    ["closeAndSettle with accounts to create", closeAndSettle, payee.publicKey, 3, 15],
    ["rearm", rearm, payee.publicKey, 8, 22],
    ["debitBatch", debitBatch, payee.publicKey, 20, 60],
  ];
  for (const [name, build, feePayer, alone, withTable] of limits) {
    it(`of \`${name}\` fits up to ${alone}, with a lookup table up to ${withTable}, and serializes to its size`, async () => {
      for (const [limit, table] of [
        [alone, false],
        [withTable, true],
      ] as const) {
        for (const count of [1, Math.ceil(limit / 2), limit]) {
          const built = await transaction(build, count, feePayer, table);
          expect(built.serialize().length).to.equal(transactionSize(built)).and.at.most(MAX_TRANSACTION_SIZE);
        }
        const error = await failure(transaction(build, limit + 1, feePayer, table));
        expect(error, `${limit + 1}`).to.satisfy(
          (thrown: unknown) =>
            thrown instanceof TransactionTooLargeError ||
            (thrown instanceof UnsettleableSplitsError && limit === session.MAX_SETTLEABLE_SPLITS) ||
            limit === BatchVoucher.MAX_ENTRIES,
        );
      }
    });
  }

  it("that is too large says by how much", async () => {
    const error = await failure(transaction(settle, 11, payee.publicKey, false));
    expect(error).to.be.instanceOf(TransactionTooLargeError).and.include({ size: 1245, limit: 1232 });
  });

  it("never opens a channel whose splits could not be settled", async () => {
    const list: Splits.Split[] = splits(28);
    for (const build of [
      open(28),
      settle(28),
      rearm(28),
      session.settle({ ...parties, splits: list, createAccounts: payee.publicKey }),
    ]) {
      expect(await failure(build)).to.be.instanceOf(UnsettleableSplitsError);
    }
  });
});

describe("the size of a transaction", () => {
  it("is what web3.js serializes, for legacy ones too", async () => {
    for (const count of [0, 1, 5]) {
      const legacy = new Transaction({
        feePayer: payer.publicKey,
        blockhash: recentBlockhash,
        lastValidBlockHeight: 1,
      });
      legacy.add(...(await open(count)));
      const options = { requireAllSignatures: false, verifySignatures: false };
      expect(transactionSize(legacy)).to.equal(legacy.serialize(options).length);
      expect(() => requireFits(legacy)).not.to.throw();
    }
  });

  it("is known beyond what web3.js can serialize", async () => {
    const legacy = new Transaction({ feePayer: payer.publicKey, blockhash: recentBlockhash, lastValidBlockHeight: 1 });
    legacy.add(...(await settle(10)), ...(await settle(11)));
    expect(transactionSize(legacy)).to.be.greaterThan(MAX_TRANSACTION_SIZE);
    expect(() => requireFits(legacy)).to.throw(TransactionTooLargeError);
  });

  it("changes by nothing when the signatures come", async () => {
    const built: VersionedTransaction = await transaction(open, 3, payer.publicKey, false);
    const before = transactionSize(built);
    built.sign([payer]);
    expect(transactionSize(built)).to.equal(before).and.equal(built.serialize().length);
  });
});
