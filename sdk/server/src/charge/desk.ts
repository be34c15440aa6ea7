// What settling a charge works with, and what it knows of the asset.
import { type ChargeRequest, type MppsolError, RefusedError } from "@mppsol/core";
import { MintError, RpcError, SigningError } from "../chain/errors.js";
import type { LandOptions } from "../chain/landing.js";
import type { Mint, Mints, TransferFee } from "../chain/mint.js";
import type { Rpc } from "../chain/Rpc.js";
import { StoreError } from "../stores/errors.js";
import type { ChargeStore } from "../stores/Store.js";
import type { Token } from "./policy.js";
import type { Sponsor } from "./Sponsor.js";

export interface Desk {
  readonly rpc: Rpc;
  readonly charges: ChargeStore;
  readonly mints: Mints;
  /** Once: that the nodes are of the network that is sold on. Throws {WrongClusterError} {RpcError}. */
  readonly checkNetwork: () => Promise<void>;
  readonly sponsor: Sponsor | undefined;
  readonly landing: LandOptions;
  /** Takes mints that withhold a fee: recipients then get less than the price. */
  readonly allowTransferFees: boolean;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Told of what went wrong without changing the answer. */
  readonly onError: (error: unknown) => void;
}

/** An asset that can be paid with; SOL has neither token nor fee. */
export interface Asset {
  readonly token?: Token;
  readonly transferFee?: TransferFee;
  /** Bytes of a token account. */
  readonly accountSize?: number;
}

/**
 * The asset, from the chain.
 * @throws {RefusedError} `asset-unsupported` when paying with it would not pay.
 * @throws {RpcError} {WrongClusterError}
 */
export async function assetOf({ mints, allowTransferFees, checkNetwork }: Desk, currency: string): Promise<Asset> {
  await checkNetwork();
  if (currency === "sol") return {};
  const mint = await mintOf(mints, currency);
  const { decimals, tokenProgram, transferFee, transferHook, nonTransferable, accountSize } = mint;
  const usable = !nonTransferable && transferHook === undefined && decimals <= 9;
  if (!usable || (transferFee !== undefined && !allowTransferFees)) throw new RefusedError("asset-unsupported");
  return {
    token: { program: tokenProgram, decimals },
    accountSize,
    ...(transferFee === undefined ? {} : { transferFee }),
  };
}

async function mintOf(mints: Mints, address: string): Promise<Mint> {
  try {
    return await mints.get(address);
  } catch (error) {
    if (error instanceof MintError) throw new RefusedError("asset-unsupported", undefined, {}, { cause: error });
    throw error;
  }
}

/**
 * The asset of a request, which must be what the request says.
 * @throws as `assetOf`, and {RefusedError} `asset-mismatch`.
 */
export async function assetOfRequest(desk: Desk, request: ChargeRequest.ChargeRequest): Promise<Asset> {
  const asset = await assetOf(desk, request.currency);
  const { token } = asset;
  const differs =
    request.decimals !== token?.decimals ||
    (request.tokenProgram !== undefined && request.tokenProgram !== token?.program);
  if (differs) throw new RefusedError("asset-mismatch");
  return asset;
}

/** A listener whose own faults change no answer. */
export function quietly(listener: ((error: unknown) => void) | undefined): (error: unknown) => void {
  return (error) => {
    try {
      listener?.(error);
    } catch {
      // There is nobody left to tell.
    }
  };
}

const UNAVAILABLE = "The payment cannot be checked right now. Send the same request again.";

/** Runs `work`; where it fails because chain, store or signer do not answer, that is no verdict on the payment. */
export async function orUnavailable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isOutage(error)) throw error;
    throw new RefusedError("unavailable", UNAVAILABLE, {}, { cause: error });
  }
}

function isOutage(error: unknown): error is MppsolError {
  return error instanceof RpcError || error instanceof StoreError || error instanceof SigningError;
}
