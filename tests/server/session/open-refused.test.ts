// Opens that are refused: each by its own rule, and nothing is signed, paid, kept or opened by any of them.
import { BearerProof, type JsonObject, RefusedError, SessionAction } from "@mppsol/core";
import { FOUNDATION_CHANNEL_PROGRAM_ID, keypairSigner, signMessage, tokenAddress } from "@mppsol/programs";
import {
  createAssociatedTokenAccountInstruction,
  createTransferInstruction,
  TOKEN_2022_PROGRAM_ID,
  TOKEN_PROGRAM_ID,
} from "@solana/spl-token";
import {
  AddressLookupTableAccount,
  ComputeBudgetProgram,
  Keypair,
  type MessageV0,
  PublicKey,
  SystemProgram,
  TransactionInstruction,
  VersionedTransaction,
} from "@solana/web3.js";
import { expect } from "chai";
import { withAccount, withData } from "./instructions.ts";
import { Market, type OpenChange, Purse, Stall, type StallOptions, shares, USDC } from "./market.ts";

interface Case {
  readonly what: string;
  readonly code: string;
  readonly stall?: StallOptions;
  readonly change: OpenChange | ((stall: Stall, payer: Keypair) => OpenChange);
}

const MEMO = new PublicKey("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr");
const memo = (text: string, ...signers: PublicKey[]) =>
  new TransactionInstruction({
    programId: MEMO,
    keys: signers.map((pubkey) => ({ pubkey, isSigner: true, isWritable: false })),
    data: Buffer.from(text),
  });
const stranger = Keypair.generate().publicKey;
const replace = (at: number, key: PublicKey) => ({
  instructions: ([open]: TransactionInstruction[]) => [withAccount(open!, at, key)],
});
const beside = (...more: TransactionInstruction[]): OpenChange => ({ instructions: (honest) => [...honest, ...more] });
const ahead = (...more: TransactionInstruction[]): OpenChange => ({ instructions: (honest) => [...more, ...honest] });
const said = (more: JsonObject): OpenChange => ({ payload: (honest) => ({ ...honest, ...more }) });
const units = (limit: number) => ComputeBudgetProgram.setComputeUnitLimit({ units: limit });
const price = (microLamports: number) => ComputeBudgetProgram.setComputeUnitPrice({ microLamports });
const partner = Keypair.generate().publicKey;
const splits = shares([partner, 2_500]);
const key = (hex: string) => new PublicKey(Buffer.from(hex, "hex"));

