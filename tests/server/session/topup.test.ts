// Top-ups: exactly one, of exactly this channel; the deposit is what the chain says.
import type { RefusedError } from "@mppsol/core";
import { TOKEN_2022_PROGRAM_ID } from "@solana/spl-token";
import {
  AddressLookupTableAccount,
  ComputeBudgetProgram,
  Keypair,
  PublicKey,
  SystemProgram,
  TransactionInstruction,
} from "@solana/web3.js";
import { expect } from "chai";
import type { Account } from "../../../sdk/server/src/chain/index.ts";
import { down, first, swallow } from "../chain/faults.ts";
import { withAccount, withData } from "./instructions.ts";
import { DEPOSIT, keyed, Market, PRICE, Purse, Stall, type StallOptions, type TopUpChange, USDC } from "./market.ts";

const stranger = Keypair.generate().publicKey;
const replace = (at: number, key: PublicKey): TopUpChange => ({
  instructions: ([topup]) => [withAccount(topup!, at, key)],
});
const beside = (...more: TransactionInstruction[]): TopUpChange => ({ instructions: (honest) => [...honest, ...more] });

const CASES: readonly {
  readonly what: string;
  readonly code: string;
  readonly change: TopUpChange | ((stall: Stall, purse: Purse) => TopUpChange);
}[] = [
  { what: "of nothing", code: "topup-amount", change: { payload: { additionalAmount: "0" } } },
  { what: "of less than it says", code: "topup-amount", change: { input: { amount: 499n } } },
  { what: "of more than it says", code: "topup-amount", change: { payload: { additionalAmount: "499" } } },
  {
    what: "of more than 64 bits hold",
    code: "topup-amount",
    change: { input: { amount: 2n ** 64n - 1n }, payload: { additionalAmount: String(2n ** 64n - 1n) } },
  },
  {
    what: "that calls another instruction",
    code: "topup-instructions",
    change: {
      instructions: ([topup]) => [withData(topup!, (data) => Buffer.concat([Buffer.from([8]), data.subarray(1)]))],
    },
  },
  {
    what: "by another program",
    code: "topup-instructions",
    change: { input: { programId: Keypair.generate().publicKey } },
  },
  { what: "of another channel", code: "topup-instructions", change: replace(1, stranger) },
  { what: "paid from another token account", code: "topup-instructions", change: replace(2, stranger) },
  { what: "into another escrow", code: "topup-instructions", change: replace(3, stranger) },
  { what: "of another mint", code: "topup-instructions", change: replace(4, stranger) },
  { what: "with another token program", code: "topup-instructions", change: replace(5, TOKEN_2022_PROGRAM_ID) },
  {
    what: "with the fee payer as its payer",
    code: "topup-instructions",
    change: (stall) => replace(0, stall.feePayer.publicKey),
  },
  {
    what: "twice in one transaction",
    code: "topup-instructions",
    change: { instructions: (honest) => [...honest, ...honest] },
  },
  {
    what: "with a transfer of the fee payer's lamports",
    code: "topup-instructions",
    change: (stall) =>
      beside(SystemProgram.transfer({ fromPubkey: stall.feePayer.publicKey, toPubkey: stranger, lamports: 1 })),
  },
  {
    what: "with a durable nonce",
    code: "topup-instructions",
    change: (_, purse) => ({
      instructions: (honest) => [
        SystemProgram.nonceAdvance({ noncePubkey: stranger, authorizedPubkey: purse.payer.publicKey }),
        ...honest,
      ],
    }),
  },
  {
    what: "that may write to an account that it only reads",
    code: "topup-instructions",
    change: {
      instructions: ([topup]) => [
        new TransactionInstruction({
          ...topup!,
          keys: topup!.keys.map((meta, at) => (at === 4 ? { ...meta, isWritable: true } : meta)),
        }),
      ],
    },
  },
  {
    what: "whose fee the payer pays although the server sponsors",
    code: "topup-fee-payer",
    change: (_, purse) => ({ feePayer: purse.payer.publicKey }),
  },
  {
    what: "with too high a priority fee",
    code: "topup-compute-budget",
    change: {
      instructions: (honest) => [ComputeBudgetProgram.setComputeUnitPrice({ microLamports: 2_000 }), ...honest],
    },
  },
  { what: "that the payer has not signed", code: "topup-signature", change: { unsigned: true } },
  {
    what: "with a byte behind its transaction",
    code: "topup-transaction-encoding",
    change: { wire: (wire) => Buffer.concat([wire, Buffer.from([0])]) },
  },
  {
    what: "with an account from a lookup table",
    code: "topup-lookup-table",
    change: {
      lookupTables: [
        new AddressLookupTableAccount({
          key: stranger,
          state: {
            deactivationSlot: 2n ** 64n - 1n,
            lastExtendedSlot: 0,
            lastExtendedSlotStartIndex: 0,
            addresses: [USDC.mint],
          },
        }),
      ],
    },
  },
  {
    what: "with a blockhash that has expired",
    code: "topup-expired",
    change: { blockhash: PublicKey.default.toBase58() },
  },
  {
    what: "of more than the payer has",
    code: "topup-simulation",
    change: { input: { amount: 10_000n }, payload: { additionalAmount: "10000" } },
  },
];

