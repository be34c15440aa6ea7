// Paid routes in Hono, served by its Node adapter.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { expect } from "chai";
import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { streamSSE } from "hono/streaming";
import { type PaidEnv, paid, unpaid } from "../../../sdk/server/src/adapters/hono.ts";
import { credential } from "../http/fakes.ts";
import { type App, challengesIn, exchange, pay, scenarios, type World, world } from "./scenarios.ts";

async function listen(app: Hono<PaidEnv>): Promise<App> {
  const server = createServer(getRequestListener(app.fetch, { overrideGlobalObjects: false }));
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

const start = (made: World) => {
  const app = new Hono<PaidEnv>();
  app.get(
    "/free",
    unpaid(() => new Response("free")),
  );
  app.get("/joke", paid(made.joke), (c) => {
    made.runs.push(c.req.path);
    return c.text("a joke");
  });
  app.post("/echo", paid(made.joke), async (c) => {
    made.runs.push(c.req.path);
    return c.json(await c.req.json());
  });
  app.get("/fail", paid(made.joke), (c) => {
    made.runs.push(c.req.path);
    throw new Error("secret of the handler");
  });
  app.get("/stream", paid(made.metered), (c) => {
    made.runs.push(c.req.path);
    return made.stream(c.get("paid"));
  });
  app.onError((_error, c) => c.text("broken", 500));
  return listen(app);
};

scenarios("Hono", start, { normalises: true, joins: true });

describe("Hono", () => {
  let app: App | undefined;
  afterEach(async () => {
    await app?.close();
    app = undefined;
  });

  it("has the payment in its context, and headers that were set before and after the handler", async () => {
    const made = world();
    const hono = new Hono<PaidEnv>();
    hono.use(async (c, next) => {
      c.header("X-Before", "1");
      await next();
      c.header("X-After", "2");
    });
    hono.get("/x", paid(made.joke), (c) => c.text(String(c.get("payment").amount)));
    app = await listen(hono);
    const { body, headers } = await pay(`${app.url}/x`);
    expect([body, headers["x-before"], headers["x-after"]]).to.deep.equal(["1000", "1", "2"]);
    expect(headers["cache-control"]).to.equal("private");
    expect(headers["payment-receipt"]).to.be.a("string");
  });

  it("digests a body that earlier middleware has read", async () => {
    const made = world();
    const hono = new Hono<PaidEnv>();
    hono.use(async (c, next) => {
      await c.req.json();
      await next();
    });
    hono.post("/x", paid(made.joke), async (c) => c.json(await c.req.json()));
    app = await listen(hono);
    const paid_ = await pay(`${app.url}/x`, { method: "POST", body: '{ "a": 1 }' });
    expect([paid_.status, paid_.body]).to.deep.equal([200, '{"a":1}']);
    const [challenge] = challengesIn(await exchange(`${app.url}/x`, { method: "POST", body: '{ "a": 1 }' }));
    const headers = { authorization: credential(challenge!) };
    expect((await exchange(`${app.url}/x`, { method: "POST", body: '{ "a": 2 }', headers })).status).to.equal(402);
  });

  it("sends no header of the handler's that was replaced, and none twice", async () => {
    const made = world();
    const hono = new Hono<PaidEnv>();
    hono.get("/x", paid(made.joke), (c) => {
      c.header("Cache-Control", "public, max-age=60");
      c.header("Set-Cookie", "a=1", { append: true });
      c.header("Set-Cookie", "b=2", { append: true });
      return c.text("a joke");
    });
    app = await listen(hono);
    const { headers, lines } = await pay(`${app.url}/x`);
    expect(headers["cache-control"]).to.equal("private, max-age=60");
    expect(lines("set-cookie")).to.deep.equal(["a=1", "b=2"]);
  });

  it("streams by Hono's own helper, settled when it ends", async () => {
    const made = world();
    const hono = new Hono<PaidEnv>();
    hono.get("/x", paid(made.joke), (c) =>
      streamSSE(c, async (stream) => {
        for (const data of ["a", "b"]) await stream.writeSSE({ data });
      }),
    );
    app = await listen(hono);
    const { body, headers } = await pay(`${app.url}/x`);
    expect(body).to.equal("data: a\n\ndata: b\n\n");
    expect(headers["payment-receipt"]).to.be.a("string");
    expect(made.charge.finished).to.have.length(1);
  });

  it("sends an error page of Hono's and gives the payment back", async () => {
    const made = world();
    const hono = new Hono<PaidEnv>();
    hono.get("/x", paid(made.joke), () => {
      throw new HTTPException(503, { message: "Come back later" });
    });
    app = await listen(hono);
    const { status, body } = await pay(`${app.url}/x`);
    expect([status, body, made.charge.failed]).to.deep.equal([503, "Come back later", 1]);
  });
});
