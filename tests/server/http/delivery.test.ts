// What becomes of a handler's response: kept, streamed, replayed, or failed and given back.
import { Receipt, RefusedError } from "@mppsol/core";
import { expect } from "chai";
import type { Handler } from "../../../sdk/server/src/http/guard.ts";
import { challengesOf, codeOf, credential, FakeCharge, FakeSession, payFor, route } from "./fakes.ts";

const URL_ = "https://api.example.com/report";
const get = (headers: Record<string, string> = {}) => new Request(URL_, { headers });
const text = (chunks: readonly string[]) =>
  new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(Buffer.from(chunk));
      controller.close();
    },
  });

/** A stream that is told chunk by chunk what to do. */
function manual() {
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  let cancelled = false;
  const stream = new ReadableStream<Uint8Array>({
    start: (made) => {
      controller = made;
    },
    cancel: () => {
      cancelled = true;
    },
  });
  return {
    stream,
    send: (chunk: string) => controller.enqueue(Buffer.from(chunk)),
    end: () => controller.close(),
    fail: (error: Error) => controller.error(error),
    get cancelled() {
      return cancelled;
    },
  };
}

const ndjson = { headers: { "Content-Type": "application/x-ndjson" } };
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe("a request with an Idempotency-Key", () => {
  it("that comes again gets the stored status, headers and body, and the handler ran once", async () => {
    let runs = 0;
    const charge = new FakeCharge();
    const handle = route([charge]).guard(() => {
      const headers = new Headers({ "X-Run": String(++runs), "Content-Type": "text/plain", ETag: '"1"' });
      headers.append("Set-Cookie", "a=1; Path=/");
      headers.append("Set-Cookie", "b=2, c");
      return new Response(Uint8Array.of(0, 255, 128, 10), { status: 201, headers });
    });
    const first = await payFor(handle, (headers) => get({ ...headers, "Idempotency-Key": "k" }));
    const again = await handle(get({ authorization: first.authorization, "Idempotency-Key": "k" }));
    expect(runs).to.equal(1);
    for (const response of [first.response, again]) {
      expect(response.status).to.equal(201);
      expect(response.headers.get("x-run")).to.equal("1");
      expect(response.headers.get("etag")).to.equal('"1"');
      expect(response.headers.getSetCookie()).to.deep.equal(["a=1; Path=/", "b=2, c"]);
      expect(response.headers.get("payment-receipt")).to.be.a("string");
      expect(response.headers.get("cache-control")).to.equal("private");
      expect(new Uint8Array(await response.arrayBuffer())).to.deep.equal(Uint8Array.of(0, 255, 128, 10));
    }
    expect(first.response.headers.get("idempotent-replayed")).to.equal(null);
    expect(again.headers.get("idempotent-replayed")).to.equal("true");
  });

  it("gets a replayed error without a receipt", async () => {
    const handle = route([new FakeCharge()]).guard(() => new Response("gone", { status: 404 }));
    const { authorization } = await payFor(handle, (headers) => get({ ...headers, "Idempotency-Key": "k" }));
    const again = await handle(get({ authorization, "Idempotency-Key": "k" }));
    expect([again.status, again.headers.get("payment-receipt")]).to.deep.equal([404, null]);
  });

  it("gets 204 again without a body", async () => {
    const handle = route([new FakeCharge()]).guard(() => new Response(null, { status: 204 }));
    const { response, authorization } = await payFor(handle, (headers) => get({ ...headers, "Idempotency-Key": "k" }));
    const again = await handle(get({ authorization, "Idempotency-Key": "k" }));
    expect([response.status, again.status, again.body]).to.deep.equal([204, 204, null]);
    expect(again.headers.get("content-type")).to.equal(null);
  });

  it("is refused before payment unless the key has 1 to 255 printable ASCII characters", async () => {
    const handle = route([new FakeCharge()]).guard(() => new Response());
    for (const key of ["", "x".repeat(256), "caf\u00e9", "a\tb"]) {
      const response = await handle(get({ "Idempotency-Key": key }));
      expect([response.status, await codeOf(response)], JSON.stringify(key)).to.deep.equal([
        400,
        "idempotency-key-invalid",
      ]);
    }
    expect((await handle(get({ "Idempotency-Key": "x".repeat(255) }))).status).to.equal(402);
  });

  it("says by its digest when it is another request: method, query and body count", async () => {
    const digests = new Set<string>();
    const charge = new FakeCharge();
    const { guard } = route([charge]);
    const requests = [
      new Request(URL_),
      new Request(`${URL_}?`),
      new Request(`${URL_}?a=1`),
      new Request(URL_, { method: "HEAD" }),
      new Request(URL_, { method: "POST" }),
      new Request(URL_, { method: "POST", body: "a" }),
      new Request(URL_, { method: "POST", body: "b" }),
    ];
    for (const request of requests) await guard(() => new Response())(request);
    for (const context of charge.contexts) digests.add(context.digest);
    // `?` alone is dropped by URL's own parser.
    expect(digests.size).to.equal(requests.length - 1);
  });

  it("says by its digest where the path ends and the body begins", async () => {
    const charge = new FakeCharge();
    const { guard } = route([charge]);
    const requests = [
      new Request(`${URL_}/ab`, { method: "POST", body: "c" }),
      new Request(`${URL_}/a`, { method: "POST", body: "bc" }),
      new Request(`${URL_}/abc`, { method: "POST" }),
    ];
    for (const request of requests) await guard(() => new Response())(request);
    expect(new Set(charge.contexts.map(({ digest }) => digest)).size).to.equal(requests.length);
  });

  it("tells the intent its key, and undefined without one", async () => {
    const charge = new FakeCharge();
    const handle = route([charge]).guard(() => new Response());
    await handle(get({ "Idempotency-Key": "my key" }));
    await handle(get());
    expect(charge.contexts.map(({ idempotencyKey }) => idempotencyKey)).to.deep.equal(["my key", undefined]);
  });

  it("that comes while the first is at work gets 409 with Retry-After", async () => {
    const release = deferred<void>();
    const handle = route([new FakeCharge()]).guard(async () => {
      await release.promise;
      return new Response("done");
    });
    const [challenge] = challengesOf(await handle(get()));
    const headers = { authorization: credential(challenge!), "Idempotency-Key": "k" };
    const first = handle(get(headers));
    await settled();
    const second = await handle(get(headers));
    expect([second.status, second.headers.get("retry-after"), await codeOf(second)]).to.deep.equal([
      409,
      "1",
      "idempotency-in-flight",
    ]);
    release.resolve();
    expect(await (await first).text()).to.equal("done");
  });

  it("is served once of fifty identical ones at the same time", async () => {
    let runs = 0;
    const handle = route([new FakeCharge()]).guard(async () => {
      runs++;
      await settled();
      return new Response("done");
    });
    const [challenge] = challengesOf(await handle(get()));
    const headers = { authorization: credential(challenge!), "Idempotency-Key": "k" };
    const statuses = (await Promise.all(Array.from({ length: 50 }, () => handle(get(headers))))).map((r) => r.status);
    expect(runs).to.equal(1);
    expect(statuses.filter((status) => status === 200)).to.have.length(1);
    expect(statuses.filter((status) => status === 409)).to.have.length(49);
  });
});

