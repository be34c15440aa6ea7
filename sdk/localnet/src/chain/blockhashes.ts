// The recent blockhashes: which ones a transaction may still name, and until when.
import { MAX_PROCESSING_AGE } from "../constants.js";

/** Most entries kept, so that a manual chain that never advances does not grow without bound. */
const CAPACITY = 20_000;

/** A blockhash and the block height at which it was made. */
export interface RecentBlockhash {
  readonly hash: string;
  readonly height: number;
}

/** Keeps the blockhashes of the last 150 blocks, oldest first. LiteSVM itself knows only the newest. */
export class Blockhashes {
  readonly #heights = new Map<string, number>();
  #latest: RecentBlockhash = { hash: "", height: 0 };

  get latest(): RecentBlockhash {
    return this.#latest;
  }

  /** Adds the newest blockhash and forgets those too old to use. */
  push(hash: string, height: number): void {
    this.#heights.set(hash, height);
    this.#latest = { hash, height };
    for (const [old, at] of this.#heights) {
      if (height - at <= MAX_PROCESSING_AGE && this.#heights.size <= CAPACITY) break;
      this.#heights.delete(old);
    }
  }

  /** Makes every blockhash known so far invalid. */
  clear(): void {
    this.#heights.clear();
  }

  /** Last block height at which a transaction naming `hash` may land; `undefined` when the hash is unknown or too old. */
  lastValidHeight(hash: string): number | undefined {
    const height = this.#heights.get(hash);
    return height === undefined ? undefined : height + MAX_PROCESSING_AGE;
  }

  /** The newest blockhash made at or before `height`, or the oldest one kept. */
  at(height: number): RecentBlockhash {
    let found: RecentBlockhash | undefined;
    for (const [hash, made] of this.#heights) {
      if (found !== undefined && made > height) break;
      found = { hash, height: made };
    }
    return found ?? this.#latest;
  }
}
