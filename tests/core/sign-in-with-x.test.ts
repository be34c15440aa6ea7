// Sign-In With X: header, text, challenge, and each rule that a sign-in is held against.
import { generateKeyPairSync, sign } from "node:crypto";
import { Base58, InvalidFieldError, SignerError, SignInWithX } from "@mppsol/core";
import { expect } from "chai";
import fc from "fast-check";
import { address } from "./arbitraries.ts";
import { answerOf } from "./support.ts";
import { anyTimestamp } from "./wire-arbitraries.ts";

const wallet = keys();
const NOW = Date.parse("2026-01-15T10:32:00.000Z");

const info: SignInWithX.Info = {
  domain: "api.example.com",
  statement: "Sign in to open a session.",
  uri: "https://api.example.com/api/sessions/onboard",
  version: "1",
  nonce: "a1b2c3d4e5f67890a1b2c3d4e5f67890",
  issuedAt: "2026-01-15T10:30:00.000Z",
  expirationTime: "2026-01-15T10:35:00.000Z",
};
const message: SignInWithX.Message = {
  ...info,
  address: wallet.publicKey,
  chainId: "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1",
};
const expected: SignInWithX.Expected = {
  domain: info.domain,
  uri: info.uri,
  chainId: message.chainId,
  address: wallet.publicKey,
  nowMs: NOW,
};

describe("the text of a sign-in", () => {
  it("is that of Sign-In With Solana, line by line", () => {
    const text = SignInWithX.text({
      ...message,
      address: address(7),
      notBefore: "2026-01-15T10:29:00Z",
      requestId: "r 1",
      resources: ["https://a.example/1", "urn:b"],
    });
    expect(text.split("\n")).to.deep.equal([
      "api.example.com wants you to sign in with your Solana account:",
      address(7),
      "",
      "Sign in to open a session.",
      "",
      "URI: https://api.example.com/api/sessions/onboard",
      "Version: 1",
      "Chain ID: EtWTRABZaYq6iMfeYKouRu166VU2xqa1",
      "Nonce: a1b2c3d4e5f67890a1b2c3d4e5f67890",
      "Issued At: 2026-01-15T10:30:00.000Z",
      "Expiration Time: 2026-01-15T10:35:00.000Z",
      "Not Before: 2026-01-15T10:29:00Z",
      "Request ID: r 1",
      "Resources:",
      "- https://a.example/1",
      "- urn:b",
    ]);
  });

  it("has no lines for what is not there", () => {
    const { statement, expirationTime, ...bare } = message;
    expect(SignInWithX.text(bare).split("\n").slice(1)).to.deep.equal([
      wallet.publicKey,
      "",
      "URI: https://api.example.com/api/sessions/onboard",
      "Version: 1",
      "Chain ID: EtWTRABZaYq6iMfeYKouRu166VU2xqa1",
      "Nonce: a1b2c3d4e5f67890a1b2c3d4e5f67890",
      "Issued At: 2026-01-15T10:30:00.000Z",
    ]);
  });

  it("is never the same for two messages", () => {
    fc.assert(
      fc.property(anyMessage, anyMessage, (a, b) => {
        fc.pre(JSON.stringify(a) !== JSON.stringify(b));
        expect(SignInWithX.text(a)).to.not.equal(SignInWithX.text(b));
      }),
    );
  });

  const broken: Record<string, readonly [keyof SignInWithX.Message, unknown][]> = {
    "a line break that would forge another line": [
      ["statement", "a\nURI: https://evil.example"],
      ["requestId", "a\nResources:"],
      ["domain", "a.example\nb"],
      ["uri", "https://a.example\nVersion: 1"],
      ["resources", ["urn:a\n- urn:b"]],
      ["issuedAt", "2026-01-15T10:30:00Z\n"],
    ],
    "an empty member that would leave no trace": [
      ["statement", ""],
      ["requestId", ""],
      ["resources", []],
    ],
    "what the extension does not allow": [
      ["version", "2"],
      ["nonce", "short"],
      ["nonce", "a".repeat(129)],
      ["nonce", "a1b2c3d4-5f6"],
      ["chainId", "eip155:1"],
      ["chainId", `solana:${"a".repeat(33)}`],
      ["address", "0x857b06519E91e3A54538791bDbb0E22373e36b66"],
      ["issuedAt", "yesterday"],
      ["expirationTime", "2026-02-30T00:00:00Z"],
      ["notBefore", "1"],
      ["uri", "/relative"],
      ["uri", "https://a.example/ b"],
      ["domain", "user@a.example"],
      ["domain", "a.example/path"],
      ["resources", ["no uri"]],
    ],
  };
  for (const [what, members] of Object.entries(broken)) {
    it(`is not made of ${what}`, () => {
      for (const [key, value] of members) {
        expect(() => SignInWithX.text({ ...message, [key]: value }), `${key} ${value}`).to.throw(
          InvalidFieldError,
          key,
        );
      }
    });
  }
});

