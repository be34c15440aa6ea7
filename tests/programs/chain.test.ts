// The helpers against the programs themselves, on the embedded chain: what they build lands, what they decode is
// there, and what web3.js and Anchor throw has a name. Without the programs it fails; it never skips.
import { fileURLToPath } from "node:url";
import anchor from "@coral-xyz/anchor";
import { Localnet } from "@mppsol/localnet";
import {
  buildTransaction,
  type Cluster,
  decodeChannel,
  decodeError,
  decodeReceipt,
  decodeVerdict,
  type ErrorContext,
  grindSalt,
  PAY_PROGRAM_ID,
  parsePaymentEvents,
  parseSessionEvents,
  payments,
  payProgram,
  receiptAddress,
  requireChannelProgram,
  SESSION_PROGRAM_ID,
  session,
  sessionProgram,
  signAttestation,
  signVoucher,
  tokenAddress,
} from "@mppsol/programs";
import { createAssociatedTokenAccountIdempotentInstruction, TOKEN_PROGRAM_ID } from "@solana/spl-token";
import { Connection, Keypair, PublicKey, type TransactionInstruction } from "@solana/web3.js";
import { expect } from "chai";
import { failure } from "./helpers.ts";

const artifacts = process.env.MPPSOL_ARTIFACTS ?? fileURLToPath(new URL("../../artifacts", import.meta.url));
const files = [
  { id: SESSION_PROGRAM_ID.toBase58(), file: `${artifacts}/mppsol_session.so` },
  { id: PAY_PROGRAM_ID.toBase58(), file: `${artifacts}/mppsol_cpi.so` },
];
const filled = (byte: number) => new Uint8Array(32).fill(byte);
const cluster: Cluster = "localnet";

