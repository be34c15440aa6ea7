// Programs that pay: the paid oracle, whose own address pays, and calls through the proxy (attack list 10, 11, 30–36).
import { createHash } from "node:crypto";
import { TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID } from "@solana/spl-token";
import { Keypair, PublicKey, SystemProgram, type TransactionInstruction } from "@solana/web3.js";
import { expect } from "chai";
import { chain } from "../support/chain.js";
import { PROXY_SIGNER, throughProxy } from "../support/proxy.js";
import { World, withAccount } from "../support/world.js";
import {
  account,
  attest,
  attestationMessage,
  attestBySignature,
  bn,
  consume,
  expected,
  LIFETIME,
  oracle,
  PAY_PROGRAM,
  paid,
  payInstruction,
  receipt,
  receiptAddress,
  refuses,
  refusesWith,
  signed,
  type Terms,
  terms,
  verify,
} from "./pay.js";

const SYMBOL = Buffer.from("SOL/USD".padEnd(16, "\0"));
const FEE = 25n;
const MAX_AGE = 60n;

interface Price {
  mantissa: bigint;
  exponent: number;
  publishedAt: bigint;
}

const sha256 = (...parts: Uint8Array[]): Buffer => createHash("sha256").update(Buffer.concat(parts)).digest();
const i64 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(value);
  return bytes;
};
const i32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
};

const feedAddress = (owner: PublicKey): PublicKey =>
  PublicKey.findProgramAddressSync([Buffer.from("feed"), owner.toBytes(), SYMBOL], oracle.programId)[0];
const requestHash = (feed: PublicKey, nonce: bigint): Buffer =>
  sha256(Buffer.from("paid_oracle:request:v1"), feed.toBytes(), SYMBOL, i64(nonce));
const priceHash = (feed: PublicKey, { mantissa, exponent, publishedAt }: Price): Buffer =>
  sha256(Buffer.from("paid_oracle:price:v1"), feed.toBytes(), i64(mantissa), i32(exponent), i64(publishedAt));

