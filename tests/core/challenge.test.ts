// Challenges: ids, header values, what is refused.
import { Base64Url, Challenge, InvalidFieldError } from "@mppsol/core";
import { expect } from "chai";
import fc from "fast-check";
import * as AuthParams from "../../sdk/core/dist/AuthParams.js";
import { answerOf } from "./support.js";
import { anyChallenge, anyTerms, damaged, SECRET } from "./wire-arbitraries.js";

const terms: Challenge.Terms = {
  realm: "api.example.com",
  method: "solana",
  intent: "charge",
  request: { currency: "sol", amount: "1000" },
  expires: "2026-12-01T12:00:00Z",
};
const sound = 'Payment id="a", realm="r", method="solana", intent="charge", request="e30"';
const other = "another secret of the tests, also long enough";

describe("a challenge's id", () => {
  it("is the HMAC that other implementations compute, with every slot", () => {
    // From the vectors of tempoxyz/mpp-tools at 20ef985 (MIT), which are newer than those in tests/conformance.
    const secret = "test-vector-secret-minimum-32-byte-secret";
    const base = {
      realm: "api.example.com",
      method: "tempo",
      intent: "charge",
      request: Base64Url.encode('{"amount":"1000000"}'),
    };
    expect(Challenge.id(base, secret)).to.equal("6QDs0BmhrI_v67iWeCMvGqQJEFQ6ErWKlk7zi5xL6t0");
    expect(Challenge.id({ ...base, opaque: "trace-123" }, secret)).to.equal(
      "1XJ-Ti0DACNe3E1zHvwH6OdnKlhUx6xKxDbhJyexng4",
    );
    expect(Challenge.id({ ...base, header: "Payment-Authorization" }, secret)).to.equal(
      "re8MIMJYpIJ0r_aiizscg6ghtipQM8IpOa_NtpwIU8E",
    );
    expect(Challenge.id({ ...base, header: "Authorization" }, secret)).to.equal(Challenge.id(base, secret));
  });

  it("takes the request in canonical form, upper case before lower case", () => {
    const issued = Challenge.issue(
      {
        realm: "api.example.com",
        method: "tempo",
        intent: "charge",
        request: { amount: "1000000", Currency: "USD", ZONE: "eu-1", network: { chainId: 42431, Layer: "L2" } },
      },
      "case-sensitive-key-minimum-32-bytes",
    );
    expect(issued.id).to.equal("oUJHedaukLx579-B6Apbsw_r17uJOqERHjQRjCVhP0M");
  });

  it("binds every field but the description", () => {
    const full: Challenge.Challenge = Challenge.issue(
      { ...terms, digest: "sha-256=:abc=:", opaque: { a: "b" }, header: "Payment-Authorization", description: "d" },
      SECRET,
    );
    expect(Challenge.isBound(full, SECRET)).to.equal(true);
    expect(Challenge.isBound({ ...full, description: "other" }, SECRET)).to.equal(true);
    const { header: _, ...headless } = full;
    expect(Challenge.isBound(headless, SECRET)).to.equal(false);
    for (const name of ["id", "realm", "method", "intent", "request", "expires", "digest", "opaque"] as const) {
      expect(Challenge.isBound({ ...full, [name]: `${full[name]}x` }, SECRET), name).to.equal(false);
    }
  });

  it("is taken while its secret is listed, whichever place it has, and no longer", () => {
    const issued = Challenge.issue(terms, SECRET);
    expect(Challenge.isBound(issued, [SECRET])).to.equal(true);
    expect(Challenge.isBound(issued, [other, SECRET])).to.equal(true);
    expect(Challenge.isBound(issued, [SECRET, other])).to.equal(true);
    expect(Challenge.isBound(issued, other)).to.equal(false);
    expect(Challenge.isBound(issued, [])).to.equal(false);
    expect(Challenge.isBound(issued, new TextEncoder().encode(SECRET))).to.equal(true);
  });

  it("is not taken when it is only a part of the right one, or longer", () => {
    const issued = Challenge.issue(terms, SECRET);
    expect(Challenge.isBound({ ...issued, id: issued.id.slice(0, -1) }, SECRET)).to.equal(false);
    expect(Challenge.isBound({ ...issued, id: `${issued.id}A` }, SECRET)).to.equal(false);
    expect(Challenge.isBound({ ...issued, id: "" }, SECRET)).to.equal(false);
  });

  it("is not computed over fields with the separator, so that no two sets of fields have one id", () => {
    const { id: _, ...fields } = Challenge.issue(terms, SECRET);
    for (const name of ["method", "intent", "request", "expires", "digest", "opaque", "header"]) {
      expect(() => Challenge.id({ ...fields, [name]: "a|b" }, SECRET), name).to.throw(InvalidFieldError, "a | in");
    }
    expect(Challenge.id({ ...fields, realm: "a|b" }, SECRET)).to.be.a("string");
  });

  it("differs for any two challenges with different fields", () => {
    fc.assert(
      fc.property(anyTerms, anyTerms, (a, b) => {
        const [one, two] = [Challenge.issue(a, SECRET), Challenge.issue(b, SECRET)];
        const { id: idOne, description: _a, ...fieldsOne } = one;
        const { id: idTwo, description: _b, ...fieldsTwo } = two;
        expect(idOne === idTwo).to.equal(JSON.stringify(fieldsOne) === JSON.stringify(fieldsTwo));
      }),
    );
  });

  it("is not made with a secret that can be guessed", () => {
    expect(() => Challenge.issue(terms, "x".repeat(31))).to.throw(InvalidFieldError, "secret");
    expect(() => Challenge.issue(terms, new Uint8Array(31))).to.throw(InvalidFieldError, "secret");
    expect(() => Challenge.id(Challenge.issue(terms, SECRET), "")).to.throw(InvalidFieldError, "secret: empty");
  });
});

