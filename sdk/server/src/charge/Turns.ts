// Work of one name is done one after the other, in this process.
import { within } from "../chain/sleep.js";

export class Turns {
  readonly #last = new Map<string, Promise<void>>();

  /** Waits until whoever came before has ended; gives what ends this turn, or `undefined` when `waitMs` are over. */
  async take(name: string, waitMs: number): Promise<(() => void) | undefined> {
    const before = this.#last.get(name);
    let end = () => {};
    const mine = new Promise<void>((done) => {
      end = done;
    });
    const last = before === undefined ? mine : before.then(() => mine);
    this.#last.set(name, last);
    void last.then(() => {
      if (this.#last.get(name) === last) this.#last.delete(name);
    });
    if (
      before === undefined ||
      (await within(
        before.then(() => true),
        waitMs,
      ))
    )
      return end;
    end();
    return undefined;
  }
}
