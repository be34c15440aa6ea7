// Everything that a session refuses or cannot do. `code` is stable. No message holds a proof, a signature or a credential.
import { AgentError, NotPaidError } from "../errors.js";

/** Why the agent does not grant what a session's challenge asks for. Nothing was signed. */
export type TermsFault =
  | "grace-period"
  | "deposit"
  | "amount" // more than the bound of a request or a stream
  | "voucher-signer"
  | "fee-payer"
  | "token"
  | "blockhash" // not a blockhash of the agent's cluster
  | "channel" // asks to resume a channel that is not this agent's, or to open one without what that takes
  | "too-many-channels"
  | "transport"; // a bearer proof over plain HTTP

/** A challenge that this agent does not take up. */
export class SessionTermsError extends NotPaidError {
  override readonly code: `session-terms:${TermsFault}`;
  readonly fault: TermsFault;

  constructor(fault: TermsFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
    this.code = `session-terms:${fault}`;
  }
}

/** What went wrong in a session that was entered into. */
export type SessionFault =
  | "open-refused"
  | "open-pending" // may still land: nobody may say that it failed
  | "topup-refused"
  | "topup-pending"
  | "close-refused"
  | "close-pending"
  | "voucher-refused"
  | "amount-refused" // a server asked for more than the bound of a request or a stream
  | "channel-mismatch" // the channel on chain is not the one that was signed
  | "channel-missing" // the server says that it is open, the chain does not
  | "channel-unusable" // closing, closed, or its vouchers are signed by another key
  | "server-claim" // the server claims what cannot be
  | "stream-invalid" // a payment event that cannot be read
  | "transaction-failed"
  | "transaction-pending";

/** A channel that was to be closed and is still there. */
export interface LeftChannel {
  /** Base58. */
  readonly channelId: string;
  /** Why: a {SessionError}, a {ChainError}, or what the transport says. */
  readonly error: Error;
}

/** Channels could not be closed: their deposits stay locked. Everything else about the agent is closed. */
export class SessionsLeftError extends AgentError {
  override readonly code = "sessions-left";
  readonly channels: readonly LeftChannel[];

  constructor(channels: readonly LeftChannel[]) {
    const reasons = channels.map(({ channelId, error: { message } }) =>
      message.includes(channelId) ? message : `${channelId}: ${message}`,
    );
    super(`${channels.length} of the channels could not be closed: ${reasons.join("; ")}`, {
      cause: channels[0]?.error,
    });
    this.channels = channels;
  }
}

/** A session that cannot go on, or not now. */
export class SessionError extends AgentError {
  override readonly code: SessionFault;
  /** Base58. */
  readonly channelId: string;

  constructor(code: SessionFault, channelId: string, message: string, options?: ErrorOptions) {
    super(`${message} (channel ${channelId})`, options);
    this.code = code;
    this.channelId = channelId;
  }
}