describe("a large or streamed response", () => {
  it("that is larger than what is kept reaches the client whole; its replay has the receipt alone", async () => {
    const charge = new FakeCharge();
    const body = "x".repeat(5_000);
    const handle = route([charge]).guard(() => new Response(text([body.slice(0, 900), body.slice(900)])));
    const { response, authorization } = await payFor(handle, (headers) => get({ ...headers, "Idempotency-Key": "k" }));
    expect(response.headers.get("payment-receipt")).to.be.a("string");
    expect(charge.finished).to.have.length(0);
    expect(await response.text()).to.equal(body);
    expect(charge.finished).to.have.length(1);
    expect(charge.finished[0]?.body).to.equal(undefined);
    const again = await handle(get({ authorization, "Idempotency-Key": "k" }));
    expect(again.status).to.equal(200);
    expect(await again.json()).to.deep.equal({ replayed: true });
    expect(again.headers.get("payment-receipt")).to.be.a("string");
    expect(again.headers.get("idempotent-replayed")).to.equal("true");
  });

  it("of exactly the size that is kept is kept", async () => {
    const charge = new FakeCharge();
    const handle = route([charge], { maxStoredBytes: 1000 }).guard(() => new Response("x".repeat(1000)));
    await payFor(handle, get);
    expect(charge.finished[0]?.body).to.have.length(Math.ceil(1000 / 3) * 4);
  });

  it("sends its headers before its first chunk, and each chunk when it is made", async () => {
    const source = manual();
    const { response } = await payFor(
      route([new FakeCharge()]).guard(() => new Response(source.stream, ndjson)),
      get,
    );
    expect(response.headers.get("payment-receipt")).to.be.a("string");
    const reader = response.body!.getReader();
    source.send("one\n");
    expect(Buffer.from((await reader.read()).value!).toString()).to.equal("one\n");
    source.end();
    expect((await reader.read()).done).to.equal(true);
  });

  it("is settled only when it ends", async () => {
    const charge = new FakeCharge();
    const source = manual();
    const { response } = await payFor(
      route([charge]).guard(() => new Response(source.stream, ndjson)),
      get,
    );
    const reader = response.body!.getReader();
    source.send("one\n");
    await reader.read();
    expect(charge.finished).to.have.length(0);
    source.end();
    await reader.read();
    expect(charge.finished).to.have.length(1);
  });

  it("of a session that ends as an event stream tells the receipt as it is then", async () => {
    const session = new FakeSession();
    const handle = route([session]).guard(
      () => new Response(text(["data: a\n\n"]), { headers: { "Content-Type": "text/event-stream" } }),
    );
    const { response } = await payFor(handle, get, { action: "voucher", cumulative: "500" });
    const [first, last] = (await response.text()).split("\n\n");
    expect(first).to.equal("data: a");
    expect(last).to.match(/^event: payment-receipt\ndata: \{/);
    const receipt = Receipt.fromJson(JSON.parse(last!.slice(last!.indexOf("{"))));
    expect(receipt).to.include({ acceptedCumulative: "500", spent: "100" });
  });

  it("of a charge gets no events put into it", async () => {
    const handle = route([new FakeCharge()]).guard(
      () => new Response(text(["data: a\n\n"]), { headers: { "Content-Type": "text/event-stream" } }),
    );
    expect(await (await payFor(handle, get)).response.text()).to.equal("data: a\n\n");
  });

  it("that the client leaves is settled at what was delivered, once, and its source is cancelled", async () => {
    const session = new FakeSession();
    const source = manual();
    const { response } = await payFor(
      route([session]).guard(() => new Response(source.stream, ndjson)),
      get,
      { action: "voucher", cumulative: "500" },
    );
    const reader = response.body!.getReader();
    source.send("one\n");
    await reader.read();
    await reader.cancel();
    await settled();
    expect([session.finished.length, session.failed, source.cancelled]).to.deep.equal([1, 0, true]);
  });

  it("whose client's connection closes before anybody reads is settled as well", async () => {
    const session = new FakeSession();
    const source = manual();
    const client = new AbortController();
    const { response } = await payFor(
      route([session]).guard(() => new Response(source.stream, ndjson)),
      (headers) => new Request(URL_, { headers, signal: client.signal }),
      { action: "voucher", cumulative: "500" },
    );
    client.abort();
    await settled();
    expect([session.finished.length, source.cancelled]).to.deep.equal([1, true]);
    const error = await response.text().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).to.be.instanceOf(Error);
  });

  it("of a charge that breaks midway may be asked for again with the same key, and says nothing of why", async () => {
    const charge = new FakeCharge();
    const sources = [manual(), manual()];
    let at = 0;
    const made = route([charge]);
    const handle = made.guard(() => new Response(sources[at++]!.stream, ndjson));
    const key = { "Idempotency-Key": "k" };
    const { response, authorization } = await payFor(handle, (headers) => get({ ...headers, ...key }));
    const reader = response.body!.getReader();
    sources[0]!.send("one\n");
    await reader.read();
    sources[0]!.fail(new Error("secret of the handler"));
    const error = await reader.read().catch((thrown: unknown) => thrown);
    expect(String(error)).to.not.contain("secret");
    expect(made.errors).to.have.length(1);
    expect([charge.failed, charge.finished.length]).to.deep.equal([1, 0]);
    const again = await handle(get({ authorization, ...key }));
    sources[1]!.send("whole\n");
    sources[1]!.end();
    expect(await again.text()).to.equal("whole\n");
  });

  it("of a session that breaks midway keeps what was metered; before the first byte it is given back", async () => {
    for (const released of [true, false]) {
      const session = new FakeSession();
      const source = manual();
      const { response } = await payFor(
        route([session]).guard(() => new Response(source.stream, ndjson)),
        get,
        { action: "voucher", cumulative: "500" },
      );
      const reader = response.body!.getReader();
      if (released) {
        source.send("one\n");
        await reader.read();
      }
      source.fail(new Error("broken"));
      await reader.read().catch(() => undefined);
      expect([session.finished.length, session.failed]).to.deep.equal(released ? [1, 0] : [0, 1]);
      expect(session.spent).to.equal(released ? 100n : 0n);
    }
  });

  it("that breaks while it is still held back is answered with 500, and given back", async () => {
    const charge = new FakeCharge();
    const source = manual();
    source.send("one");
    const pending = payFor(
      route([charge]).guard(() => new Response(source.stream)),
      get,
    );
    await settled();
    source.fail(new Error("broken"));
    const { response } = await pending;
    expect([response.status, charge.failed, charge.finished.length]).to.deep.equal([500, 1, 0]);
  });

  it("is not read ahead of the client", async () => {
    let pulled = 0;
    const source = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          controller.enqueue(Buffer.from(`${++pulled}\n`));
        },
      },
      { highWaterMark: 0 },
    );
    const { response } = await payFor(
      route([new FakeCharge()]).guard(() => new Response(source, ndjson)),
      get,
    );
    const reader = response.body!.getReader();
    await settled();
    expect(pulled).to.equal(0);
    await reader.read();
    await settled();
    expect(pulled).to.equal(1);
    await reader.cancel();
  });
});

