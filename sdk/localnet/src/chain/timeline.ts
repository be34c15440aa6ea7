// Slots, blockhashes and the clock of the chain, and the sysvars that show them to programs.
import { createHash } from "node:crypto";
import {
  DEFAULT_SLOT_MS,
  FINALIZED_DEPTH,
  MAX_PROCESSING_AGE,
  SLOT_HASHES,
  SLOT_HASHES_SYSVAR,
  START_SLOT,
} from "../constants.js";
import { base58 } from "./base58.js";
import { Blockhashes, type RecentBlockhash } from "./blockhashes.js";
import { ChainClock, SlotTimes } from "./clock.js";
import { SlotHashes } from "./slot-hashes.js";
import type { Vm } from "./vm.js";

export type Commitment = "processed" | "confirmed" | "finalized";
/** Told after the chain moved to a new slot. */
export type SlotListener = (slot: number, parent: number) => void;

const SLOTS_PER_EPOCH = 432_000;

/** How time passes: by a timer, or only when told to. */
export class Timeline {
  readonly manual: boolean;
  /** Milliseconds per slot; what a warped slot counts when slots are manual. */
  readonly slotMs: number;
  readonly #vm: Vm;
  readonly #blockhashes = new Blockhashes();
  readonly #slotHashes = new SlotHashes();
  readonly #clock: ChainClock;
  readonly #times = new SlotTimes();
  readonly #slotListeners = new Set<SlotListener>();
  #slot = 0;
  #served = "";
  #timer: NodeJS.Timeout | undefined;

  constructor(vm: Vm, slotTime: number | "manual") {
    this.#vm = vm;
    this.manual = slotTime === "manual";
    this.slotMs = slotTime === "manual" ? DEFAULT_SLOT_MS : slotTime;
    this.#clock = new ChainClock(this.manual);
    this.#blockhashes.push(vm.latestBlockhash(), 0);
    this.advanceSlots(START_SLOT, false);
  }

  /** Starts the slot timer, unless slots are manual. The timer alone does not keep the process alive. */
  start(): void {
    if (this.manual || this.#timer !== undefined) return;
    let last = performance.now();
    this.#timer = setInterval(() => {
      // A busy event loop delays the timer: catch up by whole slots.
      const due = Math.max(1, Math.floor((performance.now() - last) / this.slotMs + 0.5));
      last += due * this.slotMs;
      this.advanceSlots(due, false);
    }, this.slotMs);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  onSlot(listener: SlotListener): () => void {
    this.#slotListeners.add(listener);
    return () => this.#slotListeners.delete(listener);
  }

  /** The newest slot of a commitment. On a manual chain all three are the same. */
  slot(commitment: Commitment = "processed"): number {
    if (this.manual || commitment === "processed") return this.#slot;
    return Math.max(0, this.#slot - (commitment === "confirmed" ? 1 : FINALIZED_DEPTH));
  }

  epoch(slot: number): { epoch: number; slotIndex: number; slotsInEpoch: number } {
    return {
      epoch: Math.floor(slot / SLOTS_PER_EPOCH),
      slotIndex: slot % SLOTS_PER_EPOCH,
      slotsInEpoch: SLOTS_PER_EPOCH,
    };
  }

  /** Unix seconds at which a slot was made. */
  blockTime(slot: number): number {
    return this.#times.at(slot);
  }

  /** Unix seconds of the Clock sysvar. */
  unixTime(): number {
    return this.#times.at(this.#slot);
  }

  /**
   * The newest blockhash of a commitment. A manual chain gives every caller a blockhash of its own, so that
   * sending the same instructions twice makes two transactions, as it does where blockhashes change with time.
   */
  latestBlockhash(commitment: Commitment): RecentBlockhash {
    if (!this.manual) return this.#blockhashes.at(this.slot(commitment));
    if (this.#served === this.#blockhashes.latest.hash) this.#pushBlockhash(this.#slot);
    this.#served = this.#blockhashes.latest.hash;
    return this.#blockhashes.latest;
  }

  /** A blockhash that nobody else was given, of the current slot. */
  freshBlockhash(): string {
    this.#pushBlockhash(this.#slot);
    return this.#blockhashes.latest.hash;
  }

  /** The blockhash of a slot's block; those older than the SlotHashes sysvar are made up from the slot number. */
  blockhashOf(slot: number): string {
    return this.#slotHashes.find(slot) ?? (slot === this.#slot ? this.#blockhashes.latest.hash : inventedHash(slot));
  }

  /** Whether a transaction naming this blockhash may land, as the newest slot of a commitment sees it. */
  isBlockhashValid(blockhash: string, commitment: Commitment): boolean {
    const last = this.#blockhashes.lastValidHeight(blockhash);
    return last !== undefined && last - MAX_PROCESSING_AGE <= this.slot(commitment);
  }

  /** Moves `count` slots on, with a blockhash for each; with `moveClock` the clock moves by their length too. */
  advanceSlots(count: number, moveClock: boolean): void {
    const parent = this.#slot;
    const target = parent + count;
    if (moveClock) this.#clock.set(this.#clock.nowMs() + count * this.slotMs);
    // Only the slots that SlotHashes and the blockhash ring remember get a blockhash of their own.
    for (let slot = Math.max(parent + 1, target - SLOT_HASHES); slot <= target; slot += 1) {
      this.#slotHashes.push(slot - 1, this.#blockhashes.latest.hash);
      this.#pushBlockhash(slot);
    }
    this.#slot = target;
    this.#vm.setSysvarData(SLOT_HASHES_SYSVAR, this.#slotHashes.bytes);
    this.#applyClock();
    for (const listener of this.#slotListeners) listener(target, parent);
  }

  /** Sets the clock in unix seconds, from this slot on. A running clock then goes on from there. */
  setClock(unixSeconds: number): void {
    this.#clock.set(unixSeconds * 1000);
    this.#applyClock();
  }

  /** Moves the clock by whole seconds, forward or back, and begins a new slot. */
  advanceSeconds(seconds: number): void {
    this.#clock.set(this.#clock.nowMs() + seconds * 1000);
    this.advanceSlots(1, false);
  }

  /** Makes every blockhash handed out so far invalid, and makes a new one. */
  expireBlockhashes(): string {
    this.#blockhashes.clear();
    this.#pushBlockhash(this.#slot);
    return this.#blockhashes.latest.hash;
  }

  #pushBlockhash(height: number): void {
    this.#blockhashes.push(this.#vm.nextBlockhash(), height);
  }

  #applyClock(): void {
    const unix = this.#clock.unix();
    const { epoch } = this.epoch(this.#slot);
    this.#times.record(this.#slot, unix);
    const epochStart = this.#times.at(epoch * SLOTS_PER_EPOCH);
    this.#vm.setClock({ slot: this.#slot, epoch, epochStart, unix });
  }

  /** The newest blockhash, which may be another caller's. */
  newestBlockhash(): string {
    return this.#blockhashes.latest.hash;
  }
}

const inventedHash = (slot: number): string =>
  base58(createHash("sha256").update(`mppsol-localnet:block:${slot}`).digest());
