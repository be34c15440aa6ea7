// Event streams that are paid for as they flow.
import { Problem, Receipt, SseEvents } from "@mppsol/core";
import { expect } from "chai";
import { type SseItem, type SseOptions, sse } from "../../../sdk/server/src/http/sse.ts";
import { CHANNEL, FakeCharge, FakeSession, payFor, route } from "./fakes.ts";

const get = (headers: Record<string, string> = {}) => new Request("https://api.example.com/stream", { headers });
const soon = () => new Promise((resolve) => setTimeout(resolve, 5));

interface Event {
  readonly event: string;
  readonly data: string;
  readonly id?: string;
}

/** Reads the events of a response one by one; comments are left out. */
function events(response: Response) {
  const reader = response.body!.getReader();
  let text = "";
  const next = async (): Promise<Event | undefined> => {
    for (;;) {
      const end = text.indexOf("\n\n");
      if (end >= 0) {
        const block = text.slice(0, end);
        text = text.slice(end + 2);
        const event = parse(block);
        if (event !== undefined) return event;
        continue;
      }
      const { done, value } = await reader.read();
      if (done) return undefined;
      text += Buffer.from(value).toString();
    }
  };
  return {
    next,
    cancel: () => reader.cancel(),
    async rest(): Promise<Event[]> {
      const all: Event[] = [];
      for (let event = await next(); event !== undefined; event = await next()) all.push(event);
      return all;
    },
  };
}

function parse(block: string): Event | undefined {
  const lines = block.split("\n").filter((line) => !line.startsWith(":"));
  if (lines.length === 0) return undefined;
  const of = (name: string) =>
    lines.filter((line) => line.startsWith(`${name}: `)).map((line) => line.slice(name.length + 2));
  const [id] = of("id");
  return { event: of("event")[0] ?? "message", data: of("data").join("\n"), ...(id === undefined ? {} : { id }) };
}

async function* count(to: number): AsyncGenerator<SseItem> {
  for (let i = 1; i <= to; i++) yield `token ${i}`;
}

/** Opens a metered stream at 100 a unit, with `credit` authorized. */
async function open(
  credit: bigint,
  source: Parameters<typeof sse>[1],
  options?: SseOptions,
  session = new FakeSession(100n, true),
) {
  const { response } = await payFor(
    route([session]).guard((_, context) => sse(context, source, options)),
    get,
    { action: "voucher", cumulative: String(credit) },
  );
  return { session, response, stream: events(response) };
}

