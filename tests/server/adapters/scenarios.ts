// What every adapter must do, asked over loopback by a plain HTTP client.

import { request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from "node:http";
import { connect } from "node:net";
import { Challenge, type JsonObject, Receipt, SseEvents } from "@mppsol/core";
import { expect } from "chai";
import type { Guard, HandlerContext } from "../../../sdk/server/src/http/guard.ts";
import { type SseItem, sse } from "../../../sdk/server/src/http/sse.ts";
import { credential, FakeCharge, FakeSession, type Route, route } from "../http/fakes.ts";

/** The guards that the app under test mounts, and what became of their payments. */
export interface World {
  readonly charge: FakeCharge;
  readonly session: FakeSession;
  /** GET /joke answers "a joke"; POST /echo answers the JSON body that it got, parsed and written again. */
  readonly joke: Guard;
  /** GET /stream answers `stream(context)`. */
  readonly metered: Guard;
  readonly routes: { readonly charge: Route; readonly session: Route };
  /** Ran handlers, by path. */
  readonly runs: string[];
  /** Set when the source of /stream was told to clean up. */
  cleaned: boolean;
  stream(context: HandlerContext): Response;
}

export interface App {
  readonly url: string;
  close(): Promise<void>;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  /** Values of a header, one a line. */
  lines(name: string): string[];
  readonly body: string;
}

const LIMIT = 10_000;

export function world(): World {
  const charge = new FakeCharge();
  const session = new FakeSession(100n, true);
  const routes = {
    charge: route([charge, new FakeSession()], { maxBodyBytes: LIMIT }),
    session: route([session]),
  };
  const made: World = {
    charge,
    session,
    joke: routes.charge.guard,
    metered: routes.session.guard,
    routes,
    runs: [],
    cleaned: false,
    stream: (context) => sse(context, tokens),
  };
  async function* tokens(): AsyncGenerator<SseItem> {
    try {
      for (let i = 1; i <= 3; i++) yield `token ${i}`;
    } finally {
      made.cleaned = true;
    }
  }
  return made;
}

/** One exchange. Headers may repeat: a flat list of names and values. */
export function exchange(
  url: string,
  options: { method?: string; headers?: readonly string[] | OutgoingHttpHeaders; body?: string | Buffer } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(url, { method: options.method ?? "GET", headers: options.headers as OutgoingHttpHeaders });
    sent.on("error", reject);
    sent.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => resolve(answer(response, Buffer.concat(chunks).toString())));
    });
    sent.end(options.body);
  });
}

function answer(response: IncomingMessage, body: string): Answer {
  const { rawHeaders } = response;
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body,
    lines: (name) =>
      rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === name.toLowerCase()),
  };
}

export function challengesIn(answer: Answer): Challenge.Challenge[] {
  return Challenge.parseAll(answer.lines("www-authenticate"));
}

/** Pays for a request, and sends it again. */
export async function pay(
  url: string,
  options: { method?: string; headers?: Record<string, string>; body?: string; payload?: JsonObject } = {},
): Promise<Answer & { authorization: string }> {
  const { payload, ...request } = options;
  const unpaid = await exchange(url, request);
  const [challenge] = challengesIn(unpaid);
  if (challenge === undefined) throw new Error(`no challenge: ${unpaid.status} ${unpaid.body}`);
  const authorization = credential(challenge, payload);
  const paid = await exchange(url, { ...request, headers: { ...request.headers, authorization } });
  return Object.assign(paid, { authorization });
}

/** Opens a stream and hands its text over as it comes. */
async function follow(url: string, authorization: string) {
  let text = "";
  let ended = false;
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    httpRequest(url, { headers: { authorization } }).on("response", resolve).on("error", reject).end();
  });
  response.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  response.on("close", () => {
    ended = true;
  });
  response.on("error", () => undefined);
  return {
    response,
    until: (wanted: string) =>
      until(
        () => text.includes(wanted),
        () => `stream has no ${wanted}: ${text}`,
      ),
    end: () =>
      until(
        () => ended,
        () => "stream has not ended",
      ),
    get text() {
      return text;
    },
  };
}

export async function until(holds: () => boolean, otherwise: () => string = () => "waited in vain"): Promise<void> {
  for (let i = 0; i < 400; i++) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(otherwise());
}

