// `mppsol validate`: holds any MPP server against the drafts, and against the chain it says it is paid on.
import { type Agent, NotPaidError } from "@mppsol/agent";
import type { Discovery } from "@mppsol/core";
import { Command } from "commander";
import { CliError, EXIT, usage } from "../exit.js";
import { type Cluster, cluster } from "../network.js";
import type { Output } from "../output.js";
import { checkRequest } from "../validate/chain.js";
import { checkChallenge, type Target } from "../validate/challenge.js";
import { type Check, Checks } from "../validate/checks.js";
import { checkDiscovery } from "../validate/discovery.js";
import { checkPayment } from "../validate/pay.js";
import { type PayOptions, payEnding, walletAgent } from "../wallet-agent.js";
import { type Common, type Context, httpUrl, output, withCluster, withJson, withKeypair } from "./context.js";
import { withLimits } from "./curl.js";

interface Options extends Common, Omit<PayOptions, "keypair"> {
  readonly method: string;
  readonly pay?: boolean;
}

const MARKS: Readonly<Record<Check["outcome"], string>> = { pass: "ok  ", fail: "FAIL", warn: "warn", skip: "skip" };

export function validateCommand(context: Context): Command {
  return withLimits(withJson(withCluster(withKeypair(new Command("validate")))))
    .description(
      "check an MPP server: discovery, challenges, refusals, and what it asks for on the chain; with --pay also real " +
        "payments (charge and session) on localnet or devnet",
    )
    .argument("<url>", "the paid resource, or the server's root, whose /openapi.json then names the resources")
    .option("--method <method>", "method of the paid resource", "GET")
    .option("--pay", "pay for real with the wallet, try a replay, and check the money on the chain; never on mainnet")
    .action(async (given: string, options: Options) => {
      const url = httpUrl(given, "validate");
      const at = cluster(options);
      if (options.pay === true && at.network === "mainnet") throw usage("validate: --pay is for localnet and devnet");
      const out = output(context, options);
      const checks = new Checks((check) => out.progress(line(check)));
      const agents = options.pay === true ? payers(options, at, out) : undefined;
      try {
        await validate(checks, url, options, at, agents);
      } catch (error) {
        throw payEnding(error, at);
      } finally {
        for (const agent of Object.values(agents ?? {})) await agent.close();
      }
      const { all, passed } = checks;
      const counts = { pass: checks.count("pass"), fail: checks.count("fail"), warn: checks.count("warn") };
      out.result({ url, passed, ...counts, checks: all.map((check) => ({ ...check })) }, [
        ...all.map(line),
        `${counts.pass} passed, ${counts.fail} failed, ${counts.warn} suggested`,
      ]);
      if (!passed) throw new CliError("", EXIT.failed, "invalid");
      if (all.some(({ id, outcome }) => id === "pay" && outcome === "skip"))
        throw new CliError("", EXIT.declined, "declined");
    });
}

interface Payers {
  readonly charge: Agent;
  readonly session: Agent;
}

/** An agent a way to pay: each is held to its own, and keeps nothing. */
function payers(options: Options, at: Cluster, out: Output): Payers {
  const agent = (prefer: "charge" | "session") => walletAgent({ ...options, prefer }, at, out, true);
  return { charge: agent("charge"), session: agent("session") };
}

async function validate(checks: Checks, url: string, options: Options, at: Cluster, agents?: Payers): Promise<void> {
  const operations = await checkDiscovery(checks, new URL(url).origin);
  const targets = choose(url, options.method.toUpperCase(), operations);
  if (targets.length === 0) {
    throw usage(
      `validate: ${url} names no paid resource, and no discovery document does; name one, as http://host/path`,
    );
  }
  for (const target of targets) {
    for (const challenge of await checkChallenge(checks, target)) {
      if (challenge.method !== "solana") continue;
      const payable = await checkRequest(checks, challenge, at);
      if (payable && agents !== undefined) {
        const agent = challenge.intent === "charge" ? agents.charge : agents.session;
        await checkPayment(checks, agent, target, challenge, at).catch((error: unknown) => {
          if (!(error instanceof NotPaidError)) throw error;
          checks.skip("pay", `${challenge.intent}: it can be paid`, error.message);
        });
      }
    }
  }
}

/** The resource that was named; for a bare root, the paid operations that need no parameters. */
function choose(url: string, method: string, operations: readonly Discovery.PaidOperation[]): Target[] {
  const { origin, pathname } = new URL(url);
  if (pathname !== "/" || operations.some(({ path }) => path === "/")) return [{ url, method }];
  return operations
    .filter(({ path }) => !path.includes("{"))
    .map((operation) => ({ url: `${origin}${operation.path}`, method: operation.method }));
}

function line({ outcome, rule, detail }: Check): string {
  const seen = detail === undefined || detail === "" ? "" : ` (seen: ${detail})`;
  return `${MARKS[outcome]} ${rule}${seen}`;
}
