// Token amounts as the RPC writes them.
import type { Json } from "../json.js";

/** `{ amount, decimals, uiAmount, uiAmountString }`; `uiAmount` is `null` for zero balances where a node has it so. */
export function tokenAmount(amount: bigint, decimals: number, zeroIsNull = false): { readonly [key: string]: Json } {
  const text = uiAmountString(amount, decimals);
  return {
    amount: amount.toString(),
    decimals,
    uiAmount: zeroIsNull && amount === 0n ? null : Number(text),
    uiAmountString: text,
  };
}

function uiAmountString(amount: bigint, decimals: number): string {
  const digits = amount.toString().padStart(decimals + 1, "0");
  const whole = digits.slice(0, digits.length - decimals);
  const fraction = digits.slice(digits.length - decimals).replace(/0+$/, "");
  return fraction === "" ? whole : `${whole}.${fraction}`;
}
