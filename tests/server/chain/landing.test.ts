// When a transaction has landed, when it never can, and when nobody may say either.
import { Localnet } from "@mppsol/localnet";
import { buildTransaction } from "@mppsol/programs";
import { Connection, Keypair, PublicKey, SystemProgram, TransactionInstruction } from "@solana/web3.js";
import { expect } from "chai";
import {
  type Broadcast,
  broadcastOf,
  createRpc,
  fateOf,
  type Height,
  land,
  lastValidBound,
  type Rpc,
  RpcError,
  type SignatureAnswer,
  SimulationError,
  type StatusOptions,
  submit,
} from "../../../sdk/server/src/chain/index.ts";
import { down, type FaultyRpc, faulty, lost, swallow } from "./faults.ts";

const LAST_VALID = 1_000n;
const BROADCAST: Broadcast = { signature: "sig", wire: Uint8Array.of(1, 2, 3), lastValidBlockHeight: LAST_VALID };

/** A node that answers as told; slot and height are the same number. */
function node(answers: { status?: SignatureAnswer; history?: SignatureAnswer; finalized?: bigint }) {
  const sent: Uint8Array[] = [];
  const asked: StatusOptions[] = [];
  const { status = { contextSlot: 1_001n }, history = status, finalized = 1_001n } = answers;
  const rpc = {
    async status(_: string, options: StatusOptions = {}) {
      asked.push(options);
      return options.history ? history : status;
    },
    async height(commitment: string): Promise<Height> {
      const tip = commitment === "finalized" ? finalized : finalized + 32n;
      return { slot: tip, blockHeight: tip, epoch: 0n };
    },
    async send(wire: Uint8Array) {
      sent.push(wire);
    },
  } as unknown as Rpc;
  return { rpc, sent, asked };
}

const at = (commitment: "processed" | "confirmed" | "finalized", err: unknown = null): SignatureAnswer => ({
  contextSlot: 1_001n,
  status: { slot: 900n, err, commitment },
});

