// The arguments of the command.
import { parseArgs } from "node:util";

export const PARTS = ["policy", "settlements", "vouchers", "soak", "instances"] as const;
export type Part = (typeof PARTS)[number];

export const HELP = `Usage: npm run bench:facilitator [-- options]

Measures the facilitator, prints tables, and writes bench/facilitator.json and the tables of bench/README.md.

  --only PARTS        of ${PARTS.join(", ")}; comma separated; the others stay as they are
  --seconds N         of each loop (default 20)
  --rate N            settlements a second in the open loop (default: 60 % of what went)
  --voucher-rate N    vouchers a second in the open loop (default: 60 % of what went)
  --soak-minutes N    (default 10)
  --soak-rate N       requests a second (default 100)
  --slot-ms N         of the embedded chain, for settlements and soak (default 400)
  --out FILE          instead of bench/facilitator.json; the README stays as it is
  --dry               everything, but short; writes nothing unless --out says where
  --help              print this
`;

/** An argument that means nothing, in one line. */
export class BadArgument extends Error {}

export interface Arguments {
  readonly parts: readonly Part[];
  readonly seconds: number;
  readonly rate: number | undefined;
  readonly voucherRate: number | undefined;
  readonly soakMinutes: number;
  readonly soakRate: number;
  readonly slotMs: number;
  readonly out: string | undefined;
  readonly dry: boolean;
}

/** @throws {BadArgument} */
export function readArguments(args: readonly string[]): Arguments | "help" {
  const values = parse(args);
  if (values.help) return "help";
  const { dry = false, out } = values;
  return {
    parts: partsOf(values.only),
    seconds: above0("--seconds", values.seconds) ?? (dry ? 1 : 20),
    rate: above0("--rate", values.rate),
    voucherRate: above0("--voucher-rate", values["voucher-rate"]),
    soakMinutes: above0("--soak-minutes", values["soak-minutes"]) ?? (dry ? 0.1 : 10),
    soakRate: above0("--soak-rate", values["soak-rate"]) ?? (dry ? 20 : 100),
    slotMs: slotOf(values["slot-ms"]),
    out,
    dry,
  };
}

function parse(args: readonly string[]) {
  try {
    const text = { type: "string" } as const;
    return parseArgs({
      args: [...args],
      options: {
        only: text,
        seconds: text,
        rate: text,
        "voucher-rate": text,
        "soak-minutes": text,
        "soak-rate": text,
        "slot-ms": text,
        out: text,
        dry: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (error) {
    throw new BadArgument((error as Error).message.split(/\. |\.?\n/)[0]);
  }
}

function partsOf(only: string | undefined): readonly Part[] {
  if (only === undefined) return PARTS;
  const named = only.split(",");
  const stranger = named.find((name) => !(PARTS as readonly string[]).includes(name));
  if (stranger !== undefined) throw new BadArgument(`--only: there is no ${stranger}; there are ${PARTS.join(", ")}`);
  return PARTS.filter((part) => named.includes(part));
}

function above0(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || value <= 0) {
    throw new BadArgument(`${flag}: ${text} is no number above 0`);
  }
  return value;
}

function slotOf(text: string | undefined): number {
  const value = above0("--slot-ms", text) ?? 400;
  if (!Number.isInteger(value) || value < 10)
    throw new BadArgument(`--slot-ms: ${value} is no whole number from 10 on`);
  return value;
}
