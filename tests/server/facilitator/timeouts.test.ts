// How long a facilitator is given to answer, and what is known when it does not.
import { SettlementClient, SettlementError } from "@mppsol/server";
import { Keypair } from "@solana/web3.js";
import { expect } from "chai";

describe("a facilitator that does not answer", () => {
  const { timeout } = AbortSignal;
  const waited: number[] = [];
  beforeEach(() => {
    waited.length = 0;
    // The time is over at once; how long it would have been is what counts.
    AbortSignal.timeout = (milliseconds) => {
      waited.push(milliseconds);
      return timeout.call(AbortSignal, 1);
    };
  });
  afterEach(() => {
    AbortSignal.timeout = timeout;
  });

  const silent = (more = {}) =>
    new SettlementClient({
      url: "http://127.0.0.1:8402",
      fetch: (_, init) =>
        new Promise((_resolve, reject) => {
          init?.signal?.addEventListener("abort", () => reject(init.signal?.reason));
        }),
      ...more,
    });
  const recipient = Keypair.generate().publicKey.toBase58();
  const settle = (client: SettlementClient) =>
    client.settle({ challengeId: "c", request: {}, transaction: new Uint8Array(100) }).catch((error: unknown) => error);

  it("is given 10 seconds to prepare", async () => {
    const error = await silent()
      .prepare({ recipient })
      .catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(SettlementError).and.include({ code: "timeout" });
    expect(error).to.have.property("message").that.includes("10000 ms");
    expect(waited).to.deep.equal([10_000]);
  });

  it("is given 30 seconds to settle, and may have settled", async () => {
    const error = await settle(silent());
    expect(error).to.be.instanceOf(SettlementError).and.include({ code: "timeout", uncertain: true });
    expect(waited).to.deep.equal([30_000]);
  });

  it("is given what it was told to be given", async () => {
    const client = silent({ prepareTimeoutMs: 1_234, settleTimeoutMs: 5_678 });
    await client.prepare({ recipient }).catch(() => {});
    await settle(client);
    expect(waited).to.deep.equal([1_234, 5_678]);
  });
});