describe("the header of a sign-in", () => {
  it("is read as it was written", () => {
    fc.assert(
      fc.property(anySignIn, (signIn) => {
        expect(SignInWithX.parse(SignInWithX.format(signIn))).to.deep.equal(signIn);
      }),
    );
  });

  it("is base64 of JSON in the extension's members", async () => {
    const header = SignInWithX.format(await SignInWithX.sign(message, wallet));
    const json = JSON.parse(Buffer.from(header, "base64").toString());
    expect(json).to.deep.include({ ...message, type: "ed25519", signatureScheme: "siws" });
    expect(Base58.decode(json.signature, 64)).to.have.length(64);
  });

  it("is read or refused, whatever it is: nothing crashes the reader", () => {
    const anyText = fc.oneof(fc.string({ unit: "binary" }), fc.base64String(), fc.json().map(encoded));
    fc.assert(
      fc.property(anyText, (text) => {
        answerOf(() => SignInWithX.parse(text));
      }),
    );
  });

  it("with one member damaged is refused, or read as something else than it was", async () => {
    const signIn = await SignInWithX.sign(message, wallet);
    const json = SignInWithX.toJson(signIn);
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(json)), fc.jsonValue(), (key, value) => {
        fc.pre(JSON.stringify(value) !== JSON.stringify(json[key]) && key !== "signatureScheme");
        const read = answerOf(() => SignInWithX.parse(encoded(JSON.stringify({ ...json, [key]: value }))));
        if (read !== undefined) expect(SignInWithX.problem(read, expected)).to.be.a("string");
      }),
    );
  });

  it("is refused for each member that it lacks", async () => {
    const json = SignInWithX.toJson(await SignInWithX.sign(message, wallet));
    for (const key of "domain address uri version chainId type nonce issuedAt signature".split(" ")) {
      const { [key]: _, ...rest } = json;
      expect(() => SignInWithX.parse(encoded(JSON.stringify(rest))), key).to.throw(InvalidFieldError, key);
    }
  });

  it("is refused for another kind of key or scheme, and for a member that is named twice", async () => {
    const json = SignInWithX.toJson(await SignInWithX.sign(message, wallet));
    const other = (members: object) => encoded(JSON.stringify({ ...json, ...members }));
    expect(() => SignInWithX.parse(other({ type: "eip191" }))).to.throw(InvalidFieldError, "type");
    expect(() => SignInWithX.parse(other({ signatureScheme: "eip1271" }))).to.throw(
      InvalidFieldError,
      "signatureScheme",
    );
    const twice = JSON.stringify(json).replace("{", `{"address":"${address(3)}",`);
    expect(() => SignInWithX.parse(encoded(twice))).to.throw(InvalidFieldError, "twice");
  });

  it("that is too long is neither read nor written", async () => {
    const signIn = await SignInWithX.sign({ ...message, statement: "a".repeat(SignInWithX.MAX_LENGTH) }, wallet);
    expect(() => SignInWithX.format(signIn)).to.throw(InvalidFieldError, "longer");
    const long = encoded(JSON.stringify(SignInWithX.toJson(signIn)));
    expect(() => SignInWithX.parse(long)).to.throw(InvalidFieldError, "longer");
  });
});

