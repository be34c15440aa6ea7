// Time, as the agent and as each server sees it: a challenge expires by the clock of the server that made it.

/** Milliseconds since 1970. */
export type Now = () => number;

/** A `Date` header further off than this is not believed: a clock is wrong by minutes, a lie by any amount. */
export const MAX_SKEW_MS = 10 * 60_000;

/** `Date` counts whole seconds, so half a second is what one knows on average. */
const DATE_HALF_STEP_MS = 500;

/** What is known of the clocks of servers, by origin. */
export class ServerClocks {
  readonly #now: Now;
  readonly #skews = new Map<string, number>();

  constructor(now: Now) {
    this.#now = now;
  }

  /** Notes the `Date` of an answer that was asked for at `sentAt`. */
  note(origin: string, headers: Headers, sentAt: number): void {
    const date = headers.get("date");
    const said = date === null ? Number.NaN : Date.parse(date);
    if (Number.isNaN(said)) return;
    const halfway = (sentAt + this.#now()) / 2;
    const skew = said + DATE_HALF_STEP_MS - halfway;
    // Within the resolution of the header the two clocks agree.
    this.#skews.set(origin, Math.abs(skew) > MAX_SKEW_MS || Math.abs(skew) <= 2 * DATE_HALF_STEP_MS ? 0 : skew);
  }

  /** The time by the clock of a server. */
  nowAt(origin: string): number {
    return this.#now() + (this.#skews.get(origin) ?? 0);
  }
}
