// Anchor clients of the programs.
import anchor, { type Program, type Provider } from "@coral-xyz/anchor";
import type { PublicKey } from "@solana/web3.js";
import { SESSION_PROGRAM_ID } from "./constants.js";
import { type MppsolCpi, mppsolCpiIdl } from "./generated/mppsol_cpi.js";
import { type MppsolSession, mppsolSessionIdl } from "./generated/mppsol_session.js";

/**
 * The session program, for what the helpers here do not cover: fetching, subscribing, simulating.
 * @param programId another program of the same interface, as the Foundation's.
 */
export function sessionProgram(provider: Provider, programId: PublicKey = SESSION_PROGRAM_ID): Program<MppsolSession> {
  return new anchor.Program<MppsolSession>({ ...mppsolSessionIdl, address: programId.toBase58() }, provider);
}

/** The pay program, for what the helpers here do not cover. */
export function payProgram(provider: Provider): Program<MppsolCpi> {
  return new anchor.Program<MppsolCpi>(mppsolCpiIdl, provider);
}

const offline: Provider = {
  get connection(): never {
    throw new TypeError("this client only builds instructions; call sessionProgram or payProgram for one with a chain");
  },
};

const clients = new Map<string, Program<MppsolSession>>();

/** A client without a chain, which can build and decode. */
export function offlineSessionProgram(programId: PublicKey = SESSION_PROGRAM_ID): Program<MppsolSession> {
  const key = programId.toBase58();
  let client = clients.get(key);
  if (client === undefined) {
    client = sessionProgram(offline, programId);
    clients.set(key, client);
  }
  return client;
}

let payClient: Program<MppsolCpi> | undefined;

/** As `offlineSessionProgram`, of the pay program. */
export function offlinePayProgram(): Program<MppsolCpi> {
  payClient ??= payProgram(offline);
  return payClient;
}
