// SPL Memo: the memo itself, when it is UTF-8.

/** The memo text; throws when it is not UTF-8. */
export function parseMemo(data: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
}
