// `http.payment_request` of the conformance harness: the agent's paying fetch with a way to pay that is no payment. The
// harness names the proof to show, and asks for a method that is not ours, so this is all of the agent but its wallet.
import { type Challenge, InvalidFieldError, type JsonObject } from "@mppsol/core";
import { ServerClocks } from "../../sdk/agent/src/clock.js";
import { CrossOriginRedirectError, PaymentRefusedError } from "../../sdk/agent/src/errors.js";
import { payingFetch } from "../../sdk/agent/src/fetch.js";
import type { Payer, Payment } from "../../sdk/agent/src/payer.js";
import { Policy } from "../../sdk/agent/src/policy.js";
import type { Reply } from "./operations.js";

/** What the harness lets its client pay with. */
const METHOD = "tempo";
const INTENT = "charge";

/** Sends the request that `input` describes; replies with the last response. */
export async function request(input: JsonObject): Promise<Reply> {
  const { url, mode, method, body, headers, payment } = input as {
    [name: string]: unknown;
    headers: Record<string, string>;
    payment: JsonObject;
  };
  const init = { method: String(method), headers: new Headers(headers), ...(typeof body === "string" ? { body } : {}) };
  if (mode === "plain") return asReply(await fetch(String(url), init));
  if (mode !== "payment" && mode !== "invalid_payload") {
    return { ok: false, error: { type: "unsupported_operation", message: `mode ${String(mode)}` } };
  }
  init.headers.set("Accept-Payment", `${METHOD}/${INTENT}`);
  try {
    return await asReply(await paying(payment)(String(url), init));
  } catch (error) {
    if (error instanceof PaymentRefusedError) return asReply(error.response);
    const why =
      error instanceof CrossOriginRedirectError ? "Refusing to send payment credential across redirect: " : "";
    return { ok: false, error: { type: "http_error", message: why + (error as Error).message } };
  }
}

function paying(payment: JsonObject) {
  const now = Date.now;
  return payingFetch({
    transport: globalThis.fetch,
    payers: [new Show(payment)],
    prefer: false,
    policy: new Policy({ network: "localnet" }),
    clocks: new ServerClocks(now),
    now,
    settleTimeoutMs: 10_000,
    receipts: "check",
    authorize: async () => {
      throw new Error("nothing is paid here");
    },
    checkOpen: () => {},
  });
}

/** Shows the given proof for any challenge. */
class Show implements Payer {
  readonly intent = INTENT;
  readonly #payment: JsonObject;

  constructor(payment: JsonObject) {
    this.#payment = payment;
  }

  supports(challenge: Challenge.Challenge): boolean {
    return challenge.method === METHOD && challenge.intent === INTENT;
  }

  async pay({ challenge }: { readonly challenge: Challenge.Challenge }): Promise<Payment> {
    const { payload, source } = this.#payment;
    if (typeof payload !== "object" || payload === null) throw new InvalidFieldError("payload", "not an object");
    return {
      credential: { challenge, payload: payload as JsonObject, ...(typeof source === "string" ? { source } : {}) },
      accepted: async (_, response) => response,
      refused: async () => "give-up",
      lost: async () => {},
    };
  }
}

async function asReply(response: Response): Promise<Reply> {
  const headers = Object.fromEntries(response.headers);
  return { ok: true, value: { status: response.status, headers, body: await response.text() } };
}
