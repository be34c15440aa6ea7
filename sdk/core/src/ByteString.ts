// Text beyond ASCII in header fields: its UTF-8 bytes, one character each, which is how JavaScript hands bytes to HTTP.

/** The UTF-8 bytes of `text`, one character each. */
export function encode(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("");
}

/** The inverse; text that is not the UTF-8 bytes of anything stays as it is. */
export function decode(text: string): string {
  if (/[\u0100-\uffff]/.test(text)) return text;
  try {
    const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return text;
  }
}
