// Discovery documents: building them, reading those of others, what is wrong with them.
import { Discovery, InvalidFieldError, type JsonObject } from "@mppsol/core";
import { expect } from "chai";
import fc from "fast-check";
import { answerOf } from "./support.js";

const MINT = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v";
const charge: Discovery.Offer = { intent: "charge", method: "solana", amount: 1000n, currency: MINT };
const session: Discovery.Offer = { ...charge, intent: "session", amount: null, description: "a token" };

const service: Discovery.Service = {
  title: "Prices",
  version: "1.0.0",
  description: "What things cost.",
  url: "https://api.example.com",
  categories: ["data", "developer-tools"],
  docs: { homepage: "https://api.example.com", llms: "https://api.example.com/llms.txt" },
  operations: [
    { path: "/prices/{symbol}/{day}", method: "GET", offers: [charge, session], summary: "A price" },
    { path: "/prices/{symbol}/{day}", method: "post", offers: [charge], requestBody: { content: {} } },
    { path: "/health", method: "get", offers: [] },
  ],
};

/** A document with one operation, `change` made to it. */
function documentWith(change: JsonObject, method = "get"): JsonObject {
  const operation = { "x-payment-info": { offers: [sound] }, responses: { "402": {} }, ...change };
  return { openapi: "3.1.0", info: { title: "t", version: "1" }, paths: { "/x": { [method]: operation } } };
}
const sound = { intent: "charge", method: "solana", amount: "1", currency: "sol" };

const said = (document: unknown) =>
  Discovery.validate(document).findings.map(({ severity, path, message }) => `${severity} ${path}: ${message}`);

describe("a discovery document", () => {
  const document = Discovery.document(service);

  it("is OpenAPI 3.1 with offers in the multi-offer form and a 402 for every paid operation", () => {
    const paths = document.paths as Record<string, Record<string, JsonObject>>;
    expect(document).to.include({ openapi: "3.1.0" });
    expect(document.info).to.deep.equal({ title: "Prices", version: "1.0.0", description: "What things cost." });
    expect(document.servers).to.deep.equal([{ url: "https://api.example.com" }]);
    expect(document["x-service-info"]).to.deep.equal({ categories: service.categories, docs: service.docs });
    expect(paths["/prices/{symbol}/{day}"]?.get?.["x-payment-info"]).to.deep.equal({
      offers: [
        { intent: "charge", method: "solana", amount: "1000", currency: MINT },
        { intent: "session", method: "solana", amount: null, currency: MINT, description: "a token" },
      ],
    });
    expect(paths["/prices/{symbol}/{day}"]?.get?.responses).to.have.all.keys("200", "402");
    expect(paths["/health"]?.get).to.deep.equal({ responses: { "200": { description: "Success" } } });
  });

  it("says nothing of what the service does not tell", () => {
    const { title, version } = service;
    const bare = Discovery.document({ title, version, operations: [] });
    expect(bare).to.deep.equal({ openapi: "3.1.0", info: { title, version }, paths: {} });
    expect(
      Discovery.document({ title, version, operations: [], categories: ["data"] })["x-service-info"],
    ).to.deep.equal({
      categories: ["data"],
    });
    expect(
      Discovery.document({ title, version, operations: [], docs: { llms: "x:y" } })["x-service-info"],
    ).to.deep.equal({
      docs: { llms: "x:y" },
    });
  });

  it("declares the parameters of its paths, but none twice", () => {
    const declared = { name: "symbol", in: "path", required: true, schema: { type: "string", maxLength: 5 } };
    const built = Discovery.document({
      ...service,
      operations: [{ path: "/p/{symbol}/{day}", method: "get", offers: [], parameters: [declared] }],
    });
    expect(
      (built.paths as Record<string, Record<string, JsonObject>>)["/p/{symbol}/{day}"]?.get?.parameters,
    ).to.deep.equal([declared, { name: "day", in: "path", required: true, schema: { type: "string" } }]);
  });

  it("is found to be without fault, its offers as they went in", () => {
    const { operations, findings } = Discovery.validate(JSON.parse(JSON.stringify(document)));
    expect(findings).to.deep.equal([]);
    expect(operations).to.deep.equal([
      { path: "/prices/{symbol}/{day}", method: "GET", offers: [charge, session] },
      { path: "/prices/{symbol}/{day}", method: "POST", offers: [charge] },
    ]);
  });

  it("is read back to the same offers, whatever they are", () => {
    const anyOffer: fc.Arbitrary<Discovery.Offer> = fc.record(
      {
        intent: fc.stringMatching(/^[A-Za-z0-9-]{1,9}$/),
        method: fc.stringMatching(/^[a-z]{1,9}$/),
        amount: fc.option(fc.bigInt(0n, 2n ** 64n - 1n)),
        currency: fc.string(),
        description: fc.string({ unit: "binary" }),
      },
      { requiredKeys: ["intent", "method", "amount"] },
    );
    fc.assert(
      fc.property(fc.array(anyOffer, { minLength: 1, maxLength: 4 }), (offers) => {
        const built = Discovery.document({ ...service, operations: [{ path: "/x", method: "get", offers }] });
        const { operations } = Discovery.validate(JSON.parse(JSON.stringify(built)));
        expect(operations).to.deep.equal([{ path: "/x", method: "GET", offers }]);
      }),
    );
  });

  it("is not built of operations that stand twice, of methods, paths or amounts that are none", () => {
    const build =
      (...operations: Discovery.Operation[]) =>
      () =>
        Discovery.document({ ...service, operations });
    const operation = { path: "/x", method: "get", offers: [] };
    expect(build(operation, { ...operation, method: "GET" })).to.throw(InvalidFieldError, "stands twice");
    expect(build({ ...operation, method: "FETCH" })).to.throw(InvalidFieldError, "method");
    expect(build({ ...operation, path: "x" })).to.throw(InvalidFieldError, "path");
    expect(build({ ...operation, offers: [{ ...charge, amount: -1n }] })).to.throw(InvalidFieldError, "amount");
  });
});

