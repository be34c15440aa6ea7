// The seller: a metered API and a report, sold by @mppsol/server. What it was paid survives it, in its store.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createPayments, type Payments, type Store } from "@mppsol/server";
import { paidFetch } from "@mppsol/server/node";
import type { World } from "./world.js";

export interface SellerOptions {
  /** Base units for one quote. */
  readonly price: bigint;
  /** Base units for the report. */
  readonly reportPrice: bigint;
  /** Binds challenges; the same after a restart. */
  readonly secret: string;
  readonly store: Store;
}

export class Seller {
  /** Sold by session. */
  readonly quoteUrl: string;
  /** Sold by charge. */
  readonly reportUrl: string;
  readonly #server: Server;
  readonly #payments: Payments;
  readonly #store: Store;

  private constructor(server: Server, payments: Payments, store: Store) {
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.quoteUrl = `${origin}/quote`;
    this.reportUrl = `${origin}/report`;
    this.#server = server;
    this.#payments = payments;
    this.#store = store;
  }

  /** @param port 0 for any; the same after a restart, so that the agent finds its channel's seller again. */
  static async start(world: World, { price, reportPrice, secret, store }: SellerOptions, port = 0): Promise<Seller> {
    const payments = createPayments({
      recipient: world.seller.publicKey,
      network: "localnet",
      rpc: world.net.url,
      store,
      secret,
      feePayer: world.operator,
      closer: world.seller,
      sessions: { minimumDeposit: price },
    });
    await payments.ready();
    const quote = paidFetch(payments.session(price), () => Response.json({ quote: "153.42" }));
    const report = paidFetch(payments.charge(reportPrice), () => Response.json({ report: "42 pages" }));
    const server = createServer((request, response) => (request.url === "/report" ? report : quote)(request, response));
    await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
    return new Seller(server, payments, store);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Base units that the store says of a channel; zeros when it has lost it. */
  async account(channelId: string): Promise<{ accepted: bigint; spent: bigint }> {
    const found = await this.#store.channels.get(channelId);
    return { accepted: found?.accepted ?? 0n, spent: found?.spent ?? 0n };
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
    await this.#payments.close();
    await this.#store.close();
  }
}
