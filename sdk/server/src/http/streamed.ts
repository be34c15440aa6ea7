// Which responses are sent while they are made: those are metered and finished as they flow, not kept for replays.

const marked = new WeakSet<Response>();

const TYPES = /^(?:text\/event-stream|application\/(?:x-)?ndjson|application\/(?:x-)?jsonl|application\/json-seq)\b/i;

/** Says that a response must reach the client as it is made. */
export function markStreamed<T extends Response>(response: T): T {
  marked.add(response);
  return response;
}

/** Event streams and newline-delimited JSON by their type; anything else when it was marked. */
export function isStreamed(response: Response): boolean {
  return marked.has(response) || TYPES.test(response.headers.get("content-type") ?? "");
}

/** Server-sent events, into which more events may be put. */
export function isEventStream(headers: Headers): boolean {
  return /^text\/event-stream\b/i.test(headers.get("content-type") ?? "");
}
