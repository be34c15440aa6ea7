// Where events lie in a transaction that an RPC node answered: inner instructions (emit_cpi!) and logs (emit!).
import anchor from "@coral-xyz/anchor";

/** Something that names an address: base58 text or web3.js' `PublicKey`. */
type Address = string | { toBase58(): string };

/** The parts of web3.js' transaction answers, parsed or not, legacy or versioned, that events are read from. */
export interface TransactionLike {
  readonly transaction: { readonly message: MessageLike };
  readonly meta: MetaLike | null;
}

interface MessageLike {
  readonly accountKeys?: readonly (Address | { readonly pubkey: Address })[];
  readonly staticAccountKeys?: readonly Address[];
}

interface MetaLike {
  readonly err: unknown;
  readonly innerInstructions?: readonly { readonly instructions: readonly object[] }[] | null;
  readonly logMessages?: readonly string[] | null;
  readonly loadedAddresses?:
    | { readonly writable: readonly Address[]; readonly readonly: readonly Address[] }
    | undefined;
}

/** First bytes of the call that Anchor's `emit_cpi!` makes. */
const EVENT_TAG = Uint8Array.of(0xe4, 0x45, 0xa5, 0x2e, 0x51, 0xcb, 0x9a, 0x1d);

/** What follows the tag in every event call to `programId`. None when the transaction failed. */
export function eventInstructions(transaction: TransactionLike, programId: string): Uint8Array[] {
  const { meta } = transaction;
  if (meta === null || meta.err != null) return [];
  const keys = accountKeys(transaction.transaction.message, meta);
  return (meta.innerInstructions ?? [])
    .flatMap((inner) => inner.instructions)
    .filter((instruction) => calledProgram(instruction, keys) === programId)
    .flatMap((instruction) => eventBody(instruction) ?? []);
}

/** What `programId` itself wrote as `Program data:`. None when the transaction failed. */
export function eventLogs(transaction: TransactionLike, programId: string): Uint8Array[] {
  const { meta } = transaction;
  if (meta === null || meta.err != null) return [];
  const bodies: Uint8Array[] = [];
  const running: string[] = [];
  for (const line of meta.logMessages ?? []) {
    // A program's own words begin "Program log: ", and the colon is no base58.
    const call = /^Program ([1-9A-HJ-NP-Za-km-z]{32,44}) (invoke \[\d+\]|success$|failed: )/.exec(line);
    if (call?.[2]?.startsWith("invoke")) running.push(call[1] ?? "");
    else if (call !== null) running.pop();
    else if (line.startsWith("Program data: ") && running.at(-1) === programId) {
      bodies.push(Uint8Array.from(Buffer.from(line.slice("Program data: ".length), "base64")));
    }
  }
  return bodies;
}

/** By index, as unparsed instructions count: the message's own keys, then those of its lookup tables. */
function accountKeys(message: MessageLike, meta: MetaLike): string[] {
  const own = message.staticAccountKeys ?? message.accountKeys ?? [];
  const loaded = meta.loadedAddresses;
  const keys = own.map((key) => text(typeof key === "object" && "pubkey" in key ? key.pubkey : key));
  return [...keys, ...[...(loaded?.writable ?? []), ...(loaded?.readonly ?? [])].map(text)];
}

function calledProgram(instruction: object, keys: readonly string[]): string | undefined {
  if ("programIdIndex" in instruction) return keys[Number(instruction.programIdIndex)];
  if ("programId" in instruction) return text(instruction.programId as Address);
  return undefined;
}

function eventBody(instruction: object): Uint8Array | undefined {
  if (!("data" in instruction) || typeof instruction.data !== "string") return undefined;
  let data: Uint8Array;
  try {
    data = anchor.utils.bytes.bs58.decode(instruction.data);
  } catch {
    return undefined;
  }
  return EVENT_TAG.every((byte, i) => data[i] === byte) ? data.subarray(EVENT_TAG.length) : undefined;
}

function text(address: Address): string {
  return typeof address === "string" ? address : address.toBase58();
}
