// JSON with integers of any size: u64 values leave as JSON integers, never as rounded floats.

/** Any value that can be sent as JSON; a `bigint` is written as a JSON integer of full precision. */
export type Json = null | boolean | number | bigint | string | readonly Json[] | { readonly [key: string]: Json };

/** Like `JSON.stringify`, but a `bigint` becomes an integer literal of full precision. Not-a-number becomes `null`. */
export function stringify(value: Json): string {
  if (typeof value === "bigint") return value.toString();
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "null";
  if (isArray(value)) return `[${value.map(stringify).join(",")}]`;
  const fields: string[] = [];
  for (const [key, field] of Object.entries(value)) {
    if (field !== undefined) fields.push(`${JSON.stringify(key)}:${stringify(field)}`);
  }
  return `{${fields.join(",")}}`;
}

function isArray(value: object): value is readonly Json[] {
  return Array.isArray(value);
}
