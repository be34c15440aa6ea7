// The challenge: what a server asks to be paid, as it stands in `WWW-Authenticate` (draft-httpauth-payment-00).

/** The auth-params of one `Payment` challenge. */
export interface Challenge {
  readonly id: string;
  readonly realm: string;
  readonly method: string;
  readonly intent: string;
  /** Base64url of JCS JSON, exactly as on the wire. */
  readonly request: string;
  /** RFC 3339. */
  readonly expires?: string;
  /** RFC 9530. */
  readonly digest?: string;
  readonly description?: string;
  /** Base64url of a flat JSON object of strings, as on the wire. */
  readonly opaque?: string;
  /** Which request header the credential goes in, when not `Authorization`. */
  readonly header?: string;
}
