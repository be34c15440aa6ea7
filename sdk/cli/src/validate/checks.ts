// The list that `validate` fills: one line a rule, with what was seen.

export type Outcome = "pass" | "fail" | "warn" | "skip";

export interface Check {
  /** Stable name of the rule. */
  readonly id: string;
  /** The rule, as a statement that holds when it passes. */
  readonly rule: string;
  /** `fail` breaks a MUST, `warn` a SHOULD; `skip` could not be looked at. */
  readonly outcome: Outcome;
  /** What was seen, when it did not pass. */
  readonly detail?: string;
}

/** Collects checks; tells `onCheck` of each as it comes. */
export class Checks {
  readonly all: Check[] = [];
  readonly #onCheck: (check: Check) => void;

  constructor(onCheck: (check: Check) => void = () => {}) {
    this.#onCheck = onCheck;
  }

  /** A rule that every server must keep. Returns whether it does. */
  must(id: string, rule: string, holds: boolean, detail = ""): boolean {
    return this.#add(id, rule, holds, "fail", detail);
  }

  /** A rule that servers should keep. */
  should(id: string, rule: string, holds: boolean, detail = ""): boolean {
    return this.#add(id, rule, holds, "warn", detail);
  }

  skip(id: string, rule: string, detail: string): void {
    this.#push({ id, rule, outcome: "skip", detail });
  }

  /** Whether no MUST was broken. */
  get passed(): boolean {
    return this.all.every(({ outcome }) => outcome !== "fail");
  }

  count(outcome: Outcome): number {
    return this.all.filter((check) => check.outcome === outcome).length;
  }

  #add(id: string, rule: string, holds: boolean, otherwise: "fail" | "warn", detail: string): boolean {
    this.#push(holds ? { id, rule, outcome: "pass" } : { id, rule, outcome: otherwise, detail });
    return holds;
  }

  #push(check: Check): void {
    this.all.push(check);
    this.#onCheck(check);
  }
}
