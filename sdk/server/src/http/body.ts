// The body of a request, whole and bounded: what a challenge's digest is made of.
import { RefusedError } from "@mppsol/core";

const NOTHING = new Uint8Array(0);

/**
 * The bytes of the request's body; the request itself stays readable for the handler.
 * @throws {RefusedError} `request-too-large` as soon as more than `limit` bytes have come.
 */
export async function readBody(request: Request, limit: number): Promise<Uint8Array> {
  if (request.body === null) return NOTHING;
  if (Number(request.headers.get("content-length")) > limit) throw new RefusedError("request-too-large");
  const copy = request.clone().body;
  return copy === null ? NOTHING : collect(copy, limit);
}

async function collect(stream: ReadableStream<Uint8Array>, limit: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return Buffer.concat(chunks, length);
    length += value.length;
    if (length > limit) {
      // The copy's other half is the handler's, which will not run: nobody waits for this.
      reader.cancel().catch(() => undefined);
      throw new RefusedError("request-too-large");
    }
    chunks.push(value);
  }
}
