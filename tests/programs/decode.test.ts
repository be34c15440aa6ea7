// Channels and events from bytes, as Anchor's own coder reads them, but strict and with bigint.
import anchor from "@coral-xyz/anchor";
import {
  AccountDecodeError,
  decodeChannel,
  decodeSessionEvent,
  FOUNDATION_CHANNEL_PROGRAM_ID,
  offlineSessionProgram,
  parseSessionEvents,
  SESSION_PROGRAM_ID,
} from "@mppsol/programs";
import { PublicKey } from "@solana/web3.js";
import { expect } from "chai";
import fc from "fast-check";
import { hex, key } from "./helpers.ts";

const bs58 = anchor.utils.bytes.bs58;
const anyChannelBytes = fc
  .tuple(fc.nat(255), fc.nat(3), fc.uint8Array({ minLength: 252, maxLength: 252 }))
  .map(([bump, status, rest]) => Uint8Array.of(1, 1, bump, status, ...rest));
const problem = (bytes: Uint8Array) => {
  try {
    decodeChannel(bytes);
  } catch (error) {
    return error instanceof AccountDecodeError ? error.problem : error;
  }
  return "none";
};

describe("a channel", () => {
  it("decodes to what Anchor's coder reads by the IDL", () => {
    const coder = offlineSessionProgram().coder.accounts;
    const statuses = ["open", "sealed", "closing", "distributed"];
    fc.assert(
      fc.property(anyChannelBytes, (bytes) => {
        const theirs = coder.decode("channel", Buffer.from(bytes)) as Record<string, unknown>;
        const ours: Record<string, unknown> = { version: 1, ...decodeChannel(bytes) };
        expect(Object.keys(ours).sort()).to.deep.equal(Object.keys(theirs).sort());
        for (const [name, value] of Object.entries(theirs)) {
          const mine = name === "status" ? statuses.indexOf(String(ours[name])) : ours[name];
          const text = mine instanceof Uint8Array ? [...mine].join() : String(mine);
          expect(text, name).to.equal(String(value));
        }
      }),
      { numRuns: 50 },
    );
  });

  it("keeps amounts above 2^53", () => {
    const bytes = new Uint8Array(256);
    bytes.set([1, 1]);
    new DataView(bytes.buffer).setBigUint64(12, 2n ** 64n - 1n, true);
    new DataView(bytes.buffer).setBigUint64(20, 2n ** 53n + 1n, true);
    expect(decodeChannel(bytes)).to.include({ deposit: 2n ** 64n - 1n, settled: 2n ** 53n + 1n, status: "open" });
  });

  it("is read in place from a larger buffer", () => {
    const bytes = fc.sample(anyChannelBytes, 1)[0] ?? new Uint8Array();
    const buffer = new Uint8Array(300);
    buffer.set(bytes, 11);
    expect(decodeChannel(buffer.subarray(11, 267))).to.deep.equal(decodeChannel(bytes));
  });

  it("is refused at another length, and with another discriminator, version or status", () => {
    const good = new Uint8Array(256);
    good.set([1, 1]);
    const changed = (at: number, byte: number) => {
      const copy = good.slice();
      copy[at] = byte;
      return copy;
    };
    expect(problem(good)).to.equal("none");
    expect(problem(good.subarray(1))).to.equal("length");
    expect(problem(new Uint8Array(257))).to.equal("length");
    expect(problem(new Uint8Array(0))).to.equal("length");
    expect(problem(changed(0, 0))).to.equal("discriminator");
    expect(problem(changed(1, 2))).to.equal("version");
    expect(problem(changed(3, 4))).to.equal("status");
  });

  it("makes the decoder answer or throw its typed error, whatever the bytes", () => {
    const any = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.uint8Array({ minLength: 254, maxLength: 254 }).map((rest) => Uint8Array.of(1, 1, ...rest)),
    );
    fc.assert(
      fc.property(any, (bytes) => {
        expect(problem(bytes)).to.be.a("string");
      }),
    );
  });
});

const TAG = "e445a52e51cb9a1d";
const u64 = (value: bigint) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes.toString("hex");
};
const keyHex = (byte: number) => hex(key(byte).toBytes());
const discriminator = (name: string) => {
  const event = offlineSessionProgram().rawIdl.events?.find((candidate) => candidate.name === name);
  return hex(Uint8Array.from(event?.discriminator ?? []));
};
const opened = `${discriminator("Opened")}${keyHex(1)}${u64(2n ** 53n + 1n)}`;
const redirected = `${discriminator("PayoutRedirected")}${keyHex(1)}${keyHex(2)}${u64(2n ** 64n - 1n)}0103`;
const rearmed = `${discriminator("Rearmed")}${keyHex(1)}${u64(5n)}${u64(6n)}`;
const data = (body: string) => bs58.encode(Buffer.from(`${TAG}${body}`, "hex"));
const fromHex = (text: string) => Uint8Array.from(Buffer.from(text, "hex"));

