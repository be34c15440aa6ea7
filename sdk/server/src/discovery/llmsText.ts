// `/llms.txt`: the same as the OpenAPI document, for a language model to read.
import type { Discovery } from "@mppsol/core";
import { money } from "../money.js";

/** Markdown, one line an operation. */
export function llmsText(
  { title, description, url, docs = {} }: Omit<Discovery.Service, "operations">,
  operations: readonly Discovery.Operation[],
): string {
  const links = [
    ["API description", `${url ?? ""}/openapi.json`],
    ["Documentation", docs.homepage],
    ["Reference", docs.apiReference],
  ].flatMap(([name, target]) => (target === undefined ? [] : [`- [${name}](${target})`]));
  return [
    `# ${line(title)}`,
    ...(description === undefined ? [] : [`> ${line(description)}`]),
    [
      "Operations below are paid for per request, on Solana. Without payment they answer 402 with a challenge in",
      "`WWW-Authenticate: Payment …`; the same request with the credential in `Authorization` is served.",
      "From a terminal: `mppsol curl URL`.",
    ].join("\n"),
    "## Paid operations",
    operations.map(operationLine).join("\n"),
    "## More",
    links.join("\n"),
    "",
  ]
    .join("\n\n")
    .trimEnd()
    .concat("\n");
}

function operationLine({ method, path, summary, description, offers }: Discovery.Operation): string {
  const what = summary ?? description;
  const prices = offers.map(price).join(", or ");
  return `- \`${method.toUpperCase()} ${path}\`${what === undefined ? "" : ` — ${line(what)}`}: ${prices}`;
}

function price({ intent, amount, currency, description }: Discovery.Offer): string {
  const said =
    amount === null ? "a price that depends on the request" : money(amount, currency ?? "an unnamed currency");
  const note = description === undefined ? "" : ` (${line(description)})`;
  return `${said} by ${intent}${note}`;
}

/** Text of one line: what it says must not begin a heading or a list of its own. */
function line(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}
