// Who holds what, and what each transaction cost: all of it read back from the chain.
import { tokenAddress } from "@mppsol/programs";
import { AccountLayout, TOKEN_PROGRAM_ID } from "@solana/spl-token";
import type { AccountInfo, Connection, PublicKey } from "@solana/web3.js";

/** Somebody whose tokens and SOL are counted. */
export interface Party {
  readonly name: string;
  readonly owner: PublicKey;
}

export interface Holding {
  readonly name: string;
  /** Base units. */
  readonly tokens: bigint;
  /** Of the owner's account and of its token account. */
  readonly lamports: bigint;
}

export interface Books {
  readonly holdings: readonly Holding[];
  /** Sum of the holdings. */
  readonly tokens: bigint;
  /** Sum of the holdings. */
  readonly lamports: bigint;
  /** What the mint says exists. */
  readonly supply: bigint;
}

/** All holdings at one moment, and the mint's own count of its tokens. */
export async function take(connection: Connection, mint: PublicKey, parties: readonly Party[]): Promise<Books> {
  const keys = parties.flatMap(({ owner }) => [owner, tokenAddress(owner, mint, TOKEN_PROGRAM_ID)]);
  const accounts = await connection.getMultipleAccountsInfo(keys, "confirmed");
  const holdings = parties.map(({ name }, at): Holding => {
    const [wallet, tokens] = [accounts[2 * at], accounts[2 * at + 1]];
    return { name, tokens: amountOf(tokens), lamports: lamportsOf(wallet) + lamportsOf(tokens) };
  });
  const supply = BigInt((await connection.getTokenSupply(mint, "confirmed")).value.amount);
  return {
    holdings,
    tokens: sum(holdings.map((h) => h.tokens)),
    lamports: sum(holdings.map((h) => h.lamports)),
    supply,
  };
}

/** What a party holds. */
export function holding(books: Books, name: string): Holding {
  const found = books.holdings.find((entry) => entry.name === name);
  if (found === undefined) throw new Error(`the books have no ${name}`);
  return found;
}

/** One landed transaction. */
export interface Cost {
  readonly name: string;
  readonly signature: string;
  /** Compute units. */
  readonly units: number;
  /** Fee in lamports. */
  readonly fee: bigint;
  readonly succeeded: boolean;
}

/** What a transaction cost, as the chain remembers it. */
export async function cost(connection: Connection, name: string, signature: string): Promise<Cost> {
  const found = await connection.getTransaction(signature, {
    commitment: "confirmed",
    maxSupportedTransactionVersion: 0,
  });
  if (!found?.meta) throw new Error(`the chain does not know the ${name} transaction`);
  const { computeUnitsConsumed, fee, err } = found.meta;
  return { name, signature, units: computeUnitsConsumed ?? 0, fee: BigInt(fee), succeeded: err === null };
}

export function sum(values: readonly bigint[]): bigint {
  return values.reduce((total, value) => total + value, 0n);
}

function lamportsOf(account: AccountInfo<Buffer> | null | undefined): bigint {
  return BigInt(account?.lamports ?? 0);
}

function amountOf(account: AccountInfo<Buffer> | null | undefined): bigint {
  return account ? AccountLayout.decode(account.data).amount : 0n;
}
