// Rules of the Solana methods: what a challenge asks for must exist on the chain, and be what it says.
import { Challenge, ChargeRequest, MppsolError, SessionRequest } from "@mppsol/core";
import { requireChannelProgram } from "@mppsol/programs";
import { getAssociatedTokenAddressSync, TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID, unpackMint } from "@solana/spl-token";
import { PublicKey } from "@solana/web3.js";
import type { Cluster } from "../network.js";
import type { Checks } from "./checks.js";

type Request = ChargeRequest.ChargeRequest | SessionRequest.SessionRequest;

/** Whether the challenge can be paid on this cluster. */
export async function checkRequest(checks: Checks, challenge: Challenge.Challenge, cluster: Cluster): Promise<boolean> {
  const name = `solana/${challenge.intent}`;
  const request = read(checks, challenge, name);
  if (request === undefined) return false;
  const here = request.network === cluster.network;
  if (!here) {
    checks.skip(
      "chain",
      `${name}: what it asks for exists`,
      `it is for ${request.network}, this is ${cluster.network}`,
    );
    return false;
  }
  if ("channelProgram" in request) await checkProgram(checks, request, cluster, name);
  if (request.currency !== ChargeRequest.SOL) await checkMint(checks, request, cluster, name);
  if (request.feePayerKey !== undefined) await checkFeePayer(checks, request.feePayerKey, cluster, name);
  if (request.recentBlockhash !== undefined) {
    const { value } = await cluster.connection.isBlockhashValid(request.recentBlockhash);
    checks.must("blockhash", `${name}: its blockhash is valid`, value, request.recentBlockhash);
  }
  return true;
}

function read(checks: Checks, challenge: Challenge.Challenge, name: string): Request | undefined {
  const rule = `${name}: the request follows the draft`;
  try {
    const json = Challenge.requestOf(challenge);
    const request = challenge.intent === "charge" ? ChargeRequest.fromJson(json) : SessionRequest.fromJson(json);
    checks.must("request", rule, true);
    return request;
  } catch (error) {
    if (!(error instanceof MppsolError)) throw error;
    checks.must("request", rule, false, error.message);
    return undefined;
  }
}

async function checkProgram(checks: Checks, request: SessionRequest.SessionRequest, cluster: Cluster, name: string) {
  let pinned = true;
  try {
    requireChannelProgram(request.network, request.channelProgram);
  } catch {
    pinned = false;
  }
  checks.must("program-pinned", `${name}: the channel program is a known one`, pinned, request.channelProgram);
  const account = await cluster.connection.getAccountInfo(new PublicKey(request.channelProgram));
  checks.must("program-there", `${name}: the channel program is deployed`, account?.executable === true, "it is not");
}

async function checkMint(checks: Checks, request: Request, { connection }: Cluster, name: string): Promise<void> {
  const mint = new PublicKey(request.currency);
  const account = await connection.getAccountInfo(mint);
  const program = [TOKEN_PROGRAM_ID, TOKEN_2022_PROGRAM_ID].find((id) => account?.owner.equals(id) === true);
  const there = checks.must("mint", `${name}: the currency is a mint`, program !== undefined, request.currency);
  if (!there || account === null || program === undefined) return;
  const { decimals } = unpackMint(mint, account, program);
  checks.must(
    "decimals",
    `${name}: decimals are the mint's`,
    request.decimals === decimals,
    `${request.decimals}, mint ${decimals}`,
  );
  const named = request.tokenProgram ?? program.toBase58();
  checks.must("token-program", `${name}: the token program is the mint's`, named === program.toBase58(), named);
  const owner = new PublicKey(request.recipient);
  const destination = await connection.getAccountInfo(getAssociatedTokenAddressSync(mint, owner, true, program));
  checks.must("recipient", `${name}: the recipient has a token account`, destination !== null, "it has none");
}

async function checkFeePayer(checks: Checks, key: string, { connection }: Cluster, name: string): Promise<void> {
  const lamports = await connection.getBalance(new PublicKey(key));
  checks.must("fee-payer", `${name}: the fee payer has SOL`, lamports >= 10_000, `${lamports} lamports`);
}
