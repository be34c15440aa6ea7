// What is known of a mint before anybody is asked to pay with it.
import { Localnet, USDC_MINT } from "@mppsol/localnet";
import { tokenAddress } from "@mppsol/programs";
import {
  createAssociatedTokenAccountInstruction,
  createInitializeInterestBearingMintInstruction,
  createInitializeMint2Instruction,
  createInitializeMintCloseAuthorityInstruction,
  createInitializePausableConfigInstruction,
  createInitializePermanentDelegateInstruction,
  createInitializeTransferFeeConfigInstruction,
  createInitializeTransferHookInstruction,
  ExtensionType,
  getMintLen,
  TOKEN_2022_PROGRAM_ID,
  TOKEN_PROGRAM_ID,
} from "@solana/spl-token";
import {
  Connection,
  Keypair,
  PublicKey,
  SystemProgram,
  Transaction,
  type TransactionInstruction,
} from "@solana/web3.js";
import { expect } from "chai";
import fc from "fast-check";
import { createMints, createRpc, MintError, RpcError } from "../../../sdk/server/src/chain/index.ts";
import { readMint, received } from "../../../sdk/server/src/chain/mint.ts";
import { down, type FaultyRpc, faulty } from "./faults.ts";

describe("mint", () => {
  let net: Localnet;
  let rpc: FaultyRpc;
  let connection: Connection;
  before(async () => {
    net = await Localnet.start({ slotTime: "manual" });
    rpc = faulty(createRpc({ endpoint: net.url, backoffMs: 1 }));
    connection = new Connection(net.url, "confirmed");
  });
  after(() => net.close());
  afterEach(() => rpc.heal());

  type Extend = (mint: PublicKey, authority: PublicKey) => TransactionInstruction;

  async function make(kinds: ExtensionType[], extend: Extend[]): Promise<string> {
    const payer = Keypair.fromSecretKey(net.payer.secretKey);
    const mint = Keypair.generate();
    const space = getMintLen(kinds);
    const transaction = new Transaction({
      feePayer: payer.publicKey,
      recentBlockhash: (await connection.getLatestBlockhash()).blockhash,
    }).add(
      SystemProgram.createAccount({
        fromPubkey: payer.publicKey,
        newAccountPubkey: mint.publicKey,
        space,
        lamports: await connection.getMinimumBalanceForRentExemption(space),
        programId: TOKEN_2022_PROGRAM_ID,
      }),
      ...extend.map((one) => one(mint.publicKey, payer.publicKey)),
      createInitializeMint2Instruction(mint.publicKey, 5, payer.publicKey, null, TOKEN_2022_PROGRAM_ID),
    );
    transaction.sign(payer, mint);
    await connection.sendRawTransaction(transaction.serialize());
    return mint.publicKey.toBase58();
  }

  const EXTENSIONS: [string, ExtensionType, Extend][] = [
    [
      "none",
      ExtensionType.Uninitialized,
      (mint) => SystemProgram.transfer({ fromPubkey: mint, toPubkey: mint, lamports: 0 }),
    ],
    [
      "a close authority",
      ExtensionType.MintCloseAuthority,
      (mint, key) => createInitializeMintCloseAuthorityInstruction(mint, key, TOKEN_2022_PROGRAM_ID),
    ],
    [
      "a permanent delegate",
      ExtensionType.PermanentDelegate,
      (mint, key) => createInitializePermanentDelegateInstruction(mint, key, TOKEN_2022_PROGRAM_ID),
    ],
    [
      "interest",
      ExtensionType.InterestBearingConfig,
      (mint, key) => createInitializeInterestBearingMintInstruction(mint, key, 5, TOKEN_2022_PROGRAM_ID),
    ],
    [
      "a pause",
      ExtensionType.PausableConfig,
      (mint, key) => createInitializePausableConfigInstruction(mint, key, TOKEN_2022_PROGRAM_ID),
    ],
    [
      "a transfer hook",
      ExtensionType.TransferHook,
      (mint, key) => createInitializeTransferHookInstruction(mint, key, key, TOKEN_2022_PROGRAM_ID),
    ],
    [
      "a transfer fee",
      ExtensionType.TransferFeeConfig,
      (mint, key) => createInitializeTransferFeeConfigInstruction(mint, key, key, 250, 77n, TOKEN_2022_PROGRAM_ID),
    ],
  ];

  for (const [name, kind, extend] of EXTENSIONS) {
    it(`of Token-2022 with ${name}: program, decimals and the size of its token accounts are known`, async () => {
      const plain = kind === ExtensionType.Uninitialized;
      const address = await make(plain ? [] : [kind], plain ? [] : [extend]);
      const mint = await createMints(rpc).get(address);
      expect(mint).to.include({ address, tokenProgram: TOKEN_2022_PROGRAM_ID.toBase58(), decimals: 5 });
      expect(mint.nonTransferable).to.equal(false);
      expect(mint.transferHook !== undefined).to.equal(kind === ExtensionType.TransferHook);
      expect(mint.transferFee).to.deep.equal(
        kind === ExtensionType.TransferFeeConfig ? { basisPoints: 250n, maximum: 77n } : undefined,
      );
      expect(mint.accountSize).to.equal(await sizeOfAccount(address));
    });
  }

  /** Bytes of an associated token account, as the chain makes it. */
  async function sizeOfAccount(address: string): Promise<number> {
    const payer = Keypair.fromSecretKey(net.payer.secretKey);
    const key = new PublicKey(address);
    const owner = Keypair.generate().publicKey;
    const account = tokenAddress(owner, key, TOKEN_2022_PROGRAM_ID);
    const transaction = new Transaction({
      feePayer: payer.publicKey,
      recentBlockhash: (await connection.getLatestBlockhash()).blockhash,
    }).add(createAssociatedTokenAccountInstruction(payer.publicKey, account, owner, key, TOKEN_2022_PROGRAM_ID));
    transaction.sign(payer);
    await connection.sendRawTransaction(transaction.serialize());
    return (await connection.getAccountInfo(account))!.data.length;
  }

  it("of SPL Token is known", async () => {
    const mint = await createMints(rpc).get(USDC_MINT);
    expect(mint).to.include({ tokenProgram: TOKEN_PROGRAM_ID.toBase58(), decimals: 6, accountSize: 165 });
  });

  it("is asked for once in a while, and never answered from memory when that fails", async () => {
    let time = 0;
    const mints = createMints(rpc, { ttlMs: 100, now: () => time });
    rpc.forget();
    const [one, two] = await Promise.all([mints.get(USDC_MINT), mints.get(USDC_MINT)]);
    expect(one).to.equal(two);
    time = 99;
    await mints.get(USDC_MINT);
    expect(rpc.calls("account")).to.equal(1);
    time = 100;
    rpc.fault("account", down());
    expect(await failure(mints.get(USDC_MINT))).to.be.instanceOf(RpcError);
    rpc.heal();
    expect((await mints.get(USDC_MINT)).decimals, "the failure is not remembered").to.equal(6);
  });

  describe("is refused", () => {
    const owner = TOKEN_2022_PROGRAM_ID.toBase58();
    const account = (data: Uint8Array, by = owner) => ({ owner: by, data, lamports: 1n, executable: false });
    const initialized = (size: number) => {
      const data = new Uint8Array(size);
      data[45] = 1;
      return data;
    };
    /** A Token-2022 mint with these bytes behind. */
    const extended = (...bytes: number[]) => {
      const data = initialized(166 + bytes.length);
      data[165] = 1;
      data.set(bytes, 166);
      return data;
    };

    for (const [name, found, problem] of [
      ["when it is not there", undefined, "absent"],
      ["when another program owns it", account(initialized(82), SystemProgram.programId.toBase58()), "owner"],
      ["when it is not initialized", account(new Uint8Array(82)), "data"],
      ["when it is a token account", account(initialized(165)), "data"],
      ["when it is a token account with extensions", account(Object.assign(extended(7, 0, 0, 0), { 165: 2 })), "data"],
      ["when SPL Token has no such length", account(extended(3, 0, 32, 0), TOKEN_PROGRAM_ID.toBase58()), "data"],
      ["when an extension is cut off", account(extended(3, 0, 32, 0, 1)), "data"],
      ["when it has an extension that nobody knows", account(extended(99, 0, 0, 0)), "extension"],
      ["when its fee has another length", account(extended(1, 0, 1, 0, 0)), "data"],
      ["when its hook has another length", account(extended(14, 0, 1, 0, 0)), "data"],
    ] as const) {
      it(name, () => {
        expect(() => readMint(USDC_MINT, found))
          .to.throw(MintError)
          .with.property("problem", problem);
      });
    }

    it("whatever its bytes are, with no other error", () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, is2022) => {
          if (bytes.length > 165) bytes[165] = 1;
          if (bytes.length > 45) bytes[45] = 1;
          try {
            readMint(USDC_MINT, account(bytes, is2022 ? owner : TOKEN_PROGRAM_ID.toBase58()));
          } catch (error) {
            expect(error).to.be.instanceOf(MintError);
          }
        }),
      );
    });
  });

  it("a fee is rounded up and has a maximum", () => {
    const fee = { basisPoints: 250n, maximum: 77n };
    expect(received(1n, fee)).to.equal(0n);
    expect(received(40n, fee)).to.equal(39n);
    expect(received(41n, fee)).to.equal(39n);
    expect(received(1_000_000n, fee)).to.equal(999_923n);
    expect(received(1_000_000n, undefined)).to.equal(1_000_000n);
  });

  it("of two fees of a mint, now and later, the dearer counts", () => {
    const data = new Uint8Array(166 + 4 + 108);
    data[45] = 1;
    data[165] = 1;
    data.set([1, 0, 108, 0], 166);
    const view = new DataView(data.buffer, 170);
    for (const [at, maximum, rate] of [
      [72, 10n, 5],
      [90, 9n, 7],
    ] as const) {
      view.setBigUint64(at + 8, maximum, true);
      view.setUint16(at + 16, rate, true);
    }
    const account = { owner: TOKEN_2022_PROGRAM_ID.toBase58(), data, lamports: 1n, executable: false };
    expect(readMint(USDC_MINT, account).transferFee).to.deep.equal({ basisPoints: 7n, maximum: 10n });
  });
});

async function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}