describe("a top-up", () => {
  let market: Market;
  let keys: { readonly feePayer: Keypair; readonly payee: Keypair };
  let common: Purse;
  before(async () => {
    market = await Market.start();
    keys = { feePayer: market.person(), payee: market.person({ usdc: 0n }) };
    common = await open();
  });
  afterEach(async () => {
    market.rpc.heal();
    await market.checkBooks();
  });
  after(() => market.stop());

  const open = (options: StallOptions = {}) => {
    const payer = market.person({ lamports: options.sponsor === false ? 1_000_000_000n : 0n, usdc: 5_000n });
    return Purse.open(new Stall(market, { ...keys, ...options }), payer);
  };

  it("raises the deposit, counts as activity, and pays for more", async () => {
    const purse = await open();
    await purse.buy(DEPOSIT);
    market.net.advanceSeconds(7);
    const { receipt, body } = await purse.stall.errand(await purse.toppingUp(500n));
    expect(receipt).include({ acceptedCumulative: "1000", spent: "100" });
    expect(body).include({ deposit: "1500" });
    expect(await purse.known()).include({ escrowed: 1_500n, lastActivityAt: market.now() });
    expect(await market.lamports(purse.payer.publicKey)).equal(0n);
    await purse.buy(1_500n);
  });

  it("is paid for by the payer, when the server does not sponsor", async () => {
    const purse = await open({ sponsor: false });
    const lamports = await market.lamports(keys.feePayer.publicKey);
    await purse.stall.errand(await purse.toppingUp(500n));
    expect(await market.lamports(keys.feePayer.publicKey)).equal(lamports);
  });

  it("that comes again, also at once and at another process, is counted once", async () => {
    const purse = await open();
    const credential = await purse.toppingUp(500n);
    const other = purse.stall.restart();
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) => (i % 2 === 0 ? purse.stall : other).errand(credential)),
    );
    expect(new Set(answers.map(({ body }) => body?.signature)).size).equal(1);
    await purse.stall.restart().errand(credential);
    expect((await purse.known()).escrowed).equal(1_500n);
    expect((await purse.onChain())?.deposit).equal(1_500n);
  });

  it("that another process lands between two steps of this one is counted once", async () => {
    for (const method of ["account", "simulate"] as const) {
      const purse = await open();
      const credential = await purse.toppingUp(500n);
      const other = purse.stall.restart();
      const meanwhile = async (ask: () => Promise<unknown>) => {
        await other.errand(credential);
        return ask();
      };
      market.rpc.fault(method, first(1, meanwhile));
      await purse.stall.errand(credential);
      market.rpc.heal();
      expect((await purse.known()).escrowed, method).equal(1_500n);
    }
  });

  it("may come with others at once", async () => {
    const purse = await open();
    const credentials = await Promise.all([100n, 200n, 300n, 400n].map((amount) => purse.toppingUp(amount)));
    await Promise.all(credentials.map((credential) => purse.stall.errand(credential)));
    expect((await purse.known()).escrowed).equal(2_000n);
  });

  it("needs no challenge of the present price", async () => {
    const purse = await open();
    const dearer = purse.stall.restart({ price: 2n * PRICE });
    await dearer.errand(await purse.toppingUp(500n));
    const refused = await dearer.present(await purse.paying(PRICE), keyed()).catch((error: unknown) => error);
    expect(refused).property("code", "challenge-mismatch");
    expect(refused)
      .property("detail")
      .match(/was for 100 base units, it is \d+ now: go on by the fresh challenge\.$/);
  });

  describe("is refused, and nothing is signed or sent", () => {
    for (const { what, code, change } of CASES) {
      it(`${what}: ${code}`, async () => {
        const made = typeof change === "function" ? change(common.stall, common) : change;
        const credential = await common.toppingUp(500n, made);
        const before = await common.known();
        market.rpc.forget();
        expect(await common.stall.refusal(credential)).equal(code);
        expect(market.rpc.calls("send")).equal(0);
        expect(await common.known()).deep.equal(before);
      });
    }

    it("and the refusal says both amounts, in base units", async () => {
      const detail = async (change: TopUpChange) => {
        const credential = await common.toppingUp(500n, change);
        const refused = await common.stall.present(credential).catch((error: unknown) => error);
        return (refused as RefusedError).detail;
      };
      expect(await detail({ input: { amount: 499n } })).match(
        /credential says 500 base units, the transaction adds 499\. /,
      );
      const most = 2n ** 64n - 1n;
      expect(await detail({ input: { amount: most }, payload: { additionalAmount: String(most) } })).match(
        new RegExp(`^The deposit of ${DEPOSIT} and ${most} more base units exceed 64 bits\\. Add less\\.$`),
      );
    });

    it("of a channel that is unknown, closed, or being left: channel-unknown, channel-closed, channel-closing", async () => {
      const purse = await open();
      const credential = await purse.toppingUp(PRICE);
      expect(await new Stall(market, keys).refusal(credential)).equal("channel-unknown");
      const left = await open();
      const late = await left.toppingUp(PRICE);
      await left.revoke();
      expect(await left.stall.refusal(late)).equal("channel-closing");
      await purse.stall.errand(await purse.closing(0n));
      expect(await purse.stall.refusal(credential)).equal("channel-closed");
    });

    it("of a channel whose token is no longer taken: mint-not-allowed", async () => {
      const purse = await open();
      const wsol = "So11111111111111111111111111111111111111112";
      const next = purse.stall.restart({ currency: wsol });
      const { challenge } = await next.challenge();
      const { payload } = await purse.toppingUp(PRICE);
      expect(await next.refusal({ challenge, payload })).equal("mint-not-allowed");
    });

    it("of another channel than the one on chain: channel-mismatch", async () => {
      const [purse, other] = [await open(), await open()];
      const credential = await purse.toppingUp(PRICE);
      market.rpc.fault("account", (ask, [address]) =>
        address === purse.channelId ? market.rpc.account(other.channelId) : ask(),
      );
      expect(await purse.stall.refusal(credential)).equal("channel-mismatch");
    });

    it("while the nodes are silent: unavailable", async () => {
      const purse = await open();
      const credential = await purse.toppingUp(PRICE);
      for (const method of ["account", "simulate", "height"] as const) {
        market.rpc.fault(method, down(method));
        expect(await purse.stall.refusal(credential), method).equal("unavailable");
        market.rpc.heal();
      }
      await purse.stall.errand(credential);
    });
  });

  describe("whose transaction", () => {
    it("is swallowed is pending, then lands with the same credential", async () => {
      const purse = await open();
      const credential = await purse.toppingUp(500n);
      market.rpc.fault("send", swallow);
      expect(await purse.stall.present(credential)).property("kind", "pending");
      expect((await purse.known()).escrowed).equal(DEPOSIT);
      market.rpc.heal();
      await purse.stall.errand(credential);
      expect((await purse.known()).escrowed).equal(1_500n);
    });

    it("can never land any more is refused: topup-expired", async () => {
      const purse = await open();
      const credential = await purse.toppingUp(500n);
      market.rpc.fault("send", swallow);
      await purse.stall.present(credential);
      market.net.warpSlots(400);
      market.rpc.heal();
      expect(await purse.stall.refusal(credential)).equal("topup-expired");
      expect((await purse.known()).escrowed).equal(DEPOSIT);
    });

    it("lands and fails is refused: topup-failed", async () => {
      const purse = await open();
      const credential = await purse.toppingUp(5_000n);
      market.rpc.fault("simulate", async () => ({ err: null, logs: [], slot: 0n }));
      expect(await purse.stall.refusal(credential)).equal("topup-failed");
      expect((await purse.known()).escrowed).equal(DEPOSIT);
    });

    it("has landed, but is not to be seen in the deposit, is not counted: topup-state", async () => {
      const purse = await open();
      const credential = await purse.toppingUp(500n);
      let stale: Account | undefined;
      market.rpc.fault("account", async (ask, [address]) => {
        if (address !== purse.channelId) return ask();
        stale ??= (await ask()) as Account;
        return stale;
      });
      const refused = await purse.stall.present(credential).catch((error: unknown) => error);
      expect(refused).property("code", "topup-state");
      expect(refused)
        .property("detail")
        .match(/on chain is 1000 base units, not 1500 or more, as after this top-up\./);
      expect((await purse.known()).escrowed).equal(DEPOSIT);
      market.rpc.heal();
      await purse.stall.errand(credential);
      expect((await purse.known()).escrowed).equal(1_500n);
    });

    it("cannot be read back is unavailable, and counted with the next try", async () => {
      const purse = await open();
      const credential = await purse.toppingUp(500n);
      let reads = 0;
      market.rpc.fault("account", async (ask) => (++reads === 2 ? down()(ask, []) : ask()));
      expect(await purse.stall.refusal(credential)).equal("unavailable");
      market.rpc.heal();
      await purse.stall.errand(credential);
      expect((await purse.known()).escrowed).equal(1_500n);
    });

    it("was used for another channel's top-up is refused: topup-used", async () => {
      const purse = await open();
      const credential = await purse.toppingUp(500n);
      await purse.stall.errand(credential);
      const { charges } = purse.stall.store;
      const store = {
        ...purse.stall.store,
        charges: new Proxy(charges, {
          get(from, key) {
            if (key !== "get") return Reflect.get(from, key).bind(from) as unknown;
            return async (hash: string) => ({ ...(await from.get(hash))!, challengeId: "topup:another" });
          },
        }),
      };
      expect(await purse.stall.restart({ store }).refusal(credential)).equal("topup-used");
    });
  });
});
