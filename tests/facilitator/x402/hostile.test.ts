// Whatever is sent to x402's routes, the answer is one of those that are written down, and nothing is settled by chance.
import { expect } from "chai";
import fc from "fast-check";
import { transaction } from "../../support/exact.ts";
import { type Desk, openDesk, version1, version2 } from "./desk.ts";

describe("x402's routes under hostile input", () => {
  let desk: Desk;
  before(async () => {
    desk = await openDesk();
  });
  after(() => desk.app.close());

  const sound = [version1(transaction()), version2(transaction())];

  /** A sound body with one member, anywhere in it, replaced, removed or added. */
  const damaged = fc
    .record({
      body: fc.constantFrom(...sound),
      path: fc.array(fc.nat(), { minLength: 1, maxLength: 4 }),
      change: fc.constantFrom("replace", "remove", "add"),
      name: fc.constantFrom("amount", "extra", "__proto__", "feePayer", "x"),
      value: fc.jsonValue(),
    })
    .map(({ body, path, change, name, value }) => {
      const copy = structuredClone(body) as Record<string, unknown>;
      let at = copy;
      let last = copy;
      let key = "";
      for (const step of path) {
        const keys = Object.keys(at);
        if (keys.length === 0) break;
        last = at;
        key = keys[step % keys.length] as string;
        const next = at[key];
        if (typeof next !== "object" || next === null || Array.isArray(next)) break;
        at = next as Record<string, unknown>;
      }
      if (change === "remove") delete last[key];
      else if (change === "replace") last[key] = value;
      else Object.defineProperty(last, name, { value, enumerable: true });
      return copy;
    });

  for (const route of ["/verify", "/settle"]) {
    it(`${route} answers in x402's shape or with a problem document`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.oneof(damaged, fc.jsonValue()), async (body) => {
          const before = desk.engine.orders.length;
          const headers = { "content-type": "application/json" };
          const response = await desk.app.inject({
            method: "POST",
            url: route,
            payload: JSON.stringify(body),
            headers,
          });
          const answer = response.json();
          if (response.statusCode === 400) {
            expect(answer).to.have.property("code");
            expect(desk.engine.orders.length).to.equal(before);
          } else {
            expect(response.statusCode).to.equal(200);
            expect(answer[route === "/verify" ? "isValid" : "success"]).to.be.a("boolean");
          }
          const asked = desk.engine.orders.slice(before);
          for (const { request } of asked) expect(request.amount, "what the transaction pays").to.equal(10_000n);
        }),
        { numRuns: 400 },
      );
    });
  }
});
