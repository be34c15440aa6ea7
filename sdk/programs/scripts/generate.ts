// Writes src/generated/<program>.ts from artifacts/<program>.json; with --check only says what would change and
// exits 1. --from and --to name other folders. A flag that means nothing: one line, exit 2.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Idl } from "@coral-xyz/anchor";
import idlModule from "@coral-xyz/anchor/dist/cjs/idl.js";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const { check, from, to } = flags();

function flags() {
  try {
    const { values } = parseArgs({
      options: {
        check: { type: "boolean", default: false },
        from: { type: "string", default: join(root, "artifacts") },
        to: { type: "string", default: join(root, "sdk/programs/src/generated") },
      },
    });
    if (existsSync(values.from)) return values;
    throw new Error(`there is no folder ${values.from}`);
  } catch (error) {
    process.stderr.write(`generate: ${(error as Error).message.split(/\. |\.?\n/)[0]}\n`);
    process.exit(2);
  }
}

/** The module for one IDL: its type in camelCase, as `Program` sees it, and the IDL itself. */
function render(file: string, idl: Idl): string {
  const camel = idlModule.convertIdlToCamelCase(idl);
  const name = camel.metadata.name;
  const type = name.charAt(0).toUpperCase() + name.slice(1);
  return [
    `// The interface of ${idl.metadata.name}. Generated from artifacts/${file} by scripts/generate.ts; do not edit.`,
    "",
    "/** The IDL in camelCase, for `Program<…>`. Only a type: at run time `Program` converts the IDL below. */",
    `export type ${type} = ${JSON.stringify(camel, null, 2)};`,
    "",
    "/** The IDL as Anchor prints it. */",
    `export const ${name}Idl = ${JSON.stringify(idl, null, 2)};`,
    "",
  ].join("\n");
}

/** Whether a JSON file among the artifacts is an IDL. */
function isIdl(value: unknown): value is Idl {
  return typeof value === "object" && value !== null && "instructions" in value && "metadata" in value;
}

function wanted(): Map<string, string> {
  const files = readdirSync(from).filter((file) => file.endsWith(".json"));
  const modules = new Map<string, string>();
  for (const file of files.sort()) {
    const idl: unknown = JSON.parse(readFileSync(join(from, file), "utf8"));
    if (isIdl(idl)) modules.set(`${basename(file, ".json")}.ts`, render(file, idl));
  }
  return modules;
}

function main(): number {
  mkdirSync(to, { recursive: true });
  const modules = wanted();
  const stale = readdirSync(to).filter((file) => file.endsWith(".ts") && !modules.has(file));
  const changed = [...modules].filter(([file, text]) => {
    const path = join(to, file);
    return !existsSync(path) || readFileSync(path, "utf8") !== text;
  });
  const shown = (file: string) => relative(root, join(to, file));
  for (const file of stale)
    console.log(`${shown(file)} has no IDL in ${relative(root, from)}: build it or remove this file`);
  for (const [file, text] of changed) {
    if (check) console.log(`${shown(file)} differs from what ${relative(root, from)} gives: run \`npm run generate\``);
    else {
      writeFileSync(join(to, file), text);
      console.log(`wrote ${shown(file)}`);
    }
  }
  if (check && stale.length + changed.length === 0) {
    console.log(`${modules.size} clients in ${relative(root, to)} are what ${relative(root, from)} gives`);
  }
  return stale.length > 0 || (check && changed.length > 0) ? 1 : 0;
}

process.exitCode = main();
