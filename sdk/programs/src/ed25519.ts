// The Ed25519 precompile instruction, in the one layout that the programs accept.
import { Attestation, Base58, BatchVoucher, type SignedVoucher, Voucher } from "@mppsol/core";
import { Ed25519Program, PublicKey, TransactionInstruction } from "@solana/web3.js";
import { Ed25519LayoutError } from "./failures.js";

/** Something signed: the key, the signature and the bytes it covers. */
export interface SignedMessage {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** 64 bytes. */
  readonly signature: Uint8Array;
  readonly message: Uint8Array;
}

const PUBLIC_KEY_AT = 16;
const SIGNATURE_AT = 48;
const MESSAGE_AT = 112;
/** "This instruction's own data", in an instruction index. */
const OWN = 0xffff;

/**
 * The instruction that has the runtime verify one signature. It must stand immediately before the instruction that
 * relies on it. For a voucher its data has 162 bytes (draft-solana-session-00, "On-Chain Voucher Verification").
 * @throws {Ed25519LayoutError} for a key, signature or message of impossible length.
 */
export function ed25519Instruction(signed: SignedMessage): TransactionInstruction {
  const { publicKey, signature, message } = signed;
  if (publicKey.length !== 32 || signature.length !== 64 || message.length > 0xffff) {
    throw new Ed25519LayoutError("a key has 32 bytes, a signature 64, a message at most 65,535");
  }
  const data = Buffer.alloc(MESSAGE_AT + message.length);
  header(message.length).copy(data);
  data.set(publicKey, PUBLIC_KEY_AT);
  data.set(signature, SIGNATURE_AT);
  data.set(message, MESSAGE_AT);
  return new TransactionInstruction({ programId: Ed25519Program.programId, keys: [], data });
}

/** The instruction for a signed voucher. Throws as `Voucher.encode`. */
export function voucherInstruction(signed: SignedVoucher.SignedVoucher): TransactionInstruction {
  return ed25519Instruction({ ...keyAndSignature(signed), message: Voucher.encode(signed.voucher) });
}

/** The instruction for a signed batch. Throws as `BatchVoucher.encode`. */
export function batchVoucherInstruction(signed: BatchVoucher.SignedBatchVoucher): TransactionInstruction {
  return ed25519Instruction({ ...keyAndSignature(signed), message: BatchVoucher.encode(signed.batch) });
}

/** The instruction for a signed attestation. Throws as `Attestation.encode`. */
export function attestationInstruction(signed: Attestation.SignedAttestation): TransactionInstruction {
  return ed25519Instruction({ ...keyAndSignature(signed), message: Attestation.encode(signed.attestation) });
}

/**
 * What a canonical instruction verifies: the inverse of `ed25519Instruction`, as strict as the programs.
 * @throws {Ed25519LayoutError} for another program or any other layout.
 */
export function parseEd25519Instruction(instruction: TransactionInstruction): SignedMessage {
  const { data, programId } = instruction;
  if (!programId.equals(Ed25519Program.programId)) throw new Ed25519LayoutError("not an Ed25519 instruction");
  if (data.length < MESSAGE_AT) throw new Ed25519LayoutError("too short");
  if (!data.subarray(0, PUBLIC_KEY_AT).equals(header(data.length - MESSAGE_AT))) {
    throw new Ed25519LayoutError("the header is not the canonical one");
  }
  return {
    publicKey: Uint8Array.from(data.subarray(PUBLIC_KEY_AT, SIGNATURE_AT)),
    signature: Uint8Array.from(data.subarray(SIGNATURE_AT, MESSAGE_AT)),
    message: Uint8Array.from(data.subarray(MESSAGE_AT)),
  };
}

/** One signature, no padding, then where each part lies. */
function header(messageLength: number): Buffer {
  const bytes = Buffer.alloc(PUBLIC_KEY_AT);
  bytes.writeUInt8(1, 0);
  const fields = [SIGNATURE_AT, OWN, PUBLIC_KEY_AT, OWN, MESSAGE_AT, messageLength, OWN];
  fields.forEach((field, i) => {
    bytes.writeUInt16LE(field, 2 + 2 * i);
  });
  return bytes;
}

function keyAndSignature(signed: { signer: string; signature: string }): Omit<SignedMessage, "message"> {
  return {
    publicKey: new PublicKey(signed.signer).toBytes(),
    signature: Base58.decode(signed.signature, 64, "signature"),
  };
}
