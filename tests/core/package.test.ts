// What the package promises as a whole: it runs in a browser, and its errors can be told apart.
import { readdirSync, readFileSync } from "node:fs";
import * as core from "@mppsol/core";
import { expect } from "chai";

const dist = new URL("../../sdk/core/dist/", import.meta.url);

/** Every script of the package: name and text. */
const scripts = readdirSync(dist, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".js"))
  .map((file): [string, string] => [file, readFileSync(new URL(file, dist), "utf8")]);

describe("@mppsol/core", () => {
  it("imports nothing that only Node or a chain client has", () => {
    const imported = scripts.flatMap(([, script]) =>
      [...script.matchAll(/\b(?:from|import)\s*\(?\s*["']([^."'][^"']*)["']/g)].map((match) => match[1]),
    );
    expect([...new Set(imported)].sort()).to.deep.equal([
      "@noble/curves/ed25519.js",
      "@noble/hashes/hmac.js",
      "@noble/hashes/sha2.js",
      "@scure/base",
    ]);
  });

  it("uses no global that only Node has", () => {
    const uses = scripts.filter(([, script]) =>
      /\b(Buffer|process|require|global|setImmediate|__dirname)\b(?=[.([])/.test(script),
    );
    expect(uses.map(([file]) => file)).to.deep.equal([]);
    expect(scripts.map(([file]) => file)).to.include.members(["Ed25519.js", "refusals/general.js"]);
  });

  it("gives every error its own name and a stable code", () => {
    const errors = [
      new core.InvalidFieldError("a", "b"),
      new core.MessageLengthError("a", 1, 2),
      new core.BadMagicError("a"),
      new core.InvalidSplitsError("zero-share", "a"),
      new core.InvalidBatchError("count", "a"),
      new core.SignerError("a"),
    ];
    expect(errors.map((error) => `${error.name} ${error.code}`)).to.deep.equal([
      "InvalidFieldError invalid-field",
      "MessageLengthError message-length",
      "BadMagicError bad-magic",
      "InvalidSplitsError invalid-splits",
      "InvalidBatchError invalid-batch",
      "SignerError signer",
    ]);
    for (const error of errors) expect(error).to.be.instanceOf(core.MppsolError).and.instanceOf(Error);
  });
});
