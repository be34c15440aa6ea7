// The shortest whole session: an agent that holds no SOL opens a channel, signs vouchers, and the seller cashes the last
// one. Runs on the embedded chain: `make setup && npx --no-install tsx examples/session.ts`.
import "@mppsol/localnet/quiet";
import { Localnet } from "@mppsol/localnet";
import { grindSalt, SESSION_PROGRAM_ID, session, signVoucher } from "@mppsol/programs";
import { getAccount, getAssociatedTokenAddressSync, TOKEN_PROGRAM_ID } from "@solana/spl-token";
import { Connection, Keypair, PublicKey, sendAndConfirmTransaction, Transaction } from "@solana/web3.js";

const net = await Localnet.start({
  programs: [{ id: SESSION_PROGRAM_ID.toBase58(), file: "artifacts/mppsol_session.so" }],
});
const connect = () => new Connection(net.url, { wsEndpoint: net.wsUrl, commitment: "confirmed" });
const connection = connect();
const [agent, seller] = [Keypair.generate(), Keypair.generate()];
net.mintUsdc(agent.publicKey.toBase58(), 5_000_000n);
net.airdrop(seller.publicKey.toBase58(), 1_000_000_000n);
const token = { mint: new PublicKey(net.usdcMint), tokenProgram: TOKEN_PROGRAM_ID };

// 1. The agent locks 1 USDC for this seller, who pays the fee and fronts the rent. A recent slot makes the address new.
const openSlot = BigInt(await connection.getSlot("confirmed"));
const parties = { payer: agent.publicKey, payee: seller.publicKey };
const { salt, channel } = grindSalt({ ...parties, ...token, authorizedSigner: agent.publicKey, openSlot });
const rentPayer = seller.publicKey;
const open = await session.open({
  ...parties,
  ...token,
  rentPayer,
  salt,
  openSlot,
  deposit: 1_000_000n,
  gracePeriod: 900,
});
await sendAndConfirmTransaction(connection, new Transaction().add(...open), [seller, agent]);

// 2. Off chain, with every request: all that was spent so far and this request. The seller keeps the last one.
let voucher = await signVoucher({ channelId: channel.toBase58(), cumulativeAmount: 500n }, agent);
voucher = await signVoucher({ channelId: channel.toBase58(), cumulativeAmount: 1_500n }, agent);

// 3. The seller cashes it and is paid; the rest goes back to the agent. One transaction. Accounts that are missing are made.
const end = await session.closeAndSettle({
  ...parties,
  ...token,
  channel,
  rentPayer,
  voucher,
  createAccounts: seller.publicKey,
});
await sendAndConfirmTransaction(connection, new Transaction().add(...end), [seller]);

const usdc = async (owner: PublicKey) =>
  (await getAccount(connection, getAssociatedTokenAddressSync(token.mint, owner))).amount;
console.log(`seller ${await usdc(seller.publicKey)}, agent ${await usdc(agent.publicKey)} base units`);

// 4. The channel's own rent stays until no channel can be opened at its address again: 1,500 slots after openSlot.
net.warpSlots(1_501);
const reclaim = await session.reclaim({ channel, rentPayer });
// A new connection: the old one remembers a blockhash that the leap made too old.
await sendAndConfirmTransaction(connect(), new Transaction().add(...reclaim), [seller]);
console.log(`channel gone: ${(await connection.getAccountInfo(channel)) === null}`);
await net.close();
