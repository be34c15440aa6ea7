// Sponsored payments to judge: honest ones, and those that break one rule each. All distinct, made before anything is measured.
import type { ChargeRequest } from "@mppsol/core";
import { createTransferCheckedInstruction } from "@solana/spl-token";
import { Keypair, type PublicKey, TransactionInstruction } from "@solana/web3.js";
import { ata, USDC } from "../../tests/facilitator/charge/market.ts";
import { type Change, type Payment, payment } from "../../tests/facilitator/load/charges.ts";
import { memo } from "../../tests/server/charge/shop.ts";

export interface Case {
  readonly id: string;
  /** Whether a facilitator should take it. */
  readonly good: boolean;
  readonly samples: readonly Sample[];
}

export interface Sample {
  readonly request: ChargeRequest.ChargeRequest;
  /** Base64, as it comes. */
  readonly transaction: string;
}

const AMOUNT = 10_000n;
/** Place of the transfer among the instructions. */
const TRANSFER = 2;

export function cases(sponsor: Keypair, count: number): Case[] {
  const many = (make: () => Payment): Sample[] =>
    Array.from({ length: count }, make).map(({ request, wire }) => ({
      request,
      transaction: Buffer.from(wire).toString("base64"),
    }));
  const blockhash = Keypair.generate().publicKey.toBase58();
  const prepared = { feePayer: sponsor.publicKey.toBase58(), recentBlockhash: blockhash };
  const made = (payer: Keypair, recipient: PublicKey, change?: Change) =>
    payment(prepared, { payer, recipient, amount: AMOUNT }, change);
  const fresh = (change?: (payer: Keypair) => Change) => () => {
    const payer = Keypair.generate();
    return made(payer, Keypair.generate().publicKey, change?.(payer));
  };
  const regulars = Array.from({ length: 64 }, () => Keypair.generate());
  const shops = regulars.slice(0, 8).map(() => Keypair.generate().publicKey);
  let turn = 0;
  const regular = () => made(regulars[turn % regulars.length]!, shops[turn++ % shops.length]!);
  const transfer = (payer: Keypair, to: PublicKey, amount: bigint) =>
    createTransferCheckedInstruction(ata(payer.publicKey), USDC, ata(to), payer.publicKey, amount, 6);
  const bad = (id: string, make: () => Payment): Case => ({ id, good: false, samples: many(make) });
  return [
    { id: "valid, 64 buyers and 8 sellers", good: true, samples: many(regular) },
    { id: "valid, every buyer and seller new", good: true, samples: many(fresh()) },
    bad("pays less", () => {
      const [payer, recipient] = [Keypair.generate(), Keypair.generate().publicKey];
      return made(payer, recipient, instead(TRANSFER, transfer(payer, recipient, AMOUNT - 1n)));
    }),
    bad(
      "pays somebody else",
      fresh((payer) => instead(TRANSFER, transfer(payer, payer.publicKey, AMOUNT))),
    ),
    bad(
      "a program that is not allowed",
      fresh(({ publicKey }) => ({
        instructions: (honest) => [...honest, stray(publicKey)],
      })),
    ),
    bad(
      "spends the sponsor's tokens",
      fresh((payer) => ({
        instructions: (honest) => [
          ...honest.slice(0, TRANSFER),
          createTransferCheckedInstruction(
            ata(sponsor.publicKey),
            USDC,
            ata(payer.publicKey),
            sponsor.publicKey,
            AMOUNT,
            6,
          ),
          memo("the buyer signs", [payer.publicKey]),
        ],
      })),
    ),
    bad("the buyer's signature is forged", () => broken(fresh()(), (wire) => flip(wire, BUYERS_SIGNATURE))),
    bad("cut short", () => broken(fresh()(), (wire) => wire.subarray(0, wire.length - 10))),
  ];
}

/** Where the buyer's signature is: behind the count of signatures and the sponsor's place. */
const BUYERS_SIGNATURE = 1 + 64;

/** A call of a program that nobody knows. */
function stray(signer: PublicKey): TransactionInstruction {
  return new TransactionInstruction({
    programId: Keypair.generate().publicKey,
    keys: [{ pubkey: signer, isSigner: true, isWritable: false }],
    data: Buffer.from([1]),
  });
}

function instead(at: number, instruction: TransactionInstruction): Change {
  return { instructions: (honest) => honest.with(at, instruction) };
}

function broken({ request, wire }: Payment, how: (wire: Uint8Array) => Uint8Array): Payment {
  return { request, wire: how(wire) };
}

function flip(wire: Uint8Array, at: number): Uint8Array {
  return wire.with(at, wire[at]! ^ 1);
}
