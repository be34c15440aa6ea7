// A chain with the channel program on it, the parties of a session, and the books of all of them.
import { fileURLToPath } from "node:url";
import { Localnet } from "@mppsol/localnet";
import {
  type ChannelState,
  decodeChannel,
  escrowAddress,
  SESSION_PROGRAM_ID,
  TREASURY,
  tokenAddress,
} from "@mppsol/programs";
import {
  AccountLayout,
  createAssociatedTokenAccountIdempotentInstruction,
  createInitializeMint2Instruction,
  createMintToInstruction,
  MINT_SIZE,
  TOKEN_2022_PROGRAM_ID,
  TOKEN_PROGRAM_ID,
} from "@solana/spl-token";
import { Connection, Keypair, PublicKey, SystemProgram, Transaction, type VersionedTransaction } from "@solana/web3.js";
import { expect } from "chai";

const PROGRAM = fileURLToPath(new URL("../../../artifacts/mppsol_session.so", import.meta.url));
const SOL = 1_000_000_000n;

/** Base units that the buyer starts with. */
export const START_TOKENS = 1_000_000n;

export class SessionWorld {
  readonly net: Localnet;
  readonly connection: Connection;
  /** What is paid with: test USDC, unless told. */
  mint: PublicKey;
  tokenProgram = TOKEN_PROGRAM_ID;
  readonly decimals = 6;
  /** Has tokens and no SOL. */
  readonly buyer = Keypair.generate();
  readonly seller = Keypair.generate();
  /** Pays the seller's fees and rent. */
  readonly sponsor = Keypair.generate();
  readonly #owners = new Set<string>();

  private constructor(net: Localnet) {
    this.net = net;
    this.connection = new Connection(net.url, { commitment: "confirmed", wsEndpoint: net.wsUrl });
    this.mint = new PublicKey(net.usdcMint);
  }

  static async start(): Promise<SessionWorld> {
    const programs = [{ id: SESSION_PROGRAM_ID.toBase58(), file: PROGRAM }];
    const net = await Localnet.start({ slotTime: "manual", programs });
    // Past the first window, so that a channel can be dated back.
    const { unixTimestamp } = net.clock();
    net.warpSlots(2_000);
    net.setClock(unixTimestamp);
    const world = new SessionWorld(net);
    net.airdrop(world.sponsor.publicKey.toBase58(), 10n * SOL);
    world.fund(world.buyer.publicKey, START_TOKENS);
    for (const owner of [world.seller.publicKey, TREASURY]) world.fund(owner, 0n);
    return world;
  }

  /** Pays with a mint of Token-2022 from now on. */
  async useToken2022(): Promise<void> {
    const mint = Keypair.generate();
    const bank = Keypair.fromSecretKey(this.net.payer.secretKey);
    const program = TOKEN_2022_PROGRAM_ID;
    const lamports = await this.connection.getMinimumBalanceForRentExemption(MINT_SIZE);
    const make = { fromPubkey: bank.publicKey, newAccountPubkey: mint.publicKey, space: MINT_SIZE, lamports };
    const owners = [this.buyer.publicKey, this.seller.publicKey, TREASURY];
    const accounts = owners.map((owner) => tokenAddress(owner, mint.publicKey, program));
    const transaction = new Transaction().add(
      SystemProgram.createAccount({ ...make, programId: program }),
      createInitializeMint2Instruction(mint.publicKey, this.decimals, bank.publicKey, null, program),
      ...owners.map((owner, i) =>
        createAssociatedTokenAccountIdempotentInstruction(bank.publicKey, accounts[i]!, owner, mint.publicKey, program),
      ),
      createMintToInstruction(mint.publicKey, accounts[0]!, bank.publicKey, START_TOKENS, [], program),
    );
    await this.connection.sendTransaction(transaction, [bank, mint]);
    this.mint = mint.publicKey;
    this.tokenProgram = program;
  }

  close(): Promise<void> {
    return this.net.close();
  }

  /** Tokens from nowhere, with an account for them. */
  fund(owner: PublicKey, amount: bigint): void {
    this.net.mintUsdc(owner.toBase58(), amount);
    this.#owners.add(owner.toBase58());
  }

  /** Lamports from nowhere. */
  airdrop(owner: PublicKey, lamports = SOL): void {
    this.net.airdrop(owner.toBase58(), lamports);
  }

  async tokens(owner: PublicKey): Promise<bigint> {
    return this.#amountAt(tokenAddress(owner, this.mint, this.tokenProgram));
  }

  async lamports(owner: PublicKey): Promise<bigint> {
    return BigInt(await this.connection.getBalance(owner));
  }

  async channel(channelId: string): Promise<ChannelState | undefined> {
    const account = await this.connection.getAccountInfo(new PublicKey(channelId));
    if (account === null || !account.owner.equals(SESSION_PROGRAM_ID)) return undefined;
    return decodeChannel(account.data);
  }

  /** Tokens in all wallets and in the escrows of these channels are all that exist. */
  async checkConservation(channelIds: readonly string[]): Promise<void> {
    let held = 0n;
    for (const owner of this.#owners) held += await this.tokens(new PublicKey(owner));
    for (const id of channelIds) {
      held += await this.#amountAt(escrowAddress(new PublicKey(id), this.mint, this.tokenProgram));
    }
    const { value } = await this.connection.getTokenSupply(this.mint);
    expect(held, "tokens in wallets and escrows").equal(BigInt(value.amount));
  }

  /** @throws {Error} unless the transaction succeeds. */
  async land(transaction: VersionedTransaction): Promise<string> {
    const signature = await this.connection.sendRawTransaction(transaction.serialize());
    const { value } = await this.connection.getSignatureStatuses([signature]);
    if (!value[0] || value[0].err !== null) throw new Error(`${signature} failed: ${JSON.stringify(value[0]?.err)}`);
    return signature;
  }

  /** Runs out every blockhash that was handed out so far. */
  expireBlockhashes(): void {
    this.net.warpSlots(400);
  }

  async #amountAt(address: PublicKey): Promise<bigint> {
    const account = await this.connection.getAccountInfo(address);
    if (account === null || account.data.length < AccountLayout.span) return 0n;
    return AccountLayout.decode(account.data).amount;
  }
}
