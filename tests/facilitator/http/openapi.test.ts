// /openapi.json as somebody reads it who writes a client by hand: every operation is explained, and its examples are true.
import { SignInWithX } from "@mppsol/core";
import { expect } from "chai";
import { z } from "zod";
import { DESCRIBED } from "../../../services/facilitator/src/http/described/index.ts";
import { type Running, startFacilitator } from "../support.ts";

interface Media {
  readonly schema?: Record<string, unknown>;
  readonly example?: unknown;
}

interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required?: boolean;
  readonly schema: Record<string, unknown>;
  readonly example?: unknown;
}

interface Answered {
  readonly description: string;
  readonly content?: Record<string, Media>;
  readonly headers?: Record<string, { readonly schema: Record<string, unknown>; readonly example: unknown }>;
}

interface Operation {
  readonly summary?: string;
  readonly description?: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Record<string, Media> };
  readonly responses: Record<string, Answered>;
}

interface Document {
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, Record<string, unknown>> };
}

/** Operations whose answers nobody gives before they have signed for them. */
const SIGNED_IN = ["post /api/sessions/onboard", "get /api/sessions/onboard/status"];

describe("facilitator, /openapi.json", () => {
  let running: Running;
  let document: Document;
  let operations: [string, Operation][];

  before(async () => {
    running = await startFacilitator();
    document = (await running.app.inject("/openapi.json")).json() as Document;
    operations = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]): [string, Operation] => [`${method} ${path}`, operation]),
    );
  });
  after(() => running.close());

  /** What is wrong with a value by a schema of the document; nothing when it is valid. */
  function faultsOf(schema: Record<string, unknown> | undefined, value: unknown): string[] {
    const whole = { ...resolved(schema), $schema: "https://json-schema.org/draft/2020-12/schema" };
    const { error } = z.fromJSONSchema(whole as never).safeParse(value);
    return (error?.issues ?? []).map(({ path, message }) => `${path.join(".")}: ${message}`);
  }

  function resolved(schema: Record<string, unknown> | undefined): Record<string, unknown> {
    const name = /^#\/components\/schemas\/(\w+)$/.exec(String(schema?.$ref))?.[1];
    return (name === undefined ? schema : document.components.schemas[name]) ?? {};
  }

  const bodyOf = ({ requestBody }: Operation): Media | undefined => requestBody?.content["application/json"];

  /** All media with the place where they stand. */
  function mediaOf(operation: Operation): [string, Media][] {
    const answers = Object.entries(operation.responses).flatMap(([status, { content = {} }]) =>
      Object.entries(content).map(([type, media]): [string, Media] => [`${status} ${type}`, media]),
    );
    const body = bodyOf(operation);
    return body === undefined ? answers : [["body", body], ...answers];
  }

  it("says of every operation what it is and what it does, and of none that is not there", () => {
    expect(operations.map(([key]) => key).sort()).to.deep.equal(Object.keys(DESCRIBED).sort());
    for (const [key, { summary, description }] of operations) {
      expect(summary, key).to.be.a("string").with.length.above(5);
      expect(description, key).to.be.a("string").with.length.above(40);
    }
  });

  it("has an example of every body and every answer, each valid by its schema", () => {
    for (const [key, operation] of operations) {
      const media = mediaOf(operation);
      expect(
        media.some(([place]) => place.startsWith("200 ")),
        key,
      ).to.equal(true);
      for (const [place, { schema, example }] of media) {
        expect(example, `${key} ${place}`).to.not.equal(undefined);
        expect(faultsOf(schema, example), `${key} ${place}`).to.deep.equal([]);
      }
    }
  });

  it("has examples that are held to their schemas: what lacks a member is not valid", () => {
    for (const [key, operation] of operations) {
      const body = bodyOf(operation);
      if (body === undefined) continue;
      expect(faultsOf(body.schema, {}), key).to.not.deep.equal([]);
      expect(faultsOf(body.schema, { ...(body.example as object), nonsense: 1 }), key).to.not.deep.equal([]);
    }
    const { schema, example } =
      document.paths["/mpp/settle"]!.post!.responses[422]!.content!["application/problem+json"]!;
    expect(faultsOf(schema, { ...(example as object), code: "nonsense" })).to.not.deep.equal([]);
  });

  it("has an example of every parameter, valid by its schema", () => {
    for (const [key, { parameters = [] }] of operations) {
      for (const { name, schema, example } of parameters) {
        expect(faultsOf(schema, example), `${key} ${name}`).to.deep.equal([]);
        expect(example, `${key} ${name}`).to.be.a("string");
      }
    }
  });

  it("has requests as examples that the service reads: what it refuses of them is not their form", async () => {
    for (const [key, operation] of operations) {
      const [method = "", template = ""] = key.split(" ");
      const { parameters = [] } = operation;
      const given = (place: Parameter["in"]) =>
        parameters
          .filter((one) => one.in === place)
          .map(({ name, example }): [string, string] => [name, String(example)]);
      const path = given("path").reduce((text, [name, value]) => text.replace(`{${name}}`, value), template);
      const query = new URLSearchParams(given("query")).toString();
      const body = bodyOf(operation)?.example;
      const response = await running.app.inject({
        method: method.toUpperCase() as "GET" | "POST",
        url: query === "" ? path : `${path}?${query}`,
        headers: Object.fromEntries(given("header")),
        ...(body === undefined ? {} : { payload: body as object }),
      });
      const said = `${key}: ${response.statusCode} ${response.body.slice(0, 300)}`;
      expect(response.statusCode, said).to.not.be.oneOf([400, 405, 413, 415, 500, 503]);
      expect(Object.keys(operation.responses), said).to.include(String(response.statusCode));
      const [type = ""] = String(response.headers["content-type"]).split(";");
      const { schema } = operation.responses[response.statusCode]?.content?.[type] ?? {};
      expect(schema, said).to.not.equal(undefined);
      expect(faultsOf(schema, response.json()), said).to.deep.equal([]);
      if (SIGNED_IN.includes(key)) expect(response.json(), said).to.include({ code: "sign_in_invalid" });
    }
  });

  it("says which headers are read and sent", () => {
    for (const [key, { parameters = [], responses }] of operations) {
      const names = parameters.filter((one) => one.in === "header").map(({ name }) => name);
      expect(names.includes(SignInWithX.HEADER), key).to.equal(SIGNED_IN.includes(key));
      for (const [status, { headers = {} }] of Object.entries(responses)) {
        expect(headers, `${key} ${status}`).to.include.keys("X-Request-Id");
        if (["202", "429", "503"].includes(status)) {
          expect(headers, `${key} ${status}`).to.include.keys("Retry-After");
        }
        if (names.includes("Idempotency-Key")) {
          expect(headers, `${key} ${status}`).to.include.keys("Idempotent-Replayed");
        }
        for (const [name, { schema, example }] of Object.entries(headers)) {
          expect(faultsOf(schema, example), `${key} ${status} ${name}`).to.deep.equal([]);
        }
      }
      if (SIGNED_IN.includes(key)) expect(responses[401]?.headers, key).to.include.keys("WWW-Authenticate");
    }
    const keyed = operations.filter(([, { parameters = [] }]) =>
      parameters.some(({ name }) => name === "Idempotency-Key"),
    );
    expect(keyed.map(([key]) => key).sort()).to.deep.equal([
      "post /api/sessions/onboard",
      "post /api/sessions/onboard/confirm",
      "post /mpp/session/close",
      "post /mpp/session/open",
      "post /mpp/session/topup",
      "post /mpp/session/voucher",
      "post /mpp/settle",
      "post /settle",
    ]);
  });

  it("sends the headers that it names", async () => {
    const asked = await running.app.inject({ url: "/mpp/payments/pay_x", headers: { "x-request-id": "order-7" } });
    expect(asked.headers).to.include({ "x-request-id": "order-7" });
    const unsigned = await running.app.inject({
      method: "POST",
      url: "/api/sessions/onboard",
      payload: document.paths["/api/sessions/onboard"]!.post!.requestBody!.content["application/json"]!
        .example as object,
    });
    expect(unsigned.statusCode).to.equal(401);
    expect(unsigned.headers).to.include({ "www-authenticate": SignInWithX.HEADER });
    const challenge = SignInWithX.challengeFromJson(
      (unsigned.json() as { extensions: Record<string, unknown> }).extensions[SignInWithX.EXTENSION],
    );
    expect(challenge.info.uri).to.match(/\/api\/sessions\/onboard$/);
  });
});
