// Reading an object from the wire member by member: each value checked, each error with the path of what it is about.
import { InvalidFieldError } from "./errors.js";
import * as Jcs from "./Jcs.js";
import { array, isRecord, type JsonObject, type JsonValue, object, own, type UnknownObject } from "./json.js";
import { hasControl, hasLoneSurrogate } from "./text.js";

/** Checks one value and gives it its type. Throws {InvalidFieldError} naming `field`. */
export type Read<T> = (value: unknown, field: string) => T;

/** The members of one object. What is not asked for is ignored. */
export class Members {
  readonly path: string;
  readonly #json: UnknownObject;

  /** @throws {InvalidFieldError} unless `value` is an object. */
  constructor(value: unknown, path: string) {
    this.path = path;
    this.#json = object(value, path);
  }

  has(key: string): boolean {
    return own(this.#json, key) !== undefined;
  }

  required<T>(key: string, read: Read<T>): T {
    if (!this.has(key)) throw new InvalidFieldError(this.at(key), "missing");
    return read(own(this.#json, key), this.at(key));
  }

  optional<T>(key: string, read: Read<T>): T | undefined {
    return this.has(key) ? read(own(this.#json, key), this.at(key)) : undefined;
  }

  /** Throws if there is a member `key`, because of `why`. */
  refuse(key: string, why: string): void {
    if (this.has(key)) throw new InvalidFieldError(this.at(key), why);
  }

  /** Throws, naming `key`. */
  fail(key: string, problem: string): never {
    throw new InvalidFieldError(this.at(key), problem);
  }

  at(key: string): string {
    return `${this.path}.${key}`;
  }
}

/** An object, to be read member by member. */
export const members: Read<Members> = (value, field) => new Members(value, field);

/** Every member of `T` by name; those that `T` may lack can be `undefined`. So none is forgotten. */
type Listed<T> = { readonly [K in keyof T]-?: Record<never, never> extends Pick<T, K> ? T[K] | undefined : T[K] };

/** A value of `T` out of its members, the undefined ones left out. */
export function assemble<T extends object>(parts: Listed<T>): T {
  return Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined)) as T;
}

export const boolean: Read<boolean> = (value, field) => {
  if (typeof value !== "boolean") throw new InvalidFieldError(field, "not a boolean");
  return value;
};

/** A string that UTF-8 can hold. */
export const text: Read<string> = (value, field) => {
  if (typeof value !== "string") throw new InvalidFieldError(field, "not a string");
  if (hasLoneSurrogate(value)) throw new InvalidFieldError(field, "not well-formed Unicode");
  return value;
};

/** As `text`, without control characters: nothing that ends a header or a line of a log. */
export const line: Read<string> = (value, field) => {
  if (hasControl(text(value, field))) throw new InvalidFieldError(field, "a control character");
  return value as string;
};

/** As `text`, and not empty. */
export const name: Read<string> = (value, field) => {
  if (text(value, field) === "") throw new InvalidFieldError(field, "empty");
  return value as string;
};

/** As `text`, of at most `max` Unicode characters (code points). */
export function characters(max: number): Read<string> {
  return (value, field) => {
    const read = text(value, field);
    if (read.length > 2 * max || [...read].length > max) {
      throw new InvalidFieldError(field, `longer than ${max} characters`);
    }
    return read;
  };
}

/** As `text`, of at most `max` bytes of UTF-8. */
export function utf8Bytes(max: number): Read<string> {
  return (value, field) => {
    const read = text(value, field);
    if (read.length > max || new TextEncoder().encode(read).length > max) {
      throw new InvalidFieldError(field, `longer than ${max} bytes`);
    }
    return read;
  };
}

/** A JSON number that is an integer from `min` to `max`, inclusive. */
export function integer(min: number, max: number): Read<number> {
  return (value, field) => {
    if (typeof value !== "number" || !Number.isSafeInteger(value)) throw new InvalidFieldError(field, "not an integer");
    if (value < min || value > max) throw new InvalidFieldError(field, `not between ${min} and ${max}`);
    return value;
  };
}

/** An array, each item read by `read`. Holes are items that are missing. */
export function list<T>(read: Read<T>): Read<T[]> {
  return (value, field) => Array.from(array(value, field), (item, i) => read(item, `${field}[${i}]`));
}

/** One of these strings. */
export function oneOf<T extends string>(...allowed: readonly T[]): Read<T> {
  return (value, field) => {
    const found = allowed.find((one) => one === value);
    if (found === undefined) throw new InvalidFieldError(field, `not one of ${allowed.join(", ")}`);
    return found;
  };
}

/**
 * An object of any JSON members, copied, without looking into their meaning. Refuses what canonical JSON cannot write
 * again, among it a member named `__proto__`.
 */
export const jsonObject: Read<JsonObject> = (value, field) => {
  object(value, field);
  return json(value, field, 0) as JsonObject;
};

function json(value: unknown, field: string, depth: number): JsonValue {
  if (depth > Jcs.MAX_DEPTH) throw new InvalidFieldError(field, `nested deeper than ${Jcs.MAX_DEPTH}`);
  if (value === null || typeof value === "boolean") return value;
  if (typeof value === "string") return text(value, field);
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (typeof value !== "object") throw new InvalidFieldError(field, "not JSON");
  if (Array.isArray(value)) return list((item, at) => json(item, at, depth + 1))(value, field);
  if (!isRecord(value)) throw new InvalidFieldError(field, "not JSON");
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => {
      if (key === "__proto__") throw new InvalidFieldError(field, "has a member named __proto__");
      return [text(key, field), json(member, `${field}.${key}`, depth + 1)];
    }),
  );
}
