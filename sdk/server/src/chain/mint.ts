// What must be known of a mint before anybody is asked to pay with it.
import { TokenProgram } from "@mppsol/core";
import { PublicKey } from "@solana/web3.js";
import { MintError } from "./errors.js";
import type { Account, Rpc } from "./Rpc.js";

/** A fee that Token-2022 withholds from what a recipient gets. */
export interface TransferFee {
  /** Hundredths of a percent of the amount. */
  readonly basisPoints: bigint;
  /** Base units, at most. */
  readonly maximum: bigint;
}

export interface Mint {
  /** Base58. */
  readonly address: string;
  /** SPL Token or Token-2022, base58: whichever owns the account. */
  readonly tokenProgram: string;
  readonly decimals: number;
  /** Bytes of an associated token account of this mint. */
  readonly accountSize: number;
  /** The highest fee that is or will be in force; absent when nothing is withheld. */
  readonly transferFee?: TransferFee;
  /** Program that is called on every transfer; absent when none is. */
  readonly transferHook?: string;
  /** Tokens cannot be transferred at all. */
  readonly nonTransferable: boolean;
}

/** Looks mints up. */
export interface Mints {
  /**
   * A mint, at most `ttlMs` old.
   * @throws {MintError} when the account is no mint that is understood: unknown extensions are not passed over.
   * @throws {RpcError} when it cannot be read. Never an older answer instead.
   */
  get(address: string): Promise<Mint>;
}

/** Mints read over `rpc` and remembered for `ttlMs` (default one minute: hooks and fees can change). */
export function createMints(rpc: Rpc, { ttlMs = 60_000, now = Date.now } = {}): Mints {
  const known = new Map<string, { mint: Promise<Mint>; until: number }>();
  return {
    get(address) {
      const entry = known.get(address);
      if (entry !== undefined && now() < entry.until) return entry.mint;
      const mint = rpc.account(address).then((account) => readMint(address, account));
      known.set(address, { mint, until: now() + ttlMs });
      mint.catch(() => known.delete(address));
      return mint;
    },
  };
}

const MINT_SIZE = 82;
const TOKEN_ACCOUNT_SIZE = 165;
/** Behind the size of a token account, so that no mint looks like one: 1 for mints. */
const ACCOUNT_TYPE_AT = 165;
const EXTENSIONS_AT = 166;
const IS_INITIALIZED_AT = 45;
const DECIMALS_AT = 44;

const TRANSFER_FEE = 1;
const NON_TRANSFERABLE = 9;
const TRANSFER_HOOK = 14;
const PAUSABLE = 26;

/**
 * Extensions of a mint that are understood. Beside the four above: close authority (3), confidential transfers (4, 16),
 * default account state (6), interest (10), permanent delegate (12), metadata (18, 19), groups (20 to 23), confidential
 * mint and burn (24), scaled amounts (25). None of these changes what a transfer moves.
 */
const UNDERSTOOD = new Set([TRANSFER_FEE, 3, 4, 6, NON_TRANSFERABLE, 10, 12, TRANSFER_HOOK, 16, 18, 19]);
for (const more of [20, 21, 22, 23, 24, 25, PAUSABLE]) UNDERSTOOD.add(more);

/** Bytes that extensions of the mint add to each token account, with type and length; every one has ImmutableOwner. */
const IMMUTABLE_OWNER_SIZE = 4;
const ACCOUNT_SIDE = new Map([
  [TRANSFER_FEE, 4 + 8],
  [NON_TRANSFERABLE, 4],
  [TRANSFER_HOOK, 4 + 1],
  [PAUSABLE, 4],
]);

/**
 * A mint from its account.
 * @throws {MintError}
 */
