// Work that several callers of one process ask for at once is done once.

export class Flights<T> {
  readonly #under = new Map<string, Promise<T>>();

  /** The work under way by that name, else `work`. */
  join(name: string, work: () => Promise<T>): Promise<T> {
    const under = this.#under.get(name);
    if (under !== undefined) return under;
    const started = work().finally(() => this.#under.delete(name));
    this.#under.set(name, started);
    return started;
  }
}
