// Challenges, credentials and receipts over JSON-RPC and MCP.

import { ErrorCode, McpError } from "@modelcontextprotocol/sdk/types.js";
import { Challenge, InvalidFieldError, type JsonObject, Mcp, Problem, Refusal, RefusedError } from "@mppsol/core";
import { expect } from "chai";
import fc from "fast-check";
import { answerOf } from "./support.js";
import { anyChallenge, anyCredential, anyReceipt, SECRET } from "./wire-arbitraries.js";

const challenge = Challenge.issue(
  {
    realm: "tools.example.com",
    method: "solana",
    intent: "charge",
    request: { amount: "500", currency: "sol" },
    expires: "2026-12-01T12:00:00Z",
    opaque: { tool: "analysis" },
  },
  SECRET,
);
const credential = { challenge, payload: { type: "signature", signature: "x" } };
const receipt = { status: "success", method: "solana", timestamp: "2026-01-01T00:00:00Z", reference: "sig" } as const;

/** As it arrives: through text. */
const sent = <T>(value: T): T => JSON.parse(JSON.stringify(value));

describe("a challenge over JSON-RPC", () => {
  it("has its request as an object, and the rest as over HTTP", () => {
    expect(Mcp.challengeToJson(challenge)).to.deep.equal({
      ...challenge,
      request: { amount: "500", currency: "sol" },
    });
  });

  it("is read back to the same challenge, so that its id can be checked, whatever the order of members", () => {
    fc.assert(
      fc.property(anyChallenge, (value) => {
        expect(Mcp.challengeFromJson(sent(Mcp.challengeToJson(value)))).to.deep.equal(value);
      }),
    );
    const reordered = { ...Mcp.challengeToJson(challenge), request: { currency: "sol", amount: "500" } };
    expect(Challenge.isBound(Mcp.challengeFromJson(reordered), SECRET)).to.equal(true);
  });

  it("is refused with a request that is text, too large or no JSON", () => {
    const json = Mcp.challengeToJson(challenge);
    for (const [request, problem] of [
      [challenge.request, "challenge.request: not an object"],
      [[], "challenge.request: not an object"],
      [{ text: "x".repeat(Challenge.MAX_LENGTH) }, "challenge.request: too long"],
      [JSON.parse('{"__proto__":{"a":1}}'), "__proto__"],
    ] as const) {
      expect(() => Mcp.challengeFromJson({ ...json, request }), problem).to.throw(InvalidFieldError, problem);
    }
  });
});

describe("a credential over JSON-RPC", () => {
  it("is read back to the same credential", () => {
    fc.assert(
      fc.property(anyCredential, (value) => {
        expect(Mcp.credentialFromJson(sent(Mcp.credentialToJson(value)))).to.deep.equal(value);
      }),
    );
  });

  it("is found at the root of a message, in its params, and in what an SDK hands on", () => {
    const meta = { _meta: { [Mcp.CREDENTIAL_META]: sent(Mcp.credentialToJson(credential)), other: 1 } };
    for (const message of [
      { jsonrpc: "2.0", id: 1, method: "eth_x", params: ["latest"], ...meta },
      { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "t", ...meta } },
      { name: "t", ...meta },
    ]) {
      expect(Mcp.credentialOf(message)).to.deep.equal(credential);
    }
    for (const message of [undefined, null, "x", {}, { _meta: null }, { params: [] }, { params: { _meta: {} } }]) {
      expect(Mcp.credentialOf(message)).to.equal(undefined);
    }
  });

  it("is refused when there are two, or when it is malformed", () => {
    const meta = { _meta: { [Mcp.CREDENTIAL_META]: Mcp.credentialToJson(credential) } };
    expect(() => Mcp.credentialOf({ ...meta, params: meta })).to.throw(InvalidFieldError, "two of");
    for (const value of [null, "x", {}, { ...Mcp.credentialToJson(credential), payload: "x" }]) {
      const message = { params: { _meta: { [Mcp.CREDENTIAL_META]: value } } };
      expect(() => Mcp.credentialOf(message)).to.throw(InvalidFieldError, "credential");
    }
    const large = { ...Mcp.credentialToJson(credential), payload: { text: "x".repeat(33_000) } };
    expect(() => Mcp.credentialFromJson(large)).to.throw(InvalidFieldError, "credential.payload: too long");
  });
});

