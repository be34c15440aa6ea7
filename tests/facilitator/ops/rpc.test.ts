// How long the nodes take, by what they are asked.
import type { Rpc } from "@mppsol/server/parts";
import { expect } from "chai";
import { createMetrics } from "../../../services/facilitator/src/ops/prometheus.ts";
import { timed } from "../../../services/facilitator/src/ops/timedRpc.ts";
import { METHODS } from "../../server/chain/faults.ts";

describe("the time that nodes take", () => {
  it("is measured by method and outcome, and answers and errors go through", async () => {
    const metrics = createMetrics();
    const asked: unknown[][] = [];
    const away = new Error("away");
    const answering =
      (method: string) =>
      async (...parameters: unknown[]) => {
        asked.push([method, ...parameters]);
        if (method === "send") throw away;
        return `${method} answered`;
      };
    const rpc = Object.fromEntries(METHODS.map((method) => [method, answering(method)])) as unknown as Rpc;
    const measured = timed(rpc, (...call) => metrics.asked(...call)) as unknown as Record<
      string,
      (...parameters: unknown[]) => Promise<unknown>
    >;
    for (const method of METHODS) {
      const answer = await measured[method]!("first", "second").catch((error: unknown) => error);
      expect(answer).to.equal(method === "send" ? away : `${method} answered`);
    }
    const taken = asked.map(([method, ...parameters]) => [method, parameters.slice(0, 1)]);
    expect(taken).to.deep.equal(METHODS.map((method) => [method, method === "genesisHash" ? [] : ["first"]]));
    const text = await metrics.render();
    for (const method of METHODS) {
      const outcome = method === "send" ? "failed" : "answered";
      expect(text).to.include(`mpp_rpc_call_duration_seconds_count{method="${method}",outcome="${outcome}"} 1`);
    }
  });
});
