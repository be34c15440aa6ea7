// What a test may do on localnet that a cluster would not let it, by JSON-RPC and by method.

import { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import { Localnet, LocalnetError, USDC_MINT, usdcAuthority, usdcMintKey } from "../../sdk/localnet/src/index.ts";
import { blockhash, call, refusal, send, signed, transfer } from "./helpers.ts";

const CLOCK = "SysvarC1ock11111111111111111111111111111111";

describe("cheats of localnet", () => {
  let chain: Localnet;
  beforeEach(async () => {
    chain = await Localnet.start({ slotTime: "manual" });
  });
  afterEach(() => chain.close());

  const address = () => Keypair.generate().publicKey.toBase58();
  const sysvar = async () =>
    (await call(chain, "getAccountInfo", CLOCK, { encoding: "jsonParsed" })).result.value.data.parsed.info;

  it("set the clock that programs see", async () => {
    expect((await call(chain, "mppsol_setClock", 2_000_000_000)).result.unixTimestamp).to.equal(2_000_000_000);
    expect((await sysvar()).unixTimestamp).to.equal(2_000_000_000);
    expect(chain.setClock(1_900_000_000).unixTimestamp).to.equal(1_900_000_000);
    expect((await sysvar()).unixTimestamp).to.equal(1_900_000_000);
    for (const bad of [-1, 0.5, "1", null, 253_402_300_800]) {
      expect(await refusal(chain, "mppsol_setClock", bad)).to.include("-32602 Invalid param: unix seconds");
    }
  });

  it("advance seconds by one slot, and keep blockhashes valid", async () => {
    const hash = await blockhash(chain);
    const before = chain.clock();
    expect((await call(chain, "mppsol_advanceSeconds", 86_400)).result).to.deep.equal({
      slot: before.slot + 1,
      unixTimestamp: before.unixTimestamp + 86_400,
    });
    expect((await call(chain, "isBlockhashValid", hash)).result.value).to.equal(true);
    expect(await refusal(chain, "mppsol_advanceSeconds", -1e12)).to.include("-32602");
    expect(await refusal(chain, "mppsol_advanceSeconds", -4e9)).to.include("-32602");
  });

  it("warp slots, and the clock by 400 ms each", async () => {
    const before = chain.clock();
    const { result } = await call(chain, "mppsol_warpSlots", 1000);
    expect(result).to.deep.equal({ slot: before.slot + 1000, unixTimestamp: before.unixTimestamp + 400 });
    expect((await sysvar()).slot).to.equal(before.slot + 1000);
    expect((await call(chain, "getBlockHeight")).result).to.equal(before.slot + 1000);
    expect((await call(chain, "mppsol_warpSlots", 432_000)).result.slot).to.equal(before.slot + 433_000);
    expect((await sysvar()).epoch).to.equal(1);
    for (const bad of [0, -1, 1.5, "9", 1e12]) {
      expect(await refusal(chain, "mppsol_warpSlots", bad)).to.include("-32602 Invalid param: slots");
    }
  });

  it("expire all blockhashes", async () => {
    const hash = await blockhash(chain);
    const { result } = await call(chain, "mppsol_expireBlockhash");
    expect((await call(chain, "isBlockhashValid", hash)).result.value).to.equal(false);
    expect((await call(chain, "isBlockhashValid", result.blockhash)).result.value).to.equal(true);
    const wire = signed(chain, hash, [transfer(chain, Keypair.generate().publicKey, 1_000_000_000)]);
    expect((await send(chain, wire)).error?.data.err).to.equal("BlockhashNotFound");
  });

  it("set accounts, with lamports beyond 2^53 as text", async () => {
    const key = address();
    const owner = address();
    const account = { lamports: "18446744073709551615", data: Buffer.from("hello").toString("base64"), owner };
    expect((await call(chain, "mppsol_setAccount", key, account)).result).to.equal(null);
    const response = await fetch(chain.url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "getAccountInfo", params: [key, { encoding: "base64" }] }),
    });
    const text = await response.text();
    expect(text).to.include('"lamports":18446744073709551615');
    expect(JSON.parse(text).result.value).to.deep.include({ data: ["aGVsbG8=", "base64"], owner, executable: false });
    expect((await call(chain, "getProgramAccounts", owner, { encoding: "base64" })).result.length).to.equal(1);
  });

  it("refuse accounts that are not right", async () => {
    const owner = address();
    const bad: [unknown, string][] = [
      [{ lamports: -1, owner }, "lamports must be a u64"],
      [{ lamports: "18446744073709551616", owner }, "lamports is larger than a u64"],
      [{ lamports: 1 }, "expected a string"],
      [{ lamports: 1, owner: "x" }, "WrongSize"],
      [{ lamports: 1, owner, data: "!" }, "invalid base64 encoding"],
      [{ lamports: 1, owner, executable: "yes" }, "expected a boolean"],
      [7, "expected struct an account"],
    ];
    for (const [account, message] of bad) {
      expect(await refusal(chain, "mppsol_setAccount", address(), account))
        .to.match(/^-32602/)
        .and.include(message);
    }
    expect(await refusal(chain, "mppsol_setAccount", CLOCK, { lamports: 1, owner })).to.include(
      "-32602 Invalid param:",
    );
  });

  it("mint test USDC to an account that is created when it is missing", async () => {
    const owner = address();
    const first = (await call(chain, "mppsol_mintUsdc", owner, 1_000_000)).result;
    const second = (await call(chain, "mppsol_mintUsdc", owner, "2000000")).result;
    expect(second.tokenAccount).to.equal(first.tokenAccount);
    const { result } = await call(chain, "getTokenAccountBalance", first.tokenAccount);
    expect(result.value).to.deep.include({ amount: "3000000", uiAmountString: "3", decimals: 6 });
    expect((await call(chain, "getTransaction", first.signature)).result.meta.err).to.equal(null);
    expect(await refusal(chain, "mppsol_mintUsdc", owner, "-1")).to.include(
      "-32602 Invalid param: amount must be a u64",
    );
    expect(await refusal(chain, "mppsol_mintUsdc", owner, 1.5)).to.include("-32602");
    expect(await refusal(chain, "mppsol_mintUsdc", owner, "18446744073709551615")).to.include("-32603 minting");
  });

  it("use a mint and an authority that are the same everywhere", async () => {
    expect(usdcMintKey().publicKey.toBase58()).to.equal(USDC_MINT);
    const { value } = (await call(chain, "getAccountInfo", USDC_MINT, { encoding: "jsonParsed" })).result;
    expect(value.data.parsed.info.mintAuthority).to.equal(usdcAuthority().publicKey.toBase58());
  });

  it("leave a running clock running from where it was set", async () => {
    const timed = await Localnet.start({ slotTime: 50 });
    try {
      timed.setClock(2_000_000_000);
      await new Promise((resolve) => setTimeout(resolve, 1300));
      expect(timed.clock().unixTimestamp).to.be.within(2_000_000_001, 2_000_000_004);
      expect(timed.clock().slot).to.be.greaterThan(80);
    } finally {
      await timed.close();
    }
  });

  it("stand still otherwise when slots are manual", async () => {
    const before = chain.clock();
    await new Promise((resolve) => setTimeout(resolve, 1100));
    expect(chain.clock()).to.deep.equal(before);
  });

  it("load programs from bytes, and refuse what is no program", async () => {
    const { value } = (
      await call(chain, "getAccountInfo", "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL", { encoding: "base64" })
    ).result;
    const elf = Buffer.from(value.data[0], "base64");
    const id = address();
    chain.addProgram(id, elf);
    expect((await call(chain, "getAccountInfo", id, { encoding: "base64" })).result.value.executable).to.equal(true);
    expect(() => chain.addProgram(id, Buffer.alloc(100))).to.throw(LocalnetError, "is not an ELF file");
    expect(() => chain.addProgram(id, elf.subarray(0, 50_000))).to.throw(LocalnetError, "can't load program");
    const other = Buffer.from(elf);
    other.writeUInt16LE(62, 18);
    expect(() => chain.addProgram(id, other)).to.throw(LocalnetError, "is not a Solana program");
  });

  it("start only with options that make sense", async () => {
    const refused = async (options: object) =>
      Localnet.start(options).then(
        async (started) => {
          await started.close();
          return "started";
        },
        (error: Error) => error.name,
      );
    for (const options of [
      { port: -1 },
      { port: 65_535 },
      { port: 1.5 },
      { slotTime: 5 },
      { slotTime: "auto" },
      { history: 0 },
      { fundedKeys: -1 },
      { programs: [{ id: "x", file: "x" }] },
      { programs: [{ id: CLOCK, file: "/nonexistent.so" }] },
      { port: Number(new URL(chain.url).port) },
    ]) {
      expect(await refused(options), JSON.stringify(options)).to.equal("LocalnetError");
    }
  });
});
