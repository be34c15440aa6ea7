// Who may ask about a wallet: the wallet, signed, for one request, once. Each rule by a sign-in that breaks only that one.
import { Base58, SignInWithX } from "@mppsol/core";
import { keypairSigner } from "@mppsol/programs";
import { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import {
  Agent,
  type Answer,
  Books,
  DEPOSIT,
  type Office,
  okay,
  refused,
  START,
  STATUS,
  startOffice,
} from "./support.ts";

type Message = SignInWithX.Message;

describe("signing in to be onboarded", () => {
  let office: Office;
  let agent: Agent;
  let seller: string;

  before(async () => {
    office = await startOffice();
    const books = new Books(office);
    seller = books.person(0n).publicKey.toBase58();
    agent = new Agent(office, books.person(DEPOSIT));
  });

  after(() => office.close());

  /** Expects that the sign-in is refused for this member, with a challenge that works. */
  async function wrong(answer: Answer, member: string): Promise<void> {
    refused(answer, 401, "sign_in_invalid");
    expect(answer.body.member).to.equal(member);
    const challenge = SignInWithX.challengeFromJson(answer.body.extensions["sign-in-with-x"]);
    const url = `http://127.0.0.1:8402${START}`;
    const signIn = await SignInWithX.answer(challenge, { signer: keypairSigner(agent.wallet), url });
    okay(await agent.start(seller, {}, SignInWithX.format(signIn)));
  }

  const start = async (change: (message: Message) => Message, signer?: Keypair) =>
    agent.start(seller, {}, await agent.header(START, change, signer));

  it("is asked for, with a challenge in the shape of x402, by the routes that say something about a wallet", async () => {
    const answers = [await agent.post(START, agent.asked(), {}), await agent.get(STATUS, agent.query(seller), {})];
    for (const [i, answer] of answers.entries()) {
      refused(answer, 401, "sign_in_required");
      expect(answer.headers).to.include({ "content-type": "application/problem+json; charset=utf-8" });
      expect(answer.headers["www-authenticate"]).to.equal("SIGN-IN-WITH-X");
      const { info, supportedChains, schema } = answer.body.extensions["sign-in-with-x"];
      expect(info).to.include({ domain: "127.0.0.1:8402", version: "1" });
      expect(info.uri).to.equal(`http://127.0.0.1:8402${[START, STATUS][i]}`);
      expect(info.nonce).to.match(/^[0-9a-f]{32}$/);
      expect(Date.parse(info.expirationTime) - Date.parse(info.issuedAt)).to.equal(300_000);
      expect(supportedChains).to.have.length(1);
      expect(supportedChains[0].chainId).to.match(/^solana:[1-9A-HJ-NP-Za-km-z]{32}$/);
      expect(schema.required).to.include("signature");
    }
  });

  it("lets the wallet in that signs what it was asked to", async () => {
    okay(await agent.start(seller));
    okay(await agent.status(seller));
  });

  it("is good for one request: a second with the same nonce is refused, on any route that would take it", async () => {
    const header = await agent.header(START);
    okay(await agent.start(seller, {}, header));
    await wrong(await agent.start(seller, {}, header), "nonce");
  });

  it("lets one of twenty in that show the same at once", async () => {
    const header = await agent.header(START);
    const answers = await Promise.all(Array.from({ length: 20 }, () => agent.start(seller, {}, header)));
    expect(answers.filter(({ status }) => status === 200)).to.have.length(1);
    for (const answer of answers.filter(({ status }) => status !== 200)) refused(answer, 401, "sign_in_invalid");
  });

  it("is not taken under a nonce that this service did not give out, or gave out for another time", async () => {
    await wrong(await start((message) => ({ ...message, nonce: "0".repeat(32) })), "nonce");
    await wrong(await start((message) => ({ ...message, nonce: message.nonce.replace(/.$/, other) })), "nonce");
    await wrong(await start((message) => ({ ...message, nonce: `${message.nonce}0` })), "nonce");
    office.net.advanceSeconds(10);
    const earlier = (message: Message) => ({ ...message, issuedAt: at(message.issuedAt, -5_000) });
    await wrong(await start(earlier), "nonce");
  });

  it("is not taken for another host, route, chain or wallet", async () => {
    await wrong(await start((message) => ({ ...message, domain: "evil.example" })), "domain");
    await wrong(await start((message) => ({ ...message, uri: message.uri.replace("http:", "https:") })), "uri");
    await wrong(
      await start((message) => ({ ...message, uri: message.uri.replace("127.0.0.1", "evil.example") })),
      "uri",
    );
    await wrong(await agent.start(seller, {}, await agent.header(STATUS)), "uri");
    const mainnet = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp";
    await wrong(await start((message) => ({ ...message, chainId: mainnet })), "chainId");
    await wrong(await start((message) => message, Keypair.generate()), "address");
  });

  it("is not taken after five minutes, nor after it has expired, nor from a time to come", async () => {
    const late = await agent.header(START, ({ expirationTime: _, ...message }) => message);
    const expired = await agent.header(START);
    const brief = await agent.header(START, (message) => ({ ...message, expirationTime: at(message.issuedAt, 1_000) }));
    office.net.advanceSeconds(2);
    await wrong(await agent.start(seller, {}, brief), "expirationTime");
    office.net.advanceSeconds(298);
    await wrong(await agent.start(seller, {}, expired), "issuedAt");
    await wrong(await agent.start(seller, {}, late), "issuedAt");
    await wrong(await start((message) => ({ ...message, issuedAt: at(message.issuedAt, 6_000) })), "issuedAt");
    await wrong(await start((message) => ({ ...message, notBefore: at(message.issuedAt, 60_000) })), "notBefore");
  });

  it("is not taken with a signature of somebody else, of another text, or none that can be read", async () => {
    const header = await agent.header(START, (message) => ({ ...message, address: agent.address }));
    const json = JSON.parse(Buffer.from(header, "base64").toString());
    const send = (changes: object) => {
      const changed = Buffer.from(JSON.stringify({ ...json, ...changes })).toString("base64");
      return agent.start(seller, {}, changed);
    };
    await wrong(await send({ statement: "Something else." }), "signature");
    await wrong(await send({ signature: Base58.encode(new Uint8Array(64)) }), "signature");
    await wrong(await send({ signature: "x" }), "signIn.signature");
    await wrong(await send({ type: "eip191" }), "signIn.type");
    await wrong(await agent.start(seller, {}, "no base64 !"), "SIGN-IN-WITH-X");
  });

  it("is looked at before the body is, and before an answer is given again", async () => {
    refused(await agent.post(START, {}, {}), 401, "sign_in_required");
    refused(
      await agent.post(START, { wallet: 7 }, { "SIGN-IN-WITH-X": await agent.header(START) }),
      401,
      "sign_in_invalid",
    );
    refused(
      await agent.post(START, { wallet: agent.address }, { "SIGN-IN-WITH-X": await agent.header(START) }),
      400,
      "invalid_request",
    );
    const key = { "idempotency-key": "k1" };
    const body = agent.asked({ seller });
    const first = okay(await agent.post(START, body, { ...key, "SIGN-IN-WITH-X": await agent.header(START) }));
    refused(await agent.post(START, body, key), 401, "sign_in_required");
    const again = okay(await agent.post(START, body, { ...key, "SIGN-IN-WITH-X": await agent.header(START) }));
    expect(again.headers["idempotent-replayed"]).to.equal("true");
    expect(again.body).to.deep.equal(first.body);
  });

  it("tells nobody else about a wallet", async () => {
    const stranger = new Agent(office, Keypair.generate());
    const header = await stranger.header(STATUS);
    const answer = await stranger.get(STATUS, agent.query(seller), { "SIGN-IN-WITH-X": header });
    refused(answer, 401, "sign_in_invalid");
    expect(answer.body.member).to.equal("address");
  });
});

function other(character: string): string {
  return character === "0" ? "1" : "0";
}

function at(time: string, ms: number): string {
  return new Date(Date.parse(time) + ms).toISOString();
}
