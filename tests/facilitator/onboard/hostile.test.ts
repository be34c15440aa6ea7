import { keypairSigner, tokenAddress } from "@mppsol/programs";
import type { Mint } from "@mppsol/server/parts";
import {
  AuthorityType,
  createAssociatedTokenAccountIdempotentInstruction,
  createCloseAccountInstruction,
  createInitializeMint2Instruction,
  createSetAuthorityInstruction,
  MINT_SIZE,
  NATIVE_MINT,
  TOKEN_2022_PROGRAM_ID,
  TOKEN_PROGRAM_ID,
} from "@solana/spl-token";
import {
  Keypair,
  PublicKey,
  SystemProgram,
  type TransactionInstruction,
  TransactionMessage,
  VersionedTransaction,
} from "@solana/web3.js";
import { expect } from "chai";
import fc from "fast-check";
import { FacilitatorError } from "../../../services/facilitator/src/errors/FacilitatorError.ts";
import { FrontedAccounts } from "../../../services/facilitator/src/onboard/FrontedAccounts.ts";
import {
  ACCOUNT_RENT,
  Agent,
  type Answer,
  Books,
  CONFIRM,
  configured,
  DEPOSIT,
  MINT,
  type Office,
  okay,
  refused,
  run,
  startOffice,
} from "./support.ts";

/** What token programs say when another signs than may close. */
const OWNER_MISMATCH = /0x4\b|Custom\D+4\b|owner does not match/;
/** And when there is something left in the account. */
const NOT_EMPTY = /0xb\b|Custom\D+11\b/;

/** What a transaction that cannot land fails with. */
async function failureOf(work: Promise<void>): Promise<string> {
  return work.then(
    () => "it landed",
    (error: unknown) => String(error),
  );
}

