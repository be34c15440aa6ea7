// Refusals of the session intent (draft-solana-session-00).
import { table } from "./table.js";

export const SESSION = table({
  "channel-unknown": { status: 402, problem: "verification-failed", detail: "Channel not found." },
});
