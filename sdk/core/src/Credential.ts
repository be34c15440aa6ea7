// The credential: a challenge, echoed, and the proof of payment (draft-httpauth-payment-00, "Credentials").
import type { Challenge } from "./Challenge.js";
import type { JsonObject } from "./json.js";

export interface Credential {
  readonly challenge: Challenge;
  /** Who pays: a DID or a base58 key. */
  readonly source?: string;
  readonly payload: JsonObject;
}
