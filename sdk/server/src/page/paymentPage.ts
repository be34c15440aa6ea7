// The 402 for people in a browser: what it costs, whom it goes to, and a way to pay. One self-contained document that asks
// no other server for anything.
import { createHash } from "node:crypto";
import { Challenge, ChargeRequest, InvalidFieldError, type RefusedError, SessionRequest } from "@mppsol/core";
import { money } from "../money.js";
import { Html, html, json } from "./html.js";
import { SCRIPT } from "./script.js";
import { STYLE } from "./style.js";

/** What the script needs of a challenge that a wallet can pay. */
interface Payable {
  readonly challenge: Challenge.Challenge;
  readonly request: unknown;
}

const CSP = [
  "default-src 'none'",
  `script-src 'sha256-${sha256(SCRIPT)}'`,
  `style-src 'sha256-${sha256(STYLE)}'`,
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** The page of a refusal. Its status and challenges are the caller's. */
export function paymentPage(challenges: readonly Challenge.Challenge[], refusal: RefusedError): Response {
  const payable = challenges.flatMap(payableOf);
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Payment required</title>
${element("style", STYLE)}
</head>
<body>
<main>
<h1>Payment required</h1>
${refusal.code === "payment-required" ? undefined : html`<p class="refusal">${refusal.detail}</p>`}
${challenges.map(offer)}
<section id="wallet" hidden>
<h2>Pay with a wallet</h2>
<p id="wallets"></p>
</section>
<p id="status" role="status"></p>
<pre id="result" hidden></pre>
<section>
<h2>Pay from a terminal</h2>
<pre id="command">mppsol curl URL</pre>
</section>
</main>
<script type="application/json" id="payment">${json(payable)}</script>
${element("script", SCRIPT)}
</body>
</html>
`;
  return new Response(page.text, {
    status: 402,
    headers: {
      "Content-Type": "text/html; charset=utf-8",
      "Content-Security-Policy": CSP,
      "Referrer-Policy": "no-referrer",
      "X-Content-Type-Options": "nosniff",
    },
  });
}

/** Our own code, whose hash is in the policy: it must stand there to the byte. */
function element(name: "script" | "style", content: string): Html {
  return new Html(`<${name}>${content}</${name}>`);
}

function offer(challenge: Challenge.Challenge): Html {
  const rows = rowsOf(challenge);
  return html`<section>
<h2>${challenge.description ?? title(challenge)}</h2>
<dl>
${rows.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>\n`)}</dl>
</section>
`;
}

function title({ method, intent }: Challenge.Challenge): string {
  if (method !== "solana") return `${method} ${intent}`;
  return intent === "charge" ? "One payment" : "Pay as you go";
}

function rowsOf(challenge: Challenge.Challenge): [name: string, value: string][] {
  const { realm, expires } = challenge;
  return [
    ...requestRows(challenge),
    ["Asked by", realm],
    ...(expires === undefined ? [] : ([["Valid until", expires]] as [string, string][])),
  ];
}

function requestRows(challenge: Challenge.Challenge): [name: string, value: string][] {
  const charge = read(challenge, "charge", ChargeRequest.fromJson);
  if (charge !== undefined) {
    const { amount, currency, decimals, recipient, network, splits, feePayer } = charge;
    return [
      ["Price", money(amount, currency, decimals)],
      ["To", recipient],
      ...splits.map((split): [string, string] => [
        "Of it to",
        `${split.recipient}: ${money(split.amount, currency, decimals)}`,
      ]),
      ["Asset", currency === ChargeRequest.SOL ? "SOL" : currency],
      ["Network", `Solana ${network}`],
      ["Network fee", feePayer ? "paid by the seller" : "paid by you"],
    ];
  }
  const session = read(challenge, "session", SessionRequest.fromJson);
  if (session === undefined) return [];
  const { amount, currency, decimals, recipient, network, unitType } = session;
  return [
    ["Price", `${money(amount, currency, decimals)} for each ${unitType ?? "request"}`],
    ["To", recipient],
    ["Asset", currency],
    ["Network", `Solana ${network}`],
    ["How", "a deposit in escrow, of which the rest comes back"],
  ];
}

/** Charges that a wallet can pay: it needs a blockhash, and makes no confidential transfers. */
function payableOf(challenge: Challenge.Challenge): Payable[] {
  const request = read(challenge, "charge", ChargeRequest.fromJson);
  if (request === undefined || request.confidential === true || request.recentBlockhash === undefined) return [];
  if (request.currency !== ChargeRequest.SOL && request.tokenProgram === undefined) return [];
  return [{ challenge, request: Challenge.requestOf(challenge) }];
}

/** The request of a challenge of this intent; undefined for another one's, or another method's. */
function read<T>(challenge: Challenge.Challenge, intent: string, fromJson: (value: unknown) => T): T | undefined {
  if (challenge.method !== "solana" || challenge.intent !== intent) return undefined;
  try {
    return fromJson(Challenge.requestOf(challenge));
  } catch (error) {
    if (error instanceof InvalidFieldError) return undefined;
    throw error;
  }
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("base64");
}
