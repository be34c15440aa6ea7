// `mppsol inspect`: every kind of thing is told apart, decoded, and found out when it is bad.
import {
  Base58,
  BearerProof,
  Challenge,
  Credential,
  Receipt,
  SessionAction,
  SignedVoucher,
  Voucher,
} from "@mppsol/core";
import { keypairSigner, SESSION_PROGRAM_ID, session, signVoucher } from "@mppsol/programs";
import { TOKEN_PROGRAM_ID } from "@solana/spl-token";
import {
  ComputeBudgetProgram,
  Keypair,
  SystemProgram,
  TransactionMessage,
  VersionedTransaction,
} from "@solana/web3.js";
import { expect } from "chai";
import { freshHome, mppsol } from "./support.ts";

const SECRET = "a secret of at least thirty-two bytes";
const NOW = Date.parse("2026-01-01T00:00:00Z");
const payer = Keypair.generate();
const seller = Keypair.generate().publicKey.toBase58();
const channelId = Base58.encode(new Uint8Array(32).fill(9));

function challenge(over: Partial<Challenge.Terms> = {}): Challenge.Challenge {
  const request = { amount: "1000", currency: "sol", recipient: seller, methodDetails: { network: "localnet" } };
  const expires = "2026-01-01T00:05:00Z";
  return Challenge.issue({ realm: "api", method: "solana", intent: "charge", request, expires, ...over }, SECRET);
}

async function inspect(text: string, ...args: string[]) {
  const ran = await mppsol(["inspect", "--json", ...args, text], { now: NOW });
  return { ...ran, report: ran.json() as { kind: string; valid: boolean; problems: { code: string }[] } };
}

