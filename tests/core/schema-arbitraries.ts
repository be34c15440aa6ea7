// Random requests and payloads of charge and session for the property tests, and ways to damage their JSON.
import {
  Base58,
  type BearerProof,
  type ChargePayload,
  type ChargeRequest,
  type JsonObject,
  type Network,
  type SessionAction,
  type SessionRequest,
  type SignedVoucher,
  type Splits,
  TokenProgram,
} from "@mppsol/core";
import fc from "fast-check";
import { anyAddress, anyU64, anyVoucher } from "./arbitraries.ts";
import { anyObject } from "./wire-arbitraries.ts";

const text = fc.string({ unit: "grapheme", maxLength: 60 });
const network = fc.constantFrom<Network.Network>("mainnet", "devnet", "localnet");
const tokenProgram = fc.constantFrom(TokenProgram.TOKEN, TokenProgram.TOKEN_2022);
const signature = fc.uint8Array({ minLength: 64, maxLength: 64 }).map((bytes) => Base58.encode(bytes));
const transaction = fc.uint8Array({ minLength: 1, maxLength: 1232 });
const idleTimeout = fc.integer({ min: 1, max: 2_592_000 });
const gracePeriod = fc.integer({ min: 1, max: 0xffff_ffff });
const decimals = fc.integer({ min: 0, max: 9 });

/** A record whose optional members are there or not, and in any combination with those of other parts. */
function some<T>(members: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<Partial<T>> {
  return fc.record(members, { requiredKeys: [] }) as fc.Arbitrary<Partial<T>>;
}

function join<T>(...parts: readonly fc.Arbitrary<object>[]): fc.Arbitrary<T> {
  return fc.tuple(...parts).map((values) => Object.assign({}, ...values) as T);
}

const feePayer = fc.oneof(
  fc.constant({ feePayer: false }),
  fc.record({ feePayer: fc.constant(true), feePayerKey: anyAddress }),
);

const tokens = join<object>(fc.record({ currency: anyAddress, decimals }), some({ tokenProgram }));

/** Splits that leave at least 1 of the amount. */
function splits(ofToken: boolean): fc.Arbitrary<object> {
  const created = ofToken ? some({ ataCreationRequired: fc.constant(true) }) : fc.constant({});
  const split = join<ChargeRequest.Split>(
    fc.record({ recipient: anyAddress, amount: fc.bigInt(0n, 2n ** 40n) }),
    some({ memo: text }),
    created,
  );
  return fc
    .tuple(fc.array(split, { maxLength: 8 }), fc.bigInt(1n, 2n ** 63n))
    .map(([list, rest]) => ({ splits: list, amount: list.reduce((sum, { amount }) => sum + amount, rest) }));
}

const chargeCommon = join<object>(
  fc.record({ recipient: anyAddress, network }),
  some({ description: text, externalId: text, recentBlockhash: anyAddress }),
  feePayer,
);

const elgamal = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString("base64"));

export const anyChargeRequest: fc.Arbitrary<ChargeRequest.ChargeRequest> = fc.oneof(
  join<ChargeRequest.ChargeRequest>(chargeCommon, fc.constant({ currency: "sol" }), splits(false)),
  join<ChargeRequest.ChargeRequest>(chargeCommon, tokens, splits(true)),
  join<ChargeRequest.ChargeRequest>(
    chargeCommon,
    fc.record({ currency: anyAddress, decimals, amount: fc.bigInt(1n, 2n ** 64n - 1n) }),
    fc.constant({ splits: [], confidential: true }),
    some({
      tokenProgram: fc.constant(TokenProgram.TOKEN_2022),
      auditorElgamalPubkey: elgamal,
      recipientElgamalPubkey: elgamal,
    }),
  ),
);

export const anyChargePayload: fc.Arbitrary<ChargePayload.ChargePayload> = fc.oneof(
  fc.record({ type: fc.constant("transaction" as const), transaction }),
  fc.record({ type: fc.constant("signature" as const), signature }),
  fc.record({
    type: fc.constant("bundle" as const),
    transactions: fc.array(transaction, { minLength: 1, maxLength: 4 }),
  }),
);

const distributionSplits: fc.Arbitrary<Splits.Split[]> = fc.uniqueArray(
  fc.record({ recipient: anyAddress, shareBps: fc.integer({ min: 1, max: 312 }) }),
  { maxLength: 32, selector: ({ recipient }) => recipient },
);

/** Whether these splits pay the channel, which is forbidden. */
function names(splits: readonly Splits.Split[], channelId: string | undefined): boolean {
  return splits.some(({ recipient }) => recipient === channelId);
}

const rising = fc
  .uniqueArray(idleTimeout, { minLength: 1, maxLength: 6 })
  .map((options) => options.sort((a, b) => a - b));

