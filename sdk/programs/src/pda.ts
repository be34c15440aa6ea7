// The addresses that the programs derive.
import { Integer, InvalidFieldError } from "@mppsol/core";
import {
  ASSOCIATED_TOKEN_PROGRAM_ID,
  getAssociatedTokenAddressSync,
  TOKEN_2022_PROGRAM_ID,
  TOKEN_PROGRAM_ID,
} from "@solana/spl-token";
import { PublicKey } from "@solana/web3.js";
import { PAY_PROGRAM_ID, SESSION_PROGRAM_ID } from "./constants.js";
import { SaltNotFoundError } from "./failures.js";

/** What a channel's address is derived from. */
export interface ChannelSeeds {
  readonly payer: PublicKey;
  readonly payee: PublicKey;
  readonly mint: PublicKey;
  readonly authorizedSigner: PublicKey;
  /** u64; tells channels between the same parties apart. */
  readonly salt: bigint;
  /** u64; a slot of the last 1,500. */
  readonly openSlot: bigint;
}

/** The address of a channel. @throws {InvalidFieldError} for a salt or slot that is no u64. */
export function channelAddress(seeds: ChannelSeeds, programId: PublicKey = SESSION_PROGRAM_ID): PublicKey {
  return PublicKey.findProgramAddressSync(channelSeedBytes(seeds), programId)[0];
}

/** What a receipt's address is derived from. */
export interface ReceiptSeeds {
  /** The payer, or the channel when the payment draws on one. */
  readonly source: PublicKey;
  /** u64 */
  readonly nonce: bigint;
  /** u64; a slot of the last 1,500. */
  readonly paySlot: bigint;
}

/** The address of a receipt. @throws {InvalidFieldError} for a nonce or slot that is no u64. */
export function receiptAddress({ source, nonce, paySlot }: ReceiptSeeds): PublicKey {
  const parts = [Buffer.from("receipt"), source.toBytes(), u64(nonce, "nonce"), u64(paySlot, "paySlot")];
  return PublicKey.findProgramAddressSync(parts, PAY_PROGRAM_ID)[0];
}

/** The token account that holds a channel's deposit: the channel's associated token account. */
export function escrowAddress(channel: PublicKey, mint: PublicKey, tokenProgram: PublicKey): PublicKey {
  return tokenAddress(channel, mint, tokenProgram);
}

/**
 * An owner's associated token account; the owner may be a program's address.
 * @throws {InvalidFieldError} unless the token program is SPL Token or Token-2022.
 */
export function tokenAddress(owner: PublicKey, mint: PublicKey, tokenProgram: PublicKey): PublicKey {
  return getAssociatedTokenAddressSync(mint, owner, true, requireTokenProgram(tokenProgram));
}

/** The program itself, once it is known to be one of the two token programs. */
export function requireTokenProgram(program: PublicKey): PublicKey {
  if (program.equals(TOKEN_PROGRAM_ID) || program.equals(TOKEN_2022_PROGRAM_ID)) return program;
  throw new InvalidFieldError("tokenProgram", "neither SPL Token nor Token-2022");
}

/** The address that signs a channel program's events. Its seed is the standard's, not Anchor's. */
export function eventAuthority(programId: PublicKey = SESSION_PROGRAM_ID): PublicKey {
  return PublicKey.findProgramAddressSync([Buffer.from("event_authority")], programId)[0];
}

/** What `grindSalt` found. */
export interface GroundSalt {
  readonly salt: bigint;
  readonly channel: PublicKey;
  readonly escrow: PublicKey;
}

/**
 * A salt for which channel and escrow both lie at bump 255. `open` derives both on chain and pays for each bump it
 * has to skip, so this makes it cheaper. Takes four tries on average.
 * @throws {SaltNotFoundError} after 1,000 tries, which does not happen.
 */
export function grindSalt(
  seeds: Omit<ChannelSeeds, "salt"> & { readonly tokenProgram: PublicKey },
  options: { readonly programId?: PublicKey; readonly start?: bigint } = {},
): GroundSalt {
  const programId = options.programId ?? SESSION_PROGRAM_ID;
  const tokenProgram = requireTokenProgram(seeds.tokenProgram);
  const start = Integer.u64(options.start ?? randomU64(), "start");
  for (let i = 0n; i < 1_000n; i++) {
    const salt = (start + i) & Integer.MAX_U64;
    const channel = atBump255(channelSeedBytes({ ...seeds, salt }), programId);
    if (channel === undefined) continue;
    const escrowSeeds = [channel.toBytes(), tokenProgram.toBytes(), seeds.mint.toBytes()];
    const escrow = atBump255(escrowSeeds, ASSOCIATED_TOKEN_PROGRAM_ID);
    if (escrow !== undefined) return { salt, channel, escrow };
  }
  throw new SaltNotFoundError("no salt with two addresses at bump 255 among 1,000");
}

function channelSeedBytes(seeds: ChannelSeeds): Uint8Array[] {
  const parties = [seeds.payer, seeds.payee, seeds.mint, seeds.authorizedSigner].map((key) => key.toBytes());
  return [Buffer.from("channel"), ...parties, u64(seeds.salt, "salt"), u64(seeds.openSlot, "openSlot")];
}

function u64(value: bigint, field: string): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, Integer.u64(value, field), true);
  return bytes;
}

function atBump255(seeds: readonly Uint8Array[], programId: PublicKey): PublicKey | undefined {
  try {
    return PublicKey.createProgramAddressSync([...seeds, Uint8Array.of(255)], programId);
  } catch {
    return undefined; // on the curve: no program address
  }
}

function randomU64(): bigint {
  return crypto.getRandomValues(new BigUint64Array(1))[0] ?? 0n;
}
