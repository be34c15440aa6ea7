// `mppsol localnet`: the embedded chain, with the channel and pay programs loaded where the artifacts are at hand.
import { existsSync } from "node:fs";
import { Localnet, LocalnetError } from "@mppsol/localnet";
import { PAY_PROGRAM_ID, SESSION_PROGRAM_ID } from "@mppsol/programs";
import { Command, InvalidArgumentError } from "commander";
import { usage } from "../exit.js";
import { type Common, type Context, output, withJson } from "./context.js";

interface Options extends Common {
  readonly port: number;
  readonly slotMs: number;
  readonly program: readonly string[];
  readonly artifacts?: string;
}

export function localnetCommand(context: Context): Command {
  return withJson(new Command("localnet"))
    .description("run an embedded Solana chain on loopback until interrupted; its keys are public, for tests only")
    .option("--port <port>", "RPC port; the websocket is one above", integer(0, 65_534), 8899)
    .option("--slot-ms <ms>", "milliseconds a slot", integer(10, 3_600_000), 400)
    .option("--program <id=file>", "another program to load; may be repeated", collect, [])
    .option("--artifacts <dir>", "folder with mppsol_session.so and mppsol_cpi.so (default: ./artifacts, if there)")
    .action(async (options: Options) => {
      // Before anything is printed: who has read where the chain is may interrupt at once.
      const interrupted = new Promise<void>((resolve) => {
        process.once("SIGINT", resolve);
        process.once("SIGTERM", resolve);
      });
      const out = output(context, options);
      const programs = [...artifacts(options.artifacts), ...options.program.map(program)];
      const chain = await start(options, programs);
      if (!programs.some(({ id }) => id === SESSION_PROGRAM_ID.toBase58())) {
        out.warn("the channel program is not loaded, so there are no sessions: name its folder by --artifacts");
      }
      const keys = [chain.payer, ...chain.funded].map(({ publicKey }) => publicKey.toBase58());
      out.result({ url: chain.url, wsUrl: chain.wsUrl, usdcMint: chain.usdcMint, funded: keys }, [
        `RPC        ${chain.url}`,
        `Websocket  ${chain.wsUrl}`,
        `USDC mint  ${chain.usdcMint}`,
        ...keys.map((key) => `funded     ${key}`),
      ]);
      await interrupted;
      await chain.close();
    });
}

async function start(options: Options, programs: readonly { id: string; file: string }[]): Promise<Localnet> {
  try {
    return await Localnet.start({ port: options.port, slotTime: options.slotMs, programs, usdc: 1_000_000_000n });
  } catch (error) {
    if (error instanceof LocalnetError) throw usage(`localnet: ${error.message}`);
    throw error;
  }
}

function artifacts(given: string | undefined): { id: string; file: string }[] {
  const folder = given ?? "artifacts";
  const all = [
    { id: SESSION_PROGRAM_ID.toBase58(), file: `${folder}/mppsol_session.so` },
    { id: PAY_PROGRAM_ID.toBase58(), file: `${folder}/mppsol_cpi.so` },
  ];
  return given === undefined ? all.filter(({ file }) => existsSync(file)) : all;
}

function program(text: string): { id: string; file: string } {
  const at = text.indexOf("=");
  if (at < 1) throw usage(`--program ${text}: write ID=FILE`);
  return { id: text.slice(0, at), file: text.slice(at + 1) };
}

function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}

function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max) {
      throw new InvalidArgumentError(`not an integer from ${min} to ${max}`);
    }
    return value;
  };
}
