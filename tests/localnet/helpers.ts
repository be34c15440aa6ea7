// What the localnet tests share: raw JSON-RPC calls and signed transactions.
import { Keypair, type PublicKey, SystemProgram, Transaction, type TransactionInstruction } from "@solana/web3.js";
import type { Localnet } from "../../sdk/localnet/src/index.ts";

export interface RpcAnswer {
  // biome-ignore lint/suspicious/noExplicitAny: the tests look into answers of every shape.
  result?: any;
  // biome-ignore lint/suspicious/noExplicitAny: see above.
  error?: { code: number; message: string; data?: any };
  id?: unknown;
}

/** Posts a body as it is and returns the status and the text. */
export async function post(
  url: string,
  body: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; text: string }> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body,
  });
  return { status: response.status, text: await response.text() };
}

/** One JSON-RPC call. */
export async function call(chain: Localnet, method: string, ...params: unknown[]): Promise<RpcAnswer> {
  const { text } = await post(chain.url, JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }));
  return JSON.parse(text) as RpcAnswer;
}

/** The error of a call that must fail, as `code message`. */
export async function refusal(chain: Localnet, method: string, ...params: unknown[]): Promise<string> {
  const { error } = await call(chain, method, ...params);
  return error === undefined ? "no error" : `${error.code} ${error.message}`;
}

export async function blockhash(chain: Localnet): Promise<string> {
  return (await call(chain, "getLatestBlockhash", { commitment: "processed" })).result.value.blockhash;
}

/** The payer of a chain as a key of the web3.js that the tests use. */
export const payerOf = (chain: Localnet): Keypair => Keypair.fromSecretKey(chain.payer.secretKey);

/** A transaction of the chain's payer, signed and serialized. */
export function signed(
  chain: Localnet,
  recentBlockhash: string,
  instructions: TransactionInstruction[],
  signers: Keypair[] = [],
): Buffer {
  const payer = payerOf(chain);
  const transaction = new Transaction({ feePayer: payer.publicKey, recentBlockhash }).add(...instructions);
  transaction.sign(payer, ...signers);
  return transaction.serialize();
}

export const transfer = (chain: Localnet, toPubkey: PublicKey, lamports: number): TransactionInstruction =>
  SystemProgram.transfer({ fromPubkey: payerOf(chain).publicKey, toPubkey, lamports });

export const send = (chain: Localnet, wire: Uint8Array, options: object = {}): Promise<RpcAnswer> =>
  call(chain, "sendTransaction", Buffer.from(wire).toString("base64"), {
    encoding: "base64",
    preflightCommitment: "processed",
    ...options,
  });

export const simulate = (chain: Localnet, wire: Uint8Array, options: object = {}): Promise<RpcAnswer> =>
  call(chain, "simulateTransaction", Buffer.from(wire).toString("base64"), {
    encoding: "base64",
    commitment: "processed",
    ...options,
  });
