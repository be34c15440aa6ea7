// A role: the right to spend a wallet's money within a limit, for one seller, until the wallet takes it back. What gives
// it is behind this interface: today the authorized signer of a payment channel, whose deposit is the limit.
import type { JsonObject, SessionRequest } from "@mppsol/core";

/** The role that a wallet asks for. */
export interface RoleAsked {
  /** Base58, as all keys and addresses here. */
  readonly wallet: string;
  readonly seller: string;
  readonly mint: string;
  /** Base units. */
  readonly limit: bigint;
  readonly voucherSigner: SessionRequest.VoucherSigner;
  /** The key that may spend; absent: the wallet's own, or the operator's. */
  readonly authorizedSigner?: string;
}

/** A role that was given. */
export interface Role {
  readonly roleId: string;
  /** Who may spend. */
  readonly authorizedSigner: string;
  /** Base units. */
  readonly limit: bigint;
  /** Of the transaction that gave it, base58; absent when the store does not know it. */
  readonly signature?: string;
}

/** What the wallet is to sign for a role. */
export interface RoleOffer {
  readonly roleId: string;
  /** The transaction's message. */
  readonly message: Uint8Array;
  /** What `grant` needs besides what the wallet signs. */
  readonly kept: JsonObject;
  /** What the buyer is told, so that it can check what it signs. */
  readonly details: JsonObject;
}

export type Granted =
  | { readonly kind: "granted"; readonly role: Role }
  /** It may still come to be: ask again with the same. */
  | { readonly kind: "pending"; readonly signature: string };

/**
 * What the chain says of a role: `ready` can be used, `revoked` was taken back by the wallet, `ended` is over or was never
 * given.
 */
export type RoleStatus = "ready" | "revoked" | "ended";

export interface RoleProvider {
  /** @throws {RefusedError} {FacilitatorError} {RpcError} */
  offer(asked: RoleAsked): Promise<RoleOffer>;
  /**
   * Gives the role, or says what has become of it; any number of times, in any process: it is given once.
   * @param kept of the offer.
   * @param transaction the one that was offered, with the wallet's signature alone.
   * @throws {RefusedError} {FacilitatorError} when it was not given; for a code that is not retryable it never will be.
   */
  grant(kept: JsonObject, transaction: Uint8Array, authentication: JsonObject | undefined): Promise<Granted>;
  /** @throws {RpcError} {StoreError} */
  look(roleId: string): Promise<RoleStatus>;
  /** Lets its holder end the role in good order. For the wallet that gave it. */
  closeToken(roleId: string): string;
}
