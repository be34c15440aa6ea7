// Derived addresses, pinned program ids, and salts that make `open` cheap.
import { InvalidFieldError } from "@mppsol/core";
import {
  CHANNEL_PROGRAM_IDS,
  channelAddress,
  escrowAddress,
  eventAuthority,
  FOUNDATION_CHANNEL_PROGRAM_ID,
  grindSalt,
  OPEN_SLOT_WINDOW,
  requireChannelProgram,
  SESSION_PROGRAM_ID,
  tokenAddress,
  UnknownProgramError,
} from "@mppsol/programs";
import {
  ASSOCIATED_TOKEN_PROGRAM_ID,
  getAssociatedTokenAddressSync,
  TOKEN_2022_PROGRAM_ID,
  TOKEN_PROGRAM_ID,
} from "@solana/spl-token";
import { PublicKey, SystemProgram } from "@solana/web3.js";
import { expect } from "chai";
import fc from "fast-check";
import { mppsolSessionIdl } from "../../sdk/programs/src/generated/mppsol_session.ts";
import { channel, key, mint, seeds, tokenProgram } from "./helpers.ts";

const u64le = (value: bigint) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
};

describe("a channel's address", () => {
  it("comes from the seven seeds of the draft, in order", () => {
    const { payer, payee, authorizedSigner } = seeds;
    const parts = [payer, payee, mint, authorizedSigner].map((part) => part.toBytes());
    const [expected] = PublicKey.findProgramAddressSync(
      [Buffer.from("channel"), ...parts, u64le(7n), u64le(8n)],
      SESSION_PROGRAM_ID,
    );
    expect(channel.toBase58()).to.equal(expected.toBase58());
  });

  it("changes with every seed and with the program", () => {
    const others = [
      channelAddress({ ...seeds, payer: key(9) }),
      channelAddress({ ...seeds, payee: key(9) }),
      channelAddress({ ...seeds, mint: key(9) }),
      channelAddress({ ...seeds, authorizedSigner: key(9) }),
      channelAddress({ ...seeds, salt: 9n }),
      channelAddress({ ...seeds, openSlot: 9n }),
      channelAddress(seeds, FOUNDATION_CHANNEL_PROGRAM_ID),
      channel,
    ];
    expect(new Set(others.map((other) => other.toBase58())).size).to.equal(others.length);
  });

  it("tells salts and slots above 2^53 apart", () => {
    const addresses = [2n ** 53n, 2n ** 53n + 1n, 2n ** 64n - 2n, 2n ** 64n - 1n].flatMap((n) => [
      channelAddress({ ...seeds, salt: n }).toBase58(),
      channelAddress({ ...seeds, openSlot: n }).toBase58(),
    ]);
    expect(new Set(addresses).size).to.equal(8);
  });

  it("is refused for a salt or slot that is no u64", () => {
    for (const wrong of [-1n, 2n ** 64n, 5 as unknown as bigint]) {
      expect(() => channelAddress({ ...seeds, salt: wrong })).to.throw(InvalidFieldError, "salt");
      expect(() => channelAddress({ ...seeds, openSlot: wrong })).to.throw(InvalidFieldError, "openSlot");
    }
  });
});

describe("token accounts", () => {
  it("are associated token accounts of the given token program, for programs' addresses too", () => {
    for (const program of [TOKEN_PROGRAM_ID, TOKEN_2022_PROGRAM_ID]) {
      const expected = getAssociatedTokenAddressSync(mint, channel, true, program);
      expect(escrowAddress(channel, mint, program).toBase58()).to.equal(expected.toBase58());
      expect(tokenAddress(channel, mint, program).toBase58()).to.equal(expected.toBase58());
    }
  });

  it("are refused for any other token program", () => {
    expect(() => tokenAddress(channel, mint, SystemProgram.programId)).to.throw(InvalidFieldError, "tokenProgram");
  });
});

describe("a ground salt", () => {
  it("puts channel and escrow at bump 255", () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 2n ** 64n - 1n), (start) => {
        const ground = grindSalt({ ...seeds, tokenProgram }, { start });
        const parts = [seeds.payer, seeds.payee, mint, seeds.authorizedSigner].map((part) => part.toBytes());
        const [found, bump] = PublicKey.findProgramAddressSync(
          [Buffer.from("channel"), ...parts, u64le(ground.salt), u64le(seeds.openSlot)],
          SESSION_PROGRAM_ID,
        );
        const [escrow, escrowBump] = PublicKey.findProgramAddressSync(
          [found.toBytes(), tokenProgram.toBytes(), mint.toBytes()],
          ASSOCIATED_TOKEN_PROGRAM_ID,
        );
        expect([bump, escrowBump]).to.deep.equal([255, 255]);
        expect(ground.channel.toBase58()).to.equal(found.toBase58());
        expect(ground.escrow.toBase58()).to.equal(escrow.toBase58());
      }),
      { numRuns: 10 },
    );
  });

  it("wraps around at the end of u64, and begins anywhere when nobody says where", () => {
    expect(() => grindSalt({ ...seeds, tokenProgram }, { start: 2n ** 64n - 1n })).not.to.throw();
    const salts = [1, 2, 3].map(() => grindSalt({ ...seeds, tokenProgram }).salt);
    expect(new Set(salts).size).to.equal(3);
  });
});

describe("program ids", () => {
  it("of ours are pinned on localnet alone, because nobody has deployed them elsewhere", () => {
    expect(requireChannelProgram("localnet", SESSION_PROGRAM_ID).equals(SESSION_PROGRAM_ID)).to.equal(true);
    for (const cluster of ["mainnet", "devnet"] as const) {
      expect(() => requireChannelProgram(cluster, SESSION_PROGRAM_ID)).to.throw(UnknownProgramError);
    }
  });

  it("are pinned per cluster, and any other is refused", () => {
    for (const cluster of ["mainnet", "devnet", "localnet"] as const) {
      for (const id of CHANNEL_PROGRAM_IDS[cluster]) {
        expect(requireChannelProgram(cluster, id.toBase58()).equals(id)).to.equal(true);
        expect(requireChannelProgram(cluster, id).equals(id)).to.equal(true);
      }
      for (const hostile of [key(9), key(9).toBase58(), "", "not base58 0OIl"]) {
        expect(() => requireChannelProgram(cluster, hostile)).to.throw(UnknownProgramError);
      }
    }
  });

  it("and the event authority and the window are those of the IDL", () => {
    const settle = mppsolSessionIdl.instructions.find(({ name }) => name === "settle");
    const authority = settle?.accounts.find(({ name }) => name === "event_authority");
    expect(authority).to.have.property("address", eventAuthority().toBase58());
    expect(SESSION_PROGRAM_ID.toBase58()).to.equal(mppsolSessionIdl.address);
    expect(OPEN_SLOT_WINDOW).to.equal(1_500n);
  });
});
