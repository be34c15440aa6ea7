// Buyers and their sellers, who settle through a service that dies, and want to know in the end whether they have paid.
import { randomBytes } from "node:crypto";
import { ChargeRequest } from "@mppsol/core";
import { type Localnet, USDC_MINT } from "@mppsol/localnet";
import { Keypair, PublicKey, TransactionMessage, VersionedTransaction } from "@solana/web3.js";
import { instructionsFor } from "../../server/charge/shop.ts";

/** One transaction for an order, and what its sender was told in the end. Each pays an account of its own. */
export interface Attempt {
  readonly recipient: string;
  /** Base units. */
  readonly amount: bigint;
  readonly verdict: "paid" | { readonly refused: string };
}

export interface Shop {
  readonly net: Localnet;
  /** Where the service is to be had; empty while nothing of it lives. */
  readonly urls: () => readonly string[];
  readonly random: () => number;
  /** Answers by status, as a record of what clients went through. */
  readonly seen: Map<string, number>;
}

interface Answer {
  readonly status: number;
  readonly json: { readonly code?: string; readonly retryable?: boolean } & Readonly<Record<string, unknown>>;
}

/** Pays one order, by as many transactions as it takes: another only when it is known that the last will never pay. */
export async function buy(shop: Shop, payer: Keypair): Promise<Attempt[]> {
  const attempts: Attempt[] = [];
  for (;;) {
    const attempt = await tryOnce(shop, payer, 1_000n + BigInt(Math.floor(shop.random() * 1_000)));
    attempts.push(attempt);
    if (attempt.verdict === "paid") return attempts;
  }
}

async function tryOnce(shop: Shop, payer: Keypair, amount: bigint): Promise<Attempt> {
  const recipient = Keypair.generate().publicKey.toBase58();
  shop.net.mintUsdc(recipient, 0n);
  const prepared = await answered(shop, "/mpp/prepare", { recipient, amount: String(amount) });
  const { feePayer, recentBlockhash } = prepared.json as { feePayer: string; recentBlockhash: string };
  const request: ChargeRequest.ChargeRequest = {
    amount,
    currency: USDC_MINT,
    recipient,
    network: "localnet",
    decimals: 6,
    tokenProgram: "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
    feePayer: true,
    feePayerKey: feePayer,
    splits: [],
    recentBlockhash,
  };
  const message = new TransactionMessage({
    payerKey: new PublicKey(feePayer),
    recentBlockhash,
    instructions: instructionsFor(request, payer.publicKey),
  }).compileToV0Message();
  const transaction = new VersionedTransaction(message);
  transaction.sign([payer]);
  const settled = await answered(shop, "/mpp/settle", {
    challengeId: randomBytes(12).toString("base64url"),
    request: ChargeRequest.toJson(request),
    transaction: Buffer.from(transaction.serialize()).toString("base64"),
  });
  const verdict = settled.status === 200 ? "paid" : { refused: settled.json.code ?? String(settled.status) };
  return { recipient, amount, verdict };
}

/** Asks, of whatever lives, the same again until the answer is final. */
async function answered(shop: Shop, path: string, body: unknown): Promise<Answer> {
  // Some say that it is the same request, others leave it to the service to find out.
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (path === "/mpp/settle" && shop.random() < 0.1) headers["idempotency-key"] = randomBytes(12).toString("hex");
  for (;;) {
    const answer = await ask(shop, path, headers, JSON.stringify(body));
    const name = answer === undefined ? "no answer" : `${answer.status} ${answer.json.code ?? ""}`.trim();
    shop.seen.set(`${path} ${name}`, (shop.seen.get(`${path} ${name}`) ?? 0) + 1);
    if (answer !== undefined && isFinal(answer)) return answer;
    await new Promise((resolve) => setTimeout(resolve, 20 + shop.random() * 80));
  }
}

async function ask(
  shop: Shop,
  path: string,
  headers: Record<string, string>,
  body: string,
): Promise<Answer | undefined> {
  const urls = shop.urls();
  const url = urls[Math.floor(shop.random() * urls.length)];
  if (url === undefined) return undefined;
  try {
    const reply = await fetch(url + path, { method: "POST", headers, body, signal: AbortSignal.timeout(10_000) });
    return { status: reply.status, json: (await reply.json()) as Answer["json"] };
  } catch {
    return undefined;
  }
}

function isFinal({ status, json }: Answer): boolean {
  return status !== 202 && status < 500 && json.retryable !== true;
}
