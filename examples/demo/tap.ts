// A transport that remembers the last payment that went over it: what a thief on the line would have.
import { Credential } from "@mppsol/core";

export class Tap {
  /** The last credential that was sent. */
  last: Credential.Credential | undefined;

  readonly fetch: typeof globalThis.fetch = (input, init) => {
    const headers = new Headers(init?.headers ?? (input instanceof Request ? input.headers : undefined));
    const authorization = headers.get("authorization");
    if (authorization !== null) this.last = Credential.parse(authorization);
    return fetch(input, init);
  };
}
