// Origins: who is behind a URL, and whether others can read along.
import { InsecureTransportError } from "./errors.js";

/** Over which connections the agent pays. */
export type HttpPolicy = "never" | "loopback" | "always";

/** Scheme, host and port. Also for schemes that have no origin by the URL standard, as `mcp:`. */
export function originOf(url: string): string {
  const { protocol, host } = new URL(url);
  return `${protocol}//${host}`;
}

/** The host, with its port when that is not the scheme's own. */
export function hostOf(url: string): string {
  return new URL(url).host;
}

/** Whether the URL stays on this machine. */
export function isLoopback(url: string): boolean {
  const { hostname } = new URL(url);
  return (
    hostname === "localhost" ||
    hostname.endsWith(".localhost") ||
    /^127(?:\.[0-9]{1,3}){3}$/.test(hostname) ||
    hostname === "[::1]"
  );
}

/**
 * Payment scheme messages travel encrypted (draft-httpauth-payment-00, "Transport Security").
 * @throws {InsecureTransportError} for plain http that `http` does not allow.
 */
export function requireSecure(url: string, http: HttpPolicy): void {
  const { protocol } = new URL(url);
  if (protocol !== "http:") return;
  if (http === "always" || (http === "loopback" && isLoopback(url))) return;
  throw new InsecureTransportError(url);
}
