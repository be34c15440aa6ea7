// x402.
import type { Described } from "./Described.js";
import { BUYER, CHAIN_ID, FEE_PAYER, MINT, SELLER, SIGNATURE, TRANSACTIONS } from "./values.js";

const REQUIREMENTS = {
  scheme: "exact",
  network: CHAIN_ID,
  amount: "10000",
  asset: MINT,
  payTo: SELLER,
  maxTimeoutSeconds: 60,
  extra: { feePayer: FEE_PAYER },
};

const PAYMENT = {
  x402Version: 2,
  paymentPayload: {
    x402Version: 2,
    accepted: REQUIREMENTS,
    payload: { transaction: TRANSACTIONS.charge },
    resource: { url: "https://api.example.com/report" },
  },
  paymentRequirements: REQUIREMENTS,
};

/** What a payment is not judged for: it may be sent again. */
const PASSING = {
  429: ["seller_settle_cap_exceeded", "Too many settlements for this recipient at the moment."],
  500: ["internal_error", "Something went wrong here. The same request, sent again, says what has become of it."],
  503: ["upstream_unavailable", "No node or database answers. Nothing was signed."],
} as const;

const invalid = (status: keyof typeof PASSING) => {
  const [invalidReason, invalidMessage] = PASSING[status];
  return { isValid: false, invalidReason, invalidMessage };
};

const failed = (status: keyof typeof PASSING) => {
  const [errorReason, errorMessage] = PASSING[status];
  return { success: false, errorReason, errorMessage, transaction: "", network: CHAIN_ID };
};

export const X402: Readonly<Record<string, Described>> = {
  "get /supported": {
    description:
      "The kinds of x402 payments, by version and CAIP-2 network, and the key that `extra.feePayer` must name.",
    answers: {
      200: {
        kinds: [
          { x402Version: 2, scheme: "exact", network: CHAIN_ID, extra: { feePayer: FEE_PAYER } },
          { x402Version: 1, scheme: "exact", network: "solana-localnet", extra: { feePayer: FEE_PAYER } },
        ],
        extensions: [],
        signers: { "solana:*": [FEE_PAYER] },
      },
    },
  },
  "post /verify": {
    description:
      "Judges a payment as /settle would, and tries it, without signing or sending anything. What is wrong with the payment is an answer, with 200 and `invalidReason`; overload and outages have their own status.",
    body: PAYMENT,
    answers: { 200: { isValid: true, payer: BUYER }, 429: invalid(429), 500: invalid(500), 503: invalid(503) },
  },
  "post /settle": {
    description:
      "Judges, signs, sends and waits. 200 with `success: true` is given once for a payment: whoever shows it again gets `duplicate_settlement`. 202: it was sent, and may have paid; ask again with the same request.",
    body: PAYMENT,
    answers: {
      200: { success: true, payer: BUYER, transaction: SIGNATURE, network: CHAIN_ID, amount: "10000" },
      202: {
        success: false,
        errorReason: "settlement_pending",
        errorMessage: "The transaction was sent. Whether it has paid is not known yet: ask again.",
        payer: BUYER,
        transaction: SIGNATURE,
        network: CHAIN_ID,
      },
      429: failed(429),
      500: failed(500),
      503: failed(503),
    },
  },
};
