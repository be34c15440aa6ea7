// What each fee payer keeps: ends of sessions are paid from it, whatever else is paid for. One floor for all of the service.

/** Lamports of a fee payer that no charge, open, top-up or account of a wallet may use; closes and what goes with them may. */
export const RESERVE_LAMPORTS = 5_000_000n;

/** Lamports below which a fee payer counts as empty: the reserve, and the fees of charges that are under way with it. */
export const FLOOR_LAMPORTS = RESERVE_LAMPORTS + 1_000_000n;
