// Deploys a program at a key of the test's choice, by the upgradeable loader's ordinary instructions.
import {
  type AccountMeta,
  Keypair,
  PublicKey,
  SYSVAR_CLOCK_PUBKEY,
  SYSVAR_RENT_PUBKEY,
  SystemProgram,
  TransactionInstruction,
} from "@solana/web3.js";
import { chain } from "./chain.js";
import { must } from "./world.js";

const LOADER = new PublicKey("BPFLoaderUpgradeab1e11111111111111111111111");
const BUFFER_HEADER = 37;
const PROGRAM_SIZE = 36;
const CHUNK = 900;

const u32 = (value: number) => Buffer.from(Uint32Array.of(value).buffer);
const u64 = (value: number) => Buffer.from(BigUint64Array.of(BigInt(value)).buffer);
const meta = (pubkey: PublicKey, isWritable = true, isSigner = false): AccountMeta => ({
  pubkey,
  isWritable,
  isSigner,
});
const instruction = (keys: AccountMeta[], ...data: Buffer[]) =>
  new TransactionInstruction({ programId: LOADER, keys, data: Buffer.concat(data) });

/** Makes `at` a program with these bytes; the chain's payer pays and keeps the upgrade authority. */
export async function deployProgram(at: Keypair, elf: Buffer): Promise<void> {
  const payer = chain.payer.publicKey;
  const buffer = Keypair.generate();
  const create = async (newAccountPubkey: PublicKey, space: number) =>
    SystemProgram.createAccount({
      fromPubkey: payer,
      newAccountPubkey,
      space,
      lamports: await chain.connection.getMinimumBalanceForRentExemption(space),
      programId: LOADER,
    });
  const initialize = instruction([meta(buffer.publicKey), meta(payer, false)], u32(0));
  must(await chain.send([await create(buffer.publicKey, BUFFER_HEADER + elf.length), initialize], [buffer]));
  for (let offset = 0; offset < elf.length; offset += CHUNK) {
    const part = elf.subarray(offset, offset + CHUNK);
    const keys = [meta(buffer.publicKey), meta(payer, false, true)];
    must(await chain.send([instruction(keys, u32(1), u32(offset), u64(part.length), part)]));
  }
  const programData = PublicKey.findProgramAddressSync([at.publicKey.toBytes()], LOADER)[0];
  const deploy = instruction(
    [
      meta(payer, true, true),
      meta(programData),
      meta(at.publicKey),
      meta(buffer.publicKey),
      meta(SYSVAR_RENT_PUBKEY, false),
      meta(SYSVAR_CLOCK_PUBKEY, false),
      meta(SystemProgram.programId, false),
      meta(payer, false, true),
    ],
    u32(2),
    u64(elf.length),
  );
  must(await chain.send([await create(at.publicKey, PROGRAM_SIZE), deploy], [at]));
}
