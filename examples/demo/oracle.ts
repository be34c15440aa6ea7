// The oracle: a program on chain pays for a price by CPI, and takes it only with the receipt that its seller attested.
import {
  decodeReceipt,
  PAY_PROGRAM_ID,
  payments,
  type ReceiptState,
  signAttestation,
  tokenAddress,
} from "@mppsol/programs";
import {
  createAssociatedTokenAccountInstruction,
  createTransferCheckedInstruction,
  TOKEN_PROGRAM_ID,
} from "@solana/spl-token";
import { Keypair, type PublicKey } from "@solana/web3.js";
import * as Books from "./books.js";
import type { Checks } from "./checks.js";
import { Feed, type Price, type Request } from "./feed.js";
import { refusal, send } from "./land.js";
import { decimal, type Printer, row, short, usdc } from "./print.js";
import { idl, requirePrograms, type World } from "./world.js";

export interface OracleReport {
  readonly transactions: readonly Books.Cost[];
  readonly receipt: string;
  readonly price: Price;
  readonly before: Books.Books;
  readonly after: Books.Books;
}

const FEE = 2_500n;
const VAULT = 10_000n;
const MAX_AGE = 60n;
const LIFETIME = 600n;
const LAMPORTS = 100_000_000n;

/** @throws {Error} when a program is missing, or a transaction that must succeed does not. */
export async function run(world: World, checks: Checks, out: Printer): Promise<OracleReport> {
  requirePrograms(world, "mppsol_cpi", "paid_oracle");
  const { connection, mint, net } = world;
  // The owner of the feed, its data provider, who has no SOL, and a passer-by who carries things to the chain.
  const [owner, provider, relay] = [Keypair.generate(), Keypair.generate(), Keypair.generate()];
  for (const key of [owner, relay]) net.airdrop(key.publicKey.toBase58(), LAMPORTS);
  net.mintUsdc(owner.publicKey.toBase58(), VAULT);
  net.mintUsdc(provider.publicKey.toBase58(), 0n);
  const feed = new Feed(idl("paid_oracle"), {
    owner: owner.publicKey,
    provider: provider.publicKey,
    mint,
    symbol: "SOL/USD",
    fee: FEE,
    maxAge: MAX_AGE,
  });
  const { slot, unixTimestamp } = net.clock();
  const request: Request = { nonce: 1n, paySlot: BigInt(slot), expiresAt: BigInt(unixTimestamp) + LIFETIME };
  const receipt = feed.receipt(request);
  const price: Price = { mantissa: 153_42n, exponent: -2, publishedAt: BigInt(unixTimestamp) };

  const parties: Books.Party[] = [
    { name: "feed's owner", owner: owner.publicKey },
    { name: "feed", owner: feed.address },
    { name: "provider", owner: provider.publicKey },
    { name: "relay", owner: relay.publicKey },
    { name: "receipt", owner: receipt },
  ];
  const before = await Books.take(connection, mint, parties);
  const costs: Books.Cost[] = [];
  const did = async (name: string, signature: string) => {
    costs.push(await Books.cost(connection, name, signature));
  };
  const mustRefuse = async (what: string, by: string, attempt: Price) => {
    const { signature, name } = await refusal(connection, [await feed.acceptPrice(request, attempt)], [relay]);
    await did("refused", signature);
    checks.equal(`refused: ${what} (${by})`, name, by);
    out.say(row(name === "nothing" ? "TAKEN" : "refused", `${what}: ${name}`));
  };
  const read = () => readReceipt(world, receipt);

  const ownerTokens = tokenAddress(owner.publicKey, mint, TOKEN_PROGRAM_ID);
  const setup = [
    await feed.initialize(),
    createAssociatedTokenAccountInstruction(owner.publicKey, feed.vault, feed.address, mint),
    createTransferCheckedInstruction(ownerTokens, mint, feed.vault, owner.publicKey, VAULT, world.decimals),
  ];
  await did("feed", await send(connection, setup, [owner]));
  out.say(row("feed", `SOL/USD at ${feed.address.toBase58()}, ${usdc(VAULT)} USDC in its vault`));

  await did("request", await send(connection, [await feed.requestPrice(request)], [owner]));
  const paid = await read();
  out.say(row("request", `the feed paid its provider ${usdc(FEE)} USDC by CPI: receipt ${short(receipt.toBase58())}`));
  checks.that(
    "the receipt says who paid whom, how much, for what, and who may use it",
    paid.status === "paid" &&
      paid.payer.equals(feed.address) &&
      paid.recipient.equals(provider.publicKey) &&
      paid.mint.equals(mint) &&
      paid.amount === FEE &&
      paid.consumer.equals(feed.address) &&
      same(paid.requestHash, feed.requestHash(request.nonce)),
  );
  await mustRefuse("the price before its provider attested it", "ReceiptNotAttested", price);

  // Off chain: one signature of the provider, which needs no SOL. Anyone may carry it to the chain.
  const attestation = await signAttestation(
    { receipt: receipt.toBase58(), requestHash: paid.requestHash, resultHash: feed.priceHash(price) },
    provider,
  );
  await did("attest", await send(connection, await payments.attestSigned(attestation), [relay]));
  const attested = await read();
  out.say(row("attest", "the provider signed the price's hash off chain; a stranger carried it to the chain"));
  checks.that(
    "the receipt holds the hash of the price that was delivered",
    attested.status === "attested" && same(attested.resultHash, feed.priceHash(price)),
  );
  await mustRefuse("another price than the attested one", "ResultHashMismatch", {
    ...price,
    mantissa: price.mantissa + 1n,
  });

  await did("accept", await send(connection, [await feed.acceptPrice(request, price)], [relay]));
  const consumed = await read();
  const stored = feed.price((await account(world, feed.address)).data);
  out.say(row("accept", `the feed took ${show(stored)} and used the receipt up`));
  checks.equal("the receipt is consumed", consumed.status, "consumed");
  checks.that(
    "the feed holds the attested price",
    stored.mantissa === price.mantissa &&
      stored.exponent === price.exponent &&
      stored.publishedAt === price.publishedAt,
  );
  net.advanceSeconds(1);
  await mustRefuse("a second price for the same payment", "ReceiptConsumed", {
    ...price,
    publishedAt: price.publishedAt + 1n,
  });

  const after = await Books.take(connection, mint, parties);
  judge(checks, { before, after, costs });
  return { transactions: costs, receipt: receipt.toBase58(), price: stored, before, after };
}

