// The websocket: subscriptions, their timing, and what it refuses.
import { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import { WebSocket } from "ws";
import { Localnet } from "../../sdk/localnet/src/index.ts";
import { blockhash, call, payerOf, send, signed, transfer } from "./helpers.ts";

const SYSTEM = "11111111111111111111111111111111";

/** A raw websocket client that keeps what it hears. */
class Client {
  readonly heard: {
    method?: string;
    id?: unknown;
    result?: unknown;
    error?: { code: number; message: string };
    params?: { result: unknown; subscription: number };
  }[] = [];
  readonly #socket: WebSocket;
  #id = 0;
  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data) => this.heard.push(JSON.parse(data.toString())));
  }
  static async open(url: string): Promise<Client> {
    const socket = new WebSocket(url);
    const client = new Client(socket);
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    return client;
  }
  raw(text: string): void {
    this.#socket.send(text);
  }
  async ask(method: string, ...params: unknown[]) {
    this.#id += 1;
    const id = this.#id;
    this.raw(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    return this.until((message) => message.id === id);
  }
  async until(wanted: (message: Client["heard"][number]) => boolean) {
    for (let tries = 0; tries < 200; tries += 1) {
      const found = this.heard.find(wanted);
      if (found !== undefined) return found;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    throw new Error("not heard");
  }
  notifications(method: string) {
    return this.heard.filter((message) => message.method === method).map((message) => message.params?.result);
  }
  close(): void {
    this.#socket.terminate();
  }
}

const pause = () => new Promise((resolve) => setTimeout(resolve, 40));

describe("websocket of localnet", () => {
  let chain: Localnet;
  let client: Client;
  beforeEach(async () => {
    // An hour a slot: here the slots move only when a test warps them, but commitments lag as on a cluster.
    chain = await Localnet.start({ slotTime: 3_600_000 });
    client = await Client.open(chain.wsUrl);
  });
  afterEach(async () => {
    client.close();
    await chain.close();
  });

  const fresh = () => Keypair.generate().publicKey;
  const wireTo = async (to = fresh(), lamports = 1_000_000_000) =>
    signed(chain, await blockhash(chain), [transfer(chain, to, lamports)]);

  it("is served on the port above the RPC and on the RPC port too", async () => {
    expect(Number(new URL(chain.wsUrl).port)).to.equal(Number(new URL(chain.url).port) + 1);
    const same = await Client.open(chain.url.replace("http", "ws"));
    expect((await same.ask("slotSubscribe")).result).to.be.a("number");
    same.close();
  });

  it("tells of a signature once, when its commitment is reached", async () => {
    const { result: signature } = await send(chain, await wireTo());
    for (const commitment of ["processed", "confirmed", "finalized"]) {
      await client.ask("signatureSubscribe", signature, { commitment });
    }
    const slot = chain.clock().slot;
    const told = () => client.notifications("signatureNotification");
    await pause();
    expect(told()).to.deep.equal([{ context: { slot }, value: { err: null } }]);
    chain.warpSlots(1);
    await pause();
    expect(told().length).to.equal(2);
    chain.warpSlots(31);
    await pause();
    expect(told().length).to.equal(3);
    chain.warpSlots(5);
    await pause();
    expect(told().length).to.equal(3);
  });

  it("tells of a signature that lands later, first as received when asked, with its error", async () => {
    const wire = await wireTo(fresh(), 1e15);
    const { encode } = (await import("bs58")).default;
    const signature = encode(wire.subarray(1, 65));
    const options = { commitment: "processed", enableReceivedNotification: true };
    await client.ask("signatureSubscribe", signature, options);
    await send(chain, wire, { skipPreflight: true });
    await pause();
    expect(
      client.notifications("signatureNotification").map((told) => (told as { value: unknown }).value),
    ).to.deep.equal(["receivedSignature", { err: { InstructionError: [0, { Custom: 1 }] } }]);
  });

  it("tells of an account's last state in a slot", async () => {
    const to = fresh();
    await client.ask("accountSubscribe", to.toBase58(), { commitment: "confirmed", encoding: "base64" });
    await send(chain, await wireTo(to, 1_000_000_000));
    await send(chain, await wireTo(to, 2_000_000_000));
    await pause();
    const told = () => client.notifications("accountNotification") as { value: { lamports: number } }[];
    expect(told()).to.deep.equal([]);
    chain.warpSlots(1);
    await pause();
    expect(told().map((entry) => entry.value.lamports)).to.deep.equal([3_000_000_000]);
  });

  it("tells of accounts that a cheat sets", async () => {
    const key = fresh().toBase58();
    await client.ask("accountSubscribe", key, { commitment: "processed", encoding: "base64" });
    await call(chain, "mppsol_setAccount", key, { lamports: 5, owner: SYSTEM });
    await pause();
    expect(client.notifications("accountNotification").length).to.equal(1);
  });

  it("tells of a program's accounts that pass the filters", async () => {
    const token = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA";
    const owner = fresh().toBase58();
    const filters = [{ dataSize: 165 }, { memcmp: { offset: 32, bytes: owner } }];
    await client.ask("programSubscribe", token, { commitment: "processed", encoding: "jsonParsed", filters });
    chain.mintUsdc(fresh().toBase58(), 1n);
    const { tokenAccount } = chain.mintUsdc(owner, 7n);
    await pause();
    const told = client.notifications("programNotification") as { value: { pubkey: string } }[];
    expect(told.map((entry) => entry.value.pubkey)).to.deep.equal([tokenAccount]);
  });

  it("tells the logs of all transactions, or of those that mention an address", async () => {
    const to = fresh();
    const all = (await client.ask("logsSubscribe", "all", { commitment: "processed" })).result;
    const some = (await client.ask("logsSubscribe", { mentions: [to.toBase58()] }, { commitment: "processed" })).result;
    await send(chain, await wireTo());
    await send(chain, await wireTo(to));
    await pause();
    const by = client.heard
      .filter((message) => message.method === "logsNotification")
      .map((message) => message.params?.subscription);
    expect(by.filter((id) => id === all).length).to.equal(2);
    expect(by.filter((id) => id === some).length).to.equal(1);
    const [first] = client.notifications("logsNotification") as { value: object }[];
    expect(first?.value).to.have.keys("err", "logs", "signature");
  });

  it("tells of slots and roots, until unsubscribed", async () => {
    const { result: id } = await client.ask("slotSubscribe");
    await client.ask("rootSubscribe");
    const { slot } = chain.clock();
    chain.warpSlots(1);
    await pause();
    expect(client.notifications("slotNotification")).to.deep.equal([{ slot: slot + 1, parent: slot, root: slot - 31 }]);
    expect(client.notifications("rootNotification")).to.deep.equal([slot - 31]);
    expect((await client.ask("slotUnsubscribe", id)).result).to.equal(true);
    chain.warpSlots(1);
    await pause();
    expect(client.notifications("slotNotification").length).to.equal(1);
  });

  it("refuses what it does not know", async () => {
    const refused = async (method: string, ...params: unknown[]) => {
      const { error } = await client.ask(method, ...params);
      return `${error?.code} ${error?.message}`;
    };
    expect(await refused("getSlot")).to.equal("-32601 Method not found");
    expect(await refused("voteSubscribe")).to.equal("-32601 Method not found");
    expect(await refused("constructorSubscribe")).to.equal("-32601 Method not found");
    expect(await refused("signatureSubscribe")).to.equal("-32602 `params` should have at least 1 argument(s)");
    expect(await refused("accountSubscribe", "11")).to.equal("-32602 Invalid Request: Invalid pubkey provided");
    expect(await refused("signatureSubscribe", "xx")).to.equal("-32602 Invalid Request: Invalid signature provided");
    const two = [payerOf(chain).publicKey.toBase58(), SYSTEM];
    expect(await refused("logsSubscribe", { mentions: two })).to.equal(
      "-32602 Invalid Request: Only 1 address supported",
    );
    expect(await refused("signatureUnsubscribe", 99)).to.equal("-32602 Invalid subscription id.");
    client.raw("{bad");
    expect((await client.until((message) => message.error?.code === -32700)).error?.message).to.equal("Parse error");
  });

  it("does not let one client end another's subscription", async () => {
    const { result: id } = await client.ask("slotSubscribe");
    const other = await Client.open(chain.wsUrl);
    expect((await other.ask("slotUnsubscribe", id)).error?.message).to.equal("Invalid subscription id.");
    other.close();
  });

  it("hangs up on a message that is too long", async () => {
    const closed = new Promise((resolve) => {
      const socket = new WebSocket(chain.wsUrl);
      socket.once("open", () => socket.send("x".repeat(100_000)));
      socket.once("close", resolve);
    });
    expect(await closed).to.equal(1009);
    expect((await client.ask("slotSubscribe")).result).to.be.a("number");
  });
});
