// The page of the `mppsol` command in the API reference, made of what `--help` prints.
//
//   tsx tools/docs/commands.ts          prints it
//   tsx tools/docs/commands.ts FOLDER   puts it into the reference there, and a link to it into its README.md
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { program } from "../../sdk/cli/src/program.ts";

const WIDTH = 100;
const LINK = "- [mppsol](mppsol/README.md), the command\n";

/** One section a command, in the order of `--help`. */
export function commandsPage(): string {
  let help = "";
  const root = program({
    streams: {
      out: (text) => {
        help += text;
      },
      err: () => undefined,
      terminal: false,
      shared: false,
    },
    now: Date.now,
    stdin: async () => "",
  });
  const section = (command: typeof root, path: string): string[] => {
    help = "";
    command.configureOutput({ getOutHelpWidth: () => WIDTH });
    command.outputHelp();
    const text = help.trimEnd();
    return [`## ${path}`, "", "```text", text, "```", "", ...inner(command, path)];
  };
  const inner = (command: typeof root, path: string): string[] =>
    command.commands.flatMap((one) => section(one, `${path} ${one.name()}`));
  return ["# mppsol", "", "What `--help` prints, command by command.", "", ...section(root, "mppsol")].join("\n");
}

/** Exit code: 0 done, 2 wrong arguments. */
export function main(args: readonly string[], print: (line: string) => void = console.log): number {
  const [folder, ...rest] = args;
  if (rest.length > 0 || folder?.startsWith("-") === true) {
    print("usage: commands.ts [FOLDER]");
    return 2;
  }
  if (folder === undefined) {
    print(commandsPage());
    return 0;
  }
  mkdirSync(join(folder, "mppsol"), { recursive: true });
  writeFileSync(join(folder, "mppsol", "README.md"), commandsPage());
  const index = join(folder, "README.md");
  const text = readFileSync(index, "utf8");
  if (!text.includes(LINK)) writeFileSync(index, `${text.trimEnd()}\n${LINK}`);
  return 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = main(process.argv.slice(2));
