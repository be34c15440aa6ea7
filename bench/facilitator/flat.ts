// Whether a process keeps more and more: a straight line through what it held in the second half of a run.
import type { Sample } from "../../tests/facilitator/load/messages.ts";
import { fitLine, type Line, median } from "../support/numbers.js";

/** What was held, and how much had been done by then. */
export interface Point extends Sample {
  readonly seconds: number;
  readonly requests: number;
}

export interface Verdict {
  /** Undefined: too few samples to say. */
  readonly flat: boolean | undefined;
  /** Bytes of the heap after a full collection, with what it refers to outside, for each request. */
  readonly heapPerRequest: Line;
  /** MiB an hour. */
  readonly heapPerHour: Line;
  readonly rssPerHour: Line;
  /** Of the second half against the first: medians. */
  readonly descriptors: { readonly before: number; readonly after: number };
  readonly handles: { readonly before: number; readonly after: number };
  /** What is not flat, in words. */
  readonly grows: readonly string[];
}

/**
 * Bytes for each request. The least that a request can leave behind for good, an entry of a Map with a short key, is above 60;
 * what a fit of a few minutes cannot tell from nothing is below this.
 */
export const HEAP_LIMIT = 16;
/** Bytes that a heap may grow by in the second half in any case: code is compiled for long. */
export const HEAP_LEAST = 2 ** 20;
/** Of the process, share of its median that it may grow by in the second half: pages that the allocator has not given back. */
export const RSS_LIMIT = 0.1;
/** Descriptors and handles more than in the first half: connections come and go. */
export const COUNT_LIMIT = 16;
/** Seconds of the second half: in less, nothing can be told. */
const LEAST_SECONDS = 60;
const MIB = 2 ** 20;

/**
 * Flat: a line through the second half rises by less than the limit, even at the lower end of its 95 % interval where it is
 * the heap; and there are no more descriptors and handles than before.
 */
export function verdictOf(points: readonly Point[]): Verdict {
  const middle = points.length >> 1;
  const [first, second] = [points.slice(0, middle), points.slice(middle)];
  const held = ({ heapUsed, external }: Point): number => heapUsed + external;
  const heapPerRequest = fitLine(second.map((point) => [point.requests, held(point)]));
  const perHour = (of: (point: Point) => number): Line =>
    fitLine(second.map((point) => [point.seconds / 3_600, of(point) / MIB]));
  const rssPerHour = perHour(({ rss }) => rss);
  const descriptors = halves(first, second, (point) => point.descriptors);
  const handles = halves(first, second, (point) => point.handles);
  const grows: string[] = [];
  const [from, to] = [second[0], second.at(-1)];
  const requests = (to?.requests ?? 0) - (from?.requests ?? 0);
  const seconds = (to?.seconds ?? 0) - (from?.seconds ?? 0);
  const least = heapPerRequest.slope - 2 * heapPerRequest.error;
  if (least > HEAP_LIMIT && least * requests > HEAP_LEAST) {
    grows.push(`the heap grows by ${heapPerRequest.slope.toFixed(1)} bytes a request`);
  }
  const share =
    ((rssPerHour.slope - 2 * rssPerHour.error) * (seconds / 3_600) * MIB) / median(second.map(({ rss }) => rss));
  if (share > RSS_LIMIT) grows.push(`the process grows by ${(100 * share).toFixed(1)} % in the second half`);
  if (descriptors.after - descriptors.before > COUNT_LIMIT) {
    grows.push(`descriptors: ${descriptors.before}, then ${descriptors.after}`);
  }
  if (handles.after - handles.before > COUNT_LIMIT) grows.push(`handles: ${handles.before}, then ${handles.after}`);
  const flat = seconds < LEAST_SECONDS ? undefined : grows.length === 0;
  return { flat, heapPerRequest, heapPerHour: perHour(held), rssPerHour, descriptors, handles, grows };
}

function halves(first: readonly Point[], second: readonly Point[], of: (point: Point) => number) {
  return { before: median(first.map(of)), after: median(second.map(of)) };
}
