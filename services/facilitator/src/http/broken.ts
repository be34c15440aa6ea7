// Requests that never reach a route: what Node cannot parse, what Fastify cannot route. Problem documents, too.
import { randomUUID } from "node:crypto";
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { ConnectionError, FastifyReply, FastifyRequest } from "fastify";
import type { Code } from "../errors/codes.js";
import { FacilitatorError } from "../errors/FacilitatorError.js";
import { NO_STORE } from "./limits.js";
import { CONTENT_TYPE, refusalOf, sendProblem } from "./problem.js";

/** A path that is no path, as one with a broken escape. */
export function answerUnroutable(_error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const error = new FacilitatorError("invalid_request", "The path cannot be read.");
  void sendProblem(reply.header("cache-control", NO_STORE), refusalOf(error, request.id));
}

const CODES: Readonly<Record<string, Code>> = {
  ERR_HTTP_REQUEST_TIMEOUT: "request_timeout",
  HPE_HEADER_OVERFLOW: "payload_too_large",
};

/** Bytes that are no HTTP, headers that are too large, a client that does not get on. */
export function answerBrokenRequest(error: ConnectionError, socket: Socket): void {
  if (error.code === "ECONNRESET" || socket.destroyed) return;
  const code = CODES[error.code ?? ""];
  const refusal = new FacilitatorError(
    code ?? "invalid_request",
    code === undefined ? "This is not HTTP/1.1." : undefined,
  );
  const { status, document } = refusalOf(refusal, `req_${randomUUID()}`);
  const body = JSON.stringify(document);
  if (socket.writable) {
    socket.write(
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: ${CONTENT_TYPE}\r\n` +
        `cache-control: ${NO_STORE}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    );
  }
  socket.destroySoon();
}