describe("a challenge's header value", () => {
  it("is read back to the same challenge, whatever it holds", () => {
    fc.assert(
      fc.property(anyChallenge, (challenge) => {
        const header = Challenge.format(challenge);
        expect(Challenge.parse(header)).to.deep.equal(challenge);
        expect(header).to.match(/^Payment id="[\t\u0020-\u007e\u0080-\u00ff]*"$/);
      }),
    );
  });

  it("is read back through the headers of fetch, a description beyond ASCII included", () => {
    const challenge = Challenge.issue({ ...terms, description: 'Preis: 5 € für "Ärzte" — ☕' }, SECRET);
    const headers = new Headers({ "WWW-Authenticate": Challenge.format(challenge) });
    expect(Challenge.parse(headers.get("www-authenticate") as string)).to.deep.equal(challenge);
  });

  it("is read with a description that is no bytes as it stands, as some clients hand it on", () => {
    for (const description of ["5 € — ☕", "\u00e9", "\u0141\u0142"]) {
      expect(Challenge.parse(`${sound}, description="${description}"`).description).to.equal(description);
    }
  });

  it("is read up to its greatest length", () => {
    const header = `${sound}, x="`;
    const filled = `${header}${"a".repeat(Challenge.MAX_LENGTH - header.length - 1)}"`;
    expect(Challenge.parse(filled)).to.deep.equal(Challenge.parse(sound));
  });

  it("is read with names in any case, tokens in place of quoted strings and spaces around separators", () => {
    const header = "PAYMENT ID=a ,\tRealm = r,, method=solana,Intent=charge , request=e30 ,";
    expect(Challenge.parse(header)).to.deep.equal(Challenge.parse(sound));
  });

  it("is read without parameters that nobody defined, and without those of a prototype", () => {
    expect(Challenge.parse(`${sound}, version="2", __proto__="x", constructor="y"`)).to.deep.equal(
      Challenge.parse(sound),
    );
  });

  it("loses only an explicit default header, which binds the same", () => {
    expect(Challenge.parse(`${sound}, header="Authorization"`)).to.deep.equal(Challenge.parse(sound));
    expect(() => Challenge.parse(`${sound}, header="Cookie"`)).to.throw(InvalidFieldError, "challenge.header");
  });

  it("makes the parser answer or throw InvalidFieldError, and what it answers can be written and read again", () => {
    fc.assert(
      fc.property(damaged(anyChallenge.map(Challenge.format)), (header) => {
        for (const challenge of answerOf(() => Challenge.parseAll(header)) ?? []) {
          const written = answerOf(() => Challenge.format(challenge));
          if (written !== undefined) expect(Challenge.parse(written)).to.deep.equal(challenge);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("makes the parser answer or throw InvalidFieldError for any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (header) => {
        answerOf(() => Challenge.parseAll(header));
        answerOf(() => Challenge.parseAll(`Payment ${header}`));
      }),
    );
  });
});

describe("a header's parameter", () => {
  it("is not written with characters that end the header or that no byte stands for", () => {
    expect(AuthParams.write("a", 'b"\\\t\u00e9')).to.equal('a="b\\"\\\\\t\u00e9"');
    for (const value of ["a\r", "a\n", "\u0000", "\u007f", "\u0100", "\ud83d\ude00"]) {
      expect(() => AuthParams.write("a", value), JSON.stringify(value)).to.throw(InvalidFieldError, "no header field");
    }
  });
});

describe("several challenges", () => {
  const [one, two] = [Challenge.issue(terms, SECRET), Challenge.issue({ ...terms, intent: "session" }, SECRET)];

  it("are read from several headers, from one joined by commas, and from among other schemes", () => {
    const [a, b] = [Challenge.format(one), Challenge.format(two)];
    expect(Challenge.parseAll([a, b])).to.deep.equal([one, two]);
    expect(Challenge.parseAll(`${a}, ${b}`)).to.deep.equal([one, two]);
    expect(Challenge.parseAll(`Bearer realm="x, Payment y", ${a}, Negotiate YWJj==, Basic realm=z,${b}`)).to.deep.equal(
      [one, two],
    );
    expect(Challenge.parseAll(["Basic realm=x", "Negotiate"])).to.deep.equal([]);
    expect(Challenge.parseAll([])).to.deep.equal([]);
  });

  it("are refused where one is expected, and so are none", () => {
    expect(() => Challenge.parse(`${Challenge.format(one)}, ${Challenge.format(two)}`)).to.throw(
      InvalidFieldError,
      "more than one",
    );
    expect(() => Challenge.parse("Bearer realm=x")).to.throw(InvalidFieldError, "no Payment challenge");
  });

  it("are all refused when one is damaged", () => {
    expect(() => Challenge.parseAll([Challenge.format(one), 'Payment id="x"'])).to.throw(InvalidFieldError, "realm");
  });
});

describe("a damaged challenge", () => {
  const refusals: readonly (readonly [string, string, string])[] = [
    ["a carriage return", `${sound}\r, description="x"`, "control character"],
    ["a line feed", `${sound}, description="a\nSet-Cookie: b"`, "control character"],
    ["a folded line", `${sound},\r\n    description="x"`, "control character"],
    ["a NUL", `${sound}, description="a\u0000"`, "control character"],
    ["a parameter that stands twice", `${sound}, realm="r"`, "stands twice"],
    ["a parameter that stands twice in other case", `${sound}, ID="a"`, "stands twice"],
    ["an unknown parameter that stands twice", `${sound}, x="1", x="1"`, "stands twice"],
    ["a value that never closes", sound.slice(0, -1), "not a token or quoted string"],
    ["text after a value", sound.replace('"solana"', '"solana"x'), "not a token or quoted string"],
    ["a missing comma", sound.replace('"r",', '"r"'), "not a token or quoted string"],
    ["a parameter without value", `${sound}, expires=`, "not a token or quoted string"],
    ["rubbish between parameters", sound.replace("realm", "(realm)"), "neither a parameter nor a scheme"],
    ["a parameter without a name", `${sound}, ="x"`, "neither a parameter nor a scheme"],
    ["a token in place of parameters", "Payment abc", "challenge.id: missing"],
    ["an empty id", sound.replace('"a"', '""'), "challenge.id"],
    ["an empty realm", sound.replace('"r"', '""'), "challenge.realm"],
    ["a method in upper case", sound.replace("solana", "Solana"), "challenge.method"],
    ["an intent with a separator", sound.replace('"charge"', '"charge|x"'), "challenge.intent"],
    ["an empty request", sound.replace("e30", ""), "challenge.request"],
    ["a request in plain base64", sound.replace("e30", "e30+"), "challenge.request"],
    ["a request with bits that do not count", sound.replace("e30", "e31"), "challenge.request: not base64url"],
    ["a request that is no object", sound.replace("e30", "W10"), "challenge.request: not an object"],
    ["a request that is not UTF-8", sound.replace("e30", "_w"), "challenge.request: not UTF-8"],
    ["an expiry that is no date-time", `${sound}, expires="tomorrow"`, "challenge.expires"],
    ["an expiry without a zone", `${sound}, expires="2026-12-01T12:00:00"`, "challenge.expires"],
    ["an expiry on a day that never was", `${sound}, expires="2026-02-29T12:00:00Z"`, "challenge.expires"],
    ["a digest with a separator", `${sound}, digest="sha-256=|"`, "challenge.digest"],
    ["opaque text with spaces", `${sound}, opaque="a b"`, "challenge.opaque"],
    ["a realm beyond ASCII", sound.replace('"r"', '"é"'), "challenge.realm"],
    ["more than 16 KiB", `${sound}, x="${"a".repeat(Challenge.MAX_LENGTH)}"`, "longer than 16384"],
  ];
  for (const [what, header, problem] of refusals) {
    it(`with ${what}, is refused`, () => {
      expect(() => Challenge.parse(header)).to.throw(InvalidFieldError, problem);
    });
  }

  it("is refused in writing: CR and LF, fields that cannot be read, too much text", () => {
    const challenge = Challenge.issue(terms, SECRET);
    for (const description of ["a\r\nb", "a\nb", "a\u0000b", "a\u007fb", "\ud800"]) {
      expect(() => Challenge.format({ ...challenge, description })).to.throw(InvalidFieldError, "description");
      expect(() => Challenge.issue({ ...terms, description }, SECRET)).to.throw(InvalidFieldError, "description");
    }
    expect(() => Challenge.format({ ...challenge, realm: "a\r\nb" })).to.throw(InvalidFieldError, "realm");
    expect(() => Challenge.format({ ...challenge, opaque: "a\r\nb" })).to.throw(InvalidFieldError, "opaque");
    expect(() => Challenge.format({ ...challenge, description: "x".repeat(Challenge.MAX_LENGTH) })).to.throw(
      InvalidFieldError,
      "longer than 16384",
    );
    expect(() => Challenge.issue({ ...terms, expires: "soon" }, SECRET)).to.throw(InvalidFieldError, "expires");
    expect(() => Challenge.issue({ ...terms, method: "Solana" }, SECRET)).to.throw(InvalidFieldError, "method");
  });

  it("that is damaged only where nothing is bound, is read up to there", () => {
    const expected = { ...Challenge.parse(sound), description: "Payment for " };
    expect(Challenge.parse(`${sound}, description="Payment for "Premium", x`)).to.deep.equal(expected);
    expect(Challenge.parse(`${sound}, description="never closed`)).to.deep.equal(Challenge.parse(sound));
    expect(Challenge.parse(`${sound}, other="a"b", more="c`)).to.deep.equal(Challenge.parse(sound));
  });

  it("that is damaged where nothing is bound, is refused when that could hide what is", () => {
    for (const rest of [
      'expires="2026-12-01T12:00:00Z"',
      "Digest = x",
      'opaque\t="x"',
      'header="Payment-Authorization"',
      'id="b"',
      'Payment id="b", realm="r"',
    ]) {
      for (const damage of ['description="a"b"', 'description="a', 'other="a" b', "other="]) {
        expect(() => Challenge.parse(`${sound}, ${damage}, ${rest}`), `${damage}, ${rest}`).to.throw(
          InvalidFieldError,
          "not a token or quoted string",
        );
      }
    }
  });
});

describe("what a challenge says", () => {
  it("is its request and its correlation data, decoded", () => {
    const challenge = Challenge.issue({ ...terms, opaque: { order: "17" } }, SECRET);
    expect(Challenge.requestOf(challenge)).to.deep.equal({ amount: "1000", currency: "sol" });
    expect(Base64Url.decodeText(challenge.request)).to.equal('{"amount":"1000","currency":"sol"}');
    expect(Challenge.opaqueOf(challenge)).to.deep.equal({ order: "17" });
    expect(Challenge.opaqueOf(Challenge.issue(terms, SECRET))).to.equal(undefined);
  });

  it("is no correlation data when that is not a flat object of strings", () => {
    for (const json of ['{"a":1}', '{"a":{}}', "[]", '"x"', "{"]) {
      expect(() => Challenge.opaqueOf({ opaque: Base64Url.encode(json) }), json).to.throw(InvalidFieldError, "opaque");
    }
    expect(() => Challenge.opaqueOf({ opaque: "trace-123" })).to.throw(InvalidFieldError, "opaque");
    expect(Challenge.parse(`${sound}, opaque="trace-123"`).opaque).to.equal("trace-123");
  });

  it("is that it has expired, from the moment that it names", () => {
    const at = Date.parse("2026-12-01T12:00:00Z");
    const challenge = Challenge.issue(terms, SECRET);
    expect(Challenge.expired(challenge, at - 1)).to.equal(false);
    expect(Challenge.expired(challenge, at)).to.equal(true);
    expect(Challenge.expired(challenge, at, 1000)).to.equal(false);
    expect(Challenge.expired(challenge, at + 1000, 1000)).to.equal(true);
    expect(Challenge.expired(challenge, at - 1000, -1000)).to.equal(true);
    expect(Challenge.expired({}, at)).to.equal(false);
    expect(() => Challenge.expired({ expires: "never" }, at)).to.throw(InvalidFieldError, "expires");
  });
});
