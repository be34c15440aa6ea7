// What a payment asks of a node: operators pay for that, and public nodes limit it.
import type { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import { asking, order, type Prepared, payment } from "../load/charges.ts";
import { type Running, startFacilitator } from "../support.ts";

describe("what settling asks of a node", () => {
  const honest = globalThis.fetch;
  const asked: string[] = [];
  let running: Running;
  before(async () => {
    running = await startFacilitator();
    globalThis.fetch = (input, init) => {
      if (String(input).startsWith(running.net.url))
        asked.push((JSON.parse(String(init?.body)) as { method: string }).method);
      return honest(input, init);
    };
  });
  after(async () => {
    globalThis.fetch = honest;
    await running.close();
  });

  async function post(url: string, payload: string) {
    const answer = await running.app.inject({
      method: "POST",
      url,
      headers: { "content-type": "application/json" },
      payload,
    });
    return { status: answer.statusCode, json: answer.json() as Record<string, unknown> };
  }

  async function buy(payer: Keypair, recipient: Keypair) {
    const deal = { payer, recipient: recipient.publicKey, amount: 1_000n };
    const { json } = await post("/mpp/prepare", JSON.stringify(asking(deal)));
    return post("/mpp/settle", order(payment(json as unknown as Prepared, deal)));
  }

  it("is seven things, when it lands at once", async () => {
    const [payer, recipient] = [running.person(), running.person()];
    expect((await buy(payer, recipient)).status, "what is remembered of the mint and the recipient").to.equal(200);
    asked.length = 0;
    expect((await buy(payer, recipient)).status).to.equal(200);
    expect(asked.slice(asked.indexOf("simulateTransaction"))).to.deep.equal([
      "simulateTransaction",
      "getBalance",
      "getEpochInfo",
      "getSignatureStatuses",
      "sendTransaction",
      "getSignatureStatuses",
      "getTransaction",
    ]);
  });

  it("is nothing at all for what the policy refuses", async () => {
    const [payer, recipient] = [running.person(), running.person()];
    const deal = { payer, recipient: recipient.publicKey, amount: 1_000n };
    const { json } = await post("/mpp/prepare", JSON.stringify(asking(deal)));
    asked.length = 0;
    const { request } = payment(json as unknown as Prepared, deal);
    const { wire } = payment(json as unknown as Prepared, { ...deal, amount: 999n });
    expect((await post("/mpp/settle", order({ request, wire }))).json.code).to.equal("settlement_amount_mismatch");
    expect(asked).to.deep.equal([]);
  });
});
