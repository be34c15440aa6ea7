// The receipt: what a server says of a payment that succeeded (draft-httpauth-payment-00, "Payment-Receipt Header").
import type { JsonValue } from "./json.js";

export interface Receipt {
  readonly status: "success";
  readonly method: string;
  /** RFC 3339. */
  readonly timestamp: string;
  /** Transaction signature (charge) or channel id (session). */
  readonly reference: string;
  readonly challengeId?: string;
  readonly [member: string]: JsonValue | undefined;
}
