// What goes to stdout (the result, once) and to stderr (progress, warnings): a script reads the one, a person both.
import type { JsonValue } from "@mppsol/core";

/** The streams a command writes to; tests give their own. */
export interface Streams {
  readonly out: (text: string | Uint8Array) => void;
  readonly err: (text: string) => void;
  /** Whether somebody looks on: progress is shown on a terminal only. */
  readonly terminal: boolean;
  /** Whether `out` and `err` end on one screen: then a message begins on a line of its own. */
  readonly shared: boolean;
}

export const STANDARD: Streams = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  terminal: process.stderr.isTTY === true,
  shared: process.stdout.isTTY === true && process.stderr.isTTY === true,
};

/**
 * The streams, with a line break before a message where the output stands in the middle of a line of the same screen. What
 * goes to a file or a pipe stays as it is, to the byte.
 */
export function onLines({ out, err, ...rest }: Streams): Streams {
  let midLine = false;
  return {
    ...rest,
    out: (text) => {
      if (text.length > 0) midLine = text.at(-1) !== (typeof text === "string" ? "\n" : 0x0a);
      out(text);
    },
    err: (text) => {
      if (midLine && rest.shared) out("\n");
      midLine = false;
      err(text);
    },
  };
}

export class Output {
  readonly json: boolean;
  readonly #streams: Streams;

  constructor(streams: Streams, json: boolean) {
    this.#streams = streams;
    this.json = json;
  }

  /** The result: one line of JSON under `--json`, else the lines. Amounts in the JSON are decimal strings. */
  result(json: JsonValue, lines: readonly string[]): void {
    this.#streams.out(this.json ? `${JSON.stringify(json)}\n` : lines.map((line) => `${line}\n`).join(""));
  }

  /** A step of longer work. */
  progress(line: string): void {
    if (this.#streams.terminal && !this.json) this.#streams.err(`${line}\n`);
  }

  /** Something that must be seen, terminal or not. */
  warn(line: string): void {
    this.#streams.err(`mppsol: ${line}\n`);
  }

  /** Bytes as they come, for `curl`. */
  raw(chunk: Uint8Array | string): void {
    this.#streams.out(chunk);
  }
}

/** JSON's view of a value that holds bigints: those become decimal strings, `undefined` members vanish. */
export function toJsonValue(value: unknown): JsonValue {
  if (value === undefined || value === null) return null;
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (Array.isArray(value)) return value.map(toJsonValue);
  if (typeof value === "object") {
    if ("toBase58" in value && typeof value.toBase58 === "function") return String(value.toBase58());
    return Object.fromEntries(
      Object.entries(value)
        .filter(([, member]) => member !== undefined)
        .map(([key, member]) => [key, toJsonValue(member)]),
    );
  }
  throw new TypeError(`a ${typeof value} cannot be printed`);
}

/** `value` as indented lines of `key: value`, for people. */
export function lines(value: JsonValue, indent = ""): string[] {
  if (Array.isArray(value)) {
    return value.flatMap((item: JsonValue, i) =>
      scalar(item) ? [`${indent}- ${String(item)}`] : [`${indent}- #${i}`, ...lines(item, `${indent}  `)],
    );
  }
  if (typeof value !== "object" || value === null) return [`${indent}${String(value)}`];
  return Object.entries(value).flatMap(([key, member]) => {
    if (member === undefined) return [];
    if (scalar(member)) return [`${indent}${key}: ${String(member)}`];
    const inner = lines(member, `${indent}  `);
    return inner.length === 0 ? [`${indent}${key}: none`] : [`${indent}${key}:`, ...inner];
  });
}

function scalar(value: JsonValue): boolean {
  return typeof value !== "object" || value === null;
}
