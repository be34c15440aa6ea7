// The raw body of a Node request, before or after a body parser had it: a digest is made of bytes, not of what they mean.
import type { IncomingMessage } from "node:http";
import { RefusedError } from "@mppsol/core";
import { SetupError } from "../errors.js";
import { isWhole, mayHaveBody } from "./http2.js";

const kept = new WeakMap<object, Uint8Array>();

/**
 * For parsers that run before the guard: `express.json({ verify: keepRawBody })`, also of `urlencoded`, `text` and `raw`.
 */
export function keepRawBody(request: IncomingMessage, _response: unknown, body: Uint8Array): void {
  kept.set(request, body);
}

/**
 * The bytes of the body. When nobody has read them yet the message is left as if nobody had, so that a parser behind the
 * guard finds them.
 * @throws {RefusedError} `request-too-large`.
 * @throws {SetupError} when a parser has consumed them and `keepRawBody` was not called.
 */
export async function rawBody(
  message: IncomingMessage & { readonly body?: unknown },
  limit: number,
): Promise<Uint8Array> {
  const known = kept.get(message);
  if (known !== undefined) return known;
  if (message.body instanceof Uint8Array) return message.body;
  if (!mayHaveBody(message)) return new Uint8Array(0);
  if (message.readableDidRead || message.readableEnded) {
    throw new SetupError(
      "body-consumed",
      "the body was read before the guard ran: mount the guard before the body parser, or give the parser { verify: keepRawBody }",
    );
  }
  if (Number(message.headers["content-length"]) > limit) throw new RefusedError("request-too-large");
  return peek(message, limit);
}

/** Reads everything, and puts it back before the end of the stream is told. */
function peek(message: IncomingMessage, limit: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const done = (act: () => void): void => {
      message.off("readable", onReadable).off("error", onError).off("close", onClose);
      act();
    };
    const onReadable = (): void => {
      // Not until there is none left: a read at the end would tell the end, and nobody behind the guard would hear of it.
      while (message.readableLength > 0) {
        const chunk = message.read() as Buffer;
        chunks.push(chunk);
        length += chunk.length;
        if (length > limit) {
          done(() => reject(new RefusedError("request-too-large")));
          return;
        }
      }
      // That turns true just before the end is pushed; the end is told on a later tick, unless there is data.
      if (!isWhole(message)) return;
      const body = Buffer.concat(chunks, length);
      done(() => {
        if (length > 0) message.unshift(body);
        resolve(body);
      });
    };
    const onError = (error: Error): void => done(() => reject(error));
    const onClose = (): void => done(() => reject(new ClientGoneError()));
    message.on("readable", onReadable).on("error", onError).on("close", onClose);
  });
}

/** The client left before its request was whole: nobody is there to be answered. */
export class ClientGoneError extends Error {
  constructor() {
    super("the client left before its request was whole");
    this.name = "ClientGoneError";
  }
}
