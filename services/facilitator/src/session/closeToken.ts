// The token that closes a session: whoever opened it has it, and it can be made again from the channel's address.
import { createHmac, timingSafeEqual } from "node:crypto";

export class CloseTokens {
  readonly #secret: string;

  /** @param secret the same in all processes. */
  constructor(secret: string) {
    this.#secret = secret;
  }

  /** 43 characters of base64url: HMAC-SHA256 of `close:` and the channel's address. */
  of(channelId: string): string {
    return createHmac("sha256", this.#secret).update(`close:${channelId}`).digest("base64url");
  }

  /** Whether this is the channel's token; it takes the same time wherever it differs. */
  isOf(channelId: string, token: string): boolean {
    const [expected, given] = [Buffer.from(this.of(channelId)), Buffer.from(token)];
    return expected.length === given.length && timingSafeEqual(expected, given);
  }
}
