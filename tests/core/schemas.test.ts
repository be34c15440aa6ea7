// What holds for every request and payload of charge and session: they survive JSON, and nothing crashes their parsers.
import {
  BearerProof,
  ChargePayload,
  ChargeRequest,
  Jcs,
  type JsonObject,
  SessionAction,
  SessionRequest,
} from "@mppsol/core";
import { expect } from "chai";
import fc from "fast-check";
import {
  anyChargePayload,
  anyChargeRequest,
  anyProof,
  anySessionAction,
  anySessionRequest,
  anything,
  damagedJson,
} from "./schema-arbitraries.ts";
import { answerOf } from "./support.ts";

interface Schema<T> {
  readonly name: string;
  readonly any: fc.Arbitrary<T>;
  fromJson(value: unknown, path?: string): T;
  toJson(value: T): JsonObject;
}

describe("what is written and read again", () => {
  for (const { name, check } of [
    schema({ name: "a charge request", any: anyChargeRequest, ...ChargeRequest }),
    schema({ name: "a charge payload", any: anyChargePayload, ...ChargePayload }),
    schema({ name: "a session request", any: anySessionRequest, ...SessionRequest }),
    schema({ name: "a session action", any: anySessionAction, ...SessionAction }),
    schema({ name: "a bearer proof", any: anyProof, ...BearerProof }),
  ]) {
    describe(name, () => {
      it("is the same, through canonical JSON", check.identity);
      it(
        "is refused with InvalidFieldError or read, when it is damaged, and what was read can be written",
        check.damage,
      );
      it("is refused with InvalidFieldError or read, whatever it is", check.anything);
      it("has errors that begin with the path that was given", check.path);
    });
  }
});

function schema<T>({ name, any, fromJson, toJson }: Schema<T>) {
  const settles = (value: unknown) => {
    const read = answerOf(() => fromJson(value));
    if (read !== undefined) expect(fromJson(toJson(read))).to.deep.equal(read);
  };
  const check = {
    identity: () =>
      fc.assert(
        fc.property(any, (value) => {
          expect(fromJson(JSON.parse(Jcs.canonicalize(toJson(value))))).to.deep.equal(value);
        }),
        { numRuns: 300 },
      ),
    damage: () => fc.assert(fc.property(damagedJson(any.map(toJson)), settles), { numRuns: 1000 }),
    anything: () => fc.assert(fc.property(anything, settles), { numRuns: 500 }),
    path: () =>
      fc.assert(
        fc.property(damagedJson(any.map(toJson)), (value) => {
          try {
            fromJson(value, "here");
          } catch (error) {
            expect(error)
              .to.have.property("field")
              .that.matches(/^here(?:$|[.[])/);
          }
        }),
        { numRuns: 500 },
      ),
  };
  return { name, check };
}
