// The payment method that clients and servers of mppx share: draft-solana-charge-00, which other clients of the draft pay too.
import { Method, z } from "mppx";

const address = () => z.string().check(z.regex(/^[1-9A-HJ-NP-Za-km-z]{32,44}$/));
const BASE_UNITS = 'not a decimal string of base units above 0, as "10000"';
const baseUnits = () => z.string(BASE_UNITS).check(z.regex(/^[1-9][0-9]{0,19}$/, BASE_UNITS));

const split = z.object({
  recipient: address(),
  amount: baseUnits(),
  memo: z.optional(z.string()),
  ataCreationRequired: z.optional(z.boolean()),
});

/** What a facilitator has said; a server fills it in. */
const methodDetails = z.object({
  network: z.enum(["mainnet", "devnet", "localnet"]),
  decimals: z.number(),
  tokenProgram: address(),
  feePayer: z.boolean(),
  feePayerKey: address(),
  recentBlockhash: z.optional(address()),
  splits: z.optional(z.array(split)),
});

/**
 * The method itself, for those who need its schemas alone; servers and clients have their own `charge`.
 *
 * ```ts
 * import { charge } from "@mppsol/mpp";
 *
 * charge.schema.request.parse({ amount: "10000", currency: "USDC", recipient }); // 0.01 USDC
 * ```
 * One transaction for one request. `amount` counts base units ("10000" is 0.01 USDC); `currency` is "USDC" or a mint, and a
 * mint in every challenge.
 */
export const charge = Method.from({
  name: "solana",
  intent: "charge",
  schema: {
    credential: {
      payload: z.object({ type: z.literal("transaction"), transaction: z.string() }),
    },
    request: z.object({
      amount: baseUnits(),
      currency: z.string(),
      recipient: address(),
      description: z.optional(z.string()),
      externalId: z.optional(z.string()),
      methodDetails: z.optional(methodDetails),
    }),
  },
});
