// Web responses and held-back writes on their way to a client that is slower than they are.
import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect } from "chai";
import { capture } from "../../../sdk/server/src/adapters/capture.ts";
import { send, splitChallenges } from "../../../sdk/server/src/adapters/outgoing.ts";

/** A server response that is connected to nobody. */
function unconnected(): ServerResponse {
  return new ServerResponse(new IncomingMessage(new Socket()));
}

/** Until everything that can go on has. */
async function settled(): Promise<void> {
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** A body that counts how often it is asked for more. */
function body(chunks: number, fail?: Error) {
  const seen = { pulls: 0, cancelled: false };
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        seen.pulls++;
        if (seen.pulls <= chunks) controller.enqueue(Buffer.from("x"));
        else if (fail === undefined) controller.close();
        else throw fail;
      },
      cancel() {
        seen.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { seen, stream };
}

describe("a response that is sent", () => {
  it("has one line for each challenge, whatever stands in their quotes", () => {
    const challenges = [
      'Payment id="a, Payment b", realm="x"',
      'payment id="c\\", Payment d", realm="y"',
      'Payment id="e"',
    ];
    expect(splitChallenges(challenges.join(", "))).to.deep.equal(challenges);
    expect(splitChallenges(challenges.join(","))).to.deep.equal(challenges);
  });

  it("is read no further while the client has not taken what was written", async () => {
    const to = unconnected();
    const { seen, stream } = body(3);
    let written = 0;
    const sink = {
      write: () => {
        written++;
        return false;
      },
      end: () => setImmediate(() => to.emit("finish")),
      flushHeaders: () => undefined,
    };
    const sent = send(new Response(stream), to, sink);
    for (const expected of [1, 2, 3]) {
      await settled();
      expect([seen.pulls, written]).to.deep.equal([expected, expected]);
      to.emit("drain");
    }
    await sent;
    expect(seen.pulls).to.equal(4);
  });

  it("is cancelled when its client leaves, while it is read and while it waits for the client", async () => {
    for (const full of [false, true]) {
      const to = unconnected();
      const { seen, stream } = body(full ? 9 : 1);
      const waiting = new ReadableStream<Uint8Array>({ cancel: () => stream.cancel() });
      const sink = { write: () => !full, end: () => undefined, flushHeaders: () => undefined };
      const sent = send(new Response(full ? stream : waiting), to, sink);
      await settled();
      to.emit("close");
      await sent;
      await settled();
      expect(seen.cancelled).to.equal(true);
    }
  });

  it("breaks the connection off when its body fails, so that it is not taken for whole", async () => {
    const to = unconnected();
    let ended = false;
    const sink = {
      write: () => true,
      end: () => {
        ended = true;
      },
      flushHeaders: () => undefined,
    };
    await send(new Response(body(1, new Error("secret")).stream), to, sink);
    expect([to.destroyed, ended]).to.deep.equal([true, false]);
  });
});

describe("a long response", () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;

  it("lets go of what was sent while it is still being sent", async () => {
    const CHUNKS = 32;
    const to = unconnected();
    const chunks: WeakRef<Uint8Array>[] = [];
    const made = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          // More is to come, and does not until the client leaves.
          if (chunks.length === CHUNKS) await new Promise(() => undefined);
          const chunk = new Uint8Array(1024);
          chunks.push(new WeakRef(chunk));
          controller.enqueue(chunk);
        },
      },
      { highWaterMark: 0 },
    );
    let taken = 0;
    const sink = {
      // As a socket that is full every other time.
      write: () => {
        if (++taken % 2 === 0) return true;
        setImmediate(() => to.emit("drain"));
        return false;
      },
      end: () => undefined,
      flushHeaders: () => undefined,
    };
    const sent = send(new Response(made), to, sink);
    while (taken < CHUNKS) await settled();
    await settled();
    collect();
    await settled();
    expect(chunks.filter((chunk) => chunk.deref() !== undefined).length).to.be.at.most(2);
    expect(to.listenerCount("close") + to.listenerCount("drain")).to.be.at.most(4);
    to.emit("close");
    await sent;
    expect([to.listenerCount("close"), to.listenerCount("drain")]).to.deep.equal([0, 0]);
  });
});

describe("a handler's writes that are held back", () => {
  const KIB_64 = 64 * 1024;

  it("are told to wait from 64 KiB on, and to go on when everything was taken, once", async () => {
    const to = unconnected();
    let drains = 0;
    to.on("drain", () => drains++);
    const captured = capture(to);
    expect(to.write(Buffer.alloc(KIB_64 - 1))).to.equal(true);
    expect(to.write("a")).to.equal(false);
    const reader = (await captured.response).body!.getReader();
    await reader.read();
    expect(drains).to.equal(0);
    await reader.read();
    await settled();
    expect(drains).to.equal(1);
    expect(to.write("b")).to.equal(true);
    await reader.read();
    await settled();
    expect(drains).to.equal(1);
  });

  it("are called back when they are taken, in their order", async () => {
    const to = unconnected();
    const captured = capture(to);
    const taken: string[] = [];
    to.write("a", () => taken.push("a"));
    to.write("Yg==", "base64", () => taken.push("b"));
    const reader = (await captured.response).body!.getReader();
    expect(taken).to.deep.equal([]);
    expect(Buffer.from((await reader.read()).value!).toString()).to.equal("a");
    expect(taken).to.deep.equal(["a"]);
    expect(Buffer.from((await reader.read()).value!).toString()).to.equal("b");
    expect(taken).to.deep.equal(["a", "b"]);
  });

  it("wait for nobody who has left: they are dropped, and their writer goes on", async () => {
    const to = unconnected();
    let [drains, called] = [0, 0];
    to.on("drain", () => drains++);
    const captured = capture(to);
    expect(to.write(Buffer.alloc(KIB_64), () => called++)).to.equal(false);
    await (await captured.response).body!.cancel();
    await settled();
    expect([drains, called]).to.deep.equal([1, 1]);
    expect(to.write(Buffer.alloc(KIB_64), () => called++)).to.equal(true);
    await settled();
    expect(called).to.equal(2);
  });

  it("reach the client before a failure that comes after them", async () => {
    const to = unconnected();
    const captured = capture(to);
    to.write("a");
    captured.fail(new Error("late"));
    const reader = (await captured.response).body!.getReader();
    expect((await reader.read()).done).to.equal(false);
    const error = await reader.read().catch((thrown: Error) => thrown);
    expect(error).to.be.instanceOf(Error).with.property("message", "late");
  });
});