describe("a metered event stream", () => {
  it("says what it is, is not transformed or buffered on its way, and has a receipt in its headers", async () => {
    const { response } = await open(100n, count(1));
    expect(response.headers.get("content-type")).to.equal("text/event-stream; charset=utf-8");
    expect(response.headers.get("cache-control")).to.equal("private, no-cache");
    expect(response.headers.get("x-accel-buffering")).to.equal("no");
    expect(Receipt.parse(response.headers.get("payment-receipt")!)).to.include({ spent: "0" });
  });

  it("debits each event before it is sent, and ends with the receipt of all", async () => {
    const { session, stream } = await open(300n, count(3));
    for (const spent of [100n, 200n, 300n]) {
      expect((await stream.next())?.event).to.equal("message");
      expect(session.spent).to.equal(spent);
    }
    const last = await stream.next();
    expect(last?.event).to.equal(SseEvents.RECEIPT);
    expect(JSON.parse(last!.data)).to.include({ spent: "300", acceptedCumulative: "300", reference: CHANNEL });
    expect(await stream.next()).to.equal(undefined);
  });

  it("debits nothing that the client has not come for", async () => {
    const { session, stream } = await open(1_000n, count(10));
    await stream.next();
    await soon();
    expect(session.spent).to.equal(100n);
    await stream.cancel();
  });

  it("pauses when credit runs out, says what it needs, and goes on when a voucher comes", async () => {
    const { session, stream } = await open(100n, count(2));
    expect((await stream.next())?.data).to.equal("token 1");
    const need = await stream.next();
    expect(SseEvents.parse(need!.event, need!.data)).to.deep.equal({
      event: SseEvents.NEED_VOUCHER,
      data: {
        channelId: CHANNEL,
        requiredCumulative: 200n,
        acceptedCumulative: 100n,
        deposit: 1_000_000n,
      },
    });
    const next = stream.next();
    await soon();
    expect(session.spent).to.equal(100n);
    session.raise(200n);
    expect((await next)?.data).to.equal("token 2");
    expect(session.spent).to.equal(200n);
  });

  it("asks again when the voucher that came is still too low", async () => {
    const { session, stream } = await open(100n, count(2));
    await stream.next();
    await stream.next();
    session.raise(150n);
    const again = await stream.next();
    expect(JSON.parse(again!.data)).to.include({ acceptedCumulative: "150", requiredCumulative: "200" });
    session.raise(200n);
    expect((await stream.next())?.data).to.equal("token 2");
  });

  it("ends with an error and the receipt when no voucher comes, and lets the source clean up", async () => {
    const session = new FakeSession(100n, true);
    session.voucherTimeoutMs = 5;
    let cleaned = false;
    async function* source() {
      try {
        yield* count(2);
      } finally {
        cleaned = true;
      }
    }
    const { stream } = await open(100n, source, {}, session);
    const rest = await stream.rest();
    expect(rest.map(({ event }) => event)).to.deep.equal([
      "message",
      SseEvents.NEED_VOUCHER,
      "payment-error",
      SseEvents.RECEIPT,
    ]);
    expect(Problem.parse(JSON.parse(rest[2]!.data)).code).to.equal("voucher-timeout");
    expect(JSON.parse(rest[3]!.data)).to.include({ spent: "100" });
    expect([cleaned, session.finished.length, session.failed]).to.deep.equal([true, 1, 0]);
  });

  it("stops metering when the client leaves, even while it waits for a voucher, and lets the source clean up", async () => {
    let cleaned = false;
    async function* source() {
      try {
        yield* count(100);
      } finally {
        cleaned = true;
      }
    }
    const { session, stream } = await open(100n, source);
    await stream.next();
    await stream.next();
    await stream.cancel();
    await soon();
    expect([session.spent, session.finished.length, session.aborted, cleaned]).to.deep.equal([100n, 1, 1, true]);
    session.raise(1_000n);
    await soon();
    expect(session.spent).to.equal(100n);
  });

  it("tells the source by a signal that the client has left", async () => {
    let signal: AbortSignal | undefined;
    const { stream } = await open(1_000n, (given) => {
      signal = given;
      return count(100);
    });
    await stream.next();
    expect(signal?.aborted).to.equal(false);
    await stream.cancel();
    expect(signal?.aborted).to.equal(true);
  });

  it("debits as many units as an event says, and none for none", async () => {
    async function* source(): AsyncGenerator<SseItem> {
      yield { data: "a", units: 3 };
      yield { data: "b", units: 0 };
      yield { data: "c", units: 2n };
      yield "d";
    }
    const { session, stream } = await open(10_000n, source, { units: 4 });
    expect((await stream.rest()).map(({ data }) => data).slice(0, 4)).to.deep.equal(["a", "b", "c", "d"]);
    expect(session.spent).to.equal(900n);
  });

  it("breaks off when its source throws, telling nothing of why, and keeps what was delivered", async () => {
    async function* source(): AsyncGenerator<SseItem> {
      yield "one";
      throw new Error("secret of the source");
    }
    const { session, stream } = await open(1_000n, source);
    await stream.next();
    const error = await stream.next().catch((thrown: unknown) => thrown);
    expect(String(error)).to.contain("broke off").and.not.contain("secret");
    expect([session.spent, session.finished.length, session.failed]).to.deep.equal([100n, 1, 0]);
  });

  it("sends comments while the client waits, and never a second one that it has not come for", async () => {
    const session = new FakeSession(100n, true);
    const { response } = await payFor(
      route([session]).guard((_, context) => sse(context, count(1), { keepAliveMs: 2 })),
      get,
      { action: "voucher", cumulative: "0" },
    );
    const reader = response.body!.getReader();
    const read = async () => Buffer.from((await reader.read()).value!).toString();
    expect(await read()).to.contain(SseEvents.NEED_VOUCHER);
    // Nobody reads for many times as long as a comment takes, so one of them lies there, and then the event.
    await new Promise((resolve) => setTimeout(resolve, 60));
    session.raise(100n);
    await soon();
    const rest: string[] = [];
    while (!rest.at(-1)?.includes("token 1")) rest.push(await read());
    expect(rest.slice(0, 2)).to.deep.equal([": waiting\n\n", "data: token 1\n\n"]);
    await reader.cancel();
  });

  it("stops its comments when it is over, however it ended", async () => {
    const running = new Set<unknown>();
    const { setInterval: set, clearInterval: clear } = globalThis;
    globalThis.setInterval = ((...args: Parameters<typeof set>) => {
      const timer = set(...args);
      running.add(timer);
      return timer;
    }) as typeof set;
    globalThis.clearInterval = (timer) => {
      running.delete(timer);
      clear(timer);
    };
    try {
      const ended = await open(100n, count(1));
      expect(running.size).to.equal(1);
      await ended.stream.rest();
      expect(running.size).to.equal(0);
      const left = await open(1_000n, count(9));
      await left.stream.next();
      await left.stream.cancel();
      expect(running.size).to.equal(0);
    } finally {
      globalThis.setInterval = set;
      globalThis.clearInterval = clear;
    }
  });
});

describe("an event stream that is not metered", () => {
  it("sends what the source yields for one charge", async () => {
    const { response } = await payFor(
      route([new FakeCharge()]).guard((_, context) => sse(context, count(3))),
      get,
    );
    expect((await events(response).rest()).map(({ data }) => data)).to.deep.equal(["token 1", "token 2", "token 3"]);
  });

  it("writes names, ids and data of several lines as the standard has it", async () => {
    async function* source(): AsyncGenerator<SseItem> {
      yield { event: "note", id: "7", data: "a\nb\r\nc\rd" };
    }
    const { response } = await payFor(
      route([new FakeCharge()]).guard((_, context) => sse(context, source)),
      get,
    );
    expect(await response.text()).to.equal("event: note\nid: 7\ndata: a\ndata: b\ndata: c\ndata: d\n\n");
  });

  it("breaks off rather than let an event's name or id forge another event", async () => {
    for (const forged of [
      { event: "a\ndata: forged", data: "" },
      { id: "1\r\n\r\ndata: forged", data: "" },
    ]) {
      async function* source(): AsyncGenerator<SseItem> {
        yield forged;
      }
      const { response } = await payFor(
        route([new FakeCharge()]).guard((_, context) => sse(context, source)),
        get,
      );
      const thrown = await response.text().catch((error: unknown) => error);
      expect(thrown).to.be.instanceOf(Error);
    }
  });
});
