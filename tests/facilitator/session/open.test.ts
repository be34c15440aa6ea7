// Which opens the facilitator takes: those whose terms it would offer now, of strangers, once.
import type { SessionRequest } from "@mppsol/core";
import { session } from "@mppsol/programs";
import { Keypair, PublicKey } from "@solana/web3.js";
import { expect } from "chai";
import { DEPOSIT, GRACE, instead, type Office, Plaza, RENT, refusal, UNIT, Wallet } from "./plaza.ts";

type Request = SessionRequest.SessionRequest;

describe("opening a managed session", () => {
  let plaza: Plaza;
  let office: Office;
  let seller: Keypair;
  before(async () => {
    plaza = await Plaza.start();
    office = await plaza.office();
    seller = plaza.seller();
  });
  afterEach(() => plaza.market.checkBooks());
  after(() => plaza.stop());

  /** What an open is refused with; nothing may have happened by then. */
  async function refused(options: Parameters<typeof Wallet.prepare>[1]): Promise<string> {
    const before = await plaza.purse();
    const wallet = await Wallet.prepare(office, options);
    const code = await refusal(wallet.present());
    expect(await wallet.onChain(), "a channel").equal(undefined);
    expect(await plaza.purse(), "lamports of the fee payers").equal(before);
    expect(await office.sessions.get(wallet.channelId), "a session").equal(undefined);
    return code;
  }

  const stranger = Keypair.generate().publicKey.toBase58();
  const forgeries: Record<string, { change: (request: Request) => Request; code?: string }> = {
    "another seller's share": {
      change: (request) => ({ ...request, distributionSplits: [{ recipient: stranger, shareBps: 9_000 }] }),
    },
    "a second share beside the seller's": {
      change: (request) => ({
        ...request,
        distributionSplits: [
          { ...request.distributionSplits[0]!, shareBps: 9_999 },
          { recipient: stranger, shareBps: 1 },
        ],
      }),
    },
    "no shares": { change: (request) => ({ ...request, distributionSplits: [] }) },
    "another payee": { change: (request) => ({ ...request, recipient: stranger }) },
    "another fee payer": { change: (request) => ({ ...request, feePayerKey: stranger }) },
    "a shorter grace period": { change: (request) => ({ ...request, gracePeriodSeconds: GRACE - 1 }) },
    "a longer grace period": { change: (request) => ({ ...request, gracePeriodSeconds: GRACE + 1 }) },
    "another network": { change: (request) => ({ ...request, network: "devnet" }) },
    "another program": { change: (request) => ({ ...request, channelProgram: stranger }) },
    "other decimals": { change: (request) => ({ ...request, decimals: 9 }) },
    "a lower least deposit": { change: (request) => ({ ...request, minimumDeposit: 1n }) },
    "no least deposit": {
      change: ({ minimumDeposit: _, ...request }) => request as Request,
    },
    "idle timeouts to choose from": { change: (request) => ({ ...request, idleTimeoutOptionsSeconds: [2_592_000] }) },
    "a least rise of vouchers": { change: (request) => ({ ...request, minVoucherDelta: 1_000_000n }) },
    "an operator of somebody else's": {
      change: (request) => ({ ...request, voucherSigner: "operator", operator: stranger }),
    },
    "a price of nothing": { change: (request) => ({ ...request, amount: 0n }) },
    "another mint": { change: (request) => ({ ...request, currency: stranger }), code: "mint-not-allowed" },
    "a channel to go on with": {
      change: ({ recentBlockhash: _1, recentSlot: _2, ...request }) => ({ ...request, channelId: stranger }) as Request,
    },
  };
  for (const [what, { change, code = "challenge-mismatch" }] of Object.entries(forgeries)) {
    it(`is refused for terms that it would not offer: ${what}`, async () => {
      const honest = await Wallet.prepare(office, { seller });
      const request = change(honest.challenge.request);
      const before = await plaza.purse();
      const presented = office.sessions.open({ id: honest.challenge.id, request }, honest.action);
      expect(await refusal(presented)).equal(code);
      expect(await plaza.purse()).equal(before);
      expect(await honest.onChain()).equal(undefined);
    });
  }

  it("is taken with a seller's own description and reference in the challenge", async () => {
    const wallet = await Wallet.prepare(office, {
      seller,
      request: (request) => ({ ...request, description: "weather", externalId: "order 7" }),
    });
    expect(await wallet.open()).include({ status: "open" });
  });

  it("is suggested with a deposit for a hundred units, never below the least one", async () => {
    const asked = {
      seller: seller.publicKey.toBase58(),
      currency: plaza.config.mints[0],
      voucherSigner: "client",
    } as const;
    const suggested = async (more: { amount: bigint; suggestedDeposit?: bigint }) =>
      (await office.sessions.terms({ ...asked, ...more })).suggestedDeposit;
    expect(await suggested({ amount: 100n })).equal(10_000n);
    expect(await suggested({ amount: 1n })).equal(1_000n);
    expect(await suggested({ amount: 100n, suggestedDeposit: 5n })).equal(1_000n);
    expect(await suggested({ amount: 100n, suggestedDeposit: 7_000n })).equal(7_000n);
    expect(await suggested({ amount: 2n ** 64n - 1n })).equal(2n ** 64n - 1n);
  });

  it("is refused when the transaction shares with somebody whom the terms do not name", async () => {
    const splits = [{ recipient: stranger, shareBps: 10_000 }];
    expect(await refused({ seller, input: { splits } })).equal("open-splits");
  });

  it("is refused below the least deposit, which is never below one unit", async () => {
    expect(await refused({ seller, deposit: 999n })).equal("open-deposit");
    const dear = await office.terms(seller, "client", 5_000n);
    expect(dear.minimumDeposit).equal(5_000n);
    expect((await office.terms(seller, "client", UNIT)).minimumDeposit).equal(1_000n);
  });

  it("is refused for keys of its own as payer or voucher signer", async () => {
    const [, second] = plaza.feePayers;
    for (const key of [second!, plaza.settlement, plaza.operator]) {
      expect(await refused({ seller, authorizedSigner: key.publicKey }), key.publicKey.toBase58()).equal(
        "open-fee-payer",
      );
    }
    for (const key of [...plaza.feePayers, plaza.settlement]) {
      // Whoever sends it has no signature of theirs; and if it had, they would not pay for themselves.
      expect(await refused({ seller, buyer: key, deposit: DEPOSIT }), key.publicKey.toBase58()).equal("open-fee-payer");
    }
  });

  it("is refused for a voucher signer under which no signature can hold", async () => {
    // A point of small order, and no point at all.
    const neutral = new PublicKey(Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 1 : 0)));
    const [offCurve] = PublicKey.findProgramAddressSync([Buffer.from("nobody")], plaza.settlement.publicKey);
    for (const authorizedSigner of [neutral, offCurve]) {
      expect(await refused({ seller, authorizedSigner })).equal("open-authorized-signer");
    }
  });

  it("is refused for a seller that is a key of its own, or cannot be paid", async () => {
    for (const own of [...plaza.feePayers, plaza.settlement, plaza.operator]) {
      expect(await refusal(office.terms(own))).equal("seller_not_allowed");
    }
    expect(await refusal(office.terms(Keypair.generate()))).equal("recipient-account-missing");
  });

  it("is refused for a seller who is not among those that may sell, and for one who is not any more", async () => {
    const [listed, other] = [plaza.seller(), plaza.seller()];
    const closed = await plaza.office({ config: { sellers: [listed.publicKey.toBase58()] } });
    expect(await refusal(closed.terms(other))).equal("seller_not_allowed");
    const wallet = await Wallet.prepare(office, { seller: other });
    expect(await refusal(wallet.at(closed).present())).equal("seller_not_allowed");
    expect(await wallet.onChain()).equal(undefined);
    await closed.open({ seller: listed });
  });

  it("is refused for a seller whose account is gone by then", async () => {
    const leaving = plaza.market.person({ usdc: 0n });
    const wallet = await Wallet.prepare(office, { seller: leaving });
    await plaza.closeAccount(leaving);
    expect(await refusal(wallet.present())).equal("recipient-account-missing");
    expect(await wallet.onChain()).equal(undefined);
  });

  it("is refused with more in the transaction than the open", async () => {
    const [first] = plaza.feePayers;
    const gift = await session.reclaim({ channel: Keypair.generate().publicKey, rentPayer: first!.publicKey });
    expect(await refused({ seller, instructions: (honest) => [...honest, ...gift] })).equal("open-instructions");
  });

  it("is refused with the signature of somebody else", async () => {
    const wallet = await Wallet.prepare(office, { seller });
    const forged = Uint8Array.from(wallet.action.transaction);
    // Behind the count come two signatures of 64 bytes; the second is the payer's.
    forged[1 + 64 + 5]! ^= 1;
    const presented = office.sessions.open(wallet.challenge, { ...wallet.action, transaction: forged });
    expect(await refusal(presented)).equal("open-signature");
  });

  it("needs in operator mode the proof of the payer, for this channel and this challenge", async () => {
    const wallet = await Wallet.prepare(office, { seller, mode: "operator" });
    const { authentication: _, ...bare } = wallet.action;
    expect(await refusal(office.sessions.open(wallet.challenge, bare))).equal("open-authentication");
    const other = await Wallet.prepare(office, { seller, mode: "operator" });
    const borrowed = { ...wallet.action, authentication: other.proof };
    expect(await refusal(office.sessions.open(wallet.challenge, borrowed))).equal("open-authentication");
    const elsewhere = { ...wallet.challenge, id: "another challenge" };
    expect(await refusal(office.sessions.open(elsewhere, wallet.action))).equal("open-authentication");
    expect(await wallet.onChain()).equal(undefined);
  });

  it("happens once: the same bytes get the same answer, one after the other and at once", async () => {
    const wallet = await Wallet.prepare(office, { seller });
    const before = await plaza.purse();
    const first = await wallet.open();
    const again = await wallet.open();
    expect(again).deep.equal(first);
    const crowd = await Wallet.prepare(office, { seller, buyer: wallet.buyer });
    const answers = await Promise.all(Array.from({ length: 8 }, () => crowd.open()));
    expect(new Set(answers.map(({ signature }) => signature)).size).equal(1);
    expect(await plaza.tokens(wallet.buyer)).equal(10_000n - 2n * DEPOSIT);
    expect(before - (await plaza.purse())).equal(2n * (RENT + 10_000n));
  });

  it("gives the close token only to who knows the challenge, though everybody can read the transaction", async () => {
    const wallet = await office.open({ seller });
    const guess = { id: "what might the challenge have been", request: wallet.challenge.request };
    expect(await refusal(office.sessions.open(guess, wallet.action))).equal("open-used");
  });

  it("is not called refused while it may land, though its terms are not offered any more", async () => {
    const send = () => Promise.resolve();
    const deaf = await plaza.office({ rpc: instead(plaza.rpc, { send }) });
    const wallet = (await Wallet.prepare(office, { seller })).at(deaf);
    const first = await wallet.present();
    expect(first).include({ pending: true });
    const later = await plaza.office({ config: { feeBps: 100 } });
    const moved = wallet.at(later);
    expect(await moved.present(), "nobody has sent it yet").deep.equal(first);
    await later.sessions.tick();
    const opened = await moved.open();
    expect(opened).include({ status: "open", signature: (first as { signature: string }).signature });
    const stranger = later.sessions.open({ ...wallet.challenge, id: "another" }, wallet.action);
    expect(await refusal(stranger)).equal("challenge-mismatch");
    expect(await moved.close()).include({ status: "closed", refunded: DEPOSIT });
    expect(await refusal(moved.present())).equal("challenge-mismatch");
    const never = await Wallet.prepare(office, { seller });
    expect(await refusal(never.at(later).present())).equal("challenge-mismatch");
  });

  it("is refused for another transaction of the same channel", async () => {
    const buyer = plaza.buyer();
    const wallet = await office.open({ seller, buyer, salt: 7n });
    const other = await Wallet.prepare(office, { seller, buyer, salt: 7n });
    // Another fee payer's turn has come: the bytes are others, the channel is the same.
    expect(other.channelId).equal(wallet.channelId);
    expect(await refusal(other.present())).equal("open-simulation");
    expect((await office.view(wallet)).status).equal("open");
  });

  it("is settled by the fee payer that the terms name, and they take turns", async () => {
    const [first, second] = plaza.feePayers as [Keypair, Keypair];
    const named = new Set<string>();
    for (let i = 0; i < 2; i++) {
      const wallet = await Wallet.prepare(office, { seller });
      const { feePayerKey } = wallet.challenge.request;
      named.add(feePayerKey!);
      const before = await plaza.market.lamports(new PublicKey(feePayerKey!));
      await wallet.open();
      expect(before - (await plaza.market.lamports(new PublicKey(feePayerKey!)))).equal(RENT + 10_000n);
      expect((await wallet.onChain())?.rentPayer.toBase58()).equal(feePayerKey);
    }
    expect(named).deep.equal(new Set([first.publicKey.toBase58(), second.publicKey.toBase58()]));
  });

  it("names no fee payer that could not pay", async () => {
    const poor = plaza.market.person({ lamports: 6_000_000n });
    const feePayers = [poor, plaza.feePayers[0]!] as const;
    const two = await plaza.office({ config: { feePayers } });
    for (let i = 0; i < 3; i++) {
      expect((await two.terms(seller)).feePayerKey).equal(plaza.feePayers[0]!.publicKey.toBase58());
    }
    const none = await plaza.office({ config: { feePayers: [poor] }, unprepared: true });
    expect(await refusal(none.terms(seller))).equal("sponsor-exhausted");
  });
});
