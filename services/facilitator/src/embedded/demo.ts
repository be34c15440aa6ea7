// A charge to try the service with: a buyer with USDC and no SOL pays a seller one cent.
import { randomUUID } from "node:crypto";
import { ChargeRequest, type JsonObject, Network } from "@mppsol/core";
import { tokenAddress } from "@mppsol/programs";
import { createTransferCheckedInstruction } from "@solana/spl-token";
import {
  ComputeBudgetProgram,
  type Keypair,
  PublicKey,
  TransactionInstruction,
  TransactionMessage,
  VersionedTransaction,
} from "@solana/web3.js";

/** Base units of USDC: one cent. */
const AMOUNT = 10_000n;

const UNITS = 60_000;

const MEMO_PROGRAM = new PublicKey("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr");

/** What the service could not be asked for. */
export class DemoError extends Error {}

/** The body of POST /mpp/settle for a charge that `buyer` has signed. Throws {DemoError}. */
export async function demoCharge(url: string, buyer: Keypair, seller: PublicKey): Promise<JsonObject> {
  const challengeId = `demo-${randomUUID()}`;
  const prepared = await post(`${url}/mpp/prepare`, { recipient: seller.toBase58(), amount: String(AMOUNT) });
  const request = ChargeRequest.fromJson({
    amount: String(AMOUNT),
    currency: prepared.currency,
    recipient: seller.toBase58(),
    // Two payments of one price with one blockhash would be one transaction.
    externalId: challengeId,
    methodDetails: {
      network: Network.parse(prepared.network),
      decimals: prepared.decimals,
      tokenProgram: prepared.tokenProgram,
      feePayer: true,
      feePayerKey: prepared.feePayer,
    },
  });
  const transaction = Buffer.from(sign(request, String(prepared.recentBlockhash), buyer)).toString("base64");
  return { challengeId, request: ChargeRequest.toJson(request), transaction };
}

/** The transaction, signed by the buyer alone. */
function sign(request: ChargeRequest.ChargeRequest, recentBlockhash: string, buyer: Keypair): Uint8Array {
  const mint = new PublicKey(request.currency);
  const program = new PublicKey(request.tokenProgram!);
  const account = (owner: PublicKey) => tokenAddress(owner, mint, program);
  const message = new TransactionMessage({
    payerKey: new PublicKey(request.feePayerKey!),
    recentBlockhash,
    instructions: [
      ComputeBudgetProgram.setComputeUnitLimit({ units: UNITS }),
      createTransferCheckedInstruction(
        account(buyer.publicKey),
        mint,
        account(new PublicKey(request.recipient)),
        buyer.publicKey,
        request.amount,
        request.decimals!,
        [],
        program,
      ),
      new TransactionInstruction({ programId: MEMO_PROGRAM, keys: [], data: Buffer.from(request.externalId!) }),
    ],
  }).compileToV0Message();
  const transaction = new VersionedTransaction(message);
  transaction.sign([buyer]);
  return transaction.serialize();
}

/** A command line that settles the charge. Nothing in it needs to be quoted but for its braces. */
export function curlOf(url: string, body: JsonObject): string {
  return `curl -sS ${url}/mpp/settle -H 'content-type: application/json' -d '${JSON.stringify(body)}'`;
}

/** Throws {DemoError} when nobody answers, or with no JSON, or with a problem. */
export async function post(url: string, body: JsonObject): Promise<JsonObject> {
  let response: Response;
  try {
    response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(35_000),
    });
  } catch (cause) {
    throw new DemoError(`nobody answers at ${url}; is the service running there?`, { cause });
  }
  const answer = (await response.json().catch(() => ({}))) as JsonObject;
  if (!response.ok)
    throw new DemoError(`${response.status} ${answer.code ?? ""}: ${answer.detail ?? "no reason given"}`);
  return answer;
}
