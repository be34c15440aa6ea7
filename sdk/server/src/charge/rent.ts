// The rent of a token account is paid once in a while: one charge is put down for it before it is signed, whoever else
// creates the same account at the same time, in whatever process.
import { RefusedError } from "@mppsol/core";
import { sleep } from "../chain/sleep.js";
import type { Charge, ChargeState, ChargeStore } from "../stores/Store.js";
import type { Sponsor } from "./Sponsor.js";
import { RACED } from "./SponsorBook.js";

/** How long another charge that creates the account is waited for. */
const WAIT_MS = 10_000;
const PAUSE_MS = 200;

/** How often an account that has been created is looked for again: a node may lag behind. */
const LOOKS = 3;

/** States of a charge that nothing more is to be paid for. */
const DEAD: readonly ChargeState[] = ["rejected", "expired"];

/** Longer than any blockhash lives: what came so long ago and is not signed can never land. */
const ABANDONED_MS = 150_000;

/**
 * Puts the charge down for those of the accounts that are missing.
 * @returns those accounts; the rest is there.
 * @throws {RefusedError} `sponsorship-denied` where the rent was paid before, not long ago; `unavailable` while another
 * charge creates the account.
 * @throws {RpcError} {StoreError}
 */
export async function claimRents(
  sponsor: Sponsor,
  charges: Pick<ChargeStore, "get">,
  charge: string,
  accounts: readonly string[],
): Promise<string[]> {
  const claimed: string[] = [];
  try {
    for (const account of accounts) if (await claim(sponsor, charges, charge, account)) claimed.push(account);
    return claimed;
  } catch (error) {
    for (const account of claimed) await sponsor.book.releaseRent(account, charge);
    throw error;
  }
}

/** Whether the rent of these token accounts would be paid, as far as it had to be. Throws {RpcError} {StoreError}. */
export async function paysRents(
  sponsor: Sponsor,
  charges: Pick<ChargeStore, "get">,
  accounts: readonly string[],
): Promise<boolean> {
  for (const account of accounts) {
    const holder = await sponsor.rentHolder(account);
    if (holder === undefined) continue;
    if (holder === RACED) return false;
    const found = await charges.get(holder);
    if (blocks(found, sponsor.now()) && (await sponsor.missing([account])).length > 0) return false;
  }
  return true;
}

/** Whether who comes now, and waits for the charge that is put down, waits in vain. */
function blocks(charge: Charge | undefined, now: number): boolean {
  if (isPaid(charge?.state)) return true;
  return charge?.state === "received" && now - charge.createdAt >= WAIT_MS && !isDead(charge, now);
}

/** Whether a charge will never create an account: also when its process has died before it was signed. */
function isDead({ state, createdAt }: Charge, now: number): boolean {
  return DEAD.includes(state) || (state === "received" && now - createdAt >= ABANDONED_MS);
}

/** A charge that is not known may have been paid for in another store. */
function isPaid(state: ChargeState | undefined): boolean {
  return state === undefined || state === "confirmed" || state === "finalized";
}

/** False: the account is there. */
async function claim(
  sponsor: Sponsor,
  charges: Pick<ChargeStore, "get">,
  charge: string,
  account: string,
): Promise<boolean> {
  const deadline = performance.now() + WAIT_MS;
  let looks = 0;
  for (let instead: string | undefined; ; ) {
    if (!(await isMissing(sponsor, account))) return false;
    const holder = await sponsor.claimRent(account, charge, instead);
    if (holder === undefined) return true;
    const found = holder === RACED ? undefined : await charges.get(holder);
    if (found !== undefined && isDead(found, sponsor.now())) {
      instead = holder;
      continue;
    }
    if (isPaid(found?.state) && ++looks >= LOOKS) throw denied();
    if (performance.now() >= deadline) {
      throw new RefusedError("unavailable", "Another payment is creating a token account of this one.");
    }
    await sleep(PAUSE_MS);
  }
}

/** @throws {RefusedError} for an account whose owner lets it be created again and again. */
async function isMissing(sponsor: Sponsor, account: string): Promise<boolean> {
  if ((await sponsor.rentHolder(account)) === RACED) throw denied();
  return (await sponsor.missing([account])).length > 0;
}

function denied(): RefusedError {
  return new RefusedError("sponsorship-denied", "The rent of a token account was paid before, and taken.");
}
