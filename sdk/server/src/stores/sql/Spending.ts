// The hot path: batches of spends, with one statement where this process knows the channels, else under their locks.
import { StoreError } from "../errors.js";
import type { Delivery, Spend, SpendResult } from "../Store.js";
import type { Access } from "./Access.js";
import { Accounts } from "./Accounts.js";
import * as arrays from "./arrays.js";
import { Batcher } from "./Batcher.js";
import { type Account, coalesce, type Movement } from "./coalesce.js";
import { isUndone, type Session, type Statement } from "./Database.js";
import type { LeaseClock } from "./LeaseClock.js";
import * as rows from "./rows.js";
import { type Moved, SPEND, spendParameters } from "./spendStatement.js";

/** Most spends a commit. */
const BATCH = 1_000;
const ATTEMPTS = 10;

const LOCK: Statement = {
  name: "mppsol_spend_lock",
  text: `SELECT channel_id, version::text, status, voucher_signer, closure_started_at::text, accepted::text, spent::text,
    reserved::text, escrowed::text, idle_timeout_seconds::text, voucher_expires_at::text
    FROM mppsol_channels WHERE channel_id = ANY($1::text[]) ORDER BY channel_id FOR UPDATE`,
};

const KNOWN: Statement = {
  name: "mppsol_spend_known",
  text: `SELECT ${rows.DELIVERY_OF_D} FROM mppsol_deliveries d
    WHERE (d.scope, d.key) IN (SELECT * FROM unnest($1::text[], $2::text[]))
    ORDER BY d.scope, d.key FOR UPDATE`,
};

/** A delivery that was not there under the lock of its channel is: one can begin without it. */
class DisturbedError extends StoreError {}

/** The spends of one channel, and where in the batch they stand. */
interface Group {
  readonly channelId: string;
  readonly spends: Spend[];
  readonly places: number[];
}

export class Spending {
  readonly #access: Access;
  readonly #leases: LeaseClock;
  readonly #moved: (channelId: string) => void;
  readonly #accounts = new Accounts();
  readonly #batcher = new Batcher<Spend, SpendResult>((spends) => this.#run(spends), BATCH);

  /** @param moved is told of channels whose money moved, after COMMIT. */
  constructor(access: Access, leases: LeaseClock, moved: (channelId: string) => void) {
    this.#access = access;
    this.#leases = leases;
    this.#moved = moved;
  }

  spend(spend: Spend): Promise<SpendResult> {
    return this.#batcher.add(spend);
  }

  /** The channel changed otherwise. */
  forget(channelId: string): void {
    this.#accounts.delete(channelId);
  }

  idle(): Promise<void> {
    return this.#batcher.idle();
  }