describe("a handler that fails", () => {
  const failing: [name: string, handler: Handler][] = [
    [
      "throws",
      () => {
        throw new Error("secret of the handler");
      },
    ],
    ["rejects", () => Promise.reject(new Error("secret of the handler"))],
    ["returns no Response", () => undefined as unknown as Response],
    [
      "returns a Response that was read",
      async () => {
        const response = new Response("x");
        await response.text();
        return response;
      },
    ],
  ];
  for (const [name, handler] of failing) {
    it(`because it ${name} gets 500 without a reason, no receipt, and the payment may be used again`, async () => {
      const charge = new FakeCharge();
      const made = route([charge]);
      let fail = true;
      const handle = made.guard((request, context) => (fail ? handler(request, context) : new Response("at last")));
      const { response, authorization } = await payFor(handle, (headers) =>
        get({ ...headers, "Idempotency-Key": "k" }),
      );
      expect(response.status).to.equal(500);
      expect(response.headers.get("payment-receipt")).to.equal(null);
      expect(response.headers.get("cache-control")).to.equal("no-store");
      const body = await response.text();
      expect(body).to.contain('"retryable":true').and.not.contain("secret");
      expect([charge.failed, made.errors.length]).to.deep.equal([1, 1]);
      fail = false;
      const again = await handle(get({ authorization, "Idempotency-Key": "k" }));
      expect(await again.text()).to.equal("at last");
    });
  }

  it("with a response of its own of 500 and above has that sent, without receipt, and the debit given back", async () => {
    const session = new FakeSession();
    const handle = route([session]).guard(
      () => new Response("upstream is down", { status: 502, headers: { "Payment-Receipt": "x" } }),
    );
    const { response } = await payFor(handle, get, { action: "voucher", cumulative: "500" });
    expect(response.status).to.equal(502);
    expect(await response.text()).to.equal("upstream is down");
    expect(response.headers.get("payment-receipt")).to.equal(null);
    expect(response.headers.get("cache-control")).to.equal("no-store");
    expect([session.failed, session.spent]).to.deep.equal([1, 0n]);
  });

  it("by a refusal of the table has that answered: 403 without a challenge", async () => {
    const charge = new FakeCharge();
    const made = route([charge]);
    const handle = made.guard(() => {
      throw new RefusedError("policy-denied", "Not for you.");
    });
    const { response } = await payFor(handle, get);
    expect(response.status).to.equal(403);
    expect(response.headers.get("www-authenticate")).to.equal(null);
    expect(await codeOf(response)).to.equal("policy-denied");
    expect([charge.failed, made.errors.length]).to.deep.equal([1, 0]);
  });

  it("is not told to come again when giving back failed", async () => {
    const charge = new FakeCharge();
    charge.failure.fail = new Error("store");
    const made = route([charge]);
    const handle = made.guard(() => {
      throw new Error("broken");
    });
    const { response } = await payFor(handle, get);
    expect(response.status).to.equal(500);
    expect(await response.text()).to.not.contain("retryable");
    expect(made.errors).to.have.length(2);
  });
});

