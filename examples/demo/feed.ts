// A client of the example program paid_oracle: addresses, instructions from its IDL, and the hashes that tie a payment
// to a price.
import { createHash } from "node:crypto";
import anchor, { type Idl, type Provider } from "@coral-xyz/anchor";
import { PAY_PROGRAM_ID, receiptAddress, tokenAddress } from "@mppsol/programs";
import { TOKEN_PROGRAM_ID } from "@solana/spl-token";
import { PublicKey, SystemProgram, type TransactionInstruction } from "@solana/web3.js";

/** `mantissa` × 10^`exponent`, as of `publishedAt` in unix seconds. */
export interface Price {
  readonly mantissa: bigint;
  readonly exponent: number;
  readonly publishedAt: bigint;
}

export interface FeedTerms {
  readonly owner: PublicKey;
  /** Is paid, and attests prices. */
  readonly provider: PublicKey;
  readonly mint: PublicKey;
  /** What the price is of; at most 16 bytes. */
  readonly symbol: string;
  /** Base units for one price. */
  readonly fee: bigint;
  /** Seconds after which a price is too old to accept. */
  readonly maxAge: bigint;
}

export interface Request {
  /** Tells requests of one slot apart. */
  readonly nonce: bigint;
  readonly paySlot: bigint;
  /** Unix seconds until which the price must be attested and accepted. */
  readonly expiresAt: bigint;
}

/** One feed. */
export class Feed {
  readonly address: PublicKey;
  /** The feed's token account: what it pays from. */
  readonly vault: PublicKey;
  readonly #program: InstanceType<typeof anchor.Program>;
  readonly #terms: FeedTerms;

  /** @param idl of paid_oracle. */
  constructor(idl: Idl, terms: FeedTerms) {
    this.#program = new anchor.Program(idl, {} as Provider);
    this.#terms = terms;
    const seeds = [Buffer.from("feed"), terms.owner.toBytes(), padded(terms.symbol)];
    this.address = PublicKey.findProgramAddressSync(seeds, this.#program.programId)[0];
    this.vault = tokenAddress(this.address, terms.mint, TOKEN_PROGRAM_ID);
  }

  /** Makes the feed. Signer: owner, who pays its rent. */
  initialize(): Promise<TransactionInstruction> {
    const { owner, provider, mint, symbol, fee, maxAge } = this.#terms;
    const args = { symbol: [...padded(symbol)], fee: bn(fee), maxAge: bn(maxAge) };
    const accounts = { owner, feed: this.address, provider, mint, systemProgram: SystemProgram.programId };
    return this.#build("initializeFeed", args, accounts);
  }

  /** The feed pays its provider by CPI. Signer: owner, who pays the receipt's rent. */
  requestPrice({ nonce, paySlot, expiresAt }: Request): Promise<TransactionInstruction> {
    const { owner, provider, mint } = this.#terms;
    const args = { nonce: bn(nonce), paySlot: bn(paySlot), expiresAt: bn(expiresAt) };
    return this.#build("requestPrice", args, {
      owner,
      rentPayer: owner,
      feed: this.address,
      provider,
      mint,
      vault: this.vault,
      providerTokenAccount: tokenAddress(provider, mint, TOKEN_PROGRAM_ID),
      receipt: this.receipt({ nonce, paySlot }),
      tokenProgram: TOKEN_PROGRAM_ID,
      payProgram: PAY_PROGRAM_ID,
      systemProgram: SystemProgram.programId,
    });
  }

  /** The feed takes the price and uses the receipt up. Nobody signs. */
  acceptPrice(request: Request, price: Price): Promise<TransactionInstruction> {
    const { mantissa, exponent, publishedAt } = price;
    const args = {
      nonce: bn(request.nonce),
      price: { mantissa: bn(mantissa), exponent, publishedAt: bn(publishedAt) },
    };
    const accounts = { feed: this.address, receipt: this.receipt(request), payProgram: PAY_PROGRAM_ID };
    return this.#build("acceptPrice", args, accounts);
  }

  receipt({ nonce, paySlot }: Pick<Request, "nonce" | "paySlot">): PublicKey {
    return receiptAddress({ source: this.address, nonce, paySlot });
  }

  /** What the feed pays for. */
  requestHash(nonce: bigint): Uint8Array {
    return sha256("paid_oracle:request:v1", this.address.toBytes(), padded(this.#terms.symbol), le64(nonce));
  }

  /** What the provider attests. */
  priceHash({ mantissa, exponent, publishedAt }: Price): Uint8Array {
    const exponentBytes = Buffer.alloc(4);
    exponentBytes.writeInt32LE(exponent);
    return sha256("paid_oracle:price:v1", this.address.toBytes(), le64(mantissa), exponentBytes, le64(publishedAt));
  }

  /** The price in the feed's account. */
  price(data: Uint8Array): Price {
    const { price } = this.#program.coder.accounts.decode("feed", Buffer.from(data)) as {
      price: { mantissa: unknown; exponent: number; publishedAt: unknown };
    };
    const { mantissa, exponent, publishedAt } = price;
    return { mantissa: BigInt(String(mantissa)), exponent, publishedAt: BigInt(String(publishedAt)) };
  }

  #build(name: string, args: object, accounts: Record<string, PublicKey>): Promise<TransactionInstruction> {
    const method = this.#program.methods[name];
    if (method === undefined) throw new Error(`the IDL has no ${name}`);
    return method(args).accountsStrict(accounts).instruction();
  }
}

function padded(symbol: string): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.write(symbol);
  return bytes;
}

function bn(value: bigint): InstanceType<typeof anchor.BN> {
  return new anchor.BN(value.toString());
}

function le64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(value);
  return bytes;
}

function sha256(domain: string, ...parts: readonly Uint8Array[]): Uint8Array {
  return createHash("sha256")
    .update(Buffer.concat([Buffer.from(domain), ...parts]))
    .digest();
}
