// The discovery document: OpenAPI that says which operations cost what (draft-payment-discovery-00). Advice only: what
// counts is the challenge.
import { InvalidFieldError } from "./errors.js";
import * as Integer from "./Integer.js";
import { type JsonObject, own, type UnknownObject } from "./json.js";

/** One way to pay for an operation. */
export interface Offer {
  /** `charge` or `session`. */
  readonly intent: string;
  readonly method: string;
  /** Base units; `null` when the price depends on the request. */
  readonly amount: bigint | null;
  /** For Solana: `sol` or the mint. */
  readonly currency?: string;
  readonly description?: string;
}

/** One operation of a service; free when it has no offers. */
export interface Operation {
  /** As OpenAPI writes it, `/items/{id}`. */
  readonly path: string;
  /** HTTP method, in any case. */
  readonly method: string;
  readonly offers: readonly Offer[];
  readonly summary?: string;
  readonly description?: string;
  /** OpenAPI parameter objects. Path parameters that are missing here are declared as strings. */
  readonly parameters?: readonly JsonObject[];
  /** OpenAPI request body object. Agents need it to make valid requests. */
  readonly requestBody?: JsonObject;
  /** OpenAPI response objects by status; a 200 and, for paid operations, a 402 are added when missing. */
  readonly responses?: JsonObject;
}

/** What a document is made of. */
export interface Service {
  readonly title: string;
  readonly version: string;
  readonly description?: string;
  /** Base URL of the service. */
  readonly url?: string;
  /** At most five, lower case, as `data` or `compute`. */
  readonly categories?: readonly string[];
  /** URLs. */
  readonly docs?: { readonly apiReference?: string; readonly homepage?: string; readonly llms?: string };
  readonly operations: readonly Operation[];
}

/** A paid operation that was found in a document. */
export interface PaidOperation {
  readonly path: string;
  /** Upper case. */
  readonly method: string;
  readonly offers: readonly Offer[];
}

/** Something that is wrong with a document. A warning breaks a SHOULD or a convention, an error a MUST. */
export interface Finding {
  readonly severity: "error" | "warning";
  /** Where, as `paths./items.get.responses`. */
  readonly path: string;
  readonly message: string;
}

/** Where a service serves its document. */
export const PATH = "/openapi.json";

/** What it says of caching (draft-payment-discovery-00, "Caching"). */
export const CACHE_CONTROL = "max-age=300";

const METHODS = ["get", "put", "post", "delete", "options", "head", "patch", "trace"] as const;
const WITH_BODY: ReadonlySet<string> = new Set(["post", "put", "patch"]);
const OFFER_FIELDS = ["intent", "method", "amount", "currency", "description"] as const;
const MAX_CATEGORIES = 5;

/**
 * The OpenAPI 3.1 document of a service, offers always in the multi-offer form.
 * @throws {InvalidFieldError} for a path or method that is none, an operation that stands twice, a negative amount.
 */
export function document(service: Service): JsonObject {
  const paths = new Map<string, Map<string, JsonObject>>();
  for (const operation of service.operations) {
    const method = operation.method.toLowerCase();
    if (!METHODS.some((known) => known === method)) throw new InvalidFieldError("method", "not an HTTP method");
    if (!operation.path.startsWith("/")) throw new InvalidFieldError("path", "does not begin with /");
    const item = paths.get(operation.path) ?? new Map<string, JsonObject>();
    if (item.has(method)) throw new InvalidFieldError("path", `${method} ${operation.path} stands twice`);
    paths.set(operation.path, item.set(method, operationToJson(operation)));
  }
  const { title, version, description, url, categories, docs } = service;
  return {
    openapi: "3.1.0",
    info: { title, version, ...(description === undefined ? {} : { description }) },
    ...(url === undefined ? {} : { servers: [{ url }] }),
    ...(categories === undefined && docs === undefined
      ? {}
      : { "x-service-info": { ...(categories ? { categories } : {}), ...(docs ? { docs: { ...docs } } : {}) } }),
    paths: Object.fromEntries([...paths].map(([path, item]) => [path, Object.fromEntries(item)])),
  };
}

/**
 * The offers of an operation, from either form of `x-payment-info`; none for a free operation.
 * @throws {InvalidFieldError} for what the draft does not allow.
 */
export function offersOf(operation: unknown): Offer[] {
  const findings: Finding[] = [];
  const info = isObject(operation) ? own(operation, "x-payment-info") : undefined;
  const offers = info === undefined ? [] : readOffers(info, "x-payment-info", findings);
  const error = findings.find((finding) => finding.severity === "error");
  if (error !== undefined) throw new InvalidFieldError(error.path, error.message);
  return offers;
}