describe("a client that leaves", () => {
  const leaving = async (made: ReturnType<typeof route>, handler: Handler) => {
    const [challenge] = challengesOf(await made.guard(handler)(get()));
    const client = new AbortController();
    const headers = { authorization: credential(challenge!), "Idempotency-Key": "k" };
    const answer = made.guard(handler)(new Request(URL_, { headers, signal: client.signal }));
    await settled();
    client.abort();
    return { answer, headers };
  };
  const passed = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

  it("gets what its handler finished nevertheless, when it comes back with the same key", async () => {
    const release = deferred<void>();
    const charge = new FakeCharge();
    const made = route([charge]);
    const handler = async () => {
      await release.promise;
      return new Response("done");
    };
    const { answer, headers } = await leaving(made, handler);
    release.resolve();
    await answer;
    const again = await made.guard(handler)(get(headers));
    expect([await again.text(), again.headers.get("idempotent-replayed")]).to.deep.equal(["done", "true"]);
  });

  it("leaves no payment behind with a handler that never answers: it may be used again", async () => {
    const charge = new FakeCharge();
    const made = route([charge], { abandonMs: 5 });
    const release = deferred<Response>();
    const { answer, headers } = await leaving(made, () => release.promise);
    await passed(20);
    expect(charge.failed).to.equal(1);
    expect(await (await made.guard(() => new Response("at last"))(get(headers))).text()).to.equal("at last");
    release.resolve(new Response("too late"));
    expect((await answer).status).to.equal(503);
    expect(charge.finished).to.have.length(1);
    await made.inFlight.drain(1_000);
  });

  it("leaves none behind with a handler that throws later, nor with a body that never ends", async () => {
    const late = deferred<void>();
    const handlers: Handler[] = [
      async () => {
        await late.promise;
        throw new Error("late");
      },
      () =>
        new Response(new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(Buffer.from("x")) })),
    ];
    for (const handler of handlers) {
      const charge = new FakeCharge();
      const made = route([charge], { abandonMs: 5 });
      const { answer } = await leaving(made, handler);
      await passed(20);
      late.resolve();
      expect((await answer).status).to.be.greaterThan(499);
      expect([charge.failed, charge.finished.length]).to.deep.equal([1, 0]);
    }
  });

  it("is not held against a handler that answers in time", async () => {
    const charge = new FakeCharge();
    const made = route([charge], { abandonMs: 5 });
    const { answer } = await leaving(made, () => new Response("done"));
    await answer;
    await passed(20);
    expect([charge.failed, charge.finished.length]).to.deep.equal([0, 1]);
  });
});

