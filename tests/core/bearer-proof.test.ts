// The bearer proof: signing one, and what it holds for. Messages, validity and what is refused are in the vectors too.
import { generateKeyPairSync, sign } from "node:crypto";
import { Base58, BearerProof, InvalidFieldError, SignerError } from "@mppsol/core";
import { expect } from "chai";
import { address, hex } from "./arbitraries.ts";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const payer = Base58.encode(publicKey.export({ format: "der", type: "spki" }).subarray(12));
const signer = {
  publicKey: payer,
  signMessage: (message: Uint8Array) => new Uint8Array(sign(null, message, privateKey)),
};
const input = { channelId: address(1), payer, sessionChallengeId: "c1" };
const opened = { channelId: address(1), payer, challengeId: "c1" };

describe("a bearer proof", () => {
  it("signed by the payer holds for its channel, payer and challenge, and for nothing else", async () => {
    const proof = await BearerProof.sign(input, signer);
    expect(proof).to.include({ type: "proof", challengeId: "c1", payer });
    expect(BearerProof.verify(proof, opened)).to.equal(true);
    for (const other of [{ channelId: address(2) }, { payer: address(3) }, { challengeId: "c2" }]) {
      expect(BearerProof.verify(proof, { ...opened, ...other })).to.equal(false);
    }
  });

  it("is not verified under a key or challenge of its own choice", async () => {
    const never = () => expect.fail("asked to verify");
    const proof = await BearerProof.sign(input, signer);
    expect(BearerProof.verify({ ...proof, payer: address(3) }, opened, never)).to.equal(false);
    expect(BearerProof.verify({ ...proof, challengeId: "c2" }, opened, never)).to.equal(false);
  });

  it("is checked by the verifier that is given, with message, signature and key in this order", async () => {
    const proof = await BearerProof.sign(input, signer);
    const seen: Uint8Array[] = [];
    const answer = (...bytes: Uint8Array[]) => seen.push(...bytes) === 0;
    expect(BearerProof.verify(proof, opened, answer)).to.equal(false);
    const expected = [BearerProof.message(input), Base58.decode(proof.signature, 64), Base58.decode(payer, 32)];
    expect(seen.map(hex)).to.deep.equal(expected.map(hex));
  });

  it("is asked of no signer that is not the payer, nor over what cannot be encoded", async () => {
    const watching = { publicKey: payer, signMessage: () => expect.fail("asked to sign") };
    for (const wrong of [{ payer: address(3) }, { channelId: "x" }, { sessionChallengeId: "" }, { payer: "x" }]) {
      expect(await failure(BearerProof.sign({ ...input, ...wrong }, watching))).to.be.instanceOf(InvalidFieldError);
    }
  });

  it("is not made from an answer that is no signature", async () => {
    const broken = { publicKey: payer, signMessage: () => new Uint8Array(63) };
    expect(await failure(BearerProof.sign(input, broken))).to.be.instanceOf(SignerError);
  });

  it("is not written when it could not be read", () => {
    const proof = { type: "proof", challengeId: "", payer, signature: Base58.encode(new Uint8Array(64)) } as const;
    expect(() => BearerProof.toJson(proof)).to.throw(InvalidFieldError, "challengeId");
  });
});

async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}
