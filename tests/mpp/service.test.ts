// Everybody's clients at everybody's servers, settled by the real facilitator: mppx by @mppsol/mpp, and our own agent and
// server. One chain, one facilitator, and nobody but it holds SOL.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAgent } from "@mppsol/agent";
import { USDC_MINT } from "@mppsol/localnet";
import { charge as clientCharge } from "@mppsol/mpp/client";
import { charge as serverCharge } from "@mppsol/mpp/server";
import { tokenAddress } from "@mppsol/programs";
import { createPayments, facilitator, memoryStore } from "@mppsol/server";
import { createKeyPairSignerFromBytes } from "@solana/kit";
import { TOKEN_PROGRAM_ID } from "@solana/spl-token";
import { type Keypair, PublicKey } from "@solana/web3.js";
import { expect } from "chai";
import { Mppx as MppxClient } from "mppx/client";
import { Mppx as MppxServer } from "mppx/server";
import { type Running, startFacilitator } from "../facilitator/support.ts";

const SECRET = "a secret of the tests, 32 bytes and more";
const PRICE = 10_000n;

type Handler = (request: Request) => Promise<Response>;

describe("charges by the facilitator", () => {
  let running: Running;
  let url: string;
  const servers: Server[] = [];

  before(async () => {
    running = await startFacilitator();
    url = await running.facilitator.listen();
  });
  after(async () => {
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
    await running.close();
  });

  async function usdc(owner: PublicKey): Promise<bigint> {
    const address = tokenAddress(owner, new PublicKey(USDC_MINT), TOKEN_PROGRAM_ID);
    const account = await running.connection.getAccountInfo(address, "confirmed");
    return account === null ? 0n : account.data.readBigUInt64LE(64);
  }

  /** Puts a handler on a port of loopback. */
  async function listen(handler: Handler): Promise<string> {
    const server = createServer((incoming, outgoing) => {
      void (async () => {
        const headers = Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]);
        const response = await handler(
          new Request(`http://${incoming.headers.host}${incoming.url}`, { headers: headers as [string, string][] }),
        );
        outgoing.writeHead(response.status, [...response.headers].flat());
        outgoing.end(Buffer.from(await response.arrayBuffer()));
      })();
    });
    servers.push(server);
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  const sellers: Record<string, (seller: Keypair) => Promise<string>> = {
    async "a server of mppx"(seller) {
      const mppx = MppxServer.create({
        methods: [
          serverCharge({
            recipient: seller.publicKey.toBase58(),
            apiUrl: url,
            network: "localnet",
            verifyRpcUrl: running.net.url,
          }),
        ],
        realm: "127.0.0.1",
        secretKey: SECRET,
      });
      return listen(async (request) => {
        const result = await mppx.charge({ amount: String(PRICE) })(request);
        return result.status === 402 ? result.challenge : result.withReceipt(new Response("paid for"));
      });
    },
    async "our server"(seller) {
      const payments = createPayments({
        recipient: seller.publicKey,
        ...{ network: "localnet", store: memoryStore(), secret: SECRET },
        settlement: facilitator({ url, verifyRpcUrl: running.net.url }),
      });
      return listen(payments.charge(PRICE)(() => new Response("paid for")));
    },
  };

  const buyers: Record<string, (buyer: Keypair) => Promise<(at: string) => Promise<Response>>> = {
    async "a client of mppx"(buyer) {
      const signer = await createKeyPairSignerFromBytes(buyer.secretKey);
      const mppx = MppxClient.create({ methods: [clientCharge({ signer })], polyfill: false });
      return (at) => mppx.fetch(at);
    },
    async "our agent"(buyer) {
      const agent = createAgent({
        ...{ signer: buyer, rpc: running.connection, network: "localnet" },
        budget: { [USDC_MINT]: { total: 100_000n } },
      });
      return (at) => agent.fetch(at);
    },
  };

  for (const [byWhom, sell] of Object.entries(sellers)) {
    for (const [toWhom, buy] of Object.entries(buyers)) {
      it(`${byWhom} sells to ${toWhom}`, async () => {
        const [seller, buyer] = [running.person({ usdc: 1n }), running.person({ usdc: 50_000n })];
        const fetchPaid = await buy(buyer);
        const at = await sell(seller);
        for (const count of [1n, 2n]) {
          const response = await fetchPaid(`${at}/thing`);
          expect([response.status, await response.text()]).to.deep.equal([200, "paid for"]);
          expect(await usdc(seller.publicKey)).to.equal(1n + count * PRICE);
          expect(await usdc(buyer.publicKey)).to.equal(50_000n - count * PRICE);
        }
        for (const { publicKey } of [seller, buyer]) expect(await running.connection.getBalance(publicKey)).to.equal(0);
      });
    }
  }

  it("says of what a buyer cannot pay that it would fail, with the reason of the chain", async () => {
    const [seller, buyer] = [running.person({ usdc: 1n }), running.person({ usdc: 5n })];
    const fetchPaid = await buyers["a client of mppx"]!(buyer);
    const response = await fetchPaid(`${await sellers["a server of mppx"]!(seller)}/thing`);
    expect(response.status).to.equal(402);
    expect(await response.json()).to.include({ code: "simulation-failed", reason: "simulation_failed" });
    expect(await usdc(buyer.publicKey)).to.equal(5n);
  });
});
