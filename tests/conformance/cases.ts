// The vectors of the cross-SDK conformance suite, as requests to an adapter and what it must reply.
import { readFileSync } from "node:fs";
import type { JsonObject } from "@mppsol/core";
import type { Reply } from "./operations.js";

/** One question to an adapter. */
export interface Case {
  readonly name: string;
  readonly op: string;
  readonly input: JsonObject;
  /** What the reply's value must be; for a `format`, what its header must be read as. */
  readonly value?: unknown;
  /** The type of the error that the reply must be, when it must be one. */
  readonly errorType?: string;
}

type Wire = string | { readonly prefix: string; readonly repeat: string; readonly count: number };
type Test = boolean | { readonly success: false; readonly error_type: string };

interface Scenario {
  readonly name: string;
  readonly object?: JsonObject;
  readonly wire?: Wire;
  readonly decoded?: string;
  readonly encoded?: string;
  readonly input?: JsonObject;
  readonly expected?: unknown;
  readonly tests?: { readonly parse?: Test; readonly format?: Test };
}

/** Every case of every vector that names no payment method. */
export const CASES: readonly Case[] = [
  ...headers("www-authenticate", "challenge"),
  ...headers("authorization", "credential"),
  ...headers("receipt", "receipt"),
  ...load("base64url").flatMap(({ name, decoded, encoded }) => [
    { name: `base64url ${name}`, op: "base64url.encode", input: { text: decoded ?? "" }, value: { text: encoded } },
    { name: `base64url ${name}`, op: "base64url.decode", input: { text: encoded ?? "" }, value: { text: decoded } },
  ]),
  ...load("challenge-id").map(({ name, input, expected }) => ({
    name: `challenge-id ${name}`,
    op: "challenge.id",
    input: input ?? {},
    value: { id: expected },
  })),
  ...load("server-verification").map(({ name, input, expected }) => ({
    name: `server-verification ${name}`,
    op: "server.verify",
    input: input ?? {},
    value: expected,
  })),
];

/** What is wrong with a reply; nothing when it is right. `ask` puts another question, to read what was written. */
export function fault(one: Case, reply: Reply, ask: (op: string, input: JsonObject) => Reply): string | undefined {
  if (one.errorType !== undefined) {
    return !reply.ok && reply.error.type === one.errorType ? undefined : `expected a ${one.errorType}: ${print(reply)}`;
  }
  if (!reply.ok) return print(reply);
  const value = one.op.endsWith(".format") ? ask(one.op.replace("format", "parse"), reply.value as JsonObject) : reply;
  const right = value.ok && print(value.value) === print(one.value);
  return right ? undefined : `expected ${print(one.value)}: ${print(value)}`;
}

function headers(file: string, kind: string): Case[] {
  return load(file).flatMap(({ name, object, wire, tests }) => {
    const cases: Case[] = [];
    const add = (op: string, input: JsonObject, test: Test | undefined) => {
      if (test === undefined || test === false) return;
      const expected = test === true ? { value: object } : { errorType: test.error_type };
      cases.push({ name: `${file} ${name}`, op: `${kind}.${op}`, input, ...expected });
    };
    if (wire !== undefined) add("parse", { header: spell(wire) }, tests?.parse);
    if (object !== undefined) add("format", object, tests?.format);
    return cases;
  });
}

function spell(wire: Wire): string {
  return typeof wire === "string" ? wire : wire.prefix + wire.repeat.repeat(wire.count);
}

function load(file: string): readonly Scenario[] {
  const json = JSON.parse(readFileSync(new URL(`vectors/${file}.json`, import.meta.url), "utf8"));
  return json.scenarios ?? json.cases;
}

/** JSON with its members in order, for messages and for comparing. */
function print(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) =>
    typeof member === "object" && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}
