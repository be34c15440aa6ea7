// What the package promises as a whole: it runs in a browser, and its errors can be told apart.
import { readdirSync, readFileSync } from "node:fs";
import * as core from "@mppsol/core";
import { expect } from "chai";

const dist = new URL("../../sdk/core/dist/", import.meta.url);

describe("@mppsol/core", () => {
  it("imports nothing that only Node or a chain client has", () => {
    const imported = readdirSync(dist)
      .filter((file) => file.endsWith(".js"))
      .flatMap((file) => [...readFileSync(new URL(file, dist), "utf8").matchAll(/from "([^."][^"]*)"/g)])
      .map((match) => match[1]);
    expect([...new Set(imported)].sort()).to.deep.equal([
      "@noble/curves/ed25519.js",
      "@noble/hashes/hmac.js",
      "@noble/hashes/sha2.js",
      "@scure/base",
    ]);
    const uses = readdirSync(dist).filter(
      (file) => file.endsWith(".js") && /\b(Buffer|process|require)\b/.test(readFileSync(new URL(file, dist), "utf8")),
    );
    expect(uses).to.deep.equal([]);
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
