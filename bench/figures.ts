// What is known of the Solana Foundation's program (payment-channels@3ffa4d6) from elsewhere, and the bar for `debit`.

/** Whole transactions of its own benchmark, by a stock compiler. By the id of our row for the same case. */
export const QUOTED: Readonly<Record<string, number>> = {
  "debit: as quoted": 532,
  "close: as quoted": 576,
  "revoke: as quoted": 394,
  "seal: as quoted": 377,
  "reclaim: as quoted": 413,
  "topup: as quoted": 8_163,
  "open: as quoted": 30_193,
  "settle, open: as quoted": 17_401,
  "settle, final: as quoted": 23_963,
};

/** What `debit` must stay under, in every case. */
export const DEBIT_BAR = 700;

/** Bytes of a transaction that today's clusters take in every version. */
export const PACKET = 1_232;
