// Either a payment is given up, or it is signed; never both.

/** Lets a caller that cannot wait any longer say truthfully that nothing was signed. */
export class GiveUp {
  #state: "open" | "given-up" | "committed" = "open";

  /** True: nothing has been kept as signed, and nothing will be. False: it is too late for that. */
  giveUp(): boolean {
    if (this.#state === "open") this.#state = "given-up";
    return this.#state === "given-up";
  }

  /** To be called last before a signed payment is kept. False: it must not be. */
  commit(): boolean {
    if (this.#state === "open") this.#state = "committed";
    return this.#state === "committed";
  }
}
