// Asking nodes: time limits, retries, several endpoints, and never an error that reads as "not there".
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Base58 } from "@mppsol/core";
import { Localnet } from "@mppsol/localnet";
import { Connection, Keypair } from "@solana/web3.js";
import { expect } from "chai";
import {
  checkCluster,
  createRpc,
  type Endpoint,
  RpcError,
  WrongClusterError,
} from "../../../sdk/server/src/chain/index.ts";

const ADDRESS = Keypair.generate().publicKey.toBase58();
const SIGNATURE = "1".repeat(64);

interface Call {
  readonly method: string;
  readonly params: readonly unknown[];
}

type Answer =
  | { readonly result: unknown }
  | { readonly error: { readonly code: number; readonly message: string } }
  | "silence"
  | "nonsense"
  | number;

/** A node that answers as told. */
class Node {
  readonly calls: Call[] = [];
  #answer: (call: Call) => Answer;
  readonly #server: Server;

  private constructor(answer: (call: Call) => Answer) {
    this.#answer = answer;
    this.#server = createServer((request, response) => {
      let body = "";
      request.on("data", (part: Buffer) => {
        body += part.toString();
      });
      request.on("end", () => {
        const { id, method, params } = JSON.parse(body) as Call & { id: unknown };
        this.calls.push({ method, params });
        const said = this.#answer({ method, params });
        if (said === "silence") return;
        if (typeof said === "number") response.writeHead(said).end("key=secret");
        else if (said === "nonsense") response.end("<html>");
        else response.end(JSON.stringify({ jsonrpc: "2.0", id, ...said }));
      });
    });
  }

  static async start(answer: (call: Call) => Answer): Promise<Node> {
    const node = new Node(answer);
    await new Promise<void>((done) => node.#server.listen(0, "127.0.0.1", done));
    return node;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/?api-key=secret`;
  }

  say(answer: (call: Call) => Answer): void {
    this.#answer = answer;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

const context = (slot: number) => ({ apiVersion: "3.0.0", slot });
const balance = (value: number): Answer => ({ result: { context: context(1), value } });
const status = (slot: number, value: unknown): Answer => ({ result: { context: context(slot), value: [value] } });
const CONFIRMED = { slot: 5, confirmations: 1, err: null, status: { Ok: null }, confirmationStatus: "confirmed" };

describe("rpc", () => {
  const nodes: Node[] = [];
  afterEach(() => {
    for (const node of nodes.splice(0)) node.close();
  });
  async function nodeOf(answer: (call: Call) => Answer): Promise<Node> {
    const node = await Node.start(answer);
    nodes.push(node);
    return node;
  }
  const rpcOf = (endpoint: Endpoint | readonly [Endpoint, ...Endpoint[]], more = {}) =>
    createRpc({ endpoint, timeoutMs: 200, backoffMs: 1, ...more });

  for (const [name, answer] of [
    ["an error", { error: { code: -32005, message: "Node is behind" } }],
    ["status 500", 500],
    ["a rate limit", 429],
    ["nonsense", "nonsense"],
    ["silence", "silence"],
    ["an answer of another shape", { result: { context: {}, value: "many" } }],
  ] as const) {
    it(`${name} is tried again, and then an RpcError`, async () => {
      const node = await nodeOf(() => answer);
      const rpc = rpcOf(node.url, { retries: 1, timeoutMs: 50 });
      const error = await failure(rpc.balance(ADDRESS));
      expect(error).to.be.instanceOf(RpcError).with.property("method", "getBalance");
      expect(String(error), "no URL, which may carry a key").to.not.include("secret").and.to.not.include("127.0.0.1");
      expect(node.calls).to.have.length(2);
      node.say(() => balance(7));
      expect(await rpc.balance(ADDRESS)).to.equal(7n);
    });
  }

  it("a read is tried again as often as told, and succeeds when the node does", async () => {
    let left = 3;
    const node = await nodeOf(() => (left-- > 0 ? 503 : balance(9)));
    expect(await rpcOf(node.url).balance(ADDRESS)).to.equal(9n);
    expect(node.calls).to.have.length(4);
  });

  it("accounts of a program are asked for by what is in them, and only their addresses come", async () => {
    const node = await nodeOf(() => ({
      result: [
        {
          pubkey: ADDRESS,
          account: { data: ["", "base64"], executable: false, lamports: 1, owner: ADDRESS, rentEpoch: 0 },
        },
      ],
    }));
    const match = { offset: 88, bytes: new Uint8Array([1, 2, 255]) };
    const options = { commitment: "finalized", minContextSlot: 7n } as const;
    expect(await rpcOf(node.url).programAccounts(ADDRESS, match, options)).to.deep.equal([ADDRESS]);
    const [{ method, params }] = node.calls as [Call];
    expect(method).to.equal("getProgramAccounts");
    expect(params).to.deep.equal([
      ADDRESS,
      {
        commitment: "finalized",
        minContextSlot: 7,
        encoding: "base64",
        dataSlice: { offset: 0, length: 0 },
        filters: [{ memcmp: { offset: 88, bytes: "AQL/", encoding: "base64" } }],
      },
    ]);
  });

  it("a question that is wrong is asked once", async () => {
    for (const code of [-32600, -32601, -32602]) {
      const node = await nodeOf(() => ({ error: { code, message: "Invalid params" } }));
      expect(await failure(rpcOf(node.url).balance(ADDRESS))).to.be.instanceOf(RpcError);
      expect(node.calls).to.have.length(1);
    }
  });

  it("a node that is down is passed over, and the one that answers is asked first from then on", async () => {
    const [bad, good] = [await nodeOf(() => 500), await nodeOf(() => balance(3))];
    const rpc = rpcOf([bad.url, good.url]);
    expect(await rpc.balance(ADDRESS)).to.equal(3n);
    expect(await rpc.balance(ADDRESS)).to.equal(3n);
    expect([bad.calls.length, good.calls.length]).to.deep.equal([1, 2]);
  });

  it("a connection of the caller's is held to the time limit, too", async () => {
    const node = await nodeOf(() => "silence");
    const rpc = rpcOf(new Connection(node.url), { timeoutMs: 20, retries: 0 });
    expect(await failure(rpc.balance(ADDRESS))).to.be.instanceOf(RpcError);
  });

  it("what is not there is undefined, and only then", async () => {
    const node = await nodeOf(({ method }) =>
      method === "getTransaction" ? { result: null } : { result: { context: context(1), value: null } },
    );
    const rpc = rpcOf(node.url, { retries: 0 });
    expect(await rpc.account(ADDRESS)).to.equal(undefined);
    expect(await rpc.transaction(SIGNATURE)).to.equal(undefined);
    node.say(() => 500);
    expect(await failure(rpc.account(ADDRESS))).to.be.instanceOf(RpcError);
    expect(await failure(rpc.transaction(SIGNATURE))).to.be.instanceOf(RpcError);
    expect(await failure(rpc.status(SIGNATURE))).to.be.instanceOf(RpcError);
    node.say(() => ({ result: { context: context(1), value: [] } }));
    expect(await failure(rpc.accounts([ADDRESS])), "answers are missing").to.be.instanceOf(RpcError);
    expect(await failure(rpc.status(SIGNATURE))).to.be.instanceOf(RpcError);
  });

  it("at least so far a node must be to answer", async () => {
    const node = await nodeOf(() => ({ result: { context: context(9), value: null } }));
    await rpcOf(node.url).account(ADDRESS, { minContextSlot: 8n, commitment: "finalized" });
    expect(node.calls[0]?.params[1]).to.include({ minContextSlot: 8, commitment: "finalized" });
  });

  describe("sending", () => {
    it("goes to every endpoint, unchanged, without preflight and retries of theirs", async () => {
      const sent: Answer = { result: SIGNATURE };
      const [one, two] = [await nodeOf(() => sent), await nodeOf(() => sent)];
      await rpcOf([one.url, two.url]).send(Uint8Array.of(1, 2, 3));
      for (const node of [one, two]) {
        expect(node.calls).to.deep.equal([
          {
            method: "sendTransaction",
            params: [
              "AQID",
              { encoding: "base64", skipPreflight: true, maxRetries: 0, preflightCommitment: "processed" },
            ],
          },
        ]);
      }
    });

    it("succeeds when one takes it, fails when none does, and is not tried again", async () => {
      const [bad, good] = [await nodeOf(() => 500), await nodeOf(() => ({ result: SIGNATURE }))];
      await rpcOf([bad.url, good.url]).send(Uint8Array.of(1));
      const refused: Answer = { error: { code: -32002, message: "Transaction simulation failed" } };
      const none = await nodeOf(() => refused);
      expect(await failure(rpcOf(none.url).send(Uint8Array.of(1)))).to.be.instanceOf(RpcError);
      expect(none.calls).to.have.length(1);
    });
  });

  describe("statuses", () => {
    it("say how far a transaction has come, and as of which slot", async () => {
      const node = await nodeOf(() => status(42, CONFIRMED));
      const rpc = rpcOf(node.url);
      expect(await rpc.status(SIGNATURE)).to.deep.equal({
        contextSlot: 42n,
        status: { slot: 5n, err: null, commitment: "confirmed" },
      });
      expect(node.calls[0]?.params).to.deep.equal([[SIGNATURE], { searchTransactionHistory: false }]);
      node.say(() => status(43, null));
      expect(await rpc.status(SIGNATURE, { history: true })).to.deep.equal({ contextSlot: 43n });
      expect(node.calls[1]?.params).to.deep.equal([[SIGNATURE], { searchTransactionHistory: true }]);
      const { confirmationStatus: _, ...old } = CONFIRMED;
      node.say(() => status(1, { ...old, confirmations: null }));
      expect((await rpc.status(SIGNATURE)).status?.commitment).to.equal("finalized");
      node.say(() => status(1, { ...old, confirmations: 3 }));
      expect((await rpc.status(SIGNATURE)).status?.commitment).to.equal("processed");
    });

    it("of all endpoints: what one of them knows counts", async () => {
      const nodes = [
        await nodeOf(() => status(99, null)),
        await nodeOf(() => status(50, CONFIRMED)),
        await nodeOf(() => 500),
      ];
      const rpc = rpcOf(nodes.map(({ url }) => url) as [string, ...string[]]);
      expect(await rpc.status(SIGNATURE, { everywhere: true })).to.have.nested.property("status.slot", 5n);
    });

    it("of all endpoints: absence is as of the one that is furthest behind", async () => {
      const nodes = [await nodeOf(() => status(99, null)), await nodeOf(() => status(50, null))];
      const rpc = rpcOf(nodes.map(({ url }) => url) as [string, ...string[]]);
      expect(await rpc.status(SIGNATURE, { everywhere: true })).to.deep.equal({ contextSlot: 50n });
    });

    it("of all endpoints: one that says absent is not enough where there are two", async () => {
      const nodes = [await nodeOf(() => status(99, null)), await nodeOf(() => 500)];
      const rpc = rpcOf(nodes.map(({ url }) => url) as [string, ...string[]]);
      expect(await failure(rpc.status(SIGNATURE, { everywhere: true }))).to.be.instanceOf(RpcError);
      const alone = rpcOf(nodes[0]!.url);
      expect(await alone.status(SIGNATURE, { everywhere: true })).to.deep.equal({ contextSlot: 99n });
    });
  });

  it("a node whose ledger begins later than a transaction could have landed, does not say that it is absent", async () => {
    const ledgers = (first: number) => (call: Call) =>
      call.method === "getFirstAvailableBlock" ? { result: first } : status(99, null);
    const [long, short] = [await nodeOf(ledgers(10)), await nodeOf(ledgers(11))];
    const options = { history: true, everywhere: true, since: 10n };
    const of = (...urls: [string, ...string[]]) => rpcOf(urls, { retries: 0 }).status(SIGNATURE, options);
    expect(await of(long.url)).to.deep.equal({ contextSlot: 99n });
    expect(await failure(of(short.url))).to.be.instanceOf(RpcError);
    expect(await failure(of(long.url, short.url)), "one is not enough").to.be.instanceOf(RpcError);
    expect(await of(long.url, long.url)).to.deep.equal({ contextSlot: 99n });
    short.say(() => status(5, CONFIRMED));
    expect(await of(short.url), "what it knows, it knows").to.have.property("status");
  });

  describe("questions that come together", () => {
    /** With time to answer, or what is counted here would be asked again. */
    const patient = (endpoint: string) => rpcOf(endpoint, { timeoutMs: 10_000 });
    const signatureOf = (at: number) => Base58.encode(new Uint8Array(64).fill(at));
    const known = (slot: number) => ({ ...CONFIRMED, slot });
    /** Says of each signature the slot that it is the number of. */
    const bySlot = ({ params }: Call): Answer => {
      const asked = params[0] as string[];
      return { result: { context: context(9), value: asked.map((one) => known(Base58.decode(one, 64)[0]!)) } };
    };

    it("go to the node as a few requests, and each gets its own answer", async () => {
      const node = await nodeOf(bySlot);
      const rpc = patient(node.url);
      const answers = await Promise.all(Array.from({ length: 200 }, (_, at) => rpc.status(signatureOf(at))));
      expect(answers.map(({ status }) => status?.slot)).to.deep.equal(
        Array.from({ length: 200 }, (_, at) => BigInt(at)),
      );
      expect(node.calls.length).to.be.at.most(2);
    });

    it("are no more than a node takes at a time", async () => {
      const node = await nodeOf(bySlot);
      const rpc = patient(node.url);
      await Promise.all(Array.from({ length: 600 }, (_, at) => rpc.status(signatureOf(at % 250))));
      expect(node.calls.map(({ params }) => (params[0] as string[]).length)).to.have.members([256, 256, 88]);
    });

    it("are asked after their callers have asked: an answer under way is not shared", async () => {
      let slot = 0;
      const node = await nodeOf(({ params }) => {
        slot++;
        return { result: { context: context(slot), value: (params[0] as string[]).map(() => known(slot)) } };
      });
      const rpc = rpcOf(node.url);
      const first = rpc.status(SIGNATURE);
      while (node.calls.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      const second = rpc.status(SIGNATURE);
      expect([(await first).status?.slot, (await second).status?.slot]).to.deep.equal([1n, 2n]);
    });

    it("do not fail for one among them that the node refuses", async () => {
      const bad = signatureOf(7);
      const node = await nodeOf((call) => {
        if ((call.params[0] as string[]).includes(bad)) return { error: { code: -32602, message: "no signature" } };
        return bySlot(call);
      });
      const rpc = rpcOf(node.url);
      const answers = await Promise.allSettled([1, 7, 2].map((at) => rpc.status(signatureOf(at))));
      expect(answers.map(({ status }) => status)).to.deep.equal(["fulfilled", "rejected", "fulfilled"]);
    });

    it("fail together when the node leaves one out, and none of them as absent", async () => {
      const node = await nodeOf(() => ({ result: { context: context(9), value: [known(1)] } }));
      const rpc = rpcOf(node.url, { retries: 0 });
      const answers = await Promise.allSettled([1, 2].map((at) => rpc.status(signatureOf(at))));
      expect(answers.map(({ status }) => status)).to.deep.equal(["rejected", "rejected"]);
    });

    it("share a height of the same commitment", async () => {
      const node = await nodeOf(({ params }) => {
        const finalized = (params[0] as { commitment: string }).commitment === "finalized";
        const height = finalized ? 10 : 40;
        return { result: { absoluteSlot: height + 1, blockHeight: height, epoch: 0, slotIndex: 0, slotsInEpoch: 9 } };
      });
      const rpc = rpcOf(node.url);
      const levels = Array.from({ length: 50 }, (_, at) => (at % 2 === 0 ? "finalized" : "processed"));
      const heights = await Promise.all(levels.map((level) => rpc.height(level as "finalized")));
      expect(heights.map(({ blockHeight }) => blockHeight)).to.deep.equal(
        levels.map((level) => (level === "finalized" ? 10n : 40n)),
      );
      expect(node.calls).to.have.lengthOf(2);
    });
  });

  it("a height without a block height is no answer", async () => {
    const node = await nodeOf(() => ({
      result: { absoluteSlot: 1, epoch: 0, slotIndex: 1, slotsInEpoch: 10 },
    }));
    expect(await failure(rpcOf(node.url, { retries: 0 }).height())).to.be.instanceOf(RpcError);
  });

  it("a rent that the node does not say is an error, not nothing", async () => {
    const node = await nodeOf(() => ({ error: { code: -32005, message: "Node is behind" } }));
    expect(await failure(rpcOf(node.url, { retries: 0 }).rentExemption(165))).to.be.instanceOf(RpcError);
  });

  it("no endpoint at all is a mistake", () => {
    expect(() => createRpc({ endpoint: [] as unknown as [string] })).to.throw(TypeError);
  });

  it("each cluster is known by its genesis", async () => {
    const of = (hash: string) => nodeOf(() => ({ result: hash }));
    const mainnet = rpcOf((await of("5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d")).url);
    const devnet = rpcOf((await of("EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG")).url);
    const other = rpcOf((await of(ADDRESS)).url);
    await checkCluster(mainnet, "mainnet");
    await checkCluster(devnet, "devnet");
    await checkCluster(other, "localnet");
    for (const [rpc, network] of [
      [devnet, "mainnet"],
      [other, "mainnet"],
      [mainnet, "devnet"],
      [mainnet, "localnet"],
      [devnet, "localnet"],
    ] as const) {
      expect(await failure(checkCluster(rpc, network))).to.be.instanceOf(WrongClusterError);
    }
  });

  it("reads a chain", async () => {
    const net = await Localnet.start({ slotTime: "manual" });
    try {
      const rpc = rpcOf(net.url);
      const owner = Keypair.generate().publicKey.toBase58();
      net.airdrop(owner, 1_000_000n);
      expect(await rpc.balance(owner)).to.equal(1_000_000n);
      const found = await rpc.accounts([owner, ADDRESS]);
      expect(found.map((one) => one?.lamports)).to.deep.equal([1_000_000n, undefined]);
      expect(found[0]).to.include({ owner: "11111111111111111111111111111111", executable: false });
      expect(await rpc.rentExemption(165)).to.equal(2_039_280n);
      const { blockhash, lastValidBlockHeight, slot } = await rpc.latestBlockhash();
      expect(blockhash).to.be.a("string");
      const { blockHeight } = await rpc.height("finalized");
      expect(lastValidBlockHeight).to.equal(blockHeight + 150n);
      expect(slot).to.be.a("bigint");
    } finally {
      await net.close();
    }
  });
});

async function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    (value) => ({ value }),
    (error: unknown) => error,
  );
}
