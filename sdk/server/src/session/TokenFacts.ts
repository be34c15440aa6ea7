// What never changes of the token that sessions are paid in.
import type { Mint } from "../chain/index.js";
import type { Settings } from "./options.js";

export type Facts = Pick<Mint, "decimals" | "tokenProgram">;

/** Asked for once, so that vouchers go on being taken while no node answers. */
export class TokenFacts {
  readonly #settings: Settings;
  #asked: Promise<Facts> | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** @throws {MintError} {RpcError} and then it is asked for again. */
  get(): Promise<Facts> {
    if (this.#asked !== undefined) return this.#asked;
    const { mints, currency } = this.#settings;
    const asked = mints.get(currency).then(({ decimals, tokenProgram }) => ({ decimals, tokenProgram }));
    this.#asked = asked;
    asked.catch(() => {
      this.#asked = undefined;
    });
    return asked;
  }
}
