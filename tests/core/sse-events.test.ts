// The events of a metered stream.
import { InvalidFieldError, SseEvents } from "@mppsol/core";
import { expect } from "chai";
import { createParser, type EventSourceMessage } from "eventsource-parser";
import fc from "fast-check";
import { address, anyAddress, anyU64 } from "./arbitraries.js";
import { answerOf } from "./support.js";
import { anyReceipt, damaged } from "./wire-arbitraries.js";

const anyNeed: fc.Arbitrary<SseEvents.NeedVoucher> = fc.record({
  channelId: anyAddress,
  requiredCumulative: anyU64,
  acceptedCumulative: anyU64,
  deposit: anyU64,
});
const anyEvent: fc.Arbitrary<SseEvents.Event> = fc.oneof(
  anyNeed.map((data) => ({ event: SseEvents.NEED_VOUCHER, data }) as const),
  anyReceipt.map((data) => ({ event: SseEvents.RECEIPT, data }) as const),
);

/** What an independent reader finds in a stream. */
function read(stream: string): EventSourceMessage[] {
  const events: EventSourceMessage[] = [];
  createParser({ onEvent: (event) => events.push(event) }).feed(stream);
  return events;
}

describe("an event of a metered stream", () => {
  it("stands in the stream as the draft shows it", () => {
    const data = {
      channelId: address(9),
      requiredCumulative: 250_025n,
      acceptedCumulative: 250_000n,
      deposit: 500_000n,
    };
    expect(SseEvents.format({ event: SseEvents.NEED_VOUCHER, data })).to.equal(
      `event: payment-need-voucher\ndata: {"acceptedCumulative":"250000","channelId":"${address(9)}","deposit":"500000","requiredCumulative":"250025"}\n\n`,
    );
  });

  it("is read back to the same event by way of any reader of streams", () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 4 }), (events) => {
        const found = read(events.map(SseEvents.format).join(""));
        expect(found.map(({ event, data }) => SseEvents.parse(event ?? "", data))).to.deep.equal(events);
      }),
    );
  });

  it("of another name is somebody else's", () => {
    expect(SseEvents.parse("message", "{}")).to.equal(undefined);
    expect(SseEvents.parse("", "")).to.equal(undefined);
  });

  it("with malformed data is refused", () => {
    const sound = { channelId: address(9), requiredCumulative: "2", acceptedCumulative: "1", deposit: "3" };
    for (const [change, field] of [
      [{ channelId: "x" }, "channelId"],
      [{ requiredCumulative: 2 }, "requiredCumulative"],
      [{ requiredCumulative: "02" }, "requiredCumulative"],
      [{ acceptedCumulative: undefined }, "acceptedCumulative"],
      [{ deposit: "18446744073709551616" }, "deposit"],
    ] as const) {
      const data = JSON.stringify({ ...sound, ...change });
      expect(() => SseEvents.parse(SseEvents.NEED_VOUCHER, data), data).to.throw(InvalidFieldError, field);
    }
    for (const data of ["", "{", "[]", '{"status":"failed"}', " ".repeat(SseEvents.MAX_LENGTH + 1)]) {
      expect(() => SseEvents.parse(SseEvents.RECEIPT, data), data.slice(0, 9)).to.throw(InvalidFieldError);
    }
  });

  it("with half a character in its data is refused, which UTF-8 cannot have brought", () => {
    const data = JSON.stringify({ status: "success", method: "m", timestamp: "2026-01-01T00:00:00Z", reference: "r" });
    expect(() => SseEvents.parse(SseEvents.RECEIPT, data.replace('"r"', '"\ud800"'))).to.throw(
      InvalidFieldError,
      "lone surrogate",
    );
  });

  it("with data that cannot be read is not written", () => {
    const data = { channelId: address(9), requiredCumulative: -1n, acceptedCumulative: 1n, deposit: 1n };
    expect(() => SseEvents.format({ event: SseEvents.NEED_VOUCHER, data })).to.throw(InvalidFieldError);
    const receipt = { status: "failed" } as never;
    expect(() => SseEvents.format({ event: SseEvents.RECEIPT, data: receipt })).to.throw(InvalidFieldError, "status");
  });

  it("makes the parser answer or throw InvalidFieldError", () => {
    const data = anyEvent.map((event) => read(SseEvents.format(event))[0]?.data ?? "");
    fc.assert(
      fc.property(damaged(data), (text) => {
        for (const name of [SseEvents.NEED_VOUCHER, SseEvents.RECEIPT]) answerOf(() => SseEvents.parse(name, text));
      }),
      { numRuns: 1000 },
    );
  });
});
