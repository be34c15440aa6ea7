// Attacks that were seen on other sponsors of fees, each on the whole service over HTTP. After every one: nothing was
// signed, nobody paid, and the sponsors have every lamport that they had. (A hundred settlements at once, the malleable
// base64, rent, quotas and budgets: across.test.ts, budgets.test.ts.)
//
// What does not apply here, and why:
// - Several lookup tables whose order diverges, stale caches of tables: no table is taken at all.
// - Accounts, signatures and data in instructions that programs call ("inner"): no program is taken that calls another one
//   on anybody's word; the associated token program and Token-2022 (transfer hooks, which are refused with the mint) are
//   the only ones that call at all.
// - The price of the fee in tokens (floors to 0, decimals overflow): nothing is charged for the fee.
// - Mints whose hook or fee changes between trial and landing: tests/server/charge/sponsor.test.ts, the same code; what is
//   verified after landing is what has arrived.
// - Bundles that are signed before all are tried: one transaction is one payment.
// - Deploy authorities, program upgrades: no key here has any; loaders are not taken.
// - Channels that are opened and never used: sessions (tests/facilitator/session).
// - A facilitator that lies: the client looks for itself (tests/server, `verifyRpcUrl`).
import {
  AuthorityType,
  createApproveInstruction,
  createAssociatedTokenAccountIdempotentInstruction,
  createAssociatedTokenAccountInstruction,
  createBurnInstruction,
  createCloseAccountInstruction,
  createInitializeAccount3Instruction,
  createInitializeMint2Instruction,
  createSetAuthorityInstruction,
  createTransferCheckedInstruction,
  createTransferInstruction,
  TOKEN_2022_PROGRAM_ID,
  TOKEN_PROGRAM_ID,
} from "@solana/spl-token";
import {
  AddressLookupTableAccount,
  AddressLookupTableProgram,
  ComputeBudgetProgram,
  Keypair,
  PublicKey,
  SystemProgram,
  TransactionInstruction,
  TransactionMessage,
  VersionedTransaction,
} from "@solana/web3.js";
import { expect } from "chai";
import { memo } from "../../server/charge/shop.ts";
import { ata, type Change, FEE, Market, type Order, orderOf, PRICE, USDC } from "./market.ts";

const LIGHTHOUSE = new PublicKey("L2TExMFKdjpN9kozasaurPirfHy9P8sbXoAN1qA3S95");

/** What an attacker knows. */
interface Scene {
  readonly buyer: PublicKey;
  readonly seller: PublicKey;
  /** Pays the fee of this payment. */
  readonly sponsor: PublicKey;
  /** Another fee payer of the facilitator. */
  readonly other: PublicKey;
  readonly thief: Keypair;
}

type Extra = (scene: Scene) => TransactionInstruction | readonly TransactionInstruction[];