const CASES: readonly Case[] = [
  // What the credential says
  { what: "with a bump", code: "malformed-credential", change: said({ bump: 255 }) },
  {
    what: "with a bump among its capabilities",
    code: "malformed-credential",
    change: said({ capabilities: { bump: 1 } }),
  },
  { what: "with a voucher", code: "malformed-credential", change: said({ voucher: {} }) },
  { what: "without an open slot", code: "malformed-credential", change: said({ openSlot: "" }) },
  { what: "for another payee", code: "open-mismatch", change: said({ payee: stranger.toBase58() }) },
  { what: "for another mint", code: "open-mismatch", change: said({ mint: stranger.toBase58() }) },
  { what: "by another payer than who signed", code: "open-instructions", change: said({ payer: stranger.toBase58() }) },
  {
    what: "by the payee",
    code: "open-mismatch",
    change: (stall) => said({ payer: stall.payee.publicKey.toBase58() }),
  },
  {
    what: "by the server's own fee payer",
    code: "open-fee-payer",
    change: (stall) => said({ payer: stall.feePayer.publicKey.toBase58() }),
  },
  {
    what: "with another signer than its transaction",
    code: "open-channel-address",
    change: said({ authorizedSigner: stranger.toBase58() }),
  },
  {
    what: "with another channel id than its parameters give",
    code: "open-channel-address",
    change: said({ channelId: stranger.toBase58() }),
  },
  {
    what: "with a grace period other than challenged",
    code: "open-grace-period",
    change: said({ gracePeriodSeconds: 899 }),
  },
  {
    what: "with an idle timeout where none can be chosen",
    code: "open-idle-timeout",
    change: { idleTimeoutSeconds: 300 },
  },
  {
    what: "with an idle timeout that is not offered",
    code: "open-idle-timeout",
    stall: { idleTimeoutOptionsSeconds: [30, 600] },
    change: { idleTimeoutSeconds: 599 },
  },
  {
    what: "with splits where none are challenged",
    code: "open-splits",
    change: said({ distributionSplits: splits.map((split) => ({ ...split })) }),
  },
  {
    what: "with other splits than challenged",
    code: "open-splits",
    stall: { distributionSplits: splits },
    change: said({ distributionSplits: [{ recipient: partner.toBase58(), shareBps: 2_499 }] }),
  },
  { what: "with a deposit of 0", code: "open-deposit", change: { deposit: 0n } },
  { what: "with a deposit below the minimum", code: "open-deposit", stall: { minimumDeposit: 1_001n }, change: {} },
  {
    what: "with a proof where the client signs",
    code: "open-authentication",
    change: (_, payer) => said(proofOf(payer)),
  },

  // Slots
  { what: "with a slot after the challenged one", code: "open-slot-window", change: { slotsAgo: -1n } },
  { what: "with a slot too old for the challenged one", code: "open-slot-window", change: { slotsAgo: 1_501n } },

  // Keys that can never sign a voucher that the chain takes
  {
    what: "with a signer off the curve",
    code: "open-authorized-signer",
    change: { authorizedSigner: PublicKey.findProgramAddressSync([Buffer.from("x")], SystemProgram.programId)[0] },
  },
  {
    what: "with a signer of order 1",
    code: "open-authorized-signer",
    change: { authorizedSigner: key(`01${"00".repeat(31)}`) },
  },
  {
    what: "with a signer of order 8",
    code: "open-authorized-signer",
    change: { authorizedSigner: key("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa") },
  },
  {
    what: "with a signer that is not encoded canonically",
    code: "open-authorized-signer",
    // y = p + 3, which is the point with y = 3.
    change: { authorizedSigner: key(`f0${"ff".repeat(30)}7f`) },
  },
  {
    what: "with the fee payer as voucher signer of the client",
    code: "open-fee-payer",
    change: (stall) => ({ authorizedSigner: stall.feePayer.publicKey }),
  },

  // The transaction as bytes
  {
    what: "with a byte behind its transaction",
    code: "open-transaction-encoding",
    change: { wire: (wire) => Buffer.concat([wire, Buffer.from([0])]) },
  },
  {
    what: "with a byte missing from its transaction",
    code: "open-transaction-encoding",
    change: { wire: (wire) => wire.subarray(0, -1) },
  },
  {
    what: "with no transaction at all",
    code: "open-transaction-encoding",
    change: { wire: () => Buffer.alloc(200, 7) },
  },
  {
    what: "with a count of signatures in two bytes instead of one",
    code: "open-transaction-encoding",
    change: { wire: (wire) => Buffer.concat([Buffer.from([wire[0]! | 0x80, 0]), wire.subarray(1)]) },
  },
  {
    what: "with an account from a lookup table",
    code: "open-lookup-table",
    change: {
      lookupTables: [
        new AddressLookupTableAccount({
          key: stranger,
          state: {
            deactivationSlot: 2n ** 64n - 1n,
            lastExtendedSlot: 0,
            lastExtendedSlotStartIndex: 0,
            addresses: [USDC.mint],
          },
        }),
      ],
    },
  },

  {
    what: "with an account twice",
    code: "open-transaction-encoding",
    change: rebuilt(({ staticAccountKeys: keys }) => keys.splice(-1, 1, keys.at(-2)!)),
  },
  {
    what: "with an account that nothing uses",
    code: "open-instructions",
    change: rebuilt((message) => {
      message.staticAccountKeys.push(stranger);
      message.header.numReadonlyUnsignedAccounts++;
    }),
  },
  {
    what: "that names an account that it does not have",
    code: "open-transaction-encoding",
    change: rebuilt((message) => message.compiledInstructions[0]!.accountKeyIndexes.splice(2, 1, 200)),
  },
  {
    what: "whose fee payer is read-only",
    code: "open-transaction-encoding",
    change: rebuilt(({ header }) => {
      header.numReadonlySignedAccounts = 2;
    }),
  },
  {
    what: "with more read-only accounts than accounts",
    code: "open-transaction-encoding",
    change: rebuilt(({ header }) => {
      header.numReadonlyUnsignedAccounts = 100;
    }),
  },

  // What the transaction does
  {
    what: "by a program that is not pinned",
    code: "open-program",
    change: { input: { programId: Keypair.generate().publicKey } },
  },
  {
    what: "by another pinned program",
    code: "open-program",
    change: { input: { programId: FOUNDATION_CHANNEL_PROGRAM_ID } },
  },
  { what: "with another salt in its transaction", code: "open-mismatch", change: { instructions: argument(1) } },
  { what: "with another deposit in its transaction", code: "open-mismatch", change: { input: { deposit: 999n } } },
  {
    what: "with another grace period in its transaction",
    code: "open-grace-period",
    change: { input: { gracePeriod: 1 } },
  },
  { what: "with another slot in its transaction", code: "open-mismatch", change: { instructions: argument(21) } },
  { what: "with splits in its transaction only", code: "open-splits", change: { input: { splits } } },
  {
    what: "without the challenged splits in its transaction",
    code: "open-splits",
    stall: { distributionSplits: splits },
    change: { input: { splits: [] } },
  },
  {
    what: "with a byte behind its arguments",
    code: "open-splits",
    change: { instructions: ([open]) => [withData(open!, (data) => Buffer.concat([data, Buffer.from([0])]))] },
  },
  {
    what: "with another instruction of the program",
    code: "open-instructions",
    change: {
      instructions: ([open]) => [withData(open!, (data) => Buffer.concat([Buffer.from([3]), data.subarray(1)]))],
    },
  },
  { what: "with no instruction of the program", code: "open-instructions", change: { instructions: () => [units(1)] } },
  { what: "of two channels", code: "open-instructions", change: { instructions: (honest) => [...honest, ...honest] } },
  { what: "to another payee", code: "open-mismatch", change: replace(2, stranger) },
  { what: "of another mint", code: "open-mismatch", change: replace(3, stranger) },
  { what: "with another signer in its accounts", code: "open-mismatch", change: replace(4, stranger) },
  { what: "at another address", code: "open-channel-address", change: replace(5, stranger) },
  { what: "paid from another token account", code: "open-mismatch", change: replace(6, stranger) },
  { what: "into another escrow", code: "open-escrow", change: replace(7, stranger) },
  { what: "with another token program", code: "open-escrow", change: replace(8, TOKEN_2022_PROGRAM_ID) },
  { what: "with another system program", code: "open-mismatch", change: replace(9, stranger) },
  { what: "with another event authority", code: "open-mismatch", change: replace(12, stranger) },
  { what: "whose rent somebody else pays", code: "open-fee-payer", change: (_, payer) => replace(1, payer.publicKey) },
  {
    what: "with one account too many",
    code: "open-instructions",
    change: {
      instructions: ([open]) => [
        new TransactionInstruction({
          ...open!,
          keys: [...open!.keys, { pubkey: stranger, isSigner: false, isWritable: false }],
        }),
      ],
    },
  },
  {
    what: "with one account too few",
    code: "open-instructions",
    change: { instructions: ([open]) => [new TransactionInstruction({ ...open!, keys: open!.keys.slice(0, -1) })] },
  },
  {
    what: "that may write to an account that it only reads",
    code: "open-instructions",
    change: {
      instructions: ([open]) => [
        new TransactionInstruction({
          ...open!,
          keys: open!.keys.map((meta, at) => (at === 2 ? { ...meta, isWritable: true } : meta)),
        }),
      ],
    },
  },
  {
    what: "with a transfer of the fee payer's lamports beside it",
    code: "open-instructions",
    change: (stall) =>
      beside(SystemProgram.transfer({ fromPubkey: stall.feePayer.publicKey, toPubkey: stranger, lamports: 1 })),
  },
  {
    what: "with a transfer of the fee payer's tokens before it",
    code: "open-instructions",
    change: (stall, payer) =>
      ahead(
        createTransferInstruction(ata(stall.feePayer.publicKey), ata(payer.publicKey), stall.feePayer.publicKey, 1n),
      ),
  },
  {
    what: "that has the fee payer make somebody's token account",
    code: "open-instructions",
    change: (stall) =>
      beside(createAssociatedTokenAccountInstruction(stall.feePayer.publicKey, ata(stranger), stranger, USDC.mint)),
  },
  {
    what: "with a durable nonce",
    code: "open-instructions",
    change: (_, payer) =>
      ahead(SystemProgram.nonceAdvance({ noncePubkey: stranger, authorizedPubkey: payer.publicKey })),
  },
  {
    what: "with a memo that the fee payer signs",
    code: "open-instructions",
    change: (stall) => beside(memo("I owe you everything", stall.feePayer.publicKey)),
  },
  { what: "with two memos", code: "open-instructions", change: beside(memo("one"), memo("two")) },
  {
    what: "with a compute budget instruction that is not known",
    code: "open-instructions",
    change: ahead(ComputeBudgetProgram.requestHeapFrame({ bytes: 32 * 1024 })),
  },
  { what: "with two compute limits", code: "open-instructions", change: ahead(units(100_000), units(200_000)) },
  {
    what: "with accounts in a compute budget instruction",
    code: "open-instructions",
    change: (_, payer) =>
      ahead(
        new TransactionInstruction({
          ...units(100_000),
          keys: [{ pubkey: payer.publicKey, isSigner: true, isWritable: false }],
        }),
      ),
  },
  {
    what: "with a priority fee just over what is sponsored",
    code: "open-compute-budget",
    change: ahead(units(200_000), price(10_001)),
  },
  { what: "with a priority fee and no limit", code: "open-compute-budget", change: ahead(price(1_500)) },

  // Who pays and signs
  {
    what: "whose fee the payer pays although the server sponsors",
    code: "open-fee-payer",
    change: (_, payer) => ({ feePayer: payer.publicKey }),
  },
  {
    what: "whose fee the server is to pay although it does not sponsor",
    code: "open-fee-payer",
    stall: { sponsor: false },
    change: (stall) => ({ feePayer: stall.feePayer.publicKey }),
  },
  {
    what: "with another blockhash than challenged",
    code: "open-blockhash",
    change: { blockhash: Keypair.generate().publicKey.toBase58() },
  },
  { what: "that the payer has not signed", code: "open-signature", change: { unsigned: true } },
  { what: "that was changed after it was signed", code: "open-signature", change: { wire: flipSignature } },
  { what: "that a third party has to sign", code: "open-instructions", change: beside(memo("me too", stranger)) },

  // What the chain would say
  { what: "of more than the payer has", code: "open-simulation", change: { deposit: 10_001n } },
];

