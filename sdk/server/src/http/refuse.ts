// The answer to what is refused: problem document (RFC 9457), fresh challenges, or a page for people in a browser.
import { Challenge, type JsonObject, Problem, type RefusedError } from "@mppsol/core";

export interface Refused {
  readonly refusal: RefusedError;
  readonly requestId: string;
  /** Offered with the refusal; at least one with every 402. */
  readonly challenges: readonly Challenge.Challenge[];
  /** More members of the document. */
  readonly members?: JsonObject;
}

/** Seconds after which a client may come again, where there is any point in it. */
const RETRY_AFTER: Readonly<Record<number, number>> = { 409: 1, 503: 5 };

/** The response, with `Cache-Control: no-store` and one `WWW-Authenticate` a challenge. */
export function refuse({ refusal, requestId, challenges, members = {} }: Refused): Response {
  const { status } = refusal;
  const challengeId = challenges[0]?.id;
  const problem = Problem.from(refusal, {
    ...members,
    requestId,
    ...(challengeId === undefined ? {} : { challengeId }),
  });
  const headers = new Headers({ "Content-Type": Problem.CONTENT_TYPE, "Cache-Control": "no-store" });
  for (const challenge of challenges) headers.append("WWW-Authenticate", Challenge.format(challenge));
  const retryAfter = retrySeconds(refusal);
  if (retryAfter !== undefined) headers.set("Retry-After", String(retryAfter));
  return new Response(JSON.stringify(problem), { status, headers });
}

function retrySeconds({ status, members }: RefusedError): number | undefined {
  const said = members.retryAfterSeconds;
  return typeof said === "number" && Number.isSafeInteger(said) && said >= 0 ? said : RETRY_AFTER[status];
}

/**
 * Whether `Accept` asks for HTML rather than JSON: `text/html` stands in it, and neither a JSON type nor the wildcard
 * stands above it. Browsers do that; `fetch`, curl and agents do not.
 */
export function prefersHtml(accept: string | null): boolean {
  if (accept === null) return false;
  const ranges = new Map(accept.split(",").map(weighted));
  const html = ranges.get("text/html") ?? 0;
  const others = ["application/problem+json", "application/json", "*/*"].map((type) => ranges.get(type) ?? 0);
  return html > 0 && others.every((q) => q < html);
}

function weighted(range: string): [type: string, q: number] {
  const [type = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
  const q = parameters.find((parameter) => parameter.startsWith("q="));
  const weight = q === undefined ? 1 : Number(q.slice(2));
  return [type, Number.isFinite(weight) ? weight : 0];
}
