// What a service says of itself before anybody asks for money.
import { Discovery, type JsonObject } from "@mppsol/core";
import { expect } from "chai";
import { createDiscovery, type DiscoveryOptions } from "../../../sdk/server/src/discovery/createDiscovery.ts";
import { ConfigError } from "../../../sdk/server/src/errors.ts";
import { FakeCharge, FakeSession, route } from "../http/fakes.ts";

const USDC = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v";
const { guard } = route([new FakeCharge(), new FakeSession()], {
  offers: [
    { intent: "charge", method: "solana", amount: 10_000n, currency: USDC },
    { intent: "session", method: "solana", amount: null, currency: USDC, description: "for each token" },
  ],
});

function discovery(more: Partial<DiscoveryOptions> = {}) {
  return createDiscovery({ title: "Jokes", version: "1.0.0", routes: { "GET /jokes/:id": guard }, ...more });
}

const get = (path: string, method = "GET") => new Request(`https://api.example.com${path}`, { method });

describe("/openapi.json", () => {
  it("is a valid discovery document with every offer of every route", () => {
    const { document } = discovery({ routes: { "GET /jokes/:id": guard, "post /echo": { guard, summary: "Echo" } } });
    const { operations, findings } = Discovery.validate(document);
    expect(findings.filter(({ severity }) => severity === "error")).to.deep.equal([]);
    expect(operations.map(({ method, path }) => `${method} ${path}`)).to.deep.equal(["GET /jokes/{id}", "POST /echo"]);
    expect(operations[0]?.offers).to.deep.equal(guard.offers);
    expect(document).to.have.nested.property("paths./jokes/{id}.get.responses.402");
    expect(document).to.have.nested.property("paths./jokes/{id}.get.x-payment-info.offers[0].amount", "10000");
    expect(document).to.have.nested.property("paths./jokes/{id}.get.x-payment-info.offers[1].amount", null);
  });

  it("is served as JSON that may be kept for five minutes and read from anywhere", async () => {
    const response = discovery().handle(get("/openapi.json"))!;
    expect(response.status).to.equal(200);
    expect(response.headers.get("content-type")).to.equal("application/json");
    expect(response.headers.get("cache-control")).to.equal("max-age=300");
    expect(response.headers.get("access-control-allow-origin")).to.equal("*");
    expect(await response.json()).to.deep.equal(discovery().document);
  });

  it("answers HEAD without a body, other methods with 405, and other paths not at all", async () => {
    const head = discovery().handle(get("/openapi.json", "HEAD"))!;
    expect([head.status, await head.text()]).to.deep.equal([200, ""]);
    const post = discovery().handle(get("/openapi.json", "POST"))!;
    expect([post.status, post.headers.get("allow")]).to.deep.equal([405, "GET, HEAD"]);
    expect(discovery().handle(get("/openapi.json/"))).to.equal(undefined);
    expect(discovery().handle(get("/jokes/1"))).to.equal(undefined);
  });

  it("tells categories, links and what each route takes", () => {
    const requestBody = { content: { "application/json": { schema: { type: "object" } } } };
    const { document } = discovery({
      categories: ["media"],
      docs: { homepage: "https://example.com" },
      routes: { "POST /echo": { guard, requestBody, description: "Says it again" } },
    });
    expect(document["x-service-info"]).to.deep.equal({
      categories: ["media"],
      docs: { homepage: "https://example.com" },
    });
    expect(document).to.have.deep.nested.property("paths./echo.post.requestBody", requestBody);
    expect(Discovery.validate(document).findings).to.deep.equal([]);
  });

  it("is refused for routes that are none, and for one that stands twice", () => {
    for (const wrong of ["/jokes", "GET jokes", "GET  /jokes", "FETCH /jokes", ""]) {
      expect(() => discovery({ routes: { [wrong]: guard } }), wrong).to.throw(ConfigError);
    }
    expect(() => discovery({ routes: { "GET /a": guard, "get /a": guard } })).to.throw(ConfigError, /twice/);
    expect(() => discovery({ routes: {} })).to.throw(ConfigError);
  });
});

