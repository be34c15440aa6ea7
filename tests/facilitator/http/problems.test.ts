// What the facilitator answers when it does not do what it is asked for.
import { connect } from "node:net";
import { InvalidFieldError, Problem, Refusal, RefusedError } from "@mppsol/core";
import { RpcError, SigningError, StoreError } from "@mppsol/server/parts";
import { expect } from "chai";
import { type Code, TABLE } from "../../../services/facilitator/src/errors/codes.ts";
import { FacilitatorError } from "../../../services/facilitator/src/errors/FacilitatorError.ts";
import { codeOf } from "../../../services/facilitator/src/errors/refusals.ts";
import { isFault, refusalOf } from "../../../services/facilitator/src/http/problem.ts";
import { type Bare, bare } from "./bare.js";

const JSON_BODY = { "content-type": "application/json" };
const CODES = Object.keys(TABLE) as Code[];
const REFUSALS = Object.keys(Refusal.TABLE) as Refusal.Code[];

describe("the facilitator's codes", () => {
  it("never ask for a payment, and are statuses that say no", () => {
    for (const code of CODES) {
      expect(TABLE[code].status, code).to.not.equal(402);
      expect(TABLE[code].status, code).to.be.within(400, 503);
    }
  });

  it("are retryable where the status says that it is a matter of time, and final where it says that it is not", () => {
    for (const code of CODES) {
      const { status, retryable } = TABLE[code];
      if ([408, 429, 500, 503].includes(status)) expect(retryable, code).to.equal(true);
      if ([400, 405, 410, 413, 415].includes(status)) expect(retryable, code).to.equal(false);
    }
  });

  it("keep the names that clients of others know", () => {
    for (const code of [
      "policy:program_not_allowed",
      "no_transfer_instruction",
      "policy:fee_payer_not_isolated",
      "invalid_transaction_encoding",
      "settlement_recipient_mismatch",
      "settlement_amount_mismatch",
      "global_settle_cap_exceeded",
      "seller_settle_cap_exceeded",
    ]) {
      expect(CODES).to.include(code);
    }
  });

  it("name every refusal of core, and let nobody send again what core calls final", () => {
    for (const refusal of REFUSALS) {
      const code = codeOf(refusal);
      expect(TABLE[code], refusal).to.not.equal(undefined);
      const { status } = Refusal.row(refusal);
      if (status === 402) expect(TABLE[code].status, refusal).to.be.within(400, 503);
      if (Refusal.row(refusal).retryable === true) expect(TABLE[code].retryable, refusal).to.equal(true);
    }
  });
});

describe("a refusal as the facilitator answers it", () => {
  it("has the members of a problem document, whatever it is of", () => {
    for (const error of [
      ...CODES.map((code) => new FacilitatorError(code)),
      ...REFUSALS.map((code) => new RefusedError(code)),
      new TypeError("x"),
      undefined,
      "text",
    ]) {
      const { document, status } = refusalOf(error, "req_1");
      expect(document).to.include({ status, requestId: "req_1" });
      expect(document.type).to.match(/^(about:blank|https:\/\/paymentauth\.org\/problems\/[a-z-]+)$/);
      for (const member of ["title", "detail", "code"] as const)
        expect(document[member]).to.be.a("string").and.not.empty;
      expect(document.retryable).to.be.a("boolean");
      expect(() => Problem.parse(document)).to.not.throw();
    }
  });

  it("keeps the detail and the members of a refusal, but none that would change what it is", () => {
    const { document } = refusalOf(
      new RefusedError("simulation-failed", "Would fail: 0x1", {
        signature: "s",
        status: 200,
        code: "fine",
        retryable: true,
      }),
      "req_1",
    );
    expect(document).to.include({
      detail: "Would fail: 0x1",
      signature: "s",
      status: 422,
      code: "simulation_failed",
      retryable: false,
    });
    expect(document.type).to.equal(`${Problem.BASE}verification-failed`);
  });

  it("says nothing of what went wrong inside", () => {
    const secret = "postgresql://user:password@host/db";
    for (const error of [
      new Error(secret),
      new StoreError(secret),
      new RpcError("getBalance", new Error(secret)),
      new SigningError(secret),
    ]) {
      const { document } = refusalOf(error, "req_1");
      expect(JSON.stringify(document)).to.not.include("password");
      expect(isFault(error)).to.equal(true);
    }
  });

  it("calls an outage one, to be tried again", () => {
    for (const error of [new StoreError("x"), new RpcError("getBalance", 1), new SigningError("x")]) {
      const refused = refusalOf(error, "req_1");
      expect(refused).to.include({ code: "upstream_unavailable", status: 503, retryable: true });
      expect(refused.retryAfterSeconds).to.be.greaterThan(0);
    }
  });

  it("names the field that cannot be", () => {
    const { document, status } = refusalOf(new InvalidFieldError("request.amount", "not an integer"), "req_1");
    expect(status).to.equal(400);
    expect(document.errors).to.deep.equal([{ path: "request.amount", message: "not an integer" }]);
    expect(isFault(new InvalidFieldError("a", "b"))).to.equal(false);
  });
});

