// Inspecting credentials and receipts. Bearer proofs are secrets and are shown only when asked for.
import { BearerProof, ChargePayload, Credential, Receipt, SessionAction, SignedVoucher } from "@mppsol/core";
import { inspectChallenge, type Options } from "./challenge.js";
import { attempt, problem, type Report, report } from "./report.js";
import { inspectTransaction } from "./transaction.js";
import { inspectSignedVoucher } from "./voucher.js";

export function inspectCredential(header: string, options: Options): Report {
  const to = report("credential");
  const credential = attempt(to, () => Credential.parse(header));
  if (credential !== undefined) fill(to, credential, options);
  return to;
}

export function inspectCredentialJson(value: unknown, options: Options): Report {
  const to = report("credential");
  const credential = attempt(to, () => Credential.fromJson(value));
  if (credential !== undefined) fill(to, credential, options);
  return to;
}

function fill(to: Report, credential: Credential.Credential, options: Options): void {
  include(to, "challenge", inspectChallenge(credential.challenge, options));
  if (credential.source !== undefined) to.members.source = credential.source;
  const { method, intent } = credential.challenge;
  if (method !== "solana") to.members.payload = options.reveal ? credential.payload : "(not read: another method)";
  else if (intent === "charge") charge(to, credential);
  else if (intent === "session") session(to, credential, options);
}

function charge(to: Report, { payload }: Credential.Credential): void {
  const read = attempt(to, () => ChargePayload.fromJson(payload));
  if (read === undefined) return;
  to.members.payload = { type: read.type, ...(read.type === "signature" && { signature: read.signature }) };
  if (read.type === "transaction") include(to, "transaction", inspectTransaction(read.transaction));
  if (read.type === "bundle") problem(to, "bundle-unsupported", "confidential bundles are not supported by mppsol");
}

function session(to: Report, { payload, challenge }: Credential.Credential, options: Options): void {
  const action = attempt(to, () => SessionAction.fromJson(payload));
  if (action === undefined) return;
  const { transaction, voucher, authentication, ...rest } = {
    transaction: undefined,
    voucher: undefined,
    authentication: undefined,
    ...action,
  };
  to.members.payload = rest;
  if (transaction !== undefined) include(to, "transaction", inspectTransaction(transaction));
  if (voucher !== undefined) {
    include(to, "voucher", inspectSignedVoucher(SignedVoucher.toJson(voucher), options.now));
    if (voucher.voucher.channelId !== action.channelId) {
      problem(to, "voucher-channel", "the voucher is of another channel than the action");
    }
  }
  if (authentication !== undefined) proof(to, authentication, action.channelId, challenge.id, options);
}

function proof(
  to: Report,
  given: BearerProof.BearerProof,
  channelId: string,
  challengeId: string,
  { reveal }: Options,
): void {
  const signature = reveal ? given.signature : "(secret; --reveal shows it)";
  to.members.authentication = { ...given, signature };
  if (!BearerProof.verify(given, { channelId, payer: given.payer, challengeId })) {
    problem(to, "proof-invalid", "the bearer proof is not of this payer, channel and challenge");
  }
}

/** Hangs a report under another, its problems with its name in front. */
function include(to: Report, name: string, inner: Report): void {
  to.members[name] = inner.members;
  for (const { code, message } of inner.problems) problem(to, code, `${name}: ${message}`);
}

/** Of a `Payment-Receipt` value. */
export function inspectReceipt(header: string): Report {
  const to = report("receipt");
  const receipt = attempt(to, () => Receipt.parse(header));
  if (receipt !== undefined) fillReceipt(to, receipt);
  return to;
}

export function inspectReceiptJson(value: unknown): Report {
  const to = report("receipt");
  const receipt = attempt(to, () => Receipt.fromJson(value));
  if (receipt !== undefined) fillReceipt(to, receipt);
  return to;
}

function fillReceipt(to: Report, receipt: Receipt.Receipt): void {
  Object.assign(to.members, receipt);
  if (receipt.method !== "solana" || receipt.intent !== "session") return;
  const session = attempt(to, () => Receipt.asSession(receipt));
  if (session !== undefined && session.spent > session.acceptedCumulative) {
    problem(to, "receipt-overspent", "more is spent than was ever accepted");
  }
}
