// The blockhash that challenges for new channels name: fresh, and asked for once for many of them.
import type { Settings } from "./options.js";
import type { Recent } from "./terms.js";

export class RecentBlockhash {
  readonly #settings: Settings;
  #asked: { readonly answer: Promise<Recent>; readonly until: number } | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** At most `blockhashTtlMs` old. Throws {RpcError}. */
  get(): Promise<Recent> {
    const { rpc, now, blockhashTtlMs } = this.#settings;
    if (this.#asked !== undefined && now() < this.#asked.until) return this.#asked.answer;
    const answer = rpc.latestBlockhash("confirmed").then(({ blockhash, slot }) => ({ blockhash, slot }));
    const asked = { answer, until: now() + blockhashTtlMs };
    this.#asked = asked;
    answer.catch(() => {
      if (this.#asked === asked) this.#asked = undefined;
    });
    return answer;
  }
}
