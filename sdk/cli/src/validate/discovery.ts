// Rules of discovery (draft-payment-discovery-00): what a server says of itself before anybody pays.
import { Discovery } from "@mppsol/core";
import type { Checks } from "./checks.js";
import { ask, json } from "./http.js";

/** Looks at `/openapi.json` and `/llms.txt`; the paid operations that can be asked for as they are. */
export async function checkDiscovery(checks: Checks, origin: string): Promise<Discovery.PaidOperation[]> {
  const answer = await ask(`${origin}${Discovery.PATH}`);
  if (!checks.should("discovery-found", "/openapi.json is served", answer.status === 200, `status ${answer.status}`)) {
    return [];
  }
  const document = json(answer);
  if (!checks.must("discovery-json", "/openapi.json is JSON", document !== undefined, "it cannot be parsed")) return [];
  const { operations, findings } = Discovery.validate(document);
  const errors = findings.filter(({ severity }) => severity === "error");
  const warnings = findings.filter(({ severity }) => severity === "warning");
  checks.must("discovery-valid", "/openapi.json follows the discovery draft", errors.length === 0, list(errors));
  checks.should("discovery-complete", "/openapi.json says all that it should", warnings.length === 0, list(warnings));
  const caching = answer.headers.get("cache-control");
  checks.should("discovery-caching", "/openapi.json may be cached for a while", caching !== null, "no Cache-Control");
  const llms = await ask(`${origin}/llms.txt`);
  checks.should("llms-found", "/llms.txt is served", llms.status === 200, `status ${llms.status}`);
  return operations;
}

function list(findings: readonly Discovery.Finding[]): string {
  return findings.map(({ path, message }) => `${path}: ${message}`).join("; ");
}