for (const [name, tokenProgram] of [
  ["SPL Token", TOKEN_PROGRAM_ID],
  ["Token-2022", TOKEN_2022_PROGRAM_ID],
] as const) {
  describe(`a feed that buys its prices in ${name}`, () => {
    let world: World;
    let feed: PublicKey;
    /** Sells prices. */
    let provider: Keypair;
    let owner: Keypair;

    beforeEach(async () => {
      world = await World.create({ tokenProgram });
      [provider, owner] = [world.payee, world.payer];
      feed = feedAddress(owner.publicKey);
      await world.send([await initialize()], [owner]);
      await world.createTokenAccounts([feed]);
      await world.give(feed, 1_000n);
    });

    const initialize = (args: { fee?: bigint; maxAge?: bigint } = {}): Promise<TransactionInstruction> =>
      oracle.methods.initializeFeed!({
        symbol: [...SYMBOL],
        fee: bn(args.fee ?? FEE),
        maxAge: bn(args.maxAge ?? MAX_AGE),
      })
        .accountsStrict({
          owner: owner.publicKey,
          feed,
          provider: provider.publicKey,
          mint: world.mint,
          systemProgram: SystemProgram.programId,
        })
        .instruction();

    const request = async (the: Terms, change: Record<string, PublicKey> = {}): Promise<TransactionInstruction> =>
      oracle.methods.requestPrice!({ nonce: bn(the.nonce), paySlot: bn(the.paySlot), expiresAt: bn(the.expiresAt) })
        .accountsStrict({
          owner: owner.publicKey,
          rentPayer: world.operator.publicKey,
          feed,
          provider: provider.publicKey,
          mint: world.mint,
          vault: world.ata(feed),
          providerTokenAccount: world.ata(provider.publicKey),
          receipt: receiptAddress(feed, the),
          tokenProgram,
          payProgram: PAY_PROGRAM,
          systemProgram: SystemProgram.programId,
          ...change,
        })
        .instruction();

    const accept = (nonce: bigint, price: Price, change: Record<string, PublicKey>): Promise<TransactionInstruction> =>
      oracle.methods.acceptPrice!({
        nonce: bn(nonce),
        price: { mantissa: bn(price.mantissa), exponent: price.exponent, publishedAt: bn(price.publishedAt) },
      })
        .accountsStrict({ feed, payProgram: PAY_PROGRAM, ...change } as never)
        .instruction();

    const price = async (change: Partial<Price> = {}): Promise<Price> => ({
      mantissa: 14_250_000_000n,
      exponent: -8,
      publishedAt: BigInt(await chain.now()),
      ...change,
    });

    /** Asks and pays. */
    async function requested(): Promise<{ the: Terms; it: PublicKey }> {
      const the = await terms();
      await world.send([await request(the)], [owner, world.operator]);
      return { the, it: receiptAddress(feed, the) };
    }

    /** The provider's signature, made off chain. */
    function attestation(it: PublicKey, nonce: bigint, answer: Price, key = provider): TransactionInstruction {
      const [asked, result] = [requestHash(feed, nonce), priceHash(feed, answer)];
      return signed(key, attestationMessage({ receipt: it, request: asked, result }));
    }

    const latest = async (): Promise<Price> => {
      const { price } = oracle.coder.accounts.decode<{ price: Record<string, { toString(): string }> }>(
        "feed",
        (await account(feed))!.data,
      );
      return {
        mantissa: BigInt(price.mantissa!.toString()),
        exponent: Number(price.exponent),
        publishedAt: BigInt(price.publishedAt!.toString()),
      };
    };

    it("pays from its own address, which carries data and holds no signature key", async () => {
      const { the, it } = await requested();
      expect(await world.balance(feed)).equal(1_000n - FEE);
      expect(await world.balance(provider.publicKey)).equal(FEE);
      const written = await receipt(it);
      expect([written.payer, written.recipient, written.consumer].map(String)).deep.equal(
        [feed, provider.publicKey, feed].map(String),
      );
      expect([written.amount, written.requestHash]).deep.equal([FEE, requestHash(feed, the.nonce)]);
    });

    it("takes the price that the provider attested, from whoever carries it, and uses the receipt up", async () => {
      const { the, it } = await requested();
      const answer = await price();
      await world.send([
        attestation(it, the.nonce, answer),
        await attestBySignature(it, priceHash(feed, answer)),
        await accept(the.nonce, answer, { receipt: it }),
      ]);
      expect(await latest()).deep.equal(answer);
      expect((await receipt(it)).status).deep.equal({ consumed: {} });
    });

    it("takes no price without an attestation", async () => {
      const { the, it } = await requested();
      await refuses(world, "ReceiptNotAttested", [await accept(the.nonce, await price(), { receipt: it })]);
    });

    it("takes no other price than the one attested, in no part of it", async () => {
      const { the, it } = await requested();
      const answer = await price();
      await world.send([await attest(it, provider.publicKey, priceHash(feed, answer))], [provider]);
      const { mantissa, publishedAt } = answer;
      for (const other of [{ mantissa: mantissa + 1n }, { exponent: -7 }, { publishedAt: publishedAt - 1n }]) {
        await refuses(world, "ResultHashMismatch", [await accept(the.nonce, { ...answer, ...other }, { receipt: it })]);
      }
    });

    it("takes no second price for one payment", async () => {
      const { the, it } = await requested();
      const answer = await price();
      await world.send([await attest(it, provider.publicKey, priceHash(feed, answer))], [provider]);
      const take = await accept(the.nonce, answer, { receipt: it });
      await world.send([take]);
      await refuses(world, "PriceNotNewer", [take], [], oracle);
      await chain.advance(2);
      await refuses(world, "ReceiptConsumed", [await accept(the.nonce, await price(), { receipt: it })]);
    });

    it("takes no receipt of another request", async () => {
      const { the } = await requested();
      const { it } = await requested();
      const answer = await price();
      await world.send([await attest(it, provider.publicKey, priceHash(feed, answer))], [provider]);
      await refuses(world, "RequestHashMismatch", [await accept(the.nonce, answer, { receipt: it })]);
    });

    it("takes no receipt that somebody else paid, even on the same terms", async () => {
      const nonce = 7n;
      const the = await terms({ amount: FEE, requestHash: requestHash(feed, nonce), nonce, consumer: feed });
      await world.send([await payInstruction(world, the)], [world.payer, world.operator]);
      const it = receiptAddress(world.payer.publicKey, the);
      const answer = await price();
      await world.send([await attest(it, provider.publicKey, priceHash(feed, answer))], [provider]);
      await refuses(world, "PayerMismatch", [await accept(nonce, answer, { receipt: it })]);
    });

    it("takes no fake receipt and no fake pay program", async () => {
      const { the, it } = await requested();
      const answer = await price();
      await refusesWith(world, 3007, [await accept(the.nonce, answer, { receipt: world.ata(feed) })]);
      const other = { receipt: it, payProgram: oracle.programId };
      await refusesWith(world, 3008, [await accept(the.nonce, answer, other)]);
    });

    it("takes no stale, early or senseless price", async () => {
      const { the, it } = await requested();
      const now = BigInt(await chain.now());
      for (const publishedAt of [now - MAX_AGE - 10n, now + 1_000n, -(2n ** 63n)]) {
        await refuses(
          world,
          "PriceOutOfTime",
          [await accept(the.nonce, await price({ publishedAt }), { receipt: it })],
          [],
          oracle,
        );
      }
      for (const mantissa of [0n, -1n]) {
        await refuses(
          world,
          "PriceMustBePositive",
          [await accept(the.nonce, await price({ mantissa }), { receipt: it })],
          [],
          oracle,
        );
      }
    });

    it("takes no price once the receipt has expired", async () => {
      const { the, it } = await requested();
      const answer = await price();
      await world.send([await attest(it, provider.publicKey, priceHash(feed, answer))], [provider]);
      await chain.advance(LIFETIME + 1);
      const fresh = await accept(the.nonce, await price(), { receipt: it });
      // The price is fresh, but differs from the attested one; expiry is what the pay program sees first.
      await refuses(world, "ReceiptExpired", [fresh]);
    });

    it("pays at the greatest call depth there is", async () => {
      const the = await terms();
      // Proxy, proxy, oracle, pay, token program: five levels.
      await world.send([throughProxy(throughProxy(await request(the)))], [owner, world.operator]);
      expect((await receipt(receiptAddress(feed, the))).amount).equal(FEE);
    });

    it("lets nobody but its owner spend", async () => {
      const the = await terms();
      await refuses(
        world,
        "NotTheOwner",
        [await request(the, { owner: world.stranger.publicKey })],
        [world.stranger, world.operator],
        oracle,
      );
      const thief = { provider: world.stranger.publicKey };
      await refuses(world, "NotTheProvider", [await request(the, thief)], [owner, world.operator], oracle);
      const elsewhere = { providerTokenAccount: world.ata(owner.publicKey) };
      await refuses(world, "RecipientTokenAccountMismatch", [await request(the, elsewhere)], [owner, world.operator]);
      const other = await World.create({ tokenProgram });
      await refuses(world, "NotTheMint", [await request(the, { mint: other.mint })], [owner, world.operator], oracle);
    });

    it("gives its vault back to its owner, and to nobody else", async () => {
      const withdraw = (amount: bigint, to = owner, vault = world.ata(feed), into = world.ata(to.publicKey)) =>
        oracle.methods.withdraw!({ amount: bn(amount) })
          .accountsStrict({ owner: to.publicKey, feed, mint: world.mint, vault, ownerTokenAccount: into, tokenProgram })
          .instruction();
      const before = await world.balance(owner.publicKey);
      await world.send([await withdraw(400n)], [owner]);
      expect(await world.balance(owner.publicKey)).equal(before + 400n);
      await refuses(world, "NotTheOwner", [await withdraw(1n, provider)], [provider], oracle);
      await refuses(world, "NotTheVault", [await withdraw(1n, owner, world.ata(provider.publicKey))], [owner], oracle);
      const away = await withdraw(1n, owner, world.ata(feed), world.ata(provider.publicKey));
      await refuses(world, "NotTheOwnersTokenAccount", [away], [owner], oracle);
      await refusesWith(world, 1, [await withdraw(601n)], [owner]);
    });

    it("is not made with a fee of zero or without an age", async () => {
      const other = Keypair.generate();
      [owner, feed] = [other, feedAddress(other.publicKey)];
      const fund = SystemProgram.transfer({
        fromPubkey: chain.payer.publicKey,
        toPubkey: other.publicKey,
        lamports: 50_000_000,
      });
      await world.send([fund]);
      await refuses(world, "FeeMustBeNonZero", [await initialize({ fee: 0n })], [other], oracle);
      await refuses(world, "MaxAgeMustBePositive", [await initialize({ maxAge: 0n })], [other], oracle);
      await refuses(world, "MaxAgeMustBePositive", [await initialize({ maxAge: -1n })], [other], oracle);
    });
  });
}