function judge(
  checks: Checks,
  { before, after, costs }: { before: Books.Books; after: Books.Books; costs: readonly Books.Cost[] },
): void {
  const tokens = (name: string) => Books.holding(after, name).tokens;
  checks.equal("the provider has the fee", tokens("provider"), FEE);
  checks.equal("the vault has the rest", tokens("feed"), VAULT - FEE);
  checks.equal("tokens before = tokens after the purchase", after.tokens, before.tokens);
  const fees = Books.sum(costs.map(({ fee }) => fee));
  checks.equal("SOL before = SOL after the purchase + fees", before.lamports, after.lamports + fees);
}

async function readReceipt(world: World, address: PublicKey): Promise<ReceiptState> {
  const { owner, data } = await account(world, address);
  if (!owner.equals(PAY_PROGRAM_ID)) throw new Error("the receipt is not the pay program's");
  return decodeReceipt(data);
}

async function account(world: World, address: PublicKey) {
  const found = await world.connection.getAccountInfo(address, "confirmed");
  if (found === null) throw new Error(`there is nothing at ${address.toBase58()}`);
  return found;
}

function show({ mantissa, exponent }: Price): string {
  return decimal(mantissa, -exponent);
}

function same(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && Buffer.from(a).equals(Buffer.from(b));
}
