// What the logs say, and what they never say.
import { Writable } from "node:stream";
import { RpcError, StoreError } from "@mppsol/server/parts";
import { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import { requestId, traceOf } from "../../../services/facilitator/src/http/requestId.ts";
import { describeError, redacted } from "../../../services/facilitator/src/ops/logging.ts";
import { type Running, startFacilitator } from "../support.js";

describe("a text for the logs", () => {
  it("keeps no user, password, path or query of a URL", () => {
    const text = redacted(
      "connect to postgresql://user:pass@db.example:5432/main failed; https://rpc.example/v2/KEY?api-key=1 too",
    );
    expect(text).to.equal("connect to postgresql://db.example:5432/… failed; https://rpc.example/… too");
  });

  it("keeps no password whatever signs are in it", () => {
    expect(redacted("postgresql://user:p@ss@db/main")).to.equal("postgresql://db/…");
    expect(redacted("postgresql://user:p/ss@db/main")).to.equal("…");
  });

  it("keeps nothing as long as a signed transaction, but keys of accounts and ids of transactions", () => {
    const { publicKey, secretKey } = Keypair.generate();
    const transaction = Buffer.alloc(200, 7).toString("base64");
    expect(redacted(`sent ${transaction}.`)).to.equal("sent ….");
    const signature = "5".repeat(88);
    expect(redacted(`${publicKey} ${signature}`)).to.equal(`${publicKey} ${signature}`);
    expect(redacted(`[${secretKey.join(",")}]`)).to.equal("[…]");
  });

  it("says of an error what it is and why, without what was sent to others", () => {
    const error = new StoreError("cannot reach postgresql://u:secret@h/d", {
      cause: new RpcError("getBalance", new Error("https://rpc.example/?api-key=secret said no")),
    });
    const text = JSON.stringify(describeError(error));
    expect(text).to.not.include("secret");
    expect(text).to.include("store").and.include("RpcError").and.include("getBalance");
    expect(describeError("postgresql://u:secret@h/d").message).to.equal("postgresql://h/…");
  });
});

describe("a request's id", () => {
  const of = (id: string | undefined) => requestId({ headers: id === undefined ? {} : { "x-request-id": id } });

  it("is the client's, where it is fit for a log", () => {
    for (const id of ["a", "req-1", "0af7651916cd43dd8448eb211c80319c", "A.b_c:d-e", "x".repeat(128)])
      expect(of(id)).to.equal(id);
  });

  it("is a new one where it is not", () => {
    for (const id of [undefined, "", "a b", "a\nb", '"a"', "é", "-a", "x".repeat(129), "{}"]) {
      expect(of(id)).to.match(/^req_[0-9a-f-]{36}$/);
    }
    expect(of(undefined)).to.not.equal(of(undefined));
  });

  it("goes with a trace, where there is a sound one", () => {
    const traceId = "0af7651916cd43dd8448eb211c80319c";
    expect(traceOf({ traceparent: `00-${traceId}-b7ad6b7169203331-01` })).to.deep.equal({
      traceId,
      spanId: "b7ad6b7169203331",
    });
    for (const traceparent of [
      undefined,
      "",
      `00-${"0".repeat(32)}-b7ad6b7169203331-01`,
      `00-${traceId}-${"0".repeat(16)}-01`,
      `ff-${traceId}-b7ad6b7169203331-01`,
      `00-${traceId.toUpperCase()}-b7ad6b7169203331-01`,
      "nonsense",
    ]) {
      expect(traceOf(traceparent === undefined ? {} : { traceparent }), traceparent).to.deep.equal({});
    }
  });
});

describe("the log of requests", () => {
  let running: Running;
  const lines: Record<string, unknown>[] = [];

  before(async () => {
    const stream = new Writable({
      write(chunk: Buffer, _, done) {
        lines.push(JSON.parse(chunk.toString()) as Record<string, unknown>);
        done();
      },
    });
    running = await startFacilitator({ overrides: { logger: { level: "info", stream }, background: false } });
  });
  after(() => running.close());
  beforeEach(() => {
    lines.length = 0;
  });

  it("has one line a request: its id, trace, route, status and code", async () => {
    const answer = await running.app.inject({
      method: "GET",
      url: `/mpp/payments/pay_${"0".repeat(64)}?x=1`,
      headers: { "x-request-id": "mine", traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
    });
    expect(answer.headers["x-request-id"]).to.equal("mine");
    expect(answer.json()).to.include({ requestId: "mine" });
    expect(lines).to.have.length(1);
    expect(lines[0]).to.include({
      requestId: "mine",
      traceId: "0af7651916cd43dd8448eb211c80319c",
      method: "GET",
      route: "/mpp/payments/:id",
      status: 404,
      code: "not_found",
    });
  });

  it("has nothing of what was sent", async () => {
    const secret = "swordfish";
    await running.app.inject({
      method: "POST",
      url: `/mpp/settle?token=${secret}`,
      headers: {
        authorization: `Bearer ${secret}`,
        cookie: secret,
        "idempotency-key": secret,
        "sign-in-with-x": secret,
      },
      payload: { challengeId: secret, request: {}, transaction: secret },
    });
    expect(lines).to.have.length(1);
    expect(JSON.stringify(lines)).to.not.include(secret);
  });
});
