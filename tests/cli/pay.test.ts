// `mppsol curl`, `sessions` and `validate` against a real server on the embedded chain.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Localnet } from "@mppsol/localnet";
import { SESSION_PROGRAM_ID } from "@mppsol/programs";
import { createPayments, memoryStore, type Payments } from "@mppsol/server";
import { paidFetch, unpaid } from "@mppsol/server/node";
import { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import { freshHome, mppsol } from "./support.ts";

const ARTIFACTS = process.env.MPPSOL_ARTIFACTS ?? "artifacts";

describe("mppsol and a server", () => {
  const seller = Keypair.generate();
  let chain: Localnet;
  let payments: Payments;
  let server: Server;
  let origin: string;
  let at: string[];

  before(async () => {
    const programs = [{ id: SESSION_PROGRAM_ID.toBase58(), file: `${ARTIFACTS}/mppsol_session.so` }];
    chain = await Localnet.start({ slotTime: 50, programs });
    chain.mintUsdc(seller.publicKey.toBase58(), 0n);
    payments = createPayments({
      recipient: seller.publicKey,
      network: "localnet",
      rpc: chain.url,
      store: memoryStore(),
      secret: "the secret of a server in a test, long enough",
      feePayer: chain.payer,
      closer: seller,
    });
    const [charge, session] = [payments.charge("0.05"), payments.session("0.001")];
    const discovery = payments.discovery({
      title: "Test",
      version: "1",
      routes: { "GET /report": charge, "GET /quote": session },
    });
    const report = paidFetch(charge, () => Response.json({ report: "42 pages" }));
    const quote = paidFetch(session, () => Response.json({ quote: "1.5" }));
    const rest = unpaid((request) => {
      const status = new URL(request.url).pathname === "/" ? 200 : 404;
      return discovery.handle(request) ?? new Response(status === 200 ? "free" : "no such thing", { status });
    });
    server = createServer((request, response) => {
      const listener = { "/report": report, "/quote": quote }[request.url ?? ""] ?? rest;
      listener(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    at = ["--rpc", chain.url];
  });
  after(async () => {
    server.closeAllConnections();
    server.close();
    await payments.close();
    await chain.close();
  });
  beforeEach(async () => {
    freshHome();
    await mppsol(["wallet", "new"]);
    await mppsol(["wallet", "airdrop", ...at]);
  });

  it("curl prints what is free and pays nothing", async () => {
    const ran = await mppsol(["curl", ...at, `${origin}/`]);
    expect(ran).to.deep.include({ exitCode: 0, stdout: "free" });
  });

  it("curl pays a charge and prints the body; --json adds the receipt", async () => {
    const ran = await mppsol(["curl", ...at, "--json", `${origin}/report`]);
    expect(ran.exitCode, ran.stderr).to.equal(0);
    expect(ran.json()).to.deep.include({ status: 200, body: '{"report":"42 pages"}' });
    expect(ran.json()).to.have.nested.property("receipt.method", "solana");
    const plain = await mppsol(["curl", ...at, "-i", `${origin}/report`]);
    expect(plain.stdout)
      .to.match(/^HTTP 200/)
      .and.contain("payment-receipt")
      .and.contain("42 pages");
  });

  it("curl exits with 3 and pays nothing when the price is over --max", async () => {
    const ran = await mppsol(["curl", ...at, "--max", "0.01", `${origin}/report`]);
    expect(ran.exitCode).to.equal(3);
    expect(ran.stderr).to.equal(
      "mppsol: 0.05 USDC (50000 base units) is over the budget per request, which has 0.01 USDC (10000 base units) left; --max raises it\n",
    );
    const deposit = await mppsol(["curl", ...at, "--max-deposit", "0.000999", `${origin}/quote`]);
    expect(deposit.exitCode).to.equal(3);
    expect(deposit.stderr).to.contain("--max-deposit raises it");
    const balance = await mppsol(["wallet", "balance", "--json", ...at]);
    expect(balance.json()).to.have.nested.property("tokens[0].amount", "100000000");
  });

  it("curl takes a host without a scheme for http", async () => {
    const ran = await mppsol(["curl", ...at, `${new URL(origin).host}/report`]);
    expect(ran).to.deep.include({ exitCode: 0, stdout: '{"report":"42 pages"}' });
    const named = await mppsol(["curl", ...at, `localhost:${new URL(origin).port}/`]);
    expect(named.stderr).to.not.contain("URL");
    for (const none of ["ftp://127.0.0.1/", "http://", "http:///x", "a b", ""]) {
      expect((await mppsol(["curl", ...at, none])).exitCode, none).to.equal(2);
    }
  });

  it("curl says on a terminal what it does, in units, and begins a message on a line of its own", async () => {
    const paid = await mppsol(["curl", ...at, `${origin}/report`], { terminal: true });
    expect(paid.stderr).to.match(/^paid 0\.05 USDC \(50000 base units\): \w+$/m);
    const session = await mppsol(["curl", ...at, `${origin}/quote`], { terminal: true });
    expect(session.stderr).to.match(/^opening \w+ 0\.1 USDC \(100000 base units\)$/m);
    expect(session.stderr).to.match(/^voucher for 0\.001 USDC \(1000 base units\) in all on \w+$/m);
    const refused = await mppsol(["curl", ...at, `${origin}/none`], { terminal: true });
    expect([refused.exitCode, refused.stdout]).to.deep.equal([1, "no such thing\n"]);
    const piped = await mppsol(["curl", ...at, `${origin}/none`]);
    expect([piped.exitCode, piped.stdout]).to.deep.equal([1, "no such thing"]);
  });

  it("curl exits with 1 when the answer is an error", async () => {
    const ran = await mppsol([
      "curl",
      ...at,
      "-X",
      "POST",
      "-d",
      "x",
      "-H",
      "content-type: text/plain",
      `${origin}/none`,
    ]);
    expect(ran).to.deep.include({ exitCode: 1, stdout: "no such thing" });
    const gone = await mppsol(["curl", ...at, "http://127.0.0.1:1/"]);
    expect(gone.exitCode).to.equal(1);
  });

  it("curl refuses bad headers and files that are not there", async () => {
    expect((await mppsol(["curl", ...at, "-H", "nonsense", origin])).exitCode).to.equal(2);
    expect((await mppsol(["curl", ...at, "-d", "@/no/such/file", origin])).exitCode).to.equal(2);
    expect((await mppsol(["curl", ...at, "ftp://127.0.0.1/"])).exitCode).to.equal(2);
  });

  it("a session stays open from one curl to the next; sessions lists and closes it", async () => {
    for (let i = 0; i < 2; i++) {
      const ran = await mppsol(["curl", ...at, `${origin}/quote`]);
      expect(ran.exitCode, ran.stderr).to.equal(0);
    }
    const listed = JSON.parse((await mppsol(["sessions", "list", "--json", ...at])).stdout) as {
      channelId: string;
      spent: string;
    }[];
    expect(listed.map(({ spent }) => spent)).to.deep.equal(["2000"]);
    const shown = (await mppsol(["sessions", "list", ...at])).stdout.split("\n");
    expect(shown.slice(1, 4)).to.deep.equal([
      "  spent       0.002 USDC (2000 base units)",
      "  signed for  0.002 USDC (2000 base units)",
      "  deposited   0.1 USDC (100000 base units)",
    ]);
    const channelId = listed[0]?.channelId ?? "";
    const inspected = await mppsol(["inspect", "--json", ...at, channelId]);
    expect(inspected.json()).to.deep.include({ kind: "channel", status: "open", valid: true });
    const closed = await mppsol(["sessions", "close", "--json", ...at, channelId]);
    expect(closed.exitCode, closed.stderr).to.equal(0);
    expect(JSON.parse(closed.stdout)).to.have.nested.property("[0].kind", "closed");
    expect((await mppsol(["sessions", "list", ...at])).stdout).to.equal("no open sessions\n");
    await mppsol(["curl", ...at, `${origin}/quote`]);
    const said = await mppsol(["sessions", "close", "--all", ...at]);
    expect(said.stdout).to.match(/^\w+ closed, 0\.099 USDC \(99000 base units\) back\n$/);
    const balance = await mppsol(["wallet", "balance", "--json", ...at]);
    expect(balance.json()).to.have.nested.property("tokens[0].amount", "99997000");
  });

  it("sessions close says which channel the wallet does not have", async () => {
    const ran = await mppsol(["sessions", "close", ...at, seller.publicKey.toBase58()]);
    expect(ran.exitCode).to.equal(1);
    expect((await mppsol(["sessions", "close", ...at])).exitCode).to.equal(2);
  });

  it("validate finds nothing wrong with our server, without paying and with", async () => {
    const ran = await mppsol(["validate", "--json", ...at, "--pay", origin]);
    const report = ran.json() as { passed: boolean; checks: { id: string; outcome: string; detail?: string }[] };
    const bad = report.checks.filter(({ outcome }) => outcome === "fail" || outcome === "warn");
    expect(bad).to.deep.equal([]);
    expect(ran.exitCode).to.equal(0);
    const ids = report.checks.filter(({ outcome }) => outcome === "pass").map(({ id }) => id);
    expect(ids).to.include.members([
      "charge-paid",
      "charge-replay",
      "session-debited",
      "session-replay",
      "session-settled",
    ]);
  });

  it("validate finds what is wrong with a server that asks for nothing it can get", async () => {
    const liar = createServer((_request, response) => {
      response.setHeader(
        "www-authenticate",
        'Payment id="1", realm="x", method="solana", intent="charge", request="e30"',
      );
      response.writeHead(402).end("pay!");
    });
    await new Promise<void>((resolve) => liar.listen(0, "127.0.0.1", resolve));
    const ran = await mppsol([
      "validate",
      "--json",
      ...at,
      `http://127.0.0.1:${(liar.address() as AddressInfo).port}/thing`,
    ]);
    liar.close();
    expect(ran.exitCode).to.equal(1);
    const { checks } = ran.json() as { checks: { id: string; outcome: string }[] };
    const failed = checks.filter(({ outcome }) => outcome === "fail").map(({ id }) => id);
    expect(failed).to.include.members(["challenge-no-store", "request"]);
  });
});
