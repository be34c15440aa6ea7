// Points in time as the wire writes them: RFC 3339 date-times.
import { InvalidFieldError } from "./errors.js";

const SHAPE =
  /^([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?([Zz]|[+-][0-9]{2}:[0-9]{2})$/;

/**
 * Milliseconds since 1970 of an RFC 3339 date-time. What is finer than a millisecond is cut off; a leap second counts as
 * the second after it.
 * @throws {InvalidFieldError} for anything else, days that no calendar has included.
 */
export function parse(text: unknown, field = "timestamp"): number {
  const match = typeof text === "string" ? SHAPE.exec(text) : null;
  if (match === null) throw new InvalidFieldError(field, "not an RFC 3339 date-time");
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  const inCalendar = date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  if (!inCalendar || hour > 23 || minute > 59 || second > 60) {
    throw new InvalidFieldError(field, "no such date or time");
  }
  const milliseconds = Number((match[7] ?? "").padEnd(3, "0").slice(0, 3));
  return date.getTime() + ((hour * 60 + minute) * 60 + second) * 1000 + milliseconds - offset(match[8] ?? "Z", field);
}

/** The date-time of a point in time, in UTC. Throws {InvalidFieldError} for an invalid date. */
export function format(date: Date, field = "timestamp"): string {
  if (Number.isNaN(date.getTime())) throw new InvalidFieldError(field, "not a date");
  const text = date.toISOString();
  if (text.length !== 24) throw new InvalidFieldError(field, "not a year of four digits");
  return text;
}

/** Milliseconds that a zone is ahead of UTC. */
function offset(zone: string, field: string): number {
  if (zone === "Z" || zone === "z") return 0;
  const [hours, minutes] = [Number(zone.slice(1, 3)), Number(zone.slice(4, 6))];
  if (hours > 23 || minutes > 59) throw new InvalidFieldError(field, "no such time zone");
  return (zone[0] === "-" ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}
