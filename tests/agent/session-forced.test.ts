// Leaving without the seller: revoke, grace period, seal, refund. Money is conserved after every step.
import { memoryStore } from "@mppsol/agent";
import { session, tokenAddress } from "@mppsol/programs";
import { createCloseAccountInstruction, createTransferInstruction, TOKEN_PROGRAM_ID } from "@solana/spl-token";
import { type Keypair, PublicKey, SystemProgram, Transaction } from "@solana/web3.js";
import { expect } from "chai";
import { agentOf, served } from "./support/session-agent.js";
import { SessionTill } from "./support/session-till.js";
import { SessionWorld, START_TOKENS } from "./support/session-world.js";
import { rejected } from "./support/till.js";

const GRACE = 900;

describe("a forced close", () => {
  let world: SessionWorld;
  let till: SessionTill;

  beforeEach(async () => {
    world = await SessionWorld.start();
    world.airdrop(world.buyer.publicKey);
    till = await SessionTill.start(world, { gracePeriodSeconds: GRACE });
  });
  afterEach(async () => {
    await till.close();
    await world.close();
  });

  const channelId = () => till.account.open.channelId;

  /** Somebody's transaction, the sponsor paying. */
  async function send(instructions: Awaited<ReturnType<typeof session.seal>>, ...signers: Keypair[]) {
    const { blockhash } = await world.connection.getLatestBlockhash();
    const transaction = new Transaction({ feePayer: world.sponsor.publicKey, recentBlockhash: blockhash });
    transaction.add(...instructions).sign(world.sponsor, ...signers);
    await world.connection.sendRawTransaction(transaction.serialize());
  }

  async function cash() {
    await send(await session.debit({ voucher: till.account.highest! }));
  }

  it("gives the whole deposit back when the seller has gone for good", async () => {
    const agent = agentOf(world);
    for (let i = 0; i < 3; i++) await served(agent, till);
    till.trick = () => undefined;
    const [left] = await agent.closeSessions();
    expect(left).deep.include({ kind: "left", channelId: channelId() });
    expect(left).nested.property("error.code", "close-pending");

    const started = await agent.forceClose(channelId());
    expect(started.kind).equal("waiting");
    expect((await world.channel(channelId()))!.status).equal("closing");
    await world.checkConservation(till.channelIds);

    // Nothing more can be done before the grace period is over, and nothing breaks when it is tried.
    const early = await agent.forceClose(channelId());
    expect(early).deep.equal({
      ...{ kind: "waiting", channelId: channelId() },
      sealableAt: (started as { sealableAt: number }).sealableAt,
    });
    expect(await world.tokens(world.buyer.publicKey)).equal(START_TOKENS - 1_000n);

    world.net.advanceSeconds(GRACE);
    const done = await agent.forceClose(channelId());
    expect(done).deep.include({ kind: "closed", refunded: 1_000n }).and.have.property("signature");
    expect(await world.tokens(world.buyer.publicKey)).equal(START_TOKENS);
    await world.checkConservation(till.channelIds);
    expect(await agent.sessions()).deep.equal([]);
    expect((await agent.spending(world.mint.toBase58())).locked).equal(0n);
  });

  it("says that it takes SOL where the wallet has none, and the channel is as it was", async () => {
    const agent = agentOf(world);
    await served(agent, till);
    const { lamports } = (await world.connection.getAccountInfo(world.buyer.publicKey))!;
    const away = SystemProgram.transfer({
      fromPubkey: world.buyer.publicKey,
      toPubkey: world.sponsor.publicKey,
      lamports,
    });
    await send([away], world.buyer);
    const error = await agent.forceClose(channelId()).catch((thrown: unknown) => thrown);
    expect(error).to.include({ code: "insufficient-funds", asset: "sol", available: 0n });
    expect((await world.channel(channelId()))!.status).equal("open");
    await served(agent, till);
    await world.checkConservation(till.channelIds);
  });

  it("leaves the seller what it cashes within the grace period", async () => {
    const agent = agentOf(world);
    for (let i = 0; i < 3; i++) await served(agent, till);
    await agent.forceClose(channelId());
    // The draft lets a seller settle and seal, not just settle, once the payer has left.
    await till.settle(till.account);
    await world.checkConservation(till.channelIds);
    expect(await agent.forceClose(channelId())).deep.equal({ kind: "closed", channelId: channelId() });
    expect(await world.tokens(world.buyer.publicKey)).equal(START_TOKENS - 30n);
    expect(await world.tokens(world.seller.publicKey)).equal(30n);
    expect(await agent.sessions()).deep.equal([]);
  });

  it("gives back what was not settled when the seller cashed a voucher before", async () => {
    const agent = agentOf(world);
    for (let i = 0; i < 3; i++) await served(agent, till);
    await cash();
    await agent.forceClose(channelId());
    world.net.advanceSeconds(GRACE);
    const done = await agent.forceClose(channelId());
    expect(done).deep.include({ kind: "closed", refunded: 970n });
    expect(await world.tokens(world.buyer.publicKey)).equal(START_TOKENS - 30n);
    // What is the seller's stays in escrow until it is taken: the rent is the sponsor's, so this is the seller's business.
    await world.checkConservation(till.channelIds);
    const parties = { payer: world.buyer.publicKey, payee: world.seller.publicKey, rentPayer: world.sponsor.publicKey };
    const token = { mint: world.mint, tokenProgram: TOKEN_PROGRAM_ID };
    const channel = new PublicKey(channelId());
    await send(await session.settle({ ...parties, ...token, channel, createAccounts: false }));
    expect(await world.tokens(world.seller.publicKey)).equal(30n);
    await world.checkConservation(till.channelIds);
  });

  it("waits for the grace period where it is told to", async () => {
    const agent = agentOf(world);
    await served(agent, till);
    const old = channelId();
    const done = agent.forceClose(old, { wait: true });
    for (let i = 0; i < 200 && (await world.channel(old))!.status === "open"; i++) await pause(5);
    // Meanwhile the agent pays on, by another channel.
    expect(await served(agent, till)).equal(2);
    world.net.advanceSeconds(GRACE + 1);
    expect(await done).deep.include({ kind: "closed", channelId: old, refunded: 1_000n });
    expect(await world.tokens(world.buyer.publicKey)).equal(START_TOKENS - 1_000n);
    await world.checkConservation(till.channelIds);
  });

  it("goes on in another process from wherever it was", async () => {
    const store = memoryStore();
    const first = agentOf(world, { store });
    await served(first, till);
    await first.forceClose(channelId());
    await first.close({ keepSessions: true });
    const second = agentOf(world, { store });
    expect((await second.sessions()).map(({ status }) => status)).deep.equal(["closing"]);
    world.net.advanceSeconds(GRACE);
    // Somebody else may seal it; what is left to do is done.
    await send(await session.seal({ channel: new PublicKey(channelId()) }));
    expect(await second.forceClose(channelId())).deep.include({ kind: "closed", refunded: 1_000n });
    expect(await world.tokens(world.buyer.publicKey)).equal(START_TOKENS);
    await world.checkConservation(till.channelIds);
  });

  it("makes the wallet's token account again when it was closed meanwhile", async () => {
    const agent = agentOf(world);
    await served(agent, till);
    await agent.forceClose(channelId());
    world.net.advanceSeconds(GRACE);
    const { buyer, seller, mint } = world;
    const mine = tokenAddress(buyer.publicKey, mint, TOKEN_PROGRAM_ID);
    const theirs = tokenAddress(seller.publicKey, mint, TOKEN_PROGRAM_ID);
    const all = await world.tokens(buyer.publicKey);
    const empty = createTransferInstruction(mine, theirs, buyer.publicKey, all);
    await send([empty, createCloseAccountInstruction(mine, buyer.publicKey, buyer.publicKey)], buyer);
    expect(await agent.forceClose(channelId())).deep.include({ kind: "closed", refunded: 1_000n });
    expect(await world.tokens(buyer.publicKey)).equal(1_000n);
    await world.checkConservation(till.channelIds);
  });

  it("brings the rent back too, where the wallet had paid it, and pays the seller on the way", async () => {
    till.selling = { ...till.selling, sponsored: false };
    const agent = agentOf(world);
    const before = await world.lamports(world.buyer.publicKey);
    for (let i = 0; i < 2; i++) await served(agent, till);
    expect(before - (await world.lamports(world.buyer.publicKey)) > 4_000_000n).equal(true);
    await cash();
    await agent.forceClose(channelId());
    world.net.advanceSeconds(GRACE);
    world.net.warpSlots(1_600);
    expect(await agent.forceClose(channelId())).deep.include({ kind: "closed", refunded: 980n });
    expect(await world.tokens(world.seller.publicKey)).equal(20n);
    expect(await world.tokens(world.buyer.publicKey)).equal(START_TOKENS - 20n);
    expect(before - (await world.lamports(world.buyer.publicKey)) < 100_000n).equal(true);
    expect(await world.channel(channelId())).equal(undefined);
    await world.checkConservation(till.channelIds);
  });

  it("takes a channel back whose open the server never admitted to", async () => {
    const agent = agentOf(world);
    till.trick = async (hit) => {
      if (hit.action?.action === "open") await till.answer(hit);
      return hit.action === undefined ? "honest" : { status: 500 };
    };
    await agent.fetch(`${till.url}/x`).catch(() => {});
    expect(await agent.forceClose(channelId())).deep.include({ kind: "waiting" });
    world.net.advanceSeconds(GRACE);
    expect(await agent.forceClose(channelId())).deep.include({ kind: "closed", refunded: 1_000n });
    await world.checkConservation(till.channelIds);
  });

  it("is of the agent's own channels only", async () => {
    await rejected(agentOf(world).forceClose(PublicKey.default.toBase58()), "channel-unusable");
  });

  it("stops payments at once: the next request opens another channel", async () => {
    const agent = agentOf(world);
    await served(agent, till);
    const old = channelId();
    await agent.forceClose(old);
    expect(await served(agent, till)).equal(2);
    expect(till.accounts.size).equal(2);
    expect(till.accounts.get(old)!.accepted).equal(10n);
  });
});

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
