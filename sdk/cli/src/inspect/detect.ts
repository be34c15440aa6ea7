// Tells what a text is, and inspects it: header values, JSON, base64, base58 or hex.
import { Base64Url, Credential, Problem, Voucher } from "@mppsol/core";
import { usage } from "../exit.js";
import type { Cluster } from "../network.js";
import { inspectChallenges, type Options } from "./challenge.js";
import { inspectAddress, inspectSignature } from "./channel.js";
import { inspectCredential, inspectCredentialJson, inspectReceipt, inspectReceiptJson } from "./credential.js";
import { problem, type Report, report } from "./report.js";
import { inspectTransaction } from "./transaction.js";
import { inspectSignedVoucher, inspectVoucherBytes, isBase58 } from "./voucher.js";

/**
 * What `text` is, and what is wrong with it. Asks the chain only for addresses and signatures.
 * @throws {CliError} for a text that is none of what is known.
 */
export async function inspect(text: string, options: Options, cluster: () => Cluster): Promise<Report[]> {
  const value = text
    .trim()
    .replace(/^(?:www-authenticate|authorization|payment-authorization|payment-receipt):\s*/i, "");
  if (value === "") throw usage("inspect: there is nothing to inspect");
  if (/^payment\s+[A-Za-z0-9_-]+=*$/i.test(value) && Credential.isPayment(value)) {
    return [inspectCredential(value, options)];
  }
  if (/(?:^|,\s*)payment\s/i.test(value)) return inspectChallenges(value, options);
  if (value.startsWith("{")) return [inspectJson(parse(value), options)];
  if (isBase58(value, 32)) return [await inspectAddress(value, cluster())];
  if (isBase58(value, 64)) return [await inspectSignature(value, cluster())];
  return [inspectEncoded(value, options)];
}

function inspectEncoded(value: string, options: Options): Report {
  if (/^(?:[0-9a-f]{2})+$/i.test(value)) return inspectBytes(Buffer.from(value, "hex"), options);
  const json = base64UrlJson(value);
  if (json !== undefined) {
    if (isObject(json) && "payload" in json) return inspectCredential(`Payment ${value}`, options);
    if (isObject(json) && "reference" in json) return inspectReceipt(value);
    return inspectJson(json, options);
  }
  if (/^[A-Za-z0-9+/]{60,}={0,2}$/.test(value)) return inspectBytes(Buffer.from(value, "base64"), options);
  throw usage("inspect: this is no header, JSON, base64, hex, address or signature that is known here");
}

function inspectBytes(bytes: Uint8Array, options: Options): Report {
  return bytes.length === Voucher.LENGTH ? inspectVoucherBytes(bytes, options.now) : inspectTransaction(bytes);
}

function inspectJson(value: unknown, options: Options): Report {
  if (!isObject(value)) throw usage("inspect: the JSON is not an object");
  if ("challenge" in value && "payload" in value) return inspectCredentialJson(value, options);
  if ("signature" in value && ("voucher" in value || "data" in value)) return inspectSignedVoucher(value, options.now);
  if ("reference" in value && "status" in value) return inspectReceiptJson(value);
  if ("type" in value && "title" in value) {
    const parsed = Problem.parse(value);
    const to = report("problem", { ...parsed });
    return to;
  }
  const to = report("json", value);
  problem(to, "unknown-kind", "neither a credential, a receipt, a signed voucher nor a problem document");
  return to;
}

function base64UrlJson(value: string): unknown {
  try {
    const text = Base64Url.decodeText(value);
    return text.startsWith("{") ? JSON.parse(text) : undefined;
  } catch {
    return undefined;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw usage("inspect: this begins like JSON but is none");
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
