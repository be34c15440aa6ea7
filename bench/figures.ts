// What is known of the Solana Foundation's program (payment-channels@3ffa4d6) from elsewhere, and the bars for ours.

/** By its own benchmark, built by a stock compiler, in a VM with the old token program. By the id of our row. */
export const QUOTED: Readonly<Record<string, number>> = {
  "debit: voucher without expiry": 532,
  "close: with voucher": 576,
  revoke: 394,
  seal: 377,
  reclaim: 413,
  topup: 8_163,
  "open: no splits": 30_193,
  "settle: open, one payee": 17_401,
  "settle: final, one payee": 23_963,
};

/** What `debit` may take, in every case, with one voucher. */
export const DEBIT_BAR = 700;

/** Bytes of a transaction that today's clusters take in every version. */
export const PACKET = 1_232;
