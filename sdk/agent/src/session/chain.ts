// What a session payer asks of the chain, beyond what every payer does. No answer is never taken for "not there".
import { Base58, type Network, TokenProgram } from "@mppsol/core";
import { buildTransaction, type ChannelState, decodeChannel, decodeError, tokenAddress } from "@mppsol/programs";
import { AccountLayout, MintLayout } from "@solana/spl-token";
import {
  type AccountInfo,
  ComputeBudgetProgram,
  PublicKey,
  SYSVAR_CLOCK_PUBKEY,
  type TransactionInstruction,
} from "@solana/web3.js";
import { pause } from "../answers.js";
import { Chain, type Lifetime } from "../chain/Chain.js";
import { clusterCheck } from "../chain/cluster.js";
import type { Context } from "../context.js";
import { ChainError } from "../errors.js";
import { SessionError, SessionTermsError } from "./errors.js";
import type { Timing } from "./options.js";

/** Times that a node is asked for a blockhash that another node, perhaps ahead of it, gave out. */
const BLOCKHASH_TRIES = 4;

/** Compute units that each instruction of a forced close may take. */
const COMPUTE_UNITS = 200_000;

/** Polls after which the same bytes are sent again. */
const REBROADCAST_ROUNDS = 8;

/** A token as the chain has it. */
export interface TokenFacts {
  readonly tokenProgram: string;
  readonly decimals: number;
  /** What the wallet holds in its associated account, base units. */
  readonly balance: bigint;
}

export class SessionChain {
  readonly #chain: Chain;
  readonly #context: Context;
  readonly #timing: Timing;
  /** @throws {NetworkMismatchError} when the node is of another cluster than the agent. */
  readonly checkCluster: () => Promise<void>;

