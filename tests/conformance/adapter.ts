// The adapter of the cross-SDK conformance harness (tempoxyz/mpp-tools): one JSON request on stdin, one reply on stdout.
// With `--lines`: any number of requests, one a line, and as many replies, for tests that cannot afford a process each.
import { createInterface } from "node:readline";
import { text as readAll } from "node:stream/consumers";
import type { JsonObject } from "@mppsol/core";
import { answer } from "./operations.js";

async function replyTo(request: string): Promise<string> {
  const { schema, op, input } = JSON.parse(request) as { schema: unknown; op: unknown; input: unknown };
  if (schema !== 1 || typeof op !== "string" || typeof input !== "object" || input === null) {
    throw new Error("not a request of schema 1");
  }
  return JSON.stringify(await answer(op, input as JsonObject));
}

if (process.argv.includes("--lines")) {
  for await (const line of createInterface({ input: process.stdin })) process.stdout.write(`${await replyTo(line)}\n`);
} else {
  process.stdout.write(`${await replyTo(await readAll(process.stdin))}\n`);
}
