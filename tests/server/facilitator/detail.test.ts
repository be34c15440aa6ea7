// What a facilitator says of a refusal goes on to logs and buyers, but not without end.
import { SettlementClient, SettlementError } from "@mppsol/server";
import { expect } from "chai";

describe("the words of a facilitator's refusal", () => {
  const said = async (detail: string): Promise<unknown> => {
    const problem = {
      type: "about:blank",
      title: "t",
      status: 422,
      detail,
      code: "amount_too_small",
      retryable: false,
    };
    const client = new SettlementClient({
      url: "http://127.0.0.1:8402",
      fetch: async () =>
        new Response(JSON.stringify({ ...problem, requestId: "r" }), {
          status: 422,
          headers: { "content-type": "application/problem+json" },
        }),
    });
    return client.stats().catch((error: unknown) => error);
  };

  it("are passed on as they are, up to 1,000 characters", async () => {
    const error = await said("The charge is of 1 base units; charges are settled from 1000.");
    expect(error).to.be.instanceOf(SettlementError).and.include({
      code: "amount_too_small",
      message: "The charge is of 1 base units; charges are settled from 1000.",
    });
    expect(await said("x".repeat(100_000)))
      .to.have.property("message")
      .with.length(1_000);
  });
});
