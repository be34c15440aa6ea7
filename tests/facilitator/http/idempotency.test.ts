// Idempotency-Key: one request of a key is done once, and answered again.
import { Pglite, SqlStore, StoreError } from "@mppsol/server/parts";
import { expect } from "chai";
import { SqlTables } from "../../../services/facilitator/src/db/SqlTables.ts";
import type { Tables } from "../../../services/facilitator/src/db/Tables.ts";
import { FacilitatorError } from "../../../services/facilitator/src/errors/FacilitatorError.ts";
import { registerIdempotency } from "../../../services/facilitator/src/http/idempotency.ts";
import { type Bare, bare } from "./bare.js";

const LEASE_MS = 60_000;
/** So short that it is renewed while a test watches. */
const SHORT_MS = 30;

type Memory = Pick<Tables, "claimKey" | "renewKey" | "keepAnswer" | "releaseKey">;

describe("Idempotency-Key", () => {
  let database: Pglite;
  let tables: SqlTables;
  let world: Bare;
  let now = 1_800_000_000_000;
  let calls = 0;
  let errors: unknown[];
  let counter = 0;

  before(async () => {
    database = new Pglite(undefined);
    await new SqlStore(database, false).migrate();
    tables = new SqlTables(database);
    await tables.migrate();
  });
  after(() => database.close());

  /** The tables, but for one method. */
  const failing = (methods: Partial<Tables>): Memory => ({
    claimKey: (...asked) => tables.claimKey(...asked),
    renewKey: (...asked) => tables.renewKey(...asked),
    keepAnswer: (...asked) => tables.keepAnswer(...asked),
    releaseKey: (...asked) => tables.releaseKey(...asked),
    ...methods,
  });
  const make = (memory: Memory = tables, leaseMs = LEASE_MS) => {
    const made = bare((app) => {
      const context = { tables: memory, now: () => now, onError: (error: unknown) => errors.push(error) };
      registerIdempotency(app, context, { longestMs: 10 * LEASE_MS, leaseMs });
    });
    made.act = async (body) => {
      calls++;
      return { body: { call: calls, body: body as object } };
    };
    return made;
  };
  beforeEach(() => {
    calls = 0;
    errors = [];
    counter++;
    world = make();
  });
  afterEach(() => world.app.close());

  const send = (
    payload: object = { amount: "1" },
    key: string | string[] | null = `key ${counter}`,
    url = "/do",
    to = world,
  ) =>
    to.app.inject({
      method: "POST",
      url,
      payload,
      headers: key === null ? {} : { "idempotency-key": key },
    });

  it("is not needed: without one each request is done", async () => {
    await send({ amount: "1" }, null);
    await send({ amount: "1" }, null);
    expect(calls).to.equal(2);
  });

  it("has a request done once, and its answer given again, to the byte", async () => {
    const first = await send();
    const second = await send();
    expect(calls).to.equal(1);
    expect(first.headers["idempotent-replayed"]).to.equal(undefined);
    expect(second.headers["idempotent-replayed"]).to.equal("true");
    expect(second.statusCode).to.equal(200);
    expect(second.body).to.equal(first.body);
    expect(second.headers["content-type"]).to.equal(first.headers["content-type"]);
  });

  it("is refused with another body, another path is another key's", async () => {
    await send();
    const other = await send({ amount: "2" });
    expect(other.statusCode).to.equal(422);
    expect(other.json()).to.include({ code: "idempotency_key_reused", retryable: false });
    expect(calls).to.equal(1);
    expect((await send({ amount: "1" }, null, "/do/it")).statusCode).to.equal(200);
    expect((await send({ amount: "1" }, `key ${counter}`, "/do/it")).statusCode).to.equal(200);
    // The same route, another path: another request under the same key.
    expect((await send({ amount: "1" }, `key ${counter}`, "/do/that")).json()).to.include({
      code: "idempotency_key_reused",
    });
  });

  it("sees the body before the schema has changed it, and a query as part of the path", async () => {
    await send();
    expect((await send({ amount: "1" }, `key ${counter}`, "/do?x=1")).json()).to.include({
      code: "idempotency_key_reused",
    });
  });

  it("lets one of many work, and tells the others to come back", async () => {
    let go: () => void = () => {};
    const wait = new Promise<void>((resolve) => {
      go = resolve;
    });
    world.act = async () => {
      calls++;
      await wait;
      return { body: { call: calls } };
    };
    const first = send();
    const others = await Promise.all([send(), send(), send()]);
    for (const other of others) {
      expect(other.statusCode).to.equal(409);
      expect(other.json()).to.include({ code: "idempotency_key_in_flight", retryable: true });
      expect(Number(other.headers["retry-after"])).to.be.greaterThan(0);
    }
    go();
    expect((await first).statusCode).to.equal(200);
    expect((await send()).headers["idempotent-replayed"]).to.equal("true");
    expect(calls).to.equal(1);
  });

  it("holds in another process", async () => {
    const another = make();
    await send();
    expect((await send({ amount: "1" }, `key ${counter}`, "/do", another)).headers["idempotent-replayed"]).to.equal(
      "true",
    );
    expect(calls).to.equal(1);
    await another.app.close();
  });

  it("keeps a refusal that is final, in its own form", async () => {
    world.act = async () => {
      calls++;
      throw new FacilitatorError("settlement_amount_mismatch");
    };
    const first = await send();
    const second = await send();
    expect(calls).to.equal(1);
    expect(second.statusCode).to.equal(422);
    expect(second.body).to.equal(first.body);
    expect(second.headers["content-type"]).to.include("application/problem+json");
    expect(second.headers["idempotent-replayed"]).to.equal("true");
  });

  for (const code of [
    "recipient_account_missing",
    "rate_limited",
    "upstream_unavailable",
    "channel_unknown",
    "transaction_used",
  ] as const) {
    it(`does not keep ${code}: the next one is tried`, async () => {
      world.act = async () => {
        calls++;
        if (calls === 1) throw new FacilitatorError(code);
        return { body: { call: calls } };
      };
      await send();
      const second = await send();
      expect(second.statusCode).to.equal(200);
      expect(second.json()).to.deep.equal({ call: 2 });
    });
  }

  it("does not keep a fault, nor what is still under way", async () => {
    for (const answer of [
      async () => {
        throw new Error("a fault");
      },
      async () => ({ status: 202, body: { pending: true } }),
    ]) {
      counter++;
      calls = 0;
      world.act = async () => {
        calls++;
        return calls === 1 ? answer() : { body: { call: calls } };
      };
      await send();
      expect((await send()).json()).to.deep.equal({ call: 2 });
      expect((await send()).headers["idempotent-replayed"]).to.equal("true");
    }
  });

  it("is free for another body after what was not kept", async () => {
    world.act = async () => ({ status: 202, body: {} });
    await send();
    expect((await send({ amount: "2" })).statusCode).to.equal(202);
  });

  it("leaves no trace of a request that the schema refuses", async () => {
    expect((await send({ amount: "x" })).statusCode).to.equal(400);
    expect((await send({ amount: "1" })).statusCode).to.equal(200);
  });

  it("is taken over when its request has crashed, once the lease has run out", async () => {
    // A process that dies while it works: the claim stays.
    let crashed = true;
    world.act = () => (crashed ? new Promise(() => {}) : Promise.resolve({ body: { done: true } }));
    void send();
    await until(async () => (await send()).statusCode === 409);
    crashed = false;
    now += LEASE_MS - 1;
    expect((await send()).statusCode).to.equal(409);
    now += 1;
    expect((await send()).statusCode).to.equal(200);
    expect((await send()).headers["idempotent-replayed"]).to.equal("true");
  });

  it("stays with a request that works for longer than a lease, up to the longest", async () => {
    let renewals = 0;
    const counting = failing({
      renewKey: async (...asked) => {
        renewals++;
        return tables.renewKey(...asked);
      },
    });
    const slow = make(counting, SHORT_MS);
    let finish = () => {};
    slow.act = () => new Promise((resolve) => (finish = () => resolve({ body: { done: true } })));
    const first = send(undefined, undefined, undefined, slow);
    await until(async () => renewals > 0);
    now += SHORT_MS;
    const before = renewals;
    await until(async () => renewals > before + 1);
    // Without the renewals the lease would be over now.
    expect((await send(undefined, undefined, undefined, slow)).statusCode).to.equal(409);
    now += 10 * LEASE_MS;
    const last = renewals;
    await new Promise((resolve) => setTimeout(resolve, 3 * SHORT_MS));
    expect(renewals - last, "renewals of a request that hangs").to.be.at.most(1);
    finish();
    await first;
    await slow.app.close();
  });

  it("is 1 to 255 printable ASCII characters, and one", async () => {
    for (const key of ["", "a".repeat(256), "a\tb", "schl\u00fcssel"]) {
      const answer = await send({ amount: "1" }, key);
      expect(answer.statusCode, JSON.stringify(key)).to.equal(400);
      expect(answer.json()).to.include({ code: "idempotency_key_invalid" });
    }
    for (const key of ["!", "~".repeat(255), '"quoted"'])
      expect((await send({ amount: "1" }, key)).statusCode).to.equal(200);
  });

  it("stands in the way of nothing while the database is away: nothing is done", async () => {
    const broken = failing({
      claimKey: async () => {
        throw new StoreError("away");
      },
    });
    const other = make(broken);
    const answer = await send({ amount: "1" }, "any", "/do", other);
    expect(answer.statusCode).to.equal(503);
    expect(calls).to.equal(0);
    await other.app.close();
  });

  it("gives the answer, whether or not it can be kept", async () => {
    const broken = failing({
      keepAnswer: async () => {
        throw new StoreError("away");
      },
    });
    const other = make(broken);
    const answer = await send({ amount: "1" }, "kept by nobody", "/do", other);
    expect(answer.statusCode).to.equal(200);
    expect(errors).to.have.length(1);
    await other.app.close();
  });
});

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5));
}
