// Whose doing a failure on chain was, by the error, the chain's record of it, and what is there afterwards.
import {
  AccountLayout,
  AccountState,
  createAssociatedTokenAccountIdempotentInstruction,
  createTransferCheckedInstruction,
} from "@solana/spl-token";
import {
  Keypair,
  type ParsedTransactionWithMeta,
  PublicKey,
  SystemProgram,
  type TransactionInstruction,
  TransactionMessage,
  VersionedTransaction,
} from "@solana/web3.js";
import { expect } from "chai";
import { culpritOf } from "../../../sdk/server/src/charge/culprit.ts";
import { paidAccount } from "../../../sdk/server/src/charge/SponsorBook.ts";
import type { Charge } from "../../../sdk/server/src/stores/index.ts";
import { ata, USDC } from "./shop.ts";

const [SPONSOR, PAYER, SELLER, SHARER] = [1, 2, 3, 4].map(
  (seed) => Keypair.fromSeed(new Uint8Array(32).fill(seed)).publicKey,
) as [PublicKey, PublicKey, PublicKey, PublicKey];
const [payer, seller, sharer] = [PAYER, SELLER, SHARER].map((key) => key.toBase58()) as [string, string, string];
const [paid, shared] = [SELLER, SHARER].map((key) => paidAccount(ata(key).toBase58())) as [string, string];

const pays = (to: PublicKey, amount: bigint) =>
  createTransferCheckedInstruction(ata(PAYER), USDC, ata(to), PAYER, amount, 6);
/** 0: 70 to the seller; 1: the sharer's account; 2: 30 to it. */
const TOKENS = [
  pays(SELLER, 70n),
  createAssociatedTokenAccountIdempotentInstruction(SPONSOR, ata(SHARER), SHARER, USDC),
  pays(SHARER, 30n),
];
const SOL = [SystemProgram.transfer({ fromPubkey: PAYER, toPubkey: SELLER, lamports: 70 })];

interface Found {
  readonly instructions?: readonly TransactionInstruction[];
  /** What the payer's account held before; `undefined`: it was not there. */
  readonly had?: bigint | undefined;
  readonly owner?: string;
  readonly lamports?: number;
  readonly noMeta?: boolean;
  /** Of the source and of the destination, now. */
  readonly states?: readonly (AccountState | undefined)[];
}

function judged(err: unknown, found: Found = {}): Promise<string | undefined> {
  const { instructions = TOKENS, owner = payer, lamports = 0, states = [] } = found;
  const message = new TransactionMessage({
    payerKey: SPONSOR,
    recentBlockhash: PublicKey.default.toBase58(),
    instructions: [...instructions],
  }).compileToV0Message();
  const keys = message.staticAccountKeys.map((key) => key.toBase58());
  const at = (key: PublicKey) => keys.indexOf(key.toBase58());
  const had = "had" in found ? found.had : 100n;
  const balance = {
    accountIndex: at(ata(PAYER)),
    mint: USDC.toBase58(),
    owner,
    uiTokenAmount: { amount: String(had) },
  };
  const preBalances = keys.map((key) => (key === payer ? lamports : 0));
  const meta = found.noMeta ? null : { err, preBalances, preTokenBalances: had === undefined ? [] : [balance] };
  const rpc = {
    accounts: async () =>
      states.map((state) => {
        if (state === undefined) return undefined;
        const data = Buffer.alloc(AccountLayout.span);
        data[108] = state;
        return { owner: "", lamports: 1n, data, executable: false };
      }),
  };
  const wire = Buffer.from(new VersionedTransaction(message).serialize()).toString("base64");
  return culpritOf(rpc, { payer, wire } as Charge, err, { meta } as unknown as ParsedTransactionWithMeta);
}

const at = (index: number, detail: unknown) => ({ InstructionError: [index, detail] });
const { Initialized, Frozen } = AccountState;

describe("the culprit of a payment that failed on chain", () => {
  const cases: readonly [string, unknown, Found, string | undefined][] = [
    ["what is paid cannot be, and the payer had enough", at(0, "InvalidAccountData"), { had: 70n }, paid],
    [
      "a share cannot be paid, and the payer had enough for all before it, too",
      at(2, "InvalidAccountData"),
      { had: 100n },
      shared,
    ],
    ["the payer had enough for the first, and not for both", at(2, { Custom: 1 }), { had: 99n }, payer],
    ["the payer had too little, whatever the error is", at(0, "InvalidAccountData"), { had: 69n }, payer],
    ["the payer had no account", at(0, "InvalidAccountData"), { had: undefined }, payer],
    ["the payer's account was somebody else's", at(0, { Custom: 4 }), { owner: seller }, payer],
    ["the chain kept no record", at(0, "InvalidAccountData"), { noMeta: true }, payer],
    ["a share's account cannot be made", at(1, "IllegalOwner"), {}, shared],
    ["the sponsor had no rent for a share's account", at(1, { Custom: 1 }), {}, undefined],
    ["what is paid is frozen", at(0, { Custom: 17 }), { states: [Initialized, Frozen] }, paid],
    ["what pays is frozen", at(0, { Custom: 17 }), { states: [Frozen, Frozen] }, payer],
    ["nobody is frozen any more", at(0, { Custom: 17 }), { states: [Initialized, Initialized] }, payer],
    ["who was frozen is gone", at(0, { Custom: 17 }), { states: [undefined, Frozen] }, payer],
    ["it was no instruction", "ProgramCacheHitMaxLimit", {}, payer],
    ["it was an instruction that is not there", at(9, { Custom: 1 }), {}, payer],
    [
      "the recipient of SOL was left without its rent",
      { InsufficientFundsForRent: { account_index: 2 } },
      { instructions: SOL, lamports: 70 },
      paidAccount(seller),
    ],
    [
      "the payer of SOL was left without its rent",
      { InsufficientFundsForRent: { account_index: 1 } },
      { instructions: SOL, lamports: 70 },
      payer,
    ],
    ["the payer had too few lamports", at(0, { Custom: 1 }), { instructions: SOL, lamports: 69 }, payer],
  ];
  for (const [when, err, found, culprit] of cases) {
    it(`${when}: ${culprit === undefined ? "nobody" : culprit === payer ? "the payer" : "who is paid"}`, async () => {
      expect(await judged(err, found)).to.equal(culprit);
    });
  }

  it("is never the share's owner by name, who may be paid in other ways", async () => {
    expect(await judged(at(2, "InvalidAccountData"))).to.not.include(sharer);
  });
});
