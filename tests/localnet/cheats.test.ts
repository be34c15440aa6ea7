// What a test may do on localnet that a cluster would not let it, by JSON-RPC and by method.

import { Keypair, PublicKey, TransactionInstruction } from "@solana/web3.js";
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
  });

  describe("that would corrupt the VM", () => {
    const NATIVE = "NativeLoader1111111111111111111111111111111";
    const SYSTEM = "11111111111111111111111111111111";
    const sysvars = [
      CLOCK,
      "SysvarRent111111111111111111111111111111111",
      "SysvarEpochSchedu1e111111111111111111111111",
      "SysvarS1otHashes111111111111111111111111111",
      "SysvarStakeHistory1111111111111111111111111",
      "Sysvar1nstructions1111111111111111111111111",
    ];
    const builtins = [
      SYSTEM,
      NATIVE,
      "ComputeBudget111111111111111111111111111111",
      "BPFLoaderUpgradeab1e11111111111111111111111",
      "Vote111111111111111111111111111111111111111",
      "Ed25519SigVerify111111111111111111111111111",
    ];
    const programs = [
      "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
      "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL",
      "Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo",
    ];
    const owners = () => ["Sysvar1111111111111111111111111111111111111", NATIVE, programs[0]!, SYSTEM, address()];
    const state = async (key: string) =>
      (await call(chain, "getAccountInfo", key, { encoding: "base64" })).result.value as unknown;
    const targets = (): [string, string][] => [
      ...sysvars.map((key): [string, string] => [key, "is a sysvar: use setClock, advanceSeconds, warpSlots"]),
      ...builtins.map((key): [string, string] => [key, "is a builtin program"]),
      ...programs.map((key): [string, string] => [key, "is a program: Localnet.addProgram"]),
    ];
    /** A transaction that runs the system program and the given one still gets an answer. */
    const stillWorks = async (key: string) => {
      const to = Keypair.generate().publicKey;
      const hash = await blockhash(chain);
      expect((await send(chain, signed(chain, hash, [transfer(chain, to, 5_000_000)]))).error).to.equal(undefined);
      expect((await call(chain, "getBalance", to.toBase58())).result.value).to.equal(5_000_000);
      const invoke = new TransactionInstruction({ programId: new PublicKey(key), keys: [], data: Buffer.from([1]) });
      const answer = await send(chain, signed(chain, await blockhash(chain), [invoke]), { skipPreflight: true });
      expect(answer.result ?? answer.error?.message).to.be.a("string");
    };

    it("are refused by JSON-RPC, and change nothing", async () => {
      for (const [key, message] of targets()) {
        const before = await state(key);
        for (const owner of owners()) {
          for (const executable of [true, false]) {
            const account = { lamports: 1_000_000, data: "", owner, executable };
            expect(await refusal(chain, "mppsol_setAccount", key, account), key)
              .to.match(/^-32602 Invalid param: /)
              .and.include(message);
          }
        }
        expect(await state(key), key).to.deep.equal(before);
        await stillWorks(key);
      }
    });

    it("are refused when executable, wherever they are", async () => {
      for (const owner of [...owners(), "BPFLoader2111111111111111111111111111111111"]) {
        const key = address();
        const account = { lamports: 1_000_000, data: "", owner, executable: true };
        expect(await refusal(chain, "mppsol_setAccount", key, account)).to.include(
          "-32602 Invalid param: an executable account can't be set: Localnet.addProgram",
        );
        expect(await state(key)).to.equal(null);
        await stillWorks(key);
      }
    });

    it("are refused by the method, with a LocalnetError", async () => {
      const account = { lamports: 1_000_000n, data: new Uint8Array(), owner: SYSTEM };
      for (const [key, message] of targets()) {
        const before = await state(key);
        expect(() => chain.setAccount(key, { ...account, owner: NATIVE, executable: true })).to.throw(
          LocalnetError,
          message,
        );
        expect(() => chain.setAccount(key, account)).to.throw(LocalnetError, message);
        expect(await state(key), key).to.deep.equal(before);
      }
      const key = address();
      expect(() => chain.setAccount(key, { ...account, executable: true })).to.throw(LocalnetError, "addProgram");
      for (const bad of ["x", "", SYSTEM.slice(1), new PublicKey(key) as never]) {
        expect(() => chain.setAccount(bad, account)).to.throw(LocalnetError);
        expect(() => chain.setAccount(key, { ...account, owner: bad })).to.throw(LocalnetError);
      }
      expect(() => chain.setAccount(key, { ...account, lamports: -1n })).to.throw(LocalnetError);
      expect(await state(key)).to.equal(null);
      await stillWorks(SYSTEM);
    });
  });

  it("are open to programs and to pages on localhost, and to no other page", async () => {
    const body = (seconds: number) =>
      JSON.stringify({ jsonrpc: "2.0", id: 1, method: "mppsol_setClock", params: [seconds] });
    const from = (origin: string | undefined, method = "POST", seconds = 2_000_000_000, url = chain.url) =>
      fetch(url, {
        method,
        headers: { "content-type": "application/json", ...(origin === undefined ? {} : { origin }) },
        ...(method === "POST" ? { body: body(seconds) } : {}),
      });
    const before = chain.clock();
    const websocketPort = chain.wsUrl.replace("ws:", "http:");
    for (const origin of [
      "https://example.com",
      "http://localhost.example.com",
      "http://localhost:80.example.com",
      "http://127.0.0.1.example.com:3000",
      "http://example.com:8899",
      "http://192.168.0.2:3000",
      "http://localhost:3000/",
      "null",
    ]) {
      for (const url of [chain.url, websocketPort]) {
        for (const method of ["POST", "OPTIONS"]) {
          const refused = await from(origin, method, 2_000_000_000, url);
          expect(refused.status, `${method} ${origin}`).to.equal(403);
          expect(refused.headers.get("access-control-allow-origin")).to.equal(null);
        }
      }
    }
    expect(chain.clock()).to.deep.equal(before);
    let seconds = 2_000_000_000;
    for (const origin of [
      undefined,
      "http://localhost",
      "http://localhost:5173",
      "http://127.0.0.1:3000",
      "http://[::1]:8080",
    ]) {
      seconds += 1;
      const allowed = await from(origin, "POST", seconds);
      expect(allowed.status, origin).to.equal(200);
      expect(allowed.headers.get("access-control-allow-origin")).to.equal(origin ?? null);
      expect(chain.clock().unixTimestamp).to.equal(seconds);
      expect((await from(origin, "OPTIONS")).status).to.equal(200);
    }
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
