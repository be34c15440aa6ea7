// The rules around execution: size, age, duplicates, signatures, fees, errors. Expectations were read off a validator.
import {
  createMintToInstruction,
  createSetAuthorityInstruction,
  createTransferCheckedInstruction,
  createTransferCheckedWithFeeInstruction,
  TOKEN_PROGRAM_ID,
} from "@solana/spl-token";
import {
  AddressLookupTableAccount,
  AddressLookupTableProgram,
  ComputeBudgetProgram,
  Ed25519Program,
  Keypair,
  LAMPORTS_PER_SOL,
  NONCE_ACCOUNT_LENGTH,
  PublicKey,
  SystemProgram,
  TransactionInstruction,
  TransactionMessage,
  VersionedTransaction,
} from "@solana/web3.js";
import bs58 from "bs58";
import { expect } from "chai";
import { Localnet, PACKET_DATA_SIZE } from "../../sdk/localnet/src/index.ts";
import { blockhash, call, payerOf, refusal, send, signed, simulate, transfer } from "./helpers.ts";

const MEMO = new PublicKey("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr");
const memo = (data: Buffer) => new TransactionInstruction({ programId: MEMO, keys: [], data });

const fundedOf = (on: Localnet) => new PublicKey(on.funded[0]!.publicKey.toBase58());

