// /openapi.json, made of the schemas of the routes and of what is said of each operation beside this file; and /reference, a
// page that shows it without loading anything from elsewhere.
import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import { SignInWithX } from "@mppsol/core";
import { jsonSchemaTransform } from "fastify-type-provider-zod";
import { type Code, row, TABLE } from "../errors/codes.js";
import { FacilitatorError } from "../errors/FacilitatorError.js";
import type { App } from "./App.js";
import { DESCRIBED, type Described } from "./described/index.js";
import { refusalOf } from "./problem.js";

declare module "fastify" {
  interface FastifyContextConfig {
    /** Needs a sign-in of the wallet that it is about. */
    signedIn?: boolean;
  }
}

const PROBLEM_TYPE = "application/problem+json";

/** A problem document (RFC 9457), as every answer is that is no success. */
const PROBLEM = {
  type: "object",
  required: ["type", "title", "status", "detail", "code", "retryable", "requestId"],
  properties: {
    type: { type: "string", description: "URI of the problem type, or about:blank." },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string", description: "For people; may change." },
    code: { type: "string", enum: Object.keys(TABLE), description: "Stable: what programs go by." },
    retryable: { type: "boolean", description: "The same request may be sent again: nothing was signed." },
    requestId: { type: "string" },
    signature: { type: "string", description: "Of the transaction that it is about, where there is one." },
    errors: {
      type: "array",
      items: { type: "object", properties: { path: { type: "string" }, message: { type: "string" } } },
    },
  },
  additionalProperties: true,
};

/** Statuses that every operation may answer, and those of operations that take a body. */
const ANY = [400, 404, 405, 408, 429, 500, 503];
const WITH_BODY = [409, 410, 413, 415, 422];

const IDEMPOTENCY_KEY = {
  name: "Idempotency-Key",
  in: "header",
  required: false,
  description:
    "The same request under the same key is done once, and answered again, for 24 hours, with `Idempotent-Replayed: true`. " +
    "Keys must be unguessable, as UUIDs are.",
  schema: { type: "string", minLength: 1, maxLength: 255, pattern: "^[ -~]+$" },
  example: "0b0e8f0c-6a55-4f5b-9a7e-2f3c1d4e5f60",
};

const SIGN_IN = {
  name: SignInWithX.HEADER,
  in: "header",
  required: false,
  description:
    "Base64 of JSON: the challenge of the answer 401, filled in and signed by the wallet (CAIP-122). Good for one request, " +
    "within five minutes. Without it the answer is 401.",
  schema: { type: "string", minLength: 1, maxLength: SignInWithX.MAX_LENGTH },
};

const HEADERS = {
  "X-Request-Id": {
    description: "The request's id, as in the logs: the one that it came with in X-Request-Id, or a new one.",
    schema: { type: "string" },
    example: "req_0b0e8f0c-6a55-4f5b-9a7e-2f3c1d4e5f60",
  },
  "Retry-After": {
    description: "Seconds after which the same request may be sent again; where that can help.",
    schema: { type: "string", pattern: "^[0-9]+$" },
    example: "2",
  },
  "Idempotent-Replayed": {
    description: "`true` where the answer was kept from an earlier request of the same Idempotency-Key.",
    schema: { type: "string", enum: ["true"] },
    example: "true",
  },
  "WWW-Authenticate": {
    description: "The scheme to authenticate by.",
    schema: { type: "string" },
    example: SignInWithX.HEADER,
  },
  Allow: { description: "The methods that the path takes.", schema: { type: "string" }, example: "GET, HEAD" },
} as const;

type Headers = Partial<Record<keyof typeof HEADERS, object>>;

/** As much of an OpenAPI document as is changed here. */
interface Document {
  readonly paths?: Record<string, Record<string, Operation>>;
}

interface Media {
  readonly schema?: unknown;
  example?: unknown;
}

interface Answered {
  readonly description: string;
  headers?: Headers;
  content?: Record<string, Media>;
}

interface Operation {
  description?: string;
  parameters?: { readonly name: string; example?: unknown }[];
  readonly requestBody?: { readonly content: Record<string, Media> };
  responses: Record<number, Answered>;
}

/** Which operations have what in common, as `get /path/{id}`. */
interface Kinds {
  readonly idempotent: Set<string>;
  readonly signedIn: Set<string>;
}