describe("a request body", () => {
  const handle = (limit: number) => route([new FakeCharge()], { maxBodyBytes: limit }).guard(() => new Response("ok"));

  it("up to the limit is taken, and one byte more is refused with 413", async () => {
    const make = (length: number) => new Request(URL_, { method: "POST", body: "x".repeat(length) });
    expect((await handle(100)(make(100))).status).to.equal(402);
    const response = await handle(100)(make(101));
    expect([response.status, await codeOf(response)]).to.deep.equal([413, "request-too-large"]);
  });

  it("is refused by what it says before it is read, and by what it is when it says nothing", async () => {
    const announced = new Request(URL_, {
      method: "POST",
      body: "x",
      headers: { "Content-Length": "101" },
    });
    expect((await handle(100)(announced)).status).to.equal(413);
    let pulled = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled++;
        controller.enqueue(new Uint8Array(40));
      },
    });
    const streamed = new Request(URL_, { method: "POST", body: endless, duplex: "half" } as RequestInit);
    expect((await handle(100)(streamed)).status).to.equal(413);
    expect(pulled).to.be.lessThan(20);
  });

  it("that breaks off is answered with 500 and told to the seller", async () => {
    const made = route([new FakeCharge()]);
    const broken = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.error(new Error("reset"));
      },
    });
    const request = new Request(URL_, { method: "POST", body: broken, duplex: "half" } as RequestInit);
    expect((await made.guard(() => new Response())(request)).status).to.equal(500);
    expect(made.errors).to.have.length(1);
  });
});