describe("offers of an operation", () => {
  it("are read from either form, and are none for a free operation", () => {
    const expected = [{ intent: "charge", method: "solana", amount: 1n, currency: "sol" }];
    expect(Discovery.offersOf({ "x-payment-info": sound })).to.deep.equal(expected);
    expect(Discovery.offersOf({ "x-payment-info": { offers: [sound] } })).to.deep.equal(expected);
    expect(Discovery.offersOf({ "x-payment-info": { offers: [{ ...sound, amount: null }] } })[0]?.amount).to.equal(
      null,
    );
    expect(Discovery.offersOf({ responses: {} })).to.deep.equal([]);
    expect(Discovery.offersOf(undefined)).to.deep.equal([]);
  });

  it("are refused as a whole when one is malformed", () => {
    const broken = { offers: [sound, { ...sound, amount: "01" }] };
    expect(() => Discovery.offersOf({ "x-payment-info": broken })).to.throw(InvalidFieldError, "offers[1].amount");
  });
});

describe("somebody's document", () => {
  const info = "paths./x.get.x-payment-info";
  const faults: readonly (readonly [string, unknown, string])[] = [
    ["that is no object", [], "error (root): not an object"],
    ["of another version", { ...documentWith({}), openapi: "2.0" }, "error openapi: not a 3.x version"],
    ["without a title", { ...documentWith({}), info: { version: "1" } }, "error info.title: missing"],
    ["without a version", { ...documentWith({}), info: { title: "t" } }, "error info.version: missing"],
    ["without paths", { ...documentWith({}), paths: undefined }, "error paths: missing"],
    ["without operations", { ...documentWith({}), paths: { "/x": {} } }, "error paths: no operation"],
    [
      "with a path that is none",
      { ...documentWith({}), paths: { x: { get: {} } } },
      "error paths.x: does not begin with /",
    ],
    [
      "with a path that holds no object",
      { ...documentWith({}), paths: { "/x": 1, "/y": { get: {} } } },
      "error paths./x: not an object",
    ],
    [
      "with an operation that is no object",
      { ...documentWith({}), paths: { "/x": { get: 1 } } },
      "error paths./x.get: not an object",
    ],
    [
      "with a paid operation that declares no 402",
      documentWith({ responses: { "200": {} } }),
      "error paths./x.get.responses: no 402 response, though the operation is paid",
    ],
    [
      "with a 402 but no offer",
      documentWith({ "x-payment-info": undefined }),
      "warning paths./x.get: a 402 response, but no x-payment-info",
    ],
    [
      "with a paid POST that says not what to send",
      documentWith({}, "post"),
      "warning paths./x.post: no requestBody: agents do not know what to send",
    ],
    [
      "with payment info that is no object",
      documentWith({ "x-payment-info": "solana" }),
      `error ${info}: not an object`,
    ],
    [
      "with the single-offer shorthand",
      documentWith({ "x-payment-info": sound }),
      `warning ${info}: the single-offer shorthand; new documents list \`offers\``,
    ],
    [
      "with both forms at once",
      documentWith({ "x-payment-info": { ...sound, offers: [sound] } }),
      `error ${info}: both \`offers\` and the fields of a single offer`,
    ],
    [
      "with no offer in the list",
      documentWith({ "x-payment-info": { offers: [] } }),
      `error ${info}.offers: not an array of at least one offer`,
    ],
    [
      "with an offer that is no object",
      documentWith({ "x-payment-info": { offers: [1] } }),
      `error ${info}.offers[0]: not an object`,
    ],
    [
      "with an offer without intent",
      documentWith({ "x-payment-info": { offers: [{ ...sound, intent: undefined }] } }),
      `error ${info}.offers[0].intent: missing`,
    ],
    [
      "with an offer of a method that is none",
      documentWith({ "x-payment-info": { offers: [{ ...sound, method: "Solana" }] } }),
      `error ${info}.offers[0].method: malformed`,
    ],
    [
      "with an offer without amount",
      documentWith({ "x-payment-info": { offers: [{ ...sound, amount: undefined }] } }),
      `error ${info}.offers[0].amount: neither null nor a decimal integer without leading zeros`,
    ],
    [
      "with an amount that is a number",
      documentWith({ "x-payment-info": { offers: [{ ...sound, amount: 1 }] } }),
      `error ${info}.offers[0].amount: neither null nor a decimal integer without leading zeros`,
    ],
    [
      "with an amount with a leading zero",
      documentWith({ "x-payment-info": { offers: [{ ...sound, amount: "01" }] } }),
      `error ${info}.offers[0].amount: neither null nor a decimal integer without leading zeros`,
    ],
    [
      "with a currency that is no text",
      documentWith({ "x-payment-info": { offers: [{ ...sound, currency: 1 }] } }),
      `error ${info}.offers[0].currency: malformed`,
    ],
    [
      "with an intent of its own",
      documentWith({ "x-payment-info": { offers: [{ ...sound, intent: "stream" }] } }),
      `warning ${info}.offers[0].intent: neither charge nor session`,
    ],
    [
      "with an offer in no currency",
      documentWith({ "x-payment-info": { offers: [{ ...sound, currency: undefined }] } }),
      `warning ${info}.offers[0].currency: missing`,
    ],
    [
      "with an amount that Solana cannot move",
      documentWith({ "x-payment-info": { offers: [{ ...sound, amount: "18446744073709551616" }] } }),
      `warning ${info}.offers[0].amount: more than any Solana transfer can move`,
    ],
    [
      "with service info that is no object",
      { ...documentWith({}), "x-service-info": [] },
      "error x-service-info: not an object",
    ],
    [
      "with categories that are no list of texts",
      { ...documentWith({}), "x-service-info": { categories: [1] } },
      "error x-service-info.categories: not an array of strings",
    ],
    [
      "with too many categories",
      { ...documentWith({}), "x-service-info": { categories: ["a", "b", "c", "d", "e", "f"] } },
      "warning x-service-info.categories: more than 5",
    ],
    [
      "with categories in upper case",
      { ...documentWith({}), "x-service-info": { categories: ["Data"] } },
      "warning x-service-info.categories: not lower case with hyphens",
    ],
    [
      "with docs that are no object",
      { ...documentWith({}), "x-service-info": { docs: "x" } },
      "error x-service-info.docs: not an object",
    ],
    [
      "with docs at no URI",
      { ...documentWith({}), "x-service-info": { docs: { llms: "llms txt" } } },
      "error x-service-info.docs.llms: not a URI",
    ],
    [
      "with docs at a path",
      { ...documentWith({}), "x-service-info": { docs: { llms: "/llms.txt" } } },
      "warning x-service-info.docs.llms: a path, not a whole URI",
    ],
  ];
  for (const [what, document, finding] of faults) {
    it(`${what}, is told so, and nothing else`, () => {
      expect(said(document)).to.deep.equal([finding]);
    });
  }

  it("may offer as much as Solana can move, and more by other methods, in five categories", () => {
    const most = { ...sound, amount: "18446744073709551615" };
    const other = { intent: "charge", method: "tempo", amount: "18446744073709551616" };
    const document = documentWith({ "x-payment-info": { offers: [most, other] } });
    expect(said({ ...document, "x-service-info": { categories: ["a", "b", "c", "d", "e"] } })).to.deep.equal([]);
  });

  it("may offer an amount of 78 digits, which 256 bits have, and no longer one", () => {
    const { currency: _, ...offer } = { ...sound, method: "evm" };
    const asked = (amount: string) => said(documentWith({ "x-payment-info": { offers: [{ ...offer, amount }] } }));
    expect(asked("9".repeat(78))).to.deep.equal([]);
    expect(asked("1".repeat(79))).to.deep.equal([
      `error ${info}.offers[0].amount: neither null nor a decimal integer without leading zeros`,
    ]);
  });

  it("keeps its sound offers when one of them is malformed", () => {
    const { operations } = Discovery.validate(documentWith({ "x-payment-info": { offers: [{}, sound] } }));
    expect(operations[0]?.offers).to.have.length(1);
  });

  it("may hold members that nobody defined, and parts of a path that are no operations", () => {
    const document = documentWith({ "x-other": 1, operationId: "a" });
    const paths = { "/x": { ...(document.paths as Record<string, JsonObject>)["/x"], parameters: [], summary: "s" } };
    expect(said({ ...document, paths, components: {} })).to.deep.equal([]);
  });

  it("never makes the validator throw, whatever it is", () => {
    const anyValue = fc.jsonValue({ maxDepth: 3 });
    fc.assert(
      fc.property(anyValue, anyValue, anyValue, (a, b, c) => {
        Discovery.validate(a);
        Discovery.validate({ openapi: a, info: b, paths: c, "x-service-info": a });
        Discovery.validate({ paths: { "/x": a, "/y": { get: b, post: { "x-payment-info": c, responses: a } } } });
        Discovery.validate({ paths: { "/x": { get: { "x-payment-info": { offers: [a, b, c] } } } } });
        Discovery.validate({ "x-service-info": { categories: a, docs: b } });
        answerOf(() => Discovery.offersOf({ "x-payment-info": a }));
      }),
    );
  });
});
