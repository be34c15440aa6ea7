// Replays the kept corpus: inputs that fuzzing found or that somebody thought of, each with what the parser must answer.
import { readFileSync } from "node:fs";
import {
  AcceptPayment,
  Challenge,
  Credential,
  InvalidFieldError,
  type JsonValue,
  Receipt,
  SseEvents,
} from "@mppsol/core";
import { expect } from "chai";
import { payment } from "./support.js";

/** Text, or text made of a part that repeats. */
type Input =
  | string
  | { readonly before: string; readonly repeat: string; readonly times: number; readonly after: string };

interface Case {
  readonly name: string;
  readonly input: Input;
  /** The value that is read; amounts are not in it, so it is JSON. */
  readonly reads?: JsonValue;
  /** The message of the InvalidFieldError. */
  readonly refuses?: string;
}

const PARSERS: Readonly<Record<string, (text: string) => unknown>> = {
  challenge: (text) => Challenge.parseAll(text),
  credential: (text) => Credential.parse(text),
  /** The JSON inside a credential's header. */
  "credential-json": (text) => Credential.parse(payment(text)),
  receipt: (text) => Receipt.parse(text),
  "accept-payment": (text) => AcceptPayment.parse(text),
  "sse-receipt": (text) => SseEvents.parse(SseEvents.RECEIPT, text)?.data,
};

for (const [name, parser] of Object.entries(PARSERS)) {
  describe(`the corpus of ${name}`, () => {
    const cases: readonly Case[] = JSON.parse(readFileSync(new URL(`corpus/${name}.json`, import.meta.url), "utf8"));

    it("is not empty, and names every case once, with one outcome", () => {
      expect(cases).to.have.length.of.at.least(5);
      expect(new Set(cases.map((one) => one.name)).size).to.equal(cases.length);
      for (const one of cases) expect(Object.keys(one), one.name).to.have.length(3);
    });

    for (const { name: what, input, reads, refuses } of cases) {
      it(`${what}: ${refuses === undefined ? "is read" : "is refused"}`, () => {
        const text = typeof input === "string" ? input : input.before + input.repeat.repeat(input.times) + input.after;
        if (refuses === undefined) expect(parser(text)).to.deep.equal(reads);
        else
          expect(() => parser(text))
            .to.throw(InvalidFieldError)
            .with.property("message", refuses);
      });
    }
  });
}
