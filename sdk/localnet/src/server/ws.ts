// The websocket side: one session per client, with its subscriptions.
import type { Server } from "node:http";
import { WebSocket, WebSocketServer } from "ws";
import type { Chain } from "../chain/chain.js";
import { invalidParams, RpcCode, RpcError } from "../errors.js";
import { type Json, stringify } from "../json.js";
import { errorResponse, readCall, readParams, respond } from "../rpc/dispatch.js";
import { SUBSCRIPTIONS, type Subscription } from "./subscriptions.js";

const MAX_MESSAGE = 64 * 1024;
/** Most subscriptions of one client. */
const MAX_SUBSCRIPTIONS = 10_000;
/** A client that lets this much pile up unread is cut off. */
const MAX_UNSENT = 64 * 1024 * 1024;

/** How long a client may take to say goodbye. */
const CLOSE_MS = 200;

/** Serves subscriptions on upgrade requests of the given servers. */
export class Subscriptions {
  readonly #chain: Chain;
  readonly #sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE });
  readonly #live = new Map<number, Subscription>();
  readonly #detach: readonly (() => void)[];
  #nextId = 0;

  constructor(chain: Chain, servers: readonly Server[]) {
    this.#chain = chain;
    for (const server of servers) {
      server.on("upgrade", (request, socket, head) => {
        socket.on("error", () => socket.destroy());
        this.#sockets.handleUpgrade(request, socket, head, (client) => this.#serve(client));
      });
    }
    this.#detach = [
      chain.onChange((addresses, record) => this.#tell((live) => live.onChange?.(addresses, record))),
      chain.time.onSlot((slot, parent) => this.#tell((live) => live.onSlot?.(slot, parent))),
    ];
  }

  /** Says goodbye to all clients, and cuts off those that do not answer soon. */
  async close(): Promise<void> {
    for (const detach of this.#detach) detach();
    this.#live.clear();
    const clients = [...this.#sockets.clients];
    // 1000 tells web3.js not to come back.
    await Promise.all(
      clients.map(async (client) => {
        const gone = new Promise((resolve) => client.once("close", resolve));
        const timer = setTimeout(() => client.terminate(), CLOSE_MS);
        client.close(1000);
        await gone;
        clearTimeout(timer);
      }),
    );
    this.#sockets.close();
  }

  #tell(told: (live: Subscription) => void): void {
    for (const live of [...this.#live.values()]) {
      try {
        told(live);
      } catch {
        // One subscriber's trouble (an account too long for base58, say) is not the sender's.
      }
    }
  }

  #serve(client: WebSocket): void {
    const owned = new Set<number>();
    client.on("error", () => client.terminate());
    client.on("close", () => {
      for (const id of owned) this.#live.delete(id);
    });
    client.on("message", (data) => this.#receive(client, owned, data.toString()));
  }

  #receive(client: WebSocket, owned: Set<number>, message: string): void {
    let request: unknown;
    try {
      request = JSON.parse(message);
    } catch {
      send(client, errorResponse(null, new RpcError(RpcCode.parse, "Parse error")));
      return;
    }
    const call = readCall(request);
    if ("invalid" in call) {
      send(client, errorResponse(call.invalid, new RpcError(RpcCode.invalidRequest, "Invalid request")));
      return;
    }
    let started: Subscription | undefined;
    const response = respond(call.id ?? null, () => {
      const [, kind, action] = /^([a-z]+)(Subscribe|Unsubscribe)$/.exec(call.method) ?? [];
      if (kind === undefined || !Object.hasOwn(SUBSCRIPTIONS, kind)) {
        throw new RpcError(RpcCode.methodNotFound, "Method not found");
      }
      if (action === "Unsubscribe") return this.#unsubscribe(owned, call.params);
      const id = this.#subscribe(client, owned, kind, call.params);
      started = this.#live.get(id);
      return id;
    });
    send(client, response);
    started?.onStart?.();
  }

  #subscribe(client: WebSocket, owned: Set<number>, kind: string, given: unknown): number {
    const { required, subscribe } = SUBSCRIPTIONS[kind]!;
    const params = readParams(given);
    if (params.length < required) throw invalidParams(`\`params\` should have at least ${required} argument(s)`);
    if (owned.size >= MAX_SUBSCRIPTIONS) throw new RpcError(RpcCode.internal, "too many subscriptions");
    const id = this.#nextId;
    const notify = (method: string, result: Json) =>
      send(client, { jsonrpc: "2.0", method, params: { result, subscription: id } });
    const end = () => {
      owned.delete(id);
      this.#live.delete(id);
    };
    const subscription = subscribe(this.#chain, params, notify, end);
    this.#nextId += 1;
    this.#live.set(id, subscription);
    owned.add(id);
    return id;
  }

  #unsubscribe(owned: Set<number>, given: unknown): boolean {
    const [id] = readParams(given);
    if (typeof id !== "number" || !owned.has(id)) throw invalidParams("Invalid subscription id.");
    owned.delete(id);
    this.#live.delete(id);
    return true;
  }
}

function send(client: WebSocket, message: Json): void {
  if (client.readyState !== WebSocket.OPEN) return;
  if (client.bufferedAmount > MAX_UNSENT) client.terminate();
  else client.send(stringify(message));
}
