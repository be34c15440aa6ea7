// The nodes that the service asks: those of its cluster, as soon as they say so.
import { createServer, type Server } from "node:http";
import { WrongClusterError } from "@mppsol/server/parts";
import { expect } from "chai";
import { Nodes } from "../../../services/facilitator/src/ops/Nodes.ts";

const DEVNET = "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG";
const MAINNET = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d";

describe("the nodes of the facilitator", () => {
  const servers: Server[] = [];
  afterEach(async () => {
    for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
  });

  /** A node that knows its cluster and one balance; `genesis` undefined: it answers nobody. */
  const node = async (state: { genesis: string | undefined; balance: number }) => {
    const server = createServer((request, response) => {
      let body = "";
      request.on("data", (data: Buffer) => {
        body += data.toString();
      });
      request.on("end", () => {
        const { id, method } = JSON.parse(body) as { id: unknown; method: string };
        if (state.genesis === undefined) return response.writeHead(503).end();
        const result = method === "getGenesisHash" ? state.genesis : { context: { slot: 1 }, value: state.balance };
        response.setHeader("connection", "close");
        return response.end(JSON.stringify({ jsonrpc: "2.0", id, result }));
      });
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(server.address() as { port: number }).port}/`;
  };
  const balance = (nodes: Nodes) => nodes.rpc.balance("11111111111111111111111111111111");

  it("are asked from the moment on that they say where they belong", async () => {
    const late = { genesis: undefined as string | undefined, balance: 1 };
    const early = { genesis: DEVNET as string | undefined, balance: 2 };
    const nodes = new Nodes({ network: "devnet", rpcUrls: [await node(late), await node(early)] });
    expect(await nodes.check()).to.have.length(1);
    expect(nodes.all.map((one) => nodes.isSound(one))).to.deep.equal([false, true]);
    late.genesis = DEVNET;
    // It answers, and nobody has checked it yet.
    expect(await balance(nodes)).to.equal(2n);
    expect(await nodes.check()).to.deep.equal([]);
    expect(nodes.all.map((one) => nodes.isSound(one))).to.deep.equal([true, true]);
    expect(await balance(nodes)).to.equal(1n);
    early.genesis = undefined;
    expect(await balance(nodes)).to.equal(1n);
  });

  it("of another cluster are never asked, though they answer and others do not", async () => {
    const wrong = { genesis: undefined as string | undefined, balance: 1 };
    const right = { genesis: DEVNET as string | undefined, balance: 2 };
    const nodes = new Nodes({ network: "devnet", rpcUrls: [await node(wrong), await node(right)] });
    await nodes.check();
    wrong.genesis = MAINNET;
    const [failure] = await nodes.check();
    expect(failure).to.be.instanceOf(WrongClusterError);
    expect(await nodes.check(), "it is not asked again").to.deep.equal([]);
    right.genesis = undefined;
    const refused = await balance(nodes).then(
      () => undefined,
      (error: { code?: string }) => error.code,
    );
    expect(refused).to.equal("rpc");
  });

  it("are named by host alone", async () => {
    const url = await node({ genesis: DEVNET, balance: 1 });
    const { all } = new Nodes({ network: "devnet", rpcUrls: [`${url}swordfish?api-key=swordfish`] });
    expect(all.map(({ name }) => name).join()).to.match(/^127\.0\.0\.1:\d+$/);
  });
});
