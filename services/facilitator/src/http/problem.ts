// Every answer that is no success, as application/problem+json (RFC 9457): what handlers throw, and what Fastify does.
import { InvalidFieldError, type JsonValue, Problem, RefusedError } from "@mppsol/core";
import { RpcError, SigningError, StoreError } from "@mppsol/server/parts";
import type { FastifyError, FastifyReply, FastifyRequest, preHandlerAsyncHookHandler } from "fastify";
import { type Code, row } from "../errors/codes.js";
import { FacilitatorError } from "../errors/FacilitatorError.js";
import { codeOf } from "../errors/refusals.js";
import type { App } from "./App.js";

export const CONTENT_TYPE = `${Problem.CONTENT_TYPE}; charset=utf-8`;

/** Seconds to wait where nobody knows better. */
const RETRY_AFTER_SECONDS = 2;

/** Codes of Fastify's own errors. Whatever else it calls a client's fault is `invalid_request`. */
const FASTIFY_CODES: Readonly<Record<string, Code>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: "payload_too_large",
  FST_ERR_CTP_INVALID_MEDIA_TYPE: "unsupported_media_type",
  FST_ERR_CTP_EMPTY_JSON_BODY: "malformed_json",
  FST_ERR_CTP_INVALID_JSON_BODY: "malformed_json",
  FST_ERR_NOT_FOUND: "not_found",
};

/** Statuses of requests that cannot be read. */
const UNREAD = new Set([400, 413, 415]);

/** What is answered: a document, and how. */
export interface Refused {
  readonly code: Code;
  readonly status: number;
  readonly retryable: boolean;
  readonly retryAfterSeconds: number | undefined;
  readonly document: Problem.Problem;
}

/** The refusal as which an error is answered. Nothing of an error that is not meant for clients is in it. */
export function refusalOf(error: unknown, requestId: string): Refused {
  const refusal = facilitatorError(error);
  const { code, detail, members } = refusal;
  const { status, retryable, title, problem } = row(code);
  return {
    code,
    status,
    retryable,
    retryAfterSeconds: refusal.retryAfterSeconds ?? (retryable && status !== 500 ? RETRY_AFTER_SECONDS : undefined),
    document: {
      ...members,
      type: problem === undefined ? "about:blank" : Problem.BASE + problem,
      title,
      status,
      detail,
      code,
      retryable,
      requestId,
    },
  };
}

/** Whether it is a fault of this side: one to be looked at. */
export function isFault(error: unknown): boolean {
  return row(facilitatorError(error).code).status >= 500;
}

function facilitatorError(error: unknown): FacilitatorError {
  if (error instanceof FacilitatorError) return error;
  if (error instanceof RefusedError) return ofRefusal(error);
  if (error instanceof InvalidFieldError) return invalid([{ path: error.field, message: error.problem }]);
  if (error instanceof RpcError || error instanceof StoreError || error instanceof SigningError) {
    return new FacilitatorError("upstream_unavailable", undefined, { cause: error });
  }
  return ofFastify(error);
}

function ofRefusal(error: RefusedError): FacilitatorError {
  const code = codeOf(error.code);
  return new FacilitatorError(code, error.detail, { members: error.members, cause: error });
}

function ofFastify(error: unknown): FacilitatorError {
  const { validation, validationContext, code, statusCode } = (error ?? {}) as Partial<FastifyError>;
  if (validation !== undefined) {
    const place = validationContext ?? "body";
    return invalid(
      validation.slice(0, 20).map(({ instancePath, message }) => ({
        path: `${place}${instancePath.replaceAll("/", ".")}`.slice(0, 200),
        message: message ?? "is not valid",
      })),
    );
  }
  const known = code === undefined ? undefined : FASTIFY_CODES[code];
  if (known !== undefined) return new FacilitatorError(known);
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    // Its JSON parser says so by a status alone.
    return error instanceof SyntaxError
      ? new FacilitatorError("malformed_json")
      : new FacilitatorError("invalid_request");
  }
  return new FacilitatorError("internal_error", undefined, { cause: error });
}

function invalid(errors: readonly { readonly path: string; readonly message: string }[]): FacilitatorError {
  const [first] = errors;
  const detail = first === undefined ? undefined : `${first.path}: ${first.message}`;
  return new FacilitatorError("invalid_request", detail, { members: { errors: errors as unknown as JsonValue } });
}

/** Answers with a problem document. */
export function sendProblem(reply: FastifyReply, refused: Refused): FastifyReply {
  if (refused.retryAfterSeconds !== undefined) reply.header("retry-after", String(refused.retryAfterSeconds));
  // A document of bytes: no schema of the route applies to it.
  reply.code(refused.status).header("content-type", CONTENT_TYPE).serializer(String);
  return reply.send(JSON.stringify(refused.document));
}

/**
 * Sets what answers when a handler throws, and when there is no handler.
 * @param beforeNotFound as a rate limit: what is not there is not free to ask for.
 * @param onFault told of what is not the client's fault.
 */
export function registerProblems(
  app: App,
  beforeNotFound: preHandlerAsyncHookHandler,
  onFault: (error: unknown, request: FastifyRequest) => void,
): void {
  const methods = new Methods();
  app.addHook("onRoute", ({ url, method }) => methods.add(url, method));
  const notThere = (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const allowed = methods.of(pathOf(request.url));
    const error = new FacilitatorError(allowed.length === 0 ? "not_found" : "method_not_allowed");
    if (allowed.length > 0) reply.header("allow", allowed.join(", "));
    request.refused = refusalOf(error, request.id);
    return sendProblem(reply, request.refused);
  };
  app.setErrorHandler((error, request, reply) => {
    const refused = refusalOf(error, request.id);
    // What is wrong with it does not matter where nobody reads it; nor where a path of its own is taken for a parameter.
    const taken = methods.of(pathOf(request.url)).includes(request.method);
    if (!taken && UNREAD.has(refused.status)) return notThere(request, reply);
    request.refused = refused;
    if (isFault(error)) onFault(error, request);
    return sendProblem(reply, refused);
  });
  app.setNotFoundHandler({ preHandler: beforeNotFound }, notThere);
  app.decorateRequest("refused", undefined);
}

declare module "fastify" {
  interface FastifyRequest {
    /** Why it was refused, once it was. */
    refused: Refused | undefined;
  }
}

function pathOf(url: string): string {
  return url.split("?", 1)[0]!;
}

/** Which methods the routes of a path take. */
class Methods {
  readonly #routes: { readonly url: string; readonly pattern: RegExp; readonly methods: readonly string[] }[] = [];

  /** @param url as routes have it, with `:name` and `*`. */
  add(url: string, method: string | readonly string[]): void {
    const source = url
      .split("/")
      .map((part) => (part.startsWith(":") ? "[^/]+" : literal(part).replaceAll("\\*", ".*")))
      .join("/");
    const methods = typeof method === "string" ? [method] : method;
    this.#routes.push({ url, pattern: new RegExp(`^${source}$`), methods });
  }

  /** Of routes with just this path, and only where there are none, of those with a pattern that fits. */
  of(path: string): string[] {
    const named = this.#routes.filter(({ url }) => url === path);
    const fitting = named.length > 0 ? named : this.#routes.filter(({ pattern }) => pattern.test(path));
    return [...new Set(fitting.flatMap(({ methods }) => methods))].sort();
  }
}

function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
