// Bringing vouchers to the chain while a channel stays open (draft-solana-session-00, "Partial Settlement").
import { session } from "@mppsol/programs";
import { SYSVAR_CLOCK_PUBKEY } from "@solana/web3.js";
import type { TransactionSigner } from "../chain/index.js";
import type { ChannelState } from "../stores/Store.js";
import { NotYetError } from "./Closer.js";
import { asChannel } from "./channelAccount.js";
import { cashable } from "./closePlan.js";
import { defined } from "./defined.js";
import type { FeePayer } from "./FeePayer.js";
import type { Settings } from "./options.js";

export class Cashier {
  readonly #settings: Settings;
  readonly #feePayer: FeePayer;

  constructor(settings: Settings, feePayer: FeePayer) {
    this.#settings = settings;
    this.#feePayer = feePayer;
  }

  /**
   * Raises the watermark on chain to what is accepted. Of the transaction nothing is kept before: a second time the chain
   * refuses, and nobody loses but the fee. That its voucher is public from then on is kept.
   * @throws {RpcError} {SimulationError} {SigningError} {NotYetError} {StoreError}
   */
  async cash(channel: ChannelState): Promise<void> {
    const { rpc, store, now, onEvent, programId, computeUnitPrice, landing } = this.#settings;
    const { channelId, channelProgram, highestVoucher } = channel;
    const [account, clock] = await rpc.accounts([channelId, SYSVAR_CLOCK_PUBKEY.toBase58()]);
    const found = asChannel(account, channelProgram);
    if (found.kind !== "channel" || clock === undefined) throw new NotYetError(`${channelId} is not to be seen`);
    const { settled } = found.channel;
    const chainTime = new DataView(clock.data.buffer, clock.data.byteOffset, clock.data.byteLength).getBigInt64(
      32,
      true,
    );
    const voucher = cashable(highestVoucher, found.channel, chainTime);
    if (voucher === undefined) {
      await store.channels.observe(channelId, { settledOnChain: settled }, now());
      return;
    }
    const instructions = await session.debit({ programId, voucher });
    const { cumulativeAmount } = voucher.voucher;
    const persist = async () => {
      const kept = await store.channels.observe(channelId, { shown: cumulativeAmount }, now());
      if (kept === undefined) throw new NotYetError(`${channelId} is not known any more`);
    };
    const build = async (feePayer: TransactionSigner) => defined({ instructions, feePayer, persist, computeUnitPrice });
    const { fate, broadcast } = await this.#feePayer.submit({ creates: 0, build }, landing);
    if (fate.kind !== "landed" || fate.err !== null) return;
    await store.channels.observe(channelId, { settledOnChain: cumulativeAmount }, now());
    onEvent({ type: "cashed", channelId, settled: cumulativeAmount, signature: broadcast.signature });
  }
}