describe("the pay program, called by another program", () => {
  let world: World;
  before(async () => {
    world = await World.create();
    await world.createTokenAccounts([PROXY_SIGNER]);
    await world.give(PROXY_SIGNER, 1_000n);
  });

  it("pays, attests and consumes for addresses that only a program can sign for", async () => {
    const the = await terms({ consumer: PROXY_SIGNER });
    const out = await payInstruction(world, the, { payer: PROXY_SIGNER });
    await world.send([throughProxy(out)], [world.operator]);
    expect((await receipt(receiptAddress(PROXY_SIGNER, the))).payer.equals(PROXY_SIGNER)).equal(true);
    expect(await world.balance(PROXY_SIGNER)).equal(900n);

    const back = await terms({ consumer: PROXY_SIGNER });
    await world.send([await payInstruction(world, back, { recipient: PROXY_SIGNER })], [world.payer, world.operator]);
    const it = receiptAddress(world.payer.publicKey, back);
    await world.send([throughProxy(await attest(it, PROXY_SIGNER), await consume(it, PROXY_SIGNER))]);
    expect((await receipt(it)).status).deep.equal({ consumed: {} });
  });

  it("never pays from a program's address without that program", async () => {
    const the = await terms();
    const it = await payInstruction(world, the, { payer: PROXY_SIGNER });
    const keys = it.keys.map((key) => ({ ...key, isSigner: key.isSigner && !key.pubkey.equals(PROXY_SIGNER) }));
    await refusesWith(world, 3010, [Object.assign(it, { keys })], [world.operator]);
  });

  it("takes a proof from right before the outer instruction", async () => {
    const it = await paid(world);
    await world.send([
      signed(world.payee, attestationMessage({ receipt: it })),
      throughProxy(await attestBySignature(it)),
    ]);
    expect((await receipt(it)).status).deep.equal({ attested: {} });
  });

  it("takes one proof once, from two calls under one outer instruction", async () => {
    const [it, other] = [await paid(world), await paid(world)];
    const proof = signed(world.payee, attestationMessage({ receipt: it }));
    const once = await attestBySignature(it);
    await refuses(world, "ReceiptAlreadyAttested", [proof, throughProxy(once, once)]);
    await refuses(world, "AttestationMessageMismatch", [proof, throughProxy(once, await attestBySignature(other))]);
  });

  it("lets two calls under one outer instruction use a receipt once", async () => {
    const it = await paid(world, { needsAttestation: false, consumer: PROXY_SIGNER });
    const use = await consume(it, PROXY_SIGNER);
    await refuses(world, "ReceiptConsumed", [throughProxy(use, use)]);
    await world.send([throughProxy(use)]);
  });

  it("writes one receipt for two calls on the same terms", async () => {
    const the = await terms();
    const it = await payInstruction(world, the, { payer: PROXY_SIGNER });
    await refuses(world, "ReceiptAlreadyExists", [throughProxy(it, it)], [world.operator]);
  });

  it("signs return data with its own id, so that a later program's answer is not taken for a verdict", async () => {
    const it = await paid(world, { needsAttestation: false });
    const ask = await verify(it, expected(world));
    const { logs } = await world.send([throughProxy(ask)]);
    expect(logs.some((line) => line.startsWith(`Program return: ${PAY_PROGRAM.toBase58()} `))).equal(true);
    // A token program's answer set afterwards is what a caller would then read; `Verdict::read` refuses it by its id.
    const lookup = await payInstruction(world, await terms());
    const supply = {
      ...lookup,
      programId: TOKEN_PROGRAM_ID,
      keys: [{ pubkey: world.mint, isSigner: false, isWritable: false }],
      data: Buffer.from([21]),
    };
    const after = await world.send([throughProxy(ask, supply as TransactionInstruction)]);
    const returns = after.logs.filter((line) => line.startsWith("Program return: ")).map((line) => line.split(" ")[2]);
    expect([returns[0], returns.at(-1) !== PAY_PROGRAM.toBase58()]).deep.equal([PAY_PROGRAM.toBase58(), true]);
  });

  it("hands the payer's signature to the token program and to nobody else", async () => {
    // Every inner instruction in which the payer signs is one of the token program's.
    const the = await terms();
    const { signature } = await world.send([await payInstruction(world, the)], [world.payer, world.operator]);
    const found = await chain.connection.getTransaction(signature, {
      commitment: "confirmed",
      maxSupportedTransactionVersion: 0,
    });
    const keys = found!.transaction.message.getAccountKeys();
    const payer = keys.staticAccountKeys.findIndex((key) => key.equals(world.payer.publicKey));
    const uses = found!
      .meta!.innerInstructions!.flatMap(({ instructions }) => instructions)
      .filter((ix) => ix.accounts.includes(payer));
    expect(uses.map((ix) => String(keys.get(ix.programIdIndex)))).deep.equal([TOKEN_PROGRAM_ID.toBase58()]);
  });

  it("is not fooled into another token program by the caller", async () => {
    const it = await payInstruction(world, await terms());
    await refusesWith(world, 3008, [throughProxy(withAccount(it, 7, oracle.programId))], [world.payer, world.operator]);
  });
});
