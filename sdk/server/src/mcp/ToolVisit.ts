// One call of a paid tool, from its credential to its answer.

import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js";
import { type JsonObject, type JsonValue, Mcp, RefusedError } from "@mppsol/core";
import { pendingEvent, pendingProblem } from "../http/answer.js";
import { type Call, channelHint, digestOf, idempotencyKey, newRequestId } from "../http/call.js";
import { readable } from "../http/credential.js";
import type { HandlerContext, PricedRequest, RouteSettings } from "../http/guard.js";
import type { ErrorContext } from "../http/observer.js";
import { refusalOf } from "../http/refusal.js";
import type { Grant, Redemption, RequestContext } from "../intent.js";
import { CHANNEL_META, IDEMPOTENCY_KEY_META, REPLAYED_META } from "./meta.js";
import type { Answer, Made, ToolRequest } from "./sdk.js";

/** What came of a call: its answer, or a result that was paid for and is still to be kept. */
export type Outcome =
  | { readonly answer: Answer }
  | { readonly result: CallToolResult; readonly complete: (made: Made) => Promise<Answer> };

type Run = (context: HandlerContext) => CallToolResult | Promise<CallToolResult>;

/** Realm of a server that was given none. */
const REALM = "mcp";

/** Which tool is called. */
interface Tool {
  /** Name of the server: two of one seller may have tools of one name. */
  readonly server: string;
  readonly name: string;
}

export class ToolVisit {
  readonly #route: RouteSettings;
  readonly #tool: Tool;
  readonly #request: ToolRequest;
  readonly #abort = new AbortController();
  readonly #signal: AbortSignal;
  readonly #refusals: "error" | "result";
  readonly #requestId = newRequestId();

  constructor(
    route: RouteSettings,
    tool: Tool,
    request: ToolRequest,
    signal: AbortSignal,
    options: { readonly refusals?: "error" | "result" },
  ) {
    this.#route = route;
    this.#tool = tool;
    this.#request = request;
    this.#signal = AbortSignal.any([signal, this.#abort.signal]);
    this.#refusals = options.refusals ?? "error";
  }

