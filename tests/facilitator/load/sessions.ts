// Buyers of sessions, over HTTP: they open channels and pay by vouchers, their own or the operator's. Built by the programs'
// own builders; nothing of the service's is used.
import { randomBytes, randomUUID } from "node:crypto";
import { BearerProof, SessionRequest, SignedVoucher } from "@mppsol/core";
import { channelAddress, keypairSigner, session, signMessage, signVoucher } from "@mppsol/programs";
import { type Keypair, PublicKey, TransactionMessage, VersionedTransaction } from "@solana/web3.js";
import type { Answer } from "./http.ts";

export type Mode = "client" | "operator";

/** A channel that is open, with everything that its buyer needs. */
export interface Channel {
  readonly id: string;
  readonly mode: Mode;
  readonly buyer: Keypair;
  readonly seller: Keypair;
  /** Base units. */
  readonly deposit: bigint;
  readonly closeToken: string;
  /** The body that pays up to this amount, base units. */
  readonly body: (cumulative: bigint) => Promise<string>;
}

interface Wish {
  readonly buyer: Keypair;
  readonly seller: Keypair;
  readonly mode: Mode;
  readonly deposit: bigint;
}

/** Posts what must be answered with 200. */
type Insist = (path: string, body: unknown) => Promise<Answer["json"]>;

export async function openChannel(insist: Insist, { buyer, seller, mode, deposit }: Wish): Promise<Channel> {
  const asked = { seller: seller.publicKey.toBase58(), amount: "1", voucherSigner: mode };
  const { request: json } = await insist("/mpp/session/prepare", asked);
  const request = SessionRequest.fromJson(json as Parameters<typeof SessionRequest.fromJson>[0]);
  const payer = buyer.publicKey;
  const payee = new PublicKey(request.recipient);
  const mint = new PublicKey(request.currency);
  const authorizedSigner = request.operator === undefined ? payer : new PublicKey(request.operator);
  const salt = randomBytes(8).readBigUInt64LE();
  const openSlot = request.recentSlot!;
  const gracePeriod = request.gracePeriodSeconds!;
  const feePayer = new PublicKey(request.feePayerKey!);
  const programId = new PublicKey(request.channelProgram);
  const instructions = await session.open({
    programId,
    mint,
    tokenProgram: new PublicKey(request.tokenProgram!),
    payer,
    rentPayer: feePayer,
    payee,
    authorizedSigner,
    salt,
    openSlot,
    deposit,
    gracePeriod,
    splits: request.distributionSplits,
  });
  const message = new TransactionMessage({
    payerKey: feePayer,
    recentBlockhash: request.recentBlockhash!,
    instructions,
  }).compileToV0Message();
  const transaction = new VersionedTransaction(message);
  transaction.addSignature(payer, signMessage(buyer, message.serialize()));
  const id = channelAddress({ payer, payee, mint, authorizedSigner, salt, openSlot }, programId).toBase58();
  const challengeId = randomUUID();
  const proof = await BearerProof.sign(
    { channelId: id, payer: payer.toBase58(), sessionChallengeId: challengeId },
    keypairSigner(buyer),
  );
  const authentication = BearerProof.toJson(proof);
  const opened = await insist("/mpp/session/open", {
    challenge: { id: challengeId, request: json },
    payload: {
      action: "open",
      channelId: id,
      payer: payer.toBase58(),
      payee: request.recipient,
      mint: request.currency,
      authorizedSigner: authorizedSigner.toBase58(),
      salt: String(salt),
      depositAmount: String(deposit),
      gracePeriodSeconds: gracePeriod,
      openSlot: String(openSlot),
      transaction: Buffer.from(transaction.serialize()).toString("base64"),
      ...(mode === "operator" ? { authentication } : {}),
    },
  });
  const body = async (cumulative: bigint): Promise<string> => {
    if (mode === "operator") return JSON.stringify({ channelId: id, amount: String(cumulative), authentication });
    const signed = await signVoucher({ channelId: id, cumulativeAmount: cumulative, expiresAt: 0n }, buyer);
    return JSON.stringify({ channelId: id, voucher: SignedVoucher.toJson(signed) });
  };
  return { id, mode, buyer, seller, deposit, closeToken: String(opened.closeToken), body };
}