describe("facilitator, attacks on the sponsor", () => {
  let market: Market;
  let seller: Keypair;
  let buyer: Keypair;
  let thief: Keypair;
  before(async () => {
    market = await Market.start({ config: { sponsorAccountsPerDay: 0 } });
    seller = await market.person(0n);
    buyer = await market.person(1_000_000_000n, 10_000_000_000n);
    thief = await market.person(1_000_000_000n, 10_000_000_000n);
    for (const { publicKey } of market.running.keys.feePayers) await market.openAccount(publicKey);
  });
  after(() => market.close());

  async function books(): Promise<readonly bigint[]> {
    const sponsors = market.running.keys.feePayers.map(({ publicKey }) => publicKey);
    return Promise.all([
      ...sponsors.map((key) => market.lamports(key)),
      ...[buyer, thief, seller].map(({ publicKey }) => market.lamports(publicKey)),
      ...[buyer, thief, seller].map(({ publicKey }) => market.tokens(publicKey)),
    ]);
  }

  /** Posts it, and checks that nothing came of it but the refusal. */
  async function refused(order: Order, code: string, status = 422): Promise<void> {
    const before = await books();
    market.rpc.forget();
    const answer = await market.settle(order);
    expect(answer.json.code, JSON.stringify(answer.json)).to.equal(code);
    expect(answer.status).to.equal(status);
    expect(answer.json.retryable).to.equal(false);
    expect(market.rpc.calls("send"), "sent").to.equal(0);
    expect(await books()).to.deep.equal(before);
    expect(await market.context.store.charges.lease("test", 9, Date.now(), 0), "signed").to.deep.equal([]);
  }

  async function attack(code: string, change: (scene: Scene) => Change, more: Partial<Scene> = {}): Promise<void> {
    const request = await market.request({ recipient: seller.publicKey });
    const sponsor = new PublicKey(request.feePayerKey!);
    const other = market.running.keys.feePayers.find(({ publicKey }) => !publicKey.equals(sponsor))!.publicKey;
    const scene = { buyer: buyer.publicKey, seller: seller.publicKey, sponsor, other, thief, ...more };
    await refused(orderOf(request, await market.signed(request, buyer, change(scene))), code);
  }

  const beside = (code: string, extra: Extra, signers: readonly Keypair[] = []) =>
    attack(code, (scene) => ({ instructions: (honest) => [...honest, ...[extra(scene)].flat()], signers }));

  it("an honest payment passes, so that what follows is refused for what it does", async () => {
    const before = await books();
    const answer = await market.settle(await market.order({ recipient: seller.publicKey }, buyer));
    expect(answer.status, JSON.stringify(answer.json)).to.equal(200);
    const after = await books();
    const sponsors = market.running.keys.feePayers.length;
    const grown = after.map((amount, at) => amount - before[at]!);
    expect(grown.slice(0, sponsors).reduce((sum, lamports) => sum + lamports, 0n)).to.equal(-FEE);
    expect(grown.slice(sponsors)).to.deep.equal([0n, 0n, 0n, -PRICE, 0n, PRICE]);
  });

  describe("programs and instructions that are not allowed", () => {
    const FORBIDDEN: readonly (readonly [name: string, extra: Extra])[] = [
      ["Assign of the sponsor", ({ sponsor }) => SystemProgram.assign({ accountPubkey: sponsor, programId: USDC })],
      ["Assign of the payer", (scene) => SystemProgram.assign({ accountPubkey: scene.buyer, programId: USDC })],
      ["Allocate", ({ sponsor }) => SystemProgram.allocate({ accountPubkey: sponsor, space: 8 })],
      [
        "CreateAccount, owned by any program",
        ({ sponsor }) =>
          SystemProgram.createAccount({
            fromPubkey: sponsor,
            newAccountPubkey: thief.publicKey,
            lamports: 1,
            space: 0,
            programId: USDC,
          }),
      ],
      [
        "CreateAccountWithSeed",
        ({ sponsor }) =>
          SystemProgram.createAccountWithSeed({
            fromPubkey: sponsor,
            basePubkey: sponsor,
            seed: "x",
            newAccountPubkey: thief.publicKey,
            lamports: 1,
            space: 0,
            programId: USDC,
          }),
      ],
      [
        "AssignWithSeed",
        ({ sponsor }) =>
          SystemProgram.assign({ accountPubkey: thief.publicKey, basePubkey: sponsor, seed: "x", programId: USDC }),
      ],
      [
        "TransferWithSeed",
        ({ sponsor }) =>
          SystemProgram.transfer({
            fromPubkey: thief.publicKey,
            basePubkey: sponsor,
            toPubkey: thief.publicKey,
            lamports: 1,
            seed: "x",
            programId: USDC,
          }),
      ],
      [
        "CreateAccountAllowPrefund, which bricks what it is given",
        ({ sponsor }) => system(13, [sponsor, thief.publicKey], Buffer.alloc(48)),
      ],
      [
        "WithdrawNonceAccount",
        ({ sponsor }) =>
          SystemProgram.nonceWithdraw({
            noncePubkey: thief.publicKey,
            authorizedPubkey: sponsor,
            toPubkey: thief.publicKey,
            lamports: 1,
          }),
      ],
      [
        "InitializeNonceAccount with an authority in its data",
        ({ sponsor }) => SystemProgram.nonceInitialize({ noncePubkey: thief.publicKey, authorizedPubkey: sponsor }),
      ],
      [
        "AuthorizeNonceAccount",
        ({ sponsor }) =>
          SystemProgram.nonceAuthorize({
            noncePubkey: thief.publicKey,
            authorizedPubkey: sponsor,
            newAuthorizedPubkey: thief.publicKey,
          }),
      ],
      [
        "CreateLookupTable at the sponsor's expense",
        ({ sponsor }) =>
          AddressLookupTableProgram.createLookupTable({ authority: sponsor, payer: sponsor, recentSlot: 1 })[0],
      ],
      [
        "ExtendLookupTable",
        ({ sponsor }) =>
          AddressLookupTableProgram.extendLookupTable({
            lookupTable: thief.publicKey,
            authority: sponsor,
            payer: sponsor,
            addresses: [thief.publicKey],
          }),
      ],
      [
        "CloseLookupTable",
        ({ sponsor }) =>
          AddressLookupTableProgram.closeLookupTable({
            lookupTable: thief.publicKey,
            authority: sponsor,
            recipient: thief.publicKey,
          }),
      ],
      [
        "SetAuthority with the sponsor in its data",
        ({ sponsor, buyer }) => createSetAuthorityInstruction(ata(buyer), buyer, AuthorityType.AccountOwner, sponsor),
      ],
      [
        "InitializeAccount3 with the owner in its data",
        ({ sponsor }) => createInitializeAccount3Instruction(thief.publicKey, USDC, sponsor),
      ],
      [
        "InitializeMint2 with authorities in its data",
        ({ sponsor }) => createInitializeMint2Instruction(thief.publicKey, 6, sponsor, sponsor),
      ],
      ["Approve", ({ sponsor }) => createApproveInstruction(ata(sponsor), thief.publicKey, sponsor, 1n)],
      ["Burn", ({ sponsor }) => createBurnInstruction(ata(sponsor), USDC, sponsor, 1n)],
      ["Transfer without checks", ({ buyer, seller }) => createTransferInstruction(ata(buyer), ata(seller), buyer, 1n)],
      [
        "CloseAccount, which gives rent to whom it names",
        ({ sponsor }) => createCloseAccountInstruction(ata(sponsor), thief.publicKey, sponsor),
      ],
      ["CloseAccount of the payer's own", ({ buyer }) => createCloseAccountInstruction(ata(buyer), buyer, buyer)],
      [
        "WithdrawExcessLamports of Token-2022",
        ({ sponsor }) => token2022([38], [ata(sponsor), thief.publicKey, sponsor]),
      ],
      ["Reallocate of Token-2022", ({ sponsor }) => token2022([29, 7, 0], [thief.publicKey, sponsor, sponsor])],
      ["Pause of Token-2022", ({ sponsor }) => token2022([44, 1], [USDC, sponsor])],
      ["UnwrapLamports of Token-2022", ({ sponsor }) => token2022([45, 0], [ata(sponsor), thief.publicKey, sponsor])],
      [
        "Batch of the token program, which holds any others",
        ({ sponsor, buyer }) => batch(TOKEN_PROGRAM_ID, [createCloseAccountInstruction(ata(buyer), sponsor, buyer)]),
      ],
      [
        "Batch of Token-2022",
        ({ sponsor }) =>
          batch(TOKEN_2022_PROGRAM_ID, [
            createTransferCheckedInstruction(ata(sponsor), USDC, ata(thief.publicKey), sponsor, 1n, 6),
          ]),
      ],
      [
        "a program of the attacker's that is handed the sponsor's signature",
        ({ sponsor }) => instruction(Keypair.generate().publicKey, [sponsor], Buffer.of(1)),
      ],
      [
        "a non-idempotent creation of an account",
        ({ sponsor }) => createAssociatedTokenAccountInstruction(sponsor, ata(thief.publicKey), thief.publicKey, USDC),
      ],
      ["a heap frame", () => ComputeBudgetProgram.requestHeapFrame({ bytes: 65_536 })],
      ["bytes behind the data of a memo's neighbour", ({ buyer, seller }) => padded(transfer(buyer, seller, 1n))],
      ["an instruction of Lighthouse that writes", ({ buyer }) => lighthouse([buyer], 0)],
    ];

    for (const [name, extra] of FORBIDDEN) {
      it(`${name} is refused`, () => beside("policy:program_not_allowed", extra, [thief]));
    }
  });

  describe("the sponsor in any part but its own", () => {
    it("its tokens are not transferred", () =>
      beside("transfer_authority_mismatch", ({ sponsor }) =>
        createTransferCheckedInstruction(ata(sponsor), USDC, ata(thief.publicKey), sponsor, 1n, 6),
      ));

    it("its lamports are not transferred", () =>
      beside("transfer_authority_mismatch", ({ sponsor }) =>
        SystemProgram.transfer({ fromPubkey: sponsor, toPubkey: thief.publicKey, lamports: 1 }),
      ));

    it("it does not pay instead of the buyer", () =>
      attack("policy:fee_payer_not_isolated", ({ sponsor, seller }) => ({
        instructions: (honest) => [
          ...honest.slice(0, -1),
          createTransferCheckedInstruction(ata(sponsor), USDC, ata(seller), sponsor, PRICE, 6),
        ],
      })));

    it("another key of the facilitator's signs nothing", () =>
      beside("signature_invalid", ({ other }) => memo("x", [other])));

    for (const count of [1, 2, 3, 4, 5]) {
      it(`it is no co-signer of a multisig, as number ${count}`, () =>
        attack("policy:program_not_allowed", ({ sponsor, buyer, seller }) => ({
          instructions: (honest) => [
            ...honest.slice(0, -1),
            createTransferCheckedInstruction(ata(buyer), USDC, ata(seller), buyer, PRICE, 6, [
              ...Array.from({ length: count - 1 }, () => thief.publicKey),
              sponsor,
            ]),
          ],
          signers: [thief],
        })));
    }

    it("it signs no memo", () => beside("memo_invalid", ({ sponsor }) => memo("the sponsor agrees", [sponsor])));

    it("no assertion of a wallet is about it", () =>
      beside("policy:fee_payer_not_isolated", ({ sponsor }) => lighthouse([sponsor])));

    it("it is not in another place than the first", () =>
      attack("policy:fee_payer_mismatch", ({ buyer, sponsor }) => ({
        feePayer: buyer,
        instructions: (honest) => [...honest, memo("x", [sponsor])],
      })));

    it("another key of ours does not pay in its place", () =>
      attack("signature_invalid", ({ other }) => ({ feePayer: other })));

    it("nobody else's key is named by the request", async () => {
      const request = {
        ...(await market.request({ recipient: seller.publicKey })),
        feePayerKey: thief.publicKey.toBase58(),
      };
      await refused(
        orderOf(request, await market.signed(request, buyer, { signers: [thief] })),
        "policy:fee_payer_mismatch",
      );
    });

    it("a request that leaves the fee to the payer is not settled here", async () => {
      const { feePayerKey: _, ...rest } = await market.request({ recipient: seller.publicKey });
      const request = { ...rest, feePayer: false };
      const wire = await market.signed({ ...request, feePayerKey: buyer.publicKey.toBase58() }, buyer);
      await refused(orderOf(request, wire), "policy:fee_payer_mismatch");
    });
  });

  describe("durable nonces", () => {
    const advance = (at: "first" | "last"): ((scene: Scene) => Change) => {
      return ({ buyer }) => ({
        instructions: (honest) => {
          const nonce = SystemProgram.nonceAdvance({ noncePubkey: thief.publicKey, authorizedPubkey: buyer });
          return at === "first" ? [nonce, ...honest] : [...honest, nonce];
        },
      });
    };
    it("a nonce that is advanced first is refused", () => attack("policy:durable_nonce_not_allowed", advance("first")));
    it("and one that is advanced later", () => attack("policy:durable_nonce_not_allowed", advance("last")));
  });

  describe("what it costs", () => {
    const budget = (microLamports: number | bigint, units?: number): Change => ({
      instructions: (honest) => [
        ComputeBudgetProgram.setComputeUnitPrice({ microLamports }),
        ...(units === undefined ? [] : [ComputeBudgetProgram.setComputeUnitLimit({ units })]),
        ...honest.slice(2),
      ],
    });
    const tooHigh = (microLamports: number | bigint, units?: number) =>
      attack("policy:priority_fee_too_high", () => budget(microLamports, units));

    it("2,000 lamports of priority are sponsored, and not one more", async () => {
      const before = await market.sponsors();
      const order = await market.order({ recipient: seller.publicKey }, buyer, budget(10_000, 200_000));
      expect((await market.settle(order)).status).to.equal(200);
      expect(before - (await market.sponsors())).to.equal(12_000n);
      await tooHigh(10_001, 200_000);
    });

    it("an absent limit counts as at least what the runtime gives, so that the cap holds of what is really taken", async () => {
      for (const microLamports of [1, 1_000, 3_000, 4_999, 5_000]) {
        const before = await market.sponsors();
        const order = await market.order({ recipient: seller.publicKey }, buyer, budget(microLamports));
        expect((await market.settle(order)).status, `${microLamports}`).to.equal(200);
        expect(before - (await market.sponsors()) <= 12_000n, `${microLamports}`).to.equal(true);
      }
      await tooHigh(5_001);
    });

    it("1,400,000 units at the price of others' defaults are refused", () => tooHigh(5_000_000, 1_400_000));
    it("more units than a transaction can have count as what it can have", () => tooHigh(1_429, 0xffff_ffff));
    it("the highest price there is overflows nothing", () => tooHigh(2n ** 64n - 1n, 1_400_000));
    it("a lamport that is begun is paid", () => tooHigh(2_000_000_001, 1));
    it("settings are made once", () =>
      attack("policy:compute_budget_invalid", () => ({ instructions: (honest) => [honest[0]!, ...honest] })));
  });

  describe("what wallets add", () => {
    before(async () => {
      // The embedded chain has no Lighthouse; its Memo takes the same bytes.
      const program = await market.running.connection.getAccountInfo(memo("x").programId);
      market.running.net.addProgram(LIGHTHOUSE.toBase58(), program!.data);
    });

    for (const count of [0, 1, 2, 3]) {
      it(`${count} assertions that are not about the sponsor are let through`, async () => {
        const order = await market.order({ recipient: seller.publicKey }, buyer, {
          instructions: (honest) => [...honest, ...Array.from({ length: count }, () => lighthouse([buyer.publicKey]))],
        });
        const answer = await market.settle(order);
        expect(answer.status, JSON.stringify(answer.json)).to.equal(200);
      });
    }

    it("four are not", () =>
      beside("policy:program_not_allowed", ({ buyer }) => Array.from({ length: 4 }, () => lighthouse([buyer]))));
  });

  describe("what it pays", () => {
    it("nothing: no transfer at all", () =>
      attack("no_transfer_instruction", () => ({ instructions: (honest) => honest.slice(0, -1) })));
    it("less", () => pays("settlement_amount_mismatch", PRICE - 1n));
    it("more, which is no payment of this either", () => pays("settlement_amount_mismatch", PRICE + 1n));
    it("somebody else", () =>
      attack("settlement_recipient_mismatch", ({ buyer }) => ({
        instructions: (honest) => [...honest.slice(0, -1), transfer(buyer, thief.publicKey, PRICE)],
      })));
    it("somebody else, too", () =>
      beside("settlement_recipient_mismatch", ({ buyer }) => transfer(buyer, thief.publicKey, 1n)));
    it("in other decimals", () =>
      attack("settlement_asset_mismatch", ({ buyer, seller }) => ({
        instructions: (honest) => [
          ...honest.slice(0, -1),
          createTransferCheckedInstruction(ata(buyer), USDC, ata(seller), buyer, PRICE, 9),
        ],
      })));
    it("out of somebody else's account", () =>
      attack("transfer_authority_mismatch", ({ buyer, seller }) => ({
        instructions: (honest) => [
          ...honest.slice(0, -1),
          createTransferCheckedInstruction(ata(thief.publicKey), USDC, ata(seller), buyer, PRICE, 6),
        ],
      })));

    const pays = (code: string, amount: bigint) =>
      attack(code, ({ buyer, seller }) => ({
        instructions: (honest) => [...honest.slice(0, -1), transfer(buyer, seller, amount)],
      }));
  });

  describe("accounts that are created", () => {
    it("none at the sponsor's expense that the request does not mark", () =>
      beside("policy:account_creation_not_allowed", ({ sponsor }) => {
        const owner = Keypair.generate().publicKey;
        return createAssociatedTokenAccountIdempotentInstruction(sponsor, ata(owner), owner, USDC);
      }));

    it("none at all where the operator has not said so", async () => {
      const owner = Keypair.generate().publicKey.toBase58();
      const splits = [{ recipient: owner, amount: 1n, ataCreationRequired: true }];
      const request = { ...(await market.request({ recipient: seller.publicKey })), splits };
      await refused(orderOf(request, await market.signed(request, buyer)), "policy:account_creation_not_allowed");
    });
  });

  describe("who signs", () => {
    it("a signature of another message is found out before any node is asked", async () => {
      const request = await market.request({ recipient: seller.publicKey });
      const wire = await market.signed(request, buyer);
      // The buyer's signature is the second one.
      wire[1 + 64 + 5]! ^= 1;
      market.rpc.forget();
      await refused(orderOf(request, wire), "signature_invalid");
      expect(market.rpc.calls()).to.equal(0);
    });

    it("no signature at all is none", async () => {
      const request = await market.request({ recipient: seller.publicKey });
      const wire = await market.signed(request, buyer);
      wire.fill(0, 1 + 64, 1 + 128);
      await refused(orderOf(request, wire), "signature_invalid");
    });

    it("a third signer is refused", () =>
      beside("policy:signer_not_allowed", () => memo("x", [thief.publicKey]), [thief]));
  });

  describe("how it is written", () => {
    it("accounts of one lookup table are refused", () => lookups(1));
    it("accounts of two tables, writable and read-only ones interleaved, are refused", () => lookups(2));

    async function lookups(tables: number): Promise<void> {
      const request = await market.request({ recipient: seller.publicKey });
      const keys = [ata(seller.publicKey), USDC, ata(buyer.publicKey), TOKEN_PROGRAM_ID];
      const accounts = Array.from({ length: tables }, (_, at) => {
        const addresses = tables === 1 ? keys : keys.filter((_, index) => index % 2 === at);
        const state = {
          deactivationSlot: 2n ** 64n - 1n,
          lastExtendedSlot: 0,
          lastExtendedSlotStartIndex: 0,
          addresses,
        };
        return new AddressLookupTableAccount({ key: Keypair.generate().publicKey, state });
      });
      const { blockhash } = await market.running.connection.getLatestBlockhash();
      const message = new TransactionMessage({
        payerKey: new PublicKey(request.feePayerKey!),
        recentBlockhash: blockhash,
        instructions: [transfer(buyer.publicKey, seller.publicKey, PRICE)],
      }).compileToV0Message(accounts);
      expect(message.addressTableLookups).to.have.length(tables);
      const transaction = new VersionedTransaction(message);
      transaction.sign([buyer]);
      await refused(orderOf(request, transaction.serialize()), "policy:lookup_table_not_allowed");
    }

    it("a legacy transaction is read as what it is, and paid", async () => {
      const order = await market.order({ recipient: seller.publicKey }, buyer, { legacy: true });
      expect((await market.settle(order)).status).to.equal(200);
    });

    it("a v0 message without its version is no legacy one", () =>
      rewritten((wire) => [...wire.slice(0, 129), ...wire.slice(130)]));
    it("a legacy message with a version before it is no v0 one", () =>
      rewritten((wire) => [...wire.slice(0, 129), 0x80, ...wire.slice(129)], true));
    it("a version that does not exist yet is refused", () =>
      rewritten((wire) => [...wire.slice(0, 129), 0x81, ...wire.slice(130)]));
    it("bytes behind the transaction are refused", () => rewritten((wire) => [...wire, 0]));
    it("a transaction that is cut off is refused", () => rewritten((wire) => wire.slice(0, -1)));
    it("a count in more bytes than it needs is refused", () => rewritten((wire) => [0x82, 0, ...wire.slice(1)]));

    async function rewritten(change: (wire: number[]) => number[], legacy = false): Promise<void> {
      const request = await market.request({ recipient: seller.publicKey });
      const wire = await market.signed(request, buyer, { legacy });
      await refused(orderOf(request, Uint8Array.from(change([...wire]))), "invalid_transaction_encoding", 400);
    }
  });
});

