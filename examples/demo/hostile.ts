// Ways to get data without paying for it. All must be refused, and change nothing.
import { randomUUID } from "node:crypto";
import { Challenge, Credential, SessionAction, type SignedVoucher } from "@mppsol/core";
import { signVoucher } from "@mppsol/programs";
import { Keypair } from "@solana/web3.js";

export interface Attempt {
  readonly name: string;
  /** Whether the seller answered 402, with a problem and a fresh challenge, and with no data. */
  readonly refused: boolean;
  /** What the seller said: the code of its problem. */
  readonly detail: string;
}

export interface Loot {
  readonly url: string;
  /** A credential that has paid for a request. */
  readonly paid: Credential.Credential;
  /** The payer's key, as only the payer has it. */
  readonly wallet: Keypair;
  readonly price: bigint;
  readonly deposit: bigint;
}

export async function tryAll({ url, paid, wallet, price, deposit }: Loot): Promise<Attempt[]> {
  const action = SessionAction.fromJson(paid.payload);
  if (action.action !== "voucher") throw new Error("there is no voucher to replay yet");
  const { channelId, voucher: last } = action;
  const next = last.voucher.cumulativeAmount + price;
  const stolen = await signVoucher({ channelId, cumulativeAmount: next }, Keypair.generate());
  const tooMuch = await signVoucher({ channelId, cumulativeAmount: deposit + price }, wallet);
  const request = Challenge.requestOf(paid.challenge);
  const cheaper = Challenge.issue({ ...terms(paid.challenge), request: { ...request, amount: "1" } }, "x".repeat(32));
  const cheap = await signVoucher({ channelId, cumulativeAmount: last.voucher.cumulativeAmount + 1n }, wallet);
  const ask = (voucher: SignedVoucher.SignedVoucher, challenge = paid.challenge) =>
    get(url, { challenge, payload: SessionAction.toJson({ action: "voucher", channelId, voucher }) });
  return [
    attempt("the last voucher again", await ask(last)),
    attempt("a voucher signed by another key", await ask({ ...stolen, signer: last.signer })),
    attempt("more than the deposit", await ask(tooMuch)),
    attempt("a price of one's own making", await ask(cheap, cheaper)),
    attempt("no voucher", await get(url)),
  ];
}

function terms({ realm, method, intent }: Challenge.Challenge) {
  return { realm, method, intent };
}

interface Answer {
  readonly response: Response;
  readonly body: string;
}

async function get(url: string, credential?: Credential.Credential): Promise<Answer> {
  const headers = credential === undefined ? {} : { authorization: Credential.format(credential) };
  const response = await fetch(url, { headers: { ...headers, "idempotency-key": randomUUID() } });
  return { response, body: await response.text() };
}

function attempt(name: string, { response, body }: Answer): Attempt {
  const json = JSON.parse(body) as { code?: string; quote?: string };
  const refused =
    response.status === 402 &&
    response.headers.get("content-type") === "application/problem+json" &&
    !response.headers.has("payment-receipt") &&
    json.quote === undefined &&
    Challenge.parseAll(response.headers.get("www-authenticate") ?? "").length === 1;
  return { name, refused, detail: json.code ?? `status ${response.status}` };
}
