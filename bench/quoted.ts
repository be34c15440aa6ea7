// The cases for which figures of the Foundation's program are quoted, as its own benchmark has them.
import { OPEN_SLOT_WINDOW } from "@mppsol/programs";
import { TOKEN_PROGRAM_ID } from "@solana/spl-token";
import { ComputeBudgetProgram, type Keypair, type TransactionInstruction } from "@solana/web3.js";
import { type Channels, GRACE } from "./channels.js";
import { found } from "./economy.js";

/**
 * That benchmark has channel and escrow at bump 255, as ours, but takes the parties' token accounts as they come;
 * these are the bumps that its keys give.
 */
const BUMPS = { payer: 253, payee: 253, recipients: [252] };
const UNITS = 1_400_000;

/**
 * One split besides the payee, the parties' token accounts at its bumps, and a compute unit limit before every
 * instruction. What its figures count is the whole transaction.
 */
export async function measureAsQuoted(channels: Channels): Promise<void> {
  const { vm, operator, target } = channels;
  const { treasury } = target;
  const plan = { label: "quoted", tokenProgram: TOKEN_PROGRAM_ID, treasury, recipients: 1, bumps: BUMPS };
  const economy = found(vm, operator, plan);
  const { payer, payee } = economy;
  const open = () => channels.open({ in: economy, splits: 1 });
  const record = (instruction: string, instructions: readonly TransactionInstruction[], signers: Keypair[] = []) => {
    const limit = ComputeBudgetProgram.setComputeUnitLimit({ units: UNITS });
    channels.record([instruction, "as quoted"], [limit, ...instructions], signers);
  };

  const opening = await channels.opening({ in: economy, splits: 1 });
  record("open", opening.instructions, [payer]);
  record("debit", await channels.debit(opening.channel, 500_000n));
  record("topup", await channels.topup(opening.channel), [payer]);
  record("close", await channels.close(await open(), 500_000n), [payee]);
  const closing = await open();
  record("revoke", await channels.revoke(closing), [payer]);
  vm.pass({ seconds: BigInt(GRACE) });
  record("seal", await channels.seal(closing));
  channels.run(await channels.settle(closing));
  const paid = opening.channel;
  record("settle, open", await channels.settle(paid));
  channels.run(await channels.close(paid, 1_000_000n), [payee]);
  vm.pass({ slots: OPEN_SLOT_WINDOW + 1n });
  record("settle, final", await channels.settle(paid));
  record("reclaim", await channels.reclaim(closing));
}
