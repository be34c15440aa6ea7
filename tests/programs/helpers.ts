// Keys and channels for the tests of the builders.
import { type ChannelSeeds, channelAddress, signVoucher } from "@mppsol/programs";
import { TOKEN_PROGRAM_ID } from "@solana/spl-token";
import { Keypair, type PublicKey, type TransactionInstruction } from "@solana/web3.js";

export const keypair = (byte: number): Keypair => Keypair.fromSeed(new Uint8Array(32).fill(byte));
export const key = (byte: number): PublicKey => keypair(byte).publicKey;

export const payer = keypair(1);
export const payee = keypair(2);
export const signer = keypair(3);
export const rentPayer = keypair(4);
export const mint = key(5);
export const tokenProgram = TOKEN_PROGRAM_ID;
export const funder = key(6);

export const seeds: ChannelSeeds = {
  payer: payer.publicKey,
  payee: payee.publicKey,
  mint,
  authorizedSigner: signer.publicKey,
  salt: 7n,
  openSlot: 8n,
};
export const channel = channelAddress(seeds);
export const voucher = await signVoucher({ channelId: channel.toBase58(), cumulativeAmount: 42n }, signer);

/** What a payout needs to know. */
export const parties = {
  channel,
  payer: payer.publicKey,
  payee: payee.publicKey,
  rentPayer: rentPayer.publicKey,
  mint,
  tokenProgram,
};

export const splits = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ recipient: key(100 + i).toBase58(), shareBps: 10 }));

/** The accounts of an instruction as text: `s` signs, `w` is written, `-` neither. */
export function metas(instruction: TransactionInstruction | undefined): string[] {
  return (instruction?.keys ?? []).map(({ pubkey, isSigner, isWritable }) => {
    const flags = `${isSigner ? "s" : ""}${isWritable ? "w" : ""}` || "-";
    return `${flags} ${pubkey.toBase58()}`;
  });
}

export const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString("hex");

/** What a promise fails with. */
export const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );
