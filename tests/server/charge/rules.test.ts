// Every rule by which a transaction is refused before it is sent. Each test is an attack that the rule stands against;
// after each one nothing has been sent, signed or paid.
import { ChargeRequest, type Credential, type RefusedError } from "@mppsol/core";
import {
  AuthorityType,
  createApproveInstruction,
  createAssociatedTokenAccountIdempotentInstruction,
  createAssociatedTokenAccountInstruction,
  createBurnInstruction,
  createCloseAccountInstruction,
  createInitializeNonTransferableMintInstruction,
  createInitializeTransferHookInstruction,
  createSetAuthorityInstruction,
  createTransferCheckedInstruction,
  createTransferInstruction,
  ExtensionType,
  TOKEN_2022_PROGRAM_ID,
} from "@solana/spl-token";
import {
  AddressLookupTableAccount,
  ComputeBudgetProgram,
  Keypair,
  MessageV0,
  PublicKey,
  SYSVAR_CLOCK_PUBKEY,
  SystemProgram,
  TransactionInstruction,
  TransactionMessage,
  VersionedTransaction,
} from "@solana/web3.js";
import { expect } from "chai";
import {
  ata,
  type Change,
  request as context,
  createAccount,
  issued,
  memo,
  paidBy,
  pull,
  Shop,
  type ShopOptions,
  SPL,
  signed,
  Town,
  transfer,
  USDC,
} from "./shop.ts";

const LIGHTHOUSE = new PublicKey("L2TExMFKdjpN9kozasaurPirfHy9P8sbXoAN1qA3S95");

