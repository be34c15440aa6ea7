// The agent's fetch against sellers that are honest, broken and hostile.
import {
  type AgentOptions,
  createAgent,
  type Fetch,
  type PaymentPendingError,
  type PaymentRefusedError,
  paymentOf,
} from "@mppsol/agent";
import { Challenge, ChargePayload, type JsonObject, Receipt } from "@mppsol/core";
import { expect } from "chai";
import { type Hit, type Reply, rejected, Till } from "./support/till.js";
import { World } from "./support/world.js";

const SHOP = "https://shop.example";

describe("the agent's fetch", () => {
  let world: World;
  let till: Till;
  let other: Till;

  before(async () => {
    world = await World.start();
  });
  after(() => world.close());
  beforeEach(async () => {
    till = await Till.start(world);
    other = await Till.start(world);
  });
  afterEach(async () => {
    await world.checkConservation();
    await till.close();
    await other.close();
  });

  function agent(more: Partial<AgentOptions> = {}) {
    return createAgent({
      signer: world.buyer,
      rpc: world.connection,
      network: "localnet",
      budget: { [world.usdc.mint.toBase58()]: { perRequest: 1_000_000n } },
      ...more,
    });
  }

  /** A transport that finds the till under a public name. */
  const tunnel: Fetch = (input, init) => fetch(String(input).replace(SHOP, till.url), init);

  /** What the buyer spends while `work` runs. */
  async function cost(work: () => Promise<unknown>): Promise<bigint> {
    const before = await world.tokens(world.buyer.publicKey);
    await work();
    return before - (await world.tokens(world.buyer.publicKey));
  }

  const spending = (payer: ReturnType<typeof agent>) => payer.spending(world.usdc.mint.toBase58());

  describe("in place of fetch", () => {
    it("needs no `this` and passes on what is free, whatever its status", async () => {
      const { fetch } = agent();
      till.route = ({ path }) => ({ status: Number(path.slice(1)), body: "free" });
      for (const status of [200, 404, 500, 402]) {
        const response = await fetch(`${till.url}/${status}`);
        expect(response.status).to.equal(status);
        expect(await response.text()).to.equal("free");
        expect(paymentOf(response)).to.equal(undefined);
      }
      expect(till.hits.every(({ headers }) => headers["idempotency-key"] === undefined)).to.equal(true);
    });

    it("rejects as fetch does", async () => {
      const { fetch } = agent();
      const errors = [
        fetch("not a url"),
        fetch(till.url, { method: "GET", body: "x" }),
        fetch("http://user:password@127.0.0.1/"),
        fetch(till.url, { signal: AbortSignal.abort(new RangeError("mine")) }),
      ].map((answer) =>
        answer.then(
          () => "nothing",
          (error: Error) => error.name,
        ),
      );
      expect(await Promise.all(errors)).to.deep.equal(["TypeError", "TypeError", "TypeError", "RangeError"]);
    });

    const form = () => {
      const data = new FormData();
      data.set("a", "1");
      data.set("file", new Blob(["contents"]), "f.txt");
      return data;
    };
    const bodies: [string, () => [string | Request, RequestInit?]][] = [
      ["text", () => [till.url, { method: "POST", body: "päyload" }]],
      ["bytes", () => [till.url, { method: "PUT", body: Uint8Array.of(0, 255, 10) }]],
      ["a buffer", () => [till.url, { method: "POST", body: Uint8Array.of(1, 2).buffer }]],
      ["search params", () => [till.url, { method: "POST", body: new URLSearchParams({ a: "1 2" }) }]],
      ["a blob", () => [till.url, { method: "POST", body: new Blob(["blob"], { type: "text/x" }) }]],
      ["a form", () => [till.url, { method: "POST", body: form() }]],
      ["a request", () => [new Request(till.url, { method: "PATCH", body: "request", headers: { "x-mine": "1" } })]],
      [
        "a request and init",
        () => [new Request(till.url, { method: "POST" }), { body: "init", headers: { "x-mine": "2" } }],
      ],
    ];
    for (const [name, make] of bodies) {
      it(`sends ${name} twice, byte for byte the same, with a digest that fits`, async () => {
        till.route = till.sells(till.usdc(10n));
        expect((await agent().fetch(...make())).status).to.equal(200);
        const [first, second] = till.hits;
        expect(second!.body.equals(first!.body)).to.equal(true);
        expect(first!.body.length).to.be.greaterThan(0);
        for (const name of ["content-type", "x-mine"]) expect(second!.headers[name]).to.equal(first!.headers[name]);
        expect(second!.method).to.equal(first!.method);
      });
    }

    it("passes a stream on, and says so when it would have to be sent again to be paid for", async () => {
      const stream = () =>
        new ReadableStream({
          start(controller) {
            controller.enqueue(new TextEncoder().encode("streamed"));
            controller.close();
          },
        });
      const post = () => ({ method: "POST", body: stream(), duplex: "half" as const });
      till.route = ({ body }) => ({ status: 200, body: body.toString() });
      expect(await (await agent().fetch(till.url, post())).text()).to.equal("streamed");
      till.route = till.sells(till.usdc(10n));
      await rejected(agent().fetch(till.url, post()), "body-not-replayable");
      expect(till.paidHits).to.have.length(0);
    });

    it("gives back a 402 that has nothing to do with the scheme", async () => {
      till.route = () => ({ status: 402, headers: { "www-authenticate": 'Basic realm="x"' }, body: "pay by card" });
      const response = await agent().fetch(till.url);
      expect([response.status, await response.text()]).to.deep.equal([402, "pay by card"]);
    });

    it("says which ways to pay it has, unless the caller does", async () => {
      till.route = () => ({ status: 200 });
      await agent().fetch(till.url);
      await agent().fetch(till.url, { headers: { "accept-payment": "tempo/*" } });
      expect(till.hits[0]!.headers["accept-payment"]).to.include("solana/charge");
      expect(till.hits[1]!.headers["accept-payment"]).to.equal("tempo/*");
    });

    it("fetches what needs no server", async () => {
      expect(await (await agent().fetch("data:text/plain,inline")).text()).to.equal("inline");
      const url = URL.createObjectURL(new Blob(["blob"]));
      expect(await (await agent().fetch(url)).text()).to.equal("blob");
    });

    it("can stand in for the global fetch, its own transport included", async () => {
      const platform = globalThis.fetch;
      till.route = till.sells(till.usdc(10n));
      try {
        globalThis.fetch = agent().fetch;
        expect((await fetch(till.url)).status).to.equal(200);
      } finally {
        globalThis.fetch = platform;
      }
    });

    it("takes no more requests once it is closed", async () => {
      const payer = agent();
      await payer.close();
      await rejected(payer.fetch(till.url), "agent-closed");
      await payer.close();
    });
  });

  describe("sends with a payment", () => {
    it("an Idempotency-Key of its own, or the caller's", async () => {
      till.route = till.sells(till.usdc(10n));
      await agent().fetch(`${till.url}/1`);
      await agent().fetch(`${till.url}/2`, { headers: { "Idempotency-Key": "mine" } });
      expect(till.paidHits.map(({ headers }) => headers["idempotency-key"])).to.satisfy(
        ([first, second]: string[]) => /^[0-9a-f-]{36}$/.test(first!) && second === "mine",
      );
    });

    it("the challenge as it came, opaque and description included", async () => {
      till.route = till.sells(till.usdc(10n), { opaque: { cart: "17" }, description: "Für dich" });
      await agent().fetch(till.url);
      const issued = Challenge.parse(String(asked(till)));
      expect(till.paidHits[0]!.credential!.challenge).to.deep.equal(issued);
    });

    it("the credential in Payment-Authorization when the challenge says so, beside the caller's Authorization", async () => {
      till.route = till.sells(till.usdc(10n), { header: "Payment-Authorization" });
      await agent().fetch(till.url, { headers: { authorization: "Bearer key" } });
      const [paid] = till.paidHits;
      expect(paid!.headers.authorization).to.equal("Bearer key");
      expect(paid!.headers["payment-authorization"]).to.match(/^Payment /);
    });

    it("nothing in place of the caller's Authorization", async () => {
      till.route = till.sells(till.usdc(10n));
      const asking = agent().fetch(till.url, { headers: { authorization: "Bearer key" } });
      await rejected(asking, "authorization-conflict");
    });
  });

  describe("chooses among several challenges", () => {
    const methods =
      (...names: string[]) =>
      (hit: Hit) =>
        till.ask(names.map((method) => till.challenge({ amount: "1" }, hit, { method })));

    it("none that it cannot pay, and says what was offered", async () => {
      till.route = methods("tempo", "stripe");
      const error = await rejected(agent().fetch(till.url), "challenge-unsupported");
      expect(error).to.deep.include({ offered: ["tempo/charge", "stripe/charge"] });
    });

    it("the first that it can and may pay", async () => {
      const sells = till.sells(till.usdc(20n));
      till.route = (hit) =>
        hit.credential !== undefined
          ? sells(hit)
          : till.ask([
              till.challenge({ amount: "1" }, hit, { method: "tempo" }),
              till.challenge(till.sol(5n), hit),
              till.challenge(till.usdc(2_000_000n), hit),
              till.challenge(till.usdc(20n), hit),
              till.challenge(till.usdc(10n), hit),
            ]);
      expect(await cost(() => agent().fetch(till.url))).to.equal(20n);
    });

    it("and names the first reason when it may pay none", async () => {
      till.route = (hit) => till.ask([till.challenge(till.usdc(2_000_000n), hit), till.challenge(till.sol(5n), hit)]);
      await rejected(agent().fetch(till.url), "budget-exceeded");
    });

    it("not out of a hundred", async () => {
      till.route = (hit) => till.ask(Array.from({ length: 17 }, () => till.challenge(till.usdc(1n), hit)));
      await rejected(agent().fetch(till.url), "challenge-refused:too-many");
    });
  });

  describe("refuses a challenge", () => {
    async function refused(code: string, more: Partial<AgentOptions> = {}, url = till.url): Promise<void> {
      const payer = agent(more);
      await rejected(payer.fetch(url), code);
      expect(till.paidHits).to.have.length(0);
      expect(await spending(payer)).to.deep.equal({ spent: 0n, spentToday: 0n, open: 0n, locked: 0n });
    }

    it("that cannot be read", async () => {
      for (const header of [
        'Payment id="a", realm="b", method="solana"',
        'Payment id="a", id="b", realm="b", method="solana", intent="charge", request="e30"',
        'Payment id="", realm="b", method="solana", intent="charge", request="e30"',
        'Payment id="a", realm="b", method="solana", intent="charge", request="!!"',
      ]) {
        till.route = () => ({ status: 402, headers: { "www-authenticate": header } });
        await refused("challenge-refused:malformed");
      }
    });

    it("whose request is no charge", async () => {
      till.route = (hit) => till.ask([till.challenge({ amount: "-1", currency: "sol", recipient: "x" }, hit)]);
      await refused("challenge-refused:malformed");
    });

    it("too long to be one, though the connection takes it", async () => {
      till.route = (hit) => till.ask([till.challenge({ ...till.usdc(1n), padding: "x".repeat(9_000) }, hit)]);
      await refused("challenge-refused:malformed", {
        fetch: async (input, init) => {
          const response = await fetch(input, init);
          const headers = new Headers(response.headers);
          headers.append("www-authenticate", `Basic realm="${"y".repeat(16_000)}"`);
          return new Response(response.body, { status: response.status, headers });
        },
      });
    });

    it("with more headers than a connection takes, as fetch does", async () => {
      till.route = () => ({ status: 402, headers: { "www-authenticate": `Payment ${"x".repeat(100_000)}` } });
      const failed = await agent()
        .fetch(till.url)
        .catch((error: unknown) => error);
      expect(failed).to.be.instanceOf(TypeError);
    });

    it("that has expired", async () => {
      till.route = till.sells(till.usdc(10n), { expires: new Date(Date.now() - 1_000).toISOString() });
      await refused("challenge-refused:expired");
    });

    it("that expires while the payment is made: it is not presented", async () => {
      let issued = 0;
      const start = Date.now();
      let clock = start;
      till.route = (hit) => {
        issued++;
        return till.ask([till.challenge(till.usdc(10n), hit, { expires: new Date(start + 5_000).toISOString() })]);
      };
      const confirm = () => {
        clock += 10_000;
        return true;
      };
      const slow = { confirm, now: () => clock };
      await rejected(agent({ ...slow, fetch: undated }).fetch(till.url), "challenge-refused:expired");
      expect(till.paidHits).to.have.length(0);
      expect(issued).to.be.within(1, 3);
    });

    it("that expires while the payment is made, and puts the payment under a fresh one", async () => {
      let clock = Date.now();
      const sells = till.sells(till.usdc(10n));
      till.route = (hit) => {
        const expires = new Date(clock + 5_000).toISOString();
        return hit.credential === undefined ? till.ask([till.challenge(till.usdc(10n), hit, { expires })]) : sells(hit);
      };
      let asked = 0;
      const confirm = () => {
        asked++;
        clock += 10_000;
        return true;
      };
      const payer = agent({ confirm, now: () => clock, fetch: undated });
      expect(await cost(() => payer.fetch(till.url))).to.equal(10n);
      expect(asked).to.equal(1);
      expect(till.paidHits[0]!.credential!.challenge.id).to.equal(till.issued[1]!.id);
    });

    it("that expired, and returns an amount that nobody was shown; one that it has sent it can still show", async () => {
      let clock = Date.now();
      const start = clock;
      const expires = new Date(start + 5_000).toISOString();
      till.route = (hit) => till.ask([till.challenge(till.usdc(10n), hit, { expires })]);
      const confirm = () => {
        clock += 10_000;
        return true;
      };
      const payer = agent({ confirm, now: () => clock, fetch: undated });
      await rejected(payer.fetch(till.url), "challenge-refused:expired");
      expect(await spending(payer)).to.include({ spent: 0n, open: 0n });
      clock = start;
      const pushing = agent({ confirm, now: () => clock, fetch: undated, charge: { mode: "push" } });
      const spent = await cost(async () => {
        const error = (await rejected(pushing.fetch(till.url), "payment-pending")) as unknown as PaymentPendingError;
        expect(error.cause).to.include({ code: "challenge-refused:expired" });
        expect(await spending(pushing)).to.include({ spent: 10n, open: 0n });
        till.route = till.sells(till.usdc(10n));
        expect((await error.resume()).status).to.equal(200);
      });
      expect(spent).to.equal(10n);
    });

    it("by the server's clock, not its own", async () => {
      const behind = () => Date.now() - 5 * 60_000;
      const expires = () => new Date(behind() + 30_000).toISOString();
      till.route = (hit) => dated(till.sells(till.usdc(10n), { expires: expires() }), behind())(hit);
      expect((await agent().fetch(till.url)).status).to.equal(200);
      const ahead = Date.now() + 5 * 60_000;
      till.hits.length = 0;
      till.route = dated(till.sells(till.usdc(10n), { expires: new Date(ahead - 30_000).toISOString() }), ahead);
      await refused("challenge-refused:expired");
    });

    it("by its own clock, when the server's is out of all reason", async () => {
      const past = Date.now() - 3_600_000;
      till.route = dated(till.sells(till.usdc(10n), { expires: new Date(past + 60_000).toISOString() }), past);
      await refused("challenge-refused:expired");
    });

    it("for another body", async () => {
      till.route = till.sells(till.usdc(10n), { digest: "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:" });
      await refused("challenge-refused:digest");
    });

    it("of a realm that names another host", async () => {
      for (const realm of ["api.other.example", "https://other.example/", "OTHER.EXAMPLE", "shop.example.evil.com"]) {
        till.route = till.sells(till.usdc(10n), { realm });
        await refused("challenge-refused:realm", { fetch: tunnel }, SHOP);
      }
    });

    it("but not for a realm that is its host, one above or below it, a name, or allowed", async () => {
      for (const realm of [
        "shop.example",
        "example.com",
        "api.shop.example",
        "https://shop.example:443",
        "Shop & Co.",
      ]) {
        till.route = till.sells(till.usdc(10n), { realm });
        const response = await agent({ fetch: tunnel, realms: ["example.com"] }).fetch(SHOP);
        expect(response.status).to.equal(200);
      }
    });

    for (const network of ["mainnet", "mainnet-beta", "devnet"]) {
      it(`of ${network}`, async () => {
        const request = till.usdc(10n);
        const methodDetails = { ...(request.methodDetails as JsonObject), network };
        till.route = (hit) => till.ask([till.challenge({ ...request, methodDetails }, hit)]);
        await refused("network-mismatch");
      });
    }

    it("of another cluster, whatever the RPC would say of its mint", async () => {
      const currency = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v";
      till.route = (hit) => till.ask([till.challenge(till.usdc(10n, { network: "mainnet", currency }), hit)]);
      await refused("network-mismatch");
    });

    it("when the RPC is of another cluster than the agent", async () => {
      till.route = till.sells(till.usdc(10n, { network: "devnet" }));
      await refused("network-mismatch", { network: "devnet" });
    });

    it("over plain http to anywhere but this machine, unless told", async () => {
      const plain: Fetch = (input, init) => fetch(String(input).replace("http://shop.example", till.url), init);
      till.route = till.sells(till.usdc(10n));
      await refused("insecure-transport", { fetch: plain }, "http://shop.example/");
      await refused("insecure-transport", { http: "never" });
      const response = await agent({ fetch: plain, http: "always" }).fetch("http://shop.example/");
      expect(response.status).to.equal(200);
    });

    it("of a host that is not on the list, to which it does not say what it can pay either", async () => {
      till.route = till.sells(till.usdc(10n));
      await refused("host-not-allowed", { allow: { hosts: ["api.example.com"] } });
      expect(till.hits[0]!.headers["accept-payment"]).to.equal(undefined);
    });
  });

  describe("follows redirects", () => {
    const to = (location: string, status = 302): Reply => ({ status, headers: { location } });

    it("within an origin, and pays at the end", async () => {
      const sells = till.sells(till.usdc(10n));
      till.route = (hit) => (hit.path === "/old" ? to("/new", 301) : sells(hit));
      const response = await agent().fetch(`${till.url}/old`);
      expect([response.status, response.redirected]).to.deep.equal([200, true]);
      expect(till.paidHits.map(({ path }) => path)).to.deep.equal(["/new"]);
    });

    it("as fetch does: method, body and headers", async () => {
      for (const [status, method, body] of [
        [301, "GET", ""],
        [302, "GET", ""],
        [303, "GET", ""],
        [307, "POST", "body"],
        [308, "POST", "body"],
      ] as const) {
        till.hits.length = 0;
        till.route = ({ path }) => (path === "/a" ? to("/b", status) : { status: 200 });
        const response = await agent().fetch(`${till.url}/a`, { method: "POST", body: "body" });
        const reference = await fetch(`${till.url}/a`, { method: "POST", body: "body" });
        const [, ours, , theirs] = till.hits;
        expect([ours!.method, ours!.body.toString()]).to.deep.equal([method, body]);
        expect([theirs!.method, theirs!.body.toString()]).to.deep.equal([method, body]);
        expect(ours!.headers["content-type"]).to.equal(theirs!.headers["content-type"]);
        expect([response.status, response.redirected]).to.deep.equal([reference.status, reference.redirected]);
      }
    });

    it("unless that would take a stream twice: it says so, and sends nothing in its place", async () => {
      till.route = ({ path }) => (path === "/a" ? to("/b", 307) : { status: 200 });
      const body = new Blob(["streamed"]).stream();
      const post = { method: "POST", body, duplex: "half" as const };
      await rejected(agent().fetch(`${till.url}/a`, post), "body-not-replayable");
      expect(till.hits.map(({ path }) => path)).to.deep.equal(["/a"]);
    });

    it("never to pay another origin", async () => {
      other.route = other.sells(other.usdc(10n));
      till.route = () => to(`${other.url}/pay`);
      const error = await rejected(agent().fetch(`${till.url}/free`), "cross-origin-redirect");
      expect(error).to.include({ from: `${till.url}/free`, to: `${other.url}/pay` });
      expect(other.paidHits).to.have.length(0);
    });

    it("never to pay after a detour over another origin", async () => {
      const sells = till.sells(till.usdc(10n));
      other.route = () => to(`${till.url}/pay`);
      till.route = (hit) => (hit.path === "/pay" ? sells(hit) : to(`${other.url}/`));
      await rejected(agent().fetch(`${till.url}/free`), "cross-origin-redirect");
      expect(till.paidHits).to.have.length(0);
    });

    it("to another origin for what is free, without what is secret", async () => {
      other.route = () => ({ status: 200, body: "elsewhere" });
      till.route = () => to(other.url);
      const headers = { authorization: "Bearer key", cookie: "a=b", "x-plain": "1" };
      const response = await agent().fetch(till.url, { headers });
      expect(await response.text()).to.equal("elsewhere");
      const [hit] = other.hits;
      expect([hit!.headers.authorization, hit!.headers.cookie, hit!.headers["x-plain"]]).to.deep.equal([
        undefined,
        undefined,
        "1",
      ]);
    });

    it("of a paid answer within the origin, with the payment where the request is the same, once paid", async () => {
      const sells = till.sells(till.usdc(10n));
      till.route = (hit) => (hit.credential !== undefined && hit.path === "/a" ? to("/b", 307) : sells(hit));
      const payer = agent();
      expect(await cost(async () => expect((await payer.fetch(`${till.url}/a`)).status).to.equal(200))).to.equal(10n);
    });

    it("of a paid answer to another origin, without the payment", async () => {
      other.route = () => ({ status: 200, body: "elsewhere" });
      const ask = till.sells(till.usdc(10n));
      till.route = (hit) => (hit.credential === undefined ? ask(hit) : to(`${other.url}/steal`, 307));
      const payer = agent();
      await payer.fetch(till.url);
      const [stolen] = other.hits;
      expect(stolen!.credential).to.equal(undefined);
      expect([stolen!.headers.authorization, stolen!.headers["idempotency-key"]]).to.deep.equal([undefined, undefined]);
      // The seller has the signed transaction: whether it sends it is its affair.
      expect((await spending(payer)).spent).to.equal(10n);
    });

    it("of a paid answer to another origin, whose challenge is none of the payment's", async () => {
      other.route = (hit) => other.ask([other.challenge(other.usdc(10n), hit)], "challenge-expired");
      const ask = till.sells(till.usdc(10n));
      till.route = (hit) => (hit.credential === undefined ? ask(hit) : to(`${other.url}/ask`, 307));
      const payer = agent();
      expect((await payer.fetch(till.url)).status).to.equal(402);
      expect([till.paidHits.length, other.paidHits.length]).to.deep.equal([1, 0]);
      expect(await spending(payer)).to.include({ spent: 10n, open: 10n });
    });

    it("of a paid answer to what it made, which is not paid for again", async () => {
      const sells = till.sells(till.usdc(10n));
      till.route = async (hit) => {
        const reply = await sells(hit);
        return hit.credential === undefined ? reply : { ...(reply as Reply), ...to("/result", 303) };
      };
      const payer = agent();
      const spent = await cost(async () => {
        const response = await payer.fetch(till.url, { method: "POST", body: "work" });
        expect([response.status, response.redirected]).to.deep.equal([402, true]);
      });
      expect(spent).to.equal(10n);
      expect(till.hits.map(({ method, path }) => `${method} ${path}`)).to.deep.equal([
        "POST /",
        "POST /",
        "GET /result",
      ]);
      expect(await spending(payer)).to.include({ spent: 10n, open: 0n });
    });

    it("not when the caller says so", async () => {
      till.route = () => to("/b");
      const manual = await agent().fetch(till.url, { redirect: "manual" });
      expect([manual.status, manual.headers.get("location")]).to.deep.equal([302, "/b"]);
      const failed = await agent()
        .fetch(till.url, { redirect: "error" })
        .catch((error: unknown) => error);
      expect(failed).to.be.instanceOf(TypeError);
    });

    it("not in circles", async () => {
      till.route = () => to("/");
      const failed = await agent()
        .fetch(till.url)
        .catch((error: unknown) => error);
      expect(failed).to.be.instanceOf(TypeError);
      expect(till.hits).to.have.length(21);
    });
  });

  describe("when the payment is refused", () => {
    const once = (code: Parameters<Till["ask"]>[1], then: () => void = () => {}) => {
      const sells = till.sells(till.usdc(10n));
      let done = false;
      till.route = (hit) => {
        if (hit.credential === undefined || done) return sells(hit);
        done = true;
        then();
        return till.ask([till.challenge(till.usdc(10n), hit)], code);
      };
    };
    const transactions = () => till.paidHits.map(({ credential }) => credential!.payload.transaction);

    for (const code of ["challenge-expired", "challenge-unknown", "challenge-used"] as const) {
      it(`with ${code}, shows the same transaction under the fresh challenge, under the same key`, async () => {
        once(code);
        const payer = agent();
        expect(await cost(() => payer.fetch(till.url))).to.equal(10n);
        const [first, second] = transactions();
        expect(second).to.equal(first);
        const keys = till.paidHits.map(({ headers }) => headers["idempotency-key"]);
        expect(keys[1]).to.equal(keys[0]);
        expect(till.paidHits[0]!.credential!.challenge.id).not.to.equal(till.paidHits[1]!.credential!.challenge.id);
        expect(await spending(payer)).to.include({ spent: 10n, open: 0n });
      });
    }

    it("with a fresh challenge of another reference, shows the same transaction: a second could be paid twice", async () => {
      const sells = till.sells(till.usdc(10n));
      let n = 0;
      till.route = (hit) => {
        if (hit.credential !== undefined && n > 0) return sells(hit);
        const fresh = till.challenge(till.usdc(10n, { externalId: `${n}` }), hit);
        if (hit.credential !== undefined) n++;
        return till.ask([fresh], hit.credential ? "challenge-expired" : "payment-required");
      };
      expect(await cost(() => agent().fetch(till.url))).to.equal(10n);
      expect(transactions()[1]).to.equal(transactions()[0]);
    });

    for (const type of ["invalid-challenge", "payment-expired"]) {
      it(`with the type ${type} and no code, as other servers do, shows the same transaction again`, async () => {
        const sells = till.sells(till.usdc(10n));
        let refused = false;
        till.route = async (hit) => {
          if (hit.credential === undefined || refused) return sells(hit);
          refused = true;
          const reply = till.ask([till.challenge(till.usdc(10n), hit)]);
          return { ...reply, body: { type: `https://paymentauth.org/problems/${type}`, title: "No", status: 402 } };
        };
        expect(await cost(() => agent().fetch(till.url))).to.equal(10n);
        expect(transactions()[1]).to.equal(transactions()[0]);
      });
    }

    it("with transaction-expired, pays anew once the chain says the same", async () => {
      once("transaction-expired", () => world.expireBlockhashes());
      const payer = agent();
      expect(await cost(() => payer.fetch(till.url))).to.equal(10n);
      const [first, second] = transactions();
      expect(second).not.to.equal(first);
      expect(await spending(payer)).to.include({ spent: 10n, open: 0n });
    });

    it("with transaction-expired while it may still land, does not pay again", async () => {
      let kept: Hit | undefined;
      till.route = (hit) => {
        kept ??= hit.credential === undefined ? undefined : hit;
        return till.ask(
          [till.challenge(till.usdc(10n), hit)],
          hit.credential ? "transaction-expired" : "payment-required",
        );
      };
      const payer = agent({ charge: { expiryWaitMs: 600 } });
      const error = (await rejected(payer.fetch(till.url), "payment-refused")) as unknown as PaymentRefusedError;
      expect(error.fate).to.equal("unknown");
      expect(till.paidHits).to.have.length(1);
      expect(await spending(payer)).to.include({ spent: 10n, open: 10n });
      // And land it does.
      expect(await cost(() => till.settle(kept!.credential!))).to.equal(10n);
      await payer.reconcile();
      expect(await spending(payer)).to.include({ spent: 10n, open: 0n });
    });

    for (const code of ["simulation-failed", "amount-mismatch", "malformed-credential"] as const) {
      it(`with ${code}, gives up, says why, and counts the amount until it cannot be taken any more`, async () => {
        till.route = (hit) =>
          till.ask([till.challenge(till.usdc(10n), hit)], hit.credential ? code : "payment-required");
        const payer = agent();
        const error = (await rejected(payer.fetch(till.url), "payment-refused")) as unknown as PaymentRefusedError;
        expect([error.status, error.problem?.code, error.fate]).to.deep.equal([402, code, "unknown"]);
        expect(await error.response.json()).to.include({ code });
        expect(till.paidHits).to.have.length(1);
        expect(await spending(payer)).to.include({ spent: 10n, open: 10n });
        world.expireBlockhashes();
        await payer.reconcile();
        expect(await spending(payer)).to.include({ spent: 0n, open: 0n });
      });
    }

    it("although it landed, says that the money is gone", async () => {
      till.route = async (hit) => {
        if (hit.credential === undefined) return till.ask([till.challenge(till.usdc(10n), hit)]);
        await till.land(
          hit.credential,
          ChargePayload.fromJson(hit.credential.payload).type === "transaction"
            ? Buffer.from(String(hit.credential.payload.transaction), "base64")
            : new Uint8Array(),
        );
        return till.ask([till.challenge(till.usdc(10n), hit)], "simulation-failed");
      };
      const payer = agent();
      const error = (await rejected(payer.fetch(till.url), "payment-refused")) as unknown as PaymentRefusedError;
      expect(error.fate).to.equal("paid");
      const { value } = await world.connection.getSignatureStatuses([error.reference!]);
      expect(value[0]).to.include({ err: null });
      expect(await spending(payer)).to.include({ spent: 10n, open: 0n });
    });

    it("although it landed with the server's fee, finds it in the wallet's history", async () => {
      till.route = async (hit) => {
        if (hit.credential === undefined) return till.ask([till.challenge(till.usdc(10n, till.sponsored), hit)]);
        await till.settle(hit.credential);
        return till.ask([till.challenge(till.usdc(10n, till.sponsored), hit)], "simulation-failed");
      };
      const error = (await rejected(agent().fetch(till.url), "payment-refused")) as unknown as PaymentRefusedError;
      expect([error.fate, error.reference]).to.deep.equal(["paid", till.settled[0]]);
    });

    it("and cannot be taken any more, with the server's fee, gives the amount back", async () => {
      till.route = (hit) => {
        if (hit.credential !== undefined) world.expireBlockhashes();
        const fresh = [till.challenge(till.usdc(10n, till.sponsored), hit)];
        return till.ask(fresh, hit.credential ? "simulation-failed" : "payment-required");
      };
      const payer = agent();
      const error = (await rejected(payer.fetch(till.url), "payment-refused")) as unknown as PaymentRefusedError;
      expect(error.fate).to.equal("not-paid");
      expect(await spending(payer)).to.include({ spent: 0n, open: 0n });
    });

    const changes: [string, (till: Till) => JsonObject][] = [
      ["amount", () => till.usdc(11n)],
      ["recipient", () => till.usdc(10n, { recipient: world.sponsor.publicKey.toBase58() })],
      ["splits", () => till.usdc(10n, { splits: [{ recipient: world.sponsor.publicKey.toBase58(), amount: 1n }] })],
      ["currency", () => till.sol(10n)],
    ];
    for (const [field, changed] of changes) {
      it(`with a fresh challenge of another ${field}, pays no more`, async () => {
        till.route = (hit) =>
          hit.credential === undefined
            ? till.ask([till.challenge(till.usdc(10n), hit)])
            : till.ask([till.challenge(changed(till), hit)], "challenge-expired");
        const payer = agent();
        const error = (await rejected(payer.fetch(till.url), "payment-refused")) as unknown as PaymentRefusedError;
        expect(error.cause).to.include({ code: "challenge-refused:terms-changed" });
        expect([error.fate, error.problem?.code]).to.deep.equal(["unknown", "challenge-expired"]);
        expect(till.paidHits).to.have.length(1);
        expect(await spending(payer)).to.include({ spent: 10n, open: 10n });
      });
    }

    it("again and again, gives up after two, which were one transaction", async () => {
      till.route = (hit) =>
        till.ask([till.challenge(till.usdc(10n), hit)], hit.credential ? "challenge-unknown" : "payment-required");
      await rejected(agent().fetch(till.url), "payment-refused");
      expect(transactions()).to.have.length(2);
      expect(new Set(transactions()).size).to.equal(1);
    });

    it("in words that are not fit for a log, repeats them without what could forge a line", async () => {
      till.route = (hit) => {
        const said = `no\nFATAL: forged \u001b[31m${"x".repeat(1_000)}`;
        const fresh = [till.challenge(till.usdc(10n), hit)];
        return hit.credential === undefined ? till.ask(fresh) : till.ask(fresh, "amount-mismatch", said);
      };
      const { message } = await rejected(agent().fetch(till.url), "payment-refused");
      expect(message).to.match(/^the payment was refused: no FATAL: forged {2}\[31mx+$/);
      expect(message.length).to.be.lessThan(400);
    });

    it("without a fresh challenge, gives up", async () => {
      till.route = (hit) =>
        hit.credential === undefined
          ? till.ask([till.challenge(till.usdc(10n), hit)])
          : till.problem("challenge-unknown");
      await rejected(agent().fetch(till.url), "payment-refused");
      expect(till.paidHits).to.have.length(1);
    });

    it("with another status of the scheme, says so too", async () => {
      till.route = (hit) =>
        hit.credential === undefined
          ? till.ask([till.challenge(till.usdc(10n), hit)])
          : till.problem("several-credentials");
      const error = (await rejected(agent().fetch(till.url), "payment-refused")) as unknown as PaymentRefusedError;
      expect(error.status).to.equal(400);
    });
  });

  describe("while the server is not sure", () => {
    /** Answers the first `times` paid requests with something else. */
    const first = (times: number, reply: (hit: Hit, n: number) => Promise<Reply | undefined> | Reply | undefined) => {
      const sells = till.sells(till.usdc(10n));
      let n = 0;
      till.route = (hit) => (hit.credential === undefined || n++ >= times ? sells(hit) : reply(hit, n));
    };
    const same = () => {
      const credentials = till.paidHits.map(({ headers }) => `${headers.authorization} ${headers["idempotency-key"]}`);
      return new Set(credentials).size === 1;
    };

    const answers: [string, () => Reply | undefined][] = [
      ["202 settlement-pending", () => till.pending("sig")],
      ["409 idempotency-in-flight", () => till.problem("idempotency-in-flight", {}, { "retry-after": "0" })],
      ["503 unavailable", () => till.problem("unavailable", {}, { "retry-after": "0" })],
      ["a connection that breaks", () => undefined],
    ];
    for (const [name, reply] of answers) {
      it(`(${name}) repeats the same request with the same payment and key`, async () => {
        first(2, reply);
        const payer = agent();
        expect(await cost(async () => expect((await payer.fetch(till.url)).status).to.equal(200))).to.equal(10n);
        expect(till.paidHits).to.have.length(3);
        expect(same()).to.equal(true);
        expect(await spending(payer)).to.include({ spent: 10n, open: 0n });
      });
    }

    it("and settles before the connection breaks, gets the answer that it missed and pays once", async () => {
      const sells = till.sells(till.usdc(10n));
      let broken = false;
      till.route = async (hit) => {
        const reply = await sells(hit);
        if (hit.credential === undefined || broken) return reply;
        broken = true;
        return undefined;
      };
      expect(await cost(async () => expect((await agent().fetch(till.url)).status).to.equal(200))).to.equal(10n);
      expect(till.settled).to.have.length(1);
    });

    it("waits as long as it says", async () => {
      let at = 0;
      let waited = 0;
      first(1, () => {
        at = Date.now();
        return { ...till.pending(), headers: { "content-type": "application/problem+json", "retry-after": "1" } };
      });
      const route = till.route;
      till.route = (hit) => {
        if (at > 0) waited = Date.now() - at;
        return route(hit);
      };
      await agent().fetch(till.url);
      expect(waited).to.be.at.least(950);
    });

    it("for ever, says that it is pending, counts it, and asks again when told", async () => {
      first(4, () => till.pending("known"));
      const payer = agent({ settleTimeoutMs: 350 });
      const error = (await rejected(payer.fetch(till.url), "payment-pending")) as unknown as PaymentPendingError;
      expect(error.signature).to.equal("known");
      expect(await spending(payer)).to.include({ spent: 10n, open: 10n });
      const response = await error.resume();
      expect(response.status).to.equal(200);
      expect(same()).to.equal(true);
      await payer.reconcile();
      expect(await spending(payer)).to.include({ spent: 10n, open: 0n });
    });

    it("and never answers, says that it is pending", async () => {
      first(100, () => undefined);
      const payer = agent();
      const error = await rejected(payer.fetch(till.url), "payment-pending");
      expect(error.cause).to.be.instanceOf(TypeError);
      expect(till.paidHits).to.have.length(3);
      expect(await spending(payer)).to.include({ spent: 10n, open: 10n });
    });

    it("and the caller aborts, stops at once and counts it", async () => {
      first(100, () => till.pending());
      const payer = agent();
      const controller = new AbortController();
      const answer = payer.fetch(till.url, { signal: controller.signal });
      while (till.paidHits.length === 0) await new Promise((done) => setTimeout(done, 5));
      controller.abort(new RangeError("enough"));
      expect(await answer.catch((error: Error) => error.name)).to.equal("RangeError");
      await new Promise((done) => setTimeout(done, 20));
      expect(await spending(payer)).to.include({ spent: 10n, open: 10n });
    });

    it("and the caller has aborted before anything was shown, returns the amount", async () => {
      till.route = till.sells(till.usdc(10n));
      const controller = new AbortController();
      const payer = agent({ onProgress: ({ step }) => step === "paying" && controller.abort(new RangeError("late")) });
      const answer = payer.fetch(till.url, { signal: controller.signal });
      expect(await answer.catch((error: Error) => error.name)).to.equal("RangeError");
      await new Promise((done) => setTimeout(done, 20));
      expect(till.paidHits).to.have.length(0);
      expect(await spending(payer)).to.include({ spent: 0n, open: 0n });
    });

    it("takes a 202 of the resource's own for an answer", async () => {
      const sells = till.sells(till.usdc(10n));
      till.route = async (hit) => {
        const reply = await sells(hit);
        return hit.credential === undefined ? reply : { ...(reply as Reply), status: 202, body: { job: 1 } };
      };
      const response = await agent().fetch(till.url);
      expect([response.status, await response.json()]).to.deep.equal([202, { job: 1 }]);
    });
  });

  describe("when the server was paid and fails", () => {
    it("gives back its answer, counts the payment, and can ask again without paying", async () => {
      const sells = till.sells(till.usdc(10n));
      let failed = false;
      till.route = async (hit) => {
        if (hit.credential === undefined || failed) return sells(hit);
        failed = true;
        return { status: 500, headers: { "payment-receipt": "not to be believed" }, body: "boom" };
      };
      const payer = agent();
      const response = await payer.fetch(till.url, { method: "POST", body: "work" });
      expect([response.status, await response.text()]).to.deep.equal([500, "boom"]);
      expect(paymentOf(response)?.receipt).to.equal(undefined);
      expect(await spending(payer)).to.include({ spent: 10n });
      const again = await paymentOf(response)!.repeat();
      expect(again.status).to.equal(200);
      const [first, second] = till.paidHits;
      expect(second!.headers.authorization).to.equal(first!.headers.authorization);
      expect(second!.headers["idempotency-key"]).to.equal(first!.headers["idempotency-key"]);
      expect(second!.body.toString()).to.equal("work");
    });

    it("gives back a 403 of its policy", async () => {
      till.route = (hit) =>
        hit.credential === undefined ? till.ask([till.challenge(till.usdc(10n), hit)]) : till.problem("policy-denied");
      expect((await agent().fetch(till.url)).status).to.equal(403);
    });
  });

  describe("takes no receipt", () => {
    const lies: [string, (receipt: Receipt.Receipt) => string | undefined, RegExp][] = [
      ["of another transaction", (r) => Receipt.format({ ...r, reference: "1".repeat(64) }), /another transaction/],
      ["of another challenge", (r) => Receipt.format({ ...r, challengeId: "other" }), /another challenge/],
      ["of another method", (r) => Receipt.format({ ...r, method: "tempo" }), /method tempo/],
      ["that is none", () => "!!!", /receipt/],
      ["of a failure", (r) => Buffer.from(JSON.stringify({ ...r, status: "failed" })).toString("base64url"), /status/],
    ];
    for (const [name, lie, why] of lies) {
      it(name, async () => {
        const sells = till.sells(till.usdc(10n));
        till.route = async (hit) => {
          const reply = (await sells(hit)) as Reply;
          const header = reply.headers?.["payment-receipt"];
          if (header === undefined) return reply;
          return {
            ...reply,
            headers: { ...reply.headers, "payment-receipt": lie(Receipt.parse(String(header))) ?? "" },
          };
        };
        const payer = agent();
        const response = await payer.fetch(till.url);
        expect(await response.json()).to.deep.equal({ served: 1 });
        expect(paymentOf(response)?.receipt).to.equal(undefined);
        expect(paymentOf(response)?.receiptProblem).to.match(why);
        expect((await spending(payer)).spent).to.equal(10n);
        const strict = await rejected(agent({ receipts: "require" }).fetch(till.url), "receipt-invalid");
        expect(await (strict as unknown as { response: Response }).response.json()).to.deep.equal({ served: 2 });
      });
    }

    it("for one when there must be one", async () => {
      const sells = till.sells(till.usdc(10n));
      till.route = async (hit) => {
        const { headers: { "payment-receipt": _, ...headers } = {}, ...reply } = (await sells(hit)) as Reply;
        return { ...reply, headers };
      };
      expect((await agent().fetch(till.url)).status).to.equal(200);
      await rejected(agent({ receipts: "require" }).fetch(till.url), "receipt-invalid");
    });
  });

  describe("of identical requests at a time", () => {
    it("pays one, and everybody gets the whole answer", async () => {
      till.route = till.sells(till.usdc(10n));
      const payer = agent();
      const spent = await cost(async () => {
        const responses = await Promise.all(Array.from({ length: 10 }, () => payer.fetch(`${till.url}/same`)));
        for (const response of responses) {
          expect(await response.json()).to.deep.equal({ served: 1 });
          expect(paymentOf(response)?.receipt?.reference).to.equal(till.settled[0]);
        }
      });
      expect(spent).to.equal(10n);
      expect(till.paidHits).to.have.length(1);
    });

    it("pays each one that may change something, or that differs in anything", async () => {
      till.route = till.sells(till.usdc(10n));
      const payer = agent();
      const spent = await cost(() =>
        Promise.all([
          payer.fetch(till.url, { method: "POST", body: "1" }),
          payer.fetch(till.url, { method: "POST", body: "1" }),
          payer.fetch(till.url),
          payer.fetch(`${till.url}/?q`),
          payer.fetch(till.url, { headers: { "x-user": "2" } }),
          payer.fetch(till.url, { headers: { "idempotency-key": "own" } }),
        ]),
      );
      expect(spent).to.equal(60n);
    });

    it("pays again for one that comes later", async () => {
      till.route = till.sells(till.usdc(10n));
      const payer = agent();
      expect(
        await cost(async () => {
          await payer.fetch(till.url);
          await payer.fetch(till.url);
        }),
      ).to.equal(20n);
    });

    it("leaves the others their answer when one is aborted", async () => {
      const sells = till.sells(till.usdc(10n));
      let release = () => {};
      const released = new Promise<void>((done) => {
        release = done;
      });
      till.route = async (hit) => {
        if (hit.credential !== undefined) await released;
        return sells(hit);
      };
      const payer = agent();
      const controller = new AbortController();
      const aborted = payer.fetch(till.url, { signal: controller.signal });
      const kept = payer.fetch(till.url);
      while (till.paidHits.length === 0) await new Promise((done) => setTimeout(done, 5));
      controller.abort(new RangeError("mine"));
      expect(await aborted.catch((error: Error) => error.name)).to.equal("RangeError");
      release();
      expect(await (await kept).json()).to.deep.equal({ served: 1 });
    });

    it("gives up when all are aborted, and starts anew for the next", async () => {
      const sells = till.sells(till.usdc(10n));
      let stuck = true;
      till.route = (hit) => (hit.credential !== undefined && stuck ? new Promise(() => {}) : sells(hit));
      const payer = agent();
      const controllers = [new AbortController(), new AbortController()];
      const answers = controllers.map(({ signal }) =>
        payer.fetch(till.url, { signal }).catch((error: Error) => error.name),
      );
      while (till.paidHits.length === 0) await new Promise((done) => setTimeout(done, 5));
      for (const controller of controllers) controller.abort(new RangeError("enough"));
      expect(await Promise.all(answers)).to.deep.equal(["RangeError", "RangeError"]);
      stuck = false;
      expect((await payer.fetch(till.url)).status).to.equal(200);
      expect(till.paidHits).to.have.length(2);
      expect(await spending(payer)).to.include({ spent: 20n, open: 10n });
    });

    it("stops reading an answer when its only reader aborts", async () => {
      const sells = till.sells(till.usdc(10n));
      const endless: Fetch = async (input, init) => {
        const response = await fetch(input, init);
        if (response.status !== 200) return response;
        const body = new ReadableStream({
          start: (stream) => {
            init?.signal?.addEventListener("abort", () => stream.error(init.signal?.reason));
          },
        });
        return new Response(body, { headers: response.headers });
      };
      till.route = sells;
      const controller = new AbortController();
      const response = await agent({ fetch: endless }).fetch(till.url, { signal: controller.signal });
      const reading = response.text().catch((error: Error) => error.name);
      controller.abort(new RangeError("enough"));
      expect(await reading).to.equal("RangeError");
    });

    it("fails all when the payment fails", async () => {
      till.route = till.sells(till.usdc(2_000_000n));
      const payer = agent();
      const answers = [1, 2, 3].map(() => payer.fetch(till.url).catch((error: { code: string }) => error.code));
      expect(await Promise.all(answers)).to.deep.equal(Array(3).fill("budget-exceeded"));
    });
  });

  function asked(from: Till): string {
    const [issued] = from.issued;
    return Challenge.format(issued!);
  }
  const undated: Fetch = async (input, init) => {
    const response = await fetch(input, init);
    const headers = new Headers(response.headers);
    headers.delete("date");
    return new Response(response.body, { status: response.status, headers });
  };

  /** The route of a server whose clock says something else. */
  function dated(route: Till["route"], now: number): Till["route"] {
    return async (hit) => {
      const reply = await route(hit);
      return reply && { ...reply, headers: { ...reply.headers, date: new Date(now).toUTCString() } };
    };
  }
});
