// Writes payments into a service's own OpenAPI document.
import type { JsonObject, JsonValue } from "@mppsol/core";
import { ConfigError } from "../errors.js";

/**
 * `theirs`, with `x-payment-info` and the 402 of every operation of `ours`. What `ours` knows of an operation besides fills
 * gaps; what `theirs` says of it stays. Operations that only `ours` has are added.
 * @throws {ConfigError} when `theirs` is no OpenAPI 3 document.
 */
export function mergeInto(theirs: JsonObject, ours: JsonObject): JsonObject {
  const { openapi, paths = {} } = theirs;
  if (typeof openapi !== "string" || !openapi.startsWith("3.")) throw new ConfigError("document", "not OpenAPI 3");
  const items = object(paths, "paths");
  const merged = new Map(Object.entries(items));
  for (const [path, item] of Object.entries(object(ours.paths ?? {}, "paths"))) {
    merged.set(path, mergeItem(object(items[path] ?? {}, `paths.${path}`), object(item ?? {}, path), path));
  }
  const info = ours["x-service-info"];
  return {
    ...theirs,
    ...(info === undefined || "x-service-info" in theirs ? {} : { "x-service-info": info }),
    paths: Object.fromEntries(merged),
  };
}

function mergeItem(theirs: JsonObject, ours: JsonObject, path: string): JsonObject {
  const merged = new Map<string, JsonValue | undefined>(Object.entries(theirs));
  for (const [method, operation] of Object.entries(ours)) {
    const paid = object(operation ?? {}, path);
    const known = object(theirs[method] ?? {}, `paths.${path}.${method}`);
    const responses = object(known.responses ?? {}, `paths.${path}.${method}.responses`);
    const { "402": required, ...others } = object(paid.responses ?? {}, path);
    merged.set(method, {
      ...paid,
      ...known,
      ...("x-payment-info" in paid ? { "x-payment-info": paid["x-payment-info"] } : {}),
      responses: {
        ...("responses" in known ? responses : others),
        ...(required === undefined ? {} : { "402": responses["402"] ?? required }),
      },
    });
  }
  return Object.fromEntries(merged);
}

function object(value: JsonValue, path: string): JsonObject {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw new ConfigError("document", `${path}: not an object`);
}