describe("a sign-in", () => {
  it("that another implementation wrote and signed is read, and holds", () => {
    const signIn = SignInWithX.parse(PEER);
    const against = {
      domain: "api.example.com",
      uri: "https://api.example.com/premium-data",
      chainId: message.chainId,
      address: PEER_WALLET,
      nowMs: Date.parse("2026-01-15T10:30:01Z"),
    };
    expect(SignInWithX.problem(signIn, against)).to.equal(undefined);
    expect(SignInWithX.problem({ ...signIn, requestId: "r-2" }, against)).to.equal("signature");
  });

  it("that keeps every rule has no problem", async () => {
    expect(SignInWithX.problem(await SignInWithX.sign(message, wallet), expected)).to.equal(undefined);
  });

  const others: Record<string, Partial<SignInWithX.Message>> = {
    domain: { domain: "evil.example" },
    uri: { uri: "https://api.example.com/api/sessions/onboard/status" },
    chainId: { chainId: "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp" },
    expirationTime: { expirationTime: "2026-01-15T10:32:00.000Z" },
    notBefore: { notBefore: "2026-01-15T10:32:00.001Z" },
  };
  for (const [rule, members] of Object.entries(others)) {
    it(`signed for another ${rule} is refused for it`, async () => {
      expect(SignInWithX.problem(await SignInWithX.sign({ ...message, ...members }, wallet), expected)).to.equal(rule);
    });
  }

  it("of another wallet is refused, whoever it says it is", async () => {
    const other = keys();
    const signIn = await SignInWithX.sign({ ...message, address: other.publicKey }, other);
    expect(SignInWithX.problem(signIn, expected)).to.equal("address");
    expect(SignInWithX.problem({ ...signIn, address: wallet.publicKey }, expected)).to.equal("signature");
  });

  it("holds from its time of issue for five minutes, or as long as is said, or until it expires", async () => {
    const { expirationTime, ...lasting } = message;
    const signIn = await SignInWithX.sign(lasting, wallet);
    const issued = Date.parse(info.issuedAt);
    const at = (nowMs: number, more = {}) => SignInWithX.problem(signIn, { ...expected, ...more, nowMs });
    expect(at(issued - 1)).to.equal("issuedAt");
    expect(at(issued)).to.equal(undefined);
    expect(at(issued + 299_999)).to.equal(undefined);
    expect(at(issued + 300_000)).to.equal("issuedAt");
    expect(at(issued + 1_000, { maxAgeMs: 1_000 })).to.equal("issuedAt");
    expect(at(issued + 999, { maxAgeMs: 1_000 })).to.equal(undefined);
    const expiring = await SignInWithX.sign({ ...message, expirationTime: "2026-01-15T10:31:00Z" }, wallet);
    const still = Date.parse("2026-01-15T10:31:00Z");
    expect(SignInWithX.problem(expiring, { ...expected, nowMs: still - 1 })).to.equal(undefined);
    expect(SignInWithX.problem(expiring, { ...expected, nowMs: still })).to.equal("expirationTime");
  });

  it("from a clock that is a little ahead is taken where that is allowed, and no more than that", async () => {
    const signIn = await SignInWithX.sign({ ...message, notBefore: message.issuedAt }, wallet);
    const at = (nowMs: number) => SignInWithX.problem(signIn, { ...expected, nowMs, skewMs: 5_000 });
    const issued = Date.parse(info.issuedAt);
    expect(at(issued - 5_000)).to.equal(undefined);
    expect(at(issued - 5_001)).to.equal("issuedAt");
  });

  it("whose text was changed after it was signed is refused", async () => {
    const signIn = await SignInWithX.sign(message, wallet);
    const changes: Partial<SignInWithX.SignIn>[] = [
      { statement: "Give me everything." },
      { nonce: "b1b2c3d4e5f67890a1b2c3d4e5f67890" },
      { issuedAt: "2026-01-15T10:31:59.000Z" },
      { expirationTime: "2027-01-15T10:31:59.000Z" },
      { requestId: "1" },
      { resources: ["urn:more"] },
    ];
    for (const change of changes) {
      expect(SignInWithX.problem({ ...signIn, ...change }, expected), JSON.stringify(change)).to.equal("signature");
    }
  });

  it("is verified as strictly as the chain does: no key of small order signs for anything", () => {
    // The identity as key: R = the identity, s = 0 satisfies the equation for every text.
    const identity = new Uint8Array([1, ...new Uint8Array(31)]);
    const weak = Base58.encode(identity);
    const signature = Base58.encode(new Uint8Array([...identity, ...new Uint8Array(32)]));
    const signIn = { ...message, address: weak, signature };
    expect(SignInWithX.problem(signIn, { ...expected, address: weak })).to.equal("signature");
  });

  it("is checked by the verifier that is given", async () => {
    const signIn = await SignInWithX.sign(message, wallet);
    expect(SignInWithX.problem(signIn, expected, () => false)).to.equal("signature");
  });

  it("is asked of no signer that is another wallet, and not made from an answer that is no signature", async () => {
    const watching = { publicKey: wallet.publicKey, signMessage: () => expect.fail("asked to sign") };
    expect(await failure(SignInWithX.sign({ ...message, address: address(2) }, watching))).to.be.instanceOf(
      InvalidFieldError,
    );
    expect(await failure(SignInWithX.sign({ ...message, nonce: "" }, watching))).to.be.instanceOf(InvalidFieldError);
    const broken = { ...watching, signMessage: () => new Uint8Array(63) };
    expect(await failure(SignInWithX.sign(message, broken))).to.be.instanceOf(SignerError);
  });
});

