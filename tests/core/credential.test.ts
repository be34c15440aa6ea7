// Credentials: header values, what is refused.
import { Base64Url, Challenge, Credential, InvalidFieldError } from "@mppsol/core";
import { expect } from "chai";
import fc from "fast-check";
import { answerOf, payment } from "./support.js";
import { anyCredential, damaged, SECRET } from "./wire-arbitraries.js";

const challenge = Challenge.issue(
  { realm: "api.example.com", method: "solana", intent: "charge", request: { amount: "1" }, opaque: { order: "17" } },
  SECRET,
);
const credential: Credential.Credential = { challenge, payload: { type: "signature", signature: "x" } };
const echoed = JSON.stringify(challenge);

describe("a credential's header value", () => {
  it("is read back to the same credential, whatever it holds", () => {
    fc.assert(
      fc.property(anyCredential, (value) => {
        const header = Credential.format(value);
        expect(Credential.parse(header)).to.deep.equal(value);
        expect(header).to.match(/^Payment [A-Za-z0-9_-]+$/);
      }),
    );
  });

  it("echoes the challenge so that its id can be checked", () => {
    const { challenge: echo } = Credential.parse(Credential.format(credential));
    expect(Challenge.isBound(echo, SECRET)).to.equal(true);
  });

  it("is read with the scheme in any case, more spaces, padding, and beside other schemes", () => {
    const text = Credential.format(credential).slice("Payment ".length);
    const padded = text.padEnd(Math.ceil(text.length / 4) * 4, "=");
    for (const header of [`PAYMENT   ${text} `, `payment ${padded}`, `Bearer abc, Payment ${text}`]) {
      expect(Credential.parse(header), header.slice(0, 20)).to.deep.equal(credential);
    }
  });

  it("is read without members that nobody defined, but with all of the payload", () => {
    const json = `{"challenge":${echoed},"payload":{"extra":[1]},"extra":1}`;
    expect(Credential.parse(payment(json))).to.deep.equal({ challenge, payload: { extra: [1] } });
  });

  it("is told apart from other schemes, and counted", () => {
    for (const header of ["Payment abc", "payment", "Payment ", "Bearer x, Payment y"]) {
      expect(Credential.isPayment(header), header).to.equal(true);
    }
    for (const header of ["", "Bearer abc", "Payments abc", "Bearer Payment", "Basic payment=", "Payment2 x"]) {
      expect(Credential.isPayment(header), header).to.equal(false);
    }
    expect(Credential.count("Payment a, Payment b")).to.equal(2);
    expect(Credential.count("Bearer a")).to.equal(0);
  });

  it("makes the parser answer or throw InvalidFieldError, and what it answers can be written and read again", () => {
    fc.assert(
      fc.property(damaged(anyCredential.map(Credential.format)), (header) => {
        Credential.isPayment(header);
        const read = answerOf(() => Credential.parse(header));
        if (read !== undefined) expect(Credential.parse(Credential.format(read))).to.deep.equal(read);
      }),
      { numRuns: 1000 },
    );
  });

  it("makes the parser answer or throw InvalidFieldError when the JSON inside was damaged", () => {
    const sound = anyCredential.map((value) => JSON.stringify(Credential.toJson(value)));
    fc.assert(
      fc.property(damaged(sound), (json) => {
        const read = answerOf(() => Credential.parse(payment(json)));
        if (read !== undefined) expect(Credential.parse(Credential.format(read))).to.deep.equal(read);
      }),
      { numRuns: 2000 },
    );
  });

  it("makes the parser answer or throw InvalidFieldError for any JSON", () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        answerOf(() => Credential.parse(payment(json)));
        answerOf(() => Credential.fromJson(JSON.parse(json)));
      }),
    );
  });
});

