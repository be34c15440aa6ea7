// From a web `Response` to Node's server response, at the client's pace.
import type { ServerResponse } from "node:http";
import type { Sink } from "./capture.js";
import { breakOff, http2Stream, isGone } from "./http2.js";

/**
 * Sends the response by `sink`. Resolves when it is sent, or the client is gone; the body is cancelled then. A body that fails
 * midway cuts the connection, so that what was sent cannot be taken for the whole.
 */
export async function send(response: Response, to: ServerResponse, sink: Sink = to): Promise<void> {
  if (isGone(to)) {
    await response.body?.cancel();
    return;
  }
  try {
    setHead(response, to);
  } catch (error) {
    // A header that a Response can have and Node cannot send. Nothing else could be sent in its place any more.
    breakOff(to);
    await response.body?.cancel();
    throw error;
  }
  if (response.body === null) {
    sink.end();
    return;
  }
  // A stream's headers go out before its first chunk; those of a whole body together with it.
  if (!response.headers.has("content-length")) sink.flushHeaders();
  await pump(response.body.getReader(), to, sink);
}

function setHead(response: Response, to: ServerResponse): void {
  to.statusCode = response.status;
  if (http2Stream(to) === undefined) to.statusMessage = response.statusText;
  for (const [name, value] of headersOf(response.headers)) to.setHeader(name, value);
}

/** Headers as Node takes them: one field for each cookie and each payment challenge. */
function headersOf(headers: Headers): [name: string, value: string | string[]][] {
  const fields: [string, string | string[]][] = [...headers].filter(([name]) => name !== "set-cookie");
  const cookies = headers.getSetCookie();
  if (cookies.length > 0) fields.push(["set-cookie", cookies]);
  return fields.map(([name, value]) =>
    name === "www-authenticate" && typeof value === "string" ? [name, splitChallenges(value)] : [name, value],
  );
}

/** The challenges of a joined `WWW-Authenticate`: they begin with a scheme and a space, outside of quotes. */
export function splitChallenges(joined: string): string[] {
  const parts: string[] = [];
  let start = 0;
  let quoted = false;
  for (let i = 0; i < joined.length; i++) {
    const char = joined[i];
    if (quoted && char === "\\") i++;
    else if (char === '"') quoted = !quoted;
    else if (!quoted && char === "," && /^,\s*Payment /i.test(joined.slice(i, i + 16))) {
      parts.push(joined.slice(start, i).trim());
      start = i + 1;
    }
  }
  return [...parts, joined.slice(start).trim()];
}

/**
 * One listener of each event for the whole body, and no race against them: a promise that outlives the chunks would hold
 * every one of them until the connection ends.
 */
async function pump(body: ReadableStreamDefaultReader<Uint8Array>, to: ServerResponse, sink: Sink): Promise<void> {
  let gone = false;
  let wake: () => void = () => undefined;
  const woken = () =>
    new Promise<void>((resolve) => {
      wake = resolve;
    });
  const onClose = (): void => {
    gone = true;
    // A read that waits ends by that, too.
    body.cancel().catch(() => undefined);
    wake();
  };
  const onWake = (): void => wake();
  // HTTP/2's response says that it has finished when its client has, too.
  const finishing = http2Stream(to) ?? to;
  to.on("close", onClose).on("drain", onWake);
  finishing.on("finish", onWake);
  try {
    for (;;) {
      const { done, value } = await body.read();
      if (gone) return;
      if (done) break;
      if (!sink.write(value)) await woken();
      if (gone) return;
    }
    to.off("drain", onWake);
    const finished = woken();
    sink.end();
    await finished;
  } catch {
    if (!gone) breakOff(to);
  } finally {
    to.off("close", onClose);
    to.off("drain", onWake);
    finishing.off("finish", onWake);
  }
}
