// What /openapi.json says of an operation besides its schemas.
import type { JsonObject, JsonValue } from "@mppsol/core";
import type { Code } from "../../errors/codes.js";

export interface Described {
  readonly description: string;
  /** An example of the body. */
  readonly body?: JsonObject;
  /** Examples of parameters, by name: in the path, in the query, in headers. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** Examples of answers that are no problem documents of the common kind, by status. */
  readonly answers: Readonly<Record<number, JsonValue>>;
  /** Of which refusal the problem document of a status is an example. Default: the first code of that status. */
  readonly refusals?: Readonly<Record<number, Code>>;
}