  async #run(spends: readonly Spend[]): Promise<(SpendResult | Error)[]> {
    const answers = new Array<SpendResult | Error>(spends.length);
    const answer = ({ places }: Group, given: readonly (SpendResult | Error)[]) => {
      places.forEach((place, i) => {
        answers[place] = given[i] as SpendResult | Error;
      });
    };
    const groups = grouped(spends);
    const left = await this.#fast(groups, answer);
    if (left.length > 0) await this.#slow(left, answer);
    return answers;
  }

  /** One statement for the channels that this process believes to know. Returns those that are not answered. */
  async #fast(
    groups: readonly Group[],
    answer: (group: Group, answers: Movement["answers"]) => void,
  ): Promise<Group[]> {
    const moved: (Moved & { group: Group })[] = [];
    const left: Group[] = [];
    for (const group of groups) {
      const { channelId, spends } = group;
      const account = this.#accounts.get(channelId);
      if (account === undefined) left.push(group);
      else moved.push({ group, channelId, account, movement: coalesce(account, spends) });
    }
    if (moved.length === 0) return left;
    let held: ReadonlySet<string>;
    try {
      held = await this.#send(this.#access, moved);
    } catch (error) {
      for (const { channelId } of moved) this.forget(channelId);
      // The statement as a whole was undone, as by a key that somebody else inserted meanwhile.
      if (isUndone(error)) return [...groups];
      throw error;
    }
    for (const { group, channelId, account, movement } of moved) {
      if (held.has(channelId)) {
        this.#remember(channelId, account, movement);
        answer(group, movement.answers);
      } else {
        this.forget(channelId);
        left.push(group);
      }
    }
    return left;
  }

  /** Under the locks of the channels; where that fails for all together, for each alone. */
  async #slow(groups: readonly Group[], answer: (group: Group, answers: Movement["answers"]) => void): Promise<void> {
    try {
      const movements = await this.#undisturbed(groups);
      groups.forEach((group, i) => {
        answer(group, movements[i] as Movement["answers"]);
      });
    } catch (error) {
      if (isUndone(error) && groups.length > 1) {
        for (const group of groups) await this.#slow([group], answer);
        return;
      }
      for (const group of groups) {
        answer(
          group,
          group.places.map(() => error as Error),
        );
      }
    }
  }

  async #undisturbed(groups: readonly Group[]): Promise<Movement["answers"][]> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#lockAndMove(groups);
      } catch (error) {
        if (!(error instanceof DisturbedError) || attempt >= ATTEMPTS) throw error;
      }
    }
  }

  async #lockAndMove(groups: readonly Group[]): Promise<Movement["answers"][]> {
    const results = await this.#access.transaction(async (session) => {
      const accounts = await lock(session, groups);
      const known = await knownDeliveries(session, groups);
      const results = groups.map(({ channelId, spends }) => {
        const account = accounts.get(channelId);
        if (account === undefined) return undefined;
        return { channelId, account, movement: coalesce(account, spends, known.get(channelId) ?? new Map()) };
      });
      const moved = results.filter((result) => result?.movement.moves === true) as Moved[];
      const held = await this.#send(session, moved);
      if (held.size !== moved.length) throw new DisturbedError("deliveries of the channels keep appearing");
      return results;
    });
    return groups.map(({ channelId, spends }, i) => {
      const result = results[i];
      if (result === undefined) return spends.map(() => ({ ok: false, refusal: "unknown" }) as const);
      this.#remember(channelId, result.account, result.movement);
      return result.movement.answers;
    });
  }

  /** The channels of which everything held that was assumed. */
  async #send(session: Pick<Session, "query">, moved: readonly Moved[]): Promise<ReadonlySet<string>> {
    if (moved.length === 0) return new Set();
    const held = await session.query(SPEND, spendParameters(moved, this.#leases));
    return new Set(held.map(([channelId]) => channelId as string));
  }

  #remember(channelId: string, account: Account, { moves, holdings, voucher }: Movement): void {
    const voucherExpiresAt = voucher?.voucher.expiresAt ?? account.voucherExpiresAt;
    const after = { ...account, ...holdings, voucherExpiresAt, version: account.version + 1n };
    this.#accounts.set(channelId, moves ? after : account);
    if (moves) this.#moved(channelId);
  }
}

/** By channel, in ascending order of their ids. */
function grouped(spends: readonly Spend[]): Group[] {
  const groups = new Map<string, Group>();
  spends.forEach((spend, place) => {
    const { channelId } = spend;
    let group = groups.get(channelId);
    if (group === undefined) {
      group = { channelId, spends: [], places: [] };
      groups.set(channelId, group);
    }
    group.spends.push(spend);
    group.places.push(place);
  });
  return [...groups.values()].sort((a, b) => (a.channelId < b.channelId ? -1 : 1));
}

async function lock(session: Session, groups: readonly Group[]): Promise<Map<string, Account>> {
  const locked = await session.query(LOCK, [arrays.texts(groups.map(({ channelId }) => channelId))]);
  return new Map(locked.map((row) => rows.account(row)));
}

async function knownDeliveries(
  session: Session,
  groups: readonly Group[],
): Promise<Map<string, Map<string, Delivery>>> {
  const named = groups.flatMap(({ channelId, spends }) =>
    spends.flatMap(({ delivery, continues }) => {
      const key = delivery?.key ?? continues;
      return key === undefined ? [] : [{ channelId, key }];
    }),
  );
  const known = new Map<string, Map<string, Delivery>>();
  if (named.length === 0) return known;
  const found = await session.query(KNOWN, [
    arrays.texts(named.map(({ channelId }) => channelId)),
    arrays.texts(named.map(({ key }) => key)),
  ]);
  for (const delivery of found.map(rows.delivery)) {
    const ofChannel = known.get(delivery.scope) ?? new Map<string, Delivery>();
    known.set(delivery.scope, ofChannel.set(delivery.key, delivery));
  }
  return known;
}
