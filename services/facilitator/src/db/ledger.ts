// Whether the books agree with themselves. Whatever moves money keeps these rules in one statement or transaction, so what
// breaks one is a fault, a hand in the database, or a backup that is older than the chain. Rows that are settled and taken
// apart are not looked at: what this costs goes with what is open.
import type { Database, Statement } from "@mppsol/server/parts";

/**
 * - `escrow`: channels with spent > accepted, accepted > escrowed, or settled > escrowed.
 * - `operator`: channels whose vouchers only the operator key signs, with more settled on chain than it is known to have
 *   signed for: somebody else has the key. (A buyer who signs can cash more than was shown here: that is no fault.)
 * - `closing`: closed channels of which settled and refunded do not add up to what was escrowed.
 * - `reserved`: channels whose reserved amount is not the sum of what their deliveries reserve.
 * - `held`: buyers whose number of sessions that rent is out for is not what is counted against their cap.
 * - `rent`: sums of rent that is out for sessions, of a seller or of all, or for accounts of new wallets, that are not the sum of
 *   what is out.
 */
export type Rule = "escrow" | "operator" | "closing" | "reserved" | "held" | "rent";

const CHANNELS: Statement = {
  name: "facilitator_ledger_channels",
  text: `
SELECT
  count(*) FILTER (WHERE spent > accepted OR accepted > escrowed OR settled_on_chain > escrowed)::text,
  count(*) FILTER (WHERE voucher_signer = 'operator' AND settled_on_chain > accepted)::text,
  count(*) FILTER (WHERE status = 'closed' AND settled_on_chain + refunded <> escrowed)::text
FROM mppsol_channels WHERE NOT reclaimed`,
};

const RESERVED: Statement = {
  name: "facilitator_ledger_reserved",
  text: `
SELECT count(*)::text FROM (
  SELECT d.scope
  FROM mppsol_deliveries d JOIN mppsol_channels c ON c.channel_id = d.scope
  WHERE d.reserved > 0
  GROUP BY d.scope, c.reserved HAVING sum(d.reserved) <> c.reserved
  UNION ALL
  SELECT c.channel_id
  FROM mppsol_channels c
  WHERE NOT c.reclaimed AND c.reserved > 0
    AND NOT EXISTS (SELECT FROM mppsol_deliveries d WHERE d.scope = c.channel_id AND d.reserved > 0)
) AS wrong`,
};

const HELD: Statement = {
  name: "facilitator_ledger_held",
  text: `
SELECT count(*)::text
FROM (SELECT payer, count(*) AS held FROM facilitator_sessions WHERE attempts > 0 GROUP BY payer) s
  FULL JOIN (SELECT payer, held FROM facilitator_session_buyers WHERE held > 0) b ON b.payer = s.payer
WHERE s.held IS DISTINCT FROM b.held`,
};

const RENT: Statement = {
  name: "facilitator_ledger_rent",
  text: `
SELECT count(*)::text
FROM (
    SELECT 'sessions' AS bucket, coalesce(sum(rent), 0) AS lamports FROM facilitator_sessions WHERE attempts > 0
    UNION ALL
    SELECT 'seller:' || seller, sum(rent) FROM facilitator_sessions WHERE attempts > 0 GROUP BY seller
    UNION ALL
    -- All but two signatures.
    SELECT 'onboarding', coalesce(sum(lamports - 10000), 0) FROM facilitator_made_accounts
  ) s
  FULL JOIN facilitator_rent_out o ON o.bucket = s.bucket
WHERE coalesce(s.lamports, 0) <> coalesce(o.lamports, 0)`,
};

/** How many rows break each rule. Throws {StoreError}. */
export async function readImbalances(database: Database): Promise<ReadonlyMap<Rule, number>> {
  const counts = async (statement: Statement) => (await database.query(statement, []))[0]!.map(Number);
  const [escrow, operator, closing] = await counts(CHANNELS);
  const [reserved] = await counts(RESERVED);
  const [held] = await counts(HELD);
  const [rent] = await counts(RENT);
  const found: [Rule, number | undefined][] = [
    ["escrow", escrow],
    ["operator", operator],
    ["closing", closing],
    ["reserved", reserved],
    ["held", held],
    ["rent", rent],
  ];
  return new Map(found.map(([rule, count]) => [rule, count!]));
}