  /** Admits the call and runs the tool. Never rejects. `complete` must be called. */
  async run(tool: Run): Promise<Outcome> {
    let call: Call | undefined;
    try {
      if (this.#route.inFlight.closing) throw new RefusedError("unavailable", "This server is shutting down.");
      call = this.#call();
      const credential = readable(() => Mcp.credentialOf(this.#request));
      if (credential === undefined) throw new RefusedError("payment-required");
      const redemption = await this.#route.gate.redeem(credential, call);
      if (redemption.kind === "grant") return await this.#serve(redemption, credential.challenge.id, call, tool);
      return { answer: this.#redeemed(redemption, credential.challenge.id, call) };
    } catch (error) {
      return { answer: await this.#refuse(call, error, "redeem") };
    }
  }

  #call(): Call {
    const meta = this.#request.params?._meta ?? {};
    const args = (this.#request.params?.arguments ?? {}) as JsonObject;
    const body = JSON.stringify(args);
    const hint = meta[CHANNEL_META];
    const { server, name } = this.#tool;
    const url = `mcp://tools/${encodeURIComponent(name)}`;
    const resource = digestOf("tools/call", server, name, body);
    const context: RequestContext = {
      url,
      method: "tools/call",
      get raw(): PricedRequest {
        return { request: new Request(url, { method: "POST", body }), framework: { name, arguments: args } };
      },
      idempotencyKey: idempotencyKey(meta[IDEMPOTENCY_KEY_META]),
      digest: resource,
      signal: this.#signal,
      channelHint: channelHint(typeof hint === "string" ? hint : null),
    };
    const realm = this.#route.realm ?? REALM;
    // The arguments are bound by the resource; a digest is for bodies of HTTP.
    return { requestId: this.#requestId, realm, resource, body: new Uint8Array(0), context };
  }

  #redeemed(redemption: Exclude<Redemption, Grant>, challengeId: string, call: Call): Answer {
    const { observer } = this.#route;
    switch (redemption.kind) {
      case "answer": {
        const { receipt, body = {} } = redemption;
        observer.event(call, { type: "errand", receipt });
        return { result: withMeta(text(body), { [Mcp.RECEIPT_META]: Mcp.receiptToJson(receipt, challengeId) }) };
      }
      case "replay": {
        const { response, receipt } = redemption;
        observer.event(call, { type: "replayed", status: response.status });
        const kept = response.body === undefined ? text({ replayed: true }) : resultFrom(response.body);
        const paid = receipt === undefined ? {} : { [Mcp.RECEIPT_META]: Mcp.receiptToJson(receipt, challengeId) };
        return { result: withMeta(kept, { ...paid, [REPLAYED_META]: true }) };
      }
      case "pending": {
        observer.event(call, pendingEvent(redemption));
        // Neither of the two payment codes: they would make the client pay again.
        const problem = pendingProblem(redemption.signature, this.#requestId);
        const data = { httpStatus: 202, problem, retryAfterSeconds: redemption.retryAfterSeconds };
        return { error: { code: Mcp.INTERNAL_ERROR, message: "Payment pending", data } };
      }
    }
  }

  async #serve(grant: Grant, challengeId: string, call: Call, tool: Run): Promise<Outcome> {
    const { observer, inFlight } = this.#route;
    const { meter: _, ...payment } = grant.payment;
    observer.event(call, { type: "paid", payment });
    inFlight.add(this, () => this.#abort.abort());
    try {
      const result = await tool({ payment: grant.payment, signal: this.#signal });
      return { result, complete: (made) => this.#complete(grant, challengeId, call, result, made) };
    } catch (error) {
      await this.#giveBack(grant, call);
      if (error instanceof RefusedError) return { answer: await this.#refuse(call, error, "handler") };
      return { answer: this.#failed(error) };
    }
  }

  /** `own`: what the tool returned; `made`: what the SDK made of it. */
  async #complete(grant: Grant, challengeId: string, call: Call, own: CallToolResult, made: Made): Promise<Answer> {
    const { observer, inFlight, maxStoredBytes } = this.#route;
    if (!("result" in made) || made.result.isError === true) {
      await this.#giveBack(grant, call);
      if (!("result" in made)) return this.#failed(made.thrown);
      return own?.isError === true ? made : this.#failed(new TypeError("the tool's result does not fit its schema"));
    }
    const { result } = made;
    const bytes = Buffer.from(JSON.stringify(result));
    const body = bytes.length > maxStoredBytes ? undefined : bytes;
    try {
      const receipt = await grant.finish({ status: 200, headers: {}, body });
      observer.event(call, { type: "delivered", status: 200, receipt });
      return { result: withMeta(result, { [Mcp.RECEIPT_META]: Mcp.receiptToJson(receipt, challengeId) }) };
    } catch (error) {
      return this.#refuse(call, error, "finish");
    } finally {
      inFlight.delete(this);
    }
  }

  #failed(error: unknown): Answer {
    this.#route.observer.error(error, { requestId: this.#requestId, during: "handler" });
    return { result: { ...text("The tool failed."), isError: true } };
  }

  async #giveBack(grant: Grant, call: Call): Promise<void> {
    try {
      await grant.fail();
    } catch (error) {
      this.#route.observer.error(error, { requestId: this.#requestId, during: "finish" });
    } finally {
      this.#route.observer.event(call, { type: "undelivered", status: 500 });
      this.#route.inFlight.delete(this);
    }
  }

  /** Never rejects. */
  async #refuse(call: Call | undefined, error: unknown, during: ErrorContext["during"]): Promise<Answer> {
    const { refusal, report } = refusalOf(error);
    if (report) this.#route.observer.error(error, { requestId: this.#requestId, during });
    const offers = call !== undefined && (refusal.status === 402 || refusal.status === 410);
    if (!offers) return this.#refused(call, refusal, Mcp.error(refusal, [], { requestId: this.#requestId }));
    try {
      const challenges = await this.#route.gate.challenges(call);
      const asked = Mcp.error(refusal, challenges, { requestId: this.#requestId });
      if (refusal.code !== "payment-required") return this.#refused(call, refusal, asked);
      this.#route.observer.event(call, { type: "challenged", challengeIds: challenges.map(({ id }) => id) });
      return this.#asked(asked);
    } catch (cause) {
      const { refusal: unoffered, report: told } = refusalOf(cause);
      if (told) this.#route.observer.error(cause, { requestId: this.#requestId, during: "challenge" });
      const said = unoffered.status === 402 || unoffered.status === 410 ? new RefusedError("unavailable") : unoffered;
      return this.#refused(call, said, Mcp.error(said, [], { requestId: this.#requestId }));
    }
  }

  #refused(call: Call | undefined, { code, status, detail }: RefusedError, error: Mcp.RpcError): Answer {
    if (call !== undefined) this.#route.observer.event(call, { type: "refused", code, status, detail });
    return this.#asked(error);
  }

  #asked(error: Mcp.RpcError): Answer {
    const asks = "challenges" in error.data;
    if (this.#refusals === "error" || !asks) return { error };
    const result = { ...text(error.data.problem as JsonObject), isError: true };
    return { result: withMeta(result, { [Mcp.PAYMENT_REQUIRED_META]: error.data }) };
  }
}

function text(value: JsonValue): CallToolResult {
  return { content: [{ type: "text", text: typeof value === "string" ? value : JSON.stringify(value) }] };
}

function resultFrom(base64: string): CallToolResult {
  return JSON.parse(Buffer.from(base64, "base64").toString("utf8")) as CallToolResult;
}

function withMeta(result: CallToolResult, meta: JsonObject): CallToolResult {
  return { ...result, _meta: { ...result._meta, ...meta } };
}
