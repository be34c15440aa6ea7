// `mppsol inspect`: what is this header, credential, voucher, transaction or channel, and what is wrong with it.
import { Command } from "commander";
import { CliError, EXIT } from "../exit.js";
import { inspect } from "../inspect/detect.js";
import { type Report, toJson } from "../inspect/report.js";
import { cluster } from "../network.js";
import { lines, toJsonValue } from "../output.js";
import { type Common, type Context, output, withCluster, withJson } from "./context.js";

interface Options extends Common {
  readonly secret?: string;
  readonly reveal?: boolean;
}

export function inspectCommand(context: Context): Command {
  return withJson(withCluster(new Command("inspect")))
    .description(
      "decode a header value, challenge, credential, receipt, voucher, transaction, channel address or signature; " +
        "exit code 1 and the reasons when it is invalid",
    )
    .argument("[text]", "what to inspect; `-` or nothing reads standard input")
    .option("--secret <secret>", "also check that a challenge's id was made with this secret (or $MPPSOL_SECRET)")
    .option("--reveal", "show bearer proofs, which are secrets")
    .action(async (text: string | undefined, options: Options) => {
      const given = text === undefined || text === "-" ? await context.stdin() : text;
      const secret = options.secret ?? process.env.MPPSOL_SECRET;
      const reports = await inspect(given, { now: context.now(), secret, reveal: options.reveal === true }, () =>
        cluster(options),
      );
      const json = reports.map(toJson);
      const [only] = json;
      output(context, options).result(json.length === 1 && only !== undefined ? only : json, reports.flatMap(show));
      if (reports.some(({ problems }) => problems.length > 0)) throw new CliError("", EXIT.failed, "invalid");
    });
}

function show({ kind, members, problems }: Report): string[] {
  return [
    kind,
    ...lines(toJsonValue(members), "  "),
    problems.length === 0 ? "  valid" : "  INVALID:",
    ...problems.map(({ code, message }) => `    ${code}: ${message}`),
  ];
}