describe("a request that cannot be served", () => {
  let world: Bare;
  beforeEach(() => {
    world = bare();
  });
  afterEach(() => world.app.close());

  const post = async (
    payload: string | object | undefined,
    headers: Record<string, string> = JSON_BODY,
    url = "/do",
  ) => {
    const response = await world.app.inject({
      method: "POST",
      url,
      headers,
      ...(payload === undefined ? {} : { payload }),
    });
    return { response, problem: Problem.parse(response.json()) };
  };
  const expectProblem = ({ response, problem }: Awaited<ReturnType<typeof post>>, code: Code) => {
    expect(response.headers["content-type"]).to.equal("application/problem+json; charset=utf-8");
    expect(problem.code).to.equal(code);
    expect(response.statusCode).to.equal(TABLE[code].status);
    expect(problem.status).to.equal(response.statusCode);
    expect(problem.requestId).to.match(/^req_/);
  };

  it("gets the places in which it is not what the schema asks for, unknown members too", async () => {
    const answer = await post({ amount: "x", unknown: 1 });
    expectProblem(answer, "invalid_request");
    const paths = (answer.problem.errors as { path: string }[]).map(({ path }) => path);
    expect(paths).to.include("body.amount");
    expect(JSON.stringify(answer.problem.errors)).to.include("unknown");
    expect(world.faults).to.be.empty;
  });

  it("gets no more than twenty of them, however many there are", async () => {
    const members = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`member${i}`, i]));
    const { problem } = await post(members);
    expect((problem.errors as unknown[]).length).to.be.within(1, 20);
  });

  it("is told of a body that is no JSON", async () => {
    for (const body of ["{", "", '{"a":1}}', '{"__proto__":{"amount":"1"}}', "\u0000"]) {
      expectProblem(await post(body), "malformed_json");
    }
  });

  it("is told of a body of another type, or of none", async () => {
    for (const type of [
      "text/plain",
      "application/x-www-form-urlencoded",
      "multipart/form-data; boundary=x",
      "application/xml",
    ]) {
      expectProblem(await post("amount=1", { "content-type": type }), "unsupported_media_type");
    }
    expectProblem(await post('{"amount":"1"}', { "content-type": "" }), "unsupported_media_type");
  });

  it("is told that nothing came where something must", async () => {
    expectProblem(await post(undefined, {}), "invalid_request");
  });

  it("is told of a body of more than 64 KiB", async () => {
    const body = (bytes: number) => `{"amount":"1","note":"${"n".repeat(bytes - 24)}"}`;
    expect(
      (await world.app.inject({ method: "POST", url: "/do", headers: JSON_BODY, payload: body(65_536) })).statusCode,
    ).to.equal(200);
    expectProblem(await post(body(65_537)), "payload_too_large");
  });

  it("is told that there is no such path", async () => {
    expectProblem(await post({}, JSON_BODY, "/nothing"), "not_found");
  });

  it("is told which methods a path takes", async () => {
    for (const method of ["PUT", "DELETE", "PATCH"] as const) {
      const response = await world.app.inject({ method, url: "/do" });
      expectProblem({ response, problem: Problem.parse(response.json()) }, "method_not_allowed");
      expect(response.headers.allow).to.equal("GET, HEAD, POST");
    }
    const response = await world.app.inject({ method: "GET", url: "/do/anything" });
    expect(response.headers.allow).to.equal("POST");
  });

  it("is told that there is nothing, or not by this method, whatever its body is", async () => {
    expectProblem(await post("{", JSON_BODY, "/nothing"), "not_found");
    expectProblem(await post("x", { "content-type": "text/plain" }, "/nothing"), "not_found");
    expectProblem(await post("{", JSON_BODY, "/wrong"), "method_not_allowed");
    // The path of a POST, which a GET would take for an id.
    const response = await world.app.inject("/item/make");
    expectProblem({ response, problem: Problem.parse(response.json()) }, "method_not_allowed");
    expect(response.headers.allow).to.equal("POST");
  });

  it("is told of a path that cannot be read", async () => {
    const response = await world.app.inject({ method: "GET", url: "/do/%zz" });
    expectProblem({ response, problem: Problem.parse(response.json()) }, "invalid_request");
  });

  it("is answered 500, with nothing of the reason, when a handler fails; and somebody is told", async () => {
    world.act = async () => {
      throw new Error("the secret is swordfish");
    };
    const answer = await post({ amount: "1" });
    expectProblem(answer, "internal_error");
    expect(answer.response.body).to.not.include("swordfish");
    expect(world.faults).to.have.length(1);
  });

  it("is answered 500 when the answer is not what the schema says", async () => {
    const response = await world.app.inject("/wrong");
    expectProblem({ response, problem: Problem.parse(response.json()) }, "internal_error");
    expect(world.faults).to.have.length(1);
  });

  it("is told when to come back", async () => {
    world.act = async () => {
      throw new FacilitatorError("seller_settle_cap_exceeded", "Later.", {
        retryAfterSeconds: 17,
        members: { limit: 3 },
      });
    };
    const answer = await post({ amount: "1" });
    expectProblem(answer, "seller_settle_cap_exceeded");
    expect(answer.response.headers["retry-after"]).to.equal("17");
    expect(answer.problem).to.include({ detail: "Later.", limit: 3, retryable: true });
  });

  it("gets a problem document even where it is no HTTP", async () => {
    await world.app.listen({ port: 0, host: "127.0.0.1" });
    const { port } = world.app.server.address() as { port: number };
    const answerTo = (bytes: string) =>
      new Promise<string>((resolve, reject) => {
        let answer = "";
        const socket = connect(port, "127.0.0.1", () => socket.end(bytes));
        socket.on("data", (data) => {
          answer += data.toString();
        });
        socket.on("close", () => resolve(answer));
        socket.on("error", reject);
      });
    for (const [bytes, status, code] of [
      ["nonsense\r\n\r\n", 400, "invalid_request"],
      ["GET / HTTP/1.1\r\nhost: a\r\ncontent-length: x\r\n\r\n", 400, "invalid_request"],
      [`GET / HTTP/1.1\r\nhost: a\r\nx: ${"y".repeat(20_000)}\r\n\r\n`, 413, "payload_too_large"],
    ] as const) {
      const answer = await answerTo(bytes);
      const [head = "", body = ""] = answer.split("\r\n\r\n");
      expect(head).to.match(new RegExp(`^HTTP/1.1 ${status} `));
      expect(head).to.include("application/problem+json");
      expect(JSON.parse(body)).to.include({ code, status });
    }
  });
});
