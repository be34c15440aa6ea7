// Anything at all that a client may send: the guard answers, serves nothing that was not paid for, and never breaks.
import { Challenge, Credential, Problem } from "@mppsol/core";
import { expect } from "chai";
import fc from "fast-check";
import { challengesOf, credential, FakeCharge, FakeSession, route } from "./fakes.ts";

const URL_ = "https://api.example.com/joke";

/** Characters that a header value can carry: bytes without line breaks and NUL. */
const headerValue = (maxLength = 200) =>
  fc
    .array(fc.integer({ min: 1, max: 255 }), { maxLength })
    .map((bytes) => String.fromCharCode(...bytes.filter((byte) => byte !== 10 && byte !== 13)));

const base64url = (text: string) => Buffer.from(text).toString("base64url");

function served() {
  let runs = 0;
  const made = route([new FakeCharge(), new FakeSession()]);
  const handle = made.guard(() => {
    runs++;
    return new Response("served");
  });
  return {
    made,
    handle,
    get runs() {
      return runs;
    },
  };
}

/** What every refusal is: a problem document of the table, 402 with challenges, nothing of a receipt. */
async function check(response: Response, what: string): Promise<void> {
  expect([400, 402, 410, 413, 422], what).to.include(response.status);
  const problem = Problem.parse(await response.json());
  expect(problem.status, what).to.equal(response.status);
  expect(problem.code, what).to.be.a("string");
  if (response.status === 402) expect(challengesOf(response).length, what).to.be.greaterThan(0);
  expect(response.headers.get("payment-receipt"), what).to.equal(null);
}

describe("hostile input", () => {
  it("in headers of any bytes is refused or ignored, and serves nothing", async () => {
    const world = served();
    const names = ["authorization", "payment-authorization", "accept", "accept-payment", "payment-channel"];
    const headers = fc.record(Object.fromEntries(names.map((name) => [name, headerValue()])), { requiredKeys: [] });
    const prefix = fc.constantFrom("", "Payment ", "payment  ", "Bearer x, Payment ", "Payment,");
    await fc.assert(
      fc.asyncProperty(headers, prefix, async (sent, scheme) => {
        const all = { ...sent, authorization: scheme + (sent.authorization ?? "") };
        await check(await world.handle(new Request(URL_, { headers: all })), JSON.stringify(all));
      }),
      { numRuns: 500 },
    );
    expect([world.runs, world.made.errors.length]).to.deep.equal([0, 0]);
  });

  it("in credentials of any JSON is refused, and serves nothing", async () => {
    const world = served();
    const [challenge] = challengesOf(await world.handle(new Request(URL_)));
    const any = fc.jsonValue({ maxDepth: 3 });
    const shapes = fc.oneof(
      any,
      fc.record({ challenge: any, payload: any }),
      fc.record({ challenge: fc.constant({ ...challenge }), payload: any }),
      fc.record({
        challenge: any.map((extra) => ({ ...challenge, request: extra })),
        payload: fc.constant({ proof: "paid" }),
      }),
      fc.record({ challenge: fc.constant(challenge), payload: fc.constant({ proof: "no" }), source: any }),
    );
    await fc.assert(
      fc.asyncProperty(shapes, async (value) => {
        const authorization = `Payment ${base64url(JSON.stringify(value))}`;
        await check(await world.handle(new Request(URL_, { headers: { authorization } })), JSON.stringify(value));
      }),
      { numRuns: 500 },
    );
    expect([world.runs, world.made.errors.length]).to.deep.equal([0, 0]);
  });

  it("that changes a good credential anywhere is refused, or changes nothing that counts", async () => {
    const world = served();
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 255 }), async (place, change) => {
        const before = world.runs;
        const [challenge] = challengesOf(await world.handle(new Request(URL_)));
        const good = credential(challenge!);
        const bytes = Buffer.from(good.slice("Payment ".length), "base64url");
        const at = place % bytes.length;
        bytes[at] = bytes[at]! ^ change;
        const authorization = `Payment ${bytes.toString("base64url")}`;
        const response = await world.handle(new Request(URL_, { headers: { authorization } }));
        if (response.status !== 200) {
          await check(response, bytes.toString());
          return;
        }
        const { challenge: bound, payload } = Credential.parse(authorization);
        expect(Challenge.id(bound, "a secret of the tests, 32 bytes and more")).to.equal(challenge?.id);
        expect(payload).to.include({ proof: "paid" });
        expect(world.runs).to.equal(before + 1);
      }),
      { numRuns: 300 },
    );
  });

  it("in bodies, keys and queries is refused or bound, and serves nothing unpaid", async () => {
    const world = served();
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 500 }),
        headerValue(300),
        fc.webQueryParameters(),
        fc.constantFrom("POST", "PUT", "PATCH", "DELETE", "PURGE"),
        async (body, key, query, method) => {
          const headers = { "Idempotency-Key": key };
          const request = new Request(`${URL_}?${query}`, { method, body: Buffer.from(body), headers });
          await check(await world.handle(request), key);
        },
      ),
      { numRuns: 300 },
    );
    expect([world.runs, world.made.errors.length]).to.deep.equal([0, 0]);
  });

  it("in the shape of two credentials of which one is good is refused with 400", async () => {
    const world = served();
    const [challenge] = challengesOf(await world.handle(new Request(URL_)));
    const good = credential(challenge!);
    for (const authorization of [
      `${good}, Payment x`,
      `Payment x,${good}`,
      `${good},${good}`,
      `PAYMENT e30, ${good}`,
    ]) {
      const response = await world.handle(new Request(URL_, { headers: { authorization } }));
      expect(response.status, authorization.slice(0, 20)).to.equal(400);
    }
    expect(world.runs).to.equal(0);
    const beside = `Basic dTpw, ${good}`;
    expect((await world.handle(new Request(URL_, { headers: { authorization: beside } }))).status).to.equal(200);
  });

  it("of a credential nested too deep, with members twice, or with a prototype in it, is refused", async () => {
    const world = served();
    const [challenge] = challengesOf(await world.handle(new Request(URL_)));
    const echoed = JSON.stringify(challenge);
    const texts = [
      `{"challenge":${echoed},"payload":{"proof":"no"},"payload":{"proof":"paid"}}`,
      `{"challenge":${echoed},"payload":${"[".repeat(5_000)}${"]".repeat(5_000)}}`,
      `{"challenge":${echoed},"payload":{"__proto__":{"proof":"paid"}}}`,
      `{"__proto__":{"payload":{"proof":"paid"}},"challenge":${echoed}}`,
      `\ufeff{"challenge":${echoed},"payload":{"proof":"paid"}}`,
    ];
    for (const text of texts) {
      const authorization = `Payment ${base64url(text)}`;
      await check(await world.handle(new Request(URL_, { headers: { authorization } })), text.slice(0, 60));
    }
    expect([world.runs, world.made.errors.length]).to.deep.equal([0, 0]);
  });
});

describe("a realm that nobody has set", () => {
  it("is the host of the request, and binds the challenge to it", async () => {
    const { guard } = route([new FakeCharge()], { realm: undefined });
    const handle = guard(() => new Response("served"));
    const [challenge] = challengesOf(await handle(new Request("http://localhost:8080/x")));
    expect(challenge?.realm).to.equal("localhost:8080");
    const headers = { authorization: credential(challenge!) };
    expect((await handle(new Request("http://evil.example/x", { headers }))).status).to.equal(402);
    expect((await handle(new Request("http://localhost:8080/x", { headers }))).status).to.equal(200);
  });
});
