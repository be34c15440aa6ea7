// Payments that left the agent's hands and whose fate is open. In the store before they leave, gone once it is known.
import { Base58, Integer, InvalidFieldError } from "@mppsol/core";
import type { Chain } from "../chain/Chain.js";
import { type Broadcast, type FateOf, fateOf } from "../chain/fate.js";
import type { Context } from "../context.js";
import { ChainError, StoreError } from "../errors.js";
import type { Authorization } from "../payer.js";

const PREFIX = "charge/";

export class PendingCharges {
  readonly #context: Context;
  readonly #chain: Chain;
  /** Authorizations whose requests are under way: theirs to settle. */
  readonly #active = new Set<string>();
  #reconciling: Promise<void> | undefined;

  constructor(context: Context, chain: Chain) {
    this.#context = context;
    this.#chain = chain;
  }

  /** Keeps a payment, before anybody gets it. */
  async add(authorization: Authorization, broadcast: Broadcast): Promise<void> {
    this.#active.add(authorization.id);
    await this.#context.store.put(PREFIX + authorization.id, JSON.stringify(broadcast));
  }

  /** Nobody waits for it any more; `reconcile` may look after it. */
  release(authorization: Authorization): void {
    this.#active.delete(authorization.id);
  }

  fateOf(broadcast: Broadcast): Promise<FateOf> {
    return fateOf(this.#chain, this.#context.signer.publicKey, broadcast);
  }

  /** Enters a fate in the books, if it is one. */
  async settle(authorization: Authorization, found: FateOf): Promise<void> {
    if (found.fate === "unknown") return;
    if (found.fate === "paid") authorization.commit();
    else if (found.failed === true)
      authorization.commit(0n); // its fee is gone
    else authorization.cancel();
    this.#active.delete(authorization.id);
    // What stays behind is looked up once more, and found to be settled.
    await this.#context.store.delete(PREFIX + authorization.id).catch(() => {});
  }

  /** Looks up every payment that was left behind, by this process or one before. What cannot be found out stays. */
  reconcile(): Promise<void> {
    this.#reconciling ??= this.#reconcile().finally(() => {
      this.#reconciling = undefined;
    });
    return this.#reconciling;
  }

  async #reconcile(): Promise<void> {
    const { store } = this.#context;
    for (const key of await store.keys(PREFIX)) {
      const id = key.slice(PREFIX.length);
      const text = this.#active.has(id) ? undefined : await store.get(key);
      if (text === undefined) continue;
      const authorization = await this.#context.recall(id);
      // The books went their own way: there is nothing to settle.
      if (authorization === undefined) await store.delete(key);
      else await this.#lookUp(authorization, parse(text));
    }
  }

  async #lookUp(authorization: Authorization, broadcast: Broadcast): Promise<void> {
    try {
      await this.settle(authorization, await this.fateOf(broadcast));
    } catch (error) {
      if (!(error instanceof ChainError)) throw error;
    }
  }
}

function parse(text: string): Broadcast {
  try {
    const json = JSON.parse(text) as Readonly<Record<string, unknown>>;
    return {
      signature: Base58.signature(json.signature),
      first: json.first === true,
      lastValidBlockHeight: Number(Integer.fromJsonNumber(json.lastValidBlockHeight, "lastValidBlockHeight")),
      slot: Number(Integer.fromJsonNumber(json.slot, "slot")),
    };
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError || error instanceof InvalidFieldError))
      throw error;
    throw new StoreError("store-damaged", "a pending payment cannot be read", { cause: error });
  }
}