function transfer(from: PublicKey, to: PublicKey, amount: bigint): TransactionInstruction {
  return createTransferCheckedInstruction(ata(from), USDC, ata(to), from, amount, 6);
}

function instruction(programId: PublicKey, keys: readonly PublicKey[], data: Buffer): TransactionInstruction {
  // Only the fee payer's signature is there to be had: others would be refused for themselves.
  return new TransactionInstruction({
    programId,
    keys: keys.map((pubkey) => ({ pubkey, isSigner: false, isWritable: true })),
    data,
  });
}

function system(discriminator: number, keys: readonly PublicKey[], rest: Buffer): TransactionInstruction {
  const head = Buffer.alloc(4);
  head.writeUInt32LE(discriminator);
  return instruction(SystemProgram.programId, keys, Buffer.concat([head, rest]));
}

function token2022(data: readonly number[], keys: readonly PublicKey[]): TransactionInstruction {
  return instruction(TOKEN_2022_PROGRAM_ID, keys, Buffer.from(data));
}

/** 255 `Batch`: for each, how many accounts and bytes, then its bytes. */
function batch(programId: PublicKey, inner: readonly TransactionInstruction[]): TransactionInstruction {
  const data = inner.flatMap((one) => [one.keys.length, one.data.length, ...one.data]);
  return new TransactionInstruction({
    programId,
    keys: inner.flatMap(({ keys }) => keys),
    data: Buffer.of(255, ...data),
  });
}

function padded(one: TransactionInstruction): TransactionInstruction {
  return new TransactionInstruction({ ...one, data: Buffer.concat([one.data, Buffer.of(0)]) });
}

/** `AssertAccountInfo` and its like; the chain of the tests takes the bytes for a memo. */
function lighthouse(keys: readonly PublicKey[], discriminator = 5): TransactionInstruction {
  return new TransactionInstruction({
    programId: LIGHTHOUSE,
    keys: keys.map((pubkey) => ({ pubkey, isSigner: true, isWritable: false })),
    data: Buffer.of(discriminator, 1, 2, 3),
  });
}
