// `mppsol sessions`: the payment channels that `curl` has open, and closing them.
import type { Agent, ChannelInfo, CloseOutcome, ForcedClose } from "@mppsol/agent";
import { Command } from "commander";
import { CliError, EXIT, usage } from "../exit.js";
import { money } from "../money.js";
import { cluster } from "../network.js";
import { toJsonValue } from "../output.js";
import { type PayOptions, payEnding, walletAgent } from "../wallet-agent.js";
import { type Common, type Context, output, withCluster, withJson, withKeypair } from "./context.js";

interface CloseOptions extends Common {
  readonly all?: boolean;
  readonly force?: boolean;
  readonly wait?: boolean;
}

/** Nothing is bought here. */
const NOTHING: PayOptions = { max: "0", maxDeposit: "0" };

export function sessionsCommand(context: Context): Command {
  const sessions = new Command("sessions").description("open payment channels of the wallet");
  sessions.addCommand(listCommand(context));
  sessions.addCommand(closeCommand(context));
  return sessions;
}

function listCommand(context: Context): Command {
  return withJson(withCluster(withKeypair(new Command("list"))))
    .description("channels, as last known; nothing is asked of chain or sellers")
    .action(async (options: Common) => {
      const out = output(context, options);
      const agent = walletAgent({ ...NOTHING, ...keypair(options) }, cluster(options), out);
      try {
        const channels = await agent.sessions();
        out.result(toJsonValue(channels), channels.length === 0 ? ["no open sessions"] : channels.flatMap(show));
      } finally {
        await agent.close({ keepSessions: true });
      }
    });
}

function closeCommand(context: Context): Command {
  return withJson(withCluster(withKeypair(new Command("close"))))
    .description("ask sellers to close: they are paid what was used, the rest of the deposit comes back")
    .argument("[channel]", "channel id; or --all")
    .option("--all", "every channel")
    .option("--force", "leave without the seller, at the wallet's own cost (SOL); call again after the grace period")
    .option("--wait", "with --force: wait for the grace period and finish")
    .action(async (channelId: string | undefined, options: CloseOptions) => {
      if ((channelId === undefined) === (options.all !== true))
        throw usage("sessions close: name one channel, or --all");
      if (options.wait === true && options.force !== true) throw usage("sessions close: --wait goes with --force");
      const out = output(context, options);
      const agent = walletAgent({ ...NOTHING, ...keypair(options) }, cluster(options), out);
      try {
        const known = (await agent.sessions()).filter(
          (channel) => options.all === true || channel.channelId === channelId,
        );
        if (known.length === 0 && channelId !== undefined) {
          throw new CliError(`this wallet has no channel ${channelId}`, EXIT.failed, "channel-unknown");
        }
        const outcomes: (CloseOutcome | ForcedClose)[] = [];
        for (const channel of known) {
          if (options.force === true) outcomes.push(await leave(agent, channel.channelId, options.wait === true));
          else outcomes.push(...(await agent.closeSessions({ channelId: channel.channelId })));
        }
        const lines = outcomes.map((outcome) => line(outcome, known, options.force === true));
        out.result(outcomes.map(json), outcomes.length === 0 ? ["no open sessions"] : lines);
        if (outcomes.some(({ kind }) => kind === "left")) throw new CliError("", EXIT.failed, "left");
      } catch (error) {
        throw payEnding(error, cluster(options));
      } finally {
        await agent.close({ keepSessions: true });
      }
    });
}

/** What became of it, also where it failed: with several, the others are told of all the same. */
async function leave(agent: Agent, channelId: string, wait: boolean): Promise<CloseOutcome | ForcedClose> {
  try {
    return await agent.forceClose(channelId, { wait });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { kind: "left", channelId, error };
  }
}

function keypair(options: Common): { keypair?: string } {
  return options.keypair === undefined ? {} : { keypair: options.keypair };
}

function show(channel: ChannelInfo): string[] {
  const { channelId, status, origin, deposit, signed, spent, mint, network } = channel;
  const sum = (amount: bigint) => money(amount, mint, network);
  return [
    `${channelId}  ${status}  ${origin}`,
    `  spent       ${sum(spent)}`,
    `  signed for  ${sum(signed)}`,
    `  deposited   ${sum(deposit)}`,
    ...(channel.distrusted === undefined ? [] : [`  not used any more: ${channel.distrusted}`]),
  ];
}

function json(outcome: CloseOutcome | ForcedClose) {
  if (outcome.kind !== "left") return toJsonValue(outcome);
  const code = "code" in outcome.error ? String(outcome.error.code) : "failed";
  return { kind: "left", channelId: outcome.channelId, error: { code, message: outcome.error.message } };
}

function line(outcome: CloseOutcome | ForcedClose, known: readonly ChannelInfo[], forced: boolean): string {
  const { channelId } = outcome;
  if (outcome.kind === "left") {
    if (forced) return `${outcome.error.message}; the channel is still there, call this again`;
    return `${outcome.error.message}; try again, or leave without the seller: mppsol sessions close ${channelId} --force`;
  }
  if (outcome.kind === "waiting") {
    const when = new Date(outcome.sealableAt * 1000).toISOString();
    return `${channelId} can be emptied at ${when}: call this again then`;
  }
  const channel = known.find((one) => one.channelId === channelId);
  if (outcome.refunded === undefined || channel === undefined) return `${channelId} closed`;
  return `${channelId} closed, ${money(outcome.refunded, channel.mint, channel.network)} back`;
}
