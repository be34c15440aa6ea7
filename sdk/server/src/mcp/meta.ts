// Keys in `_meta` for what HTTP says in headers and the draft leaves unsaid.

/** What `Idempotency-Key` is in HTTP. */
export const IDEMPOTENCY_KEY_META = "org.paymentauth/idempotency-key";

/** What `Payment-Channel` is: base58 address of the channel that the client has. */
export const CHANNEL_META = "org.paymentauth/channel";

/** What `Idempotent-Replayed` is: true on a result that was kept. */
export const REPLAYED_META = "org.paymentauth/idempotent-replayed";
