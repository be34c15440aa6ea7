// Header fields of paid responses: what is added, and what a stored response keeps.
import { Receipt } from "@mppsol/core";

export type StoredHeaders = Readonly<Record<string, string>>;

/** Of the connection or of the moment; or made anew with every answer. */
const NOT_KEPT = new Set([
  "connection",
  "content-length",
  "date",
  "keep-alive",
  "payment-receipt",
  "payment-response",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Stands between several `Set-Cookie` values, which must not be joined by commas. */
const BREAK = "\n";

/** What is kept of a handler's headers. */
export function toStored(headers: Headers): StoredHeaders {
  const kept = [...headers].filter(([name]) => !NOT_KEPT.has(name) && name !== "set-cookie");
  const cookies = headers.getSetCookie();
  return Object.fromEntries(cookies.length === 0 ? kept : [...kept, ["set-cookie", cookies.join(BREAK)]]);
}

/** The inverse of `toStored`. */
export function fromStored(stored: StoredHeaders): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(stored)) {
    if (name === "set-cookie") for (const cookie of value.split(BREAK)) headers.append(name, cookie);
    else headers.set(name, value);
  }
  return headers;
}

/**
 * Adds the receipt to the headers of a response that is no error, and keeps it out of shared caches
 * (draft-httpauth-payment-00, "Caching").
 */
export function addReceipt(headers: Headers, status: number, receipt: Receipt.Receipt | undefined): void {
  headers.delete(Receipt.HEADER);
  headers.set("Cache-Control", private_(headers.get("cache-control")));
  if (receipt !== undefined && status < 400) headers.set(Receipt.HEADER, Receipt.format(receipt));
}

/** The handler's own directives, but for those that let others keep it. */
function private_(directives: string | null): string {
  const kept = (directives ?? "")
    .split(",")
    .map((one) => one.trim())
    .filter((one) => one !== "" && !/^(?:public|private|s-maxage|proxy-revalidate)(?:\s*=|$)/i.test(one));
  return ["private", ...kept].join(", ");
}
