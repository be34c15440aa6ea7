// `mppsol wallet`: a keypair file, what it holds, and money for it on networks that give it away.
import { isLocalnet } from "@mppsol/localnet";
import { TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID } from "@solana/spl-token";
import type { PublicKey } from "@solana/web3.js";
import { Command } from "commander";
import { CliError, EXIT, usage } from "../exit.js";
import { defaultKeypairPath, readKeypair, writeKeypair } from "../home.js";
import { type Cluster, cluster, USDC } from "../network.js";
import { decimal, units } from "../units.js";
import { type Common, type Context, output, withCluster, withJson, withKeypair } from "./context.js";

interface AirdropOptions extends Common {
  readonly sol: string;
  readonly usdc?: string;
}

export function walletCommand(context: Context): Command {
  const wallet = new Command("wallet").description("the keypair that pays");
  wallet.addCommand(newCommand(context));
  wallet.addCommand(balanceCommand(context));
  wallet.addCommand(airdropCommand(context));
  return wallet;
}

function newCommand(context: Context): Command {
  return withJson(withKeypair(new Command("new")))
    .description("make a keypair file, readable by its owner alone; never overwrites one")
    .action((options: Common) => {
      const path = options.keypair ?? defaultKeypairPath();
      const address = writeKeypair(path).publicKey.toBase58();
      output(context, options).result({ address, path }, [address, `kept in ${path}; there is no other copy`]);
    });
}

function balanceCommand(context: Context): Command {
  return withJson(withCluster(withKeypair(new Command("balance"))))
    .description("SOL and tokens of the wallet")
    .action(async (options: Common) => {
      const at = cluster(options);
      const { publicKey } = readKeypair(options.keypair ?? defaultKeypairPath());
      const lamports = BigInt(await reach(at, () => at.connection.getBalance(publicKey)));
      const tokens = await reach(at, () => tokenBalances(at, publicKey));
      const address = publicKey.toBase58();
      output(context, options).result(
        { address, network: at.network, lamports: lamports.toString(), tokens: tokens.map((token) => ({ ...token })) },
        [
          `${address} on ${at.network}`,
          `  ${decimal(lamports, 9)} SOL`,
          ...tokens.map(({ mint, amount, decimals }) => `  ${decimal(BigInt(amount), decimals)} ${name(at, mint)}`),
          ...(tokens.length === 0 ? ["  no token accounts"] : []),
        ],
      );
    });
}

function airdropCommand(context: Context): Command {
  return withJson(withCluster(withKeypair(new Command("airdrop"))))
    .description("test money: SOL on localnet and devnet, USDC on localnet")
    .option("--sol <amount>", "SOL", "1")
    .option("--usdc <amount>", "USDC (localnet only; default: 100); 0 makes the token account alone")
    .action(async (options: AirdropOptions) => {
      const at = cluster(options);
      if (at.network === "mainnet") throw usage("airdrop: nobody gives money away on mainnet");
      const { publicKey } = readKeypair(options.keypair ?? defaultKeypairPath());
      const lamports = units(options.sol, 9, "--sol");
      const usdc = units(options.usdc ?? "100", 6, "--usdc");
      const ours = await reach(at, () => isLocalnet(at.connection));
      if (!ours && options.usdc !== undefined) throw usage(`--usdc: ${NO_USDC}`);
      if (lamports > 0n) await reach(at, () => requestAirdrop(at, publicKey, lamports));
      const out = output(context, options);
      if (ours) await reach(at, () => mintUsdc(at, publicKey, usdc));
      else out.warn(`no USDC: ${NO_USDC}`);
      const given = ours ? usdc : 0n;
      const account = ours && usdc === 0n ? ", whose token account is there now" : "";
      out.result({ address: publicKey.toBase58(), lamports: lamports.toString(), usdc: given.toString() }, [
        `${decimal(lamports, 9)} SOL and ${decimal(given, 6)} USDC to ${publicKey.toBase58()}${account}`,
      ]);
    });
}

const NO_USDC = "only the embedded chain gives USDC away; for devnet there is https://faucet.circle.com";

async function requestAirdrop({ connection }: Cluster, to: PublicKey, lamports: bigint): Promise<void> {
  if (lamports > BigInt(Number.MAX_SAFE_INTEGER)) throw usage("--sol: more than there is");
  const signature = await connection.requestAirdrop(to, Number(lamports));
  const latest = await connection.getLatestBlockhash();
  const { value } = await connection.confirmTransaction({ signature, ...latest });
  if (value.err !== null) throw new CliError("the airdrop failed on chain", EXIT.failed, "airdrop");
}

/** The cheat of @mppsol/localnet. Makes the token account, whatever the amount. */
async function mintUsdc({ url }: Cluster, to: PublicKey, amount: bigint): Promise<void> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "mppsol_mintUsdc",
      params: [to.toBase58(), amount.toString()],
    }),
  });
  const { error } = (await response.json()) as { error?: { message: string } };
  if (error !== undefined) throw new CliError(`USDC: ${error.message}`, EXIT.failed, "airdrop");
}

interface TokenBalance {
  readonly mint: string;
  readonly account: string;
  readonly amount: string;
  readonly decimals: number;
}

async function tokenBalances({ connection }: Cluster, owner: PublicKey): Promise<TokenBalance[]> {
  const found = await Promise.all(
    [TOKEN_PROGRAM_ID, TOKEN_2022_PROGRAM_ID].map((programId) =>
      connection.getParsedTokenAccountsByOwner(owner, { programId }),
    ),
  );
  return found
    .flatMap(({ value }) => value)
    .map(({ pubkey, account }) => {
      const { mint, tokenAmount } = account.data.parsed.info as {
        mint: string;
        tokenAmount: { amount: string; decimals: number };
      };
      return { mint, account: pubkey.toBase58(), amount: tokenAmount.amount, decimals: tokenAmount.decimals };
    });
}

function name({ network }: Cluster, mint: string): string {
  return mint === USDC[network] ? "USDC" : mint;
}

/** What the RPC does not answer is said with its address, not with a stack. */
export async function reach<T>({ url, network }: Cluster, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof CliError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new CliError(
      `${network} at ${url} does not answer as it should: ${reason}${network === "localnet" ? "; start one with: mppsol localnet" : ""}`,
      EXIT.failed,
      "rpc",
      { cause: error },
    );
  }
}
