// Leaving a channel without the seller, at the wallet's own cost: revoke, wait for the grace period, seal, take what is
// left. Every step is read off the chain, so it can be interrupted anywhere and called again.
import { type ChannelState, session } from "@mppsol/programs";
import { PublicKey, type TransactionInstruction } from "@solana/web3.js";
import { pause } from "../answers.js";
import { ChainError, InsufficientFundsError } from "../errors.js";
import type { Channel } from "./channel.js";
import { finish, isSettled, stateOf } from "./close.js";
import type { Desk } from "./desk.js";
import { SessionError } from "./errors.js";
import type { ChannelRecord } from "./record.js";

/** How far a forced close has come. */
export type ForcedClose =
  /** The grace period runs: until `sealableAt` (unix seconds, by the chain's clock) the seller may cash its last voucher. */
  | { readonly kind: "waiting"; readonly channelId: string; readonly sealableAt: number; readonly signature?: string }
  /** The deposit is back, less what was settled. `refunded`: base units, where this call did it. */
  | { readonly kind: "closed"; readonly channelId: string; readonly refunded?: bigint; readonly signature?: string };

/** Times that the chain may move on under a step before it is given up: the seller can close at any moment. */
const MAX_STEPS = 6;

/** Of a transaction with one signature. */
const FEE_LAMPORTS = 5_000n;

/**
 * Does what can be done now. Pays its fees with the wallet's SOL.
 * @throws {InsufficientFundsError} and nothing was done: the wallet has no SOL for the fee.
 * @throws {SessionError} `transaction-failed`, `transaction-pending`; `channel-unusable` while an open may still land.
 */
export async function forceClose(desk: Desk, channel: Channel): Promise<ForcedClose> {
  for (let steps = 1; ; steps++) {
    const state = await stateOf(desk, channel);
    try {
      const done = await step(desk, channel, state);
      if (done !== undefined) return done;
    } catch (error) {
      // Somebody else moved it on; what failed is not needed any more.
      const moved =
        error instanceof SessionError && error.code === "transaction-failed" && (await differs(desk, channel, state));
      if (!moved || steps === MAX_STEPS) throw error;
    }
    if (steps === MAX_STEPS) throw new ChainError("the channel does not get on");
  }
}

/** Waits until a channel can be sealed, or for as long as it is wise not to look. */
export async function waitForGrace({ chain, timing }: Desk, sealableAt: number, signal?: AbortSignal): Promise<void> {
  const left = (sealableAt - (await chain.now())) * 1_000;
  // Not all of it at once: the seller can close at any moment.
  await pause(Math.min(Math.max(left, timing.pollMs), timing.chainMs), signal);
}

/** One transition; `undefined` when it was made and the next can be looked at. */
async function step(desk: Desk, channel: Channel, state: ChannelState | undefined): Promise<ForcedClose | undefined> {
  const { record } = channel;
  const { channelId } = record;
  if (state === undefined && record.transaction?.kind === "open") {
    if (await desk.chain.canLand(record.transaction.lastValidBlockHeight)) {
      throw new SessionError("channel-unusable", channelId, "its open may still land");
    }
    // In between it could have.
    if ((await stateOf(desk, channel)) !== undefined) return undefined;
  }
  if (state === undefined || isSettled(state)) return { kind: "closed", ...(await finish(desk, channel, {})) };
  if (state.status === "open") return revoke(desk, channel, state);
  if (state.status === "closing") {
    const sealableAt = Number(state.closureStartedAt) + state.gracePeriod;
    if ((await desk.chain.now()) < sealableAt) return { kind: "waiting", channelId, sealableAt };
  }
  return takeOut(desk, channel, state);
}

/** The node would only say that it knows no such account. */
async function requireFee({ chain }: Desk): Promise<void> {
  const held = await chain.lamports();
  if (held < FEE_LAMPORTS)
    throw new InsufficientFundsError("sol", FEE_LAMPORTS, held, "leaving without the server's help");
}

async function revoke(desk: Desk, channel: Channel, state: ChannelState): Promise<ForcedClose> {
  const { record } = channel;
  await requireFee(desk);
  await channel.persist({ status: "closing" });
  desk.context.progress({ step: "closing", channelId: record.channelId });
  const signature = await desk.chain.land(await session.revoke(addressed(record)), record.channelId);
  const after = await stateOf(desk, channel);
  const startedAt = Number(after?.closureStartedAt || (await desk.chain.now()));
  return { kind: "waiting", channelId: record.channelId, sealableAt: startedAt + state.gracePeriod, signature };
}

/** Seals when that is still to be done, and takes the refund, in one transaction; then sees to the rest. */
async function takeOut(desk: Desk, channel: Channel, state: ChannelState): Promise<ForcedClose> {
  const { record } = channel;
  const { channelId } = record;
  const { publicKey } = desk.context.signer;
  const token = { mint: new PublicKey(record.mint), tokenProgram: new PublicKey(record.tokenProgram) };
  const instructions: TransactionInstruction[] = [];
  if (state.status === "closing") instructions.push(...(await session.seal(addressed(record))));
  const refunded = state.payerWithdrawnAt === 0n ? state.deposit - state.settled : 0n;
  let signature: string | undefined;
  if (state.payerWithdrawnAt === 0n) {
    // The refund goes to the wallet's token account, which may have been closed meanwhile.
    instructions.push(...session.createTokenAccounts(publicKey, [publicKey], token));
    instructions.push(...(await session.withdrawPayer({ ...addressed(record), ...token })));
  }
  if (instructions.length > 0) {
    await requireFee(desk);
    signature = await desk.chain.land(instructions, channelId);
  }
  await payOut(desk, channel);
  return {
    kind: "closed",
    ...(await finish(desk, channel, { refunded, ...(signature === undefined ? {} : { signature }) })),
  };
}

/**
 * Pays the seller what was settled and closes the escrow, when the rent then comes back to the wallet. Otherwise that is
 * the seller's business. The refund is safe already, so whatever goes wrong here is not thrown.
 */
async function payOut(desk: Desk, channel: Channel): Promise<void> {
  const { record } = channel;
  if (record.rentPayer !== record.payer) return;
  try {
    const payer = desk.context.signer.publicKey;
    await desk.chain.land(
      await session.settle({
        ...addressed(record),
        payee: new PublicKey(record.payee),
        rentPayer: payer,
        mint: new PublicKey(record.mint),
        tokenProgram: new PublicKey(record.tokenProgram),
        splits: record.splits,
        createAccounts: payer,
      }),
      record.channelId,
    );
  } catch (error) {
    if (!(error instanceof SessionError || error instanceof ChainError)) throw error;
  }
}

async function differs(desk: Desk, channel: Channel, before: ChannelState | undefined): Promise<boolean> {
  return (await stateOf(desk, channel))?.status !== before?.status;
}

function addressed({ channelId, payer, channelProgram }: ChannelRecord) {
  return {
    channel: new PublicKey(channelId),
    payer: new PublicKey(payer),
    programId: new PublicKey(channelProgram),
  };
}