describe("a damaged credential", () => {
  const refusals: readonly (readonly [string, string, string])[] = [
    ["another scheme", "Bearer abc", "not of the Payment scheme"],
    ["nothing after the scheme", "Payment", "empty"],
    ["two credentials", `${Credential.format(credential)}, ${Credential.format(credential)}`, "more than one"],
    ["plain base64", "Payment abc+", "not base64url"],
    ["bits that do not count", "Payment e31", "not base64url"],
    ["padding in the wrong place", `${Credential.format(credential)}====`, "wrong padding"],
    ["bytes that are not UTF-8", "Payment _w", "not UTF-8"],
    ["text that is not JSON", payment("{"), "not JSON"],
    ["an array", payment("[]"), "not an object"],
    ["no challenge", payment('{"payload":{}}'), "credential.challenge: missing"],
    ["no payload", payment(`{"challenge":${echoed}}`), "credential.payload: missing"],
    ["a payload that is an array", payment(`{"challenge":${echoed},"payload":[]}`), "credential.payload"],
    [
      "a request that is an object",
      payment('{"challenge":{"id":"a","realm":"r","method":"m","intent":"i","request":{}}}'),
      "request",
    ],
    ["a source that is no text", payment(`{"challenge":${echoed},"payload":{},"source":1}`), "credential.source"],
    [
      "a source with a line feed",
      payment(`{"challenge":${echoed},"payload":{},"source":"a\\nb"}`),
      "credential.source",
    ],
    [
      "a member that is named twice",
      payment(`{"challenge":${echoed},"payload":{"a":1},"payload":{"a":2}}`),
      "named twice",
    ],
    [
      "a member that is named twice, once with an escape",
      payment(`{"challenge":${echoed},"payload":{"a":1,"\\u0061":2}}`),
      "named twice",
    ],
    [
      "a member that is named twice deep inside",
      payment(`{"challenge":${echoed},"payload":{"a":[{"b":1,"b":1}]}}`),
      "named twice",
    ],
    ["a member named __proto__", payment(`{"challenge":${echoed},"payload":{"__proto__":{"a":1}}}`), "__proto__"],
    [
      "a member named __proto__ with an escape",
      payment(`{"challenge":${echoed},"payload":{"__proto_\\u005f":1}}`),
      "__proto__",
    ],
    ["a number with a fraction of zero", payment(`{"challenge":${echoed},"payload":{"a":1.0}}`), "not canonical"],
    ["a number with an exponent", payment(`{"challenge":${echoed},"payload":{"a":1e3}}`), "not canonical"],
    [
      "a number that doubles cannot hold",
      payment(`{"challenge":${echoed},"payload":{"a":9007199254740993}}`),
      "not canonical",
    ],
    ["a number beyond all doubles", payment(`{"challenge":${echoed},"payload":{"a":1e999}}`), "not canonical"],
    ["a negative zero", payment(`{"challenge":${echoed},"payload":{"a":-0}}`), "not canonical"],
    ["a lone surrogate", payment(`{"challenge":${echoed},"payload":{"a":"\\ud800"}}`), "lone surrogate"],
    [
      "too deep nesting",
      payment(`{"challenge":${echoed},"payload":{"a":${"[".repeat(64)}${"]".repeat(64)}}}`),
      "nested deeper",
    ],
    ["hostile nesting", payment(`{"payload":${"[".repeat(20_000)}`), "not JSON"],
    ["hostile nesting that closes", payment(`{"a":${"[".repeat(10_000)}${"]".repeat(10_000)}}`), "nested deeper"],
    ["more than 32 KiB", `Payment ${"A".repeat(Credential.MAX_LENGTH)}`, "longer than 32768"],
  ];
  for (const [what, header, problem] of refusals) {
    it(`with ${what}, is refused`, () => {
      expect(() => Credential.parse(header)).to.throw(InvalidFieldError, problem);
    });
  }

  it("is refused in writing", () => {
    expect(() => Credential.format({ ...credential, payload: { text: "x".repeat(32_768) } })).to.throw(
      InvalidFieldError,
      "longer than 32768",
    );
    expect(() => Credential.format({ ...credential, challenge: { ...challenge, id: "" } })).to.throw(
      InvalidFieldError,
      "challenge.id",
    );
    const polluted = JSON.parse('{"__proto__":{"a":1}}');
    expect(() => Credential.format({ ...credential, payload: polluted })).to.throw(InvalidFieldError, "__proto__");
    expect(() => Credential.format({ ...credential, payload: { at: new Date() as never } })).to.throw(
      InvalidFieldError,
      "not JSON",
    );
  });

  it("does not read what only a prototype has", () => {
    const inherited = Object.create(JSON.parse(`{"challenge":${echoed},"payload":{}}`));
    expect(() => Credential.fromJson(inherited)).to.throw(InvalidFieldError, "credential.challenge");
  });

  it("takes names that objects have anyway for what they are: ordinary ones", () => {
    const json = `{"challenge":${echoed},"payload":{"constructor":1,"toString":2,"hasOwnProperty":3}}`;
    expect(Base64Url.decodeText(Credential.format(Credential.parse(payment(json))).slice(8))).to.contain(
      '"constructor":1,"hasOwnProperty":3,"toString":2',
    );
  });
});