describe("a hostile wallet", () => {
  let office: Office;
  let books: Books;
  let seller: string;

  before(async () => {
    office = await startOffice();
    books = new Books(office);
    seller = books.person(0n).publicKey.toBase58();
  });

  after(async () => {
    await books.check();
    await office.close();
  });

  const sponsors = () => books.lamports(...office.keys.feePayers);

  /** Sends these in the place of what was offered; nothing may be signed. */
  async function send(agent: Agent, round: Answer["body"], transaction: VersionedTransaction): Promise<Answer> {
    const before = await sponsors();
    const { authentication } = await agent.signed(round);
    const bytes = Buffer.from(transaction.serialize()).toString("base64");
    const body = { onboardingId: round.onboardingId, transaction: bytes, ...(authentication && { authentication }) };
    const answer = await agent.post(CONFIRM, body, {});
    expect(await sponsors(), "nothing was paid").to.equal(before);
    return answer;
  }

  it("gets nothing signed but what was offered: any other message is refused", async () => {
    const agent = new Agent(office, books.person(2n * DEPOSIT));
    const round = okay(await agent.start(seller)).body;
    const offered = VersionedTransaction.deserialize(Buffer.from(round.transaction, "base64"));
    const { message } = offered;
    const feePayer = message.staticAccountKeys[0] as PublicKey;
    const decompiled = () => TransactionMessage.decompile(message);
    const rebuilt = (change: (message: TransactionMessage) => void) => {
      const changed = decompiled();
      change(changed);
      return new VersionedTransaction(changed.compileToV0Message());
    };
    const drain = SystemProgram.transfer({
      fromPubkey: feePayer,
      toPubkey: agent.wallet.publicKey,
      lamports: 1_000_000,
    });
    const { blockhash } = await office.connection.getLatestBlockhash();
    office.net.warpSlots(1);
    const attempts: Record<string, VersionedTransaction> = {
      "with a transfer from the sponsor": rebuilt((m) => m.instructions.push(drain)),
      "with the transfer alone": rebuilt((m) => {
        m.instructions = [drain];
      }),
      "with the instructions twice": rebuilt((m) => m.instructions.push(...m.instructions)),
      "without instructions": rebuilt((m) => {
        m.instructions = [];
      }),
      "with another blockhash": rebuilt((m) => {
        m.recentBlockhash = blockhash === m.recentBlockhash ? agent.address : blockhash;
      }),
      "with another deposit": rebuilt((m) => {
        const [open] = m.instructions as [TransactionInstruction];
        open.data = Buffer.from(open.data);
        open.data.writeBigUInt64LE(1n, 9);
      }),
      "as a legacy transaction": new VersionedTransaction(decompiled().compileToLegacyMessage()),
    };
    for (const [what, transaction] of Object.entries(attempts)) {
      const place = transaction.message.staticAccountKeys.findIndex((key) => key.equals(agent.wallet.publicKey));
      const signature = await keypairSigner(agent.wallet).signMessage(transaction.message.serialize());
      if (place >= 0 && place < transaction.signatures.length) transaction.signatures[place] = signature;
      refused(await send(agent, round, transaction), 409, "onboarding_offer_replaced");
      expect(await books.tokens(agent.wallet.publicKey), what).to.equal(2n * DEPOSIT);
    }
    // All that time the offer stood.
    const ready = okay(await agent.confirm(round)).body;
    books.watch(ready.roleId);
  });

  it("gets no single byte past the comparison", async () => {
    const agent = new Agent(office, books.person(DEPOSIT));
    const round = okay(await agent.start(seller)).body;
    const { transaction } = await agent.signed(round);
    const bytes = Buffer.from(transaction, "base64");
    const before = await sponsors();
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, bits) => {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] as number) ^ bits;
        // The sponsor's place is empty, and what stands there is not looked at.
        const sponsors = at >= 1 && at < 65;
        fc.pre(!sponsors);
        const body = { onboardingId: round.onboardingId, transaction: changed.toString("base64") };
        const answer = await agent.post(CONFIRM, body, {});
        expect([400, 409, 422], JSON.stringify(answer.body)).to.include(answer.status);
        expect(["invalid_transaction_encoding", "onboarding_offer_replaced", "signature_invalid"]).to.include(
          answer.body.code,
        );
      }),
    );
    expect(await sponsors()).to.equal(before);
    books.watch(okay(await agent.confirm(round)).body.roleId);
  });

  it("must sign itself: no other signature, none, and none for another message", async () => {
    const agent = new Agent(office, books.person(DEPOSIT));
    const other = new Agent(office, books.person(DEPOSIT));
    const round = okay(await agent.start(seller)).body;
    const offered = () => VersionedTransaction.deserialize(Buffer.from(round.transaction, "base64"));
    refused(await send(agent, round, offered()), 422, "signature_invalid");
    const foreign = offered();
    const message = foreign.message.serialize();
    foreign.signatures[1] = await keypairSigner(other.wallet).signMessage(message);
    refused(await send(agent, round, foreign), 422, "signature_invalid");
    const elsewhere = offered();
    elsewhere.signatures[1] = await keypairSigner(agent.wallet).signMessage(message.subarray(1));
    refused(await send(agent, round, elsewhere), 422, "signature_invalid");
    // Nor does the wallet of another onboarding help.
    const theirs = okay(await other.start(seller)).body;
    const { transaction, authentication } = await agent.signed(round);
    const mixed = { onboardingId: theirs.onboardingId, transaction, authentication };
    refused(await other.post(CONFIRM, mixed, {}), 409, "onboarding_offer_replaced");
    refused(await agent.post(CONFIRM, { ...mixed, onboardingId: "onb_none" }, {}), 404, "onboarding_unknown");
  });

  it("gets no role that the operator signs for without the proof of the payer, and keeps its money", async () => {
    for (const change of [{ authentication: undefined }, { authentication: "other" }]) {
      const agent = new Agent(office, books.person(DEPOSIT));
      const round = okay(await agent.start(seller)).body;
      const signed = await agent.signed(round);
      const other = { ...signed.authentication, challengeId: "another" };
      const authentication = change.authentication === undefined ? undefined : other;
      refused(await agent.post(CONFIRM, { ...signed, authentication }, {}), 422, "proof_invalid");
      expect(await books.tokens(agent.wallet.publicKey)).to.equal(DEPOSIT);
      const [, ready] = await agent.run(seller);
      books.watch(ready.roleId);
    }
  });

  it("is told when its proof cannot be read, and nothing comes of it", async () => {
    const agent = new Agent(office, books.person(DEPOSIT));
    const round = okay(await agent.start(seller)).body;
    const signed = await agent.signed(round);
    for (const broken of [{ payer: "0".repeat(40) }, { signature: "0".repeat(80) }, { type: "other" }, { extra: 1 }]) {
      const authentication = { ...signed.authentication, ...broken };
      refused(await agent.post(CONFIRM, { ...signed, authentication }, {}), 400, "invalid_request");
    }
    const ready = okay(await agent.post(CONFIRM, signed, {})).body;
    expect(ready.status).to.equal("ready");
    books.watch(ready.roleId);
  });

  it("learns nothing from the chain that only the wallet may know", async () => {
    const agent = new Agent(office, books.person());
    const account = okay(await agent.start(seller)).body;
    okay(await agent.confirm(account));
    books.fund(agent.wallet.publicKey, DEPOSIT);
    const grant = okay(await agent.start(seller)).body;
    const ready = okay(await agent.confirm(grant)).body;
    books.watch(ready.roleId);
    for (const { transaction } of [account, grant]) {
      const bytes = Buffer.from(transaction, "base64");
      for (const secret of [ready.onboardingId, ready.challengeId, ready.closeToken]) {
        expect(bytes.includes(secret)).to.equal(false);
      }
    }
  });

  it("is given one token account, cannot close it to keep the rent, and is given no second", async () => {
    const agent = new Agent(office, books.person());
    const account = okay(await agent.start(seller)).body;
    expect(okay(await agent.confirm(account)).body.status).to.equal("funding");
    const { message } = VersionedTransaction.deserialize(Buffer.from(account.transaction, "base64"));
    const sponsor = office.keys.feePayers.find(({ publicKey }) => publicKey.equals(message.staticAccountKeys[0]!))!;
    const own = tokenAddress(agent.wallet.publicKey, MINT, TOKEN_PROGRAM_ID);
    const wallet = agent.wallet.publicKey;
    const takeBack = createSetAuthorityInstruction(own, wallet, AuthorityType.CloseAccount, wallet);
    const friend = Keypair.generate();
    const giveAway = createSetAuthorityInstruction(own, wallet, AuthorityType.AccountOwner, friend.publicKey);
    for (const [signers, ...trick] of [
      [[agent.wallet], createCloseAccountInstruction(own, wallet, wallet)],
      [[agent.wallet], takeBack],
      [[agent.wallet, friend], giveAway, createCloseAccountInstruction(own, wallet, friend.publicKey)],
    ] as const) {
      expect(await failureOf(run(office, trick, signers))).to.match(OWNER_MISMATCH);
    }
    expect(await books.lamports(agent.wallet)).to.equal(0n);
    expect(await books.hasAccount(wallet)).to.equal(true);
    // We can, as it is empty, and have the rent again.
    const paid = await sponsors();
    await run(office, [createCloseAccountInstruction(own, sponsor.publicKey, sponsor.publicKey)], [sponsor]);
    const before = await sponsors();
    expect(before - paid).to.equal(ACCOUNT_RENT);
    refused(await agent.start(seller), 422, "onboarding_account_refused");
    refused(await agent.start(books.person(0n).publicKey.toBase58()), 422, "onboarding_account_refused");
    refused(await agent.status(seller), 422, "onboarding_account_refused");
    refused(await agent.confirm(account), 422, "onboarding_account_refused");
    expect(await sponsors(), "nothing more was paid").to.equal(before);
    // At its own cost it goes on.
    const owner = agent.wallet.publicKey;
    const address = tokenAddress(owner, MINT, TOKEN_PROGRAM_ID);
    const funder = new PublicKey(office.net.payer.publicKey);
    await run(office, [createAssociatedTokenAccountIdempotentInstruction(funder, address, owner, MINT)]);
    expect(okay(await agent.status(seller)).body.status).to.equal("funding");
  });

  it("cannot keep the rent of a Token-2022 account either, nor does who pays it get at what is in one", async () => {
    const { instructions, wallet, sponsor, own } = await accountOf(TOKEN_2022_PROGRAM_ID);
    await run(office, instructions, [sponsor, wallet]);
    const close = (by: Keypair) =>
      run(office, [createCloseAccountInstruction(own, by.publicKey, by.publicKey, [], TOKEN_2022_PROGRAM_ID)], [by]);
    expect(await failureOf(close(wallet))).to.match(OWNER_MISMATCH);
    const { data, lamports } = (await office.connection.getAccountInfo(own))!;
    const full = Buffer.from(data);
    full.writeBigUInt64LE(1n, 64);
    const owner = TOKEN_2022_PROGRAM_ID.toBase58();
    office.net.setAccount(own.toBase58(), { lamports: BigInt(lamports), owner, data: full });
    expect(await failureOf(close(sponsor)), "it is not empty").to.match(NOT_EMPTY);
    office.net.setAccount(own.toBase58(), { lamports: BigInt(lamports), owner, data });
    await close(sponsor);
    expect(await office.connection.getAccountInfo(own)).to.equal(null);
  });

  /** What would make an account for a new wallet, of a new mint. */
  async function accountOf(program: PublicKey) {
    const [mint, wallet] = [Keypair.generate(), Keypair.generate()];
    const sponsor = office.keys.feePayers[0];
    const space = MINT_SIZE;
    const lamports = await office.connection.getMinimumBalanceForRentExemption(space);
    const fromPubkey = new PublicKey(office.net.payer.publicKey);
    const made = { fromPubkey, newAccountPubkey: mint.publicKey, space, lamports, programId: program };
    const initialize = createInitializeMint2Instruction(mint.publicKey, 6, fromPubkey, null, program);
    await run(office, [SystemProgram.createAccount(made), initialize], [mint]);
    const kind = { address: mint.publicKey.toBase58(), tokenProgram: program.toBase58() } as Mint;
    const accounts = new FrontedAccounts(office.context);
    const instructions = accounts.instructions(sponsor.publicKey.toBase58(), wallet.publicKey.toBase58(), kind);
    return { instructions, wallet, sponsor, own: tokenAddress(wallet.publicKey, mint.publicKey, program) };
  }

  it("is made no account for wrapped SOL, which who may close it could take", () => {
    const wrapped = { address: NATIVE_MINT.toBase58(), tokenProgram: TOKEN_PROGRAM_ID.toBase58() } as Mint;
    const [funder, wallet] = [office.keys.feePayers[0], Keypair.generate()].map((key) => key.publicKey.toBase58());
    const make = () => new FrontedAccounts(office.context).instructions(funder as string, wallet as string, wrapped);
    expect(make).to.throw(FacilitatorError).with.property("code", "onboarding_account_refused");
  });

  it("asks in vain for an account under each of its onboardings at once: it is paid for once", async () => {
    const agent = new Agent(office, books.person());
    const sellers = Array.from({ length: 8 }, () => books.person(0n).publicKey.toBase58());
    const rounds = [];
    for (const each of sellers) rounds.push(okay(await agent.start(each)).body);
    const before = await sponsors();
    const answers = await Promise.all(rounds.map((round) => agent.confirm(round)));
    for (const { status, body } of answers) expect([200, 202], JSON.stringify(body)).to.include(status);
    expect(before - (await sponsors())).to.equal(ACCOUNT_RENT + 10_000n);
  });

  it("is stopped with all the others when the day's accounts are used up, and may come again tomorrow", async () => {
    // A new day.
    office.net.advanceSeconds(86_400);
    await configured(office, { onboardAccountsPerDay: 2 }, async () => {
      const agents = Array.from({ length: 5 }, () => new Agent(office, books.person()));
      const rounds: Answer["body"][] = [];
      for (const agent of agents) rounds.push(okay(await agent.start(seller)).body);
      const before = await sponsors();
      const answers = await Promise.all(agents.map((agent, i) => agent.confirm(rounds[i])));
      expect(answers.filter(({ status }) => status === 200)).to.have.length(2);
      for (const answer of answers.filter(({ status }) => status !== 200)) {
        refused(answer, 429, "onboarding_cap_exceeded");
        expect(Number(answer.headers["retry-after"])).to.be.within(1, 86_400);
      }
      expect(before - (await sponsors())).to.equal(2n * (ACCOUNT_RENT + 10_000n));
      const left = answers.findIndex(({ status }) => status === 429);
      office.net.advanceSeconds(86_400);
      const again = okay(await (agents[left] as Agent).confirm(rounds[left])).body;
      expect(again.status).to.equal("funding");
    });
  });

  it("costs nothing when the sponsor's day is used up, and does not use up the accounts", async () => {
    office.net.advanceSeconds(86_400);
    const agent = new Agent(office, books.person());
    const round = okay(await agent.start(seller)).body;
    await configured(office, { onboardAccountsPerDay: 1 }, async () => {
      const before = await sponsors();
      await configured(office, { sponsorLamportsPerDay: 9_999n }, async () => {
        refused(await agent.confirm(round), 429, "sponsor_budget_exceeded");
      });
      expect(await sponsors()).to.equal(before);
      expect(okay(await agent.confirm(round)).body.status).to.equal("funding");
    });
  });

  it("cannot pay from an account that is frozen", async () => {
    const agent = new Agent(office, books.person(DEPOSIT));
    const address = tokenAddress(agent.wallet.publicKey, MINT, TOKEN_PROGRAM_ID);
    const account = await office.connection.getAccountInfo(address);
    const data = Buffer.from(account?.data ?? []);
    data[108] = 2;
    office.net.setAccount(address.toBase58(), {
      lamports: BigInt(account?.lamports ?? 0),
      owner: TOKEN_PROGRAM_ID.toBase58(),
      data,
    });
    refused(await agent.start(seller), 422, "onboarding_account_unusable");
  });
});
