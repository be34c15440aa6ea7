// Who is told what: metrics and the details of readiness name nodes, keys and balances.
import { expect } from "chai";
import { tellsEverybody } from "../../../services/facilitator/src/ops/admin.ts";
import { type Running, startChain, startFacilitator } from "../support.js";

describe("what is told to whoever runs the service", () => {
  let net: Awaited<ReturnType<typeof startChain>>;
  let running: Running | undefined;
  before(async () => {
    net = await startChain();
  });
  after(() => net.close());
  afterEach(async () => {
    await running?.close();
    running = undefined;
  });

  it("is told everybody on localnet, elsewhere where that is said, and never beside a port of its own", () => {
    const admin = { host: "127.0.0.1", port: 0 };
    expect(tellsEverybody({ network: "localnet" })).to.equal(true);
    expect(tellsEverybody({ network: "localnet", publicMetrics: false })).to.equal(false);
    expect(tellsEverybody({ network: "localnet", admin })).to.equal(false);
    for (const network of ["devnet", "mainnet"] as const) {
      expect(tellsEverybody({ network }), network).to.equal(false);
      expect(tellsEverybody({ network, publicMetrics: true }), network).to.equal(true);
      expect(tellsEverybody({ network, admin }), network).to.equal(false);
    }
  });

  it("is at the admin port only where there is one, until the very end", async () => {
    running = await startFacilitator({
      net,
      config: { admin: { host: "127.0.0.1", port: 0 }, drainSeconds: 1 },
      overrides: { background: false },
    });
    const { facilitator } = running;
    const url = await facilitator.listen();
    const { port } = facilitator.admin!.server.address() as { port: number };
    const admin = `http://127.0.0.1:${port}`;
    expect(new URL(url).port).to.not.equal(String(port));

    const ready = await fetch(`${url}/readyz`);
    expect([ready.status, await ready.json()]).to.deep.equal([200, { status: "ready" }]);
    expect((await fetch(`${url}/metrics`)).status).to.equal(404);
    expect((await fetch(`${url}/livez`)).status).to.equal(200);

    const detailed = (await (await fetch(`${admin}/readyz`)).json()) as {
      checks: { rpc: { endpoints: { endpoint: string }[] }; feePayers: { keys: { lamports: string }[] } };
    };
    expect(detailed.checks.rpc.endpoints.map(({ endpoint }) => endpoint)).to.deep.equal([new URL(net.url).host]);
    expect(detailed.checks.feePayers.keys.every(({ lamports }) => BigInt(lamports) > 0n)).to.equal(true);
    const metrics = await (await fetch(`${admin}/metrics`)).text();
    expect(metrics).to.include('http_route="/readyz"').and.include('mpp_ledger_imbalance{rule="escrow"} 0');
    expect((await fetch(`${admin}/livez`)).status).to.equal(200);
    const nothing = await fetch(`${admin}/mpp/stats`);
    expect([nothing.status, ((await nothing.json()) as { code: string }).code]).to.deep.equal([404, "not_found"]);

    const closing = facilitator.close();
    const unready = await fetch(`${url}/readyz`);
    expect([unready.status, await unready.json()]).to.deep.equal([503, { status: "not-ready" }]);
    expect((await fetch(`${admin}/readyz`)).status).to.equal(503);
    await closing;
    const gone = await fetch(`${admin}/livez`).then(
      () => "there",
      () => "gone",
    );
    expect(gone).to.equal("gone");
  });

  it("is nowhere where it is not to be public and has no port", async () => {
    running = await startFacilitator({ net, config: { publicMetrics: false }, overrides: { background: false } });
    expect((await running.app.inject("/readyz")).json()).to.deep.equal({ status: "ready" });
    expect((await running.app.inject("/metrics")).statusCode).to.equal(404);
    expect(running.facilitator.admin).to.equal(undefined);
  });
});
