// The proof of payment in a charge's credential (draft-solana-charge-00, "Credential Schema").
import * as Base58 from "./Base58.js";
import { InvalidFieldError } from "./errors.js";
import type { JsonObject } from "./json.js";
import { list, Members, oneOf, type Read } from "./members.js";
import * as TransactionBytes from "./TransactionBytes.js";

/** Pull: the server sends the transaction. */
export interface Transaction {
  readonly type: "transaction";
  /** 1 to 1232 bytes, signed by the payer; the fee payer's signature may be missing. */
  readonly transaction: Uint8Array;
}

/** Push: the payer has sent the transaction. Not for requests with `feePayer`. */
export interface Signature {
  readonly type: "signature";
  /** Base58 of 64 bytes: the transaction's first signature. */
  readonly signature: string;
}

/**
 * Confidential transfers: transactions to be sent one after the other. Read here so that it can be named;
 * @mppsol/server refuses it.
 */
export interface Bundle {
  readonly type: "bundle";
  /** At least one, each of 1 to 1232 bytes. */
  readonly transactions: readonly Uint8Array[];
}

export type ChargePayload = Transaction | Signature | Bundle;

/**
 * A payload from parsed JSON. Which type a request allows is not looked at.
 * @throws {InvalidFieldError}
 */
export function fromJson(value: unknown, path = "payload"): ChargePayload {
  const json = new Members(value, path);
  const type = json.required("type", oneOf("transaction", "signature", "bundle"));
  switch (type) {
    case "transaction":
      return { type, transaction: json.required("transaction", TransactionBytes.fromBase64) };
    case "signature":
      return { type, signature: json.required("signature", Base58.signature) };
    case "bundle":
      return { type, transactions: json.required("transactions", transactionsOf) };
  }
}

/** The wire form; the inverse of `fromJson`. Throws {InvalidFieldError} for what `fromJson` would not read. */
export function toJson(payload: ChargePayload): JsonObject {
  const json = write(payload);
  fromJson(json);
  return json;
}

function write(payload: ChargePayload): JsonObject {
  const { type } = payload;
  switch (type) {
    case "transaction":
      return { type, transaction: TransactionBytes.toBase64(payload.transaction, "payload.transaction") };
    case "signature":
      return { type, signature: payload.signature };
    case "bundle":
      return {
        type,
        transactions: payload.transactions.map((bytes, i) =>
          TransactionBytes.toBase64(bytes, `payload.transactions[${i}]`),
        ),
      };
  }
}

const transactionsOf: Read<Uint8Array[]> = (value, field) => {
  const transactions = list(TransactionBytes.fromBase64)(value, field);
  if (transactions.length === 0) throw new InvalidFieldError(field, "empty");
  return transactions;
};
