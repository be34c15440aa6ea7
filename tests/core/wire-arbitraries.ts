// Random challenges, credentials, receipts and JSON for the property tests, and ways to damage their texts.
import { Challenge, type Credential, type JsonObject, type JsonValue, type Receipt } from "@mppsol/core";
import fc from "fast-check";

export const SECRET = "a secret of the tests, 32 bytes long or more";

const text = fc.string({ unit: "binary", maxLength: 40 });
const printable = fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 40 });
const name = fc.string({ unit: "binary", maxLength: 8 }).filter((key) => key !== "__proto__");

/** JSON as JCS can write it: -0 is read back as 0, so it is left out. */
export const anyJson: fc.Arbitrary<JsonValue> = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
    fc.integer(),
    text,
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(name, tie("value"), { maxKeys: 4 }).map((members) => ({ ...members })),
  ),
})).value;

export const anyObject: fc.Arbitrary<JsonObject> = fc
  .dictionary(name, anyJson, { maxKeys: 5 })
  .map((members) => ({ ...members }));

/** Date-times from year 0 to 9999. */
export const anyTimestamp: fc.Arbitrary<string> = fc
  .date({ min: new Date("0000-01-01T00:00:00Z"), max: new Date("9999-12-31T23:59:59.999Z"), noInvalidDate: true })
  .map((date) => date.toISOString());

const description = text.filter((value) => !/[\p{Cc}]/u.test(value.replace(/[\t\u0080-\u009f]/g, "")));

const token = fc.stringMatching(/^[A-Za-z0-9-]{1,12}$/);

export const anyTerms: fc.Arbitrary<Challenge.Terms> = fc.record(
  {
    realm: printable,
    method: fc.stringMatching(/^[a-z][a-z0-9:_-]{0,9}$/),
    intent: token,
    request: anyObject,
    expires: anyTimestamp,
    digest: fc.stringMatching(/^sha-256=:[A-Za-z0-9+/]{43}=:$/),
    description,
    opaque: fc.dictionary(name, text, { maxKeys: 3 }).map((members) => ({ ...members })),
    header: fc.constant("Payment-Authorization" as const),
  },
  { requiredKeys: ["realm", "method", "intent", "request"] },
);

export const anyChallenge: fc.Arbitrary<Challenge.Challenge> = anyTerms
  .map((terms) => Challenge.issue(terms, SECRET))
  .filter((challenge) => JSON.stringify(challenge).length < 8000);

export const anyCredential: fc.Arbitrary<Credential.Credential> = fc.record(
  { challenge: anyChallenge, payload: anyObject, source: description },
  { requiredKeys: ["challenge", "payload"] },
);

export const anyReceipt: fc.Arbitrary<Receipt.Receipt> = fc
  .tuple(
    anyObject,
    fc.record(
      {
        status: fc.constant("success" as const),
        method: printable,
        timestamp: anyTimestamp,
        reference: printable,
        challengeId: printable,
      },
      { requiredKeys: ["status", "method", "timestamp", "reference"] },
    ),
  )
  .map(([extra, receipt]) => {
    const { challengeId: _, ...rest } = extra;
    return { ...rest, ...receipt };
  });

/** Pieces that have broken parsers of headers and JSON before. */
const FRAGMENTS = [
  ...['"', "\\", ",", " ", "\t", "=", "==", "\r\n", "\n", "\u0000", "\u007f", "é", "—", "\ud800", "%00", ";q=0", "*"],
  ...[
    "Payment ",
    "payment",
    "Bearer x, ",
    'id="x"',
    ', id="y"',
    ", expires=",
    'request="e30"',
    "__proto__",
    "{}",
    "[]",
  ],
  ...["null", "-0", "1e999", '{"a":1,"a":2}', "\\u0000", "-_", "+/", "A", "constructor"],
];

/** Texts that were sound once, cut, spliced and scrambled. */
export function damaged(sound: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const edit = fc.record({ at: fc.nat(), remove: fc.nat({ max: 12 }), insert: fc.constantFrom("", ...FRAGMENTS) });
  return fc.tuple(sound, fc.array(edit, { maxLength: 5 })).map(([value, edits]) =>
    edits.reduce((current, { at, remove, insert }) => {
      const start = at % (current.length + 1);
      return current.slice(0, start) + insert + current.slice(start + remove);
    }, value),
  );
}
