// The rent of a token account is paid once in a while: one charge is put down for it before it is signed, whoever else
// creates the same account at the same time, in whatever process.
import { RefusedError } from "@mppsol/core";
import { sleep } from "../chain/sleep.js";
import type { ChargeState, ChargeStore } from "../stores/Store.js";
import type { Sponsor } from "./Sponsor.js";
import { RACED } from "./SponsorBook.js";

/** How long another charge that creates the account is waited for. */
const WAIT_MS = 10_000;
const PAUSE_MS = 200;

/** How often an account that has been created is looked for again: a node may lag behind. */
const LOOKS = 3;

/** States of a charge that nothing more is to be paid for. */
const DEAD: readonly ChargeState[] = ["rejected", "expired"];

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
    const state = (await charges.get(holder))?.state;
    const isPaid = state === undefined || state === "confirmed" || state === "finalized";
    if (isPaid && (await sponsor.missing([account])).length > 0) return false;
  }
  return true;
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
    const state = holder === RACED ? "finalized" : (await charges.get(holder))?.state;
    if (state !== undefined && DEAD.includes(state)) {
      instead = holder;
      continue;
    }
    const isPaid = state === undefined || state === "confirmed" || state === "finalized";
    if (isPaid && ++looks >= LOOKS) throw denied();
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