const sessionCommon = join<object>(
  fc.record({ amount: anyU64, recipient: anyAddress, currency: anyAddress, network, channelProgram: anyAddress }),
  fc.record({ decimals, distributionSplits }),
  some({ unitType: text, suggestedDeposit: anyU64, minimumDeposit: anyU64, description: text, externalId: text }),
  some({ tokenProgram, minVoucherDelta: anyU64, ttlSeconds: fc.integer({ min: 1 }) }),
  feePayer,
  fc.oneof(
    fc.constant({ voucherSigner: "client" }),
    fc.record({ voucherSigner: fc.constant("operator"), operator: anyAddress }),
  ),
);

export const anySessionRequest: fc.Arbitrary<SessionRequest.SessionRequest> = fc
  .oneof(
    join<SessionRequest.SessionRequest>(
      sessionCommon,
      fc.record({ recentBlockhash: anyAddress, recentSlot: anyU64, gracePeriodSeconds: gracePeriod }),
      some({ idleTimeoutOptionsSeconds: rising }),
    ),
    join<SessionRequest.SessionRequest>(
      sessionCommon,
      fc.record({ channelId: anyAddress, idleTimeoutSeconds: idleTimeout }),
      some({ gracePeriodSeconds: gracePeriod }),
    ),
  )
  .filter(({ channelId, distributionSplits }) => !names(distributionSplits, channelId));

export const anyProof: fc.Arbitrary<BearerProof.BearerProof> = fc.record({
  type: fc.constant("proof" as const),
  challengeId: fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 }),
  payer: anyAddress,
  signature,
});

const signedVoucher: fc.Arbitrary<SignedVoucher.SignedVoucher> = fc.record({
  voucher: anyVoucher.map((voucher) => ({ ...voucher, expiresAt: voucher.expiresAt % 2n ** 53n })),
  signer: anyAddress,
  signature,
  signatureType: fc.constant("ed25519" as const),
});

const extension: fc.Arbitrary<JsonObject> = anyObject.filter((value) => !JSON.stringify(value).includes("bump"));

export const anySessionAction: fc.Arbitrary<SessionAction.SessionAction> = fc.oneof(
  join<SessionAction.Open>(
    fc.record({
      action: fc.constant("open"),
      channelId: anyAddress,
      payer: anyAddress,
      payee: anyAddress,
      mint: anyAddress,
      authorizedSigner: anyAddress,
      salt: anyU64,
      depositAmount: anyU64,
      gracePeriodSeconds: gracePeriod,
      openSlot: anyU64,
      transaction,
    }),
    some({
      idleTimeoutSeconds: idleTimeout,
      distributionSplits,
      authorizationPolicy: extension,
      authentication: anyProof,
      capabilities: extension,
    }),
  ).filter(({ channelId, distributionSplits }) => !names(distributionSplits ?? [], channelId)),
  fc.record({ action: fc.constant("voucher" as const), channelId: anyAddress, voucher: signedVoucher }),
  fc.record({ action: fc.constant("use" as const), channelId: anyAddress, authentication: anyProof }),
  fc.record({
    action: fc.constant("topUp" as const),
    channelId: anyAddress,
    additionalAmount: anyU64,
    transaction,
  }),
  fc.record({ action: fc.constant("close" as const), channelId: anyAddress, voucher: signedVoucher }),
  fc.record({ action: fc.constant("close" as const), channelId: anyAddress, authentication: anyProof }),
);

/** Values that have broken parsers before. */
const odd = fc.oneof(
  fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true, withSparseArray: true }),
  fc.constantFrom<unknown>(null, undefined, "", "0", "-1", "1e3", "\ud800", Number.NaN, -0, 2 ** 53, [], {}, [null]),
  fc.constantFrom<unknown>("x".repeat(100_000), JSON.parse('{"__proto__":{"bump":1}}')),
);

/** JSON that was sound once, with a few members replaced, removed or added, at any depth. */
export function damagedJson(sound: fc.Arbitrary<JsonObject>): fc.Arbitrary<unknown> {
  const edit = fc.record({ at: fc.nat(), by: odd, remove: fc.boolean(), key: fc.option(fc.string(), { freq: 5 }) });
  return fc.tuple(sound, fc.array(edit, { minLength: 1, maxLength: 4 })).map(([json, edits]) => {
    const copy = JSON.parse(JSON.stringify(json)) as Record<string, unknown>;
    for (const { at, by, remove, key } of edits) {
      const places = placesOf(copy);
      const [holder, member] = places[at % places.length] ?? [copy, "x"];
      const name = Array.isArray(holder) ? member : (key ?? member);
      if (remove) delete holder[name];
      else holder[name] = structuredClone(by);
    }
    return copy;
  });
}

/** Every member of a JSON value: where it is, and its name there. */
function placesOf(value: unknown): [Record<string, unknown>, string][] {
  if (typeof value !== "object" || value === null || value instanceof Map) return [];
  const holder = value as Record<string, unknown>;
  return Object.keys(holder).flatMap((key): [Record<string, unknown>, string][] => [
    [holder, key],
    ...placesOf(holder[key]),
  ]);
}

/** Anything at all. */
export const anything: fc.Arbitrary<unknown> = odd;
