// `mppx validate` (npm mppx 0.11) against our server: no check fails.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Payments } from "@mppsol/server";
import { expect } from "chai";
import { createWorld, type Listening, listen, paymentsFor, type World } from "./world.ts";

const run = promisify(execFile);

describe("mppx validate", () => {
  let world: World;
  let listening: Listening;
  let payments: Payments;

  before(async () => {
    world = await createWorld();
    payments = paymentsFor(world);
    const [charge, session] = [payments.charge("0.01"), payments.session("0.001")];
    const quote = charge(() => Response.json({ price: "1" }));
    const feed = session(() => Response.json({ tick: 1 }));
    const discovery = payments.discovery({
      title: "Interop",
      version: "1.0.0",
      routes: { "GET /quote": charge, "GET /feed": session },
    });
    listening = await listen(async (request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/quote") return quote(request);
      if (pathname === "/feed") return feed(request);
      return discovery.handle(request) ?? new Response("not found", { status: 404 });
    });
  });
  after(async () => {
    await listening.close();
    await payments.close();
    await world.chain.close();
  });

  it("finds nothing wrong with our server", async () => {
    const bin = "tests/interop/node_modules/.bin/mppx";
    const { stdout, stderr } = await run(bin, ["validate", listening.url]).catch((error: unknown) => {
      const { stdout, stderr } = error as { stdout: string; stderr: string };
      throw new Error(`mppx validate found fault:\n${stdout}\n${stderr}`);
    });
    const report = stdout + stderr;
    expect(report).to.match(/\d+ passed/);
    expect(report).not.to.match(/[1-9]\d* failed/);
  });
});