describe("charge, what is refused before it is sent", () => {
  let town: Town;
  /** Has SOL and USDC. */
  let payer: Keypair;
  let sponsor: Keypair;
  let partner: PublicKey;
  before(async () => {
    town = await Town.start();
    payer = town.person({ lamports: 100_000_000_000n, usdc: 1_000_000_000n });
    sponsor = town.person({ lamports: 100_000_000_000n, usdc: 1_000_000_000n });
    partner = town.person().publicKey;
    await town.openAccount(partner);
  });
  after(() => town.close());

  const usdc = (more: ShopOptions = {}): ShopOptions => ({ currency: USDC.toBase58(), ...more });

  async function shopOf(options: ShopOptions): Promise<Shop> {
    const shop = new Shop(town, options);
    if (options.currency !== undefined) await town.openAccount(shop.recipient);
    return shop;
  }

  /** Presents, and checks that nothing happened but the refusal. */
  async function refused(shop: Shop, credential: Credential.Credential, code: string): Promise<void> {
    const before = await books(shop);
    town.rpc.forget();
    expect(await shop.refusal(credential)).to.equal(code);
    expect(town.rpc.calls("send"), "sent").to.equal(0);
    expect(await books(shop)).to.deep.equal(before);
    const [signedCharges] = await Promise.all([shop.store.charges.lease("test", 10, Date.now(), 1)]);
    expect(signedCharges, "signed").to.deep.equal([]);
  }

  async function books(shop: Shop) {
    return Promise.all([
      town.lamports(payer.publicKey),
      town.lamports(sponsor.publicKey),
      town.lamports(shop.recipient),
      town.tokens(payer.publicKey),
      town.tokens(sponsor.publicKey),
      town.tokens(shop.recipient),
    ]);
  }

  /** An honest payment but for one change. */
  async function attack(options: ShopOptions, code: string, change: Change | ((shop: Shop) => Change)): Promise<void> {
    const shop = await shopOf(options);
    await refused(shop, await paidBy(shop, payer, typeof change === "function" ? change(shop) : change), code);
  }

  const both = (name: string, code: string, change: (shop: Shop) => Change, options: ShopOptions = {}) => {
    it(`${name}, is refused`, () => attack({ ...options }, code, change));
    it(`${name}, is refused when the fee is sponsored`, () => attack({ ...options, sponsor }, code, change));
  };

  describe("the amount", () => {
    for (const [kind, options] of [
      ["SOL", {}],
      ["tokens", usdc()],
    ] as const) {
      for (const [less, amount] of [
        ["one base unit less", 999_999n],
        ["one base unit more", 1_000_001n],
        ["nothing", 0n],
      ] as const) {
        both(
          `a payment of ${less} than the price in ${kind}`,
          "amount-mismatch",
          (shop) => ({ instructions: (honest) => [...honest.slice(0, -1), change(shop, amount)] }),
          options,
        );
        const change = (shop: Shop, amount: bigint) =>
          transfer(termsOf(shop, options), payer.publicKey, shop.recipient.toBase58(), amount);
      }
      both(
        `a transaction without any transfer of ${kind}`,
        "transfer-missing",
        () => ({ instructions: (honest) => honest.slice(0, -1) }),
        options,
      );
      both(
        `a payment in ${kind} to somebody else`,
        "transfer-unexpected",
        (shop) => ({
          instructions: (honest) => [
            ...honest.slice(0, -1),
            transfer(termsOf(shop, options), payer.publicKey, partner.toBase58(), 1_000_000n),
          ],
        }),
        options,
      );
      both(
        `a payment in ${kind} with one more transfer`,
        "transfer-unexpected",
        (shop) => ({
          instructions: (honest) => [
            ...honest,
            transfer(termsOf(shop, options), payer.publicKey, partner.toBase58(), 5n),
          ],
        }),
        options,
      );
      both(
        `a payment in ${kind} that pays the seller twice`,
        "transfer-unexpected",
        () => ({ instructions: (honest) => [...honest, honest.at(-1)!] }),
        options,
      );
    }

    it("a price in tokens, paid in SOL, is refused", async () => {
      await attack(usdc(), "transfer-authority", (shop) => ({
        instructions: (honest) => [
          ...honest.slice(0, -1),
          SystemProgram.transfer({
            fromPubkey: payer.publicKey,
            toPubkey: ata(shop.recipient),
            lamports: 1_000_000,
          }),
        ],
      }));
    });

    it("a price in one token, paid in another one, is refused", async () => {
      const other = await town.mint2022([payer.publicKey]);
      await attack(usdc(), "transfer-authority", (shop) => ({
        instructions: (honest) => [
          ...honest.slice(0, -1),
          createTransferCheckedInstruction(
            ata(payer.publicKey, other),
            other.mint,
            ata(shop.recipient, other),
            payer.publicKey,
            1_000_000n,
            6,
            [],
            other.program,
          ),
        ],
      }));
    });

    it("a transfer that names another mint than its accounts are of, is refused", async () => {
      const other = await town.mint2022([payer.publicKey]);
      await attack(usdc(), "asset-mismatch", (shop) => ({
        instructions: (honest) => [
          ...honest.slice(0, -1),
          createTransferCheckedInstruction(
            ata(payer.publicKey),
            other.mint,
            ata(shop.recipient),
            payer.publicKey,
            1_000_000n,
            6,
          ),
        ],
      }));
    });

    it("a transfer that names other decimals, is refused", () =>
      attack(usdc({ sponsor }), "asset-mismatch", (shop) => ({
        instructions: (honest) => [
          ...honest.slice(0, -1),
          createTransferCheckedInstruction(
            ata(payer.publicKey),
            USDC,
            ata(shop.recipient),
            payer.publicKey,
            1_000_000n,
            9,
          ),
        ],
      })));

    it("a transfer by the other token program, is refused", () =>
      attack(usdc(), "asset-mismatch", (shop) => ({
        instructions: (honest) => [
          ...honest.slice(0, -1),
          createTransferCheckedInstruction(
            ata(payer.publicKey),
            USDC,
            ata(shop.recipient),
            payer.publicKey,
            1_000_000n,
            6,
            [],
            TOKEN_2022_PROGRAM_ID,
          ),
        ],
      })));

    it("a transfer that is not the checked one, is refused", () =>
      attack(usdc(), "instruction-unexpected", (shop) => ({
        instructions: (honest) => [
          ...honest.slice(0, -1),
          createTransferInstruction(ata(payer.publicKey), ata(shop.recipient), payer.publicKey, 1_000_000n),
        ],
      })));

    it("a transfer to a token account of the seller's that is not the associated one, is refused", async () => {
      const loose = Keypair.generate();
      await attack(usdc(), "transfer-unexpected", () => ({
        instructions: (honest) => [
          ...honest.slice(0, -1),
          createTransferCheckedInstruction(ata(payer.publicKey), USDC, loose.publicKey, payer.publicKey, 1_000_000n, 6),
        ],
      }));
    });
  });

  describe("a refusal says", () => {
    const detail = async (shop: Shop, change: Change): Promise<string> => {
      const refused = await shop.present(await paidBy(shop, payer, change)).catch((error: unknown) => error);
      return (refused as RefusedError).detail;
    };

    it("of an amount: what was signed and what is asked for, in base units, and what to do", async () => {
      const options = usdc({ splits: [50_000n, 40_000n].map((amount) => ({ recipient: partner.toBase58(), amount })) });
      const shop = await shopOf(options);
      const off = (to: string, amount: bigint): Change => ({
        instructions: (honest) => [
          ...honest.slice(0, 2),
          transfer(termsOf(shop, options), payer.publicKey, to, amount),
        ],
      });
      expect(await detail(shop, off(shop.recipient.toBase58(), 1_000_000n))).to.match(
        /of 1000000 base units; the challenge asks for 910000\. Sign/,
      );
      expect(await detail(shop, off(partner.toBase58(), 90_000n))).to.match(
        /of 90000 base units; the challenge asks for 50000 and 40000\. Sign/,
      );
      expect(await detail(shop, { instructions: (honest) => honest.slice(0, -1) })).to.match(
        /lacks the transfer of 40000 base units to /,
      );
    });

    it("of a fee: what it would be and what is paid, in lamports, and what to do", async () => {
      const budget: Change = {
        instructions: (honest) => [
          ComputeBudgetProgram.setComputeUnitPrice({ microLamports: 10_001 }),
          ComputeBudgetProgram.setComputeUnitLimit({ units: 200_000 }),
          ...honest.slice(2),
        ],
      };
      expect(await detail(await shopOf({ sponsor }), budget)).to.match(
        /priority fee would be 2001 lamports; at most 2000 are paid\. Lower/,
      );
      const splits = [{ recipient: Keypair.generate().publicKey.toBase58(), amount: 1n, ataCreationRequired: true }];
      const most = 10_199n + (await town.rpc.rentExemption(165));
      const shop = await shopOf(usdc({ splits, sponsor: { signer: sponsor, maxLamports: most } }));
      expect(await detail(shop, {})).to.match(
        new RegExp(`would cost ${most + 1n} lamports; at most ${most} are paid\\. Lower`),
      );
    });
  });

  describe("splits", () => {
    const options = (): ShopOptions =>
      usdc({ splits: [50_000n, 50_000n].map((amount) => ({ recipient: partner.toBase58(), amount })) });

    it("one transfer for two equal splits, is refused", () =>
      attack(options(), "transfer-missing", { instructions: (honest) => honest.slice(0, -1) }));

    it("two splits put together in one transfer, are refused", () =>
      attack(options(), "amount-mismatch", (shop) => ({
        instructions: (honest) => [
          ...honest.slice(0, -2),
          transfer(termsOf(shop, options()), payer.publicKey, partner.toBase58(), 100_000n),
        ],
      })));

    it("the whole amount to the seller and nothing to the split, is refused", () =>
      attack(options(), "amount-mismatch", (shop) => ({
        instructions: (honest) => [
          ...honest.slice(0, 2),
          transfer(termsOf(shop, options()), payer.publicKey, shop.recipient.toBase58(), 1_000_000n),
        ],
      })));

    it("the shares exchanged between seller and split, are refused", () =>
      attack(usdc({ splits: [{ recipient: partner.toBase58(), amount: 400_000n }] }), "amount-mismatch", (shop) => ({
        instructions: (honest) => [
          ...honest.slice(0, 2),
          transfer(termsOf(shop, options()), payer.publicKey, shop.recipient.toBase58(), 400_000n),
          transfer(termsOf(shop, options()), payer.publicKey, partner.toBase58(), 600_000n),
        ],
      })));
  });

  describe("who pays", () => {
    both("a payment that the seller makes to itself", "payer-is-recipient", () => ({}), {
      get recipient() {
        return payer.publicKey;
      },
    });

    it("a payment from somebody else's token account, is refused", () =>
      attack(usdc({ sponsor }), "transfer-authority", (shop) => ({
        instructions: (honest) => [
          ...honest.slice(0, -1),
          createTransferCheckedInstruction(
            ata(sponsor.publicKey),
            USDC,
            ata(shop.recipient),
            payer.publicKey,
            1_000_000n,
            6,
          ),
        ],
      })));

    it("a payment that the sponsor would have to authorize, is refused", async () => {
      const shop = await shopOf(usdc({ sponsor }));
      const { challenge, request } = await shop.challenge();
      const honest = transfer(request, sponsor.publicKey, request.recipient, request.amount);
      const transaction = await town.build({ feePayer: sponsor.publicKey, instructions: [honest] });
      await refused(shop, pull(challenge, transaction), "sponsor-account-used");
    });

    it("a payment in SOL from the sponsor's own account, is refused", async () => {
      const shop = await shopOf({ sponsor });
      const { challenge, request } = await shop.challenge();
      const theft = transfer(request, sponsor.publicKey, request.recipient, request.amount);
      await refused(
        shop,
        pull(challenge, await town.build({ feePayer: sponsor.publicKey, instructions: [theft] })),
        "sponsor-account-used",
      );
    });

    it("a second transfer of another authority, is refused", () =>
      attack({ splits: [{ recipient: partner.toBase58(), amount: 1n }] }, "transfer-authority", {
        instructions: (honest) => [...honest.slice(0, -1), unsigned(honest.at(-1)!, Keypair.generate().publicKey)],
      }));

    it("a second transfer from the payer's account that somebody else authorizes, is refused", () =>
      attack(usdc({ splits: [{ recipient: partner.toBase58(), amount: 1n }] }), "transfer-authority", {
        instructions: (honest) => {
          const other = { pubkey: Keypair.generate().publicKey, isSigner: false, isWritable: false };
          const last = honest.at(-1)!;
          return [
            ...honest.slice(0, -1),
            new TransactionInstruction({ ...last, keys: [...last.keys.slice(0, 3), other] }),
          ];
        },
      }));

    it("a second transfer that somebody else signs, is refused", async () => {
      const other = town.person();
      await attack({ splits: [{ recipient: partner.toBase58(), amount: 1n }] }, "signers-unexpected", {
        instructions: (honest) => [
          ...honest.slice(0, -1),
          SystemProgram.transfer({ fromPubkey: other.publicKey, toPubkey: partner, lamports: 1 }),
        ],
        signers: [other],
      });
    });

    it("a payer who did not sign, is refused", () =>
      attack({ sponsor }, "signature-invalid", { withoutSignature: true }));

    it("a payer who did not sign and pays the fee, is refused", () =>
      attack({}, "signature-invalid", { withoutSignature: true }));

    it("a signature of another message, is refused without asking any node", async () => {
      const shop = await shopOf({ sponsor });
      const { challenge, request } = await shop.challenge();
      const transaction = await signed(town, request, payer);
      const other = await signed(town, request, payer, { instructions: (honest) => [...honest, memo("x")] });
      transaction.signatures[1] = other.signatures[1]!;
      town.rpc.forget();
      expect(await shop.refusal(pull(challenge, transaction))).to.equal("signature-invalid");
      expect(town.rpc.calls()).to.equal(0);
    });

    it("a signature with a small-order point, which only lenient verifiers take, is refused", async () => {
      const shop = await shopOf({});
      const { challenge, request } = await shop.challenge();
      const transaction = await signed(town, request, payer);
      transaction.signatures[0]!.set([1, ...new Uint8Array(31)], 0);
      expect(await shop.refusal(pull(challenge, transaction))).to.equal("signature-invalid");
    });

    it("an authority that is not among the signers, is refused", () =>
      attack({ sponsor }, "transfer-authority", {
        instructions: (honest) => [
          memo("x", [payer.publicKey]),
          unsigned(honest.at(-1)!, Keypair.generate().publicKey),
        ],
      }));

    both(
      "a transaction that a third party signs too",
      "signers-unexpected",
      () => {
        const third = Keypair.generate();
        return {
          instructions: (honest) => [...honest, memo("x", [payer.publicKey]), cosigned(third)],
          signers: [third],
        };
      },
      {},
    );
  });

  describe("who pays the fee", () => {
    it("a sponsored charge whose fee the payer pays itself, is refused", () =>
      attack({ sponsor }, "fee-payer-mismatch", { feePayer: payer.publicKey }));

    it("an unsponsored charge whose fee somebody else pays, is refused", async () => {
      const other = town.person();
      await attack({}, "fee-payer-mismatch", { feePayer: other.publicKey, signers: [other] });
    });

    it("a challenge that names another server's fee payer, is refused", async () => {
      const shop = await shopOf({ sponsor });
      const other = new Shop(town, { sponsor: town.person(), recipient: shop.recipient });
      const { challenge, request } = await other.challenge();
      const credential = pull(challenge, await signed(town, request, payer));
      await refused(shop, credential, "challenge-mismatch");
      const unmatched = await shop.intent.redeem(credential, context()).then(
        () => "redeemed",
        (error: { code?: unknown }) => error.code,
      );
      expect(unmatched, "without `match`, too").to.equal("challenge-mismatch");
    });

    for (const [name, extra] of [
      [
        "a transfer of the sponsor's SOL",
        (key: PublicKey) => SystemProgram.transfer({ fromPubkey: key, toPubkey: partner, lamports: 1 }),
      ],
      [
        "a transfer of the sponsor's tokens",
        (key: PublicKey) => createTransferCheckedInstruction(ata(key), USDC, ata(partner), key, 1n, 6),
      ],
    ] as const) {
      it(`${name} beside the payment, is refused`, () =>
        attack(usdc({ sponsor }), "transfer-authority", {
          instructions: (honest) => [...honest, extra(sponsor.publicKey)],
        }));
    }

    for (const [name, extra] of [
      [
        "a nonce account of the sponsor's",
        (key: PublicKey) =>
          SystemProgram.nonceWithdraw({ noncePubkey: partner, authorizedPubkey: key, toPubkey: partner, lamports: 1 }),
      ],
      [
        "an account that the sponsor's lamports create",
        (key: PublicKey) =>
          SystemProgram.createAccountWithSeed({
            fromPubkey: key,
            basePubkey: key,
            seed: "x",
            newAccountPubkey: partner,
            lamports: 1,
            space: 0,
            programId: USDC,
          }),
      ],
      [
        "an assignment of the sponsor's account",
        (key: PublicKey) => SystemProgram.assign({ accountPubkey: key, programId: USDC }),
      ],
      [
        "an allocation in the sponsor's account",
        (key: PublicKey) => SystemProgram.allocate({ accountPubkey: key, space: 8 }),
      ],
      ["an approval of a delegate", (key: PublicKey) => createApproveInstruction(ata(key), partner, key, 1n)],
      [
        "a change of authority",
        (key: PublicKey) => createSetAuthorityInstruction(ata(key), key, AuthorityType.AccountOwner, partner),
      ],
      [
        "a closing of the sponsor's token account",
        (key: PublicKey) => createCloseAccountInstruction(ata(key), partner, key),
      ],
      ["a burn", (key: PublicKey) => createBurnInstruction(ata(key), USDC, key, 1n)],
    ] as const) {
      it(`${name}, is refused, whoever's it is`, async () => {
        await attack(usdc({ sponsor }), "instruction-unexpected", {
          instructions: (honest) => [...honest, extra(sponsor.publicKey)],
        });
        await attack(usdc({ sponsor }), "instruction-unexpected", {
          instructions: (honest) => [...honest, extra(payer.publicKey)],
        });
        await attack(usdc(), "instruction-unexpected", {
          instructions: (honest) => [...honest, extra(payer.publicKey)],
        });
      });
    }

    it("a transfer's multisig co-signer that is the sponsor, is refused", () =>
      attack(usdc({ sponsor }), "instruction-unexpected", (shop) => ({
        instructions: (honest) => [
          ...honest.slice(0, -1),
          createTransferCheckedInstruction(
            ata(payer.publicKey),
            USDC,
            ata(shop.recipient),
            payer.publicKey,
            1_000_000n,
            6,
            [sponsor],
          ),
        ],
      })));

    it("the sponsor as a memo's signer, is refused", () =>
      attack({ sponsor }, "memo-invalid", {
        instructions: (honest) => [...honest, memo("signed by the sponsor", [sponsor.publicKey])],
      }));

    it("the sponsor as what a wallet's assertion is about, is refused", () =>
      attack({ sponsor }, "sponsor-account-used", {
        instructions: (honest) => [...honest, assertion([sponsor.publicKey])],
      }));

    it("the sponsor as the destination of a split, is never asked for", () => {
      const splits = [{ recipient: sponsor.publicKey.toBase58(), amount: 1n }];
      expect(() => new Shop(town, { sponsor, splits })).to.throw(TypeError, "key of its own");
      expect(() => new Shop(town, { sponsor, recipient: sponsor.publicKey })).to.throw(TypeError, "key of its own");
    });
  });

  describe("instructions", () => {
    both("an instruction of an unknown program", "instruction-unexpected", () => ({
      instructions: (honest) => [
        ...honest,
        new TransactionInstruction({ programId: Keypair.generate().publicKey, keys: [], data: Buffer.alloc(0) }),
      ],
    }));

    both("a durable nonce", "durable-nonce", () => ({
      instructions: (honest) => [
        SystemProgram.nonceAdvance({ noncePubkey: partner, authorizedPubkey: payer.publicKey }),
        ...honest,
      ],
    }));

    both("a transfer's data with a byte too many", "instruction-unexpected", () => ({
      instructions: (honest) => [...honest.slice(0, -1), padded(honest.at(-1)!)],
    }));

    both(
      "a token transfer's data with a byte too many",
      "instruction-unexpected",
      () => ({ instructions: (honest) => [...honest.slice(0, -1), padded(honest.at(-1)!)] }),
      usdc(),
    );

    both("a transfer with an account too many", "instruction-unexpected", () => ({
      instructions: (honest) => [...honest.slice(0, -1), withAccount(honest.at(-1)!, partner)],
    }));

    both(
      "a token transfer with an account too many",
      "instruction-unexpected",
      () => ({ instructions: (honest) => [...honest.slice(0, -1), withAccount(honest.at(-1)!, partner)] }),
      usdc(),
    );

    both("an allocation in the payer's account that is as long as a transfer", "instruction-unexpected", () => ({
      instructions: (honest) => [...honest.slice(0, -1), renumbered(honest.at(-1)!, 8)],
    }));

    both(
      "a burning of tokens that is as long as a transfer",
      "instruction-unexpected",
      () => ({ instructions: (honest) => [...honest.slice(0, -1), renumbered(honest.at(-1)!, 15)] }),
      usdc(),
    );

    for (const [name, code, change] of [
      ["two compute limits", "compute-budget-invalid", (honest: TransactionInstruction[]) => [...honest, honest[1]!]],
      ["two compute prices", "compute-budget-invalid", (honest: TransactionInstruction[]) => [honest[0]!, ...honest]],
      [
        "two limits of loaded data",
        "compute-budget-invalid",
        (honest: TransactionInstruction[]) => [...honest, budget([4, 0, 0, 1, 0]), budget([4, 0, 0, 1, 0])],
      ],
      [
        "a heap of its own",
        "instruction-unexpected",
        (honest: TransactionInstruction[]) => [...honest, ComputeBudgetProgram.requestHeapFrame({ bytes: 64 * 1024 })],
      ],
      [
        "the deprecated units request",
        "instruction-unexpected",
        (honest: TransactionInstruction[]) => [...honest.slice(2), budget([0, 64, 13, 3, 0, 1, 0, 0, 0])],
      ],
      [
        "a compute limit with a byte too many",
        "instruction-unexpected",
        (honest: TransactionInstruction[]) => [padded(honest[1]!), honest[2]!],
      ],
      [
        "a compute price with a byte too many",
        "instruction-unexpected",
        (honest: TransactionInstruction[]) => [padded(honest[0]!), honest[2]!],
      ],
      [
        "a compute limit that names an account",
        "instruction-unexpected",
        (honest: TransactionInstruction[]) => [withAccount(honest[1]!, partner), honest[2]!],
      ],
    ] as const) {
      both(name, code, () => ({ instructions: change }));
    }

    both("a memo of more than 566 bytes", "memo-invalid", () => ({
      instructions: (honest) => [...honest, memo("x".repeat(567))],
    }));

    both("a memo that somebody else signs", "signers-unexpected", () => {
      const third = Keypair.generate();
      return { instructions: (honest) => [...honest, memo("x", [third.publicKey])], signers: [third] };
    });

    it("a memo that names an account which does not sign, is refused", () =>
      attack({}, "memo-invalid", {
        instructions: (honest) => [...honest, withAccount(memo("x"), partner)],
      }));

    it("up to three assertions of a wallet are let through, four on a sponsored transaction are refused", async () => {
      const guard = () => assertion([payer.publicKey]);
      await attack({ sponsor }, "instruction-unexpected", {
        instructions: (honest) => [...honest, guard(), guard(), guard(), guard()],
      });
      // The embedded chain has no Lighthouse; its Memo takes the same bytes.
      const program = await town.connection.getAccountInfo(memo("x").programId);
      town.net.addProgram(LIGHTHOUSE.toBase58(), program!.data);
      for (const count of [1, 3]) {
        for (const options of [{}, { sponsor }]) {
          const shop = await shopOf(options);
          const change = {
            instructions: (honest: TransactionInstruction[]) => [...honest, ...Array.from({ length: count }, guard)],
          };
          await shop.sell(await paidBy(shop, payer, change));
          expect(await town.lamports(shop.recipient)).to.equal(1_000_000n);
        }
      }
    });

    for (const discriminator of [4, 7, 8, 11, 12, 13, 14, 15]) {
      it(`Lighthouse's instruction ${discriminator}, which can look at more than the payer's accounts, is not sponsored`, () =>
        attack({ sponsor }, "instruction-unexpected", {
          instructions: (honest) => [...honest, assertion([payer.publicKey], discriminator)],
        }));
    }

    for (const [about, accounts] of [
      ["nothing, as one about the time is", []],
      ["the clock", [SYSVAR_CLOCK_PUBKEY]],
      ["an account of somebody else", [Keypair.generate().publicKey]],
      ["the recipient's account", "recipient"],
      ["the payer's account and another", "both"],
    ] as const) {
      it(`an assertion about ${about}, is not sponsored`, () =>
        attack(usdc({ sponsor }), "instruction-unexpected", (shop) => {
          const named = { recipient: [ata(shop.recipient)], both: [ata(payer.publicKey), SYSVAR_CLOCK_PUBKEY] };
          const keys = typeof accounts === "string" ? named[accounts] : accounts;
          return { instructions: (honest) => [...honest, looking(keys)] };
        }));
    }

    it("assertions about the payer, and about the account that it pays from, are sponsored", async () => {
      const shop = await shopOf(usdc({ sponsor }));
      for (const discriminator of [2, 3, 5, 6, 9, 10]) {
        const own = [looking([payer.publicKey], discriminator), looking([ata(payer.publicKey)], discriminator)];
        const credential = await paidBy(shop, payer, { instructions: (honest) => [...honest, ...own] });
        // The embedded chain has no Lighthouse: what the policy lets through is tried, and fails there.
        town.rpc.forget();
        town.rpc.fault("simulate", async () => ({ err: "a trial", logs: [] }));
        expect(await shop.refusal(credential)).to.equal("simulation-failed");
        expect(town.rpc.calls("simulate")).to.equal(1);
        town.rpc.heal();
      }
    });

    for (const discriminator of [0, 1, 16, 17]) {
      both(`Lighthouse's instruction ${discriminator}, which is no mere assertion`, "instruction-unexpected", () => ({
        instructions: (honest) => [...honest, assertion([payer.publicKey], discriminator)],
      }));
    }

    it("the challenge's externalId is asked for as a memo where the seller says so", async () => {
      const options = { externalId: () => "order-9", settlement: { requireMemo: true } };
      const without = { instructions: (honest: TransactionInstruction[]) => honest.filter((_, at) => at !== 2) };
      await attack(options, "memo-missing", without);
      await attack(options, "memo-missing", {
        instructions: (honest) => [...honest.filter((_, at) => at !== 2), memo("order-90")],
      });
      const shop = await shopOf(options);
      await shop.sell(await paidBy(shop, payer));
      const lax = await shopOf({ externalId: () => "order-9" });
      await lax.sell(await paidBy(lax, payer, without));
    });
  });

  describe("token accounts that are created", () => {
    const owner = Keypair.generate().publicKey.toBase58();
    const options = (marked: boolean): ShopOptions =>
      usdc({ splits: [{ recipient: owner, amount: 1_000n, ...(marked ? { ataCreationRequired: true } : {}) }] });
    const creation = (shop: Shop, funder: PublicKey, of: string) => createAccount(termsOf(shop, usdc()), funder, of);

    it("a marked split's that is missing, is refused", () =>
      attack({ ...options(true), sponsor }, "account-creation-missing", {
        instructions: (honest) => honest.filter((one) => one.data.length !== 1),
      }));

    it("a marked split's that is created after it is paid, is refused", () =>
      attack({ ...options(true), sponsor }, "account-creation-missing", {
        instructions: (honest) => [
          ...honest.filter((one) => one.data.length !== 1),
          ...honest.filter((one) => one.data.length === 1),
        ],
      }));

    it("an unmarked split's at the sponsor's expense, is refused", () =>
      attack({ ...options(false), sponsor }, "account-creation-unexpected", (shop) => ({
        instructions: (honest) => [creation(shop, sponsor.publicKey, owner), ...honest],
      })));

    for (const sponsored of [true, false]) {
      const more = () => (sponsored ? { sponsor } : {});
      const funder = () => (sponsored ? sponsor.publicKey : payer.publicKey);

      it(`the seller's own at the ${sponsored ? "sponsor" : "payer"}'s expense, is refused`, () =>
        attack({ ...options(true), ...more() }, "account-creation-unexpected", (shop) => ({
          instructions: (honest) => [creation(shop, funder(), shop.recipient.toBase58()), ...honest],
        })));

      it(`a stranger's at the ${sponsored ? "sponsor" : "payer"}'s expense, is refused`, () =>
        attack({ ...options(true), ...more() }, "account-creation-unexpected", (shop) => ({
          instructions: (honest) => [creation(shop, funder(), Keypair.generate().publicKey.toBase58()), ...honest],
        })));

      it(`a marked split's of another mint at the ${sponsored ? "sponsor" : "payer"}'s expense, is refused`, () =>
        attack({ ...options(true), ...more() }, "account-creation-unexpected", () => ({
          instructions: (honest) => [
            (() => {
              const [mint, key] = [Keypair.generate().publicKey, new PublicKey(owner)];
              const account = ata(key, { mint, program: SPL.program });
              return createAssociatedTokenAccountIdempotentInstruction(funder(), account, key, mint);
            })(),
            ...honest,
          ],
        })));

      it(`a marked split's of the other token program at the ${sponsored ? "sponsor" : "payer"}'s expense, is refused`, () =>
        attack({ ...options(true), ...more() }, "account-creation-unexpected", () => ({
          instructions: (honest) => [
            (() => {
              const key = new PublicKey(owner);
              const account = ata(key, { mint: USDC, program: TOKEN_2022_PROGRAM_ID });
              return createAssociatedTokenAccountIdempotentInstruction(
                funder(),
                account,
                key,
                USDC,
                TOKEN_2022_PROGRAM_ID,
              );
            })(),
            ...honest,
          ],
        })));

      it(`one that fails when it is there (${sponsored ? "sponsored" : "unsponsored"}), is refused`, () =>
        attack({ ...options(true), ...more() }, "instruction-unexpected", () => ({
          instructions: (honest) =>
            honest.map((one) =>
              one.data.length === 1
                ? createAssociatedTokenAccountInstruction(
                    funder(),
                    ata(new PublicKey(owner)),
                    new PublicKey(owner),
                    USDC,
                  )
                : one,
            ),
        })));
    }

    it("one with an account too many, is refused", () =>
      attack({ ...options(true), sponsor }, "instruction-unexpected", {
        instructions: (honest) => honest.map((one) => (one.data.length === 1 ? withAccount(one, partner) : one)),
      }));

    it("one that calls another program than the system's, is refused", () =>
      attack({ ...options(true), sponsor }, "instruction-unexpected", {
        instructions: (honest) =>
          honest.map((one) => {
            if (one.data.length !== 1) return one;
            const other = { pubkey: LIGHTHOUSE, isSigner: false, isWritable: false };
            return new TransactionInstruction({ ...one, keys: one.keys.map((key, at) => (at === 4 ? other : key)) });
          }),
      }));

    it("one that somebody else pays for, is refused", () =>
      attack({ ...options(true), sponsor }, "account-creation-unexpected", (shop) => ({
        instructions: (honest) =>
          honest.map((one) => (one.data.length === 1 ? creation(shop, payer.publicKey, owner) : one)),
      })));

    it("one under an address that is not the owner's, is refused", () =>
      attack({ ...options(true), sponsor }, "account-creation-unexpected", (shop) => ({
        instructions: (honest) => [
          (() => {
            const made = creation(shop, sponsor.publicKey, owner);
            made.keys[1]!.pubkey = ata(partner);
            return made;
          })(),
          ...honest,
        ],
      })));

    it("one in a charge of SOL, is refused", () =>
      attack(
        { splits: [{ recipient: partner.toBase58(), amount: 1_000n }] },
        "account-creation-unexpected",
        (shop) => ({
          instructions: (honest) => [creation(shop, payer.publicKey, partner.toBase58()), ...honest],
        }),
      ));
  });

  describe("what it costs the sponsor", () => {
    const price = (microLamports: bigint | number, units?: number): Change => ({
      instructions: (honest) => [
        ComputeBudgetProgram.setComputeUnitPrice({ microLamports }),
        ...(units === undefined ? [] : [ComputeBudgetProgram.setComputeUnitLimit({ units })]),
        ...honest.slice(2),
      ],
    });

    it("2,000 lamports of priority fee are sponsored, one more is refused", async () => {
      const shop = await shopOf({ sponsor });
      const before = await town.lamports(sponsor.publicKey);
      await shop.sell(await paidBy(shop, payer, price(10_000, 200_000)));
      expect(await town.lamports(sponsor.publicKey)).to.equal(before - 12_000n);
      await attack({ sponsor }, "fee-too-high", price(10_001, 200_000));
    });

    it("a fraction of a lamport counts as one", () => attack({ sponsor }, "fee-too-high", price(2_000_000_001, 1)));

    it("an absent limit counts as 200,000 units an instruction", async () => {
      const shop = await shopOf({ sponsor });
      await shop.sell(await paidBy(shop, payer, price(5_000)));
      await attack({ sponsor }, "fee-too-high", price(5_001));
    });

    it("an absent limit counts as 1,400,000 units at most", async () => {
      const many = (microLamports: number): Change => ({
        instructions: (honest) => [
          ComputeBudgetProgram.setComputeUnitPrice({ microLamports }),
          ...honest.slice(2),
          ...Array.from({ length: 8 }, () => memo("x")),
        ],
      });
      const shop = await shopOf({ sponsor });
      await shop.sell(await paidBy(shop, payer, many(1_428)));
      await attack({ sponsor }, "fee-too-high", many(1_429));
    });

    it("the highest price there is, is refused and not overflowed", () =>
      attack({ sponsor }, "fee-too-high", price(2n ** 64n - 1n, 1_400_000)));

    it("the rent of an account counts, where the seller limits the whole", async () => {
      const rent = await town.rpc.rentExemption(165);
      const fresh = () => [
        { recipient: Keypair.generate().publicKey.toBase58(), amount: 1n, ataCreationRequired: true },
      ];
      const limited = (maxLamports: bigint) => usdc({ splits: fresh(), sponsor: { signer: sponsor, maxLamports } });
      const shop = await shopOf(limited(10_200n + rent));
      await shop.sell(await paidBy(shop, payer));
      await attack(limited(10_199n + rent), "fee-too-high", {});
      const hopeless = await (await shopOf(limited(9_999n + rent))).challenge();
      expect(hopeless.request.feePayer, "what no transaction can keep to is not promised").to.equal(false);
    });

    it("a payer who pays its own fee may pay what it likes", async () => {
      const shop = await shopOf({});
      await shop.sell(await paidBy(shop, payer, price(1_000_000, 1_000_000)));
      expect(await town.lamports(shop.recipient)).to.equal(1_000_000n);
    });

    it("nobody can set a priority fee that no charge is worth", () => {
      expect(() => new Shop(town, { sponsor: { signer: sponsor, maxPriorityLamports: 20_001n } })).to.throw(RangeError);
    });
  });

  describe("how it is written", () => {
    async function bytes(change: (wire: Uint8Array) => Uint8Array, code: string, options: ShopOptions = {}) {
      const shop = await shopOf(options);
      const { challenge, request } = await shop.challenge();
      const wire = (await signed(town, request, payer)).serialize();
      await refused(shop, pull(challenge, change(wire)), code);
    }
    /** v0, unsponsored: count, 64 bytes, version, header, count of keys. */
    const HEADER_AT = 1 + 64 + 1;

    it("bytes behind the transaction, are refused", () =>
      bytes((wire) => Uint8Array.of(...wire, 0), "transaction-encoding"));
    it("a transaction that is cut off, is refused", () => bytes((wire) => wire.slice(0, -1), "transaction-encoding"));
    it("bytes that are none, are refused", () => bytes(() => Uint8Array.of(1, 2, 3), "transaction-encoding"));
    it("a length that is written in more bytes than it needs, is refused", () =>
      bytes((wire) => Uint8Array.of(0x81, 0, ...wire.slice(1)), "transaction-encoding"));
    it("a version that is not there yet, is refused", () =>
      bytes((wire) => patched(wire, 1 + 64, 0x81), "transaction-encoding"));
    it("no signer at all, is refused", () =>
      bytes((wire) => Uint8Array.of(0, ...patched(wire, HEADER_AT, 0).slice(65)), "transaction-encoding"));
    it("a fee payer that is read-only, is refused", () =>
      bytes((wire) => patched(wire, HEADER_AT + 1, 1), "transaction-encoding"));
    it("more read-only accounts than there are, are refused", () =>
      bytes((wire) => patched(wire, HEADER_AT + 2, 200), "transaction-encoding"));
    it("an address that is there twice, is refused", () =>
      bytes((wire) => {
        const twice = Uint8Array.from(wire);
        twice.copyWithin(HEADER_AT + 4 + 32, HEADER_AT + 4, HEADER_AT + 4 + 32);
        return twice;
      }, "transaction-encoding"));

    for (const [name, patch] of [
      ["an account that is not there", { accountKeyIndexes: [0, 77] }],
      ["a program that is not there", { programIdIndex: 77 }],
      ["the fee payer as a program", { programIdIndex: 0 }],
    ] as const) {
      it(`an instruction that names ${name}, is refused`, async () => {
        const shop = await shopOf({});
        const { challenge, request } = await shop.challenge();
        const { message } = await signed(town, request, payer);
        const last = message.compiledInstructions.at(-1)!;
        const broken = new MessageV0({
          ...(message as MessageV0),
          header: message.header,
          staticAccountKeys: message.staticAccountKeys,
          recentBlockhash: message.recentBlockhash,
          addressTableLookups: [],
          compiledInstructions: [
            ...message.compiledInstructions.slice(0, -1),
            {
              ...last,
              ...patch,
              accountKeyIndexes: [...("accountKeyIndexes" in patch ? patch.accountKeyIndexes : last.accountKeyIndexes)],
            },
          ],
        });
        const transaction = new VersionedTransaction(broken);
        transaction.sign([payer]);
        await refused(shop, pull(challenge, transaction), "transaction-encoding");
      });
    }

    it("a transaction that takes its accounts from lookup tables, in whatever order, is refused", async () => {
      const shop = await shopOf({ sponsor });
      const { challenge, request } = await shop.challenge();
      const table = (addresses: PublicKey[]) =>
        new AddressLookupTableAccount({
          key: Keypair.generate().publicKey,
          state: { deactivationSlot: 2n ** 64n - 1n, lastExtendedSlot: 0, lastExtendedSlotStartIndex: 0, addresses },
        });
      const pay = transfer(request, payer.publicKey, request.recipient, request.amount);
      const message = new TransactionMessage({
        payerKey: sponsor.publicKey,
        recentBlockhash: request.recentBlockhash!,
        instructions: [withAccount(memo("x"), partner), pay],
      }).compileToV0Message([table([shop.recipient]), table([partner])]);
      expect(message.addressTableLookups).to.have.length(2);
      const transaction = new VersionedTransaction(message);
      transaction.sign([payer]);
      await refused(shop, pull(challenge, transaction), "lookup-table");
    });
  });

  describe("what nodes say", () => {
    it("a payer who cannot pay, is refused before anything is sent, and told why", async () => {
      const poor = town.person({ lamports: 10_000n });
      const shop = await shopOf({ sponsor });
      const { challenge, request } = await shop.challenge();
      const credential = pull(challenge, await signed(town, request, poor));
      await refused(shop, credential, "simulation-failed");
      expect(await shop.refusal(credential), "and again").to.equal("simulation-failed");
    });

    it("a blockhash that is not recent, is refused", async () => {
      const shop = await shopOf({ sponsor });
      const { challenge, request } = await shop.challenge();
      const old = Keypair.generate().publicKey.toBase58();
      await refused(
        shop,
        pull(challenge, await signed(town, request, payer, { blockhash: old })),
        "transaction-expired",
      );
    });

    it("a mint with a transfer hook, is not asked for", async () => {
      const mint = await town.mint2022([], {
        kinds: [ExtensionType.TransferHook],
        extend: (mint, authority) => [
          createInitializeTransferHookInstruction(mint, authority, partner, TOKEN_2022_PROGRAM_ID),
        ],
      });
      expect(await offerOf({ currency: mint.mint.toBase58() })).to.equal("asset-unsupported");
    });

    it("a mint with a transfer hook that names no program, is asked for", async () => {
      const mint = await town.mint2022([], {
        kinds: [ExtensionType.TransferHook],
        extend: (mint, authority) => [
          createInitializeTransferHookInstruction(mint, authority, PublicKey.default, TOKEN_2022_PROGRAM_ID),
        ],
      });
      await town.openAccount(partner, mint);
      expect(await offerOf({ currency: mint.mint.toBase58(), recipient: partner })).to.equal("offered");
    });

    it("a mint whose tokens cannot be transferred, is not asked for", async () => {
      const mint = await town.mint2022([], {
        kinds: [ExtensionType.NonTransferable],
        extend: (mint) => [createInitializeNonTransferableMintInstruction(mint, TOKEN_2022_PROGRAM_ID)],
      });
      expect(await offerOf({ currency: mint.mint.toBase58() })).to.equal("asset-unsupported");
    });

    it("what is no mint, is not asked for", async () => {
      expect(await offerOf({ currency: partner.toBase58() })).to.equal("asset-unsupported");
      expect(await offerOf({ currency: Keypair.generate().publicKey.toBase58() })).to.equal("asset-unsupported");
      expect(await offerOf({ currency: ata(partner).toBase58() })).to.equal("asset-unsupported");
    });

    it("a seller without a token account, asks for nothing that nobody could pay", async () => {
      expect(await offerOf(usdc())).to.equal("recipient-account-missing");
      expect(await offerOf({ price: 1_000n })).to.equal("recipient-account-missing");
    });

    it("a challenge whose decimals are not the mint's, is refused, whatever those of the transfer", async () => {
      const shop = await shopOf(usdc());
      const honest = await shop.challenge();
      const { challenge, request } = issued(ChargeRequest.toJson({ ...honest.request, decimals: 9 }));
      await refused(shop, pull(challenge, await signed(town, request, payer)), "asset-mismatch");
      await refused(shop, pull(challenge, await signed(town, honest.request, payer)), "asset-mismatch");
    });

    async function offerOf(options: ShopOptions): Promise<unknown> {
      try {
        await new Shop(town, options).challenge();
        return "offered";
      } catch (error) {
        return (error as { code?: unknown }).code;
      }
    }
  });

  /** The terms of a shop, for building transfers by. */
  function termsOf(shop: Shop, options: ShopOptions): ChargeRequest.ChargeRequest {
    const token = options.currency === undefined ? {} : { decimals: 6, tokenProgram: SPL.program.toBase58() };
    return {
      amount: 1_000_000n,
      currency: options.currency ?? "sol",
      recipient: shop.recipient.toBase58(),
      network: "localnet",
      feePayer: false,
      splits: [],
      ...token,
    };
  }
});

