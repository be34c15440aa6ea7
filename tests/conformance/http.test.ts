// `http.payment_request`: the agent's paying fetch, driven as the conformance harness does.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Challenge, Credential, type JsonObject, Receipt } from "@mppsol/core";
import { expect } from "chai";
import { answer } from "./operations.js";

const SECRET = "a secret of the conformance tests, long enough";
const PAYLOAD = { type: "transaction", signature: "0xabc123" };

/** Sells everything for a proof, except what redirects. */
function serve(request: IncomingMessage, response: ServerResponse, elsewhere: () => string): void {
  if (request.url === "/redirect") {
    response.writeHead(302, { Location: `${elsewhere()}/paid` }).end();
    return;
  }
  const header = request.headers.authorization;
  const credential = header === undefined ? undefined : Credential.parse(header);
  if (credential === undefined || credential.payload.signature !== PAYLOAD.signature) {
    const terms = { realm: "conformance", method: "tempo", intent: "charge", request: { amount: "1" } };
    response.writeHead(402, { "WWW-Authenticate": Challenge.format(Challenge.issue(terms, SECRET)) }).end("pay");
    return;
  }
  const bound = Challenge.isBound(credential.challenge, SECRET);
  const receipt = { status: "success", method: "tempo", timestamp: "2026-01-01T00:00:00Z", reference: "r" } as const;
  response.writeHead(200, { [Receipt.HEADER]: Receipt.format(receipt) });
  response.end(JSON.stringify({ bound, source: credential.source, payload: credential.payload }));
}

describe("http.payment_request", () => {
  const servers: Server[] = [];
  const seen: (string | undefined)[] = [];
  const urlOf = (i: number) => `http://127.0.0.1:${((servers[i] as Server).address() as AddressInfo).port}`;

  before(async () => {
    for (const other of [1, 0]) {
      const server = createServer((request, response) => {
        seen.push(request.headers.authorization);
        serve(request, response, () => urlOf(other));
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      servers.push(server);
    }
  });
  after(() => {
    for (const server of servers) server.close().closeAllConnections();
  });
  beforeEach(() => {
    seen.length = 0;
  });

  const ask = async (path: string, change: JsonObject = {}) => {
    const payment = { payload: PAYLOAD, source: "did:example:payer" };
    const input = { url: urlOf(0) + path, method: "GET", headers: {}, body: null, payment, mode: "payment", ...change };
    return (await answer("http.payment_request", input)) as { ok: boolean; value: JsonObject; error: JsonObject };
  };

  it("pays a challenge with the given proof, and says what came of it", async () => {
    const { ok, value } = await ask("/paid");
    expect({ ok, status: value.status }).to.deep.equal({ ok: true, status: 200 });
    expect(JSON.parse(value.body as string)).to.deep.equal({
      bound: true,
      source: "did:example:payer",
      payload: PAYLOAD,
    });
    expect(Receipt.parse((value.headers as JsonObject)["payment-receipt"] as string).reference).to.equal("r");
    expect(seen).to.have.length(2);
  });

  it("pays nothing in the mode plain", async () => {
    const { value } = await ask("/paid", { mode: "plain" });
    expect(value).to.include({ status: 402, body: "pay" });
    expect(seen).to.deep.equal([undefined]);
  });

  it("says what a proof that is refused led to", async () => {
    const payment = { payload: { type: "transaction", signature: "wrong" }, source: null };
    const { value } = await ask("/paid", { mode: "invalid_payload", payment });
    expect(value.status).to.equal(402);
    expect(seen).to.have.length(2);
  });

  it("shows the proof to no other origin", async () => {
    const { ok, error } = await ask("/redirect");
    expect(ok).to.equal(false);
    expect(error.type).to.equal("http_error");
    expect(error.message).to.contain("Refusing to send payment credential across redirect");
    expect(seen).to.deep.equal([undefined, undefined]);
  });

  it("does not know the modes that damage challenges", async () => {
    const { error } = await ask("/paid", { mode: "mismatched_request" });
    expect(error.type).to.equal("unsupported_operation");
  });
});
