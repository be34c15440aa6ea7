// What a guarded route answers, to clients that pay and to clients that try not to.
import { Base64Url, Challenge, Credential, Problem, Receipt, RefusedError } from "@mppsol/core";
import { expect } from "chai";
import { RpcError } from "../../../sdk/server/src/chain/errors.ts";
import type { PricedRequest } from "../../../sdk/server/src/http/guard.ts";
import type { RequestContext } from "../../../sdk/server/src/intent.ts";
import { StoreError } from "../../../sdk/server/src/stores/errors.ts";
import { challengesOf, codeOf, credential, FakeCharge, FakeSession, payFor, REALM, route, SECRET } from "./fakes.ts";

const URL_ = "https://api.example.com/joke?lang=en";
const get = (headers: Record<string, string> = {}) => new Request(URL_, { headers });
const post = (body: string, headers: Record<string, string> = {}) =>
  new Request(URL_, { method: "POST", body, headers });
const ok = () => new Response("a joke", { headers: { "Content-Type": "text/plain" } });

describe("an unpaid request", () => {
  it("gets 402 with a challenge for the route, a problem document, and is never cached", async () => {
    const { guard } = route([new FakeCharge()]);
    const response = await guard(ok)(get());
    expect(response.status).to.equal(402);
    expect(response.headers.get("cache-control")).to.equal("no-store");
    expect(response.headers.get("content-type")).to.equal("application/problem+json");
    const [challenge] = challengesOf(response);
    expect(challenge).to.include({ realm: REALM, method: "solana", intent: "charge" });
    const problem = Problem.parse(await response.json());
    expect(problem).to.include({
      type: `${Problem.BASE}payment-required`,
      status: 402,
      code: "payment-required",
      challengeId: challenge?.id,
    });
    expect(problem.requestId).to.match(/^[0-9a-f-]{36}$/);
  });

  it("does not run the handler", async () => {
    let ran = false;
    await route([new FakeCharge()]).guard(() => {
      ran = true;
      return ok();
    })(get());
    expect(ran).to.equal(false);
  });

  it("gets a challenge of its own each time, so that two clients never share one", async () => {
    const handle = route([new FakeCharge()]).guard(ok);
    const ids = await Promise.all(Array.from({ length: 50 }, async () => challengesOf(await handle(get()))[0]?.id));
    expect(new Set(ids).size).to.equal(50);
  });

  it("is offered every way to pay, in the seller's order", async () => {
    const response = await route([new FakeCharge(), new FakeSession()]).guard(ok)(get());
    expect(challengesOf(response).map(({ intent }) => intent)).to.deep.equal(["charge", "session"]);
  });

  it("is offered what Accept-Payment wants, and everything when nothing matches", async () => {
    const handle = route([new FakeCharge(), new FakeSession()]).guard(ok);
    const offered = async (accept: string) =>
      challengesOf(await handle(get({ "Accept-Payment": accept }))).map(({ intent }) => intent);
    expect(await offered("solana/session")).to.deep.equal(["session"]);
    expect(await offered("solana/session, solana/charge;q=0.5")).to.deep.equal(["session", "charge"]);
    expect(await offered("tempo/charge")).to.deep.equal(["charge", "session"]);
    expect(await offered("%%%")).to.deep.equal(["charge", "session"]);
  });

  it("is told of no digest when it has no body", async () => {
    const [challenge] = challengesOf(await route([new FakeCharge()]).guard(ok)(get()));
    expect(challenge?.digest).to.equal(undefined);
  });

  it("by HEAD gets the headers of the 402 and no body, and the challenge serves for GET", async () => {
    const { guard } = route([new FakeCharge()]);
    const head = await guard(ok)(new Request(URL_, { method: "HEAD" }));
    expect(head.status).to.equal(402);
    expect(await head.text()).to.equal("");
    const [challenge] = challengesOf(head);
    const paid = await guard(ok)(get({ authorization: credential(challenge!) }));
    expect(paid.status).to.equal(200);
  });

  it("by OPTIONS gets 204 with what is accepted, without a challenge", async () => {
    const charge = new FakeCharge();
    const response = await route([charge, new FakeSession()]).guard(ok)(new Request(URL_, { method: "OPTIONS" }));
    expect(response.status).to.equal(204);
    expect(response.headers.get("allow")).to.contain("GET");
    expect(response.headers.get("accept-payment")).to.equal("solana/charge, solana/session");
    expect(response.headers.get("www-authenticate")).to.equal(null);
    expect(charge.contexts).to.have.length(0);
  });

  it("keeps other credentials of the API out of the payment", async () => {
    const response = await route([new FakeCharge()]).guard(ok)(get({ authorization: "Bearer token" }));
    expect(await codeOf(response)).to.equal("payment-required");
  });

  it("gets 503, not 402, when no challenge can be made", async () => {
    const charge = new FakeCharge();
    charge.failure.offer = new RpcError("getLatestBlockhash", new Error("https://rpc.example/?key=hidden"));
    const { guard, errors } = route([charge]);
    const response = await guard(ok)(get());
    expect(response.status).to.equal(503);
    expect(response.headers.get("retry-after")).to.equal("5");
    expect(response.headers.get("www-authenticate")).to.equal(null);
    const text = await response.text();
    expect(text).to.contain('"unavailable"').and.not.contain("hidden");
    expect(errors).to.have.length(1);
  });

  it("gets the other challenge when one of two cannot be made, and the seller is told", async () => {
    const charge = new FakeCharge();
    charge.failure.offer = new RpcError("getLatestBlockhash", new Error());
    const { guard, errors } = route([charge, new FakeSession()]);
    const response = await guard(ok)(get());
    expect(challengesOf(response).map(({ intent }) => intent)).to.deep.equal(["session"]);
    expect(errors.map(({ context }) => context.during)).to.deep.equal(["challenge"]);
  });

  it("gets 500 without a word of why when the price function throws", async () => {
    const charge = new FakeCharge();
    charge.failure.offer = new Error("secret of the price function");
    const response = await route([charge]).guard(ok)(get());
    expect(response.status).to.equal(500);
    expect(await response.text()).to.not.contain("secret of");
  });

  it("gets what a price function refuses with, unless that is 402", async () => {
    const charge = new FakeCharge();
    const { guard } = route([charge]);
    charge.failure.offer = new RefusedError("policy-denied");
    expect((await guard(ok)(get())).status).to.equal(403);
    charge.failure.offer = new RefusedError("payment-required");
    expect((await guard(ok)(get())).status).to.equal(503);
  });
});

