// What it costs to judge a sponsored payment, ours and @x402/svm's side by side: the same transactions, in turns.
import { Localnet } from "@mppsol/localnet";
import { Keypair } from "@solana/web3.js";
import { ownCpu } from "../support/cpu.js";
import { closedLoop } from "../support/loops.js";
import { ACCEPTED, type Judge, ours, theirs } from "./judges.js";
import { type Case, cases } from "./payments.js";

/** Judgements of one case by one judge. */
export interface Judged {
  readonly judge: string;
  /** The verdict on each; one for all, or the run ends. */
  readonly verdict: string;
  /** Microseconds of processor time for each, all threads; one figure for each slice. */
  readonly cpu: readonly number[];
  /** Judgements a second of wall time, by slice. */
  readonly perSecond: readonly number[];
}

export interface PolicyRow {
  readonly id: string;
  readonly good: boolean;
  readonly judged: readonly Judged[];
}

export interface PolicySettings {
  readonly rounds: number;
  /** Transactions in a slice. */
  readonly size: number;
}

/** At once: what one of them does in another thread need not be waited for. */
const CONCURRENCY = 32;

/** @throws when ours takes what it should not or refuses what it should take, or a judge is not of one mind. */
export async function measurePolicy({ rounds, size }: PolicySettings): Promise<PolicyRow[]> {
  const net = await Localnet.start({ slotTime: "manual" });
  try {
    const sponsor = Keypair.generate();
    const judges = [ours(net, sponsor), await theirs(sponsor)].filter((judge) => judge !== undefined);
    const rows: PolicyRow[] = [];
    for (const one of cases(sponsor, size)) rows.push(await measure(one, judges, rounds));
    return rows;
  } finally {
    await net.close();
  }
}

async function measure(one: Case, judges: readonly Judge[], rounds: number): Promise<PolicyRow> {
  const verdicts: string[] = [];
  for (const judge of judges) verdicts.push(await warm(one, judge));
  if (one.good !== (verdicts[0] === ACCEPTED)) throw new Error(`${one.id}: ours says ${verdicts[0]}`);
  const judged = judges.map((judge, at) => ({
    judge: judge.id,
    verdict: verdicts[at]!,
    cpu: [] as number[],
    perSecond: [] as number[],
  }));
  for (let round = 0; round < rounds; round++) {
    for (const [at, judge] of judges.entries()) {
      const { cpu, perSecond } = judged[at]!;
      const slice = await sliceOf(one, judge, verdicts[at]!);
      cpu.push(slice.cpu);
      perSecond.push(slice.perSecond);
    }
  }
  return { id: one.id, good: one.good, judged };
}

/** A first round, so that code is compiled and what is remembered of the mint is there. */
async function warm({ samples }: Case, judge: Judge): Promise<string> {
  const verdict = await judge.judge(samples[0]!);
  await closedLoop(Math.min(samples.length, 500), CONCURRENCY, async (at) => {
    await judge.judge(samples[at]!);
    return true;
  });
  judge.questions();
  return verdict;
}

async function sliceOf({ id, samples }: Case, judge: Judge, verdict: string) {
  const before = ownCpu();
  const { errors, seconds } = await closedLoop(
    samples.length,
    CONCURRENCY,
    async (at) => (await judge.judge(samples[at]!)) === verdict,
  );
  const cpu = (ownCpu() - before) / samples.length;
  if (errors > 0) throw new Error(`${id}: ${judge.id} is not of one mind`);
  const questions = judge.questions();
  if (questions > 0) throw new Error(`${id}: ${judge.id} has asked the node ${questions} times`);
  return { cpu, perSecond: samples.length / seconds };
}