describe("transactions on localnet", () => {
  let chain: Localnet;
  beforeEach(async () => {
    chain = await Localnet.start({ slotTime: "manual" });
  });
  afterEach(() => chain.close());

  const balance = async (key: PublicKey): Promise<number> =>
    (await call(chain, "getBalance", key.toBase58())).result.value;
  const payerBalance = () => balance(payerOf(chain).publicKey);
  const fresh = () => Keypair.generate().publicKey;
  const sign = async (...instructions: TransactionInstruction[]) => signed(chain, await blockhash(chain), instructions);

  describe("size", () => {
    const sized = async (size: number) => {
      const empty = await sign(memo(Buffer.alloc(200, "a")));
      return signed(chain, await blockhash(chain), [memo(Buffer.alloc(200 + size - empty.length, "a"))]);
    };

    it("accepts a transaction of exactly the packet size", async () => {
      const wire = await sized(PACKET_DATA_SIZE);
      expect(wire.length).to.equal(PACKET_DATA_SIZE);
      expect((await send(chain, wire)).error).to.equal(undefined);
    });

    it("refuses one byte more, in base64 and in base58", async () => {
      const wire = Buffer.concat([await sized(PACKET_DATA_SIZE), Buffer.alloc(1)]);
      const expected =
        "-32602 decoded solana_transaction::versioned::VersionedTransaction too large: 1233 bytes (max: 1232 bytes)";
      expect(await refusal(chain, "sendTransaction", wire.toString("base64"), { encoding: "base64" })).to.equal(
        expected,
      );
      const ones = "1".repeat(1233);
      expect(await refusal(chain, "sendTransaction", ones)).to.equal(expected);
      expect(await refusal(chain, "simulateTransaction", ones)).to.equal(expected);
    });

    it("refuses a text longer than any transaction before decoding it", async () => {
      const type = "solana_transaction::versioned::VersionedTransaction";
      expect(await refusal(chain, "sendTransaction", "A".repeat(1648), { encoding: "base64" })).to.equal(
        `-32602 base64 encoded ${type} too large: 1648 bytes (max: encoded/raw 1644/1232)`,
      );
      expect(await refusal(chain, "sendTransaction", "1".repeat(1684))).to.equal(
        `-32602 base58 encoded ${type} too large: 1684 bytes (max: encoded/raw 1683/1232)`,
      );
    });
  });

  describe("blockhashes", () => {
    it("stay valid for 150 blocks and no longer", async () => {
      const hash = await blockhash(chain);
      const to = fresh();
      chain.warpSlots(150);
      expect((await send(chain, signed(chain, hash, [transfer(chain, to, LAMPORTS_PER_SOL)]))).error).to.equal(
        undefined,
      );
      expect((await call(chain, "isBlockhashValid", hash)).result.value).to.equal(true);
      chain.warpSlots(1);
      const late = await send(chain, signed(chain, hash, [transfer(chain, to, LAMPORTS_PER_SOL + 1)]));
      expect(late.error).to.deep.include({
        code: -32002,
        message: "Transaction simulation failed: Blockhash not found",
      });
      expect(late.error?.data.err).to.equal("BlockhashNotFound");
      expect((await call(chain, "isBlockhashValid", hash)).result.value).to.equal(false);
      expect(await balance(to)).to.equal(LAMPORTS_PER_SOL);
    });

    it("carry the last block height at which they are valid", async () => {
      const { result } = await call(chain, "getLatestBlockhash");
      const height = (await call(chain, "getBlockHeight")).result;
      expect(result.value.lastValidBlockHeight).to.equal(height + 150);
    });

    it("are refused when they never existed, and a transaction sent without preflight is then dropped", async () => {
      const never = bs58.encode(Buffer.alloc(32, 7));
      const wire = signed(chain, never, [transfer(chain, fresh(), LAMPORTS_PER_SOL)]);
      expect((await simulate(chain, wire)).result.value.err).to.equal("BlockhashNotFound");
      const { result: signature } = await send(chain, wire, { skipPreflight: true });
      expect(signature).to.be.a("string");
      expect((await call(chain, "getSignatureStatuses", [signature])).result.value).to.deep.equal([null]);
    });

    it("are unknown to a preflight at a commitment that has not seen them yet", async () => {
      const timed = await Localnet.start({ slotTime: 1000 });
      try {
        const wire = signed(timed, await blockhash(timed), [transfer(timed, fresh(), LAMPORTS_PER_SOL)]);
        const early = await send(timed, wire, { preflightCommitment: "finalized" });
        expect(early.error?.data.err).to.equal("BlockhashNotFound");
        expect((await send(timed, wire)).error).to.equal(undefined);
      } finally {
        await timed.close();
      }
    });

    it("can be replaced for a simulation, but not together with a signature check", async () => {
      const wire = signed(chain, bs58.encode(Buffer.alloc(32, 7)), [transfer(chain, fresh(), LAMPORTS_PER_SOL)]);
      const { value } = (await simulate(chain, wire, { replaceRecentBlockhash: true })).result;
      expect(value.err).to.equal(null);
      expect(value.replacementBlockhash).to.have.keys("blockhash", "lastValidBlockHeight");
      const both = await simulate(chain, wire, { replaceRecentBlockhash: true, sigVerify: true });
      expect(both.error?.message).to.equal("sigVerify may not be used with replaceRecentBlockhash");
    });
  });

  describe("duplicates", () => {
    it("are refused by preflight and change nothing without it", async () => {
      const to = fresh();
      const wire = await sign(transfer(chain, to, LAMPORTS_PER_SOL));
      const { result: signature } = await send(chain, wire);
      const again = await send(chain, wire);
      expect(again.error?.code).to.equal(-32002);
      expect(again.error?.message).to.equal(
        "Transaction simulation failed: This transaction has already been processed",
      );
      expect(again.error?.data.err).to.equal("AlreadyProcessed");
      expect((await send(chain, wire, { skipPreflight: true })).result).to.equal(signature);
      expect(await balance(to)).to.equal(LAMPORTS_PER_SOL);
    });

    it("are still refused in later slots, while the blockhash is valid", async () => {
      const wire = await sign(transfer(chain, fresh(), LAMPORTS_PER_SOL));
      await send(chain, wire);
      chain.warpSlots(149);
      expect((await send(chain, wire)).error?.data.err).to.equal("AlreadyProcessed");
      chain.warpSlots(2);
      expect((await send(chain, wire)).error?.data.err).to.equal("BlockhashNotFound");
    });
  });

  describe("signatures", () => {
    it("that do not match are refused by preflight, and dropped without it", async () => {
      const to = fresh();
      const wire = await sign(transfer(chain, to, LAMPORTS_PER_SOL));
      wire[5]! ^= 1;
      const { error } = await send(chain, wire);
      expect(error?.message).to.equal("Transaction simulation failed: Transaction did not pass signature verification");
      expect(error?.data.err).to.equal("SignatureFailure");
      const { result: signature } = await send(chain, wire, { skipPreflight: true });
      expect(signature).to.equal(bs58.encode(wire.subarray(1, 65)));
      expect(await balance(to)).to.equal(0);
      expect((await call(chain, "getTransaction", signature)).result).to.equal(null);
    });

    it("are not looked at by a simulation unless it is told to", async () => {
      const wire = await sign(transfer(chain, fresh(), LAMPORTS_PER_SOL));
      wire[5]! ^= 1;
      expect((await simulate(chain, wire)).result.value.err).to.equal(null);
      expect((await simulate(chain, wire, { sigVerify: true })).result.value.err).to.equal("SignatureFailure");
      const honest = await sign(transfer(chain, fresh(), LAMPORTS_PER_SOL));
      expect((await simulate(chain, honest, { sigVerify: true })).result.value.err).to.equal(null);
    });
  });

  describe("malformed bytes", () => {
    const type = "solana_transaction::versioned::VersionedTransaction";
    const cannotRead = `-32602 failed to deserialize ${type}: io error: failed to fill whole buffer`;
    const insane = "-32602 invalid transaction: Transaction failed to sanitize accounts offsets correctly";
    const refused = (wire: Uint8Array) =>
      refusal(chain, "sendTransaction", Buffer.from(wire).toString("base64"), { encoding: "base64" });

    it("that end too early can't be read", async () => {
      const wire = await sign(transfer(chain, fresh(), 1));
      for (const length of [0, 1, 3, 64, 65, 66, 100, wire.length - 1]) {
        expect(await refused(wire.subarray(0, length)), `first ${length} bytes`).to.equal(cannotRead);
      }
    });

    it("with a wrong number of signatures are not sane", async () => {
      const wire = await sign(transfer(chain, fresh(), 1));
      expect(await refused(Buffer.alloc(1232))).to.equal(insane);
      expect(await refused(Buffer.concat([Buffer.from([2]), wire.subarray(1, 65), wire.subarray(1)]))).to.equal(insane);
    });

    it("with an index outside the accounts are not sane", async () => {
      const wire = await sign(transfer(chain, fresh(), 1));
      // message: 3 header bytes, count, 3 keys, blockhash, count, program index, account count, two indices
      const program = 65 + 3 + 1 + 96 + 32 + 1;
      for (const [at, value] of [
        [program, 3],
        [program, 0],
        [program + 2, 3],
        [65, 9],
        [66, 1],
        [67, 3],
      ] as const) {
        const bad = Buffer.from(wire);
        bad[at] = value;
        expect(await refused(bad), `byte ${at} = ${value}`).to.equal(insane);
      }
    });

    it("that are not in the named encoding are refused", async () => {
      expect(await refusal(chain, "sendTransaction", "!!", { encoding: "base64" })).to.equal(
        "-32602 invalid base64 encoding: InvalidByte(0, 33)",
      );
      expect(await refusal(chain, "sendTransaction", "!!")).to.equal(
        "-32602 invalid base58 encoding: InvalidCharacter { character: '!', index: 0 }",
      );
      expect(await refusal(chain, "sendTransaction", "AAAA", { encoding: "json" })).to.equal(
        "-32602 unsupported encoding: json. Supported encodings: base58, base64",
      );
    });
  });

  describe("failures", () => {
    it("are answered with the error, the logs and the units of the simulation", async () => {
      const wire = await sign(transfer(chain, fresh(), 1e15));
      const { error } = await send(chain, wire);
      expect(error?.code).to.equal(-32002);
      expect(error?.message).to.equal(
        "Transaction simulation failed: Error processing Instruction 0: custom program error: 0x1",
      );
      expect(error?.data).to.deep.include({
        err: { InstructionError: [0, { Custom: 1 }] },
        accounts: null,
        unitsConsumed: 150,
        returnData: null,
      });
      expect(error?.data.logs[2]).to.include("failed: custom program error: 0x1");
    });

    it("land without preflight, and pay their fee", async () => {
      const before = await payerBalance();
      const { result: signature } = await send(chain, await sign(transfer(chain, fresh(), 1e15)), {
        skipPreflight: true,
      });
      expect(await payerBalance()).to.equal(before - 5000);
      const { result } = await call(chain, "getTransaction", signature);
      expect(result.meta).to.deep.include({ err: { InstructionError: [0, { Custom: 1 }] }, fee: 5000 });
      expect(result.meta.status).to.deep.equal({ Err: { InstructionError: [0, { Custom: 1 }] } });
      const [status] = (await call(chain, "getSignatureStatuses", [signature])).result.value;
      expect(status).to.deep.include({ confirmationStatus: "finalized", confirmations: null });
      expect(status.err).to.deep.equal({ InstructionError: [0, { Custom: 1 }] });
    });

    const program = (programId: PublicKey) =>
      new TransactionInstruction({ programId, keys: [], data: Buffer.alloc(0) });
    const cases: readonly [string, (on: Localnet) => TransactionInstruction[], unknown, string][] = [
      [
        "a program that does not exist",
        () => [program(fresh())],
        "ProgramAccountNotFound",
        "Attempt to load a program that does not exist",
      ],
      [
        "an account that is no program",
        (on) => [program(fundedOf(on))],
        "InvalidProgramForExecution",
        "This program may not be used for executing instructions",
      ],
      [
        "an account left without rent",
        (on) => [transfer(on, fresh(), 1)],
        { InsufficientFundsForRent: { account_index: 1 } },
        "Transaction results in an account (1) with insufficient funds for rent",
      ],
      [
        "unreadable instruction data",
        () => [new TransactionInstruction({ programId: SystemProgram.programId, keys: [], data: Buffer.from([99]) })],
        { InstructionError: [0, "InvalidInstructionData"] },
        "Error processing Instruction 0: invalid instruction data",
      ],
      [
        "too few accounts",
        (on) => [
          transfer(on, fundedOf(on), 1),
          new TransactionInstruction({
            programId: SystemProgram.programId,
            keys: [],
            data: Buffer.from("020000000100000000000000", "hex"),
          }),
        ],
        { InstructionError: [1, "MissingAccount"] },
        "Error processing Instruction 1: An account required by the instruction is missing",
      ],
      [
        "a compute limit that is too small",
        (on) => [ComputeBudgetProgram.setComputeUnitLimit({ units: 200 }), transfer(on, fresh(), LAMPORTS_PER_SOL)],
        { InstructionError: [1, "ComputationalBudgetExceeded"] },
        "Error processing Instruction 1: Computational budget exceeded",
      ],
    ];
    for (const [name, instructions, err, message] of cases) {
      it(`by ${name} have the cluster's error and pay`, async () => {
        const wire = await sign(...instructions(chain));
        const preflight = await send(chain, wire);
        expect(preflight.error?.data.err).to.deep.equal(err);
        expect(preflight.error?.message).to.equal(`Transaction simulation failed: ${message}`);
        const before = await payerBalance();
        const { result: signature } = await send(chain, wire, { skipPreflight: true });
        const { result } = await call(chain, "getTransaction", signature);
        expect(result.meta.err).to.deep.equal(err);
        expect(await payerBalance()).to.equal(before - 5000);
      });
    }

    it("of the compute budget are refused before anything runs", async () => {
      const budget = (hex: string) =>
        new TransactionInstruction({
          programId: ComputeBudgetProgram.programId,
          keys: [],
          data: Buffer.from(hex, "hex"),
        });
      const limit = ComputeBudgetProgram.setComputeUnitLimit({ units: 1000 });
      const refused = async (...instructions: TransactionInstruction[]) =>
        (await send(chain, await sign(...instructions), { skipPreflight: true })).error?.message;
      expect(await refused(limit, limit)).to.equal(
        "invalid transaction: Transaction contains a duplicate instruction (1) that is not allowed",
      );
      for (const hex of ["", "00", "0000000000", "01", "02", "0201", "0300", "05"]) {
        expect(await refused(budget(hex)), hex).to.equal(
          "invalid transaction: Error processing Instruction 0: invalid instruction data",
        );
      }
      const before = await payerBalance();
      for (const hex of ["0100040000", "0100040400", "0101800000"]) {
        const wire = await sign(budget(hex));
        const { value } = (await simulate(chain, wire)).result;
        expect(value.err).to.deep.equal({ InstructionError: [0, "InvalidInstructionData"] });
        expect(value.fee).to.equal(null);
        await send(chain, wire, { skipPreflight: true });
      }
      expect((await simulate(chain, await sign(budget("0400000000")))).result.value.err).to.equal(
        "InvalidLoadedAccountsDataSizeLimit",
      );
      expect(await payerBalance()).to.equal(before);
      expect((await simulate(chain, await sign(budget("0401000000")))).result.value.err).to.equal(
        "MaxLoadedAccountsDataSizeExceeded",
      );
    });

    it("of a payer with no account never land", async () => {
      const poor = Keypair.generate();
      const message = new TransactionMessage({
        payerKey: poor.publicKey,
        recentBlockhash: await blockhash(chain),
        instructions: [memo(Buffer.from("x"))],
      }).compileToLegacyMessage();
      const transaction = new VersionedTransaction(message);
      transaction.sign([poor]);
      const { error } = await send(chain, transaction.serialize());
      expect(error?.data.err).to.equal("AccountNotFound");
      expect(error?.message).to.include("Attempt to debit an account but found no record of a prior credit.");
      const { result: signature } = await send(chain, transaction.serialize(), { skipPreflight: true });
      expect((await call(chain, "getTransaction", signature)).result).to.equal(null);
    });
  });

  describe("fees", () => {
    it("are 5,000 lamports a signature plus the priority fee, as getFeeForMessage says", async () => {
      const second = Keypair.generate();
      chain.airdrop(second.publicKey.toBase58(), 1_000_000_000n);
      const hash = await blockhash(chain);
      const wire = signed(
        chain,
        hash,
        [
          ComputeBudgetProgram.setComputeUnitLimit({ units: 30_000 }),
          ComputeBudgetProgram.setComputeUnitPrice({ microLamports: 2_000_001 }),
          SystemProgram.transfer({ fromPubkey: second.publicKey, toPubkey: fresh(), lamports: 900_000_000 }),
        ],
        [second],
      );
      const message = VersionedTransaction.deserialize(wire).message.serialize();
      const expected = 10_000 + 60_001;
      const asked = await call(chain, "getFeeForMessage", Buffer.from(message).toString("base64"));
      expect(asked.result.value).to.equal(expected);
      expect((await simulate(chain, wire)).result.value.fee).to.equal(expected);
      const before = await payerBalance();
      const { result: signature } = await send(chain, wire);
      expect(before - (await payerBalance())).to.equal(expected);
      expect((await call(chain, "getTransaction", signature)).result.meta.fee).to.equal(expected);
    });

    it("are unknown for a message whose blockhash is not valid", async () => {
      const wire = signed(chain, bs58.encode(Buffer.alloc(32, 7)), [transfer(chain, fresh(), 1)]);
      const message = VersionedTransaction.deserialize(wire).message.serialize();
      expect((await call(chain, "getFeeForMessage", Buffer.from(message).toString("base64"))).result.value).to.equal(
        null,
      );
    });
  });

  describe("Ed25519 instructions", () => {
    const signature = Ed25519Program.createInstructionWithPrivateKey({
      privateKey: Keypair.generate().secretKey,
      message: Buffer.from("voucher"),
    });

    it("are verified, and cost a signature's fee each", async () => {
      const { value } = (await simulate(chain, await sign(signature))).result;
      expect(value).to.deep.include({ err: null, fee: 10_000 });
      const before = await payerBalance();
      await send(chain, await sign(signature));
      expect(await payerBalance()).to.equal(before - 10_000);
    });

    it("fail when the signature does not match", async () => {
      const data = Buffer.from(signature.data);
      data[60]! ^= 1;
      const wrong = new TransactionInstruction({ programId: Ed25519Program.programId, keys: [], data });
      const { error } = await send(chain, await sign(wrong));
      expect(error?.data.err).to.deep.equal({ InstructionError: [0, { Custom: 2 }] });
    });
  });

  describe("durable nonces", () => {
    it("let an old transaction land once, and are used up by a failed one too", async () => {
      const nonce = Keypair.generate();
      const payer = payerOf(chain);
      const create = SystemProgram.createNonceAccount({
        fromPubkey: payer.publicKey,
        noncePubkey: nonce.publicKey,
        authorizedPubkey: payer.publicKey,
        lamports: (await call(chain, "getMinimumBalanceForRentExemption", NONCE_ACCOUNT_LENGTH)).result,
      });
      await send(chain, signed(chain, await blockhash(chain), create.instructions, [nonce]));
      const stored = async (): Promise<string> =>
        (await call(chain, "getAccountInfo", nonce.publicKey.toBase58(), { encoding: "jsonParsed" })).result.value.data
          .parsed.info.blockhash;
      const advance = SystemProgram.nonceAdvance({
        noncePubkey: nonce.publicKey,
        authorizedPubkey: payer.publicKey,
      });
      const to = fresh();
      const first = await stored();
      const wire = signed(chain, first, [advance, transfer(chain, to, LAMPORTS_PER_SOL)]);
      chain.warpSlots(1000);
      expect((await send(chain, wire)).error).to.equal(undefined);
      expect(await balance(to)).to.equal(LAMPORTS_PER_SOL);
      expect((await send(chain, wire)).error?.data.err).to.equal("BlockhashNotFound");

      const second = await stored();
      expect(second).to.not.equal(first);
      chain.warpSlots(1);
      const failing = signed(chain, second, [advance, transfer(chain, to, 1e15)]);
      await send(chain, failing, { skipPreflight: true });
      expect(await stored()).to.not.equal(second);
      const without = signed(chain, await stored(), [transfer(chain, to, LAMPORTS_PER_SOL)]);
      expect((await send(chain, without)).error?.data.err).to.equal("BlockhashNotFound");
    });
  });

  describe("address lookup tables", () => {
    it("give their addresses from the slot after they were extended", async () => {
      const payer = payerOf(chain);
      const to = fresh();
      const [create, table] = AddressLookupTableProgram.createLookupTable({
        authority: payer.publicKey,
        payer: payer.publicKey,
        recentSlot: (await call(chain, "getSlot")).result - 1,
      });
      const extend = AddressLookupTableProgram.extendLookupTable({
        lookupTable: table,
        authority: payer.publicKey,
        payer: payer.publicKey,
        addresses: [to],
      });
      expect((await send(chain, await sign(create, extend))).error).to.equal(undefined);
      const { value } = (await call(chain, "getAccountInfo", table.toBase58(), { encoding: "base64" })).result;
      const state = AddressLookupTableAccount.deserialize(Buffer.from(value.data[0], "base64"));
      const lookup = new AddressLookupTableAccount({ key: table, state });
      const build = async (tables: AddressLookupTableAccount[]) => {
        const message = new TransactionMessage({
          payerKey: payer.publicKey,
          recentBlockhash: await blockhash(chain),
          instructions: [transfer(chain, to, LAMPORTS_PER_SOL)],
        }).compileToV0Message(tables);
        const transaction = new VersionedTransaction(message);
        transaction.sign([payer]);
        return transaction.serialize();
      };
      expect((await send(chain, await build([lookup]))).error?.message).to.equal(
        "invalid transaction: Transaction address table lookup uses an invalid index",
      );
      chain.warpSlots(1);
      const { result: signature } = await send(chain, await build([lookup]));
      expect(await balance(to)).to.equal(LAMPORTS_PER_SOL);
      const config = { maxSupportedTransactionVersion: 0 };
      const { result } = await call(chain, "getTransaction", signature, config);
      expect(result.version).to.equal(0);
      expect(result.meta.loadedAddresses).to.deep.equal({ writable: [to.toBase58()], readonly: [] });
      const unknown = new AddressLookupTableAccount({ key: fresh(), state });
      expect((await send(chain, await build([unknown]))).error?.message).to.equal(
        "invalid transaction: Transaction loads an address table account that doesn't exist",
      );
    });
  });

  describe("what is shown of them", () => {
    it("is the same transaction in every encoding", async () => {
      const to = fresh();
      const wire = await sign(memo(Buffer.from("hello é")), transfer(chain, to, LAMPORTS_PER_SOL));
      const { result: signature } = await send(chain, wire);
      const get = async (encoding: string) =>
        (await call(chain, "getTransaction", signature, { encoding, maxSupportedTransactionVersion: 0 })).result;
      const base64 = await get("base64");
      expect(base64.transaction).to.deep.equal([wire.toString("base64"), "base64"]);
      expect((await get("base58")).transaction).to.deep.equal([bs58.encode(wire), "base58"]);
      const json = (await get("json")).transaction;
      expect(json.signatures).to.deep.equal([signature]);
      expect(json.message.header.numRequiredSignatures).to.equal(1);
      expect(bs58.decode(json.message.instructions[0].data)).to.deep.equal(Uint8Array.from(Buffer.from("hello é")));
      const parsed = (await get("jsonParsed")).transaction.message;
      expect(parsed.instructions[0]).to.deep.include({ parsed: "hello é", program: "spl-memo", stackHeight: 1 });
      expect(parsed.instructions[1].parsed).to.deep.equal({
        type: "transfer",
        info: { source: payerOf(chain).publicKey.toBase58(), destination: to.toBase58(), lamports: LAMPORTS_PER_SOL },
      });
      expect(parsed.accountKeys[0]).to.deep.equal({
        pubkey: payerOf(chain).publicKey.toBase58(),
        signer: true,
        source: "transaction",
        writable: true,
      });
      const [listed] = (await call(chain, "getSignaturesForAddress", to.toBase58())).result;
      expect(listed).to.deep.include({ signature, memo: "[8] hello é", err: null, confirmationStatus: "finalized" });
    });

    it("is parsed as a validator parses it, also when it failed", async () => {
      const payer = payerOf(chain).publicKey;
      const [account, mint, other] = [fresh(), fresh(), fresh()] as const;
      const parsedBy = async (instruction: TransactionInstruction) => {
        const { result: signature } = await send(chain, await sign(instruction), { skipPreflight: true });
        const { result } = await call(chain, "getTransaction", signature, { encoding: "jsonParsed" });
        return result.transaction.message.instructions[0];
      };
      const amount = { amount: "1234567", decimals: 6, uiAmount: 1.234567, uiAmountString: "1.234567" };
      const common = { mint: mint.toBase58(), authority: payer.toBase58(), tokenAmount: amount };
      const transferInfo = { ...common, source: account.toBase58(), destination: other.toBase58() };
      expect(await parsedBy(createTransferCheckedInstruction(account, mint, other, payer, 1234567, 6))).to.deep.equal({
        program: "spl-token",
        programId: TOKEN_PROGRAM_ID.toBase58(),
        stackHeight: 1,
        parsed: { type: "transferChecked", info: transferInfo },
      });
      const withFee = createTransferCheckedWithFeeInstruction(account, mint, other, payer, 1234567n, 6, 1n);
      expect((await parsedBy(withFee)).parsed).to.deep.equal({
        type: "transferCheckedWithFee",
        info: {
          ...transferInfo,
          feeAmount: { amount: "1", decimals: 6, uiAmount: 0.000001, uiAmountString: "0.000001" },
        },
      });
      expect((await parsedBy(createSetAuthorityInstruction(account, payer, 3, null))).parsed).to.deep.equal({
        type: "setAuthority",
        info: {
          account: account.toBase58(),
          authority: payer.toBase58(),
          authorityType: "closeAccount",
          newAuthority: null,
        },
      });
      expect((await parsedBy(createMintToInstruction(mint, account, payer, 6))).parsed).to.deep.equal({
        type: "mintTo",
        info: { mint: mint.toBase58(), account: account.toBase58(), amount: "6", mintAuthority: payer.toBase58() },
      });
      const unreadable = new TransactionInstruction({ programId: TOKEN_PROGRAM_ID, keys: [], data: Buffer.from([3]) });
      expect(await parsedBy(unreadable)).to.deep.equal({
        accounts: [],
        data: bs58.encode(Buffer.from([3])),
        programId: TOKEN_PROGRAM_ID.toBase58(),
        stackHeight: 1,
      });
    });

    it("is listed per address newest first, between before and until", async () => {
      const to = fresh();
      const signatures: string[] = [];
      for (let index = 0; index < 4; index += 1) {
        signatures.unshift((await send(chain, await sign(transfer(chain, to, LAMPORTS_PER_SOL + index)))).result);
      }
      const list = async (options: object): Promise<string[]> =>
        (await call(chain, "getSignaturesForAddress", to.toBase58(), options)).result.map(
          (entry: { signature: string }) => entry.signature,
        );
      expect(await list({})).to.deep.equal(signatures);
      expect(await list({ limit: 2 })).to.deep.equal(signatures.slice(0, 2));
      expect(await list({ before: signatures[1] })).to.deep.equal(signatures.slice(2));
      expect(await list({ until: signatures[2] })).to.deep.equal(signatures.slice(0, 2));
      expect(await list({ before: signatures[0], until: signatures[3] })).to.deep.equal(signatures.slice(1, 3));
    });

    it("follows the commitment: processed at once, confirmed with the next slot, finalized 32 slots on", async () => {
      const timed = await Localnet.start({ slotTime: 60_000 });
      try {
        const wire = signed(timed, await blockhash(timed), [transfer(timed, fresh(), LAMPORTS_PER_SOL)]);
        const { result: signature } = await send(timed, wire);
        const status = async () => (await call(timed, "getSignatureStatuses", [signature])).result.value[0];
        const seen = async (commitment: string) =>
          (await call(timed, "getTransaction", signature, { commitment })).result !== null;
        expect(await status()).to.deep.include({ confirmationStatus: "processed", confirmations: 0 });
        expect(await seen("confirmed")).to.equal(false);
        timed.warpSlots(1);
        expect(await status()).to.deep.include({ confirmationStatus: "confirmed", confirmations: 1 });
        expect([await seen("confirmed"), await seen("finalized")]).to.deep.equal([true, false]);
        timed.warpSlots(31);
        expect(await status()).to.deep.include({ confirmationStatus: "finalized", confirmations: null });
        expect(await seen("finalized")).to.equal(true);
      } finally {
        await timed.close();
      }
    });
  });
});