describe("a paid request", () => {
  it("gets the resource, a receipt, and stays out of shared caches", async () => {
    const { guard } = route([new FakeCharge()]);
    const { response, challenge } = await payFor(guard(ok), get);
    expect(response.status).to.equal(200);
    expect(await response.text()).to.equal("a joke");
    expect(response.headers.get("cache-control")).to.equal("private");
    expect(Receipt.parse(response.headers.get("payment-receipt") ?? "").challengeId).to.equal(challenge.id);
  });

  it("tells the handler of its payment", async () => {
    let seen: unknown;
    const { guard } = route([new FakeCharge("77")]);
    await payFor(
      guard((_, { payment }) => {
        seen = payment;
        return ok();
      }),
      get,
    );
    expect(seen).to.deep.include({ intent: "charge", amount: 77n, reference: "sig" });
  });

  it("may carry the credential in Payment-Authorization beside the API's own Authorization", async () => {
    const { guard } = route([new FakeCharge()], { header: "Payment-Authorization" });
    const handle = guard((request) => new Response(request.headers.get("authorization")));
    const [challenge] = challengesOf(await handle(get({ authorization: "Bearer token" })));
    expect(challenge?.header).to.equal("Payment-Authorization");
    const response = await handle(
      get({ authorization: "Bearer token", "Payment-Authorization": credential(challenge!) }),
    );
    expect(response.status).to.equal(200);
    expect(await response.text()).to.equal("Bearer token");
  });

  it("keeps the handler's cache directives but for those that share", async () => {
    const { guard } = route([new FakeCharge()]);
    const handle = guard(() => new Response("x", { headers: { "Cache-Control": "public, max-age=60, s-maxage=9" } }));
    const { response } = await payFor(handle, get);
    expect(response.headers.get("cache-control")).to.equal("private, max-age=60");
  });

  it("gets no receipt with an error of the handler's, and is told the receipt only by us", async () => {
    const { guard } = route([new FakeCharge()]);
    const handle = guard(() => new Response("no such joke", { status: 404, headers: { "Payment-Receipt": "forged" } }));
    const { response } = await payFor(handle, get);
    expect(response.status).to.equal(404);
    expect(response.headers.get("payment-receipt")).to.equal(null);
  });

  it("reads its body in the handler although the guard has digested it", async () => {
    const { guard } = route([new FakeCharge()]);
    const handle = guard(async (request) => new Response((await request.text()).toUpperCase()));
    const { response } = await payFor(handle, (headers) => post("knock", headers));
    expect(await response.text()).to.equal("KNOCK");
  });

  it("may leave its body unread", async () => {
    const { guard } = route([new FakeCharge()]);
    const { response } = await payFor(guard(ok), (headers) => post("x".repeat(60_000), headers));
    expect(response.status).to.equal(200);
  });

  it("hands price functions a request of their own each time, with its body", async () => {
    const charge = new FakeCharge();
    await payFor(route([charge]).guard(ok), (headers) => post("body", headers));
    const context = charge.contexts[0]!;
    expect(await (context.raw as PricedRequest).request.text()).to.equal("body");
    expect(await (context.raw as PricedRequest).request.text()).to.equal("body");
  });

  it("by HEAD is priced as GET is", async () => {
    const intent = new FakeCharge();
    await route([intent]).guard(ok)(new Request(URL_, { method: "HEAD" }));
    const [{ raw, method }] = intent.contexts as [RequestContext];
    expect([(raw as PricedRequest).request.method, method]).to.deep.equal(["GET", "HEAD"]);
  });

  it("has its response kept before it is sent", async () => {
    const charge = new FakeCharge();
    const { response } = await payFor(route([charge]).guard(ok), get);
    expect(charge.finished).to.have.length(1);
    expect(Buffer.from(charge.finished[0]?.body ?? "", "base64").toString()).to.equal("a joke");
    expect(await response.text()).to.equal("a joke");
  });

  it("is answered 503 when its response could not be kept, and nothing of it is sent", async () => {
    const charge = new FakeCharge();
    charge.failure.finish = new StoreError("disk full at /var/lib");
    const { guard, errors } = route([charge]);
    const { response } = await payFor(guard(ok), get);
    expect(response.status).to.equal(503);
    expect(response.headers.get("payment-receipt")).to.equal(null);
    const text = await response.text();
    expect(text).to.contain('"retryable":true').and.not.contain("joke").and.not.contain("disk");
    expect(charge.failed).to.equal(0);
    expect(errors.map(({ context }) => context.during)).to.deep.equal(["finish"]);
  });

  it("that is not settled yet gets 202 with the signature and Retry-After, then the resource", async () => {
    const charge = new FakeCharge();
    charge.pending = 1;
    const handle = route([charge]).guard(ok);
    const { response, authorization } = await payFor(handle, get);
    expect(response.status).to.equal(202);
    expect(response.headers.get("retry-after")).to.equal("2");
    expect(response.headers.get("cache-control")).to.equal("no-store");
    expect(response.headers.get("www-authenticate")).to.equal(null);
    expect(response.headers.get("payment-receipt")).to.equal(null);
    expect(await response.json()).to.include({ code: "settlement-pending", signature: "sig", retryable: true });
    expect((await handle(get({ authorization }))).status).to.equal(200);
  });

  it("that is an errand is answered without the handler", async () => {
    let ran = false;
    const { guard } = route([new FakeSession()]);
    const handle = guard(() => {
      ran = true;
      return ok();
    });
    const { response } = await payFor(handle, get, { action: "open" });
    expect(response.status).to.equal(200);
    expect(await response.json()).to.deep.equal({ channelId: "FNvFqYn4yV7HsoZyHRsbsj1Vd2HFcUe2NMRJq3rJxg7c" });
    expect(Receipt.parse(response.headers.get("payment-receipt") ?? "").intent).to.equal("session");
    expect(ran).to.equal(false);
  });

  it("by HEAD with a voucher is an errand: receipt, no body, no debit", async () => {
    const session = new FakeSession();
    const { response } = await payFor(
      route([session]).guard(ok),
      (headers) => new Request(URL_, { method: "HEAD", headers }),
      { action: "voucher", cumulative: "500" },
    );
    expect(response.status).to.equal(204);
    expect(response.headers.get("payment-receipt")).to.not.equal(null);
    expect([session.accepted, session.spent]).to.deep.equal([500n, 0n]);
  });

  it("by HEAD with a charge gets the headers that GET would get", async () => {
    const { guard } = route([new FakeCharge()]);
    const { response } = await payFor(guard(ok), (headers) => new Request(URL_, { method: "HEAD", headers }));
    expect(response.status).to.equal(200);
    expect(await response.text()).to.equal("");
    expect(response.headers.get("content-type")).to.equal("text/plain");
  });

  it("uses one session's challenge at another route with the same terms", async () => {
    const session = new FakeSession();
    const handle = route([session]).guard(ok);
    const { authorization } = await payFor(handle, get, { action: "voucher", cumulative: "100" });
    const [challenge] = challengesOf(await handle(get()));
    expect(authorization).to.be.a("string");
    const other = new Request("https://api.example.com/other", {
      headers: { authorization: credential(challenge!, { action: "voucher", cumulative: "200" }) },
    });
    expect((await handle(other)).status).to.equal(200);
  });
});