/** The paid operations of a document that some server published, and everything that is wrong with it. Throws nothing. */
export function validate(value: unknown): { operations: PaidOperation[]; findings: Finding[] } {
  const findings: Finding[] = [];
  const operations: PaidOperation[] = [];
  if (!isObject(value)) return { operations, findings: [failure("(root)", "not an object")] };
  checkTop(value, findings);
  const paths = own(value, "paths");
  if (!isObject(paths)) {
    findings.push(failure("paths", "missing"));
    return { operations, findings };
  }
  let some = false;
  for (const [path, item] of Object.entries(paths)) {
    if (!path.startsWith("/")) findings.push(failure(`paths.${path}`, "does not begin with /"));
    if (!isObject(item)) {
      findings.push(failure(`paths.${path}`, "not an object"));
      continue;
    }
    for (const method of METHODS) {
      const operation = own(item, method);
      if (operation === undefined) continue;
      some = true;
      const offers = checkOperation(operation, method, `paths.${path}.${method}`, findings);
      if (offers.length > 0) operations.push({ path, method: method.toUpperCase(), offers });
    }
  }
  if (!some) findings.push(failure("paths", "no operation"));
  return { operations, findings };
}

function operationToJson(operation: Operation): JsonObject {
  const { path, offers, summary, description, requestBody, responses } = operation;
  const parameters = [...(operation.parameters ?? []), ...missingParameters(path, operation.parameters ?? [])];
  return {
    ...(summary === undefined ? {} : { summary }),
    ...(description === undefined ? {} : { description }),
    ...(offers.length === 0 ? {} : { "x-payment-info": { offers: offers.map(offerToJson) } }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(requestBody === undefined ? {} : { requestBody }),
    responses: {
      "200": { description: "Success" },
      ...(offers.length === 0 ? {} : { "402": PAYMENT_REQUIRED }),
      ...responses,
    },
  };
}

const PAYMENT_REQUIRED: JsonObject = {
  description: "Payment Required",
  headers: {
    "WWW-Authenticate": { description: "One Payment challenge for each way to pay.", schema: { type: "string" } },
  },
  content: { "application/problem+json": { schema: { type: "object" } } },
};

/** Declarations of the path's parameters that nobody declared: OpenAPI demands one for each. */
function missingParameters(path: string, declared: readonly JsonObject[]): JsonObject[] {
  const names = new Set([...path.matchAll(/\{([^{}]+)\}/g)].map((match) => match[1] as string));
  for (const parameter of declared) if (parameter.in === "path") names.delete(String(parameter.name));
  return [...names].map((name) => ({ name, in: "path", required: true, schema: { type: "string" } }));
}

function offerToJson(offer: Offer): JsonObject {
  const { intent, method, amount, currency, description } = offer;
  if (amount !== null && amount < 0n) throw new InvalidFieldError("amount", "negative");
  return {
    intent,
    method,
    amount: amount === null ? null : amount.toString(),
    ...(currency === undefined ? {} : { currency }),
    ...(description === undefined ? {} : { description }),
  };
}

function checkTop(document: UnknownObject, findings: Finding[]): void {
  const openapi = own(document, "openapi");
  if (typeof openapi !== "string" || !/^3\.\d/.test(openapi)) findings.push(failure("openapi", "not a 3.x version"));
  const info = own(document, "info");
  for (const name of ["title", "version"]) {
    const text = isObject(info) ? own(info, name) : undefined;
    if (typeof text !== "string" || text === "") findings.push(failure(`info.${name}`, "missing"));
  }
  const service = own(document, "x-service-info");
  if (service !== undefined) checkService(service, findings);
}

function checkService(service: unknown, findings: Finding[]): void {
  if (!isObject(service)) {
    findings.push(failure("x-service-info", "not an object"));
    return;
  }
  const categories = own(service, "categories");
  if (categories !== undefined) checkCategories(categories, findings);
  const docs = own(service, "docs");
  if (docs === undefined) return;
  if (!isObject(docs)) {
    findings.push(failure("x-service-info.docs", "not an object"));
    return;
  }
  for (const name of ["apiReference", "homepage", "llms"]) {
    const url = own(docs, name);
    if (url === undefined || (typeof url === "string" && URL.canParse(url))) continue;
    const path = `x-service-info.docs.${name}`;
    const relative = typeof url === "string" && url.startsWith("/");
    findings.push(relative ? warning(path, "a path, not a whole URI") : failure(path, "not a URI"));
  }
}

function checkCategories(categories: unknown, findings: Finding[]): void {
  const path = "x-service-info.categories";
  if (!Array.isArray(categories) || categories.some((category) => typeof category !== "string")) {
    findings.push(failure(path, "not an array of strings"));
    return;
  }
  if (categories.length > MAX_CATEGORIES) findings.push(warning(path, `more than ${MAX_CATEGORIES}`));
  if (categories.some((category: string) => !/^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(category))) {
    findings.push(warning(path, "not lower case with hyphens"));
  }
}

function checkOperation(operation: unknown, method: string, path: string, findings: Finding[]): Offer[] {
  if (!isObject(operation)) {
    findings.push(failure(path, "not an object"));
    return [];
  }
  const info = own(operation, "x-payment-info");
  const responses = own(operation, "responses");
  const declares402 = isObject(responses) && Object.hasOwn(responses, "402");
  if (info === undefined) {
    if (declares402) findings.push(warning(path, "a 402 response, but no x-payment-info"));
    return [];
  }
  if (!declares402) findings.push(failure(`${path}.responses`, "no 402 response, though the operation is paid"));
  if (WITH_BODY.has(method) && own(operation, "requestBody") === undefined) {
    findings.push(warning(path, "no requestBody: agents do not know what to send"));
  }
  return readOffers(info, `${path}.x-payment-info`, findings);
}

function readOffers(info: unknown, path: string, findings: Finding[]): Offer[] {
  if (!isObject(info)) {
    findings.push(failure(path, "not an object"));
    return [];
  }
  const offers = own(info, "offers");
  if (offers === undefined) {
    findings.push(warning(path, "the single-offer shorthand; new documents list `offers`"));
    return readOffer(info, path, findings);
  }
  if (OFFER_FIELDS.some((name) => Object.hasOwn(info, name))) {
    findings.push(failure(path, "both `offers` and the fields of a single offer"));
    return [];
  }
  if (!Array.isArray(offers) || offers.length === 0) {
    findings.push(failure(`${path}.offers`, "not an array of at least one offer"));
    return [];
  }
  return offers.flatMap((offer: unknown, i) => readOffer(offer, `${path}.offers[${i}]`, findings));
}

/** The offer, or nothing when it is malformed. */
function readOffer(value: unknown, path: string, findings: Finding[]): Offer[] {
  if (!isObject(value)) {
    findings.push(failure(path, "not an object"));
    return [];
  }
  const before = findings.length;
  const intent = text(value, "intent", /^[A-Za-z0-9-]+$/, path, findings);
  const method = text(value, "method", /^[a-z][a-z0-9:_-]*$/, path, findings);
  const amount = own(value, "amount");
  if (amount !== null && (typeof amount !== "string" || !/^(?:0|[1-9][0-9]{0,77})$/.test(amount))) {
    findings.push(failure(`${path}.amount`, "neither null nor a decimal integer without leading zeros"));
  }
  const optional = ["currency", "description"].filter((name) => own(value, name) !== undefined);
  for (const name of optional) text(value, name, /^/, path, findings);
  if (findings.length > before) return [];
  const offer = {
    intent,
    method,
    amount: amount === null ? null : BigInt(amount as string),
    ...(Object.fromEntries(optional.map((name) => [name, own(value, name)])) as { readonly currency?: string }),
  };
  checkConventions(offer, path, findings);
  return [offer];
}

function checkConventions(offer: Offer, path: string, findings: Finding[]): void {
  if (offer.intent !== "charge" && offer.intent !== "session") {
    findings.push(warning(`${path}.intent`, "neither charge nor session"));
  }
  if (offer.method !== "solana") return;
  if (offer.currency === undefined) findings.push(warning(`${path}.currency`, "missing"));
  if (offer.amount !== null && offer.amount > Integer.MAX_U64) {
    findings.push(warning(`${path}.amount`, "more than any Solana transfer can move"));
  }
}

function text(from: UnknownObject, name: string, shape: RegExp, path: string, findings: Finding[]): string {
  const value = own(from, name);
  if (typeof value === "string" && shape.test(value)) return value;
  findings.push(failure(`${path}.${name}`, value === undefined ? "missing" : "malformed"));
  return "";
}

function isObject(value: unknown): value is UnknownObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function failure(path: string, message: string): Finding {
  return { severity: "error", path, message };
}

function warning(path: string, message: string): Finding {
  return { severity: "warning", path, message };
}