/** The same message with a change that no builder makes, signed by the payer. */
function rebuilt(change: (message: MessageV0) => unknown) {
  return (_: Stall, payer: Keypair): OpenChange => ({
    wire: (wire) => {
      const { message } = VersionedTransaction.deserialize(wire);
      change(message as MessageV0);
      const transaction = new VersionedTransaction(message);
      const place = message.staticAccountKeys.findIndex((key) => key.equals(payer.publicKey));
      transaction.signatures[place] = signMessage(payer, message.serialize());
      return transaction.serialize();
    },
  });
}

/** Changes the lowest bit of an argument. */
function argument(at: number) {
  return ([open]: TransactionInstruction[]) => [
    withData(open!, (data) => {
      data.writeUInt8(data.readUInt8(at) ^ 1, at);
      return data;
    }),
  ];
}

function flipSignature(wire: Uint8Array): Uint8Array {
  const changed = Uint8Array.from(wire);
  // The second signature is the payer's.
  changed[1 + 64 + 10]! ^= 1;
  return changed;
}

function ata(owner: PublicKey): PublicKey {
  return tokenAddress(owner, USDC.mint, TOKEN_PROGRAM_ID);
}

function proofOf(payer: Keypair): JsonObject {
  const signature = new PublicKey(Buffer.alloc(32, 3)).toBase58();
  return {
    authentication: {
      type: "proof",
      challengeId: "x",
      payer: payer.publicKey.toBase58(),
      signature: `${"1".repeat(32)}${signature}`,
    },
  };
}

