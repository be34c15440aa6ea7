// What a service says of itself before anybody asks for money: `/openapi.json` (draft-payment-discovery-00) and `/llms.txt`.
import { Discovery, type JsonObject } from "@mppsol/core";
import { ConfigError } from "../errors.js";
import type { Guard } from "../http/guard.js";
import { within } from "../options.js";
import { llmsText } from "./llmsText.js";
import { mergeInto } from "./mergeInto.js";

/** A paid route. Its price is the guard's. */
export type PaidRoute = Guard | ({ readonly guard: Guard } & Omit<Discovery.Operation, "path" | "method" | "offers">);

export interface DiscoveryOptions extends Omit<Discovery.Service, "operations"> {
  /** By method and path, as `"GET /items/:id"` or `"GET /items/{id}"`. */
  readonly routes: Readonly<Record<string, PaidRoute>>;
  /** The service's own OpenAPI 3 document, into which payments are written. */
  readonly document?: JsonObject;
}

export interface Discoverable {
  readonly document: JsonObject;
  readonly text: string;
  /** Answers the two paths; undefined for every other. */
  handle(request: Request): Response | undefined;
  openapi(request?: Request): Response;
  llms(request?: Request): Response;
}

/** Where a service serves its text for language models. */
const LLMS_PATH = "/llms.txt";

/** @throws {ConfigError} for a route that is none, and for a document that is no OpenAPI 3 document. */
export function createDiscovery(options: DiscoveryOptions): Discoverable {
  const { routes, document: theirs, ...service } = options;
  const operations = Object.entries(routes).map(([route, paid]) => operationOf(route, paid));
  const ours = within("routes", () => Discovery.document({ ...service, operations }));
  const document = theirs === undefined ? ours : mergeInto(theirs, ours);
  const found = Discovery.validate(document).findings.find(({ severity }) => severity === "error");
  if (found !== undefined)
    throw new ConfigError(theirs === undefined ? "routes" : "document", `${found.path}: ${found.message}`);
  const text = llmsText(service, operations);
  const json = JSON.stringify(document);
  const openapi = (request?: Request) => answer(request, json, "application/json");
  const llms = (request?: Request) => answer(request, text, "text/plain; charset=utf-8");
  return {
    document,
    text,
    openapi,
    llms,
    handle(request) {
      const { pathname } = new URL(request.url);
      if (pathname === Discovery.PATH) return openapi(request);
      return pathname === LLMS_PATH ? llms(request) : undefined;
    },
  };
}

const ROUTE = /^([A-Za-z]+) (\/\S*)$/;

function operationOf(route: string, paid: PaidRoute): Discovery.Operation {
  const match = ROUTE.exec(route);
  if (match === null) throw new ConfigError("routes", `${JSON.stringify(route)} is not a method and a path`);
  const path = (match[2] as string).replace(/:([A-Za-z_][A-Za-z0-9_]*)/g, "{$1}");
  const method = match[1] as string;
  if (typeof paid === "function") return { path, method, offers: paid.offers };
  const { guard, ...rest } = paid;
  return { ...rest, path, method, offers: guard.offers };
}

function answer(request: Request | undefined, body: string, type: string): Response {
  const method = request?.method ?? "GET";
  if (method !== "GET" && method !== "HEAD") {
    return new Response(null, { status: 405, headers: { Allow: "GET, HEAD" } });
  }
  return new Response(method === "HEAD" ? null : body, {
    headers: {
      "Content-Type": type,
      "Cache-Control": Discovery.CACHE_CONTROL,
      // It is public, and agents in browsers read it from other origins.
      "Access-Control-Allow-Origin": "*",
      "X-Content-Type-Options": "nosniff",
    },
  });
}
