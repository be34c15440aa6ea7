// The agent behind `curl`, `sessions` and `validate --pay`: its wallet, its books on disk, and limits from the options.
import { createInterface } from "node:readline/promises";
import {
  type Agent,
  BudgetExceededError,
  type BudgetLimits,
  type Confirmation,
  ConfirmDeclinedError,
  createAgent,
  NotPaidError,
  PaymentPendingError,
  PaymentRefusedError,
  type Progress,
} from "@mppsol/agent";
import { CliError, EXIT, usage } from "./exit.js";
import { defaultKeypairPath, home, readKeypair } from "./home.js";
import { money } from "./money.js";
import { type Cluster, USDC } from "./network.js";
import type { Output } from "./output.js";
import { units } from "./units.js";

export interface PayOptions {
  readonly keypair?: string;
  /** USDC, decimal: most for one request. */
  readonly max: string;
  /** USDC, decimal: most that is locked in channels. */
  readonly maxDeposit: string;
  /** SOL, decimal: most for one request. */
  readonly maxSol?: string;
  /** MINT=MAX, base units. */
  readonly token?: readonly string[];
  readonly prefer?: string;
  readonly yes?: boolean;
}

/** Made per command; `close` must be called, and keeps the sessions. */
export function walletAgent(options: PayOptions, cluster: Cluster, out: Output, memory = false): Agent {
  const { network, connection } = cluster;
  const keypair = readKeypair(options.keypair ?? defaultKeypairPath());
  const ask = network === "mainnet" && options.yes !== true;
  return createAgent({
    signer: keypair,
    rpc: connection,
    network,
    budget: budget(options, network, ask),
    ...(memory ? {} : { store: `${home()}/agents/${network}/${keypair.publicKey.toBase58()}` }),
    ...(options.prefer === undefined ? {} : { prefer: prefer(options.prefer) }),
    confirm: (payment) => (ask ? confirm(payment, out) : true),
    onProgress: (event) => out.progress(progress(event, network)),
    onWarning: (message) => out.warn(message),
  });
}

function budget(options: PayOptions, network: Cluster["network"], ask: boolean): BudgetLimits {
  const confirmAbove = ask ? { confirmAbove: 0n } : {};
  const usdc = { perRequest: units(options.max, 6, "--max"), deposit: units(options.maxDeposit, 6, "--max-deposit") };
  const sol =
    options.maxSol === undefined ? {} : { sol: { perRequest: units(options.maxSol, 9, "--max-sol"), ...confirmAbove } };
  const tokens = Object.fromEntries((options.token ?? []).map((text) => [...token(text, confirmAbove)]));
  return { [USDC[network]]: { ...usdc, ...confirmAbove }, ...sol, ...tokens };
}

function token(text: string, confirmAbove: object): [string, { perRequest: bigint; deposit: bigint }] {
  const match = /^([1-9A-HJ-NP-Za-km-z]{32,44})=(\d{1,19})$/.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) throw usage(`--token ${text}: write MINT=MAX, base units`);
  return [match[1], { perRequest: BigInt(match[2]), deposit: BigInt(match[2]), ...confirmAbove }];
}

function prefer(text: string): "charge" | "session" {
  if (text === "charge" || text === "session") return text;
  throw usage(`--prefer ${text}: charge or session`);
}

/** Somebody at a terminal is asked; nobody else can say yes. */
async function confirm({ kind, amount, asset, recipients, url }: Confirmation, out: Output): Promise<boolean> {
  const what = kind === "deposit" ? "Lock" : "Pay";
  const sum = money(amount, asset, "mainnet");
  if (!process.stdin.isTTY) {
    out.warn(`${url} asks for ${sum} on mainnet; --yes pays without asking`);
    return false;
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(?:es)?$/i.test((await terminal.question(`${what} ${sum} to ${recipients.join(", ")}? [y/N] `)).trim());
  } finally {
    terminal.close();
  }
}

/** One line an event. */
export function progress(event: Progress, network: Cluster["network"]): string {
  switch (event.step) {
    case "paid":
      return `paid ${money(event.amount, event.asset, network)}: ${event.reference}`;
    case "voucher":
      return `voucher for ${money(event.cumulativeAmount, event.asset, network)} in all on ${event.channelId}`;
    case "opening":
    case "opened":
    case "topup":
      return `${event.step} ${event.channelId} ${money(event.amount, event.asset, network)}`;
    case "building":
    case "signing":
    case "signed":
    case "paying":
      return `${event.step} (${event.intent})`;
    case "closing":
    case "closed":
    case "left":
      return `${event.step} ${event.channelId}`;
  }
}

/** An agent's error as an ending of the command: declined, pending, or failed. */
export function payEnding(error: unknown, { network }: Cluster): unknown {
  if (error instanceof BudgetExceededError) {
    return new CliError(overBudget(error, network), EXIT.declined, error.code, { cause: error });
  }
  if (error instanceof NotPaidError || error instanceof ConfirmDeclinedError) {
    return new CliError(error.message, EXIT.declined, error.code, { cause: error });
  }
  const unknown = error instanceof PaymentRefusedError && error.fate === "unknown";
  if (error instanceof PaymentPendingError || unknown) {
    return new CliError(error.message, EXIT.pending, error.code, { cause: error });
  }
  return error;
}

/** What the budget says, and the option that raises it. */
function overBudget({ asset, limit, requested, available }: BudgetExceededError, network: Cluster["network"]): string {
  const [sum, left] = [money(requested, asset, network), money(available, asset, network)];
  const whole = asset === USDC[network] ? (limit === "deposit" ? "--max-deposit" : "--max") : "--token";
  const option = asset === "sol" ? "--max-sol" : whole;
  return `${sum} is over the budget per ${limit}, which has ${left} left; ${option} raises it`;
}
