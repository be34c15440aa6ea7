// Inspecting what is on chain: a channel account, another account, a transaction by its signature.
import { CHANNEL_PROGRAM_IDS, channelAddress, decodeChannel } from "@mppsol/programs";
import { PublicKey } from "@solana/web3.js";
import type { Cluster } from "../network.js";
import { attempt, problem, type Report, report } from "./report.js";

/** Of an address. */
export async function inspectAddress(address: string, { connection, network }: Cluster): Promise<Report> {
  const key = new PublicKey(address);
  const account = await connection.getAccountInfo(key);
  if (account === null) {
    const to = report("account", { address, network });
    problem(to, "not-found", `there is no account ${address} on ${network}`);
    return to;
  }
  const program = CHANNEL_PROGRAM_IDS[network].find((id) => id.equals(account.owner));
  if (program === undefined) {
    const { owner, lamports, data } = account;
    return report("account", { address, network, owner, lamports: BigInt(lamports), bytes: data.length });
  }
  const to = report("channel", { address, network, channelProgram: program, rentLamports: BigInt(account.lamports) });
  const channel = attempt(to, () => decodeChannel(account.data));
  if (channel === undefined) return to;
  const { distributionHash, ...rest } = channel;
  Object.assign(to.members, rest, {
    distributionHash: Buffer.from(distributionHash).toString("hex"),
    unsettled: channel.deposit - channel.settled,
  });
  if (channel.status === "closing") {
    to.members.sealableAt = channel.closureStartedAt + BigInt(channel.gracePeriod);
  }
  if (!channelAddress(channel, program).equals(key)) {
    problem(to, "address", "the account is not at the address that its own fields derive");
  }
  return to;
}

/** Of a transaction that was sent. */
export async function inspectSignature(signature: string, { connection, network }: Cluster): Promise<Report> {
  const found = await connection.getTransaction(signature, {
    commitment: "confirmed",
    maxSupportedTransactionVersion: 0,
  });
  const to = report("signature", { signature, network });
  if (found === null) {
    problem(to, "not-found", `${network} knows no confirmed transaction with this signature`);
    return to;
  }
  to.members.slot = found.slot;
  to.members.blockTime = found.blockTime ?? undefined;
  to.members.fee = found.meta === null ? undefined : BigInt(found.meta.fee);
  if (found.meta?.err) problem(to, "transaction-failed", `it failed on chain: ${JSON.stringify(found.meta.err)}`);
  if (found.meta?.logMessages) to.members.logs = found.meta.logMessages;
  const { message, signatures } = found.transaction;
  to.members.feePayer = message.staticAccountKeys[0];
  to.members.signatures = signatures;
  return to;
}