describe("mppsol inspect", () => {
  before(freshHome);

  it("decodes a challenge, its request, and whether its id was made with a secret", async () => {
    const header = Challenge.format(challenge());
    const { report, exitCode } = await inspect(header, "--secret", SECRET);
    expect(exitCode).to.equal(0);
    expect(report).to.deep.include({ kind: "challenge", valid: true, method: "solana", intent: "charge" });
    expect(report).to.have.nested.property("request.amount", "1000");
    const other = await inspect(header, "--secret", "another secret of thirty-two bytes!!");
    expect(other.exitCode).to.equal(1);
    expect(other.report.problems.map(({ code }) => code)).to.deep.equal(["challenge-unknown"]);
  });

  it("takes the header's name along", async () => {
    const { report } = await inspect(`WWW-Authenticate: ${Challenge.format(challenge())}`);
    expect(report.kind).to.equal("challenge");
  });

  it("says that a challenge has expired", async () => {
    const { report } = await inspect(Challenge.format(challenge({ expires: "2025-12-31T23:59:59Z" })));
    expect(report.problems.map(({ code }) => code)).to.deep.equal(["challenge-expired"]);
  });

  it("says what is wrong with a request", async () => {
    const request = { amount: "01", currency: "sol", recipient: seller, methodDetails: { network: "localnet" } };
    const { report, exitCode } = await inspect(Challenge.format(challenge({ request })));
    expect(exitCode).to.equal(1);
    expect(report.problems[0]).to.deep.include({ code: "invalid-field" });
  });

  it("finds a channel program that is not pinned", async () => {
    const request = {
      amount: "1",
      currency: seller,
      recipient: seller,
      methodDetails: {
        network: "localnet",
        channelProgram: seller,
        decimals: 6,
        recentBlockhash: seller,
        recentSlot: "1",
        gracePeriodSeconds: 900,
      },
    };
    const { report } = await inspect(Challenge.format(challenge({ intent: "session", request })));
    expect(report.problems.map(({ code }) => code)).to.deep.equal(["unknown-program"]);
  });

  it("decodes a credential down to the instructions of its transaction", async () => {
    const message = new TransactionMessage({
      payerKey: payer.publicKey,
      recentBlockhash: seller,
      instructions: [
        ComputeBudgetProgram.setComputeUnitLimit({ units: 1000 }),
        SystemProgram.transfer({ fromPubkey: payer.publicKey, toPubkey: payer.publicKey, lamports: 5 }),
      ],
    }).compileToV0Message();
    const transaction = new VersionedTransaction(message);
    transaction.sign([payer]);
    const payload = { type: "transaction", transaction: Buffer.from(transaction.serialize()).toString("base64") };
    const { report } = await inspect(Credential.format({ challenge: challenge(), payload }));
    expect(report.valid).to.equal(true);
    expect(report).to.have.nested.property("transaction.instructions[1].instruction", "transfer");
    expect(report).to.have.nested.property("transaction.instructions[1].lamports", "5");
    expect(report).to.have.nested.property("transaction.signatures[0].state", "valid");
  });

  it("finds a wrong signature of a transaction", async () => {
    const transaction = new VersionedTransaction(
      new TransactionMessage({
        payerKey: payer.publicKey,
        recentBlockhash: seller,
        instructions: [],
      }).compileToV0Message(),
    );
    transaction.signatures = [new Uint8Array(64).fill(7)];
    const { report } = await inspect(Buffer.from(transaction.serialize()).toString("base64"));
    expect(report.kind).to.equal("transaction");
    expect(report.problems.map(({ code }) => code)).to.deep.equal(["signature-invalid"]);
  });

  it("names an open of the session program with its arguments", async () => {
    const instructions = await session.open({
      payer: payer.publicKey,
      payee: SESSION_PROGRAM_ID,
      mint: SESSION_PROGRAM_ID,
      tokenProgram: TOKEN_PROGRAM_ID,
      salt: 7n,
      openSlot: 9n,
      deposit: 500n,
      gracePeriod: 900,
    });
    const message = new TransactionMessage({ payerKey: payer.publicKey, recentBlockhash: seller, instructions });
    const bytes = new VersionedTransaction(message.compileToV0Message()).serialize();
    const { report } = await inspect(Buffer.from(bytes).toString("base64"));
    expect(report).to.have.nested.property("instructions[0].instruction", "open");
    expect(report).to.have.nested.property("instructions[0].arguments.args.deposit", "500");
    expect(report).to.have.nested.property("instructions[0].accounts.payer", payer.publicKey.toBase58());
    expect(report).to.have.nested.property("signatures[0].state", "missing");
  });

  it("verifies a voucher as the chain would", async () => {
    const signed = await signVoucher({ channelId, cumulativeAmount: 42n }, payer);
    const { report } = await inspect(JSON.stringify(SignedVoucher.toJson(signed)));
    expect(report).to.deep.include({ kind: "signed-voucher", valid: true, cumulativeAmount: "42" });
    const forged = { ...SignedVoucher.toJson(signed), voucher: { channelId, cumulativeAmount: "43" } };
    const bad = await inspect(JSON.stringify(forged));
    expect(bad.exitCode).to.equal(1);
    expect(bad.report.problems.map(({ code }) => code)).to.deep.equal(["voucher-signature"]);
  });

  it("reads the 50 bytes of a voucher, in hex and in base64, and says when it has expired", async () => {
    const bytes = Voucher.encode(Voucher.from({ channelId, cumulativeAmount: 42n, expiresAt: 1234n }));
    for (const encoding of ["hex", "base64"] as const) {
      const { report } = await inspect(Buffer.from(bytes).toString(encoding));
      expect(report.kind).to.equal("voucher");
      expect(report.problems.map(({ code }) => code)).to.deep.equal(["voucher-expired"]);
    }
  });

  it("hides a bearer proof unless it is told to reveal it, and verifies it", async () => {
    const opened = challenge({ intent: "session" });
    const authentication = await BearerProof.sign(
      { channelId, payer: payer.publicKey.toBase58(), sessionChallengeId: opened.id },
      keypairSigner(payer),
    );
    const payload = SessionAction.toJson({ action: "use", channelId, authentication });
    const header = Credential.format({ challenge: opened, payload });
    const hidden = await inspect(header);
    expect(hidden.stdout).not.to.contain(authentication.signature);
    expect(hidden.report.problems.filter(({ code }) => code === "proof-invalid")).to.deep.equal([]);
    const shown = await inspect(header, "--reveal");
    expect(shown.stdout).to.contain(authentication.signature);
    const stolen = Credential.format({ challenge: challenge({ intent: "session", realm: "other" }), payload });
    expect((await inspect(stolen)).report.problems.map(({ code }) => code)).to.include("proof-invalid");
  });

  it("reads a receipt", async () => {
    const receipt = Receipt.charge({ challengeId: "c", reference: "r", timestamp: new Date(NOW) });
    const { report } = await inspect(Receipt.format(receipt));
    expect(report).to.deep.include({ kind: "receipt", valid: true, reference: "r" });
  });

  it("reads standard input when no text is given", async () => {
    const ran = await mppsol(["inspect", "--json"], { stdin: `${Challenge.format(challenge())}\n`, now: NOW });
    expect(ran.json()).to.deep.include({ kind: "challenge", valid: true });
  });

  it("says with exit code 2 that a text is nothing it knows", async () => {
    const ran = await mppsol(["inspect", "!!!"]);
    expect(ran.exitCode).to.equal(2);
    expect(ran.stderr).to.contain("no header");
    expect(ran.stdout).to.equal("");
  });
});