describe("a receipt over JSON-RPC", () => {
  it("names its challenge, and is found at the root of a message or in its result", () => {
    fc.assert(
      fc.property(anyReceipt, (value) => {
        const json = sent(Mcp.receiptToJson(value, "id"));
        const expected = { ...value, challengeId: "id" };
        for (const message of [
          { result: {}, _meta: { [Mcp.RECEIPT_META]: json } },
          { result: { content: [], _meta: { [Mcp.RECEIPT_META]: json } } },
          { content: [], _meta: { [Mcp.RECEIPT_META]: json } },
        ]) {
          expect(Mcp.receiptOf(message)).to.deep.equal(expected);
        }
      }),
    );
    expect(Mcp.receiptOf({ result: {} })).to.equal(undefined);
  });

  it("without a reference of its own stands for its challenge", () => {
    const { reference: _, ...rest } = { ...receipt, challengeId: "id" };
    expect(Mcp.receiptFromJson(rest)).to.deep.equal({ ...rest, reference: "id" });
  });

  it("is refused without the challenge's id, and when there are two", () => {
    expect(() => Mcp.receiptFromJson(receipt)).to.throw(InvalidFieldError, "receipt.challengeId");
    const meta = { _meta: { [Mcp.RECEIPT_META]: Mcp.receiptToJson(receipt, "id") } };
    expect(() => Mcp.receiptOf({ ...meta, result: meta })).to.throw(InvalidFieldError, "two of");
  });
});

describe("a refusal over JSON-RPC", () => {
  it("has the draft's codes", () => {
    expect(Mcp.codeOf("payment-required")).to.equal(-32042);
    expect(Mcp.codeOf("challenge-used")).to.equal(-32043);
    expect(Mcp.codeOf("digest-mismatch")).to.equal(-32043);
    expect(Mcp.codeOf("malformed-credential")).to.equal(-32602);
    expect(Mcp.codeOf("internal-error")).to.equal(-32603);
    expect(Mcp.codeOf("unavailable")).to.equal(-32603);
    for (const code of Object.keys(Refusal.TABLE) as Refusal.Code[]) {
      expect([-32042, -32043, -32602, -32603], code).to.include(Mcp.codeOf(code));
    }
  });

  it("asks for a payment with native challenges and a problem document", () => {
    const refused = new RefusedError("payment-required");
    expect(Mcp.error(refused, [challenge], { challengeId: challenge.id })).to.deep.equal({
      code: -32042,
      message: "Payment Required",
      data: {
        httpStatus: 402,
        challenges: [Mcp.challengeToJson(challenge)],
        problem: Problem.from(refused, { challengeId: challenge.id }),
      },
    });
  });

  it("says why a payment was not taken, with a fresh challenge", () => {
    const { code, message, data } = Mcp.error(new RefusedError("challenge-expired"), [challenge]);
    expect({ code, message }).to.deep.equal({ code: -32043, message: "Payment Verification Failed" });
    expect(data.failure).to.deep.equal({ reason: "challenge-expired", detail: "The challenge has expired." });
    expect(data.challenges).to.have.length(1);
  });

  it("says what is malformed, and what is broken, without challenges when there are none", () => {
    const malformed = Mcp.error(new RefusedError("malformed-credential", "Missing field: challenge.id."), []);
    expect(malformed).to.deep.include({ code: -32602, message: "Invalid params" });
    expect(malformed.data.detail).to.equal("Missing field: challenge.id.");
    expect(malformed.data).to.not.have.property("challenges");
    expect(Mcp.error(new RefusedError("internal-error"), [])).to.deep.include({
      code: -32603,
      message: "Internal error",
    });
  });
});