describe("a challenge to sign in", () => {
  const challenge: SignInWithX.Challenge = { info, chainIds: [message.chainId] };
  const url = "https://api.example.com/api/sessions/onboard?wallet=1";

  it("is read as it was written", () => {
    fc.assert(
      fc.property(anyMessage, fc.array(anyChain, { minLength: 1 }), ({ address, chainId, ...info }, chainIds) => {
        const challenge = { info, chainIds };
        expect(SignInWithX.challengeFromJson(SignInWithX.challengeToJson(challenge))).to.deep.equal(challenge);
      }),
    );
  });

  it("has the shape of the extension", () => {
    const json = SignInWithX.challengeToJson(challenge);
    expect(Object.keys(json)).to.deep.equal(["info", "supportedChains", "schema"]);
    expect(json.info).to.deep.equal(info);
    expect(json.supportedChains).to.deep.equal([
      { chainId: message.chainId, type: "ed25519", signatureScheme: "siws" },
    ]);
    expect(json.schema).to.have.property("required").that.includes("signature");
  });

  it("of several kinds of chain is read for those of Solana; of none, refused", () => {
    const json = SignInWithX.challengeToJson(challenge);
    const evm = { chainId: "eip155:8453", type: "eip191" };
    const odd = { chainId: "solana:1", type: "secp256k1" };
    const both = { ...json, supportedChains: [evm, odd, { chainId: message.chainId, type: "ed25519" }] };
    expect(SignInWithX.challengeFromJson(both).chainIds).to.deep.equal([message.chainId]);
    for (const chains of [[evm], [odd], [], undefined, "x"]) {
      expect(() => SignInWithX.challengeFromJson({ ...json, supportedChains: chains })).to.throw(InvalidFieldError);
    }
  });

  it("is answered by the wallet so that the server has no objection", async () => {
    const signIn = await SignInWithX.answer(challenge, { signer: wallet, url });
    expect(SignInWithX.problem(SignInWithX.parse(SignInWithX.format(signIn)), expected)).to.equal(undefined);
  });

  it("is not answered for another host, port, scheme or path than it came from, nor for another chain", async () => {
    const watching = { publicKey: wallet.publicKey, signMessage: () => expect.fail("asked to sign") };
    const from = (url: string, more = {}) => SignInWithX.answer(challenge, { signer: watching, url, ...more });
    for (const other of [
      "https://evil.example/api/sessions/onboard",
      "https://api.example.com:8443/api/sessions/onboard",
      "http://api.example.com/api/sessions/onboard",
      "https://api.example.com/api/sessions/onboard/status",
    ]) {
      expect(await failure(from(other)), other).to.be.instanceOf(InvalidFieldError);
    }
    expect(await failure(from(url, { chainId: "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp" }))).to.be.instanceOf(
      InvalidFieldError,
    );
  });
});