describe("a refused credential", () => {
  const charge = () => route([new FakeCharge()]);

  async function refused(made: ReturnType<typeof route>, request: Request): Promise<[number, unknown, number]> {
    const response = await made.guard(() => {
      throw new Error("must not run");
    })(request);
    expect(response.headers.get("payment-receipt")).to.equal(null);
    expect(response.headers.get("cache-control")).to.equal("no-store");
    return [response.status, await codeOf(response), challengesOf(response).length];
  }

  async function challenge(made: ReturnType<typeof route>, request = get()): Promise<Challenge.Challenge> {
    return challengesOf(await made.guard(ok)(request))[0]!;
  }

  it("comes back with a fresh challenge when it cannot be read", async () => {
    for (const value of [
      "Payment",
      "Payment !!!",
      "Payment e30",
      "payment bm90IGpzb24",
      `Payment ${Base64Url.encode(Uint8Array.of(0xff, 0xfe))}`,
    ]) {
      expect(await refused(charge(), get({ authorization: value })), value).to.deep.equal([
        402,
        "malformed-credential",
        1,
      ]);
    }
  });

  it("is not repeated in the answer, nor in events and errors", async () => {
    const made = charge();
    const sent = credential({ ...(await challenge(made)), id: "forged" }, { proof: "s3cret-proof" });
    const response = await made.guard(ok)(get({ authorization: sent }));
    const seen = JSON.stringify([await response.text(), [...response.headers], made.events, made.errors]);
    expect(seen).to.not.contain("s3cret").and.not.contain(sent.slice(8, 60));
  });

  it("is too large beyond 32 KiB", async () => {
    const huge = `Payment ${"A".repeat(Credential.MAX_LENGTH)}`;
    expect(await refused(charge(), get({ authorization: huge }))).to.deep.equal([402, "credential-too-large", 1]);
  });

  it("gets 400 when there are two, in one header or in both", async () => {
    const made = charge();
    const one = credential(await challenge(made));
    for (const headers of [
      { authorization: `${one}, ${one}` },
      { authorization: one, "payment-authorization": one },
    ] as Record<string, string>[]) {
      expect(await refused(made, get(headers))).to.deep.equal([400, "several-credentials", 0]);
    }
  });

  it("gets 400 for a method or intent that the route does not take", async () => {
    const made = charge();
    const ours = await challenge(made);
    for (const other of [{ method: "tempo" }, { intent: "session" }]) {
      const value = credential({ ...ours, ...other });
      expect(await refused(made, get({ authorization: value }))).to.deep.equal([400, "method-unsupported", 0]);
    }
  });

  it("is unknown when any bound field was changed", async () => {
    const made = charge();
    const ours = await challenge(made);
    const cheaper = Base64Url.encode('{"amount":"1","currency":"sol","recipient":"x"}');
    const changed: Partial<Challenge.Challenge>[] = [
      { id: `${ours.id.slice(0, -1)}${ours.id.endsWith("A") ? "B" : "A"}` },
      { realm: "evil.example" },
      { request: cheaper },
      { expires: "2099-01-01T00:00:00Z" },
      { opaque: Base64Url.encode('{"nonce":"x"}') },
      { digest: "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:" },
      { header: "Payment-Authorization" },
    ];
    for (const change of changed) {
      const value = credential({ ...ours, ...change });
      expect(await refused(made, get({ authorization: value })), Object.keys(change)[0]).to.deep.equal([
        402,
        "challenge-unknown",
        1,
      ]);
    }
  });

  it("is unknown when it was issued with another secret, and known after a rotation", async () => {
    const old = route([new FakeCharge()], { secrets: ["an old secret with more than 32 bytes in it"] });
    const value = credential(await challenge(old));
    expect(await refused(charge(), get({ authorization: value }))).to.deep.equal([402, "challenge-unknown", 1]);
    const rotated = route([new FakeCharge()], { secrets: [SECRET, "an old secret with more than 32 bytes in it"] });
    expect((await rotated.guard(ok)(get({ authorization: value }))).status).to.equal(200);
    const [fresh] = challengesOf(await rotated.guard(ok)(get()));
    expect(Challenge.isBound(fresh!, SECRET)).to.equal(true);
  });

  it("is for another realm when its challenge was, though the secret is the same", async () => {
    const other = route([new FakeCharge()], { realm: "other.example.com" });
    const value = credential(await challenge(other));
    expect(await refused(charge(), get({ authorization: value }))).to.deep.equal([402, "challenge-mismatch", 1]);
  });

  it("has expired once its challenge has", async () => {
    const made = charge();
    const value = credential(await challenge(made));
    made.now += 299_000;
    expect((await made.guard(ok)(get({ authorization: value }))).status).to.equal(200);
    const late = credential(await challenge(made));
    made.now += 300_000;
    expect(await refused(made, get({ authorization: late }))).to.deep.equal([402, "challenge-expired", 1]);
  });

  it("is for another price when the route's changed", async () => {
    const intent = new FakeCharge("1000");
    const made = route([intent]);
    const value = credential(await challenge(made));
    intent.amount = "2000";
    expect(await refused(made, get({ authorization: value }))).to.deep.equal([402, "challenge-mismatch", 1]);
  });

  it("is for another resource: no host, path, query or method but its own", async () => {
    const made = charge();
    const value = credential(await challenge(made));
    const headers = { authorization: value };
    const others = [
      new Request("https://api.example.com/joke", { headers }),
      new Request("https://api.example.com/joke?lang=de", { headers }),
      new Request("https://api.example.com/joke/?lang=en", { headers }),
      new Request("https://api.example.com/jok%65?lang=en", { headers }),
      new Request("https://api.example.com/joke?lang=en&lang=en", { headers }),
      new Request("https://api.example.com//joke?lang=en", { headers }),
      new Request(URL_, { method: "DELETE", headers }),
      new Request(URL_.replace("api.", "www."), { headers }),
      new Request(URL_.replace(".com", ".com:8443"), { headers }),
    ];
    for (const other of others) {
      expect(await refused(made, other), `${other.method} ${other.url}`).to.deep.equal([402, "challenge-mismatch", 1]);
    }
    expect((await made.guard(ok)(get(headers))).status).to.equal(200);
  });

  it("takes the target of an adapter before a normalised one", async () => {
    const made = charge();
    const begun = await made.guard.begin(get(), { target: "/a/../joke?lang=en" });
    const [theirs] = begun.kind === "respond" ? challengesOf(begun.response) : [];
    expect(await refused(made, get({ authorization: credential(theirs!) }))).to.deep.equal([
      402,
      "challenge-mismatch",
      1,
    ]);
  });

  it("is for another body: changed, added or left out", async () => {
    const made = charge();
    const ours = await challenge(made, post("one"));
    expect(ours.digest).to.match(/^sha-256=:/);
    const value = credential(ours);
    for (const body of ["two", "one ", ""]) {
      expect(await refused(made, post(body, { authorization: value })), body).to.deep.equal([
        402,
        "digest-mismatch",
        1,
      ]);
    }
    const bodiless = credential(await challenge(made, new Request(URL_, { method: "POST" })));
    expect(await refused(made, post("smuggled", { authorization: bodiless }))).to.deep.equal([
      402,
      "digest-mismatch",
      1,
    ]);
    expect((await made.guard(ok)(post("one", { authorization: value }))).status).to.equal(200);
  });

  it("gets 410 and a fresh challenge when its channel is gone", async () => {
    const made = route([new FakeSession()]);
    const value = credential(await challenge(made), { action: "close" });
    expect(await refused(made, get({ authorization: value }))).to.deep.equal([410, "channel-unknown", 1]);
  });

  it("gets 503 when the store or the chain is away, and the seller is told", async () => {
    const intent = new FakeCharge();
    const made = route([intent]);
    const value = credential(await challenge(made));
    intent.failure.redeem = new StoreError("connection to db.internal lost");
    expect(await refused(made, get({ authorization: value }))).to.deep.equal([503, "unavailable", 0]);
    expect(made.errors).to.have.length(1);
    expect((await made.guard(ok)(get({ authorization: value }))).status).to.equal(200);
  });

  it("gets 500 and no reason for an error that nobody foresaw", async () => {
    const intent = new FakeCharge();
    const made = route([intent]);
    const value = credential(await challenge(made));
    intent.failure.redeem = new TypeError("undefined is not a secret");
    const response = await made.guard(ok)(get({ authorization: value }));
    expect(response.status).to.equal(500);
    expect(await response.text())
      .to.contain("internal-error")
      .and.not.contain("secret");
    expect(made.errors[0]?.error).to.be.instanceOf(TypeError);
  });

  it("with an observer that throws is refused all the same", async () => {
    const { guard } = route([new FakeCharge()]);
    const broken = route([new FakeCharge()], {
      observer: new (
        guard.route.observer.constructor as typeof import("../../../sdk/server/src/http/observer.ts").Observer
      )({
        onEvent: () => {
          throw new Error("observer");
        },
        onError: () => {
          throw new Error("observer");
        },
      }),
    });
    expect((await broken.guard(ok)(get())).status).to.equal(402);
  });
});
