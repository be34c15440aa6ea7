// Rules that only a payment can show: that it is taken, that the money moved, that it buys one answer and no more.
import { type Agent, paymentOf } from "@mppsol/agent";
import { type Challenge, Challenge as Challenges, ChargeRequest, Receipt, SessionRequest } from "@mppsol/core";
import { decodeChannel } from "@mppsol/programs";
import { PublicKey } from "@solana/web3.js";
import type { Cluster } from "../network.js";
import type { Target } from "./challenge.js";
import type { Checks } from "./checks.js";
import { ask } from "./http.js";

/** A fetch that remembers the credential of the last request that carried one. */
class Recorder {
  credential: string | undefined;
  readonly fetch: typeof globalThis.fetch = (input, init) => {
    const headers = new Headers(init?.headers ?? (input instanceof Request ? input.headers : undefined));
    this.credential = headers.get("authorization") ?? headers.get("payment-authorization") ?? this.credential;
    return fetch(input, init);
  };
}

/** Pays what the challenge asks for, once, and looks at everything that must follow. */
export async function checkPayment(
  checks: Checks,
  agent: Agent,
  target: Target,
  challenge: Challenge.Challenge,
  cluster: Cluster,
): Promise<void> {
  if (challenge.intent === "charge") await checkCharge(checks, agent, target, challenge, cluster);
  else await checkSession(checks, agent, target, challenge, cluster);
}

async function checkCharge(
  checks: Checks,
  agent: Agent,
  target: Target,
  challenge: Challenge.Challenge,
  cluster: Cluster,
) {
  const recorder = new Recorder();
  const response = await agent.over(recorder.fetch)(target.url, { method: target.method });
  const receipt = await served(checks, response, "charge");
  if (receipt === undefined) return;
  const request = ChargeRequest.fromJson(Challenges.requestOf(challenge));
  const { connection } = cluster;
  const options = { commitment: "confirmed", maxSupportedTransactionVersion: 0 } as const;
  const transaction = await connection.getParsedTransaction(receipt.reference, options);
  const landed = transaction !== null && transaction.meta?.err === null;
  checks.must(
    "charge-landed",
    "charge: the receipt's reference is a transaction that landed",
    landed,
    receipt.reference,
  );
  const got = landed ? received(transaction.meta, request) : 0n;
  const due = ChargeRequest.primaryAmount(request);
  checks.must("charge-paid", "charge: the recipient got what was asked", got >= due, `${got} of ${due} base units`);
  await replay(checks, target, recorder.credential, "charge");
}

type Meta = NonNullable<Awaited<ReturnType<Cluster["connection"]["getParsedTransaction"]>>>["meta"];

/** Base units that the recipient's token accounts gained; for SOL the transfer itself was checked by the server. */
function received(meta: Meta, { currency, recipient, amount }: ChargeRequest.ChargeRequest): bigint {
  if (currency === ChargeRequest.SOL) return amount;
  const sum = (balances: NonNullable<Meta>["preTokenBalances"]) =>
    (balances ?? [])
      .filter(({ mint, owner }) => mint === currency && owner === recipient)
      .reduce((total, { uiTokenAmount }) => total + BigInt(uiTokenAmount.amount), 0n);
  return sum(meta?.postTokenBalances) - sum(meta?.preTokenBalances);
}

async function checkSession(
  checks: Checks,
  agent: Agent,
  target: Target,
  challenge: Challenge.Challenge,
  cluster: Cluster,
) {
  const recorder = new Recorder();
  const pay = agent.over(recorder.fetch);
  const first = await served(checks, await pay(target.url, { method: target.method }), "session");
  const second = await served(checks, await pay(target.url, { method: target.method }), "session-again");
  if (first === undefined || second === undefined) return;
  const [before, after] = [Receipt.asSession(first), Receipt.asSession(second)];
  const { channelProgram } = SessionRequest.fromJson(Challenges.requestOf(challenge));
  checks.must(
    "session-reused",
    "session: one channel pays both",
    before.channelId === after.channelId,
    after.channelId,
  );
  const rose = after.spent > before.spent && after.acceptedCumulative >= after.spent;
  checks.must(
    "session-debited",
    "session: the second request was debited",
    rose,
    `${before.spent}, then ${after.spent}`,
  );
  await replay(checks, target, recorder.credential, "session");
  // A stream goes on after its receipt: what was signed in all is what may be settled.
  const known = (await agent.sessions()).find(({ channelId }) => channelId === after.channelId);
  const most = known === undefined || known.signed === 0n ? after.acceptedCumulative : known.signed;
  const outcomes = await agent.closeSessions({ channelId: after.channelId });
  const closed = outcomes.every(({ kind }) => kind === "closed") && outcomes.length === 1;
  checks.must(
    "session-closed",
    "session: it closes when asked",
    closed,
    JSON.stringify(outcomes.map(({ kind }) => kind)),
  );
  if (!closed) return;
  const account = await cluster.connection.getAccountInfo(new PublicKey(after.channelId));
  const state =
    account === null || account.owner.toBase58() !== channelProgram ? undefined : decodeChannel(account.data);
  const settled =
    state === undefined ||
    (state.status === "distributed" && state.settled <= (known?.voucherSigner === "operator" ? state.deposit : most));
  checks.must("session-settled", "session: it was settled for no more than the vouchers", settled, `${state?.settled}`);
}

async function served(checks: Checks, response: Response, id: string): Promise<Receipt.Receipt | undefined> {
  await response.arrayBuffer();
  const name = id.split("-")[0];
  checks.must(`${id}-served`, `${name}: a paid request is served`, response.ok, `status ${response.status}`);
  const payment = paymentOf(response);
  const receipt = payment?.receipt;
  checks.must(
    `${id}-receipt`,
    `${name}: with a sound receipt`,
    receipt !== undefined,
    payment?.receiptProblem ?? "none",
  );
  const caching = response.headers.get("cache-control") ?? "";
  checks.must(
    `${id}-private`,
    `${name}: and Cache-Control: private`,
    /(?:^|,)\s*private/i.test(caching),
    caching || "none",
  );
  return receipt;
}

/** The same credential under another key must buy nothing. */
async function replay(checks: Checks, target: Target, credential: string | undefined, id: string): Promise<void> {
  if (credential === undefined) return;
  const headers = { authorization: credential, "idempotency-key": `replay-${crypto.randomUUID()}` };
  const answer = await ask(target.url, { method: target.method, headers });
  const refused = answer.status >= 400;
  checks.must(`${id}-replay`, `${id}: the same credential buys no second answer`, refused, `status ${answer.status}`);
}
