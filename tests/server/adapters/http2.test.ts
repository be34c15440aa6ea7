// Paid routes over HTTP/2, asked by Node's client in clear text: there a body needs no header that announces it.
import { once } from "node:events";
import type { RequestListener } from "node:http";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  createServer,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { BodyDigest, Challenge } from "@mppsol/core";
import { expect } from "chai";
import createFastify from "fastify";
import { paid as express } from "../../../sdk/server/src/adapters/express.ts";
import { contextOf, payments } from "../../../sdk/server/src/adapters/fastify.ts";
import { paid as node } from "../../../sdk/server/src/adapters/node.ts";
import type { PricedRequest } from "../../../sdk/server/src/http/guard.ts";
import { credential } from "../http/fakes.ts";
import { until, type World, world } from "./scenarios.ts";

interface App {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * POST /echo answers the body; GET /stream sends two lines, and fails then or waits for its client to leave; GET /think waits
 * for that before it says anything.
 */
type Start = (made: World, ending: "fails" | "waits") => Promise<App>;

const JSON_TYPE = { "content-type": "application/json" };

/** A body that begins to arrive and then fails, or comes to no end. */
function lines(ending: "fails" | "waits", signal: AbortSignal, left: () => void): ReadableStream<Uint8Array> {
  let sent = 0;
  signal.addEventListener("abort", left);
  return new ReadableStream(
    {
      async pull(controller) {
        if (sent++ < 2) return controller.enqueue(Buffer.from("line\n"));
        if (ending === "fails") throw new Error("secret of the handler");
        await new Promise(() => undefined);
      },
    },
    { highWaterMark: 0 },
  );
}

function leaves(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
}

async function listen(listener: RequestListener): Promise<App> {
  const server = createServer(listener as never);
  const sessions = new Set<{ destroy(): void }>();
  server.on("session", (session) => sessions.add(session));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      for (const session of sessions) session.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** What stands behind the guard, in Node's style. */
function handler(made: World, ending: "fails" | "waits"): RequestListener {
  return async (request, response) => {
    made.runs.push(request.url ?? "");
    if (request.url === "/echo") {
      response.end(await text(request));
      return;
    }
    if (request.url === "/think") {
      await leaves(contextOf(request).signal);
      made.cleaned = true;
      response.end("nobody");
      return;
    }
    response.setHeader("Content-Type", "application/x-ndjson");
    const body = lines(ending, contextOf(request).signal, () => {
      made.cleaned = true;
    });
    for await (const line of body) response.write(line);
    response.end();
  };
}

const apps: Record<string, Start> = {
  "node:http2": (made, ending) => listen(node(made.joke, handler(made, ending))),
  "Express' kind of middleware": (made, ending) => {
    const behind = handler(made, ending);
    const middleware = express(made.joke);
    return listen((request, response) => {
      middleware(request, response, (error?: unknown) => {
        if (error === undefined) return behind(request, response);
        response.statusCode = 500;
        response.end();
      });
    });
  },
  Fastify: async (made, ending) => {
    const app = createFastify({ http2: true });
    app.register(payments);
    app.post("/echo", { config: { paid: made.joke } }, async (request) => {
      made.runs.push(request.url);
      return typeof request.body === "string" ? request.body : JSON.stringify(request.body ?? "");
    });
    app.get("/stream", { config: { paid: made.joke } }, async (request, reply) => {
      made.runs.push(request.url);
      reply.type("application/x-ndjson");
      const { signal } = contextOf(request);
      return new Response(
        lines(ending, signal, () => {
          made.cleaned = true;
        }),
      );
    });
    app.get("/think", { config: { paid: made.joke } }, async (request) => {
      made.runs.push(request.url);
      await leaves(contextOf(request).signal);
      made.cleaned = true;
      return "nobody";
    });
    await app.listen({ port: 0, host: "127.0.0.1" });
    const { port } = app.server.address() as AddressInfo;
    return { port, close: () => app.close() };
  },
};

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

for (const [name, start] of Object.entries(apps)) {
  describe(`over HTTP/2, ${name}`, () => {
    let made: World;
    let app: App | undefined;
    let client: ClientHttp2Session;

    async function serve(ending: "fails" | "waits" = "waits"): Promise<void> {
      made = world();
      app = await start(made, ending);
      client = connect(`http://127.0.0.1:${app.port}`);
    }
    afterEach(async () => {
      client.destroy();
      await app?.close();
      app = undefined;
    });

    function begin(path: string, headers: OutgoingHttpHeaders = {}): ClientHttp2Stream {
      const method = path === "/echo" ? "POST" : "GET";
      const stream = client.request(
        { ":method": method, ":path": path, ...JSON_TYPE, ...headers },
        { endStream: method === "GET" },
      );
      stream.on("error", () => undefined);
      return stream;
    }

    async function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      const ended = once(stream, "end");
      const [headers] = (await once(stream, "response")) as [IncomingHttpHeaders & { ":status": number }];
      await ended;
      return { status: headers[":status"], headers, body: Buffer.concat(chunks).toString() };
    }

    function ask(path: string, body?: string, headers?: OutgoingHttpHeaders): Promise<Answer> {
      const stream = begin(path, headers);
      const answered = answerOf(stream);
      if (path === "/echo") stream.end(body);
      return answered;
    }

    function challengeOf({ headers }: Answer): Challenge.Challenge {
      return Challenge.parseAll(headers["www-authenticate"] as string)[0]!;
    }

    const body = JSON.stringify({ tokens: 1_000_000 });

    for (const [how, headers] of [
      ["announced", { "content-length": String(body.length) }],
      ["not announced", {}],
    ] as const) {
      it(`prices the body that the handler gets, ${how}`, async () => {
        await serve();
        const challenge = challengeOf(await ask("/echo", body, headers));
        const { request } = made.charge.contexts[0]!.raw as PricedRequest;
        expect(await request.text()).to.equal(body);
        expect(BodyDigest.matches(challenge.digest!, Buffer.from(body))).to.equal(true);
        const authorization = credential(challenge);
        const other = await ask("/echo", '{"tokens":1}', { ...headers, "content-length": undefined, authorization });
        expect([other.status, JSON.parse(other.body).code]).to.deep.equal([402, "digest-mismatch"]);
        const paid = await ask("/echo", body, { ...headers, authorization });
        expect([paid.status, paid.body]).to.deep.equal([200, body]);
        expect(made.runs).to.deep.equal(["/echo"]);
      });
    }

    it("refuses what names two hosts, one of which a price would be found for, and the other served", async () => {
      await serve();
      const two = { ":authority": "cheap.example", host: "dear.example" };
      for (const answer of [await ask("/stream", undefined, two), await ask("/echo", body, two)]) {
        expect([answer.status, JSON.parse(answer.body).code]).to.deep.equal([400, "request-ambiguous"]);
      }
      expect(made.charge.contexts).to.deep.equal([]);
      expect((await ask("/stream", undefined, { ":authority": "Dear.example", host: "dear.example" })).status).to.equal(
        402,
      );
    });

    it("refuses a path that is another one in its URL", async () => {
      await serve();
      const answer = await ask("/stream", undefined, { ":path": "/stream/../echo" });
      // Where a router has come first, there is nothing there.
      if (name === "Fastify") expect(answer.status).to.equal(404);
      else expect([answer.status, JSON.parse(answer.body).code]).to.deep.equal([400, "request-ambiguous"]);
      expect(made.charge.contexts).to.deep.equal([]);
    });

    it("takes a body in parts, and one that is empty, whose end the handler still hears", async () => {
      await serve();
      const parts = async (headers: OutgoingHttpHeaders = {}): Promise<Answer> => {
        const stream = begin("/echo", headers);
        const answered = answerOf(stream);
        for (const part of [body.slice(0, 5), body.slice(5)]) {
          stream.write(part);
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        stream.end();
        return answered;
      };
      const paid = await parts({ authorization: credential(challengeOf(await parts())) });
      expect([paid.status, paid.body]).to.deep.equal([200, body]);
      const plain = { "content-type": undefined };
      const challenge = challengeOf(await ask("/echo", undefined, plain));
      expect(challenge.digest).to.equal(undefined);
      const empty = await ask("/echo", undefined, { ...plain, authorization: credential(challenge) });
      expect([empty.status, empty.body.replaceAll('"', "")]).to.deep.equal([200, ""]);
    });

    it("refuses a body that is too large with 413, and hears no more of one without end", async () => {
      await serve();
      const whole = await ask("/echo", JSON.stringify("x".repeat(20_000)));
      expect([whole.status, JSON.parse(whole.body).code]).to.deep.equal([413, "request-too-large"]);
      const endless = begin("/echo");
      const answered = answerOf(endless);
      endless.write("1".repeat(20_000));
      expect((await answered).status).to.equal(413);
      if (!endless.closed) await once(endless, "close");
      expect(endless.rstCode).to.equal(0);
      expect(made.runs).to.deep.equal([]);
    });

    it("does not take what came from a client that left for its whole body", async () => {
      await serve();
      const stream = begin("/echo");
      // JSON as it is, as the whole would have been.
      stream.write("1");
      await new Promise((resolve) => setTimeout(resolve, 20));
      // Not by closing the stream: Node's client ends its body then.
      client.destroy();
      await new Promise((resolve) => stream.once("close", resolve));
      client = connect(`http://127.0.0.1:${app!.port}`);
      expect((await ask("/stream")).status).to.equal(402);
      expect(made.charge.contexts.map(({ url }) => new URL(url).pathname)).to.deep.equal(["/stream"]);
    });

    it("breaks a response off whose body fails, so that it is not taken for whole", async () => {
      await serve("fails");
      const authorization = credential(challengeOf(await ask("/stream")));
      const stream = begin("/stream", { authorization });
      let ended = false;
      stream.on("end", () => {
        ended = true;
      });
      stream.resume();
      await new Promise((resolve) => stream.once("close", resolve));
      expect(stream.rstCode).to.not.equal(0);
      expect(ended).to.equal(false);
    });

    it("tells a handler that has said nothing yet that its client has left", async () => {
      await serve();
      const authorization = credential(challengeOf(await ask("/think")));
      const stream = begin("/think", { authorization });
      await until(() => made.runs.length === 1);
      expect(made.cleaned).to.equal(false);
      stream.close(8);
      await until(() => made.cleaned);
    });

    it("tells the handler that its client has left, and settles what was delivered", async () => {
      await serve();
      const authorization = credential(challengeOf(await ask("/stream")));
      const stream = begin("/stream", { authorization });
      await once(stream, "data");
      stream.close(8);
      await until(() => made.cleaned && made.charge.finished.length === 1);
    });
  });
}