describe("what a response wants to be paid", () => {
  const asked = Mcp.error(new RefusedError("challenge-expired"), [challenge]);
  const expected = {
    challenges: [challenge],
    problem: asked.data.problem,
    failure: { reason: "challenge-expired", detail: "The challenge has expired." },
  };

  it("is found in an error, in what an SDK throws for one, and in a tool's result", () => {
    const thrown = new McpError(asked.code, asked.message, asked.data);
    const result = { isError: true, content: [], _meta: { [Mcp.PAYMENT_REQUIRED_META]: asked.data } };
    for (const message of [
      sent({ jsonrpc: "2.0", id: 1, error: asked }),
      sent(asked),
      thrown,
      sent(result),
      sent({ jsonrpc: "2.0", id: 1, result }),
    ]) {
      expect(Mcp.paymentRequiredOf(message)).to.deep.equal(expected);
    }
  });

  it("is found in an error for malformed params when that comes with challenges, as mppx sends it", () => {
    const malformed = Mcp.error(new RefusedError("malformed-credential"), [challenge]);
    expect(Mcp.paymentRequiredOf({ error: malformed })?.challenges).to.deep.equal([challenge]);
  });

  it("is nothing for other errors and results", () => {
    for (const message of [
      undefined,
      null,
      "x",
      {},
      { result: { content: [] } },
      { error: { code: -32601, message: "Method not found", data: { challenges: [] } } },
      { error: { code: Mcp.INVALID_PARAMS, message: "Invalid params" } },
      { error: { code: Mcp.INVALID_PARAMS, message: "Invalid params", data: { detail: "x" } } },
      new McpError(ErrorCode.InvalidRequest, "x"),
      new Error("x"),
    ]) {
      expect(Mcp.paymentRequiredOf(message)).to.equal(undefined);
    }
  });

  it("is refused when it asks without a challenge, with too many, or with a malformed one", () => {
    const ask = (data: unknown) => () => Mcp.paymentRequiredOf({ error: { code: Mcp.PAYMENT_REQUIRED, data } });
    const native = Mcp.challengeToJson(challenge);
    expect(ask(undefined)).to.throw(InvalidFieldError, "data.challenges: not an array");
    expect(ask({ challenges: [] })).to.throw(InvalidFieldError, "between 1 and 64");
    expect(ask({ challenges: Array(64).fill(native) })()?.challenges).to.have.length(64);
    expect(ask({ challenges: Array(65).fill(native) })).to.throw(InvalidFieldError, "between 1 and 64");
    expect(ask({ challenges: [native, challenge] })).to.throw(InvalidFieldError, "data.challenges[1].request");
    expect(ask({ challenges: [native], problem: 1 })).to.throw(InvalidFieldError, "problem");
    expect(ask({ challenges: [native], failure: "x" })).to.throw(InvalidFieldError, "data.failure");
    expect(ask({ challenges: [native], failure: { reason: 1, detail: "d" } })()?.failure).to.deep.equal({
      detail: "d",
    });
  });
});

describe("payments in an MCP server's capabilities", () => {
  it("are the intents of each method", () => {
    expect(
      Mcp.capability([
        { method: "solana", intent: "charge" },
        { method: "tempo", intent: "charge" },
        { method: "solana", intent: "session" },
        { method: "solana", intent: "charge" },
      ]),
    ).to.deep.equal({
      payment: { methods: { solana: { intents: ["charge", "session"] }, tempo: { intents: ["charge"] } } },
    });
  });
});

describe("any JSON", () => {
  it("makes the readers of messages answer or throw InvalidFieldError", () => {
    const place = (value: unknown) => ({
      _meta: { [Mcp.CREDENTIAL_META]: value, [Mcp.RECEIPT_META]: value, [Mcp.PAYMENT_REQUIRED_META]: value },
    });
    const native = fc.oneof(
      fc.jsonValue(),
      fc.record({ challenge: fc.jsonValue(), payload: fc.jsonValue() }),
      fc
        .tuple(fc.constantFrom(...Object.keys(challenge), "request"), fc.jsonValue())
        .map(([name, value]): JsonObject => ({ ...Mcp.challengeToJson(challenge), [name]: value as never })),
    );
    fc.assert(
      fc.property(native, (value) => {
        const messages = [value, place(value), { params: place(value), result: place(value) }];
        const asking = [
          { challenge: value, payload: {} },
          { challenges: [value] },
          { challenges: value, failure: value },
        ];
        for (const message of [...messages, ...asking.map(place), { error: { code: -32042, data: asking[1] } }]) {
          answerOf(() => Mcp.credentialOf(message));
          answerOf(() => Mcp.receiptOf(message));
          answerOf(() => Mcp.paymentRequiredOf(message));
        }
      }),
      { numRuns: 500 },
    );
  });
});