/** Another instruction of the same program, with the same data behind its number. */
function renumbered(instruction: TransactionInstruction, discriminator: number): TransactionInstruction {
  const data = Buffer.from(instruction.data);
  data[0] = discriminator;
  return new TransactionInstruction({ ...instruction, data });
}

function padded(instruction: TransactionInstruction): TransactionInstruction {
  return new TransactionInstruction({ ...instruction, data: Buffer.concat([instruction.data, Buffer.of(0)]) });
}

function withAccount(instruction: TransactionInstruction, pubkey: PublicKey): TransactionInstruction {
  const keys = [...instruction.keys, { pubkey, isSigner: false, isWritable: false }];
  return new TransactionInstruction({ ...instruction, keys });
}

/** A SOL transfer whose source does not sign. */
function unsigned(instruction: TransactionInstruction, source: PublicKey): TransactionInstruction {
  const [, to] = instruction.keys;
  return new TransactionInstruction({
    ...instruction,
    keys: [{ pubkey: source, isSigner: false, isWritable: true }, to!],
  });
}

/** An assertion whose account list makes a third party sign. */
function cosigned(third: Keypair): TransactionInstruction {
  return new TransactionInstruction({
    programId: LIGHTHOUSE,
    keys: [{ pubkey: third.publicKey, isSigner: true, isWritable: false }],
    data: Buffer.of(9, 0),
  });
}

function assertion(accounts: readonly PublicKey[], discriminator = 9): TransactionInstruction {
  return new TransactionInstruction({
    programId: LIGHTHOUSE,
    // Signers, so that the Memo program, which stands in for it, is content.
    keys: accounts.map((pubkey) => ({ pubkey, isSigner: true, isWritable: false })),
    data: Buffer.of(discriminator, 0),
  });
}

/** An assertion as wallets make it: nobody signs for it. */
function looking(accounts: readonly PublicKey[], discriminator = 9): TransactionInstruction {
  return new TransactionInstruction({
    programId: LIGHTHOUSE,
    keys: accounts.map((pubkey) => ({ pubkey, isSigner: false, isWritable: false })),
    data: Buffer.of(discriminator, 0),
  });
}

function budget(data: readonly number[]): TransactionInstruction {
  return new TransactionInstruction({ programId: ComputeBudgetProgram.programId, keys: [], data: Buffer.from(data) });
}

function patched(wire: Uint8Array, at: number, value: number): Uint8Array {
  const copy = Uint8Array.from(wire);
  copy[at] = value;
  return copy;
}