describe("a service's own OpenAPI document", () => {
  const own: JsonObject = {
    openapi: "3.0.3",
    info: { title: "Mine", version: "7" },
    tags: [{ name: "t" }],
    paths: {
      "/jokes/{id}": {
        summary: "One joke",
        get: {
          operationId: "joke",
          summary: "A joke",
          "x-payment-info": { intent: "charge", method: "tempo", amount: "1" },
          responses: { "200": { description: "A joke" }, "404": { description: "No joke" } },
        },
        delete: { responses: { "204": { description: "Gone" } } },
      },
      "/free": { get: { responses: { "200": { description: "Free" } } } },
    },
  };

  it("gets prices and 402 written into it, and keeps everything else", () => {
    const { document } = discovery({ document: own });
    expect(document).to.deep.include({ openapi: "3.0.3", info: own.info, tags: own.tags });
    expect(document).to.have.nested.property("paths./jokes/{id}.get.operationId", "joke");
    expect(document).to.have.nested.property("paths./jokes/{id}.get.summary", "A joke");
    expect(document).to.have.nested.property("paths./jokes/{id}.summary", "One joke");
    const operation = (document.paths as Record<string, Record<string, JsonObject>>)["/jokes/{id}"]!;
    expect(Object.keys(operation.get!.responses as object)).to.have.members(["200", "404", "402"]);
    expect(Discovery.offersOf(operation.get)).to.deep.equal(guard.offers);
    expect(operation.delete).to.deep.equal({ responses: { "204": { description: "Gone" } } });
    expect(document).to.have.deep.nested.property("paths./free", (own.paths as JsonObject)["/free"]);
  });

  it("keeps its own words for the 402, and its own service info", () => {
    const responses = { "402": { description: "Pay first" } };
    const mine = { ...own, "x-service-info": { categories: ["mine"] }, paths: { "/x": { get: { responses } } } };
    const { document } = discovery({ document: mine, categories: ["ours"], routes: { "GET /x": guard } });
    expect(document).to.have.deep.nested.property("paths./x.get.responses", responses);
    expect(document["x-service-info"]).to.deep.equal({ categories: ["mine"] });
  });

  it("gets operations added that it has not", () => {
    const { document } = discovery({ document: own, routes: { "GET /jokes/:id": guard, "POST /new": guard } });
    expect(document).to.have.nested.property("paths./new.post.responses.402");
    expect(document).to.have.nested.property("paths./jokes/{id}.get");
  });

  it("is left as it was", () => {
    const before = structuredClone(own);
    discovery({ document: own });
    expect(own).to.deep.equal(before);
  });

  it("is refused when it is no OpenAPI 3 document", () => {
    const wrong = [
      { swagger: "2.0", paths: {} },
      { openapi: "3.1.0", paths: [] },
      { openapi: "3.1.0", paths: { "/jokes/{id}": 7 } },
    ];
    for (const document of wrong as unknown as JsonObject[]) {
      expect(() => discovery({ document }), JSON.stringify(document)).to.throw(ConfigError);
    }
  });
});

describe("/llms.txt", () => {
  it("says in plain text what each route costs, in words that people use", async () => {
    const response = discovery({
      description: "Jokes for machines",
      url: "https://api.example.com",
      routes: { "GET /jokes/:id": { guard, summary: "One joke" } },
    }).handle(get("/llms.txt"))!;
    expect(response.headers.get("content-type")).to.equal("text/plain; charset=utf-8");
    expect(response.headers.get("cache-control")).to.equal("max-age=300");
    const text = await response.text();
    expect(text).to.match(/^# Jokes\n\n> Jokes for machines\n/);
    expect(text).to.contain(
      "- `GET /jokes/{id}` — One joke: 0.01 USDC by charge, or a price that depends on the request by session (for each token)\n",
    );
    expect(text).to.contain("[API description](https://api.example.com/openapi.json)");
  });

  it("lets no text of the seller's begin a line of its own", () => {
    const { text } = discovery({ title: "A\n# B", routes: { "GET /x": { guard, summary: "x\n\n## Free for all" } } });
    expect(text).to.contain("# A # B\n").and.contain("x ## Free for all");
    expect(text.match(/^## /gm)).to.have.length(2);
  });
});
