// The sessions with one server, as a caller holds them.
import type { Fetch } from "../context.js";
import { CrossOriginRedirectError } from "../errors.js";
import { originOf } from "../origin.js";
import type { CloseOutcome, SessionPayer } from "./payer.js";
import type { ChannelInfo } from "./record.js";

/** What an agent has with one server. Nothing is opened before a request needs it. */
export interface Session {
  /** Scheme, host and port. */
  readonly origin: string;
  /**
   * The agent's `fetch`, held to this server and to paying by session. URLs may be relative to the one that the session
   * was made with; without any, that one is asked.
   * @throws {CrossOriginRedirectError} for another server's URL.
   */
  fetch(input?: string | URL | Request, init?: RequestInit): Promise<Response>;
  /** Its channels, as last known. */
  channels(): Promise<ChannelInfo[]>;
  /** Closes them. The next request opens another. */
  close(signal?: AbortSignal): Promise<CloseOutcome[]>;
}

/**
 * @param paying the agent's fetch, held to sessions.
 * @throws {TypeError} for what is no URL.
 */
export function sessionWith(url: string | URL, sessions: SessionPayer, paying: Fetch): Session {
  const base = new URL(url);
  const origin = originOf(base.href);
  return {
    origin,
    fetch: async (input = base, init) => {
      const target = input instanceof Request ? input : new URL(input, base);
      const asked = target instanceof Request ? target.url : target.href;
      if (originOf(asked) !== origin) throw new CrossOriginRedirectError(base.href, asked);
      return paying(target, init);
    },
    channels: async () => (await sessions.sessions()).filter((channel) => channel.origin === origin),
    close: (signal) => sessions.close({ origin, ...(signal === undefined ? {} : { signal }) }),
  };
}
