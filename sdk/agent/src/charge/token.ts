// What has to be known of a mint before it is paid with: its program, its decimals, how large its accounts are.
import { type ChargeRequest, TokenProgram } from "@mppsol/core";
import {
  type Account,
  ExtensionType,
  getAccountLen,
  getAccountTypeOfMintType,
  getExtensionTypes,
  getTransferHook,
  TokenError,
  unpackAccount,
  unpackMint,
} from "@solana/spl-token";
import { type AccountInfo, PublicKey } from "@solana/web3.js";
import type { Chain } from "../chain/Chain.js";
import { ChallengeRefusedError } from "../errors.js";

export interface Token {
  readonly mint: PublicKey;
  readonly program: PublicKey;
  readonly decimals: number;
  /** Bytes of an associated token account. */
  readonly accountSize: number;
}

/** Mints that were read from the chain. Neither program nor decimals of a mint ever change. */
export class Tokens {
  readonly #chain: Chain;
  readonly #known = new Map<string, Token>();

  constructor(chain: Chain) {
    this.#chain = chain;
  }

  /**
   * The token of a charge, as the chain has it; nothing for SOL.
   * @throws {ChallengeRefusedError} for a mint that is none, and where the challenge says otherwise: never a guess
   * (draft-solana-charge-00, `tokenProgram`).
   * @throws {ChainError}
   */
  async of(request: ChargeRequest.ChargeRequest): Promise<Token | undefined> {
    const { currency, tokenProgram, decimals } = request;
    if (currency === "sol") return undefined;
    const token = this.#known.get(currency) ?? (await this.#read(new PublicKey(currency)));
    this.#known.set(currency, token);
    if (tokenProgram !== undefined && tokenProgram !== token.program.toBase58()) {
      throw new ChallengeRefusedError("token-program", `${currency} is not a mint of ${tokenProgram}`);
    }
    if (decimals !== token.decimals) {
      throw new ChallengeRefusedError("decimals", `${currency} has ${token.decimals} decimals, not ${decimals}`);
    }
    return token;
  }

  async #read(mint: PublicKey): Promise<Token> {
    const [info] = await this.#chain.accounts([mint]);
    const program = info?.owner.toBase58();
    if (!info || (program !== TokenProgram.TOKEN && program !== TokenProgram.TOKEN_2022)) {
      throw new ChallengeRefusedError("token-program", `${mint} is not a mint of a token program`);
    }
    const unpacked = unpack(() => unpackMint(mint, info, info.owner));
    if (unpacked === undefined) throw new ChallengeRefusedError("token-program", `${mint} is not a mint`);
    // Such a transfer needs accounts that the drafts know nothing of.
    if (getTransferHook(unpacked)?.programId.equals(PublicKey.default) === false) {
      throw new ChallengeRefusedError("token-program", `transfers of ${mint} call a program of its issuer`);
    }
    return {
      mint,
      program: info.owner,
      decimals: unpacked.decimals,
      accountSize: accountSize(program, unpacked.tlvData),
    };
  }
}

/** The token account in what an RPC said; nothing when there is none. */
export function tokenAccountIn(
  address: PublicKey,
  info: AccountInfo<Buffer> | null,
  token: Token,
): Account | undefined {
  if (info === null) return undefined;
  return unpack(() => unpackAccount(address, info, token.program));
}

function unpack<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof TokenError) return undefined;
    throw error;
  }
}

function accountSize(program: string, mintExtensions: Buffer): number {
  if (program === TokenProgram.TOKEN) return getAccountLen([]);
  const types = getExtensionTypes(mintExtensions).map(getAccountTypeOfMintType);
  const needed = types.filter((type) => type !== ExtensionType.Uninitialized);
  return getAccountLen([...new Set([...needed, ExtensionType.ImmutableOwner])]);
}
