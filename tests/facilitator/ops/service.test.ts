// The service as its operator and its clients meet it: limits, headers, metrics, documents, and its end.
import { connect, createServer, type Server } from "node:net";
import type { ChargeEngine } from "@mppsol/facilitator";
import { expect } from "chai";
import { type Running, startChain, startFacilitator } from "../support.js";

const PAYMENT = `pay_${"0".repeat(64)}`;

describe("the service", () => {
  let net: Awaited<ReturnType<typeof startChain>>;
  let running: Running | undefined;
  before(async () => {
    net = await startChain();
  });
  after(() => net.close());
  afterEach(async () => {
    await running?.close();
    running = undefined;
  });

  const start = async (options: Parameters<typeof startFacilitator>[0] = {}) => {
    running = await startFacilitator({ net, ...options, overrides: { background: false, ...options.overrides } });
    return running.app;
  };

  it("lets one address ask so often in a minute, and says so", async () => {
    const app = await start({ config: { rateLimitPerMinute: 3 } });
    const ask = (remoteAddress: string, url = "/mpp/stats") => app.inject({ url, remoteAddress });
    for (const remaining of ["2", "1", "0"]) {
      const { headers } = await ask("10.0.0.1", remaining === "1" ? "/nowhere" : "/mpp/stats");
      expect([headers["ratelimit-limit"], headers["ratelimit-remaining"]]).to.deep.equal(["3", remaining]);
    }
    const refused = await ask("10.0.0.1");
    expect(refused.statusCode).to.equal(429);
    expect(refused.headers["content-type"]).to.include("application/problem+json");
    expect(refused.json()).to.include({ code: "rate_limited", retryable: true });
    expect(Number(refused.headers["retry-after"])).to.be.within(1, 60);
    expect((await ask("10.0.0.1", "/nowhere")).statusCode).to.equal(429);
    expect((await ask("10.0.0.2")).statusCode).to.equal(200);
    // Whoever runs it is never kept from looking.
    for (const url of ["/livez", "/readyz", "/metrics"]) expect((await ask("10.0.0.1", url)).statusCode).to.equal(200);
  });

  it("counts vouchers, and looks at sessions, apart from the rest: a seller's address has many", async () => {
    const app = await start({ config: { rateLimitPerMinute: 2, voucherLimitPerMinute: 3 } });
    const id = "11111111111111111111111111111111";
    const look = async () => (await app.inject(`/mpp/session/${id}`)).statusCode;
    const handIn = async () => {
      const answer = await app.inject({ method: "POST", url: "/mpp/session/voucher", payload: { channelId: id } });
      return answer.statusCode;
    };
    expect([await look(), await look(), await look(), await look()]).to.deep.equal([404, 404, 404, 429]);
    expect([await handIn(), await handIn(), await handIn(), await handIn()]).to.deep.equal([400, 400, 400, 429]);
    const stats = async () => (await app.inject("/mpp/stats")).statusCode;
    expect([await stats(), await stats(), await stats()]).to.deep.equal([200, 200, 429]);
  });

  it("counts the addresses of one IPv6 network as one", async () => {
    const app = await start({ config: { rateLimitPerMinute: 1 } });
    const ask = (remoteAddress: string) => app.inject({ url: "/mpp/stats", remoteAddress });
    expect((await ask("2001:db8:1:2::1")).statusCode).to.equal(200);
    expect((await ask("2001:db8:1:2:ffff::2")).statusCode).to.equal(429);
    expect((await ask("2001:db8:1:3::1")).statusCode).to.equal(200);
  });

  it("believes what proxies say of an address as far as they are its own", async () => {
    const ask = (forwarded: string) =>
      running!.app.inject({
        url: "/mpp/stats",
        remoteAddress: "10.0.0.9",
        headers: { "x-forwarded-for": forwarded },
      });
    await start({ config: { rateLimitPerMinute: 1 } });
    expect((await ask("1.1.1.1")).statusCode).to.equal(200);
    expect((await ask("2.2.2.2")).statusCode).to.equal(429);
    await running!.close();
    await start({ config: { rateLimitPerMinute: 1, trustProxy: 1 } });
    expect((await ask("9.9.9.9, 1.1.1.1")).statusCode).to.equal(200);
    // The first entry is whatever the client says.
    expect((await ask("8.8.8.8, 1.1.1.1")).statusCode).to.equal(429);
    expect((await ask("9.9.9.9, 2.2.2.2")).statusCode).to.equal(200);
  });

  it("counts with the other instances where there is a Redis, and goes on without it", async () => {
    let count = 2;
    const redis = await fakeRedis(() => [++count, 30_000]);
    const app = await start({ config: { rateLimitPerMinute: 3, redisUrl: redis.url } });
    const statusOf = async () => (await app.inject("/mpp/stats")).statusCode;
    const answered = async () => {
      // Until the connection is there, nobody is limited.
      for (let tries = 0; count === 2 && tries < 500; tries++) {
        await statusOf();
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    };
    await answered();
    expect(await statusOf()).to.equal(429);
    await redis.close();
    for (let tries = 0; tries < 500 && (await statusOf()) === 429; tries++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect(await statusOf()).to.equal(200);
  });

  it("sends headers that let browsers do nothing with its answers", async () => {
    const app = await start();
    const { headers } = await app.inject("/mpp/stats");
    expect(headers["content-security-policy"]).to.equal("default-src 'none';frame-ancestors 'none'");
    expect(headers["x-content-type-options"]).to.equal("nosniff");
    expect(headers["strict-transport-security"]).to.match(/^max-age=/);
    expect(headers["x-powered-by"]).to.equal(undefined);
  });

  it("lets no cache keep an answer, whatever it is", async () => {
    const app = await start();
    const settle = { method: "POST", url: "/mpp/settle", payload: {} } as const;
    for (const asked of [
      "/mpp/stats",
      "/readyz",
      "/supported",
      "/openapi.json",
      "/nothing",
      "/%",
      "/reference",
      settle,
    ]) {
      const { headers } = await app.inject(asked);
      expect(headers["cache-control"], JSON.stringify(asked)).to.equal("no-store");
    }
  });

  it("lets no cache keep an answer that is given again", async () => {
    const app = await start();
    const currency = running!.config.mints[0];
    const recipient = running!.keys.settlement.publicKey.toBase58();
    const request = { amount: "1000000", currency, recipient, methodDetails: { network: "devnet" } };
    const payload = { challengeId: "c", request, transaction: "AAAA" };
    const ask = () => app.inject({ method: "POST", url: "/mpp/settle", payload, headers: { "idempotency-key": "k" } });
    const [first, second] = [await ask(), await ask()];
    expect(second.headers["idempotent-replayed"], second.body).to.equal("true");
    for (const { headers } of [first, second]) expect(headers["cache-control"]).to.equal("no-store");
  });

  it("counts requests by the templates of their routes", async () => {
    const app = await start();
    await app.inject(`/mpp/payments/${PAYMENT}`);
    await app.inject("/nowhere/at/all");
    await app.inject("/readyz");
    const text = (await app.inject("/metrics")).body;
    expect(text).to.match(
      /http_server_request_duration_seconds_count\{[^}]*http_route="\/mpp\/payments\/:id"[^}]*\} 1/,
    );
    expect(text).to.match(/http_server_request_duration_seconds_count\{[^}]*http_route="unmatched"[^}]*\} 1/);
    expect(text).to.not.include(PAYMENT).and.not.include("nowhere");
    for (const key of running!.keys.feePayers) {
      expect(text).to.match(new RegExp(`fee_payer_balance_lamports\\{fee_payer="${key.publicKey}"\\} [1-9]`));
    }
    for (const line of [
      "mpp_settlement_unknown 0",
      "mpp_settlement_pending 0",
      "mpp_channel_deadline_seconds_min Nan",
    ]) {
      expect(text).to.include(line);
    }
    expect(text).to.match(/mpp_rpc_up\{endpoint="127\.0\.0\.1:\d+"\} 1/);
  });

  it("counts what its parts tell it", async () => {
    const app = await start();
    const { metrics } = running!.context;
    metrics.rejected("policy:program_not_allowed");
    metrics.settled("x402", "confirmed", 0.3);
    metrics.sponsored("fee", 10_000n);
    metrics.channel("opened");
    const text = (await app.inject("/metrics")).body;
    expect(text).to.include('mpp_policy_rejections_total{rule="policy:program_not_allowed"} 1');
    expect(text).to.include('mpp_settlements_total{protocol="x402",state="confirmed"} 1');
    expect(text).to.include('mpp_settlement_duration_seconds_bucket{le="0.5",protocol="x402",state="confirmed"} 1');
    expect(text).to.include('mpp_sponsor_lamports_spent_total{kind="fee"} 10000');
    expect(text).to.include('mpp_channels_total{event="opened"} 1');
  });

  it("describes every route with all that it may answer, and shows it without loading anything from elsewhere", async () => {
    const app = await start();
    const document = (await app.inject("/openapi.json")).json() as {
      paths: Record<
        string,
        Record<string, { responses: Record<string, { content?: object }>; parameters?: { name: string }[] }>
      >;
    };
    for (const path of [
      "/mpp/prepare",
      "/mpp/settle",
      "/mpp/session/open",
      "/settle",
      "/verify",
      "/supported",
      "/livez",
    ]) {
      expect(Object.keys(document.paths)).to.include(path);
    }
    for (const [path, operations] of Object.entries(document.paths)) {
      for (const [method, { responses }] of Object.entries(operations)) {
        for (const status of ["400", "404", "429", "500", "503"]) {
          expect(responses[status]?.content, `${method} ${path} ${status}`).to.include.keys("application/problem+json");
        }
      }
    }
    const names = document.paths["/mpp/settle"]?.post?.parameters?.map(({ name }) => name);
    expect(names).to.deep.equal(["Idempotency-Key"]);
    const page = await app.inject("/reference/");
    expect(page.statusCode).to.equal(200);
    expect(page.body).to.not.match(/(?:src|href)="(?:https?:)?\/\//);
    expect(page.headers["content-security-policy"]).to.include("default-src 'none'").and.not.include("https:");
  });

  it("finishes what is under way when it goes down, and takes nothing new", async () => {
    let finish: () => void = () => {};
    const settled = new Promise<void>((resolve) => {
      finish = resolve;
    });
    let asked: () => void = () => {};
    const begun = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const charges = {
      feePayers: [],
      async get() {
        asked();
        await settled;
        return undefined;
      },
    } as unknown as ChargeEngine;
    await start({ config: { drainSeconds: 1 }, overrides: { charges: () => charges } });
    const { facilitator, context } = running!;
    const url = await facilitator.listen();
    const slow = fetch(`${url}/mpp/payments/${PAYMENT}`);
    await begun;

    const closing = facilitator.close();
    const ready = await fetch(`${url}/readyz`);
    expect(ready.status).to.equal(503);
    expect(((await ready.json()) as { checks: { accepting: object } }).checks.accepting).to.deep.equal({ ok: false });
    expect((await fetch(`${url}/livez`)).status).to.equal(200);
    const refused = await fetch(`${url}/mpp/stats`);
    expect(refused.status).to.equal(503);
    expect(refused.headers.get("connection")).to.equal("close");
    expect(await refused.json()).to.include({ code: "shutting_down", retryable: true });

    let closed = false;
    void closing.then(() => {
      closed = true;
    });
    for (;;) {
      // Until it does not listen any more.
      const answered = await fetch(`${url}/livez`).then(
        () => true,
        () => false,
      );
      if (!answered) break;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(closed).to.equal(false);
    finish();
    const last = await slow;
    expect(last.status).to.equal(404);
    expect(last.headers.get("connection"), "who keeps it open would be waited for").to.equal("close");
    await closing;
    const late = await context.tables.spent("x", 1, 1).then(
      () => undefined,
      (error: { code?: string }) => error.code,
    );
    expect(late, "the database is closed").to.be.oneOf(["store", "store-closed"]);
  });

  it("tells a client that sends too slowly, and is rid of it", async function () {
    this.timeout(120_000);
    const app = await start();
    expect([app.server.headersTimeout, app.server.requestTimeout]).to.deep.equal([10_000, 15_000]);
    Object.assign(app.server, { headersTimeout: 100, requestTimeout: 200 });
    const { port } = new URL(await running!.facilitator.listen());
    for (const part of [
      "GET /livez HTTP/1.1\r\nhost: a\r\n",
      "POST /mpp/settle HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{",
    ]) {
      const answer = await new Promise<string>((resolve) => {
        let text = "";
        const socket = connect(Number(port), "127.0.0.1", () => socket.write(part));
        socket.on("data", (data) => {
          text += data.toString();
        });
        socket.on("close", () => resolve(text));
      });
      expect(answer).to.match(/^HTTP\/1.1 408 Request Timeout\r\n/);
      expect(answer).to.include('"code":"request_timeout"');
    }
  });

  it("does not wait for ever for what is under way", async () => {
    let asked: () => void = () => {};
    const begun = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const charges = {
      feePayers: [],
      get() {
        asked();
        return new Promise(() => {});
      },
    } as unknown as ChargeEngine;
    await start({ overrides: { charges: () => charges } });
    const { facilitator } = running!;
    const url = await facilitator.listen();
    const cut = fetch(`${url}/mpp/payments/${PAYMENT}`).then(
      () => "answered",
      () => "cut",
    );
    await begun;
    await facilitator.close(50);
    expect(await cut).to.equal("cut");
  });

  it("does not start on a configuration that could not be trusted, nor on another cluster", async () => {
    const code = (options: Parameters<typeof startFacilitator>[0]) =>
      start(options).then(
        () => "started",
        (error: { code?: string }) => error.code,
      );
    expect(await code({ config: { maxPriorityLamports: 20_001n } })).to.equal("configuration");
    expect(await code({ config: { network: "devnet" } })).to.equal("wrong-cluster");
    expect(await code({ config: { rpcUrls: ["http://127.0.0.1:1/"] } })).to.equal("rpc");
  });

  it("starts with one node of two, and says which one is missing", async () => {
    const app = await start({ config: { rpcUrls: [net.url, "http://127.0.0.1:1/"] } });
    const { status, checks } = (await app.inject("/readyz")).json() as {
      status: string;
      checks: { rpc: { endpoints: { endpoint: string; ok: boolean }[] } };
    };
    expect(status).to.equal("ready");
    expect(checks.rpc.endpoints.map(({ ok }) => ok)).to.deep.equal([true, false]);
    expect(running!.errors.map(({ during }) => during)).to.include("checking a node");
  });
});

/** As much of a Redis as counting takes: every script answers with what `count` says. */
async function fakeRedis(count: () => number[]): Promise<{ url: string; close(): Promise<void> }> {
  const sockets = new Set<{ destroy(): void }>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("data", (data) => {
      for (const command of data.toString().split(/(?=\*\d+\r\n\$)/)) {
        if (/evalsha/i.test(command))
          socket.write(
            `*2\r\n${count()
              .map((value) => `:${value}\r\n`)
              .join("")}`,
          );
        else if (/\r\ninfo\r\n/i.test(command)) socket.write("$15\r\nredis_version:7\r\n");
        else socket.write("+OK\r\n");
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  return {
    url: `redis://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}
