// /openapi.json, made of the schemas of the routes, and /reference, a page that shows it without loading anything from
// elsewhere.
import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import { jsonSchemaTransform } from "fastify-type-provider-zod";
import { type Code, row, TABLE } from "../errors/codes.js";
import type { App } from "./App.js";

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
  description: "The same request under the same key is done once, and answered again, for 24 hours.",
  schema: { type: "string", minLength: 1, maxLength: 255, pattern: "^[ -~]+$" },
};

/** As much of an OpenAPI document as is changed here. */
interface Document {
  readonly paths?: Record<string, Record<string, Operation>>;
}

interface Operation {
  parameters?: unknown[];
  readonly requestBody?: unknown;
  responses: Record<number, { description: string; content?: Record<string, unknown> }>;
}

/** Registers what makes the document; before any route. */
export async function registerOpenApi(app: App, version: string, url: string): Promise<void> {
  const idempotent = new Set<string>();
  app.addHook("onRoute", ({ method, url, config }) => {
    if (config?.idempotent !== true) return;
    for (const one of [method].flat()) idempotent.add(`${one.toLowerCase()} ${url.replace(/:(\w+)/g, "{$1}")}`);
  });
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "mppsol facilitator",
        version,
        description:
          "Settles payments of MPP and x402 on Solana, and pays their fees. Amounts are decimal strings of base units.",
        license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      },
      servers: [{ url }],
      components: { schemas: { Problem: PROBLEM as object } },
    },
    transform: jsonSchemaTransform,
    transformObject: (document) => {
      const { openapiObject } = document as { openapiObject: object };
      describeProblems(openapiObject as Document, idempotent);
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

/** Adds to each operation what any of them may answer: a document beside what the route itself says of that status. */
function describeProblems({ paths = {} }: Document, idempotent: ReadonlySet<string>): void {
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const statuses = operation.requestBody === undefined ? ANY : [...ANY, ...WITH_BODY];
      const own = Object.keys(operation.responses).map(Number);
      for (const status of new Set([...statuses, ...own.filter((status) => status >= 400)])) {
        const described = operation.responses[status] ?? { description: describeStatus(status) };
        const content = { ...described.content, "application/problem+json": PROBLEM_MEDIA };
        operation.responses[status] = { ...described, content };
      }
      if (idempotent.has(`${method} ${path}`)) {
        operation.parameters = [...(operation.parameters ?? []), IDEMPOTENCY_KEY];
      }
    }
  }
}

const PROBLEM_MEDIA = { schema: { $ref: "#/components/schemas/Problem" } };

function describeStatus(status: number): string {
  const codes = (Object.keys(TABLE) as Code[]).filter((code) => row(code).status === status);
  return codes.map((code) => `- \`${code}\`: ${row(code).title}`).join("\n");
}
