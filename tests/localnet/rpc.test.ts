// The JSON-RPC envelope, bad parameters, account reads and filters. Messages were read off a validator.
import { Keypair } from "@solana/web3.js";
import bs58 from "bs58";
import { expect } from "chai";
import fc from "fast-check";
import { Localnet } from "../../sdk/localnet/src/index.ts";
import { methods } from "../../sdk/localnet/src/rpc/methods.ts";
import { blockhash, call, payerOf, post, refusal, send, signed, transfer } from "./helpers.ts";

const TOKEN = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA";
const SYSTEM = "11111111111111111111111111111111";
const CLOCK = "SysvarC1ock11111111111111111111111111111111";

describe("JSON-RPC of localnet", () => {
  let chain: Localnet;
  before(async () => {
    chain = await Localnet.start({ slotTime: "manual" });
  });
  after(() => chain.close());

  const address = () => Keypair.generate().publicKey.toBase58();

  describe("envelope", () => {
    const answer = async (body: string) => {
      const { text } = await post(chain.url, body);
      return text === "" ? "" : JSON.parse(text);
    };

    it("answers an unknown method with -32601", async () => {
      expect(await refusal(chain, "getStakeActivation")).to.equal("-32601 Method not found");
      for (const name of ["getbalance", "", "constructor", "__proto__", "toString"]) {
        expect(await refusal(chain, name), name).to.equal("-32601 Method not found");
      }
    });

    it("answers what is not JSON with -32700", async () => {
      for (const body of ["", "{bad", "undefined", "[1,"]) {
        expect(await answer(body), body).to.deep.equal({
          jsonrpc: "2.0",
          error: { code: -32700, message: "Parse error" },
          id: null,
        });
      }
    });

    it("answers what is no request with -32600", async () => {
      for (const body of ["1", "null", '"x"', "{}", '{"jsonrpc":"1.0","id":1,"method":"getSlot"}', "[]", '{"id":1}']) {
        const { error } = await answer(body);
        expect(error, body).to.deep.equal({ code: -32600, message: "Invalid request" });
      }
    });

    it("answers a batch in order, errors among it", async () => {
      const batch = [
        { jsonrpc: "2.0", id: 1, method: "getHealth" },
        { jsonrpc: "2.0", id: "two", method: "nope" },
        { jsonrpc: "2.0", method: "getHealth" },
        3,
      ];
      expect(await answer(JSON.stringify(batch))).to.deep.equal([
        { jsonrpc: "2.0", result: "ok", id: 1 },
        { jsonrpc: "2.0", error: { code: -32601, message: "Method not found" }, id: "two" },
        { jsonrpc: "2.0", error: { code: -32600, message: "Invalid request" }, id: null },
      ]);
    });

    it("does not answer a notification", async () => {
      expect(await answer('{"jsonrpc":"2.0","method":"getHealth"}')).to.equal("");
    });

    it("wants POST and JSON, and lets pages on localhost in", async () => {
      expect((await fetch(chain.url)).status).to.equal(405);
      expect((await post(chain.url, "{}", { "content-type": "text/plain" })).status).to.equal(415);
      expect(await (await fetch(`${chain.url}/health`)).text()).to.equal("ok");
      const preflight = await fetch(chain.url, {
        method: "OPTIONS",
        headers: { origin: "http://localhost:5173", "access-control-request-headers": "content-type,solana-client" },
      });
      expect(preflight.status).to.equal(200);
      expect(preflight.headers.get("access-control-allow-origin")).to.equal("http://localhost:5173");
      expect(preflight.headers.get("access-control-allow-headers")).to.equal("content-type,solana-client");
    });

    it("refuses a body over its limit with 413", async () => {
      const status = await post(chain.url, `"${"x".repeat(17 * 1024 * 1024)}"`).then(
        (response) => response.status,
        () => 413, // the server may hang up before the client has sent it all
      );
      expect(status).to.equal(413);
      expect((await call(chain, "getHealth")).result).to.equal("ok");
    });
  });

  describe("parameters", () => {
    const cases: readonly [string, string, unknown[], string][] = [
      ["too few", "getBalance", [], "-32602 `params` should have at least 1 argument(s)"],
      ["too many", "getBalance", [SYSTEM, {}, 3, 4], "-32602 Invalid parameters: Expected from 1 to 2 parameters."],
      ["an address that is short", "getBalance", ["11"], "-32602 Invalid param: WrongSize"],
      ["an address with a wrong letter", "getBalance", ["0OIl"], "-32602 Invalid param: Invalid"],
      [
        "an address that is a number",
        "getBalance",
        [1],
        "-32602 Invalid params: invalid type: integer `1`, expected a string.",
      ],
      [
        "a config that is a number",
        "getSlot",
        [7],
        "-32602 Invalid params: invalid type: integer `7`, expected struct RpcContextConfig.",
      ],
      [
        "a slot not reached",
        "getBalance",
        [SYSTEM, { minContextSlot: 1e9 }],
        "-32016 Minimum context slot has not been reached",
      ],
      [
        "an encoding that is none",
        "getAccountInfo",
        [CLOCK, { encoding: "xx" }],
        "-32602 Invalid params: unknown variant `xx`, expected one of `binary`, `base58`, `base64`, `jsonParsed`, `base64+zstd`.",
      ],
      [
        "a size below zero",
        "getMinimumBalanceForRentExemption",
        [-1],
        "-32602 Invalid params: invalid value: integer `-1`, expected usize.",
      ],
      ["a signature that is short", "getTransaction", ["1111"], "-32602 Invalid param: WrongSize"],
      [
        "a history at processed",
        "getTransaction",
        ["1".repeat(64), { commitment: "processed" }],
        "-32602 Method does not support commitment below `confirmed`",
      ],
      [
        "too many signatures",
        "getSignatureStatuses",
        [Array(257).fill("1".repeat(64))],
        "-32602 Too many inputs provided; max 256",
      ],
      [
        "too many addresses",
        "getMultipleAccounts",
        [Array(101).fill(SYSTEM)],
        "-32602 Too many inputs provided; max 100",
      ],
      ["a limit over 1000", "getSignaturesForAddress", [SYSTEM, { limit: 1001 }], "-32602 Invalid limit; max 1000"],
      ["a blockhash that is short", "isBlockhashValid", ["1111"], "-32602 WrongSize"],
      ["a slot in the future", "getBlockTime", [999_999_999], "-32004 Block not available for slot 999999999"],
      ["a mint that is no mint", "getTokenSupply", [CLOCK], "-32602 Invalid param: not a Token mint"],
      ["a token account that is none", "getTokenAccountBalance", [CLOCK], "-32602 Invalid param: not a Token account"],
      [
        "a token account that is missing",
        "getTokenAccountBalance",
        [Keypair.generate().publicKey.toBase58()],
        "-32602 Invalid param: could not find account",
      ],
      [
        "a program that is no token program",
        "getTokenAccountsByOwner",
        [SYSTEM, { programId: SYSTEM }],
        "-32602 Invalid param: unrecognized Token program id",
      ],
      [
        "a filter that is none",
        "getTokenAccountsByOwner",
        [SYSTEM, { foo: 1 }],
        "-32602 Invalid params: unknown variant `foo`, expected `mint` or `programId`.",
      ],
      [
        "a mint filter that is no mint",
        "getTokenAccountsByOwner",
        [SYSTEM, { mint: CLOCK }],
        "-32602 Invalid param: Token mint could not be unpacked",
      ],
      [
        "too many filters",
        "getProgramAccounts",
        [TOKEN, { filters: Array(5).fill({ dataSize: 1 }) }],
        "-32602 Too many filters provided; max 4",
      ],
      [
        "an unknown filter",
        "getProgramAccounts",
        [TOKEN, { filters: [{ a: 1 }] }],
        "-32602 Invalid params: unknown variant `a`, expected one of `dataSize`, `memcmp`, `tokenAccountState`.",
      ],
      [
        "memcmp over 128 bytes",
        "getProgramAccounts",
        [TOKEN, { filters: [{ memcmp: { offset: 0, bytes: "1".repeat(129) } }] }],
        "-32602 Invalid param: DataTooLarge",
      ],
      [
        "memcmp of bad base58",
        "getProgramAccounts",
        [TOKEN, { filters: [{ memcmp: { offset: 0, bytes: "!!" } }] }],
        "-32602 Invalid param: Base58DecodeError(InvalidCharacter { character: '!', index: 0 })",
      ],
      [
        "memcmp of bad base64",
        "getProgramAccounts",
        [TOKEN, { filters: [{ memcmp: { offset: 0, bytes: "AQ", encoding: "base64" } }] }],
        "-32602 Invalid param: Base64DecodeError(InvalidPadding)",
      ],
      [
        "an airdrop of half a lamport",
        "requestAirdrop",
        [SYSTEM, 0.5],
        "-32602 Invalid params: invalid value: floating point `0.5`, expected u64.",
      ],
    ];
    for (const [name, method, params, expected] of cases) {
      it(`refuse ${name}`, async () => {
        expect(await refusal(chain, method, ...params)).to.equal(expected);
      });
    }

    it("must be an array", async () => {
      const { text } = await post(chain.url, '{"jsonrpc":"2.0","id":1,"method":"getBalance","params":{"a":1}}');
      expect(JSON.parse(text).error.message).to.equal("`params` should be an array");
    });

    it("of any shape never stop the server", async () => {
      const names = fc.constantFrom(...Object.keys(methods));
      const leaf = fc.oneof(
        fc.constantFrom<unknown>(
          SYSTEM,
          TOKEN,
          CLOCK,
          chain.usdcMint,
          "1".repeat(64),
          "AQAB",
          "",
          null,
          0,
          -1,
          2 ** 60,
        ),
        fc.jsonValue({ maxDepth: 2 }),
      );
      const names2 = fc.constantFrom(
        "encoding",
        "commitment",
        "filters",
        "memcmp",
        "dataSlice",
        "accounts",
        "mint",
        "data",
        "owner",
        "lamports",
      );
      const param = fc.oneof(
        leaf,
        fc.dictionary(names2, fc.oneof(leaf, fc.array(leaf, { maxLength: 3 })), { maxKeys: 4 }),
      );
      await fc.assert(
        fc.asyncProperty(names, fc.array(param, { maxLength: 3 }), async (method, params) => {
          // Warping by a random count is slow and tested elsewhere.
          if (method === "mppsol_warpSlots" || method === "mppsol_setClock" || method === "mppsol_advanceSeconds")
            return;
          const { result, error } = await call(chain, method, ...params);
          expect(result !== undefined || error !== undefined).to.equal(true);
          expect(error?.code ?? 0, JSON.stringify(error)).to.not.equal(-32603);
        }),
        { numRuns: 500 },
      );
      expect((await call(chain, "getHealth")).result).to.equal("ok");
    }).timeout(60_000);

    it("with mangled transactions never stop the server", async () => {
      const wire = signed(chain, await blockhash(chain), [transfer(chain, Keypair.generate().publicKey, 1_000_000)]);
      const change = fc.tuple(fc.nat(wire.length - 1), fc.nat(255));
      await fc.assert(
        fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), fc.boolean(), async (changes, simulate) => {
          const bad = Buffer.from(wire);
          for (const [at, value] of changes) bad[at] = value;
          const options = { encoding: "base64", skipPreflight: true };
          const method = simulate ? "simulateTransaction" : "sendTransaction";
          const { error } = await call(
            chain,
            method,
            bad.toString("base64"),
            simulate ? { encoding: "base64" } : options,
          );
          expect(error?.code ?? 0, JSON.stringify(error)).to.not.equal(-32603);
        }),
        { numRuns: 500 },
      );
    }).timeout(60_000);
  });

  describe("accounts", () => {
    it("have the shape and context of a node's", async () => {
      const { result } = await call(chain, "getAccountInfo", chain.usdcMint, { encoding: "base64" });
      expect(result.context).to.deep.equal({ apiVersion: "3.1.9", slot: (await call(chain, "getSlot")).result });
      expect(result.value).to.have.keys("data", "executable", "lamports", "owner", "rentEpoch", "space");
      expect(result.value).to.deep.include({ executable: false, lamports: 1_461_600, owner: TOKEN, space: 82 });
    });

    it("that do not exist are null and hold nothing", async () => {
      expect((await call(chain, "getAccountInfo", address())).result.value).to.equal(null);
      expect((await call(chain, "getBalance", address())).result.value).to.equal(0);
    });

    it("are shown in base58, base64, sliced, parsed, or as a readable zstd frame", async () => {
      const get = async (options: object) => (await call(chain, "getAccountInfo", CLOCK, options)).result.value.data;
      const base64 = await get({ encoding: "base64" });
      const bytes = Buffer.from(base64[0], "base64");
      expect(bytes.length).to.equal(40);
      expect(await get({ encoding: "base58" })).to.deep.equal([bs58.encode(bytes), "base58"]);
      expect(await get({})).to.equal(bs58.encode(bytes));
      expect(await get({ encoding: "base64", dataSlice: { offset: 8, length: 4 } })).to.deep.equal([
        bytes.subarray(8, 12).toString("base64"),
        "base64",
      ]);
      expect(await get({ encoding: "base64", dataSlice: { offset: 100, length: 4 } })).to.deep.equal(["", "base64"]);
      const parsed = await get({ encoding: "jsonParsed" });
      expect(parsed).to.deep.include({ program: "sysvar", space: 40 });
      expect(parsed.parsed.type).to.equal("clock");
      const [frame] = await get({ encoding: "base64+zstd" });
      expect(Buffer.from(frame, "base64").subarray(0, 4).toString("hex")).to.equal("28b52ffd");
      expect(Buffer.from(frame, "base64").subarray(-40)).to.deep.equal(bytes);
    });

    it("over 128 bytes are not shown in base58", async () => {
      expect(await refusal(chain, "getAccountInfo", "SysvarS1otHashes111111111111111111111111111")).to.equal(
        "-32600 Encoded binary (base 58) data should be less than 128 bytes, please use Base64 encoding.",
      );
    });

    it("of tokens are parsed, with delegate and amounts", async () => {
      const owner = address();
      const { tokenAccount } = chain.mintUsdc(owner, 1_500_000n);
      const { value } = (await call(chain, "getAccountInfo", tokenAccount, { encoding: "jsonParsed" })).result;
      expect(value.data).to.deep.equal({
        program: "spl-token",
        space: 165,
        parsed: {
          type: "account",
          info: {
            isNative: false,
            mint: chain.usdcMint,
            owner,
            state: "initialized",
            tokenAmount: { amount: "1500000", decimals: 6, uiAmount: 1.5, uiAmountString: "1.5" },
          },
        },
      });
      const mint = (await call(chain, "getAccountInfo", chain.usdcMint, { encoding: "jsonParsed" })).result.value.data;
      expect(mint.parsed).to.deep.include({ type: "mint" });
      expect(mint.parsed.info).to.deep.include({ decimals: 6, isInitialized: true });
    });
  });

  describe("getProgramAccounts", () => {
    let one: string;
    let two: string;
    const owners = [address(), address()] as const;
    before(() => {
      one = chain.mintUsdc(owners[0], 1n).tokenAccount;
      two = chain.mintUsdc(owners[1], 2n).tokenAccount;
    });
    const found = async (filters: unknown[], options: object = {}): Promise<string[]> => {
      const config = { encoding: "base64", dataSlice: { offset: 0, length: 0 }, filters, ...options };
      const { result } = await call(chain, "getProgramAccounts", TOKEN, config);
      return result.map((entry: { pubkey: string }) => entry.pubkey).sort();
    };

    it("filters by size", async () => {
      expect(await found([{ dataSize: 165 }])).to.include.members([one, two]);
      expect(await found([{ dataSize: 165 }])).to.not.include(chain.usdcMint);
      expect(await found([{ dataSize: 82 }])).to.include(chain.usdcMint);
    });

    it("filters by bytes in base58, base64 and as numbers", async () => {
      const bytes = bs58.decode(owners[0]);
      const mine = (compare: object) => found([{ dataSize: 165 }, { memcmp: { offset: 32, ...compare } }]);
      expect(await mine({ bytes: owners[0] })).to.deep.equal([one]);
      expect(await mine({ bytes: owners[0], encoding: "base58" })).to.deep.equal([one]);
      expect(await mine({ bytes: Buffer.from(bytes).toString("base64"), encoding: "base64" })).to.deep.equal([one]);
      expect(await mine({ bytes: [...bytes] })).to.deep.equal([one]);
      expect(await mine({ bytes: address() })).to.deep.equal([]);
    });

    it("does not match past the end of the data", async () => {
      expect(await found([{ memcmp: { offset: 164, bytes: bs58.encode(Buffer.from([0, 0])) } }])).to.deep.equal([]);
    });

    it("filters initialized token accounts, and gives a context when asked", async () => {
      expect(await found(["tokenAccountState"])).to.include.members([one, two]);
      const config = { encoding: "base64", withContext: true, filters: ["tokenAccountState"] };
      const { result } = await call(chain, "getProgramAccounts", TOKEN, config);
      expect(result.context.apiVersion).to.equal("3.1.9");
      expect(result.value[0].account.space).to.equal(165);
    });
  });

  describe("token accounts", () => {
    it("are found by owner and by program", async () => {
      const owner = address();
      const { tokenAccount } = chain.mintUsdc(owner, 5n);
      for (const filter of [{ mint: chain.usdcMint }, { programId: TOKEN }]) {
        const { result } = await call(chain, "getTokenAccountsByOwner", owner, filter, { encoding: "base64" });
        expect(result.value.map((entry: { pubkey: string }) => entry.pubkey)).to.deep.equal([tokenAccount]);
      }
      expect(
        (await call(chain, "getTokenAccountsByDelegate", owner, { programId: TOKEN }, { encoding: "base64" })).result
          .value,
      ).to.deep.equal([]);
    });

    it("have their largest holders and supply", async () => {
      const { result } = await call(chain, "getTokenLargestAccounts", chain.usdcMint);
      const amounts: bigint[] = result.value.map((entry: { amount: string }) => BigInt(entry.amount));
      expect(amounts).to.deep.equal([...amounts].sort((left, right) => (left < right ? 1 : -1)));
      const supply = (await call(chain, "getTokenSupply", chain.usdcMint)).result.value;
      expect(BigInt(supply.amount)).to.equal(amounts.reduce((sum, amount) => sum + amount, 0n));
    });
  });

  it("lists blocks with their transactions", async () => {
    const wire = signed(chain, await blockhash(chain), [transfer(chain, payerOf(chain).publicKey, 1)]);
    const { result: signature } = await send(chain, wire);
    const slot = (await call(chain, "getSlot")).result;
    chain.warpSlots(2);
    const { result: block } = await call(chain, "getBlock", slot, { transactionDetails: "signatures", rewards: false });
    expect(block).to.have.keys(
      "blockHeight",
      "blockTime",
      "blockhash",
      "parentSlot",
      "previousBlockhash",
      "signatures",
    );
    expect(block.signatures).to.include(signature);
    expect((await call(chain, "getBlock", slot + 1)).result.previousBlockhash).to.equal(block.blockhash);
    expect((await call(chain, "getBlocks", slot, slot + 9)).result).to.deep.equal([slot, slot + 1, slot + 2]);
    expect((await call(chain, "getBlocksWithLimit", slot, 2)).result).to.deep.equal([slot, slot + 1]);
  });
});
