// Paid routes in Express 5, with its own router, body parsers and error handling.
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import express, { type ErrorRequestHandler, type Express } from "express";
import { contextOf, keepRawBody, paid, paymentOf } from "../../../sdk/server/src/adapters/express.ts";
import { SetupError } from "../../../sdk/server/src/errors.ts";
import { type App, exchange, pay, scenarios, type World, world } from "./scenarios.ts";

const hideErrors: ErrorRequestHandler = (_error, _request, response, _next) => {
  response.status(500).send("broken");
};

async function listen(app: Express): Promise<App> {
  const server = app.listen(0, "127.0.0.1");
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

function routes(app: Express, made: World, json: express.RequestHandler): Express {
  app.disable("x-powered-by");
  app.get("/free", (_request, response) => {
    response.send("free");
  });
  app.get("/joke", paid(made.joke), (request, response) => {
    made.runs.push(request.path);
    response.type("text/plain").send("a joke");
  });
  app.post("/echo", paid(made.joke), json, (request, response) => {
    made.runs.push(request.path);
    response.json(request.body);
  });
  app.get("/fail", paid(made.joke), (request) => {
    made.runs.push(request.path);
    throw new Error("secret of the handler");
  });
  app.get(
    "/stream",
    paid(made.metered, (_request, context) => {
      made.runs.push("/stream");
      return made.stream(context);
    }),
  );
  app.use(hideErrors);
  return app;
}

scenarios("Express, guards before the body parser", (made) => listen(routes(express(), made, express.json())));

const parsed = (made: World) => {
  const app = express();
  app.use(express.json({ verify: keepRawBody, limit: "9kb" }));
  app.use(((error, _request, response, _next) => {
    const tooLarge = error.status === 413;
    response.status(error.status).json({ code: tooLarge ? "request-too-large" : "bad" });
  }) as ErrorRequestHandler);
  return listen(routes(app, made, (_request, _response, next) => next()));
};

scenarios("Express, guards behind the body parser", parsed, { waits: true });

describe("Express", () => {
  let app: App | undefined;
  afterEach(async () => {
    await app?.close();
    app = undefined;
  });

  async function serve(made: World, handler: express.RequestHandler): Promise<App> {
    const made_ = express();
    made_.get("/x", paid(made.joke), handler);
    made_.use(hideErrors);
    app = await listen(made_);
    return app;
  }

  it("hands the payment to the handler", async () => {
    const made = world();
    const { url } = await serve(made, (request, response) => {
      response.json({ amount: String(paymentOf(request).amount), gone: contextOf(request).signal.aborted });
    });
    expect(JSON.parse((await pay(`${url}/x`)).body)).to.deep.equal({ amount: "1000", gone: false });
  });

  it("keeps cookies, and headers that earlier middleware has set", async () => {
    const made = world();
    const server = express();
    server.use((_request, response, next) => {
      response.setHeader("X-Early", "yes");
      next();
    });
    server.get("/x", paid(made.joke), (_request, response) => {
      response.cookie("a", "1").cookie("b", "2").status(201).send("made");
    });
    app = await listen(server);
    const paid_ = await pay(`${app.url}/x`);
    expect(paid_.status).to.equal(201);
    expect(paid_.headers["x-early"]).to.equal("yes");
    expect(paid_.lines("set-cookie")).to.have.length(2);
  });

  it("sends what is written piece by piece, with writeHead, as one response", async () => {
    const made = world();
    const { url } = await serve(made, (_request, response) => {
      response.writeHead(203, "Odd", { "X-Piece": "1", "Content-Type": "text/plain" });
      response.write("one ");
      response.write(Buffer.from("two "));
      response.write("dGhyZWU=", "base64");
      response.end(" four");
    });
    const { status, headers, body } = await pay(`${url}/x`);
    expect([status, headers["x-piece"], body]).to.deep.equal([203, "1", "one two three four"]);
    expect(Buffer.from(made.charge.finished[0]?.body ?? "", "base64").toString()).to.equal("one two three four");
  });

  it("holds back what a handler writes and never ends, until there is more than is kept", async () => {
    const made = world();
    const { url } = await serve(made, (_request, response) => {
      response.type("text/plain").write("a".repeat(500));
      setTimeout(() => response.write("b".repeat(600)), 5);
      setTimeout(() => response.end("c"), 10);
    });
    const { body, headers } = await pay(`${url}/x`);
    expect([body.length, headers["transfer-encoding"]]).to.deep.equal([1101, "chunked"]);
    expect(made.charge.finished.map(({ body: kept }) => kept)).to.deep.equal([undefined]);
  });

  it("passes what is written after the end to nobody", async () => {
    const made = world();
    const { url } = await serve(made, (_request, response) => {
      response.send("a joke");
      response.write(" and more");
      setImmediate(() => response.end("even more"));
    });
    expect((await pay(`${url}/x`)).body).to.equal("a joke");
  });

  it("makes a writer of 25 MB wait for its client, and settles at the end", async () => {
    const made = world();
    let written = 0;
    const { url } = await serve(made, (_request, response) => {
      response.type("application/x-ndjson");
      const chunk = Buffer.alloc(64 * 1024, 97);
      const more = (): void => {
        while (written < 400) {
          written++;
          if (!response.write(chunk)) {
            response.once("drain", more);
            return;
          }
        }
        response.end();
      };
      more();
    });
    const { length } = (await pay(`${url}/x`)).body;
    expect([length, written]).to.deep.equal([400 * 64 * 1024, 400]);
    expect(made.charge.finished).to.have.length(1);
  });

  it("sends headers at once when the handler flushes them", async () => {
    const made = world();
    let finish: () => void = () => undefined;
    const { url } = await serve(made, (_request, response) => {
      response.type("text/plain");
      response.flushHeaders();
      expect(response.headersSent).to.equal(true);
      finish = () => response.end("at last");
    });
    const answered = pay(`${url}/x`);
    for (let i = 0; i < 400 && made.charge.contexts.length < 2; i++) await new Promise((r) => setTimeout(r, 2));
    await new Promise((resolve) => setTimeout(resolve, 10));
    finish();
    const { body, headers } = await answered;
    expect([body, headers["transfer-encoding"]]).to.deep.equal(["at last", "chunked"]);
  });

  it("gives the handler's error to Express, whose answer is sent", async () => {
    const made = world();
    const { url } = await serve(made, (_request, _response, next) => next(new Error("oops")));
    const { status, body } = await pay(`${url}/x`);
    expect([status, body, made.charge.failed]).to.deep.equal([500, "broken", 1]);
  });

  it("sends an answer of Express after a status that no response can have", async () => {
    const made = world();
    const { url } = await serve(made, (_request, response) => {
      response.statusCode = 102;
      response.end();
    });
    const { status, body } = await pay(`${url}/x`);
    expect([status, body]).to.deep.equal([500, "broken"]);
  });

  it("answers 304 for what the client has, paid for all the same", async () => {
    const made = world();
    const { url } = await serve(made, (_request, response) => {
      response.set("ETag", '"same"').send("unchanged");
    });
    const { status, body } = await pay(`${url}/x`, { headers: { "If-None-Match": '"same"' } });
    expect([status, body]).to.deep.equal([304, ""]);
    expect(made.charge.finished).to.have.length(1);
  });

  it("says to the developer, not to the client, that a parser has eaten the body", async () => {
    const made = world();
    const server = express();
    let seen: unknown;
    server.post("/x", express.json(), paid(made.joke), (_request, response) => {
      response.send("served");
    });
    server.use(((error, _request, response, _next) => {
      seen = error;
      response.status(500).end();
    }) as ErrorRequestHandler);
    app = await listen(server);
    const headers = { "Content-Type": "application/json" };
    const { status } = await exchange(`${app.url}/x`, { method: "POST", headers, body: "{}" });
    expect(status).to.equal(500);
    expect(seen).to.be.instanceOf(SetupError);
    expect((seen as SetupError).problem).to.equal("body-consumed");
  });

  it("binds the path under which a router is mounted", async () => {
    const made = world();
    const server = express();
    const router = express.Router();
    router.get("/x", paid(made.joke), (_request, response) => {
      response.send("served");
    });
    server.use("/a", router);
    server.use("/b", router);
    app = await listen(server);
    const { authorization } = await pay(`${app.url}/a/x`);
    const other = await exchange(`${app.url}/b/x`, { headers: { authorization } });
    expect([other.status, JSON.parse(other.body).code]).to.deep.equal([402, "challenge-mismatch"]);
  });

  it("throws for a request that no guard has seen", () => {
    expect(() => paymentOf({})).to.throw(SetupError);
  });
});
