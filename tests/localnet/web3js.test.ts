// The whole path of @solana/web3.js 1.98 and spl-token against localnet.
import {
  createMint,
  getAccount,
  getMint,
  getOrCreateAssociatedTokenAccount,
  mintTo,
  transferChecked,
} from "@solana/spl-token";
import {
  AddressLookupTableProgram,
  Connection,
  Keypair,
  LAMPORTS_PER_SOL,
  PublicKey,
  SystemProgram,
  sendAndConfirmTransaction,
  Transaction,
  TransactionMessage,
  VersionedTransaction,
} from "@solana/web3.js";
import { expect } from "chai";
import { isLocalnet, Localnet } from "../../sdk/localnet/src/index.ts";

describe("web3.js on localnet", () => {
  let chain: Localnet;
  let connection: Connection;
  let payer: Keypair;

  before(async () => {
    chain = await Localnet.start({ slotTime: 50 });
    connection = new Connection(chain.url, "confirmed");
    payer = Keypair.fromSecretKey(chain.payer.secretKey);
  });
  after(() => chain.close());

  it("is recognised as localnet", async () => {
    expect(await isLocalnet(connection)).to.equal(true);
    expect(await isLocalnet({ getVersion: async () => ({ "solana-core": "3.1.9" }) })).to.equal(false);
  });

  it("sends a transfer, confirms it by websocket and shows the balances", async () => {
    const to = Keypair.generate().publicKey;
    const transaction = new Transaction().add(
      SystemProgram.transfer({ fromPubkey: payer.publicKey, toPubkey: to, lamports: LAMPORTS_PER_SOL }),
    );
    const signature = await sendAndConfirmTransaction(connection, transaction, [payer]);
    expect(await connection.getBalance(to)).to.equal(LAMPORTS_PER_SOL);
    const landed = await connection.getTransaction(signature, { maxSupportedTransactionVersion: 0 });
    expect(landed?.meta?.fee).to.equal(5000);
    expect(landed?.meta?.postBalances[1]).to.equal(LAMPORTS_PER_SOL);
  });

  it("airdrops and confirms by block height", async () => {
    const to = Keypair.generate().publicKey;
    const signature = await connection.requestAirdrop(to, 7 * LAMPORTS_PER_SOL);
    const result = await connection.confirmTransaction({ signature, ...(await connection.getLatestBlockhash()) });
    expect(result.value.err).to.equal(null);
    expect(await connection.getBalance(to)).to.equal(7 * LAMPORTS_PER_SOL);
  });

  it("runs spl-token: mint, token accounts, transfer, and reads the parsed transaction back", async () => {
    const owner = Keypair.generate();
    const mint = await createMint(connection, payer, payer.publicKey, null, 6);
    const from = await getOrCreateAssociatedTokenAccount(connection, payer, mint, payer.publicKey);
    const to = await getOrCreateAssociatedTokenAccount(connection, payer, mint, owner.publicKey);
    await mintTo(connection, payer, mint, from.address, payer, 5_000_000n);
    const signature = await transferChecked(connection, payer, from.address, mint, to.address, payer, 1_250_000n, 6);

    expect((await getAccount(connection, to.address)).amount).to.equal(1_250_000n);
    expect((await getMint(connection, mint)).supply).to.equal(5_000_000n);
    const balance = await connection.getTokenAccountBalance(from.address);
    expect(balance.value.uiAmountString).to.equal("3.75");
    const held = await connection.getParsedTokenAccountsByOwner(owner.publicKey, { mint });
    expect(held.value[0]?.account.data.parsed.info.tokenAmount.amount).to.equal("1250000");

    const landed = await connection.getParsedTransaction(signature, { maxSupportedTransactionVersion: 0 });
    const after = landed?.meta?.postTokenBalances?.find((entry) => entry.owner === owner.publicKey.toBase58());
    expect(after?.uiTokenAmount.amount).to.equal("1250000");
    expect(after?.mint).to.equal(mint.toBase58());
    const [instruction] = landed?.transaction.message.instructions ?? [];
    expect(instruction).to.have.nested.property("parsed.type", "transferChecked");
    expect(instruction).to.have.nested.property("parsed.info.tokenAmount.amount", "1250000");
  });

  it("sends a v0 transaction through an address lookup table", async () => {
    const to = Keypair.generate().publicKey;
    const recentSlot = await connection.getSlot("finalized");
    const [create, table] = AddressLookupTableProgram.createLookupTable({
      authority: payer.publicKey,
      payer: payer.publicKey,
      recentSlot,
    });
    const extend = AddressLookupTableProgram.extendLookupTable({
      lookupTable: table,
      authority: payer.publicKey,
      payer: payer.publicKey,
      addresses: [to, Keypair.generate().publicKey],
    });
    await sendAndConfirmTransaction(connection, new Transaction().add(create, extend), [payer]);
    chain.warpSlots(1);
    const lookup = (await connection.getAddressLookupTable(table)).value;
    expect(lookup?.state.addresses.length).to.equal(2);
    const { blockhash, lastValidBlockHeight } = await connection.getLatestBlockhash();
    const message = new TransactionMessage({
      payerKey: payer.publicKey,
      recentBlockhash: blockhash,
      instructions: [SystemProgram.transfer({ fromPubkey: payer.publicKey, toPubkey: to, lamports: LAMPORTS_PER_SOL })],
    }).compileToV0Message(lookup === null ? [] : [lookup]);
    expect(message.addressTableLookups.length).to.equal(1);
    const transaction = new VersionedTransaction(message);
    transaction.sign([payer]);
    const signature = await connection.sendTransaction(transaction);
    await connection.confirmTransaction({ signature, blockhash, lastValidBlockHeight });
    const landed = await connection.getTransaction(signature, { maxSupportedTransactionVersion: 0 });
    expect(landed?.version).to.equal(0);
    expect(landed?.meta?.loadedAddresses?.writable.map(String)).to.deep.equal([to.toBase58()]);
    expect(await connection.getBalance(to)).to.equal(LAMPORTS_PER_SOL);
    const refused = await connection.getTransaction(signature, {} as { maxSupportedTransactionVersion: number }).then(
      () => "found",
      (error: Error) => error.message,
    );
    expect(refused).to.include("Transaction version (0) is not supported");
  });

  it("simulates with accounts, and reports a failure with its logs", async () => {
    const to = Keypair.generate().publicKey;
    const transfer = (lamports: number) =>
      new Transaction({ feePayer: payer.publicKey, ...blockhash }).add(
        SystemProgram.transfer({ fromPubkey: payer.publicKey, toPubkey: to, lamports }),
      );
    const blockhash = await connection.getLatestBlockhash();
    const good = await connection.simulateTransaction(transfer(LAMPORTS_PER_SOL), [payer], [to]);
    expect(good.value.err).to.equal(null);
    expect(good.value.accounts?.[0]?.lamports).to.equal(LAMPORTS_PER_SOL);
    expect(good.value.unitsConsumed).to.equal(150);
    expect(await connection.getBalance(to)).to.equal(0);
    const bad = await connection.simulateTransaction(transfer(1e15), [payer]);
    expect(bad.value.err).to.deep.equal({ InstructionError: [0, { Custom: 1 }] });
    expect(bad.value.logs?.join("\n")).to.include("insufficient lamports");
  });

  it("tells of account, program, log and slot changes", async () => {
    const to = Keypair.generate().publicKey;
    const heard = new Map<string, unknown>();
    let ids: number[] = [];
    const all = new Promise<void>((resolve) => {
      const hear = (name: string, value: unknown) => {
        heard.set(name, value);
        if (heard.size === 4) resolve();
      };
      ids = [
        connection.onAccountChange(to, (account) => hear("account", account.lamports), { commitment: "processed" }),
        connection.onProgramAccountChange(
          SystemProgram.programId,
          ({ accountId }) => accountId.equals(to) && hear("program", accountId.toBase58()),
          { commitment: "confirmed" },
        ),
        connection.onLogs(to, (logs) => hear("logs", logs.err), "processed"),
        connection.onSlotChange((slot) => hear("slot", slot.parent < slot.slot)),
      ];
    });
    await new Promise((resolve) => setTimeout(resolve, 300));
    await connection.requestAirdrop(to, 1_000_000);
    await all;
    const [account = 0, program = 0, logs = 0, slot = 0] = ids;
    await connection.removeAccountChangeListener(account);
    await connection.removeProgramAccountChangeListener(program);
    await connection.removeOnLogsListener(logs);
    await connection.removeSlotChangeListener(slot);
    expect(Object.fromEntries(heard)).to.deep.equal({
      account: 1_000_000,
      program: to.toBase58(),
      logs: null,
      slot: true,
    });
  });

  it("reads several accounts at once, some of them missing", async () => {
    const found = await connection.getMultipleAccountsInfo([
      new PublicKey(chain.usdcMint),
      Keypair.generate().publicKey,
    ]);
    expect(found.map((account) => account?.data.length)).to.deep.equal([82, undefined]);
  });

  it("answers the rest of what Connection can ask", async () => {
    expect(await connection.getSlot()).to.be.greaterThan(0);
    expect(await connection.getBlockHeight()).to.be.greaterThan(0);
    expect((await connection.getEpochInfo()).slotsInEpoch).to.equal(432_000);
    expect((await connection.getEpochSchedule()).warmup).to.equal(false);
    expect(await connection.getGenesisHash()).to.have.length.greaterThan(30);
    expect(await connection.getMinimumBalanceForRentExemption(165)).to.equal(2_039_280);
    expect(await connection.getFirstAvailableBlock()).to.equal(0);
    expect(await connection.getBlockTime(await connection.getSlot())).to.be.closeTo(Date.now() / 1000, 3);
    expect(await connection.getRecentPrioritizationFees()).to.have.length(1);
    expect(await connection.getSlotLeader()).to.be.a("string");
    expect(await connection.getTransactionCount()).to.be.greaterThan(0);
    const { blockhash } = await connection.getLatestBlockhash();
    expect((await connection.isBlockhashValid(blockhash)).value).to.equal(true);
    const message = new TransactionMessage({
      payerKey: payer.publicKey,
      recentBlockhash: blockhash,
      instructions: [],
    }).compileToV0Message();
    expect((await connection.getFeeForMessage(message)).value).to.equal(5000);
    const [latest] = await connection.getSignaturesForAddress(payer.publicKey, { limit: 1 });
    const block = await connection.getBlock(latest?.slot ?? 0, { maxSupportedTransactionVersion: 0 });
    expect(block?.transactions.length).to.be.greaterThan(0);
    const [largest] = (await connection.getTokenLargestAccounts(new PublicKey(chain.usdcMint))).value;
    expect(largest).to.equal(undefined);
    expect((await connection.getTokenSupply(new PublicKey(chain.usdcMint))).value.decimals).to.equal(6);
  });
});
