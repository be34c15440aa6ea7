// Problem documents, and the table of refusals that they are made from.
import { InvalidFieldError, Problem, Refusal, RefusedError } from "@mppsol/core";
import { expect } from "chai";
import fc from "fast-check";
import { CHARGE } from "../../sdk/core/src/refusals/charge.js";
import { GENERAL } from "../../sdk/core/src/refusals/general.js";
import { SESSION } from "../../sdk/core/src/refusals/session.js";

const codes = Object.keys(Refusal.TABLE) as Refusal.Code[];

describe("the table of refusals", () => {
  it("names every code once, in kebab-case", () => {
    expect(codes).to.have.length([GENERAL, CHARGE, SESSION].flatMap(Object.keys).length);
    for (const code of codes) expect(code).to.match(/^[a-z]+(-[a-z]+)*$/);
  });

  it("gives every code a status, a problem type that allows it, and a whole sentence", () => {
    for (const code of codes) {
      const { status, problem, detail } = Refusal.row(code);
      if (problem === "about:blank") expect(status, code).to.not.equal(402);
      else expect([402, 400, 410, 202], code).to.include(status);
      expect(detail, code).to.match(/^[A-Za-z].*\.$/);
    }
  });

  it("says retryable only where a later try may succeed", () => {
    const retryable = codes.filter((code) => Refusal.row(code).retryable === true);
    for (const code of retryable)
      expect([202, 402, 409, 429, 500, 502, 503, 504], code).to.include(Refusal.row(code).status);
  });
});

describe("a problem document", () => {
  it("has the type, title and status of its refusal, for every code", () => {
    for (const code of codes) {
      const problem = Problem.from(new RefusedError(code));
      const { status, problem: type, detail } = Refusal.row(code);
      expect(problem).to.include({ status, detail, code });
      expect(problem.title, code).to.not.be.oneOf(["", "Error"]);
      expect(problem.type, code).to.equal(type === "about:blank" ? type : `https://paymentauth.org/problems/${type}`);
    }
  });

  it("carries what the error and the server add, without letting it stand for the rest", () => {
    const error = new RefusedError("challenge-unknown", "No.", { status: 200, code: "x", signature: "s" });
    expect(Problem.from(error, { challengeId: "c", type: "y", detail: "z" })).to.deep.equal({
      type: "https://paymentauth.org/problems/invalid-challenge",
      title: "Invalid Challenge",
      status: 402,
      detail: "No.",
      code: "challenge-unknown",
      signature: "s",
      challengeId: "c",
    });
  });

  it("says that the same request may be sent again, when that is so", () => {
    expect(Problem.from(new RefusedError("unavailable")).retryable).to.equal(true);
    expect(Problem.from(new RefusedError("challenge-used"))).to.not.have.property("retryable");
  });

  it("is read back from its JSON", () => {
    for (const code of codes) {
      const problem = Problem.from(new RefusedError(code), { challengeId: "c", requestId: "r", extra: [1] });
      expect(Problem.parse(JSON.parse(JSON.stringify(problem)))).to.deep.equal(problem);
    }
  });

  it("of another server is read without members of the wrong type", () => {
    expect(Problem.parse({ type: 1, status: "402", code: 7, retryable: "yes", hint: "x" }, 410)).to.deep.equal({
      type: "about:blank",
      title: "",
      status: 410,
      detail: "",
      hint: "x",
    });
    expect(Object.hasOwn(Problem.parse(JSON.parse('{"__proto__":{"code":"x"}}')), "__proto__")).to.equal(false);
    for (const status of [100, 599]) expect(Problem.parse({ status }, 402).status).to.equal(status);
    for (const status of [99, 600]) expect(Problem.parse({ status }, 402).status).to.equal(402);
    expect(Problem.parse({ status: 402.5 }).status).to.equal(0);
  });

  it("is read from any object, and from nothing else", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        if (typeof value === "object" && value !== null && !Array.isArray(value)) Problem.parse(value);
        else expect(() => Problem.parse(value)).to.throw(InvalidFieldError, "problem: not an object");
      }),
    );
  });

  it("has a title and a status for every type of the draft", () => {
    expect(Object.entries(Problem.TYPES).map(([type, { status }]) => `${type} ${status}`)).to.deep.equal([
      "payment-required 402",
      "payment-insufficient 402",
      "payment-expired 402",
      "verification-failed 402",
      "method-unsupported 400",
      "malformed-credential 402",
      "invalid-challenge 402",
    ]);
  });
});