/** Of npm @x402/extensions 2.27.0, with every member that it knows. */
const PEER_WALLET = "GmaDrppBC7P5ARKV8g3djiwP89vz1jLK23V2GBjuAEGB";
const PEER = [
  "eyJkb21haW4iOiJhcGkuZXhhbXBsZS5jb20iLCJhZGRyZXNzIjoiR21hRHJwcEJDN1A1QVJLVjhnM2RqaXdQODl2ejFqTEsyM1YyR0JqdUFF",
  "R0IiLCJzdGF0ZW1lbnQiOiJTaWduIGluIHRvIGFjY2VzcyBwcmVtaXVtIGRhdGEiLCJ1cmkiOiJodHRwczovL2FwaS5leGFtcGxlLmNvbS9w",
  "cmVtaXVtLWRhdGEiLCJ2ZXJzaW9uIjoiMSIsImNoYWluSWQiOiJzb2xhbmE6RXRXVFJBQlphWXE2aU1mZVlLb3VSdTE2NlZVMnhxYTEiLCJ0",
  "eXBlIjoiZWQyNTUxOSIsIm5vbmNlIjoiYTFiMmMzZDRlNWY2Nzg5MGExYjJjM2Q0ZTVmNjc4OTAiLCJpc3N1ZWRBdCI6IjIwMjYtMDEtMTVU",
  "MTA6MzA6MDAuMDAwWiIsImV4cGlyYXRpb25UaW1lIjoiMjAyNi0wMS0xNVQxMDozNTowMC4wMDBaIiwibm90QmVmb3JlIjoiMjAyNi0wMS0x",
  "NVQxMDoyOTowMC4wMDBaIiwicmVxdWVzdElkIjoici0xIiwicmVzb3VyY2VzIjpbImh0dHBzOi8vYXBpLmV4YW1wbGUuY29tL3ByZW1pdW0t",
  "ZGF0YSJdLCJzaWduYXR1cmVTY2hlbWUiOiJzaXdzIiwic2lnbmF0dXJlIjoieFhnaG8zdXI2ckthUzU3WjQ3eFlZREx6V0QzbkhudjJWZTJ3",
  "WEVVd04zM1pMbjV5ajc1blYydjlBcThEY0UyaDdKMTdFWFRpMVYyYVlnRUVMM1ZyZGNkIn0=",
].join("");

const anyChain = fc.stringMatching(/^solana:[-_a-zA-Z0-9]{1,32}$/);
const anyUri = fc.webUrl({ withQueryParameters: true, withFragments: true });
const anyLine = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 30 })
  .filter((text) => !/[\p{Cc}\p{Surrogate}]/u.test(text));

const anyMessage: fc.Arbitrary<SignInWithX.Message> = fc.record(
  {
    domain: fc.domain(),
    address: fc.uint8Array({ minLength: 32, maxLength: 32 }).map(Base58.encode),
    statement: anyLine,
    uri: anyUri,
    version: fc.constant("1" as const),
    chainId: anyChain,
    nonce: fc.stringMatching(/^[A-Za-z0-9]{8,128}$/),
    issuedAt: anyTimestamp,
    expirationTime: anyTimestamp,
    notBefore: anyTimestamp,
    requestId: anyLine,
    resources: fc.array(anyUri, { minLength: 1, maxLength: 3 }),
  },
  { requiredKeys: ["domain", "address", "uri", "version", "chainId", "nonce", "issuedAt"] },
);

const anySignIn: fc.Arbitrary<SignInWithX.SignIn> = fc
  .tuple(anyMessage, fc.uint8Array({ minLength: 64, maxLength: 64 }))
  .map(([message, signature]) => ({ ...message, signature: Base58.encode(signature) }));

function encoded(json: string): string {
  return Buffer.from(json).toString("base64");
}

function keys() {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  return {
    publicKey: Base58.encode(publicKey.export({ format: "der", type: "spki" }).subarray(12)),
    signMessage: (message: Uint8Array) => new Uint8Array(sign(null, message, privateKey)),
  };
}

async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}
