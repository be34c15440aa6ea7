// Columns of many rows as the text of SQL arrays, one parameter a column: what UNNEST takes.

/** The literal of a text array. */
export function texts(values: readonly (string | null)[]): string {
  let literal = "{";
  for (const value of values) {
    if (literal.length > 1) literal += ",";
    literal += value === null ? "NULL" : quoted(value);
  }
  return `${literal}}`;
}

/** The literal of an array of numbers or booleans. */
export function plain(values: readonly (bigint | number | boolean | null)[]): string {
  let literal = "{";
  for (const value of values) {
    if (literal.length > 1) literal += ",";
    literal += value === null ? "NULL" : value;
  }
  return `${literal}}`;
}

function quoted(value: string): string {
  return `"${/["\\]/.test(value) ? value.replace(/["\\]/g, "\\$&") : value}"`;
}
