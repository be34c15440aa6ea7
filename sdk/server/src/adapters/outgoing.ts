// From a web `Response` to Node's server response, at the client's pace.
import type { ServerResponse } from "node:http";
import type { Sink } from "./capture.js";

/**
 * Sends the response by `sink`. Resolves when it is sent, or the client is gone; the body is cancelled then. A body that fails
 * midway cuts the connection, so that what was sent cannot be taken for the whole.
 */
export async function send(response: Response, to: ServerResponse, sink: Sink = to): Promise<void> {
  if (to.destroyed) {
    await response.body?.cancel();
    return;
  }
  try {
    setHead(response, to);
  } catch (error) {
    // A header that a Response can have and Node cannot send. Nothing else could be sent in its place any more.
    to.destroy();
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
  if (to.req.httpVersionMajor < 2) to.statusMessage = response.statusText;
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

async function pump(body: ReadableStreamDefaultReader<Uint8Array>, to: ServerResponse, sink: Sink): Promise<void> {
  const gone = new Promise<void>((resolve) => to.once("close", resolve));
  const left = gone.then(() => "gone" as const);
  try {
    for (;;) {
      // `left` first: a body that always has more would win, and be read for nobody.
      const next = await Promise.race([left, body.read()]);
      if (next === "gone") {
        body.cancel().catch(() => undefined);
        return;
      }
      if (next.done) break;
      if (!sink.write(next.value)) await Promise.race([new Promise((resolve) => to.once("drain", resolve)), gone]);
    }
    sink.end();
    await Promise.race([new Promise((resolve) => to.once("finish", resolve)), gone]);
  } catch {
    to.destroy();
  }
}