describe("on a chain", function () {
  this.timeout(60_000);
  let net: Localnet;
  let connection: Connection;
  let payer: Keypair;
  let payee: Keypair;
  let mint: PublicKey;

  before(async () => {
    net = await Localnet.start({ programs: files, slotTime: "manual", usdc: 1_000_000n });
    net.warpSlots(2_000);
    connection = new Connection(net.url, { commitment: "confirmed", wsEndpoint: net.wsUrl });
    const [first, second] = net.funded;
    if (first === undefined || second === undefined) throw new Error("localnet has too few keys");
    [payer, payee] = [Keypair.fromSecretKey(first.secretKey), Keypair.fromSecretKey(second.secretKey)];
    mint = new PublicKey(net.usdcMint);
  });
  after(() => net?.close());

  async function send(instructions: readonly TransactionInstruction[], ...signers: Keypair[]) {
    const { blockhash, lastValidBlockHeight } = await connection.getLatestBlockhash();
    const feePayer = (signers[0] ?? payer).publicKey;
    const transaction = buildTransaction({ feePayer, recentBlockhash: blockhash, instructions });
    transaction.sign(signers.length > 0 ? signers : [payer]);
    const signature = await connection.sendTransaction(transaction);
    await connection.confirmTransaction({ signature, blockhash, lastValidBlockHeight });
    const landed = await connection.getTransaction(signature, { maxSupportedTransactionVersion: 0 });
    if (landed === null) throw new Error("the transaction has not landed");
    return landed;
  }

  async function simulate(instructions: readonly TransactionInstruction[]) {
    const { blockhash } = await connection.getLatestBlockhash();
    const built = buildTransaction({ feePayer: payer.publicKey, recentBlockhash: blockhash, instructions });
    return (await connection.simulateTransaction(built, { sigVerify: false })).value;
  }

  async function data(address: PublicKey): Promise<Uint8Array> {
    const account = await connection.getAccountInfo(address);
    if (account === null) throw new Error("there is no account");
    return account.data;
  }

  const parties = () => ({ payer: payer.publicKey, payee: payee.publicKey, mint, tokenProgram: TOKEN_PROGRAM_ID });

  async function open(deposit: bigint) {
    const openSlot = BigInt(await connection.getSlot());
    const ground = grindSalt({ ...parties(), authorizedSigner: payer.publicKey, openSlot });
    const landed = await send(
      await session.open({ ...parties(), ...ground, openSlot, deposit, gracePeriod: 60 }),
      payer,
    );
    return { ...ground, openSlot, landed };
  }

  it("a session opens, is debited, closed and settled by what the builders make", async () => {
    const { channel, openSlot, landed, salt } = await open(1_000n);
    expect(parseSessionEvents(landed)).to.deep.equal([{ name: "Opened", channel, openSlot }]);
    expect(decodeChannel(await data(channel))).to.include({ status: "open", deposit: 1_000n, salt, bump: 255 });

    const voucher = (cumulativeAmount: bigint) =>
      signVoucher({ channelId: channel.toBase58(), cumulativeAmount }, payer);
    await send(await session.debit({ voucher: await voucher(300n) }), payee);
    expect(decodeChannel(await data(channel)).settled).to.equal(300n);

    const before = (await connection.getTokenAccountBalance(tokenAddress(payee.publicKey, mint, TOKEN_PROGRAM_ID)))
      .value;
    const ending = { ...parties(), channel, rentPayer: payer.publicKey, createAccounts: payee.publicKey };
    await send(await session.closeAndSettle({ ...ending, voucher: await voucher(700n) }), payee);
    const state = decodeChannel(await data(channel));
    expect(state).to.include({ status: "distributed", settled: 700n, payoutWatermark: 700n });
    const after = (await connection.getTokenAccountBalance(tokenAddress(payee.publicKey, mint, TOKEN_PROGRAM_ID)))
      .value;
    expect(BigInt(after.amount) - BigInt(before.amount)).to.equal(700n);
  });

  it("a payment is made, attested off chain, verified and consumed by what the builders make", async () => {
    const terms = {
      amount: 250n,
      requestHash: filled(2),
      nonce: 2n ** 64n - 1n,
      paySlot: BigInt(await connection.getSlot()),
      expiresAt: 2n ** 40n,
      consumer: payee.publicKey,
    };
    const receipt = receiptAddress({ source: payer.publicKey, nonce: terms.nonce, paySlot: terms.paySlot });
    const paying = { ...parties(), recipient: payee.publicKey, ...terms, needsAttestation: true };
    const [paid] = parsePaymentEvents(await send(await payments.pay(paying), payer));
    expect(paid).to.deep.include({ name: "Paid", receipt, amount: 250n, channel: undefined });

    const attestation = { receipt: receipt.toBase58(), requestHash: filled(2), resultHash: filled(3) };
    await send(await payments.attestSigned(await signAttestation(attestation, payee)), payer);
    const state = decodeReceipt(await data(receipt));
    expect(state).to.include({ status: "attested", nonce: 2n ** 64n - 1n, amount: 250n, needsAttestation: true });
    expect(state.resultHash).to.deep.equal(filled(3));

    const expected = {
      recipient: payee.publicKey,
      mint,
      amount: 250n,
      requestHash: filled(2),
      consumer: payee.publicKey,
    };
    const asked = await payments.verify({ receipt, expected: { ...expected, result: { hash: filled(3) } } });
    const { returnData } = await simulate(asked);
    const [programId, base64] = [returnData?.programId ?? "", returnData?.data[0] ?? ""];
    const verdict = decodeVerdict({ programId, data: Buffer.from(base64, "base64") });
    expect(verdict).to.deep.equal({ receipt, attested: true, resultHash: filled(3), expiresAt: 2n ** 40n });

    const wrong = await payments.verify({ receipt, expected: { ...expected, amount: 251n, result: "as-paid" } });
    expect(await refusal(wrong)).to.equal("AmountMismatch");
    const consumed = await send(await payments.consume({ receipt, consumer: payee.publicKey }), payee);
    expect(parsePaymentEvents(consumed).map((event) => event.name)).to.deep.equal(["Consumed"]);
    expect((await payProgram({ connection }).account.receipt.fetch(receipt)).status).to.deep.equal({ consumed: {} });
    expect(await refusal(await payments.closeReceipt({ receipt, rentPayer: payer.publicKey }))).to.equal(
      "ReceiptCloseTooEarly",
    );
  });

  it("a payment is drawn from a session, and attested by the recipient's own signature", async () => {
    const { channel } = await open(1_000n);
    const voucher = await signVoucher({ channelId: channel.toBase58(), cumulativeAmount: 40n }, payer);
    const paySlot = BigInt(await connection.getSlot());
    const terms = { amount: 40n, requestHash: filled(2), nonce: 1n, paySlot, expiresAt: 2n ** 40n };
    const drawn = { ...terms, authority: payer.publicKey, voucher, consumer: payee.publicKey };
    const [paid] = parsePaymentEvents(await send(await payments.payFromSession(drawn), payer));
    expect(paid).to.deep.include({ name: "Paid", channel, amount: 40n });
    const receipt = receiptAddress({ source: channel, nonce: 1n, paySlot });
    await send(await payments.attest({ receipt, recipient: payee.publicKey, resultHash: filled(3) }), payee);
    expect(decodeReceipt(await data(receipt))).to.deep.include({ status: "attested", channel });
  });

  const refusal = async (instructions: readonly TransactionInstruction[], context: ErrorContext = {}) =>
    decodeError(await failure(send(instructions)), context)?.name;

  it("refusals that web3.js throws have their names: ours, the token program's, the precompile's", async () => {
    const { channel } = await open(10n);
    const voucher = await signVoucher({ channelId: channel.toBase58(), cumulativeAmount: 11n }, payer);
    expect(await refusal(await session.debit({ voucher }))).to.equal("VoucherOverDeposit");
    expect(await refusal((await session.debit({ voucher })).slice(1))).to.equal("MissingEd25519Verification");
    expect(await refusal(await session.topup({ ...parties(), channel, amount: 2n ** 40n }))).to.equal(
      "InsufficientFunds",
    );

    const forged = { ...voucher, voucher: { ...voucher.voucher, cumulativeAmount: 5n } };
    const instructions = await session.debit({ voucher: forged });
    expect(await refusal(instructions, { instructions })).to.equal("InvalidSignature");
  });

  it("refusals that Anchor's client throws have their names", async () => {
    const provider = new anchor.AnchorProvider(connection, new anchor.Wallet(payer));
    const { channel } = await open(10n);
    const program = sessionProgram(provider);
    expect((await program.account.channel.fetch(channel)).deposit.toString()).to.equal("10");
    const thrown = await failure(program.methods.seal().accountsStrict({ channel }).rpc());
    expect(decodeError(thrown)).to.deep.include({
      name: "InvalidChannelStatus",
      program: SESSION_PROGRAM_ID.toBase58(),
    });
  });

  it("a signature from a confirmed failure has a name too", async () => {
    const { channel } = await open(10n);
    const { blockhash } = await connection.getLatestBlockhash();
    const instructions = await session.seal({ channel });
    const transaction = buildTransaction({ feePayer: payer.publicKey, recentBlockhash: blockhash, instructions });
    transaction.sign([payer]);
    const signature = await connection.sendTransaction(transaction, { skipPreflight: true });
    await connection.confirmTransaction(signature);
    const { value } = await connection.getSignatureStatus(signature);
    expect(decodeError(value, { instructions })?.name).to.equal("InvalidChannelStatus");
    const landed = await connection.getTransaction(signature, { maxSupportedTransactionVersion: 0 });
    expect(decodeError(landed)).to.deep.include({ name: "InvalidChannelStatus", instructionIndex: 0 });
  });

  it("the program that a challenge names is the one that runs there", async () => {
    const program = requireChannelProgram(cluster, SESSION_PROGRAM_ID.toBase58());
    expect((await connection.getAccountInfo(program))?.executable).to.equal(true);
  });

  it("a missing token account is made before it is needed", async () => {
    const owner = Keypair.generate().publicKey;
    const account = tokenAddress(owner, mint, TOKEN_PROGRAM_ID);
    const made = session.createTokenAccounts(payer.publicKey, [owner, owner], { mint, tokenProgram: TOKEN_PROGRAM_ID });
    expect(made).to.have.length(1);
    const theirs = createAssociatedTokenAccountIdempotentInstruction(payer.publicKey, account, owner, mint);
    expect(made[0]?.data.equals(theirs.data)).to.equal(true);
    await send(made);
    await send(made);
    expect((await connection.getTokenAccountBalance(account)).value.amount).to.equal("0");
  });
});
