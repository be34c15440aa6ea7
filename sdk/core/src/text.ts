// Characters that must not be where people and headers are.

/** Whether `text` holds a C0 control character other than a tab, or DEL: CR and LF among them, which end a header. */
export function hasControl(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if ((code < 0x20 && code !== 0x09) || code === 0x7f) return true;
  }
  return false;
}

/** Whether `text` is no sequence of Unicode characters, so that UTF-8 cannot write it. */
export function hasLoneSurrogate(text: string): boolean {
  return /\p{Surrogate}/u.test(text);
}

/** `text` without spaces and tabs around it (the `OWS` of HTTP). Linear, unlike a regular expression for the end. */
export function trim(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && isSpace(text[start])) start++;
  while (end > start && isSpace(text[end - 1])) end--;
  return text.slice(start, end);
}

function isSpace(char: string | undefined): boolean {
  return char === " " || char === "\t";
}
