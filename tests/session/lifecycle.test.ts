// Whole lives of channels: every way in and every way out, with both token programs. The books are checked after
// every transaction (`World.check`).
import { parseSessionEvents, session, TREASURY } from "@mppsol/programs";
import { TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID } from "@solana/spl-token";
import { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import { chain } from "../support/chain.js";
import { GRACE, World } from "../support/world.js";

const WINDOW = 1_500n;

for (const [name, tokenProgram] of [
  ["SPL Token", TOKEN_PROGRAM_ID],
  ["Token-2022", TOKEN_2022_PROGRAM_ID],
] as const) {
  describe(`a channel under ${name}`, () => {
    it("opens with the deposit in escrow and the record as asked, and says so in an event", async () => {
      const world = await World.create({ tokenProgram });
      const channel = await world.plan({ deposit: 700n });
      const landed = await world.send(await world.openInstructions(channel), [world.payer, world.operator]);
      const state = await world.state(channel);
      expect(state).deep.include({
        status: "open",
        deposit: 700n,
        settled: 0n,
        payoutWatermark: 0n,
        closureStartedAt: 0n,
        payerWithdrawnAt: 0n,
        gracePeriod: GRACE,
        salt: channel.salt,
        openSlot: channel.openSlot,
      });
      expect(state.rentPayer.equals(world.operator.publicKey)).equal(true);
      expect(await world.balance(channel.address)).equal(700n);
      const events = parseSessionEvents(await chain.transaction(landed));
      expect(events.map((event) => event.name)).deep.equal(["Opened"]);
    });

    it("is closed by the payee with a last voucher, paid out and reclaimed: two payouts, one refund, all rent back", async () => {
      const world = await World.create({ tokenProgram });
      const rentBefore = await chain.connection.getBalance(world.operator.publicKey, "confirmed");
      const channel = await world.open({ deposit: 1_000n, slotsAgo: WINDOW - 30n });
      await world.debit(channel, 100n);
      await world.settle(channel);
      expect(await world.balance(world.payee.publicKey)).equal(100n);
      await world.close(channel, 250n);
      await world.settle(channel);
      expect(await world.balance(world.payee.publicKey)).equal(250n);
      expect(await world.balance(world.payer.publicKey)).equal(999_750n);
      expect((await world.state(channel)).status).equal("distributed");
      await chain.reachSlot(channel.openSlot + WINDOW + 1n);
      await world.send(await world.reclaimInstructions(channel));
      expect(await chain.connection.getAccountInfo(channel.address, "confirmed")).equal(null);
      expect(await chain.connection.getBalance(world.operator.publicKey, "confirmed")).equal(rentBefore);
    });

    it("is gone in one step when it is paid out after its window", async () => {
      const world = await World.create({ tokenProgram });
      const channel = await world.open({ slotsAgo: WINDOW - 30n });
      await world.close(channel, 10n);
      await chain.reachSlot(channel.openSlot + WINDOW + 1n);
      await world.settle(channel);
      expect(await chain.connection.getAccountInfo(channel.address, "confirmed")).equal(null);
      expect(await world.balance(world.payee.publicKey)).equal(10n);
    });

    it("lets the payer leave alone: revoke, grace, seal, withdraw; the payee's share waits for settle", async () => {
      const world = await World.create({ tokenProgram });
      const channel = await world.open({ deposit: 1_000n });
      await world.debit(channel, 300n);
      await world.revoke(channel);
      await chain.advance(GRACE);
      await world.seal(channel);
      await world.withdraw(channel);
      expect(await world.balance(world.payer.publicKey)).equal(999_700n);
      expect((await world.state(channel)).status).equal("sealed");
      await world.settle(channel);
      expect(await world.balance(world.payee.publicKey)).equal(300n);
      expect(await world.balance(world.payer.publicKey)).equal(999_700n);
    });

    it("takes more deposit while open and lets vouchers reach it", async () => {
      const world = await World.create({ tokenProgram });
      const channel = await world.open({ deposit: 10n });
      await world.topup(channel, 90n);
      await world.debit(channel, 100n);
      expect(await world.state(channel)).deep.include({ deposit: 100n, settled: 100n });
    });

    it("pays recipients and the payee their shares, paid often or once, and the dust to the treasury at the end", async () => {
      const recipients = Array.from({ length: 5 }, () => Keypair.generate().publicKey);
      const splits = recipients.map((owner, at) => ({ recipient: owner.toBase58(), shareBps: 1_111 + at }));
      const world = await World.create({ tokenProgram, extras: recipients });
      const channel = await world.open({ deposit: 1_000n, splits });
      for (const amount of [7n, 8n, 333n]) {
        await world.debit(channel, amount);
        await world.settle(channel);
      }
      await world.close(channel, 997n);
      await world.settle(channel);
      const share = (bps: number) => (997n * BigInt(bps)) / 10_000n;
      for (const [at, owner] of recipients.entries()) {
        expect(await world.balance(owner)).equal(share(1_111 + at));
      }
      const rest = 10_000 - splits.reduce((sum, split) => sum + split.shareBps, 0);
      expect(await world.balance(world.payee.publicKey)).equal(share(rest));
      const paid = [...splits.map((split) => split.shareBps), rest].reduce((sum, bps) => sum + share(bps), 0n);
      expect(await world.balance(TREASURY)).equal(997n - paid);
      expect(await world.balance(world.payer.publicKey)).equal(999_003n);
    });

    it("starts a second session in the same channel after rearm", async () => {
      const world = await World.create({ tokenProgram });
      const channel = await world.open({ deposit: 1_000n });
      await world.send(await world.rearmInstructions(channel, 400n), [world.payee]);
      expect(await world.balance(world.payee.publicKey)).equal(400n);
      expect(await world.balance(world.payer.publicKey)).equal(999_600n);
      expect(await world.state(channel)).deep.include({
        status: "open",
        deposit: 400n,
        settled: 400n,
        payoutWatermark: 400n,
      });
      await world.topup(channel, 50n);
      await world.close(channel, 430n);
      await world.settle(channel);
      expect(await world.balance(world.payee.publicKey)).equal(430n);
      expect(await world.balance(world.payer.publicKey)).equal(999_570n);
    });

    it("takes a voucher of the first session late, after rearm, once its amount is deposited again, and not after it expired", async () => {
      const world = await World.create({ tokenProgram });
      const channel = await world.open({ deposit: 1_000n });
      const late = await world.debitInstructions(channel, 600n);
      await world.send(await world.rearmInstructions(channel, 400n), [world.payee]);
      await world.refuses("VoucherOverDeposit", late);
      await world.topup(channel, 250n);
      await world.refuses("VoucherExpired", await world.debitInstructions(channel, 600n, 1n));
      await world.send(late);
      expect(await world.state(channel)).deep.include({ deposit: 650n, settled: 600n });
    });

    it("ends in one transaction: missing accounts, voucher, close and payout", async () => {
      const world = await World.create({ tokenProgram });
      const channel = await world.open({ deposit: 1_000n });
      const voucher = await world.voucher(channel, 77n);
      await world.send(
        await session.closeAndSettle({
          ...world.token,
          channel: channel.address,
          payer: world.payer.publicKey,
          payee: world.payee.publicKey,
          rentPayer: world.operator.publicKey,
          createAccounts: chain.payer.publicKey,
          voucher,
        }),
        [world.payee],
      );
      expect(await world.balance(world.payee.publicKey)).equal(77n);
      expect(await world.balance(world.payer.publicKey)).equal(999_923n);
    });
  });
}