  constructor(context: Context, timing: Timing) {
    this.#chain = new Chain(context.connection);
    this.#context = context;
    this.#timing = timing;
    this.checkCluster = clusterCheck(this.#chain, context.network as Network.Network);
  }

  /**
   * Bounds the life of a transaction with a server's blockhash. One that this cluster does not know is refused: a server
   * could otherwise have the agent sign for another cluster, where the same keys have other money.
   * @throws {SessionTermsError} `blockhash`.
   */
  async lifetime(blockhash: string): Promise<Lifetime> {
    await this.checkCluster();
    for (let tries = 1; ; tries++) {
      const lifetime = await this.#chain.lifetime(blockhash);
      if (lifetime.blockhash === blockhash) return lifetime;
      if (tries === BLOCKHASH_TRIES) {
        throw new SessionTermsError("blockhash", "the challenge's blockhash is none of this cluster, or too old");
      }
      await pause(this.#timing.pollMs, undefined);
    }
  }

  /** The newest blockhash. */
  async latest(): Promise<Lifetime> {
    await this.checkCluster();
    return this.#chain.lifetime();
  }

  /** Whether a transaction with this bound can still land. */
  async canLand(lastValidBlockHeight: number): Promise<boolean> {
    return (await this.#chain.finalized()).height <= lastValidBlockHeight;
  }

  /** @throws {SessionTermsError} `token` when the mint is none. */
  async token(mint: string): Promise<TokenFacts> {
    const account = await this.#account(new PublicKey(mint));
    const tokenProgram = account?.owner.toBase58();
    if (account === null || (tokenProgram !== TokenProgram.TOKEN && tokenProgram !== TokenProgram.TOKEN_2022)) {
      throw new SessionTermsError("token", `${mint} is no mint of a token program`);
    }
    if (account.data.length < MintLayout.span) throw new SessionTermsError("token", `${mint} is no mint`);
    const { decimals } = MintLayout.decode(account.data);
    return { tokenProgram, decimals, balance: await this.balance(mint, tokenProgram) };
  }

  /** What the wallet holds of a mint in its associated account, base units. */
  async balance(mint: string, tokenProgram: string): Promise<bigint> {
    const { publicKey } = this.#context.signer;
    const account = await this.#account(tokenAddress(publicKey, new PublicKey(mint), new PublicKey(tokenProgram)));
    if (account === null || account.data.length < AccountLayout.span) return 0n;
    return AccountLayout.decode(account.data).amount;
  }

  /** What the wallet holds. */
  async lamports(): Promise<bigint> {
    return BigInt((await this.#account(this.#context.signer.publicKey))?.lamports ?? 0);
  }

  /** Lamports of rent of accounts of these sizes, together. */
  async rent(sizes: readonly number[]): Promise<bigint> {
    const each = await Promise.all(sizes.map((bytes) => this.#chain.rentExemption(bytes)));
    return each.reduce((sum, lamports) => sum + BigInt(lamports), 0n);
  }

  /** The channel; `undefined` when there is nothing at its address, or nothing of that program's. */
  async channel(channelId: string, program: string): Promise<ChannelState | undefined> {
    const account = await this.#account(new PublicKey(channelId));
    if (account === null || account.owner.toBase58() !== program || account.data.length === 0) return undefined;
    return decodeChannel(account.data);
  }

  /** Unix seconds, as programs see them. */
  async now(): Promise<number> {
    const account = await this.#account(SYSVAR_CLOCK_PUBKEY);
    if (account === null || account.data.length < 40) throw new ChainError("the node has no clock");
    return Number(account.data.readBigInt64LE(32));
  }

  /** What a transaction gave the wallet of a mint, base units; `undefined` when the node does not know it. */
  async received(signature: string, mint: string): Promise<bigint | undefined> {
    const options = { commitment: "confirmed", maxSupportedTransactionVersion: 0 } as const;
    const found = await this.#context.connection.getTransaction(signature, options).catch(() => null);
    if (!found?.meta || found.meta.err !== null) return undefined;
    const owner = this.#context.signer.publicKey.toBase58();
    const held = (balances: typeof found.meta.postTokenBalances) =>
      (balances ?? [])
        .filter((entry) => entry.mint === mint && entry.owner === owner)
        .reduce((sum, entry) => sum + BigInt(entry.uiTokenAmount.amount), 0n);
    return held(found.meta.postTokenBalances) - held(found.meta.preTokenBalances);
  }

  /**
   * Lands a transaction that the wallet signs and pays for; returns its signature.
   * @throws {SessionError} `transaction-failed`: it failed, or can never land. `transaction-pending`: nobody knows.
   */
  async land(instructions: readonly TransactionInstruction[], channelId: string): Promise<string> {
    const { signer, computeUnitPrice } = this.#context;
    const { blockhash, lastValidBlockHeight } = await this.latest();
    const limit = ComputeBudgetProgram.setComputeUnitLimit({ units: COMPUTE_UNITS * instructions.length });
    const price =
      computeUnitPrice === undefined
        ? []
        : [ComputeBudgetProgram.setComputeUnitPrice({ microLamports: computeUnitPrice })];
    const transaction = buildTransaction({
      feePayer: signer.publicKey,
      recentBlockhash: blockhash,
      instructions: [limit, ...price, ...instructions],
    });
    const signed = await signer.signTransaction(transaction);
    const signature = signed.signatures[0];
    if (signature === undefined) throw new TypeError("the signer returned a transaction without signatures");
    return this.#confirm(signed.serialize(), Base58.encode(signature), lastValidBlockHeight, channelId);
  }

  /** Sends the same bytes until they are confirmed, or can never be. */
  async #confirm(wire: Uint8Array, signature: string, lastValid: number, channelId: string): Promise<string> {
    const deadline = performance.now() + this.#timing.errandMs;
    const refusal = await this.#chain.send(wire, true).catch(() => undefined);
    for (let rounds = 1; ; rounds++) {
      // The order matters: first that it cannot land any more, then that it has not.
      const possible = await this.canLand(lastValid);
      const { status } = await this.#chain.status(signature);
      if (status !== null && status.confirmationStatus !== "processed") {
        if (status.err === null) return signature;
        const name = decodeError({ err: status.err })?.name ?? JSON.stringify(status.err);
        throw new SessionError("transaction-failed", channelId, `${signature} failed: ${name}`);
      }
      if (status === null && !possible) {
        throw new SessionError("transaction-failed", channelId, `${signature} can never land any more`);
      }
      if (performance.now() > deadline) {
        const why = refusal === undefined ? "it is not seen yet" : `the node says: ${refusal}`;
        throw new SessionError("transaction-pending", channelId, `${signature} may still land; ${why}`);
      }
      await pause(this.#timing.pollMs, undefined);
      if (rounds % REBROADCAST_ROUNDS === 0) await this.#chain.send(wire, false).catch(() => {});
    }
  }

  async #account(key: PublicKey): Promise<AccountInfo<Buffer> | null> {
    return (await this.#chain.accounts([key]))[0] ?? null;
  }
}
