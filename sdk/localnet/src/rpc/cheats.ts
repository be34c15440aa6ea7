// The `mppsol_` methods: what a test may do that a cluster would not let it.
import type { Chain } from "../chain/chain.js";
import { base64Bytes } from "../chain/transaction.js";
import { mintUsdc } from "../chain/usdc.js";
import { invalidParams } from "../errors.js";
import { type MethodTable, method } from "./method.js";
import { address, config, flag, text } from "./params.js";

/** Latest settable time: the end of year 9999. */
const MAX_UNIX = 253_402_300_799;
const MAX_ACCOUNT_DATA = 10 * 1024 * 1024;
const U64_MAX = 2n ** 64n - 1n;
/** Most slots in one warp. */
const MAX_WARP = 1_000_000_000;

const clock = (chain: Chain) => ({ slot: chain.time.slot(), unixTimestamp: chain.time.unixTime() });

export const cheatMethods: MethodTable = {
  mppsol_getClock: method(0, 0, clock),
  mppsol_setClock: method(1, 1, (chain, params) => {
    chain.time.setClock(within(params[0], 0, MAX_UNIX, "unix seconds"));
    return clock(chain);
  }),
  mppsol_advanceSeconds: method(1, 1, (chain, params) => {
    const seconds = within(params[0], -MAX_UNIX, MAX_UNIX, "seconds");
    const target = chain.time.unixTime() + seconds;
    if (target < 0 || target > MAX_UNIX) throw invalidParams("Invalid param: the clock would leave years 1970 to 9999");
    chain.time.advanceSeconds(seconds);
    return clock(chain);
  }),
  mppsol_warpSlots: method(1, 1, (chain, params) => {
    chain.time.advanceSlots(within(params[0], 1, MAX_WARP, "slots"), true);
    return clock(chain);
  }),
  mppsol_expireBlockhash: method(0, 0, (chain) => ({ blockhash: chain.time.expireBlockhashes() })),
  mppsol_setAccount: method(2, 2, (chain, params) => {
    const key = address(params[0]);
    const fields = config(params[1], "an account");
    const data = fields.data == null ? new Uint8Array() : base64Bytes(text(fields.data));
    if (data.length > MAX_ACCOUNT_DATA) throw invalidParams(`Invalid param: data over ${MAX_ACCOUNT_DATA} bytes`);
    const view = {
      lamports: amount(fields.lamports, "lamports"),
      data,
      owner: address(fields.owner),
      executable: flag(fields.executable),
    };
    try {
      chain.setAccount(key, view);
    } catch (error) {
      // Sysvars and programs are refused before the VM sees them.
      throw invalidParams(`Invalid param: ${error instanceof Error ? error.message : String(error)}`);
    }
    return null;
  }),
  mppsol_mintUsdc: method(2, 2, (chain, params) => {
    const { signature, tokenAccount } = mintUsdc(chain, address(params[0]), amount(params[1], "amount"));
    return { signature, tokenAccount };
  }),
};

function within(value: unknown, least: number, most: number, name: string): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most) {
    throw invalidParams(`Invalid param: ${name} must be a whole number from ${least} to ${most}`);
  }
  return value;
}

/** A u64 as a JSON integer up to 2^53-1 or as a decimal string. */
function amount(value: unknown, name: string): bigint {
  const wholeNumber = typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
  const decimal = typeof value === "string" && /^(0|[1-9][0-9]{0,19})$/.test(value);
  if (!wholeNumber && !decimal)
    throw invalidParams(`Invalid param: ${name} must be a u64: an integer or a decimal string`);
  const given = BigInt(value);
  if (given > U64_MAX) throw invalidParams(`Invalid param: ${name} is larger than a u64`);
  return given;
}