/** Sends bytes as they are, and reads until the answer holds `wanted`. */
async function rawUntil(url: string, bytes: string, wanted: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname, () => socket.write(bytes, "latin1"));
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk.toString("latin1");
  });
  socket.on("error", () => undefined);
  try {
    await until(
      () => text.includes(wanted),
      () => `no ${wanted} in ${text}`,
    );
    return text;
  } finally {
    socket.destroy();
  }
}

/** Sends bytes as they are, and reads until the other side closes. */
export function raw(url: string, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname, () => socket.write(bytes, "latin1"));
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(text));
  });
}

const JSON_TYPE = { "Content-Type": "application/json" };

/** What some frameworks do their own way. */
interface Differences {
  /** It takes dot segments out of paths before it looks for a route, so that two request lines name one resource. */
  readonly normalises?: boolean;
  /** It takes web responses, whose headers of one name are one. */
  readonly joins?: boolean;
  /** A parser of its own reads bodies first; it refuses a large one only when that has ended. */
  readonly waits?: boolean;
}

/** The scenarios, for the app that `start` makes. */
export function scenarios(
  name: string,
  start: (world: World) => Promise<App>,
  { normalises = false, joins = false, waits = false }: Differences = {},
): void {
  describe(`the adapter of ${name}`, () => {
    let made: World;
    let app: App;

    beforeEach(async () => {
      made = world();
      app = await start(made);
    });
    afterEach(async () => {
      await app.close();
    });

    it("answers 402 with a challenge for each way to pay, and does not run the handler", async () => {
      const unpaid = await exchange(`${app.url}/joke`);
      expect(unpaid.status).to.equal(402);
      expect(challengesIn(unpaid).map(({ intent }) => intent)).to.deep.equal(["charge", "session"]);
      expect(unpaid.lines("www-authenticate")).to.have.length(joins ? 1 : 2);
      expect(unpaid.headers["cache-control"]).to.equal("no-store");
      expect(unpaid.headers["content-type"]).to.equal("application/problem+json");
      expect(JSON.parse(unpaid.body).code).to.equal("payment-required");
      expect(made.runs).to.deep.equal([]);
    });

    it("serves what was paid for, with a receipt that no shared cache keeps", async () => {
      const paid = await pay(`${app.url}/joke`);
      expect([paid.status, paid.body]).to.deep.equal([200, "a joke"]);
      expect(Receipt.parse(paid.headers["payment-receipt"] as string).reference).to.equal("sig");
      expect(paid.headers["cache-control"]).to.equal("private");
      expect(paid.headers["content-length"]).to.equal("6");
      expect(made.charge.finished).to.have.length(1);
    });

    it("serves a whole response on a connection that is used again", async () => {
      const { host } = new URL(app.url);
      const [challenge] = challengesIn(await exchange(`${app.url}/joke`));
      const head = `GET /joke HTTP/1.1\r\nHost: ${host}\r\nAuthorization: ${credential(challenge!)}\r\n`;
      const text = await raw(app.url, `${head}\r\nGET /joke HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      expect(text.match(/HTTP\/1\.1 \d+/g)).to.deep.equal(["HTTP/1.1 200", "HTTP/1.1 402"]);
    });

    it("answers a repeated request from what it kept, and runs the handler once", async () => {
      const headers = { "Idempotency-Key": "k" };
      const { authorization } = await pay(`${app.url}/joke`, { headers });
      const again = await exchange(`${app.url}/joke`, { headers: { ...headers, authorization } });
      expect([again.status, again.body, again.headers["idempotent-replayed"]]).to.deep.equal([200, "a joke", "true"]);
      expect(made.runs).to.deep.equal(["/joke"]);
    });

    it("serves one of twenty identical requests at the same time, and tells the others to wait", async () => {
      const [challenge] = challengesIn(await exchange(`${app.url}/joke`));
      const headers = { authorization: credential(challenge!), "Idempotency-Key": "k" };
      const all = await Promise.all(Array.from({ length: 20 }, () => exchange(`${app.url}/joke`, { headers })));
      expect(made.runs).to.deep.equal(["/joke"]);
      for (const { status, body } of all) expect([200, 409]).to.include(status, body);
      expect(
        all.filter(({ headers: got }) => got["idempotent-replayed"] !== "true" && got["payment-receipt"]),
      ).to.have.length(1);
    });

    it("binds the challenge to the bytes of the body, and still gives the body to the handler", async () => {
      const body = '{ "knock":  "knock" }';
      const paid = await pay(`${app.url}/echo`, { method: "POST", headers: JSON_TYPE, body });
      expect([paid.status, paid.body]).to.deep.equal([200, '{"knock":"knock"}']);
      const [challenge] = challengesIn(await exchange(`${app.url}/echo`, { method: "POST", headers: JSON_TYPE, body }));
      const headers = { ...JSON_TYPE, authorization: credential(challenge!) };
      const other = await exchange(`${app.url}/echo`, { method: "POST", headers, body: '{"knock":"knock"}' });
      expect([other.status, JSON.parse(other.body).code]).to.deep.equal([402, "digest-mismatch"]);
      expect(made.runs).to.deep.equal(["/echo"]);
    });

    it("takes a body in chunks, and an empty one", async () => {
      const headers = { ...JSON_TYPE, "Transfer-Encoding": "chunked" };
      const paid = await pay(`${app.url}/echo`, { method: "POST", headers, body: '{"a":1}' });
      expect([paid.status, paid.body]).to.deep.equal([200, '{"a":1}']);
      expect((await exchange(`${app.url}/echo`, { method: "POST" })).status).to.equal(402);
    });

    it("refuses a body that is too large with 413, announced or not, without running the handler", async () => {
      const body = JSON.stringify("x".repeat(LIMIT));
      const announced = await exchange(`${app.url}/echo`, { method: "POST", headers: JSON_TYPE, body });
      expect([announced.status, JSON.parse(announced.body).code]).to.deep.equal([413, "request-too-large"]);
      const headers = { ...JSON_TYPE, "Transfer-Encoding": "chunked" };
      const chunked = await exchange(`${app.url}/echo`, { method: "POST", headers, body });
      expect([chunked.status, JSON.parse(chunked.body).code]).to.deep.equal([413, "request-too-large"]);
      expect(made.runs).to.deep.equal([]);
    });

    if (!waits) {
      it("refuses a body that never ends as soon as it is too large", async () => {
        const { host } = new URL(app.url);
        const head = `POST /echo HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\n`;
        const size = LIMIT + 1;
        const chunk = `${size.toString(16)}\r\n${"1".repeat(size)}\r\n`;
        const answered = await rawUntil(
          app.url,
          `${head}Transfer-Encoding: chunked\r\n\r\n${chunk}`,
          "request-too-large",
        );
        expect(answered).to.match(/^HTTP\/1\.1 413 /);
        expect(made.runs).to.deep.equal([]);
      });
    }

    it("has a handler that throws answered with 500 without receipt, and the payment may be used again", async () => {
      const headers = { "Idempotency-Key": "k" };
      const { status, headers: got, authorization, body } = await pay(`${app.url}/fail`, { headers });
      expect(status).to.equal(500);
      expect(got["payment-receipt"]).to.equal(undefined);
      expect(body).to.not.contain("secret of the handler");
      expect(made.charge.failed).to.equal(1);
      const again = await exchange(`${app.url}/fail`, { headers: { ...headers, authorization } });
      expect(again.status).to.equal(500);
      expect(made.runs).to.deep.equal(["/fail", "/fail"]);
    });

    it("answers HEAD without a body: 402 unpaid, the resource's headers paid", async () => {
      const unpaid = await exchange(`${app.url}/joke`, { method: "HEAD" });
      expect([unpaid.status, unpaid.body, challengesIn(unpaid).length]).to.deep.equal([402, "", 2]);
      const paid = await pay(`${app.url}/joke`, { method: "HEAD" });
      expect([paid.status, paid.body]).to.deep.equal([200, ""]);
      expect(paid.headers["payment-receipt"]).to.be.a("string");
    });

    it("sees both of two Authorization fields, and refuses them with 400", async () => {
      const [challenge] = challengesIn(await exchange(`${app.url}/joke`));
      const value = credential(challenge!);
      const headers = ["Host", new URL(app.url).host, "Authorization", value, "Authorization", value];
      const two = await exchange(`${app.url}/joke`, { headers });
      expect([two.status, JSON.parse(two.body).code]).to.deep.equal([400, "several-credentials"]);
      expect(made.runs).to.deep.equal([]);
    });

    it("survives headers of any bytes, and of any length", async () => {
      const { host } = new URL(app.url);
      const get = (line: string) => `GET /joke HTTP/1.1\r\nHost: ${host}\r\n${line}\r\nConnection: close\r\n\r\n`;
      const bytes = await raw(app.url, get(`Authorization: Payment \xff\xfe\x80`));
      expect(bytes)
        .to.match(/^HTTP\/1\.1 402 /)
        .and.contain("malformed-credential");
      const key = await raw(app.url, get("Idempotency-Key: \xe9"));
      expect(key)
        .to.match(/^HTTP\/1\.1 400 /)
        .and.contain("idempotency-key-invalid");
      const long = await raw(app.url, get(`Authorization: Payment ${"A".repeat(100_000)}`));
      expect(long).to.match(/^HTTP\/1\.1 (?:402|431) /);
      expect((await exchange(`${app.url}/joke`)).status).to.equal(402);
    });

    it("takes no host, scheme or dot segment of the request line for another resource", async () => {
      const { host } = new URL(app.url);
      const [challenge] = challengesIn(await exchange(`${app.url}/joke`));
      const authorization = `Authorization: ${credential(challenge!)}`;
      const others = ["//evil.example/joke", "/%6Aoke", "/joke?x", ...(normalises ? [] : ["/x/../joke"])];
      for (const target of others) {
        const head = `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n`;
        const text = await raw(app.url, `${head}${authorization}\r\n\r\n`);
        expect(text, target).to.not.contain("a joke");
      }
      const forged = `GET /joke HTTP/1.1\r\nHost: evil.example/@x\r\nConnection: close\r\n\r\n`;
      expect(await raw(app.url, forged)).to.match(/^HTTP\/1\.1 (?:402|400) /);
      expect(made.runs).to.deep.equal([]);
    });

    it("streams events as they are paid for, and pauses for a voucher", async () => {
      const [challenge] = challengesIn(await exchange(`${app.url}/stream`));
      const voucher = (cumulative: string) => credential(challenge!, { action: "voucher", cumulative });
      const stream = await follow(`${app.url}/stream`, voucher("100"));
      expect(stream.response.statusCode).to.equal(200);
      expect(stream.response.headers["payment-receipt"]).to.be.a("string");
      await stream.until(SseEvents.NEED_VOUCHER);
      expect(stream.text).to.contain("token 1").and.not.contain("token 2");
      const more = await exchange(`${app.url}/stream`, { method: "HEAD", headers: { authorization: voucher("300") } });
      expect([more.status, more.body]).to.deep.equal([204, ""]);
      await stream.end();
      expect(stream.text).to.contain("token 3").and.contain(`event: ${SseEvents.RECEIPT}`);
      expect(made.session.spent).to.equal(300n);
      expect(made.runs).to.deep.equal(["/stream"]);
    });

    it("settles a stream that its client left, and lets its source clean up", async () => {
      const [challenge] = challengesIn(await exchange(`${app.url}/stream`));
      const stream = await follow(
        `${app.url}/stream`,
        credential(challenge!, { action: "voucher", cumulative: "100" }),
      );
      await stream.until(SseEvents.NEED_VOUCHER);
      stream.response.destroy();
      await until(() => made.session.finished.length === 1 && made.cleaned);
      made.session.raise(1_000n);
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(made.session.spent).to.equal(100n);
    });

    it("survives a client that leaves while it sends its body", async () => {
      const { hostname, port, host } = new URL(app.url);
      await new Promise<void>((resolve, reject) => {
        const socket = connect(Number(port), hostname, () => {
          socket.write(`POST /echo HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\n`);
          socket.write('Content-Length: 100\r\n\r\n{"a":', () => socket.destroy());
        });
        socket.on("error", reject);
        socket.on("close", () => resolve());
      });
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect((await exchange(`${app.url}/joke`)).status).to.equal(402);
      expect(made.runs).to.deep.equal([]);
    });

    it("leaves free routes alone", async () => {
      expect((await exchange(`${app.url}/free`)).body).to.equal("free");
    });
  });
}
