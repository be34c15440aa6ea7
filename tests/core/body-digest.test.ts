// Digests of request bodies.
import { createHash } from "node:crypto";
import { BodyDigest } from "@mppsol/core";
import { expect } from "chai";
import fc from "fast-check";

const anyBody = fc.uint8Array({ maxLength: 300 });

describe("a body's digest", () => {
  it("is what RFC 9530 writes", () => {
    const body = new TextEncoder().encode('{"hello": "world"}');
    expect(BodyDigest.of(body)).to.equal("sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:");
    fc.assert(
      fc.property(anyBody, (bytes) => {
        expect(BodyDigest.of(bytes)).to.equal(`sha-256=:${createHash("sha256").update(bytes).digest("base64")}:`);
      }),
    );
  });

  it("matches its body between colons or bare, padded or not, and no other body", () => {
    fc.assert(
      fc.property(anyBody, anyBody, (body, other) => {
        const digest = BodyDigest.of(body);
        const bare = digest.replaceAll(":", "");
        for (const form of [digest, bare, bare.slice(0, -1), digest.replace("sha", "SHA")]) {
          expect(BodyDigest.matches(form, body), form).to.equal(true);
          const same = Buffer.compare(body, other) === 0;
          expect(BodyDigest.matches(form, other), form).to.equal(same);
        }
      }),
    );
  });

  it("matches nothing in another form, of another algorithm or cut short", () => {
    const body = new Uint8Array([1, 2, 3]);
    const digest = BodyDigest.of(body);
    const hash = digest.slice("sha-256=:".length, -1);
    for (const form of [
      "",
      "sha-256=",
      "sha-256=::",
      `sha-256=:${hash}`,
      `sha-256=${hash}:`,
      `sha-512=:${hash}:`,
      `sha-256=:${hash.slice(4)}:`,
      `sha-256=:${hash}${hash}:`,
      `sha-256=:${hash.replace(/.=$/, "B=")}:`,
      ` ${digest}`,
      `${digest}, ${digest}`,
    ]) {
      expect(BodyDigest.matches(form, body), form).to.equal(false);
    }
  });

  it("can be asked of any text", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), anyBody, (text, body) => !BodyDigest.matches(text, body)));
  });
});
