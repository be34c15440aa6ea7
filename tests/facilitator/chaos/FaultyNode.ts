// Stands between one process of the service and its node, and does to its calls what networks and nodes do: loses questions,
// loses answers, delays, repeats, fails, and answers from the past.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export const FAULTS = ["error", "refused", "lost-question", "lost-answer", "delay", "duplicate", "stale"] as const;
export type Fault = (typeof FAULTS)[number];

/** Told of each call, before and after the node has seen it. */
export type Watch = (method: string, moment: "before" | "after") => void;

interface Call {
  readonly id: unknown;
  readonly method: string;
  readonly params: unknown;
}

export class FaultyNode {
  readonly #server: Server;
  readonly #target: string;
  readonly #random: () => number;
  /** Earlier answers by question. */
  readonly #past = new Map<string, string>();
  readonly counts: Record<Fault | "passed", number>;
  /** Part of the calls that something is done to. */
  rate = 0.25;
  watch: Watch = () => {};

  private constructor(server: Server, target: string, random: () => number) {
    this.#server = server;
    this.#target = target;
    this.#random = random;
    this.counts = Object.fromEntries([...FAULTS, "passed"].map((kind) => [kind, 0])) as Record<
      Fault | "passed",
      number
    >;
  }

  static async start(target: string, random: () => number): Promise<FaultyNode> {
    const server = createServer();
    const node = new FaultyNode(server, target, random);
    server.on("request", (request, response) => {
      node.#serve(request, response).catch(() => response.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return node;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    const call = JSON.parse(body) as Call;
    const fault = this.#choose();
    this.counts[fault ?? "passed"]++;
    this.watch(call.method, "before");
    switch (fault) {
      case "error":
        return send(response, 200, failure(call.id));
      case "refused":
        return send(response, 503, "");
      case "lost-question":
        response.destroy();
        return;
      case "delay":
        await new Promise((resolve) => setTimeout(resolve, this.#random() * 400));
        break;
      case "duplicate":
        await this.#ask(body);
        break;
    }
    const question = JSON.stringify([call.method, call.params]);
    const past = fault === "stale" ? this.#past.get(question) : undefined;
    const answer = past ?? (await this.#ask(body));
    // What is kept is seldom the newest, so that the past is some way back.
    if (!this.#past.has(question) || this.#random() < 0.1) this.#past.set(question, answer);
    if (this.#past.size > 2_000) this.#past.clear();
    this.watch(call.method, "after");
    if (fault === "lost-answer") response.destroy();
    else send(response, 200, JSON.stringify({ ...(JSON.parse(answer) as object), id: call.id }));
  }

  async #ask(body: string): Promise<string> {
    const answer = await fetch(this.#target, { method: "POST", headers: { "content-type": "application/json" }, body });
    return answer.text();
  }

  #choose(): Fault | undefined {
    if (this.#random() >= this.rate) return undefined;
    return FAULTS[Math.floor(this.#random() * FAULTS.length)];
  }
}

function failure(id: unknown): string {
  return JSON.stringify({ jsonrpc: "2.0", id, error: { code: -32005, message: "Node is behind by 200 slots" } });
}

function send(response: ServerResponse, status: number, body: string): void {
  if (response.destroyed) return;
  response.writeHead(status, { "content-type": "application/json" }).end(body);
}
