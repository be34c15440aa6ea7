#!/usr/bin/env node
// The command line: starts a localnet and prints what a client needs to use it.
import "./quiet.js";
import { CliError, HELP, readArguments } from "./cli-arguments.js";
import { Localnet, LocalnetError } from "./localnet.js";

async function main(): Promise<void> {
  const options = readArguments(process.argv.slice(2));
  if (options === "help") {
    process.stdout.write(HELP);
    return;
  }
  const chain = await Localnet.start(options);
  // Before anything is printed: who reads it may stop this at once.
  const stop = () => {
    void chain.close().then(() => process.exit(0));
  };
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  const keys = [chain.payer, ...chain.funded].map((key) => ({
    address: key.publicKey.toBase58(),
    secretKey: `[${key.secretKey.join(",")}]`,
  }));
  if (options.json) {
    const { url, wsUrl, usdcMint } = chain;
    const payer = chain.payer.publicKey.toBase58();
    process.stdout.write(`${JSON.stringify({ url, wsUrl, usdcMint, payer, keys })}\n`);
  } else {
    const lines = [
      `RPC        ${chain.url}`,
      `Websocket  ${chain.wsUrl}`,
      `USDC mint  ${chain.usdcMint}`,
      "Funded keys (public, for tests only):",
      ...keys.map((key, i) => `  ${i === 0 ? "payer   " : `funded ${i}`}  ${key.address}  ${key.secretKey}`),
    ];
    process.stdout.write(`${lines.join("\n")}\n`);
  }
}

main().catch((error: unknown) => {
  const expected = error instanceof CliError || error instanceof LocalnetError;
  process.stderr.write(`mppsol-localnet: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(expected ? 2 : 1);
});