describe("closing", () => {
  it("takes nothing new, and waits for what is under way", async () => {
    const release = deferred<void>();
    const made = route([new FakeCharge()]);
    const handle = made.guard(async () => {
      await release.promise;
      return new Response("done");
    });
    const [challenge] = challengesOf(await handle(get()));
    const first = handle(get({ authorization: credential(challenge!) }));
    await settled();
    let closed = false;
    const closing = made.inFlight.drain(10_000).then(() => {
      closed = true;
    });
    expect((await handle(get())).status).to.equal(503);
    await settled();
    expect(closed).to.equal(false);
    release.resolve();
    expect((await first).status).to.equal(200);
    await closing;
  });

  it("aborts what does not end in time", async () => {
    const session = new FakeSession();
    const made = route([session]);
    const source = manual();
    let aborted = false;
    const handle = made.guard((_, { signal }) => {
      signal.addEventListener("abort", () => {
        aborted = true;
      });
      return new Response(source.stream, ndjson);
    });
    await payFor(handle, get, { action: "voucher", cumulative: "500" });
    await made.inFlight.drain(1);
    expect([aborted, session.finished.length]).to.deep.equal([true, 1]);
  });
});

describe("events", () => {
  it("tell each step of a payment, without query, credential or body", async () => {
    const made = route([new FakeCharge()]);
    const handle = made.guard(() => new Response("done"));
    await payFor(handle, (headers) => new Request(`${URL_}?token=hidden`, { headers }));
    await handle(get({ authorization: "Payment x" }));
    expect(made.events.map(({ type }) => type)).to.deep.equal(["challenged", "paid", "delivered", "refused"]);
    expect(made.events[1]).to.deep.include({ method: "GET", path: "/report" });
    expect(
      JSON.stringify(made.events, (_, value) => (typeof value === "bigint" ? String(value) : value)),
    ).to.not.contain("hidden");
  });
});

function deferred<T>() {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
