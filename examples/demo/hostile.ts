// Four ways to get data without paying for it. All must be refused, and change nothing.
import { Keypair } from "@solana/web3.js";
import type { Agent } from "./agent.js";
import type { Answer } from "./pipeline.js";
import { parseChallenge } from "./wire.js";

export interface Attempt {
  readonly name: string;
  /** Whether the seller answered 402, with a problem and a fresh challenge, and with no data. */
  readonly refused: boolean;
  /** What the seller said. */
  readonly detail: string;
}

export async function tryAll(agent: Agent): Promise<Attempt[]> {
  const { price, deposit } = agent.session;
  const last = agent.lastVoucher;
  if (last === undefined) throw new Error("there is no voucher to replay yet");
  const signer = agent.voucherKey.publicKey.toBase58();
  const stolen = await agent.voucher(agent.granted + price, Keypair.generate());
  const tooMuch = await agent.voucher(deposit + price);
  return [
    attempt("the last voucher again", await agent.get(agent.credential("voucher", last))),
    attempt("a voucher signed by another key", await agent.get(agent.credential("voucher", { ...stolen, signer }))),
    attempt("more than the deposit", await agent.get(agent.credential("voucher", tooMuch))),
    attempt("no voucher", await agent.get()),
  ];
}

function attempt(name: string, answer: Answer): Attempt {
  const body = JSON.parse(answer.body) as { detail?: string; serial?: number };
  const refused =
    answer.status === 402 &&
    answer.headers.get("content-type") === "application/problem+json" &&
    answer.headers.get("payment-receipt") === undefined &&
    body.serial === undefined &&
    isChallenge(answer.headers.get("www-authenticate"));
  return { name, refused, detail: body.detail ?? `status ${answer.status}` };
}

function isChallenge(header: string | undefined): boolean {
  try {
    return parseChallenge(header ?? "").intent === "session";
  } catch {
    return false;
  }
}
