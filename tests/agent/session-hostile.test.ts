// Sellers that want more than they were granted. Each rule that stands between them and the money has its own.
import { type AgentOptions, memoryStore, paymentOf } from "@mppsol/agent";
import { type Receipt, type SessionRequest, SignedVoucher } from "@mppsol/core";
import { FOUNDATION_CHANNEL_PROGRAM_ID, keypairSigner } from "@mppsol/programs";
import { TOKEN_2022_PROGRAM_ID } from "@solana/spl-token";
import { Keypair, PublicKey } from "@solana/web3.js";
import { expect } from "chai";
import { agentOf, served } from "./support/session-agent.js";
import { type Hit, SessionTill, type Trick } from "./support/session-till.js";
import { SessionWorld, START_TOKENS } from "./support/session-world.js";
import { rejected } from "./support/till.js";

describe("a hostile seller of sessions", () => {
  let world: SessionWorld;
  let till: SessionTill;

  beforeEach(async () => {
    world = await SessionWorld.start();
    till = await SessionTill.start(world);
  });
  afterEach(async () => {
    await till.close();
    await world.close();
  });

  /** What is signed for the one channel, at most. */
  const granted = () => till.hits.map(({ action }) => amountOf(action)).sort((a, b) => (a < b ? 1 : -1))[0] ?? 0n;

  describe("that asks for other terms than an agent grants", () => {
    const asks =
      (more: Partial<SessionRequest.SessionRequest>): Trick =>
      async (hit) =>
        hit.credential === undefined ? till.askWith(await till.challenge(hit, more)) : "honest";

    async function refuses(
      more: Partial<SessionRequest.SessionRequest>,
      code: string,
      options: Partial<AgentOptions> = {},
    ) {
      till.trick = asks(more);
      await rejected(agentOf(world, options).fetch(`${till.url}/x`), code);
      expect(till.log, code).deep.equal(["asked"]);
      expect(await world.tokens(world.buyer.publicKey)).equal(START_TOKENS);
    }

    it("by a program that is not pinned for the cluster, gets nothing", () =>
      refuses({ channelProgram: Keypair.generate().publicKey.toBase58() }, "program-not-pinned"));

    it("on another cluster, gets nothing", () => refuses({ network: "devnet" }, "network-mismatch"));

    it("with a blockhash of another cluster, gets nothing: the transaction would be good there", () =>
      refuses({ recentBlockhash: Keypair.generate().publicKey.toBase58() }, "session-terms:blockhash"));

    it("with a grace period that would hold the deposit back for long, gets nothing", () =>
      refuses({ gracePeriodSeconds: 86_401 }, "session-terms:grace-period"));

    it("with a grace period shorter than the agent wants, gets nothing", () =>
      refuses({ gracePeriodSeconds: 59 }, "session-terms:grace-period", {
        session: { gracePeriodSeconds: { min: 60 } },
      }));

    it("with a minimum deposit of 10,001 prices, gets nothing", () =>
      refuses({ minimumDeposit: 100_010n }, "session-terms:deposit"));

    it("at a price above the most that a request may cost, gets nothing", () =>
      refuses({ amount: 11n }, "session-terms:amount", { session: { maxPerRequest: 10n } }));

    it("with a least increase above the price, gets nothing", () =>
      refuses({ minVoucherDelta: 11n }, "session-terms:amount"));

    it("that names the agent's own key as its sponsor, gets nothing", () =>
      refuses({ feePayer: true, feePayerKey: world.buyer.publicKey.toBase58() }, "session-terms:fee-payer"));

    it("that names the wrong token program or decimals, gets nothing", async () => {
      await refuses({ tokenProgram: TOKEN_2022_PROGRAM_ID.toBase58() }, "session-terms:token");
      till.hits.length = 0;
      await refuses({ decimals: 9 }, "session-terms:token");
    });

    it("for a mint that is none, gets nothing", () => {
      const currency = Keypair.generate().publicKey.toBase58();
      const budget = { [currency]: { deposit: 1_000_000n } };
      return refuses({ currency }, "session-terms:token", { budget });
    });

    it("that wants to sign the vouchers where only the agent may, gets nothing", () => {
      const operator = Keypair.generate().publicKey.toBase58();
      return refuses({ voucherSigner: "operator", operator }, "session-terms:voucher-signer", {
        session: { operatorSigned: false },
      });
    });

    it("that names a signer who cannot sign, gets nothing", () => {
      const [offCurve] = PublicKey.findProgramAddressSync([Buffer.from("x")], FOUNDATION_CHANNEL_PROGRAM_ID);
      return refuses({ voucherSigner: "operator", operator: offCurve.toBase58() }, "session-terms:voucher-signer");
    });

    it("that wants to go on with a channel that the agent does not have, gets nothing", () =>
      refuses(
        { ...{ channelId: Keypair.generate().publicKey.toBase58(), idleTimeoutSeconds: 60 }, ...noNewChannel },
        "session-terms:channel",
      ));
  });

  it("that wants a session proof over plain http to somewhere else, gets none", async () => {
    till.selling = { ...till.selling, operator: Keypair.generate() };
    const challenge = await till.challenge();
    // The agent's transport is made to believe that it talks to another host.
    const fetch: typeof globalThis.fetch = async () => {
      const { status, headers, body } = till.askWith(challenge);
      return new Response(JSON.stringify(body), { status, headers: headers as Record<string, string> });
    };
    const agent = agentOf(world, { fetch, http: "always" });
    await rejected(agent.fetch("http://seller.example/x"), "session-terms:transport");
  });

  it("that says it opened the channel and did not, is found out, and gets no voucher", async () => {
    till.trick = (hit) => {
      const { action, credential } = hit;
      if (action?.action !== "open" || credential === undefined) return "honest";
      const account = { open: action, accepted: 0n, spent: 0n, idleTimeoutSeconds: 60 } as never;
      return { status: 200, headers: till.receipt(account, credential.challenge.id) };
    };
    const agent = agentOf(world);
    await rejected(agent.fetch(`${till.url}/x`), "channel-missing");
    expect(granted()).equal(0n);
    // It still has the signed open, so the deposit stays counted.
    expect((await agent.spending(world.mint.toBase58())).locked).equal(1_000n);
  });

  it("whose open makes another channel than was signed, gets no voucher", async () => {
    // The program would never do it; so the account is changed behind everybody's back.
    till.trick = async (hit) => {
      if (hit.action?.action !== "open") return "honest";
      const reply = await till.answer(hit);
      const address = hit.action.channelId;
      const account = (await world.connection.getAccountInfo(new PublicKey(address)))!;
      const data = Buffer.from(account.data);
      data.writeUInt32LE(86_400 * 365, 52); // the grace period
      const changed = { lamports: account.lamports, owner: account.owner.toBase58(), data: data.toString("base64") };
      world.net.setAccount(address, { ...changed, data: new Uint8Array(data), lamports: BigInt(account.lamports) });
      return reply;
    };
    const agent = agentOf(world);
    await rejected(agent.fetch(`${till.url}/x`), "channel-mismatch");
    till.trick = () => "honest";
    await rejected(agent.fetch(`${till.url}/x`), "channel-unusable");
    expect(granted()).equal(0n);
    expect(till.accounts.size).equal(1);
  });

  it("that refuses an open and lands it later, has one deposit, and the agent finds the channel", async () => {
    let open: Hit | undefined;
    till.trick = async (hit) => {
      if (hit.action?.action !== "open" || open !== undefined) return "honest";
      open = hit;
      return till.ask(hit, "open-simulation");
    };
    const agent = agentOf(world);
    await rejected(agent.fetch(`${till.url}/x`), "open-refused");
    expect((await agent.spending(world.mint.toBase58())).locked).equal(1_000n);
    const late = await till.answer(open!);
    expect(late.status).equal(200);
    expect(await served(agent, till)).equal(1);
    expect(till.accounts.size).equal(1);
    expect((await agent.spending(world.mint.toBase58())).locked).equal(1_000n);
    await world.checkConservation(till.channelIds);
  });

  it("that lands two opens of one agent, can land only one of them: they make the same channel", async () => {
    const opens: Hit[] = [];
    till.trick = async (hit) => {
      if (hit.action?.action !== "open") return "honest";
      opens.push(hit);
      return till.ask(hit, "open-simulation");
    };
    const agent = agentOf(world);
    await rejected(agent.fetch(`${till.url}/x`), "open-refused");
    await rejected(agent.fetch(`${till.url}/x`), "open-refused");
    const [first, second] = opens.map(({ action }) => action as { channelId: string; transaction: Uint8Array });
    expect(second!.channelId).equal(first!.channelId);
    expect(Buffer.from(second!.transaction).equals(Buffer.from(first!.transaction))).equal(false);
    expect((await till.answer(opens[0]!)).status).equal(200);
    expect((await till.answer(opens[1]!)).status).equal(402);
    expect(await world.tokens(world.buyer.publicKey)).equal(START_TOKENS - 1_000n);
    expect((await agent.spending(world.mint.toBase58())).locked).equal(1_000n);
  });

  it("that refuses an open and then wants more, gets no second open while the first may still land", async () => {
    till.trick = (hit) => (hit.action?.action === "open" ? till.ask(hit, "open-simulation") : "honest");
    const agent = agentOf(world);
    await rejected(agent.fetch(`${till.url}/x`), "open-refused");
    till.trick = () => "honest";
    till.selling = { ...till.selling, minimumDeposit: 2_000n };
    await rejected(agent.fetch(`${till.url}/x`), "open-pending");
    expect(till.log.filter((entry) => entry === "open")).have.length(1);
    world.expireBlockhashes();
    expect(await served(agent, till)).equal(1);
    expect((await agent.spending(world.mint.toBase58())).locked).equal(2_000n);
  });

  it("that refuses an open which then can never land, leaves nothing counted once the agent opens anew", async () => {
    let refuseIt = true;
    till.trick = (hit) => (hit.action?.action === "open" && refuseIt ? till.ask(hit, "open-simulation") : "honest");
    const agent = agentOf(world);
    await rejected(agent.fetch(`${till.url}/x`), "open-refused");
    world.net.warpSlots(2_000); // past the blockhash and the slot window
    refuseIt = false;
    expect(await served(agent, till)).equal(1);
    const opened = till.hits.filter(({ action }) => action?.action === "open");
    expect(new Set(opened.map(({ action }) => action!.channelId)).size).equal(2);
    expect((await agent.spending(world.mint.toBase58())).locked).equal(1_000n);
  });

  it("that neither admits to an open nor lands it, does not make the agent forget that it may still land", async () => {
    till.trick = (hit) => (hit.action === undefined ? "honest" : till.ask(hit, "channel-unknown"));
    const agent = agentOf(world);
    await rejected(agent.fetch(`${till.url}/x`), "open-refused");
    const [left] = await agent.closeSessions();
    expect(left).nested.property("error.code", "open-pending");
    expect((await agent.spending(world.mint.toBase58())).locked).equal(1_000n);
    world.expireBlockhashes();
    expect((await agent.closeSessions())[0]).property("kind", "closed");
    expect(await agent.spending(world.mint.toBase58())).deep.include({ locked: 0n, spent: 0n });
    expect(await agent.sessions()).deep.equal([]);
  });

  describe("that has a channel", () => {
    it("and takes vouchers without serving, gets no more than one price for a request", async () => {
      const agent = agentOf(world);
      await served(agent, till);
      till.trick = (hit) => (hit.action?.action === "voucher" ? till.ask(hit, "voucher-signature") : "honest");
      for (let i = 0; i < 5; i++) await rejected(agent.fetch(`${till.url}/x`), "payment-refused");
      expect(granted()).equal(20n);
      expect((await agent.spending(world.mint.toBase58())).spent).equal(20n);
    });

    it("and says each time that it has the voucher already, gets one price for each request and no more", async () => {
      const agent = agentOf(world);
      await served(agent, till);
      till.trick = (hit) => {
        const amount = amountOf(hit.action);
        if (amount === 0n) return "honest";
        return till.ask(hit, "voucher-not-monotonic", { acceptedCumulative: String(amount), spent: String(amount) });
      };
      for (let i = 1n; i <= 3n; i++) {
        await agent.fetch(`${till.url}/x`).catch((error: { code: string }) => {
          expect(error.code).oneOf(["payment-refused", "amount-refused"]);
        });
        expect(granted() <= 10n + 10n * i, `${granted()} after ${i}`).equal(true);
      }
    });

    it("and claims to have accepted more than was ever signed, is believed nothing any more", async () => {
      const agent = agentOf(world);
      await served(agent, till);
      till.trick = (hit) =>
        hit.action?.action === "voucher"
          ? till.ask(hit, "voucher-not-monotonic", { acceptedCumulative: "21", spent: "21" })
          : "honest";
      await rejected(agent.fetch(`${till.url}/x`), "server-claim");
      till.trick = () => "honest";
      await rejected(agent.fetch(`${till.url}/x`), "channel-unusable");
      expect(granted()).equal(20n);
      // Leaving is still possible.
      expect((await agent.closeSessions())[0]).deep.include({ kind: "closed" });
    });

    it("and asks in a refusal for more than a request may cost, gets no voucher for it", async () => {
      const agent = agentOf(world);
      await served(agent, till);
      const account = till.account;
      till.trick = (hit) =>
        hit.action?.action === "voucher"
          ? till.ask(hit, "voucher-insufficient", { ...till.figures(account), requiredCumulative: "900" })
          : "honest";
      await rejected(agent.fetch(`${till.url}/x`), "amount-refused");
      expect(granted()).equal(20n);
    });

    it("and asks for more than a request may cost and there is deposited, gets no deposit for it either", async () => {
      till.selling = { ...till.selling, suggestedDeposit: 100n };
      const agent = agentOf(world);
      await served(agent, till);
      const account = till.account;
      till.trick = (hit) =>
        hit.action?.action === "voucher"
          ? till.ask(hit, "voucher-insufficient", { ...till.figures(account), requiredCumulative: "900" })
          : "honest";
      await rejected(agent.fetch(`${till.url}/x`), "amount-refused");
      expect(till.log).not.include("topUp");
    });

    it("and asks in a refusal for more, gets for both attempts no more than a request may cost by the budget", async () => {
      const budget = { [world.mint.toBase58()]: { deposit: 1_000n, perRequest: 25n } };
      const agent = agentOf(world, { budget, session: { maxPerRequest: 1_000n } });
      await served(agent, till);
      const account = till.account;
      till.trick = (hit) =>
        hit.action?.action === "voucher"
          ? till.ask(hit, "voucher-insufficient", { ...till.figures(account), requiredCumulative: "40" })
          : "honest";
      // The first attempt took it from 10 to 20; up to 40, the request would cost 30.
      const error = await agent.fetch(`${till.url}/x`).catch((thrown: unknown) => thrown);
      expect(error).property("code", "payment-refused");
      expect(error).property("cause").include({ code: "budget-exceeded", limit: "request", available: 15n });
      expect(granted()).equal(20n);
      expect((await agent.spending(world.mint.toBase58())).spent).equal(20n);
    });

    it("and disowns it, does not get what a request may cost by the budget once more by another channel", async () => {
      const budget = { [world.mint.toBase58()]: { deposit: 10_000n, perRequest: 15n } };
      const agent = agentOf(world, { budget });
      await served(agent, till);
      till.trick = (hit) =>
        hit.action?.action === "voucher" && amountOf(hit.action) === 20n ? till.ask(hit, "channel-unknown") : "honest";
      await rejected(agent.fetch(`${till.url}/x`), "payment-refused");
      expect((await agent.spending(world.mint.toBase58())).spent).equal(20n);
      // The next request is another one.
      expect(await served(agent, till)).equal(2);
    });

    const lies: [string, (receipt: Receipt.SessionReceipt) => Receipt.SessionReceipt][] = [
      ["more accepted than was signed", (receipt) => ({ ...receipt, acceptedCumulative: 31n, spent: 20n })],
      ["more spent than accepted", (receipt) => ({ ...receipt, spent: 21n })],
      ["another channel", (receipt) => ({ ...receipt, channelId: Keypair.generate().publicKey.toBase58() })],
    ];
    for (const [what, forge] of lies) {
      it(`and sends a receipt of ${what}, is found out: what it served is the agent's, and nothing more is paid`, async () => {
        // So that the lie itself is what gives it away, and not how much it costs.
        const agent = agentOf(world, { session: { maxPerRequest: 1_000n } });
        await served(agent, till);
        till.forge = forge;
        expect(await served(agent, till)).equal(2);
        till.forge = (receipt) => receipt;
        await rejected(agent.fetch(`${till.url}/x`), "channel-unusable");
        expect(granted()).equal(20n);
        expect((await agent.sessions())[0])
          .property("distrusted")
          .a("string");
      });
    }

    it("and charges more than the price out of credit, is found out by its receipt", async () => {
      const agent = agentOf(world, { session: { maxPerRequest: 10n } });
      await served(agent, till);
      // A failed request leaves credit of 10; with the next voucher, for one more, there are 11 to be had.
      till.work = (_, account) => {
        account.spent -= 10n;
        return { status: 500 };
      };
      await agent.fetch(`${till.url}/fails`);
      till.work = () => ({ status: 200, body: { served: ++till.served } });
      till.forge = (receipt) => ({ ...receipt, spent: receipt.acceptedCumulative });
      await served(agent, till);
      expect(granted()).equal(21n);
      await rejected(agent.fetch(`${till.url}/x`), "channel-unusable");
    });

    it("and sends a receipt that acknowledges less than was paid, is not paid for it again", async () => {
      const agent = agentOf(world);
      await served(agent, till);
      till.forge = (receipt) => ({ ...receipt, acceptedCumulative: 10n, spent: 10n });
      const response = await agent.fetch(`${till.url}/data`);
      expect(response.status).equal(200);
      expect(paymentOf(response)?.receiptProblem).contain("less than was paid");
      till.forge = (receipt) => receipt;
      expect(await served(agent, till)).equal(3);
      expect(granted()).equal(30n);
    });

    it("and disowns it, does not get deposit after deposit", async () => {
      const agent = agentOf(world, { session: { maxChannels: 3 } });
      till.trick = (hit) => (hit.action?.action === "voucher" ? till.ask(hit, "channel-unknown") : "honest");
      for (let i = 0; i < 2; i++) await agent.fetch(`${till.url}/x`).catch(() => {});
      await rejected(agent.fetch(`${till.url}/x`), "session-terms:too-many-channels");
      expect(till.accounts.size).equal(3);
      expect((await agent.sessions()).map(({ status }) => status)).deep.equal(["closing", "closing", "closing"]);
      await world.checkConservation(till.channelIds);
    });

    it("and redirects an errand elsewhere, does not have its credential sent there", async () => {
      const elsewhere = await SessionTill.start(world);
      try {
        till.trick = (hit) =>
          hit.action?.action === "open" ? { status: 307, headers: { location: `${elsewhere.url}/x` } } : "honest";
        await rejected(agentOf(world).fetch(`${till.url}/x`), "open-refused");
        expect(elsewhere.hits).have.length(0);
      } finally {
        await elsewhere.close();
      }
    });

    it("and names another to go on with, is not paid by this one", async () => {
      const agent = agentOf(world);
      await served(agent, till);
      const resume = (channelId: string): Trick => {
        return async (hit) => {
          if (hit.action !== undefined) return "honest";
          return till.askWith(await till.challenge(hit, { channelId, idleTimeoutSeconds: 300, ...noNewChannel }));
        };
      };
      till.trick = resume(Keypair.generate().publicKey.toBase58());
      await rejected(agent.fetch(`${till.url}/other`), "session-terms:channel");
      expect(granted()).equal(10n);
      till.trick = resume(till.account.open.channelId);
      expect(await served(agent, till, "/mine")).equal(2);
      expect(till.accounts.size).equal(1);
    });

    it("and asks to go on with the channel of another seller, gets no voucher of it", async () => {
      const agent = agentOf(world);
      await served(agent, till);
      const { channelId } = till.account.open;
      const other = await SessionTill.start(world);
      try {
        other.trick = async (hit) =>
          other.askWith(await other.challenge(hit, { channelId, idleTimeoutSeconds: 300, ...noNewChannel }));
        await rejected(agent.fetch(`${other.url}/x`), "session-terms:channel");
        expect(other.log).deep.equal(["asked"]);
      } finally {
        await other.close();
      }
    });

    it("and says that a top-up landed which did not, gets no voucher beyond the deposit", async () => {
      till.selling = { ...till.selling, suggestedDeposit: 20n };
      const agent = agentOf(world);
      for (let i = 0; i < 2; i++) await served(agent, till);
      till.trick = (hit) =>
        hit.action?.action === "topUp"
          ? { status: 200, headers: till.receipt(till.account, hit.credential!.challenge.id) }
          : "honest";
      await rejected(agent.fetch(`${till.url}/x`), "topup-pending");
      expect(granted()).equal(20n);
      // It still has the signed transaction: no other one is signed while that may land.
      await rejected(agent.fetch(`${till.url}/x`), "topup-pending");
      const transactions = till.hits.flatMap(({ action }) => (action?.action === "topUp" ? [action.transaction] : []));
      expect(new Set(transactions.map((bytes) => Buffer.from(bytes).toString("base64"))).size).equal(1);
      expect((await agent.spending(world.mint.toBase58())).locked).equal(40n);
      // Once it cannot land any more, it is not counted any more, and the next one is another.
      world.expireBlockhashes();
      till.trick = () => "honest";
      await served(agent, till);
      expect(till.account.deposit).equal(40n);
      expect((await agent.spending(world.mint.toBase58())).locked).equal(40n);
    });

    it("and says that it closed it, and did not, does not make the agent forget its deposit", async () => {
      const agent = agentOf(world);
      await served(agent, till);
      till.trick = (hit) =>
        hit.action?.action === "close"
          ? { status: 200, headers: till.receipt(till.account, hit.credential!.challenge.id, { refunded: 990n }) }
          : "honest";
      const [left] = await agent.closeSessions();
      expect(left).nested.property("error.code", "close-pending");
      expect((await agent.spending(world.mint.toBase58())).locked).equal(1_000n);
      till.trick = () => "honest";
      expect((await agent.closeSessions())[0]).deep.include({ kind: "closed", refunded: 990n });
      expect((await agent.spending(world.mint.toBase58())).locked).equal(0n);
    });

    it("and says that it gave more back than it did, is not believed: the chain says what came back", async () => {
      const agent = agentOf(world);
      await served(agent, till);
      till.forge = (receipt) => (receipt.refunded === undefined ? receipt : { ...receipt, refunded: 5_000n });
      expect((await agent.closeSessions())[0]).deep.include({ kind: "closed", refunded: 990n });
    });

    it("and changes the terms of its route, is paid by the new price if that is granted", async () => {
      const agent = agentOf(world, { session: { maxPerRequest: 15n } });
      await served(agent, till);
      till.selling = { ...till.selling, price: 15n };
      expect(await served(agent, till)).equal(2);
      expect(till.accounts.size).equal(1);
      till.selling = { ...till.selling, price: 16n };
      await rejected(agent.fetch(`${till.url}/x`), "session-terms:amount");
      expect(granted()).equal(25n);
    });
  });

  it("cannot have a channel of another wallet, cluster or signer used, though it lies in the same store", async () => {
    const store = memoryStore();
    const agent = agentOf(world, { store });
    await served(agent, till);
    await agent.close({ keepSessions: true });
    const key = keypairSigner(Keypair.generate());
    const mine = till.account;
    const another = agentOf(world, { store, session: { voucherSigner: key } });
    expect(await served(another, till)).equal(2);
    expect(till.accounts.size).equal(2);
    expect(mine.accepted).equal(10n);
    const stranger = Keypair.generate();
    world.fund(stranger.publicKey, 5_000n);
    expect(await served(agentOf(world, { store, signer: stranger }), till)).equal(3);
    expect(till.accounts.size).equal(3);
    expect(mine.accepted).equal(10n);
  });

  it("sees vouchers that anybody can check and cash up to what was granted, no further", async () => {
    const agent = agentOf(world);
    for (let i = 0; i < 3; i++) await served(agent, till);
    const { highest, open } = till.account;
    expect(SignedVoucher.verify(highest!)).equal(true);
    await till.settle(till.account);
    expect(await world.tokens(world.seller.publicKey)).equal(30n);
    expect(await world.channel(open.channelId)).property("status", "distributed");
    await world.checkConservation(till.channelIds);
    // The agent learns of it at the next request, and has another one.
    till.account.closed = true;
    expect(await served(agent, till)).equal(4);
    expect(till.accounts.size).equal(2);
    expect((await agent.spending(world.mint.toBase58())).locked).equal(1_000n);
  });
});

/** What a challenge to go on with a channel must not have. */
const noNewChannel = {
  recentBlockhash: undefined,
  recentSlot: undefined,
  gracePeriodSeconds: undefined,
} as unknown as Partial<SessionRequest.SessionRequest>;

function amountOf(action: Hit["action"]): bigint {
  if (action === undefined || !("voucher" in action) || action.voucher === undefined) return 0n;
  return action.voucher.voucher.cumulativeAmount;
}
