// The cases of paid_oracle, the example program: what it costs a program to pay by CPI and to use the receipt up.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import anchor, { type Idl, type Provider } from "@coral-xyz/anchor";
import { decodeReceipt, PAY_PROGRAM_ID, payments, signAttestation, tokenAddress } from "@mppsol/programs";
import {
  createAssociatedTokenAccountIdempotentInstruction,
  createTransferCheckedInstruction,
  TOKEN_PROGRAM_ID,
} from "@solana/spl-token";
import { type Keypair, PublicKey, SystemProgram, type TransactionInstruction } from "@solana/web3.js";
import type { Target } from "./channels.js";
import { DECIMALS, found } from "./economy.js";
import { bumpOf, first } from "./keys.js";
import { nextReceipt } from "./pay.js";
import { Recorder, type Row } from "./row.js";
import type { Program, Vm } from "./vm.js";

const SYMBOL = Buffer.from("SOL/USD".padEnd(16, "\0"));
const FEE = 2_500n;
const MAX_AGE = 60n;
const LIFETIME = 600n;

/** Measures every case, in order. `idl` is the program's, a file. */
export async function measureOracle(
  vm: Vm,
  operator: Keypair,
  program: Program,
  idl: string,
  { treasury }: Target,
): Promise<Row[]> {
  const recorder = new Recorder(vm, program);
  const client = new anchor.Program(JSON.parse(readFileSync(idl, "utf8")) as Idl, {} as Provider);
  const build = (name: string, args: object, accounts: Record<string, PublicKey>): Promise<TransactionInstruction> => {
    const method = client.methods[name];
    if (method === undefined) throw new Error(`the IDL has no ${name}`);
    return method(args).accountsStrict(accounts).instruction();
  };
  const plan = { label: "oracle", tokenProgram: TOKEN_PROGRAM_ID, treasury, recipients: 0 };
  const { mint, payer, payee: provider } = found(vm, operator, plan);
  const programs = { tokenProgram: TOKEN_PROGRAM_ID, systemProgram: SystemProgram.programId };

  // Feed, vault and the owner's token account at bump 255, as all else.
  const at = (owner: PublicKey) =>
    PublicKey.findProgramAddressSync([Buffer.from("feed"), owner.toBytes(), SYMBOL], program.id);
  const owner = first("feed-owner", (key) => {
    const [address, bump] = at(key);
    return [bump, bumpOf(address, mint, TOKEN_PROGRAM_ID), bumpOf(key, mint, TOKEN_PROGRAM_ID)].every((b) => b === 255);
  });
  const [feed] = at(owner.publicKey);
  const tokens = (of: PublicKey) => tokenAddress(of, mint, TOKEN_PROGRAM_ID);
  const named = { owner: owner.publicKey, feed, mint };
  vm.fund(owner.publicKey);

  const { systemProgram } = programs;
  const start = await build(
    "initializeFeed",
    { symbol: [...SYMBOL], fee: bn(FEE), maxAge: bn(MAX_AGE) },
    { ...named, provider: provider.publicKey, systemProgram },
  );
  recorder.record(["initialize_feed", ""], [start], [owner]);

  const [vault, wallet] = [tokens(feed), tokens(owner.publicKey)];
  const funder = operator.publicKey;
  const fill = [
    createAssociatedTokenAccountIdempotentInstruction(funder, vault, feed, mint),
    createAssociatedTokenAccountIdempotentInstruction(funder, wallet, owner.publicKey, mint),
    createTransferCheckedInstruction(tokens(payer.publicKey), mint, vault, payer.publicKey, 2n * FEE, DECIMALS),
  ];
  recorder.run(fill, [payer]);

  const { nonce, receipt } = nextReceipt(vm, feed);
  const request = await build(
    "requestPrice",
    { nonce: bn(nonce), paySlot: bn(vm.slot), expiresAt: bn(vm.now + LIFETIME) },
    {
      ...named,
      ...programs,
      rentPayer: owner.publicKey,
      provider: provider.publicKey,
      vault,
      providerTokenAccount: tokens(provider.publicKey),
      receipt,
      payProgram: PAY_PROGRAM_ID,
    },
  );
  recorder.record(["request_price", "pays by CPI"], [request], [owner]);

  const price = { mantissa: 15_342n, exponent: -2, publishedAt: vm.now };
  const { requestHash } = decodeReceipt(vm.data(receipt));
  const attestation = { receipt: receipt.toBase58(), requestHash, resultHash: priceHash(feed, price) };
  recorder.run(await payments.attestSigned(await signAttestation(attestation, provider)));
  const { mantissa, exponent, publishedAt } = price;
  const accept = await build(
    "acceptPrice",
    { nonce: bn(nonce), price: { mantissa: bn(mantissa), exponent, publishedAt: bn(publishedAt) } },
    { feed, receipt, payProgram: PAY_PROGRAM_ID },
  );
  recorder.record(["accept_price", "verifies and consumes"], [accept]);

  const back = await build(
    "withdraw",
    { amount: bn(FEE) },
    { ...named, vault, ownerTokenAccount: wallet, tokenProgram: TOKEN_PROGRAM_ID },
  );
  recorder.record(["withdraw", ""], [back], [owner]);
  return recorder.rows;
}

/** What the provider attests (paid_oracle, `hashes.rs`). */
function priceHash(feed: PublicKey, price: { mantissa: bigint; exponent: number; publishedAt: bigint }): Uint8Array {
  const numbers = Buffer.alloc(20);
  numbers.writeBigInt64LE(price.mantissa, 0);
  numbers.writeInt32LE(price.exponent, 8);
  numbers.writeBigInt64LE(price.publishedAt, 12);
  return createHash("sha256").update("paid_oracle:price:v1").update(feed.toBytes()).update(numbers).digest();
}

function bn(value: bigint): InstanceType<typeof anchor.BN> {
  return new anchor.BN(value.toString());
}