describe("an open is refused", () => {
  let market: Market;
  let common: Stall;
  let payer: Keypair;
  before(async () => {
    market = await Market.start();
    common = new Stall(market);
    payer = market.person({ usdc: 10_000n });
  });
  afterEach(() => market.checkBooks());
  after(() => market.stop());

  /** Presents what must be refused, and checks that nothing came of it. */
  async function refuses(stall: Stall, purse: Purse, code: string): Promise<void> {
    const lamports = await market.lamports(stall.feePayer.publicKey);
    market.rpc.forget();
    expect(await stall.refusal(purse.openCredential)).equal(code);
    expect(market.rpc.calls("send"), "transactions sent").equal(0);
    expect(await market.lamports(stall.feePayer.publicKey)).equal(lamports);
    expect(await stall.store.channels.get(purse.channelId)).equal(undefined);
    expect(await purse.onChain()).equal(undefined);
  }

  for (const { what, code, stall: options, change } of CASES) {
    it(`${what}: ${code}`, async () => {
      const stall = options === undefined ? common : new Stall(market, options);
      const made = typeof change === "function" ? change(stall, payer) : change;
      await refuses(stall, await Purse.prepare(stall, payer, made), code);
    });
  }

  it("and the refusal says both amounts, in base units, and what to do", async () => {
    const detail = async (options: StallOptions, change: OpenChange): Promise<string> => {
      const stall = new Stall(market, options);
      const purse = await Purse.prepare(stall, payer, change);
      const refused = await stall.present(purse.openCredential).catch((error: unknown) => error);
      return (refused as RefusedError).detail;
    };
    expect(await detail({ minimumDeposit: 1_001n }, {})).equal(
      "The deposit is 1000 base units; channels are opened with 1001 at least. Deposit that, or more.",
    );
    expect(await detail({}, said({ depositAmount: "999" }))).equal(
      "depositAmount: the credential says 999 base units, the transaction locks 1000.",
    );
  });

  it("with a slot that was in the challenge's window and is too old for the cluster by now: open-slot-window", async () => {
    const stall = new Stall(market);
    const purse = await Purse.prepare(stall, market.person({ usdc: 10_000n }), { slotsAgo: 1_490n });
    market.net.warpSlots(11);
    await refuses(stall, purse, "open-slot-window");
  });

  it("with a slot that the cluster has not reached: open-slot-window", async () => {
    const stall = new Stall(market);
    const purse = await Purse.prepare(stall, market.person({ usdc: 10_000n }));
    market.rpc.fault("height", async (ask) => ({ ...((await ask()) as object), slot: purse.openSlot - 1n }));
    await refuses(stall, purse, "open-slot-window").finally(() => market.rpc.heal());
  });

  it("once its challenge has expired: challenge-expired", async () => {
    const stall = new Stall(market);
    const purse = await Purse.prepare(stall, market.person({ usdc: 10_000n }));
    market.net.advanceSeconds(301);
    await refuses(stall, purse, "challenge-expired");
  });

  it("once its blockhash has expired: open-expired", async () => {
    const stall = new Stall(market);
    const purse = await Purse.prepare(stall, market.person({ usdc: 10_000n }));
    market.net.warpSlots(200);
    await refuses(stall, purse, "open-expired");
  });

  it("for a challenge that resumes a channel: open-mismatch", async () => {
    const stall = new Stall(market);
    const open = await Purse.open(stall);
    const offer = await stall.intent.offer({ ...stallRequest(), channelHint: open.channelId });
    const purse = await Purse.prepare(stall, market.person({ usdc: 10_000n }));
    const action = SessionAction.fromJson(purse.openCredential.payload);
    const { request } = open.opening;
    expect(offer.request.methodDetails).property("channelId", open.channelId);
    const resumed = { ...request, channelId: purse.channelId };
    const refused = await stall.server.opener
      .open(action as SessionAction.Open, { id: "x", request: resumed })
      .catch((error: unknown) => error);
    expect(refused).instanceOf(RefusedError).property("code", "open-mismatch");
  });

  it("of a mint that is not on the seller's list, even if it were challenged: mint-not-allowed", async () => {
    const stall = new Stall(market);
    const purse = await Purse.prepare(stall, market.person({ usdc: 10_000n }), said({ mint: stranger.toBase58() }));
    const action = SessionAction.fromJson(purse.openCredential.payload) as SessionAction.Open;
    const request = { ...purse.opening.request, currency: stranger.toBase58() };
    const refused = await stall.server.opener.open(action, { id: "x", request }).catch((error: unknown) => error);
    expect(refused).instanceOf(RefusedError).property("code", "mint-not-allowed");
  });

  describe("of an operator-signed channel", () => {
    const operator = Keypair.generate();

    async function withProof(proof: (purse: Purse, payer: Keypair) => Promise<JsonObject>): Promise<void> {
      const stall = new Stall(market, { operator });
      const payer = market.person({ usdc: 10_000n });
      const purse = await Purse.prepare(stall, payer);
      const payload = { ...purse.openCredential.payload, ...(await proof(purse, payer)) };
      expect(await stall.refusal({ ...purse.openCredential, payload })).equal("open-authentication");
      expect(await stall.store.channels.get(purse.channelId)).equal(undefined);
      // With its own proof the same open is accepted.
      await stall.errand(purse.openCredential);
    }

    const signed = async (payer: Keypair, channelId: string, sessionChallengeId: string) => {
      const proof = await BearerProof.sign(
        { channelId, payer: payer.publicKey.toBase58(), sessionChallengeId },
        keypairSigner(payer),
      );
      return { authentication: BearerProof.toJson(proof) };
    };

    it("without a proof", () => withProof(async () => ({ authentication: undefined }) as unknown as JsonObject));
    it("with a proof for another channel", () =>
      withProof((purse, payer) => signed(payer, stranger.toBase58(), purse.opening.challenge.id)));
    it("with a proof for another challenge", () =>
      withProof((purse, payer) => signed(payer, purse.channelId, "another")));
    it("with a proof of another payer", () =>
      withProof((purse) => signed(Keypair.generate(), purse.channelId, purse.opening.challenge.id)));
    it("with a proof whose signature is damaged", () =>
      withProof(async (purse, payer) => {
        const { authentication } = await signed(payer, purse.channelId, purse.opening.challenge.id);
        const other = await signed(payer, purse.channelId, "another");
        return { authentication: { ...authentication, signature: other.authentication.signature as string } };
      }));

    it("with another signer than the operator", async () => {
      const stall = new Stall(market, { operator });
      const payer = market.person({ usdc: 10_000n });
      const purse = await Purse.prepare(stall, payer, { authorizedSigner: payer.publicKey });
      await refuses(stall, purse, "open-mismatch");
    });
  });
});

function stallRequest() {
  return {
    url: "https://market.example.com/thing",
    method: "GET",
    raw: undefined,
    idempotencyKey: undefined,
    digest: "d",
    signal: undefined,
  };
}