export function readMint(address: string, account: Account | undefined): Mint {
  if (account === undefined) throw new MintError("absent", `${address} does not exist`);
  const { owner, data } = account;
  if (owner !== TokenProgram.TOKEN && owner !== TokenProgram.TOKEN_2022) {
    throw new MintError("owner", `${address} belongs to no token program`);
  }
  const plain = data.length === MINT_SIZE;
  const extended = owner === TokenProgram.TOKEN_2022 && data.length > EXTENSIONS_AT && data[ACCOUNT_TYPE_AT] === 1;
  if ((!plain && !extended) || data[IS_INITIALIZED_AT] !== 1) throw new MintError("data", `${address} is no mint`);
  const extensions = extended ? readExtensions(address, data) : new Map<number, Uint8Array>();
  const transferFee = feeOf(extensions.get(TRANSFER_FEE));
  const transferHook = hookOf(extensions.get(TRANSFER_HOOK));
  return {
    address,
    tokenProgram: owner,
    decimals: data[DECIMALS_AT]!,
    accountSize: accountSize(owner, extensions),
    nonTransferable: extensions.has(NON_TRANSFERABLE),
    ...(transferFee === undefined ? {} : { transferFee }),
    ...(transferHook === undefined ? {} : { transferHook }),
  };
}

/** What a recipient gets of `amount` at least. Base units. */
export function received(amount: bigint, fee: TransferFee | undefined): bigint {
  if (fee === undefined) return amount;
  const share = (amount * fee.basisPoints + 9_999n) / 10_000n;
  return amount - (share < fee.maximum ? share : fee.maximum);
}

/** Type, length, value, one behind the other; type 0 ends them. */
function readExtensions(address: string, data: Uint8Array): Map<number, Uint8Array> {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const found = new Map<number, Uint8Array>();
  for (let at = EXTENSIONS_AT; at + 4 <= data.length; ) {
    const type = view.getUint16(at, true);
    const length = view.getUint16(at + 2, true);
    if (type === 0) break;
    if (at + 4 + length > data.length) throw new MintError("data", `${address} is cut off`);
    if (!UNDERSTOOD.has(type)) throw new MintError("extension", `${address} has the unknown extension ${type}`);
    found.set(type, data.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return found;
}

/** TransferFeeConfig: two authorities, the withheld amount, then the older and the newer fee: epoch, maximum, rate. */
function feeOf(config: Uint8Array | undefined): TransferFee | undefined {
  if (config === undefined) return undefined;
  if (config.length !== 108) throw new MintError("data", "TransferFeeConfig has 108 bytes");
  const view = new DataView(config.buffer, config.byteOffset, config.byteLength);
  // Which of the two is in force depends on the epoch: the dearer one is what may be withheld.
  const [older, newer] = [72, 90].map((at) => ({
    maximum: view.getBigUint64(at + 8, true),
    basisPoints: BigInt(view.getUint16(at + 16, true)),
  })) as [TransferFee, TransferFee];
  const basisPoints = larger(older.basisPoints, newer.basisPoints);
  const maximum = larger(older.maximum, newer.maximum);
  return basisPoints === 0n || maximum === 0n ? undefined : { basisPoints, maximum };
}

const larger = (a: bigint, b: bigint): bigint => (a > b ? a : b);

/** TransferHook: the authority, then the program; all zeros is none. */
function hookOf(config: Uint8Array | undefined): string | undefined {
  if (config === undefined) return undefined;
  if (config.length !== 64) throw new MintError("data", "TransferHook has 64 bytes");
  const program = config.subarray(32);
  return program.every((byte) => byte === 0) ? undefined : new PublicKey(program).toBase58();
}

function accountSize(owner: string, extensions: ReadonlyMap<number, unknown>): number {
  if (owner === TokenProgram.TOKEN) return TOKEN_ACCOUNT_SIZE;
  const added = [...extensions.keys()].map((type) => ACCOUNT_SIDE.get(type) ?? 0);
  return TOKEN_ACCOUNT_SIZE + 1 + IMMUTABLE_OWNER_SIZE + added.reduce((sum, size) => sum + size, 0);
}