/** A transaction as `getTransaction` gives it, with these calls inside. */
function answer(calls: { programIdIndex: number; data: string }[], err: unknown = null) {
  return {
    transaction: { message: { staticAccountKeys: [key(1), SESSION_PROGRAM_ID] } },
    meta: {
      err,
      innerInstructions: [{ index: 0, instructions: calls.map((call) => ({ ...call, accounts: [] })) }],
      logMessages: [],
      loadedAddresses: { writable: [key(2)], readonly: [FOUNDATION_CHANNEL_PROGRAM_ID] },
    },
  };
}

describe("events", () => {
  it("decode to typed values", () => {
    expect(decodeSessionEvent(fromHex(opened))).to.deep.equal({
      name: "Opened",
      channel: key(1),
      openSlot: 2n ** 53n + 1n,
    });
    expect(decodeSessionEvent(fromHex(redirected))).to.deep.equal({
      name: "PayoutRedirected",
      channel: key(1),
      owner: key(2),
      amount: 2n ** 64n - 1n,
      beneficiary: "payee",
      reason: "reassignedAuthority",
    });
    expect(decodeSessionEvent(fromHex(rearmed))).to.deep.equal({
      name: "Rearmed",
      channel: key(1),
      settled: 5n,
      refunded: 6n,
    });
  });

  it("that are unknown, cut short or of an unknown variant are none", () => {
    const unknownVariant = `${redirected.slice(0, -4)}0309`;
    for (const body of ["", "00".repeat(8), opened.slice(0, -2), redirected.slice(0, -2), unknownVariant]) {
      expect(decodeSessionEvent(fromHex(body)), body).to.equal(undefined);
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (rest) => {
        decodeSessionEvent(rest);
        decodeSessionEvent(Uint8Array.of(...fromHex(redirected.slice(0, 16)), ...rest));
      }),
    );
  });

  it("are found in order among the calls of a transaction", () => {
    const events = parseSessionEvents(
      answer([
        { programIdIndex: 1, data: data(redirected) },
        { programIdIndex: 0, data: data(rearmed) },
        { programIdIndex: 1, data: bs58.encode(Buffer.of(3)) },
        { programIdIndex: 1, data: data(opened) },
      ]),
    );
    expect(events.map((event) => event.name)).to.deep.equal(["PayoutRedirected", "Opened"]);
  });

  it("are found when the program's address comes from a lookup table", () => {
    const transaction = answer([{ programIdIndex: 3, data: data(opened) }]);
    expect(parseSessionEvents(transaction, FOUNDATION_CHANNEL_PROGRAM_ID)).to.have.length(1);
    expect(parseSessionEvents(transaction)).to.have.length(0);
  });

  it("are found in parsed and in legacy answers", () => {
    const parsed = {
      transaction: { message: { accountKeys: [{ pubkey: key(1), signer: true, writable: true }] } },
      meta: {
        err: null,
        innerInstructions: [
          { index: 0, instructions: [{ programId: SESSION_PROGRAM_ID, data: data(opened), accounts: [] }] },
          { index: 1, instructions: [{ programId: new PublicKey(0), program: "system", parsed: {} }] },
        ],
      },
    };
    const legacy = answer([{ programIdIndex: 1, data: data(opened) }]);
    const text = { ...legacy, transaction: { message: { accountKeys: ["x", SESSION_PROGRAM_ID.toBase58()] } } };
    expect(parseSessionEvents(parsed)).to.have.length(1);
    expect(parseSessionEvents(text)).to.have.length(1);
  });

  it("of a failed transaction, or of one without metadata, are none", () => {
    const calls = [{ programIdIndex: 1, data: data(opened) }];
    expect(parseSessionEvents(answer(calls, { InstructionError: [0, { Custom: 1 }] }))).to.deep.equal([]);
    expect(parseSessionEvents({ ...answer(calls), meta: null })).to.deep.equal([]);
  });

  it("ignore calls whose data is no base58", () => {
    expect(parseSessionEvents(answer([{ programIdIndex: 1, data: "0OIl" }]))).to.deep.equal([]);
  });
});
