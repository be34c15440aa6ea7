// Paid routes in Fastify 5: the plugin and its route option, with Fastify's parsing, validation and serialization.
import { Readable } from "node:stream";
import { expect } from "chai";
import createFastify, { type FastifyInstance } from "fastify";
import { contextOf, paymentOf, payments } from "../../../sdk/server/src/adapters/fastify.ts";
import { type App, exchange, pay, scenarios, type World, world } from "./scenarios.ts";

async function listen(app: FastifyInstance): Promise<App> {
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  return {
    url,
    close: async () => {
      app.server.closeAllConnections();
      await app.close();
    },
  };
}

function fastify(): FastifyInstance {
  const app = createFastify({ routerOptions: { ignoreDuplicateSlashes: false } });
  app.register(payments);
  return app;
}

scenarios("Fastify", (made) => {
  const app = fastify();
  app.setErrorHandler((_error, _request, reply) => reply.code(500).send("broken"));
  app.get("/free", async () => "free");
  app.get("/joke", { config: { paid: made.joke } }, async (request, reply) => {
    made.runs.push(request.url);
    return reply.type("text/plain").send("a joke");
  });
  app.post("/echo", { config: { paid: made.joke } }, async (request) => {
    made.runs.push(request.url);
    return request.body;
  });
  app.get("/fail", { config: { paid: made.joke } }, async (request) => {
    made.runs.push(request.url);
    throw new Error("secret of the handler");
  });
  app.get("/stream", { config: { paid: made.metered } }, async (request) => {
    made.runs.push(request.url);
    return made.stream(contextOf(request));
  });
  return listen(app);
});

describe("Fastify", () => {
  let app: App | undefined;
  afterEach(async () => {
    await app?.close();
    app = undefined;
  });

  async function serve(build: (instance: FastifyInstance, made: World) => void): Promise<[App, World]> {
    const instance = fastify();
    const made = world();
    build(instance, made);
    app = await listen(instance);
    return [app, made];
  }

  it("validates before it is paid: invalid input costs nothing", async () => {
    const [{ url }, made] = await serve((instance, { joke }) => {
      const schema = { querystring: { type: "object", required: ["n"], properties: { n: { type: "integer" } } } };
      instance.get("/x", { config: { paid: joke }, schema }, async () => "served");
    });
    expect((await exchange(`${url}/x?n=no`)).status).to.equal(400);
    expect((await exchange(`${url}/x?n=1`)).status).to.equal(402);
    expect(made.charge.contexts).to.have.length(1);
  });

  it("authenticates before it asks for money", async () => {
    const [{ url }] = await serve((instance, { joke }) => {
      instance.addHook("onRequest", async (request, reply) => {
        if (request.headers["x-key"] !== "k") return reply.code(401).send("who are you");
      });
      instance.get("/x", { config: { paid: joke } }, async () => "served");
    });
    expect((await exchange(`${url}/x`)).status).to.equal(401);
    expect((await exchange(`${url}/x`, { headers: { "X-Key": "k" } })).status).to.equal(402);
  });

  it("serves what a handler returns: objects, buffers, streams, nothing", async () => {
    const [{ url }, made] = await serve((instance, { joke }) => {
      const config = { config: { paid: joke } };
      instance.get("/object", config, async (request) => ({ amount: String(paymentOf(request).amount) }));
      instance.get("/buffer", config, async () => Buffer.from("bytes"));
      instance.get("/stream", config, async () => Readable.from(["a", "b", "c"]));
      instance.get("/web", config, async () => new Response("web", { status: 203, headers: { "X-Web": "1" } }));
      instance.get("/nothing", config, async (_request, reply) => reply.code(204).send());
    });
    expect(JSON.parse((await pay(`${url}/object`)).body)).to.deep.equal({ amount: "1000" });
    expect((await pay(`${url}/buffer`)).body).to.equal("bytes");
    expect((await pay(`${url}/stream`)).body).to.equal("abc");
    const web = await pay(`${url}/web`);
    expect([web.status, web.headers["x-web"], web.body]).to.deep.equal([203, "1", "web"]);
    expect((await pay(`${url}/nothing`)).status).to.equal(204);
    expect(made.charge.finished.map(({ body }) => body && Buffer.from(body, "base64").toString())).to.deep.equal([
      '{"amount":"1000"}',
      "bytes",
      "abc",
      "web",
      "",
    ]);
  });

  it("takes routes of plugins that are registered after it", async () => {
    const [{ url }] = await serve((instance, { joke }) => {
      instance.register(async (nested) => {
        nested.get("/x", { config: { paid: joke } }, async () => "served");
      });
    });
    expect((await exchange(`${url}/x`)).status).to.equal(402);
    expect((await pay(`${url}/x`)).body).to.equal("served");
  });

  it("gives back what a handler took whose result does not fit its schema", async () => {
    const [{ url }, made] = await serve((instance, { joke }) => {
      const schema = { response: { 200: { type: "object", required: ["a"], properties: { a: { type: "string" } } } } };
      instance.get("/x", { config: { paid: joke }, schema }, async () => ({ b: 1 }));
    });
    const answer = await pay(`${url}/x`);
    expect(answer.status).to.equal(500);
    expect(answer.headers["payment-receipt"]).to.equal(undefined);
    expect([made.charge.failed, made.charge.finished.length]).to.deep.equal([1, 0]);
  });
});
