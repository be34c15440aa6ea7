// The whole path of @solana/kit against localnet.
import {
  type Address,
  appendTransactionMessageInstructions,
  assertIsTransactionWithBlockhashLifetime,
  createKeyPairSignerFromBytes,
  createSolanaRpc,
  createSolanaRpcSubscriptions,
  createTransactionMessage,
  generateKeyPairSigner,
  getBase64EncodedWireTransaction,
  getSignatureFromTransaction,
  type Instruction,
  isSolanaError,
  type KeyPairSigner,
  lamports,
  pipe,
  SOLANA_ERROR__JSON_RPC__SERVER_ERROR_SEND_TRANSACTION_PREFLIGHT_FAILURE,
  sendAndConfirmTransactionFactory,
  setTransactionMessageFeePayerSigner,
  setTransactionMessageLifetimeUsingBlockhash,
  signTransactionMessageWithSigners,
} from "@solana/kit";
import { getTransferSolInstruction } from "@solana-program/system";
import { findAssociatedTokenPda, getTransferCheckedInstruction, TOKEN_PROGRAM_ADDRESS } from "@solana-program/token";
import { expect } from "chai";
import { Localnet } from "../../sdk/localnet/src/index.ts";

describe("kit on localnet", () => {
  let chain: Localnet;
  let payer: KeyPairSigner;
  const rpc = () => createSolanaRpc(chain.url);
  const subscriptions = () => createSolanaRpcSubscriptions(chain.wsUrl);

  before(async () => {
    chain = await Localnet.start({ slotTime: 50 });
    payer = await createKeyPairSignerFromBytes(chain.payer.secretKey);
  });
  after(() => chain.close());

  async function signed(instructions: Instruction[]) {
    const { value: lifetime } = await rpc().getLatestBlockhash().send();
    const message = pipe(
      createTransactionMessage({ version: 0 }),
      (empty) => setTransactionMessageFeePayerSigner(payer, empty),
      (paid) => setTransactionMessageLifetimeUsingBlockhash(lifetime, paid),
      (alive) => appendTransactionMessageInstructions(instructions, alive),
    );
    const transaction = await signTransactionMessageWithSigners(message);
    assertIsTransactionWithBlockhashLifetime(transaction);
    return transaction;
  }

  const send = async (instructions: Instruction[]) => {
    const transaction = await signed(instructions);
    const confirm = sendAndConfirmTransactionFactory({ rpc: rpc(), rpcSubscriptions: subscriptions() });
    await confirm(transaction, { commitment: "confirmed" });
    return getSignatureFromTransaction(transaction);
  };

  it("sends and confirms a transfer", async () => {
    const to = await generateKeyPairSigner();
    const amount = lamports(1_000_000_000n);
    const signature = await send([getTransferSolInstruction({ source: payer, destination: to.address, amount })]);
    expect((await rpc().getBalance(to.address).send()).value).to.equal(1_000_000_000n);
    const landed = await rpc()
      .getTransaction(signature, { commitment: "confirmed", maxSupportedTransactionVersion: 0, encoding: "jsonParsed" })
      .send();
    expect(landed?.meta?.fee).to.equal(5000n);
    const { value } = await rpc().getSignatureStatuses([signature]).send();
    expect(value[0]?.confirmationStatus).to.be.oneOf(["confirmed", "finalized"]);
  });

  it("moves test USDC and reads token balances and accounts", async () => {
    const to = await generateKeyPairSigner();
    const mint = chain.usdcMint as Address;
    const source = chain.mintUsdc(payer.address, 10_000_000n).tokenAccount as Address;
    const destination = chain.mintUsdc(to.address, 1n).tokenAccount as Address;
    const [derived] = await findAssociatedTokenPda({ owner: to.address, mint, tokenProgram: TOKEN_PROGRAM_ADDRESS });
    expect(destination).to.equal(derived);
    const transfer = { source, mint, destination, authority: payer, amount: 2_500_000n, decimals: 6 };
    const signature = await send([getTransferCheckedInstruction(transfer)]);
    const { value: balance } = await rpc().getTokenAccountBalance(destination).send();
    expect(balance).to.deep.include({ amount: "2500001", uiAmountString: "2.500001" });
    const { value: held } = await rpc()
      .getTokenAccountsByOwner(to.address, { mint }, { encoding: "jsonParsed" })
      .send();
    expect(held[0]?.account.data.parsed.info.tokenAmount.amount).to.equal("2500001");
    const landed = await rpc()
      .getTransaction(signature, { commitment: "confirmed", maxSupportedTransactionVersion: 0, encoding: "json" })
      .send();
    expect(landed?.meta?.postTokenBalances?.map((entry) => entry.uiTokenAmount.amount).sort()).to.deep.equal([
      "2500001",
      "7500000",
    ]);
  });

  it("keeps 64-bit numbers exact", async () => {
    const rich = await generateKeyPairSigner();
    const owner = "11111111111111111111111111111111";
    chain.setAccount(rich.address, { lamports: 9_007_199_254_740_993n, data: new Uint8Array(), owner });
    expect((await rpc().getBalance(rich.address).send()).value).to.equal(9_007_199_254_740_993n);
  });

  it("reports a failed preflight as kit's own error, with logs", async () => {
    const to = await generateKeyPairSigner();
    const amount = lamports(9_000_000_000_000_000n);
    const transaction = await signed([getTransferSolInstruction({ source: payer, destination: to.address, amount })]);
    const wire = getBase64EncodedWireTransaction(transaction);
    const error = await rpc()
      .sendTransaction(wire, { encoding: "base64" })
      .send()
      .then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
    expect(isSolanaError(error, SOLANA_ERROR__JSON_RPC__SERVER_ERROR_SEND_TRANSACTION_PREFLIGHT_FAILURE)).to.equal(
      true,
    );
    expect(error)
      .to.have.nested.property("context.logs")
      .that.includes("Program 11111111111111111111111111111111 invoke [1]");
  });

  it("simulates with inner instructions and a replaced blockhash", async () => {
    const to = await generateKeyPairSigner();
    const amount = lamports(1_000_000_000n);
    const transaction = await signed([getTransferSolInstruction({ source: payer, destination: to.address, amount })]);
    const { value } = await rpc()
      .simulateTransaction(getBase64EncodedWireTransaction(transaction), {
        encoding: "base64",
        innerInstructions: true,
        replaceRecentBlockhash: true,
        accounts: { encoding: "base64", addresses: [to.address] },
      })
      .send();
    expect(value.err).to.equal(null);
    expect(value.unitsConsumed).to.equal(150n);
    expect(value.accounts?.[0]?.lamports).to.equal(1_000_000_000n);
    expect(value.replacementBlockhash.lastValidBlockHeight > 0n).to.equal(true);
  });

  it("tells of an account's change and of slots", async () => {
    const to = await generateKeyPairSigner();
    const abort = new AbortController();
    const accounts = await subscriptions()
      .accountNotifications(to.address, { commitment: "confirmed", encoding: "base64" })
      .subscribe({ abortSignal: abort.signal });
    const slots = await subscriptions().slotNotifications().subscribe({ abortSignal: abort.signal });
    await rpc().requestAirdrop(to.address, lamports(5_000_000n)).send();
    for await (const notification of accounts) {
      expect(notification.value.lamports).to.equal(5_000_000n);
      break;
    }
    for await (const { slot, parent } of slots) {
      expect(slot > parent).to.equal(true);
      break;
    }
    abort.abort();
  });
});
