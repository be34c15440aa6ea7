// The seller's side of the chain: co-signs an open that is exactly what was asked for, and closes with the last voucher.
import type { SignedVoucher } from "@mppsol/core";
import { Splits } from "@mppsol/core";
import {
  buildTransaction,
  type ChannelState,
  channelAddress,
  decodeChannel,
  OPEN_SLOT_WINDOW,
  SESSION_PROGRAM_ID,
  session,
} from "@mppsol/programs";
import { TOKEN_PROGRAM_ID } from "@solana/spl-token";
import { type Connection, type Keypair, PublicKey, VersionedTransaction } from "@solana/web3.js";
import { VoucherKey } from "./ed25519.js";
import { land, PendingError } from "./land.js";
import type { ChannelRecord } from "./meter.js";
import { type JsonObject, Refusal, type SessionRequest, text } from "./wire.js";

export interface CashierOptions {
  readonly connection: Connection;
  /** Owns what is earned. Signs the close. */
  readonly payee: Keypair;
  /** Pays fees and rent, and gets the rent back: the agent needs no SOL. */
  readonly operator: Keypair;
  readonly mint: PublicKey;
}

/** Seconds that a payer who leaves alone has to wait. */
export const GRACE_SECONDS = 900;

export class Cashier {
  readonly #options: CashierOptions;

  constructor(options: CashierOptions) {
    this.#options = options;
  }

  /**
   * Lands the open transaction of a credential.
   * @param request the one that the credential's challenge carries.
   * @throws {Refusal} before anything is signed, unless credential, challenge and transaction say the same.
   */
  async open(payload: JsonObject, request: SessionRequest): Promise<ChannelRecord> {
    const { connection, payee, operator, mint } = this.#options;
    for (const forbidden of ["bump", "voucher", "distributionSplits", "idleTimeoutSeconds"]) {
      if (Object.hasOwn(payload, forbidden))
        throw new Refusal("malformed-credential", `${forbidden} was not asked for`);
    }
    const { methodDetails: terms } = request;
    agree("payee", text(payload, "payee"), request.recipient);
    agree("mint", text(payload, "mint"), request.currency);
    agree("gracePeriodSeconds", payload.gracePeriodSeconds, terms.gracePeriodSeconds);
    const authorizedSigner = text(payload, "authorizedSigner");
    const input = {
      payer: key(payload, "payer"),
      payee: payee.publicKey,
      mint,
      authorizedSigner: key(payload, "authorizedSigner"),
      salt: amount(payload, "salt"),
      openSlot: amount(payload, "openSlot"),
      deposit: amount(payload, "depositAmount"),
    };
    refusing(() => new VoucherKey(authorizedSigner));
    if (input.deposit < BigInt(request.minimumDeposit)) refuse("deposit is below the minimum");
    const recentSlot = BigInt(terms.recentSlot);
    if (input.openSlot > recentSlot || input.openSlot + OPEN_SLOT_WINDOW < recentSlot) {
      refuse("openSlot is out of its window");
    }
    const address = channelAddress(input);
    agree("channelId", text(payload, "channelId"), address.toBase58());

    // The only transaction that gets a signature is the one that would be built from the same terms here.
    const expected = buildTransaction({
      feePayer: operator.publicKey,
      recentBlockhash: terms.recentBlockhash,
      instructions: await session.open({
        ...input,
        tokenProgram: TOKEN_PROGRAM_ID,
        rentPayer: operator.publicKey,
        gracePeriod: terms.gracePeriodSeconds,
      }),
    });
    const given = refusing(() => VersionedTransaction.deserialize(Buffer.from(text(payload, "transaction"), "base64")));
    if (!Buffer.from(given.message.serialize()).equals(Buffer.from(expected.message.serialize()))) {
      refuse("transaction is not the open that was asked for");
    }
    given.sign([operator]);
    let signature: string;
    try {
      signature = await land(connection, given);
    } catch (error) {
      throw error instanceof PendingError ? error : new Refusal("verification-failed", (error as Error).message);
    }

    const state = await this.read(address);
    const asked =
      state !== undefined &&
      state.status === "open" &&
      state.deposit === input.deposit &&
      state.settled === 0n &&
      state.payoutWatermark === 0n &&
      state.gracePeriod === terms.gracePeriodSeconds &&
      state.openSlot === input.openSlot &&
      state.salt === input.salt &&
      state.payer.equals(input.payer) &&
      state.payee.equals(payee.publicKey) &&
      state.mint.equals(mint) &&
      state.authorizedSigner.equals(input.authorizedSigner) &&
      state.rentPayer.equals(operator.publicKey) &&
      Buffer.from(state.distributionHash).equals(Buffer.from(Splits.hash([])));
    if (!asked) refuse("the channel on chain is not the one that was asked for");
    return {
      type: "open",
      channelId: address.toBase58(),
      payer: input.payer.toBase58(),
      authorizedSigner,
      deposit: input.deposit.toString(),
      signature,
    };
  }

  /** The channel on chain; nothing when it is gone or not the session program's. */
  async read(address: PublicKey): Promise<ChannelState | undefined> {
    const account = await this.#options.connection.getAccountInfo(address, "confirmed");
    if (account === null || !account.owner.equals(SESSION_PROGRAM_ID)) return undefined;
    return decodeChannel(account.data);
  }

  /** Last voucher, close, payout and refund in one transaction. */
  async close(channelId: string, payer: string, voucher: SignedVoucher.SignedVoucher | undefined): Promise<string> {
    const { connection, payee, operator, mint } = this.#options;
    // Anyone can bring a voucher to the chain, and the program takes none twice.
    const settled = (await this.read(new PublicKey(channelId)))?.settled ?? 0n;
    const needed = voucher !== undefined && voucher.voucher.cumulativeAmount > settled;
    const instructions = await session.closeAndSettle({
      channel: new PublicKey(channelId),
      payer: new PublicKey(payer),
      payee: payee.publicKey,
      rentPayer: operator.publicKey,
      mint,
      tokenProgram: TOKEN_PROGRAM_ID,
      createAccounts: operator.publicKey,
      ...(needed ? { voucher } : {}),
    });
    const { blockhash } = await connection.getLatestBlockhash("confirmed");
    const transaction = buildTransaction({ feePayer: operator.publicKey, recentBlockhash: blockhash, instructions });
    transaction.sign([operator, payee]);
    return land(connection, transaction);
  }
}

function agree(name: string, given: unknown, wanted: unknown): void {
  if (given !== wanted) refuse(`${name} is not what was asked for`);
}

function key(payload: JsonObject, name: string): PublicKey {
  return refusing(() => new PublicKey(text(payload, name)));
}

function amount(payload: JsonObject, name: string): bigint {
  const value = text(payload, name);
  if (!/^(0|[1-9][0-9]{0,19})$/.test(value) || BigInt(value) >= 2n ** 64n) {
    throw new Refusal("malformed-credential", `${name} is not a u64`);
  }
  return BigInt(value);
}

function refusing<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw error instanceof Refusal ? error : new Refusal("malformed-credential", (error as Error).message);
  }
}

function refuse(detail: string): never {
  throw new Refusal("verification-failed", detail);
}
