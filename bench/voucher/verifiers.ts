// Ways to verify a voucher's signature: the limit, a slow one, and a peer's own.
import { verify, webcrypto } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { ed25519 } from "@noble/curves/ed25519.js";
import { VoucherVerifier } from "../../sdk/server/dist/session/VoucherVerifier.js";
import type { Prepared } from "./vouchers.js";

export interface Verifier {
  readonly id: string;
  verify(prepared: Prepared): boolean | Promise<boolean>;
}

/** The limit: one call into OpenSSL, everything ready for it. */
export const BARE: Verifier = {
  id: "node:crypto verify, bare",
  verify: ({ message, signature, channel }) => verify(null, message, channel.key, signature),
};

const ours = new VoucherVerifier();

export async function verifiers(): Promise<Verifier[]> {
  const { subtle } = webcrypto;
  const found: Verifier[] = [
    { id: "VoucherVerifier, from the parsed voucher", verify: ({ signed }) => ours.verify(signed) },
    {
      id: "WebCrypto, key imported each time, as pay-kit and @solana/kit",
      async verify({ message, signature, publicKey }) {
        const key = await subtle.importKey("raw", publicKey, { name: "Ed25519" }, true, ["verify"]);
        return subtle.verify({ name: "Ed25519" }, key, signature, message);
      },
    },
    {
      id: "@noble/curves verify",
      verify: ({ message, signature, publicKey }) => ed25519.verify(signature, message, publicKey),
    },
  ];
  const peer = await peerVerifier();
  return peer === undefined ? found : [...found, peer];
}

/** @x402/svm's own function, which it does not export by a fixed path. */
async function peerVerifier(): Promise<Verifier | undefined> {
  const folder = new URL("../../tests/interop/node_modules/@x402/svm/", import.meta.url);
  const files = new URL("dist/esm/", folder);
  if (!existsSync(files)) return undefined;
  for (const name of readdirSync(files).filter((name) => name.endsWith(".mjs"))) {
    if (!readFileSync(new URL(name, files), "utf8").includes("async function verifyVoucherSignature")) continue;
    const { verifyVoucherSignature } = (await import(new URL(name, files).href)) as {
      verifyVoucherSignature(args: object): Promise<boolean>;
    };
    const { version } = JSON.parse(readFileSync(new URL("package.json", folder), "utf8")) as { version: string };
    return {
      id: `@x402/svm ${version} verifyVoucherSignature`,
      verify: ({ message, signed }) =>
        verifyVoucherSignature({ message, signerBase58: signed.signer, signatureBase58: signed.signature }),
    };
  }
  return undefined;
}
