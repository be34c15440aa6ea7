// `mppsol curl`: one HTTP request that is paid for when the server asks, within limits.
import { readFileSync, writeFileSync } from "node:fs";
import { type Agent, paymentOf } from "@mppsol/agent";
import { Command } from "commander";
import { CliError, EXIT, usage } from "../exit.js";
import { cluster } from "../network.js";
import type { Output } from "../output.js";
import { type PayOptions, payEnding, walletAgent } from "../wallet-agent.js";
import { type Common, type Context, httpUrl, output, withCluster, withJson, withKeypair } from "./context.js";

interface Options extends Common, Omit<PayOptions, "keypair"> {
  readonly request?: string;
  readonly header: readonly string[];
  readonly data?: string;
  readonly output?: string;
  readonly include?: boolean;
}

/** The options that limit what a command may pay. */
export function withLimits(command: Command): Command {
  return command
    .option("--max <usdc>", "most to pay for one request, in USDC", "0.10")
    .option("--max-deposit <usdc>", "most to lock in payment channels, in USDC", "1")
    .option("--max-sol <sol>", "also pay in SOL, at most this for one request")
    .option("--token <mint=max>", "also pay in this token, at most so many base units; may be repeated", collect, []);
}

export function curlCommand(context: Context): Command {
  const command = new Command("curl")
    .description("request a URL and pay for it when it costs; sessions stay open for the next call")
    .argument("<url>", "http:// where it names no scheme")
    .option("-X, --request <method>", "method (default: GET, or POST with --data)")
    .option("-H, --header <line>", "header, as `Name: value`; may be repeated", collect, [])
    .option("-d, --data <text>", "body; @FILE reads a file, @- standard input")
    .option("-o, --output <file>", "write the body to a file")
    .option("-i, --include", "print status and headers too")
    .option("-s, --silent", "no progress (there is none but on a terminal)");
  command
    .option("--prefer <intent>", "charge or session, where a server takes both")
    .option("-y, --yes", "on mainnet: pay without asking");
  return withLimits(withJson(withCluster(withKeypair(command)))).action(async (given: string, options: Options) => {
    const url = httpUrl(given, "curl");
    const init = await request(options, context);
    const out = output(context, options);
    const at = cluster(options);
    const agent = walletAgent(options, at, out);
    try {
      await fetchAndPrint(agent, url, init, options, out);
    } catch (error) {
      throw payEnding(error, at);
    } finally {
      await agent.close({ keepSessions: true });
    }
  });
}

async function request(options: Options, context: Context): Promise<RequestInit> {
  const headers = new Headers();
  for (const line of options.header) {
    const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):\s*(.*)$/.exec(line);
    if (match?.[1] === undefined) throw usage(`-H ${line}: write Name: value`);
    headers.append(match[1], match[2] ?? "");
  }
  const body = options.data === undefined ? undefined : await data(options.data, context);
  const method = options.request ?? (body === undefined ? "GET" : "POST");
  return { method, headers, ...(body === undefined ? {} : { body }) };
}

async function data(text: string, context: Context): Promise<string | Uint8Array<ArrayBuffer>> {
  if (!text.startsWith("@")) return text;
  if (text === "@-") return context.stdin();
  try {
    return Uint8Array.from(readFileSync(text.slice(1)));
  } catch {
    throw usage(`-d ${text}: the file cannot be read`);
  }
}

async function fetchAndPrint(
  agent: Agent,
  url: string,
  init: RequestInit,
  options: Options,
  out: Output,
): Promise<void> {
  const response = await answer(agent, url, init);
  const payment = paymentOf(response);
  if (out.json) await printJson(response, payment?.receipt ?? null, options, out);
  else await print(response, options, out);
  if (payment?.receiptProblem !== undefined) out.warn(`the receipt is not of this payment: ${payment.receiptProblem}`);
  if (!response.ok) throw new CliError(`${url} answered ${response.status}`, EXIT.failed, "http-status");
}

/** As the agent's fetch; says who does not answer, and why. */
async function answer(agent: Agent, url: string, init: RequestInit): Promise<Response> {
  try {
    return await agent.fetch(url, init);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const why = error.cause instanceof Error ? error.cause.message : error.message;
    throw new CliError(`${new URL(url).origin} does not answer: ${why}`, EXIT.failed, "unreachable", { cause: error });
  }
}

async function print(response: Response, options: Options, out: Output): Promise<void> {
  if (options.include === true) out.raw(head(response));
  if (options.output !== undefined) {
    writeFileSync(options.output, Buffer.from(await response.arrayBuffer()));
    return;
  }
  if (response.body !== null) for await (const chunk of response.body) out.raw(chunk);
}

async function printJson(response: Response, receipt: object | null, options: Options, out: Output): Promise<void> {
  const body = Buffer.from(await response.arrayBuffer());
  if (options.output !== undefined) writeFileSync(options.output, body);
  const text = body.toString("utf8");
  const lossless = Buffer.from(text, "utf8").equals(body);
  out.result(
    {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      ...(options.output !== undefined ? {} : lossless ? { body: text } : { bodyBase64: body.toString("base64") }),
      receipt: receipt === null ? null : { ...receipt },
    },
    [],
  );
}

function head(response: Response): string {
  const headers = [...response.headers].map(([name, value]) => `${name}: ${value}\n`);
  return `HTTP ${response.status} ${response.statusText}\n${headers.join("")}\n`;
}

function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}
