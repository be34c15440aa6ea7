// How networks are spelled to whoever runs the service: as Solana's tools do. On the wire they are spelled as the drafts do.

/** Text with `mainnet-beta` wherever it says `mainnet`. */
export function spelled(text: string): string {
  return text.replace(/\bmainnet\b(?!-beta)/g, "mainnet-beta");
}
