// Signing for the server: in its own place, exactly what was given.
import { buildTransaction } from "@mppsol/programs";
import { Keypair, PublicKey, SystemProgram, type VersionedTransaction } from "@solana/web3.js";
import { expect } from "chai";
import { SigningError } from "../../../sdk/server/src/chain/errors.ts";
import { addSignature, signerAddress, verifySignature } from "../../../sdk/server/src/chain/index.ts";

const server = Keypair.generate();
const client = Keypair.generate();

/** Paid for by the server, authorized by the client. */
function transaction(): VersionedTransaction {
  const instructions = [
    SystemProgram.transfer({ fromPubkey: client.publicKey, toPubkey: Keypair.generate().publicKey, lamports: 1 }),
  ];
  return buildTransaction({
    feePayer: server.publicKey,
    recentBlockhash: PublicKey.default.toBase58(),
    instructions,
  });
}

const remote = (signTransaction: (one: VersionedTransaction) => Promise<VersionedTransaction>) => ({
  publicKey: server.publicKey.toBase58(),
  signTransaction,
});

describe("signer", () => {
  it("signs in its own place and leaves what others have signed", async () => {
    for (const signer of [
      server,
      remote(async (one) => {
        one.sign([server]);
        return one;
      }),
    ]) {
      const one = transaction();
      one.sign([client]);
      const theirs = Uint8Array.from(one.signatures[1]!);
      await addSignature(one, signer);
      expect(one.signatures[1]).to.deep.equal(theirs);
      expect(verifySignature(one.message.serialize(), one.signatures[0]!, server.publicKey.toBytes())).to.equal(true);
    }
  });

  for (const [name, sign] of [
    ["returns it unsigned", async (one: VersionedTransaction) => one],
    [
      "signs another one",
      async () => {
        const other = transaction();
        other.sign([server]);
        return other;
      },
    ],
    ["fails", () => Promise.reject(new Error("locked"))],
    ["returns nothing like it", async () => ({ signatures: [] }) as unknown as VersionedTransaction],
  ] as const) {
    it(`a service that ${name}, is an error and signs nothing`, async () => {
      const one = transaction();
      expect(await failure(addSignature(one, remote(sign)))).to.be.instanceOf(SigningError);
      expect(one.signatures[0]!.every((byte) => byte === 0)).to.equal(true);
    });
  }

  it("a key that the transaction does not ask for, is an error", async () => {
    expect(await failure(addSignature(transaction(), Keypair.generate()))).to.be.instanceOf(SigningError);
  });

  it("has an address, whatever says it", () => {
    const address = server.publicKey.toBase58();
    expect(signerAddress(server)).to.equal(address);
    expect(signerAddress(remote(async (one) => one))).to.equal(address);
    expect(() => signerAddress({ ...remote(async (one) => one), publicKey: "x" })).to.throw("signer.publicKey");
  });

  it("a signature is verified as the chain does: no weak points, no wrong lengths", () => {
    const one = transaction();
    one.sign([server, client]);
    const message = one.message.serialize();
    const [signature, key] = [one.signatures[0]!, server.publicKey.toBytes()];
    expect(verifySignature(message, signature, key)).to.equal(true);
    expect(verifySignature(message, signature, client.publicKey.toBytes())).to.equal(false);
    expect(verifySignature(message, signature.subarray(1), key)).to.equal(false);
    expect(verifySignature(message, signature, key.subarray(1))).to.equal(false);
    // R and the key are the neutral element: node:crypto alone calls this the signature of anything.
    const neutral = Uint8Array.from({ length: 32 }, (_, at) => (at === 0 ? 1 : 0));
    expect(verifySignature(message, Uint8Array.of(...neutral, ...new Uint8Array(32)), neutral)).to.equal(false);
  });
});

async function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}