/** Registers what makes the document; before any route. */
export async function registerOpenApi(app: App, version: string, url: string): Promise<void> {
  const kinds: Kinds = { idempotent: new Set(), signedIn: new Set() };
  app.addHook("onRoute", ({ method, url, config }) => {
    for (const one of [method].flat()) {
      const key = `${one.toLowerCase()} ${url.replace(/:(\w+)/g, "{$1}")}`;
      if (config?.idempotent === true) kinds.idempotent.add(key);
      if (config?.signedIn === true) kinds.signedIn.add(key);
    }
  });
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "mppsol facilitator",
        version,
        description:
          "Settles payments of MPP and x402 on Solana, and pays their fees. Amounts are decimal strings of base units. " +
          "Whatever is no success is a problem document, but for what x402 calls an answer. Any request may name itself by " +
          "X-Request-Id (1 to 128 letters, digits, `.`, `_`, `:` and `-`): the name is in the answer and in the logs.",
        license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      },
      servers: [{ url }],
      components: { schemas: { Problem: PROBLEM as object } },
    },
    transform: jsonSchemaTransform,
    transformObject: (document) => {
      const { openapiObject } = document as { openapiObject: object };
      describe(openapiObject as Document, kinds);
      return openapiObject;
    },
  });
  app.get("/openapi.json", { schema: { hide: true } }, async () => app.swagger());
}

/** Registers the page; after all routes. */
export async function registerReference(app: App): Promise<void> {
  await app.register(swaggerUi, {
    routePrefix: "/reference",
    staticCSP:
      "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'",
    uiConfig: { validatorUrl: null, docExpansion: "list", tryItOutEnabled: false },
  });
}

/** Adds to each operation what the routes' schemas do not say. */
function describe({ paths = {} }: Document, kinds: Kinds): void {
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const key = `${method} ${path}`;
      const described: Described | undefined = DESCRIBED[key];
      addProblems(operation, described);
      addHeaders(operation, key, kinds);
      if (described !== undefined) addExamples(operation, described);
    }
  }
}

/** What any operation may answer: a document beside what the route itself says of that status. */
function addProblems({ responses, requestBody }: Operation, described: Described | undefined): void {
  const statuses = requestBody === undefined ? ANY : [...ANY, ...WITH_BODY];
  const named = Object.keys(responses).map(Number);
  for (const status of new Set([...statuses, ...named.filter((status) => status >= 400)])) {
    const answered = responses[status];
    // What the schema of an answer is made of is no description of it.
    const description = describeStatus(status);
    const own = answered?.content?.[PROBLEM_TYPE];
    const problem = { ...problemMedia(status, described?.refusals?.[status]), ...own };
    const content = { ...answered?.content, [PROBLEM_TYPE]: problem };
    responses[status] = { ...answered, description, content };
  }
}

function addHeaders(operation: Operation, key: string, { idempotent, signedIn }: Kinds): void {
  const added = [...(idempotent.has(key) ? [IDEMPOTENCY_KEY] : []), ...(signedIn.has(key) ? [SIGN_IN] : [])];
  if (added.length > 0) {
    operation.parameters = [...(operation.parameters ?? []), ...added.map((parameter) => ({ ...parameter }))];
  }
  for (const [text, answered] of Object.entries(operation.responses)) {
    const status = Number(text);
    answered.headers = {
      "X-Request-Id": HEADERS["X-Request-Id"],
      ...(mayComeLater(status) ? { "Retry-After": HEADERS["Retry-After"] } : {}),
      ...(idempotent.has(key) ? { "Idempotent-Replayed": HEADERS["Idempotent-Replayed"] } : {}),
      ...(status === 401 ? { "WWW-Authenticate": HEADERS["WWW-Authenticate"] } : {}),
      ...(status === 405 ? { Allow: HEADERS.Allow } : {}),
    };
  }
}

function addExamples(operation: Operation, { description, body, parameters = {}, answers }: Described): void {
  operation.description = description;
  for (const media of Object.values(operation.requestBody?.content ?? {})) media.example = body;
  for (const parameter of operation.parameters ?? []) {
    const example = parameters[parameter.name];
    if (example !== undefined) parameter.example = example;
  }
  for (const [status, example] of Object.entries(answers)) {
    const content = operation.responses[Number(status)]?.content ?? {};
    const own = Object.keys(content).find((type) => type !== PROBLEM_TYPE) ?? PROBLEM_TYPE;
    content[own] = { ...content[own], example };
  }
}

function problemMedia(status: number, code: Code | undefined): Media {
  const schema = { $ref: "#/components/schemas/Problem" };
  const chosen = code ?? codesOf(status)[0];
  if (chosen === undefined) return { schema };
  return { schema, example: refusalOf(new FacilitatorError(chosen), HEADERS["X-Request-Id"].example).document };
}

function codesOf(status: number): Code[] {
  return (Object.keys(TABLE) as Code[]).filter((code) => row(code).status === status);
}

/** Whether answers of this status may say when to ask again. */
function mayComeLater(status: number): boolean {
  return status === 202 || (status !== 500 && codesOf(status).some((code) => row(code).retryable));
}

function describeStatus(status: number): string {
  return codesOf(status)
    .map((code) => `- \`${code}\`: ${row(code).title}`)
    .join("\n");
}
