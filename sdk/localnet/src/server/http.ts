// The HTTP side: POST of JSON-RPC, CORS for pages served from loopback, a health check, a limit on the body.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

/** Largest request body: room for the largest account in base64. */
export const MAX_BODY = 16 * 1024 * 1024;

/** Pages that may call: any other website could drive the chain from a visitor's browser. */
const LOOPBACK_ORIGIN = /^http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?$/;

/** A server that passes each JSON body to `answer` and sends back the text it gives. It is not yet listening. */
export function createHttpServer(answer: (body: string) => string): Server {
  return createServer((request, response) => {
    handle(request, response, answer).catch(() => response.destroy());
  });
}

async function handle(request: IncomingMessage, response: ServerResponse, answer: (body: string) => string) {
  const { origin } = request.headers;
  response.setHeader("vary", "origin");
  if (origin !== undefined) {
    if (!LOOPBACK_ORIGIN.test(origin)) {
      return send(response, 403, "text/plain", "Origin is not allowed. Only pages on localhost may call\n");
    }
    response.setHeader("access-control-allow-origin", origin);
  }
  if (request.method === "OPTIONS") return preflight(request, response);
  if (request.method === "GET" && request.url === "/health") return send(response, 200, "text/plain", "ok");
  if (request.method !== "POST") {
    return send(response, 405, "text/plain", "Used HTTP Method is not allowed. POST or OPTIONS is required\n");
  }
  if (!/^application\/json\b/i.test(request.headers["content-type"] ?? "")) {
    const message = "Supplied content type is not allowed. Content-Type: application/json is required\n";
    return send(response, 415, "text/plain", message);
  }
  const body = await readBody(request);
  if (body === undefined) {
    response.setHeader("connection", "close");
    return send(response, 413, "text/plain", "request body too large\n");
  }
  send(response, 200, "application/json; charset=utf-8", answer(body));
}

function preflight(request: IncomingMessage, response: ServerResponse): void {
  response.setHeader("access-control-allow-methods", "OPTIONS, POST");
  response.setHeader(
    "access-control-allow-headers",
    request.headers["access-control-request-headers"] ?? "content-type",
  );
  response.setHeader("access-control-max-age", "86400");
  send(response, 200, "application/json; charset=utf-8", "");
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) });
  response.end(body);
}

/** The body as text, or `undefined` when it is longer than the limit. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BODY) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
