// A chain with a buyer and sellers on it, and the books of all of them.
import { Localnet } from "@mppsol/localnet";
import { tokenAddress } from "@mppsol/programs";
import {
  AccountLayout,
  createAssociatedTokenAccountIdempotentInstruction,
  createInitializeMint2Instruction,
  createMintToInstruction,
  MINT_SIZE,
  TOKEN_2022_PROGRAM_ID,
  TOKEN_PROGRAM_ID,
} from "@solana/spl-token";
import {
  Connection,
  Keypair,
  PublicKey,
  SystemProgram,
  type TransactionInstruction,
  TransactionMessage,
  VersionedTransaction,
} from "@solana/web3.js";
import { expect } from "chai";

export const SOL = 1_000_000_000n;
export const START_TOKENS = 1_000_000_000n;

/** An owner's associated token account of a mint. */
export interface Asset {
  readonly mint: PublicKey;
  readonly program: PublicKey;
  readonly decimals: number;
}

export class World {
  readonly net: Localnet;
  readonly connection: Connection;
  readonly usdc: Asset;
  /** Has SOL and test USDC. */
  readonly buyer = Keypair.generate();
  /** Has an account for test USDC and some SOL. */
  readonly seller = Keypair.generate();
  /** Pays fees for buyers. */
  readonly sponsor = Keypair.generate();
  /** Pays for what the tests set up. */
  readonly #bank: Keypair;
  readonly #owners = new Set<string>();

  private constructor(net: Localnet) {
    this.net = net;
    this.connection = new Connection(net.url, { commitment: "confirmed", wsEndpoint: net.wsUrl });
    this.usdc = { mint: new PublicKey(net.usdcMint), program: TOKEN_PROGRAM_ID, decimals: 6 };
    this.#bank = Keypair.fromSecretKey(net.payer.secretKey);
  }

  static async start(): Promise<World> {
    const net = await Localnet.start({ slotTime: "manual" });
    net.warpSlots(500);
    const world = new World(net);
    for (const { publicKey } of [world.buyer, world.seller, world.sponsor]) {
      net.airdrop(publicKey.toBase58(), 10n * SOL);
    }
    world.fund(world.buyer.publicKey, START_TOKENS);
    world.fund(world.seller.publicKey, 0n);
    return world;
  }

  close(): Promise<void> {
    return this.net.close();
  }

  /** Test USDC from nowhere. */
  fund(owner: PublicKey, amount: bigint): void {
    this.net.mintUsdc(owner.toBase58(), amount);
    this.#owners.add(owner.toBase58());
  }

  /** Somebody with tokens and nothing else. */
  tokenHolder(amount: bigint): Keypair {
    const holder = Keypair.generate();
    this.fund(holder.publicKey, amount);
    return holder;
  }

  async tokens(owner: PublicKey, asset: Asset = this.usdc): Promise<bigint> {
    const info = await this.connection.getAccountInfo(tokenAddress(owner, asset.mint, asset.program));
    return info === null ? 0n : AccountLayout.decode(info.data.subarray(0, AccountLayout.span)).amount;
  }

  async lamports(owner: PublicKey): Promise<bigint> {
    return BigInt(await this.connection.getBalance(owner));
  }

  /** What the owners of test USDC hold is all there is. `others` have become owners. */
  async checkConservation(...others: readonly PublicKey[]): Promise<void> {
    for (const key of others) this.#owners.add(key.toBase58());
    let held = 0n;
    for (const owner of this.#owners) held += await this.tokens(new PublicKey(owner));
    const { value } = await this.connection.getTokenSupply(this.usdc.mint);
    expect(held).to.equal(BigInt(value.amount));
  }

  /** A new mint; the buyer gets `amount` of it and the seller an account. */
  async token2022(amount: bigint, decimals = 9): Promise<Asset> {
    const mint = Keypair.generate();
    const program = TOKEN_2022_PROGRAM_ID;
    const bank = this.#bank.publicKey;
    const accounts = [this.buyer, this.seller].map(({ publicKey }) => ({
      owner: publicKey,
      account: tokenAddress(publicKey, mint.publicKey, program),
    }));
    await this.send(
      [
        SystemProgram.createAccount({
          fromPubkey: bank,
          newAccountPubkey: mint.publicKey,
          space: MINT_SIZE,
          lamports: await this.connection.getMinimumBalanceForRentExemption(MINT_SIZE),
          programId: program,
        }),
        createInitializeMint2Instruction(mint.publicKey, decimals, bank, null, program),
        ...accounts.map(({ owner, account }) =>
          createAssociatedTokenAccountIdempotentInstruction(bank, account, owner, mint.publicKey, program),
        ),
        createMintToInstruction(mint.publicKey, accounts[0]!.account, bank, amount, [], program),
      ],
      [mint],
    );
    return { mint: mint.publicKey, program, decimals };
  }

  /** Lands instructions; the bank pays. */
  async send(instructions: readonly TransactionInstruction[], signers: readonly Keypair[] = []): Promise<string> {
    const { blockhash } = await this.connection.getLatestBlockhash();
    const message = new TransactionMessage({
      payerKey: this.#bank.publicKey,
      recentBlockhash: blockhash,
      instructions: [...instructions],
    }).compileToV0Message();
    const transaction = new VersionedTransaction(message);
    transaction.sign([this.#bank, ...signers]);
    return this.land(transaction);
  }

  /** @throws {Error} unless the transaction succeeds. */
  async land(transaction: VersionedTransaction): Promise<string> {
    const signature = await this.connection.sendRawTransaction(transaction.serialize());
    for (let i = 0; i < 200; i++) {
      const { value } = await this.connection.getSignatureStatuses([signature]);
      if (value[0] && value[0].err !== null) throw new Error(`${signature} failed: ${JSON.stringify(value[0].err)}`);
      if (value[0]) return signature;
      await new Promise((done) => setTimeout(done, 5));
    }
    throw new Error(`${signature} has not landed`);
  }

  /** Runs out every blockhash that was handed out so far. */
  expireBlockhashes(): void {
    this.net.warpSlots(200);
  }
}
