// A mint of Token-2022, and accounts of it.

import { tokenAddress } from "@mppsol/programs";
import {
  createInitializeMint2Instruction,
  createMintToInstruction,
  type ExtensionType,
  getMintLen,
  TOKEN_2022_PROGRAM_ID,
} from "@solana/spl-token";
import { Keypair, type PublicKey, SystemProgram } from "@solana/web3.js";
import type { Asset, Market } from "./market.ts";

export interface Minted {
  readonly owners: readonly PublicKey[];
  /** Base units for each owner. */
  readonly amount: bigint;
  /** Who gets an empty account. */
  readonly empty?: readonly PublicKey[];
  readonly freezeAuthority?: PublicKey;
}

/** A mint without extensions, its tokens in the books. */
export async function token2022(
  market: Market,
  { owners, amount, empty = [], freezeAuthority }: Minted,
): Promise<Asset> {
  const mint = Keypair.generate();
  const authority = market.person();
  const space = getMintLen([] as ExtensionType[]);
  const lamports = await market.connection.getMinimumBalanceForRentExemption(space);
  const create = { fromPubkey: authority.publicKey, newAccountPubkey: mint.publicKey, space, lamports };
  await market.run(
    [
      SystemProgram.createAccount({ ...create, programId: TOKEN_2022_PROGRAM_ID }),
      createInitializeMint2Instruction(
        mint.publicKey,
        6,
        authority.publicKey,
        freezeAuthority ?? null,
        TOKEN_2022_PROGRAM_ID,
      ),
    ],
    [authority, mint],
  );
  const asset = { mint: mint.publicKey, tokenProgram: TOKEN_2022_PROGRAM_ID };
  for (const owner of [...owners, ...empty]) await market.openAccount(owner, asset);
  for (const owner of owners) {
    const to = tokenAddress(owner, asset.mint, asset.tokenProgram);
    await market.run(
      [createMintToInstruction(asset.mint, to, authority.publicKey, amount, [], TOKEN_2022_PROGRAM_ID)],
      [authority],
    );
    market.minted(asset, amount);
  }
  return asset;
}
