// Paid routes on plain node:http, written in Node's style and in fetch style.
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { expect } from "chai";
import { contextOf, type Listener, paid, paidFetch, paymentOf, unpaid } from "../../../sdk/server/src/adapters/node.ts";
import { type App, exchange, pay, raw, scenarios, type World, world } from "./scenarios.ts";

async function listen(listener: RequestListener): Promise<App> {
  const server = createServer(listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function byPath(routes: Readonly<Record<string, Listener>>): RequestListener {
  return (request, response) => {
    const handler = routes[(request.url ?? "").split("?")[0] ?? ""];
    if (handler === undefined) response.writeHead(404).end();
    else handler(request, response);
  };
}

const free = unpaid(() => new Response("free"));

function nodeStyle(made: World): RequestListener {
  const ran = (request: IncomingMessage) => made.runs.push(request.url ?? "");
  return byPath({
    "/free": free,
    "/joke": paid(made.joke, (request, response: ServerResponse) => {
      ran(request);
      response.writeHead(200, { "Content-Type": "text/plain" }).end("a joke");
    }),
    "/echo": paid(made.joke, async (request, response) => {
      ran(request);
      response.setHeader("Content-Type", "application/json");
      response.end(JSON.stringify(await json(request)));
    }),
    "/fail": paid(made.joke, async (request) => {
      ran(request);
      throw new Error("secret of the handler");
    }),
    "/stream": paid(made.metered, async (request, response) => {
      ran(request);
      const context = contextOf(request);
      const stream = made.stream(context);
      response.writeHead(200, { "Content-Type": stream.headers.get("content-type") ?? "" });
      const reader = stream.body!.getReader();
      context.signal.addEventListener("abort", () => reader.cancel().catch(() => undefined));
      for (let next = await reader.read(); !next.done; next = await reader.read()) response.write(next.value);
      response.end();
    }),
  });
}

function fetchStyle(made: World): RequestListener {
  const ran = (request: Request) => made.runs.push(new URL(request.url).pathname);
  return byPath({
    "/free": free,
    "/joke": paidFetch(made.joke, (request) => {
      ran(request);
      return new Response("a joke");
    }),
    "/echo": paidFetch(made.joke, async (request) => {
      ran(request);
      return Response.json(await request.json());
    }),
    "/fail": paidFetch(made.joke, (request) => {
      ran(request);
      throw new Error("secret of the handler");
    }),
    "/stream": paidFetch(made.metered, (request, context) => {
      ran(request);
      return made.stream(context);
    }),
  });
}

scenarios("node:http", (made) => listen(nodeStyle(made)));
scenarios("node:http, fetch style", (made) => listen(fetchStyle(made)));

describe("node:http", () => {
  let app: App | undefined;
  afterEach(async () => {
    await app?.close();
    app = undefined;
  });

  it("breaks off a response whose handler fails after it has begun to stream", async () => {
    const made = world();
    app = await listen(
      paid(made.joke, async (_request, response) => {
        response.setHeader("Content-Type", "application/x-ndjson");
        response.write('{"a":1}\n');
        throw new Error("secret of the handler");
      }),
    );
    const error = await pay(`${app.url}/x`).catch((thrown: Error) => thrown);
    expect(error).to.be.instanceOf(Error);
    expect([made.charge.failed, made.charge.finished.length]).to.deep.equal([1, 0]);
  });

  it("lets a handler read the body as an event emitter, as a stream, and not at all", async () => {
    const made = world();
    const readers: ((request: IncomingMessage) => Promise<string>)[] = [
      (request) =>
        new Promise((resolve) => {
          let text = "";
          request.setEncoding("utf8");
          request.on("data", (chunk: string) => {
            text += chunk;
          });
          request.on("end", () => resolve(text));
        }),
      async (request) => {
        const chunks: Buffer[] = [];
        for await (const chunk of request) chunks.push(chunk as Buffer);
        return Buffer.concat(chunks).toString();
      },
      async () => "unread",
    ];
    let at = 0;
    app = await listen(
      paid(made.joke, async (request, response) => {
        response.end(await readers[at]!(request));
      }),
    );
    const body = "h\u00e9llo ".repeat(1_000);
    for (const expected of [body, body, "unread"]) {
      expect((await pay(`${app.url}/x`, { method: "POST", body })).body).to.equal(expected);
      at++;
    }
  });

  it("takes the resource out of a request line in absolute form, and never the host", async () => {
    const made = world();
    app = await listen(nodeStyle(made));
    const { host } = new URL(app.url);
    const text = await raw(
      app.url,
      `GET http://evil.example/joke HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
    );
    // No route has that name: the application has the request line as it came.
    expect(text).to.match(/^HTTP\/1\.1 404 /);
    const direct = paid(made.joke, (_request, response) => response.end("x"));
    await app.close();
    app = await listen(direct);
    const challenge = await raw(
      app.url,
      `GET http://evil.example/joke HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`,
    );
    expect(challenge).to.contain('realm="api.example.com"').and.not.contain("evil");
  });

  it("answers 500 and tells the seller when the guard cannot have the body", async () => {
    const made = world();
    app = await listen(async (request, response) => {
      await json(request);
      paid(made.joke, () => response.end("never"))(request, response);
    });
    const { status, body } = await exchange(app.url, { method: "POST", body: "{}" });
    expect(status).to.equal(500);
    expect(body).to.not.contain("parser");
    expect(made.routes.charge.errors).to.have.length(1);
  });

  it("hands the payment to the listener", async () => {
    const made = world();
    app = await listen(paid(made.joke, (request, response) => response.end(paymentOf(request).reference)));
    expect((await pay(app.url)).body).to.equal("sig");
  });
});
