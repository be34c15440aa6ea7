// Who judges a sponsored payment before it is tried: our policy, and that of @x402/svm's facilitator. Both are given what has
// been parsed from JSON, and a node that finds every transaction good: what is left is their own work.
import { existsSync, readFileSync } from "node:fs";
import { TransactionBytes } from "@mppsol/core";
import type { Localnet } from "@mppsol/localnet";
import { createRpc, deskOf, Pull, type Rpc, Sponsor } from "@mppsol/server/parts";
import { memoryStore } from "@mppsol/server/stores";
import type { Keypair } from "@solana/web3.js";
import type { Sample } from "./payments.js";

export const ACCEPTED = "accepted";

export interface Judge {
  readonly id: string;
  /** "accepted", or the code of the refusal. */
  judge(sample: Sample): Promise<string>;
  /** Questions to the node since it was asked last, but for the trial of each transaction that was accepted. */
  questions(): number;
}

/** What `POST /mpp/settle` and x402's `POST /verify` ask of the engine: `Pull.check`. */
export function ours(net: Localnet, sponsor: Keypair): Judge {
  let asked = 0;
  const rpc = counting(createRpc({ endpoint: net.url }), () => asked++);
  const { charges } = memoryStore();
  // Time stands still: what is known of the mint is not looked up again.
  const now = () => 0;
  const desk = deskOf({ rpc, store: { charges }, network: "localnet", now });
  const pull = new Pull({ ...desk, sponsor: new Sponsor({ signer: sponsor }, rpc, now) }, false);
  return {
    id: "mppsol",
    async judge({ request, transaction }) {
      try {
        await pull.check(request, TransactionBytes.fromBase64(transaction, "transaction"));
        return ACCEPTED;
      } catch (error) {
        return (error as { code: string }).code;
      }
    },
    questions() {
      const before = asked;
      asked = 0;
      return before;
    },
  };
}

/** A node that finds every transaction good, and answers everything else as it is. */
function counting(rpc: Rpc, count: () => void): Rpc {
  return new Proxy(rpc, {
    get(from, key: keyof Rpc) {
      if (key === "simulate")
        return async () => ({ err: null, logs: [], slot: 1n }) satisfies Awaited<ReturnType<Rpc["simulate"]>>;
      const value = from[key] as (...args: unknown[]) => unknown;
      return (...args: unknown[]) => {
        count();
        return value.apply(from, args);
      };
    },
  });
}

/** The part of @x402/svm's class that is called. */
interface ExactSvmScheme {
  verify(payload: object, requirements: object): Promise<{ isValid: boolean; invalidReason?: string }>;
}

const NETWORK = "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1";
const PACKAGE = new URL("../../tests/interop/node_modules/@x402/svm/", import.meta.url);

/** `ExactSvmScheme.verify`, at its defaults; `undefined` where tests/interop is not installed. */
export async function theirs(sponsor: Keypair): Promise<Judge | undefined> {
  const entry = new URL("dist/esm/exact/facilitator/index.mjs", PACKAGE);
  if (!existsSync(entry)) return undefined;
  const { ExactSvmScheme } = (await import(entry.href)) as { ExactSvmScheme: new (signer: object) => ExactSvmScheme };
  const { version } = JSON.parse(readFileSync(new URL("package.json", PACKAGE), "utf8")) as { version: string };
  const feePayer = sponsor.publicKey.toBase58();
  const scheme = new ExactSvmScheme({ getAddresses: () => [feePayer], simulateTransaction: async () => {} });
  return {
    id: `@x402/svm ${version}`,
    async judge({ request, transaction }) {
      const requirements = {
        scheme: "exact",
        network: NETWORK,
        payTo: request.recipient,
        amount: String(request.amount),
        asset: request.currency,
        maxTimeoutSeconds: 60,
        extra: { feePayer },
      };
      const payload = { x402Version: 2, accepted: requirements, payload: { transaction } };
      const { isValid, invalidReason } = await scheme.verify(payload, requirements);
      return isValid ? ACCEPTED : (invalidReason ?? "refused");
    },
    questions: () => 0,
  };
}
