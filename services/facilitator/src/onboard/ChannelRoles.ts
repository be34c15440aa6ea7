// Roles as payment channels: who may spend is the channel's authorized signer, the limit its deposit, and the wallet takes
// it back by revoking the channel on chain, which needs nobody's help.
import { randomUUID } from "node:crypto";
import { BearerProof, type JsonObject, SessionAction, SessionRequest } from "@mppsol/core";
import { AccountDecodeError, buildTransaction, decodeChannel, grindSalt, session } from "@mppsol/programs";
import { PublicKey } from "@solana/web3.js";
import type { Context } from "../context.js";
import { FacilitatorError } from "../errors/FacilitatorError.js";
import { CloseTokens } from "../session/closeToken.js";
import type { Granted, RoleAsked, RoleOffer, RoleProvider, RoleStatus } from "./RoleProvider.js";

/** The price in the terms: a role is for whatever the seller charges, and what a request costs is not known here. */
const ANY_PRICE = 1n;

export class ChannelRoles implements RoleProvider {
  readonly #sessions: Context["sessions"];
  readonly #rpc: Context["rpc"];
  readonly #closeTokens: CloseTokens;

  constructor({ sessions, rpc, config }: Pick<Context, "sessions" | "rpc" | "config">) {
    this.#sessions = sessions;
    this.#rpc = rpc;
    this.#closeTokens = new CloseTokens(config.secret);
  }

  async offer(asked: RoleAsked): Promise<RoleOffer> {
    const { wallet, limit, voucherSigner } = asked;
    const request = await this.#sessions.terms({
      seller: asked.seller,
      currency: asked.mint,
      amount: ANY_PRICE,
      voucherSigner,
      suggestedDeposit: limit,
    });
    const authorizedSigner = request.operator ?? asked.authorizedSigner ?? wallet;
    const { message, open } = await openOf(request, { wallet, limit, authorizedSigner });
    const id = randomUUID();
    const challenge = { id, request: SessionRequest.toJson(request) };
    const { channelId } = open;
    const { transaction: _, ...members } = SessionAction.toJson({ ...open, transaction: message });
    const proof =
      voucherSigner === "operator"
        ? { proof: base64(BearerProof.message({ channelId, payer: wallet, sessionChallengeId: id })) }
        : {};
    return {
      roleId: channelId,
      message,
      kept: { challenge, open: members },
      details: { challenge, open: members, authorizedSigner, limit: String(limit), ...proof },
    };
  }

  async grant(kept: JsonObject, transaction: Uint8Array, authentication: JsonObject | undefined): Promise<Granted> {
    const { challenge, open } = kept as unknown as Kept;
    const json = {
      ...open,
      transaction: base64(transaction),
      ...(authentication === undefined ? {} : { authentication }),
    };
    const action = SessionAction.fromJson(json) as SessionAction.Open;
    const request = SessionRequest.fromJson(challenge.request);
    const opened = await this.#sessions.open({ id: challenge.id, request }, action);
    if ("pending" in opened) return { kind: "pending", signature: opened.signature };
    const { channelId, authorizedSigner, deposit, signature } = opened;
    return { kind: "granted", role: { roleId: channelId, authorizedSigner, limit: deposit, signature } };
  }

  /** From the chain: the wallet revokes there, and asks nobody. */
  async look(roleId: string): Promise<RoleStatus> {
    const view = await this.#sessions.get(roleId);
    if (view === undefined) return "ended";
    const account = await this.#rpc.account(roleId);
    const found = account?.owner === view.channelProgram ? statusOf(account.data) : undefined;
    if (found === "closing" || view.closureStartedAt !== undefined) return "revoked";
    // A close of ours may be under way: the channel is open on chain, and takes no more payments.
    if (found === "open") return view.status === "closing" || view.status === "closed" ? "ended" : "ready";
    // A node that lags behind has not seen it yet: a second one in its place would lock the money twice.
    return account === undefined && view.status === "open" ? "ready" : "ended";
  }

  closeToken(roleId: string): string {
    return this.#closeTokens.of(roleId);
  }
}

interface Kept {
  readonly challenge: { readonly id: string; readonly request: JsonObject };
  readonly open: JsonObject;
}

/** The transaction that opens the channel, and what is said about it. */
async function openOf(
  request: SessionRequest.SessionRequest,
  chosen: { readonly wallet: string; readonly limit: bigint; readonly authorizedSigner: string },
): Promise<{ readonly message: Uint8Array; readonly open: Omit<SessionAction.Open, "transaction"> }> {
  const { recentBlockhash, recentSlot, gracePeriodSeconds, tokenProgram, feePayerKey } = request;
  if (
    recentBlockhash === undefined ||
    recentSlot === undefined ||
    gracePeriodSeconds === undefined ||
    tokenProgram === undefined ||
    feePayerKey === undefined
  ) {
    throw new FacilitatorError("internal_error", undefined, {
      cause: new TypeError("terms of no new, sponsored channel"),
    });
  }
  const { wallet, limit, authorizedSigner } = chosen;
  const programId = new PublicKey(request.channelProgram);
  const feePayer = new PublicKey(feePayerKey);
  const parties = {
    payer: new PublicKey(wallet),
    payee: new PublicKey(request.recipient),
    mint: new PublicKey(request.currency),
    authorizedSigner: new PublicKey(authorizedSigner),
    openSlot: recentSlot,
    tokenProgram: new PublicKey(tokenProgram),
  };
  const { salt, channel } = grindSalt(parties, { programId });
  const instructions = await session.open({
    ...parties,
    rentPayer: feePayer,
    salt,
    deposit: limit,
    gracePeriod: gracePeriodSeconds,
    splits: request.distributionSplits,
    programId,
  });
  const { message } = buildTransaction({ feePayer, recentBlockhash, instructions });
  return {
    message: message.serialize(),
    open: {
      action: "open",
      channelId: channel.toBase58(),
      payer: wallet,
      payee: request.recipient,
      mint: request.currency,
      authorizedSigner,
      salt,
      depositAmount: limit,
      gracePeriodSeconds,
      openSlot: recentSlot,
      ...(request.distributionSplits.length === 0 ? {} : { distributionSplits: request.distributionSplits }),
    },
  };
}

function statusOf(data: Uint8Array): string | undefined {
  try {
    return decodeChannel(data).status;
  } catch (error) {
    if (error instanceof AccountDecodeError) return undefined;
    throw error;
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