describe("landing", () => {
  describe("what has become of a transaction", () => {
    it("confirmed or finalized: it has landed, well or not", async () => {
      for (const [status, err] of [
        [at("confirmed"), null],
        [at("finalized"), null],
        [at("confirmed", { InstructionError: [0, "x"] }), { InstructionError: [0, "x"] }],
      ] as const) {
        const fate = await fateOf(node({ status }).rpc, BROADCAST);
        expect(fate).to.deep.equal({ kind: "landed", slot: 900n, err, commitment: status.status!.commitment });
      }
    });

    it("processed, even failed: pending", async () => {
      for (const err of [null, "AccountInUse"]) {
        const { rpc } = node({ status: at("processed", err) });
        expect(await fateOf(rpc, BROADCAST)).to.deep.equal({ kind: "pending" });
      }
    });

    it("confirmed, where finalized is asked for: pending", async () => {
      const { rpc } = node({ status: at("confirmed") });
      expect(await fateOf(rpc, BROADCAST, { commitment: "finalized" })).to.deep.equal({ kind: "pending" });
    });

    it("absent, and a finalized block is higher than its last one: expired", async () => {
      const { rpc, asked } = node({});
      expect(await fateOf(rpc, BROADCAST)).to.deep.equal({ kind: "expired" });
      expect(asked.at(-1), "the whole history, at every endpoint").to.include({ history: true, everywhere: true });
    });

    it("absent at nodes that must have its whole time in their ledgers: expired", async () => {
      const { rpc, asked } = node({ status: { contextSlot: 100_000n }, finalized: 100_000n });
      expect(await fateOf(rpc, BROADCAST)).to.deep.equal({ kind: "expired" });
      // It was signed about 350 blocks before its last one, 99,350 blocks ago, and slots may be twice as many.
      expect(asked.at(-1)?.since).to.equal(0n);
      const later = { ...BROADCAST, lastValidBlockHeight: 90_000n };
      await fateOf(rpc, later);
      expect(asked.at(-1)?.since).to.equal(100_000n - 2n * (10_000n + 350n));
    });

    it("absent, and the finalized block is its last one: pending", async () => {
      const { rpc } = node({ finalized: LAST_VALID });
      expect(await fateOf(rpc, BROADCAST)).to.deep.equal({ kind: "pending" });
    });

    it("absent among the recent ones, there in the history: landed", async () => {
      const { rpc } = node({ history: at("finalized") });
      expect(await fateOf(rpc, BROADCAST)).to.have.property("kind", "landed");
    });

    it("absent at a node that is behind the finalized block: pending", async () => {
      const { rpc } = node({ history: { contextSlot: 1_000n } });
      expect(await fateOf(rpc, BROADCAST)).to.deep.equal({ kind: "pending" });
    });

    it("only processed, long after its last block: pending", async () => {
      const { rpc } = node({ history: at("processed"), finalized: 5_000n });
      expect(await fateOf(rpc, BROADCAST)).to.deep.equal({ kind: "pending" });
    });

    for (const method of ["status", "height"] as const) {
      it(`no answer to ${method}: an error, not absence`, async () => {
        const { rpc } = node({});
        const broken: Rpc = { ...rpc, [method]: () => Promise.reject(new RpcError(method, "down")) };
        expect(await failure(fateOf(broken, BROADCAST))).to.be.instanceOf(RpcError);
        const options = { budgetMs: 10, pollMs: 1 };
        expect(await land(broken, BROADCAST, options)).to.deep.equal({ kind: "pending" });
      });
    }
  });

  describe("landing", () => {
    it("sends the same bytes again and again until the budget is used up, then leaves it open", async () => {
      const { rpc, sent } = node({ finalized: 1n });
      const fate = await land(rpc, BROADCAST, { budgetMs: 60, pollMs: 5, rebroadcastMs: 10 });
      expect(fate).to.deep.equal({ kind: "pending" });
      expect(sent.length).to.be.greaterThan(1);
      for (const wire of sent) expect(wire).to.equal(BROADCAST.wire);
    });

    it("only looks where it is told to", async () => {
      const { rpc, sent } = node({});
      expect(await land(rpc, BROADCAST, { broadcast: false, budgetMs: 0 })).to.deep.equal({ kind: "expired" });
      expect(sent).to.deep.equal([]);
    });

    it("finds out that it can never land before it gives up", async () => {
      const { rpc } = node({});
      expect(await land(rpc, BROADCAST, { budgetMs: 20, pollMs: 5 })).to.deep.equal({ kind: "expired" });
    });

    it("goes by what is on chain, whatever the nodes say of the sending", async () => {
      const { rpc } = node({ status: at("confirmed") });
      const told: unknown[] = [];
      const refusing: Rpc = { ...rpc, send: () => Promise.reject(new RpcError("sendTransaction", "no")) };
      const fate = await land(refusing, BROADCAST, { onError: (error) => told.push(error) });
      expect(fate).to.have.property("kind", "landed");
      expect(told).to.have.length(1);
    });

    it("waits for no node longer than for the others", async () => {
      const { rpc } = node({ status: at("confirmed") });
      const mute: Rpc = { ...rpc, send: () => new Promise(() => {}) };
      expect(await land(mute, BROADCAST, { pollMs: 1 })).to.have.property("kind", "landed");
    });

    it("does not take what the listener of errors returns for an answer", async () => {
      const { rpc } = node({});
      const broken: Rpc = { ...rpc, status: () => Promise.reject(new RpcError("getSignatureStatuses", "down")) };
      const onError = () => ({ kind: "expired" });
      expect(await land(broken, BROADCAST, { budgetMs: 5, pollMs: 1, onError })).to.deep.equal({ kind: "pending" });
    });
  });

  describe("on a chain", () => {
    let net: Localnet;
    let rpc: FaultyRpc;
    let payer: Keypair;
    let to: PublicKey;
    before(async () => {
      net = await Localnet.start({ slotTime: "manual" });
      rpc = faulty(createRpc({ endpoint: net.url, backoffMs: 1 }));
      payer = Keypair.fromSecretKey(net.payer.secretKey);
    });
    after(() => net.close());
    beforeEach(() => {
      to = Keypair.generate().publicKey;
      rpc.heal();
      rpc.forget();
    });

    const options = { budgetMs: 100, pollMs: 5 };
    const pay = (lamports = 1_000_000) => [
      SystemProgram.transfer({ fromPubkey: payer.publicKey, toPubkey: to, lamports }),
    ];
    const received = () => new Connection(net.url, "confirmed").getBalance(to);

    it("a transaction of the server's own is kept before its first byte is sent", async () => {
      const events: string[] = [];
      rpc.fault("send", async (ask) => {
        events.push("sent");
        return ask();
      });
      let kept: Broadcast | undefined;
      const persist = async (broadcast: Broadcast) => {
        kept = broadcast;
        await new Promise((done) => setTimeout(done, 5));
        events.push("kept");
      };
      const { broadcast, fate } = await submit(rpc, { instructions: pay(), feePayer: payer, persist }, options);
      expect(fate).to.include({ kind: "landed", err: null });
      expect(events.slice(0, 2)).to.deep.equal(["kept", "sent"]);
      expect(broadcast).to.equal(kept);
      expect(await received()).to.equal(1_000_000);
    });

    it("what cannot be kept is not sent", async () => {
      const persist = () => Promise.reject(new Error("disk full"));
      const error = await failure(submit(rpc, { instructions: pay(), feePayer: payer, persist }, options));
      expect(error).to.have.property("message", "disk full");
      expect(rpc.calls("send")).to.equal(0);
    });

    it("what would fail is neither signed nor kept nor sent", async () => {
      let isKept = false;
      const persist = async () => {
        isKept = true;
      };
      const submission = { instructions: pay(10), feePayer: payer, persist };
      expect(await failure(submit(rpc, submission, options))).to.be.instanceOf(SimulationError);
      expect([isKept, rpc.calls("send")]).to.deep.equal([false, 0]);
    });

    it("what would fail is sent where that is asked for, and said to have failed", async () => {
      const submission = {
        instructions: pay(10_000_000_000_000),
        feePayer: payer,
        persist: async () => {},
        simulate: false,
      };
      const { fate } = await submit(rpc, submission, options);
      expect(fate).to.have.property("kind", "landed");
      expect(fate).to.not.have.property("err", null);
    });

    it("others sign too, each once, and the compute budget is set", async () => {
      const other = Keypair.generate();
      const cosign = new TransactionInstruction({
        programId: new PublicKey("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"),
        keys: [{ pubkey: other.publicKey, isSigner: true, isWritable: false }],
        data: Buffer.from("x"),
      });
      const { broadcast } = await submit(
        rpc,
        {
          instructions: [...pay(), cosign],
          feePayer: payer,
          signers: [other, other, payer],
          computeUnitLimit: 50_000,
          computeUnitPrice: 7,
          persist: async () => {},
        },
        options,
      );
      const landed = await rpc.transaction(broadcast.signature);
      expect(landed?.transaction.signatures).to.have.length(2);
      const programs = landed?.transaction.message.instructions.map(({ programId }) =>
        programId.toBase58().slice(0, 13),
      );
      expect(programs?.slice(0, 2)).to.deep.equal(["ComputeBudget", "ComputeBudget"]);
    });

    for (const [name, fault] of [
      ["nobody passes on", swallow],
      ["no node takes", down()],
    ] as const) {
      it(`a transaction that ${name}, is pending as long as it can land, and expired after`, async () => {
        rpc.fault("send", fault);
        const submission = { instructions: pay(), feePayer: payer, persist: async () => {} };
        const { broadcast, fate } = await submit(rpc, submission, options);
        expect(fate).to.deep.equal({ kind: "pending" });
        net.warpSlots(150);
        expect(await fateOf(rpc, broadcast), "its last block").to.deep.equal({ kind: "pending" });
        net.warpSlots(1);
        expect(await fateOf(rpc, broadcast)).to.deep.equal({ kind: "expired" });
        await new Connection(net.url).sendRawTransaction(broadcast.wire, { skipPreflight: true });
        expect(await received(), "and it really can land no more").to.equal(0);
      });
    }

    it("a transaction whose sending seemed to fail, has landed once", async () => {
      rpc.fault("send", lost());
      const submission = { instructions: pay(), feePayer: payer, persist: async () => {} };
      const { fate } = await submit(rpc, submission, { ...options, rebroadcastMs: 1 });
      expect(fate).to.have.property("kind", "landed");
      expect(await received()).to.equal(1_000_000);
    });

    it("the bound of somebody else's blockhash is no earlier than its last block", async () => {
      const { lastValidBlockHeight } = await rpc.latestBlockhash("processed");
      expect((await lastValidBound(rpc)) >= lastValidBlockHeight).to.equal(true);
    });

    it("a transaction that somebody has not signed is nothing to be kept", async () => {
      const { blockhash } = await rpc.latestBlockhash();
      const unsigned = buildTransaction({ feePayer: payer.publicKey, recentBlockhash: blockhash, instructions: pay() });
      expect(() => broadcastOf(unsigned, 1n)).to.throw(TypeError, "not fully signed");
    });
  });
});

async function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}
