// A look at a program file before the VM gets it.

const EM_BPF = 247;
const EM_SBPF = 263;

/** What is wrong with a program file, or `undefined` when it looks like a Solana program. */
export function checkElf(bytes: Uint8Array): string | undefined {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (file.length < 64 || file.readUInt32BE(0) !== 0x7f454c46) return "is not an ELF file";
  const machine = file.readUInt16LE(18);
  if (file[4] !== 2 || file[5] !== 1 || (machine !== EM_BPF && machine !== EM_SBPF)) return "is not a Solana program";
  return undefined;
}
