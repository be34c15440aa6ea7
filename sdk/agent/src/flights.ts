// One payment for identical requests that are under way at the same time: the later ones share the first one's answer.
import type { Outgoing } from "./outgoing.js";
import { copyOf } from "./payments.js";

interface Flight {
  readonly answer: Promise<Response>;
  readonly controller: AbortController;
  /** Callers that wait, or read a body that this flight feeds. */
  callers: number;
  /** Callers who have not got their copy of the answer. */
  waiting: number;
}

/** Methods that ask for something and change nothing (RFC 9110, section 9.2.1). */
const SAFE: ReadonlySet<string> = new Set(["GET", "HEAD"]);

export class Flights {
  readonly #flights = new Map<string, Flight>();

  /**
   * Runs `start`, or joins the one that runs for an identical request. The signal that `start` gets is aborted once every
   * caller has aborted: one caller's abort does not take the answer from the others.
   */
  async share(request: Outgoing, start: (signal: AbortSignal) => Promise<Response>): Promise<Response> {
    const key = keyOf(request);
    const flight = (key === undefined ? undefined : this.#flights.get(key)) ?? this.#begin(key, start);
    return join(flight, request.signal);
  }

  #begin(key: string | undefined, start: (signal: AbortSignal) => Promise<Response>): Flight {
    const controller = new AbortController();
    const answer = start(controller.signal);
    const flight: Flight = { answer, controller, callers: 0, waiting: 0 };
    if (key !== undefined) {
      this.#flights.set(key, flight);
      // Nobody joins one that has its answer, or that everybody has left.
      const over = () => {
        if (this.#flights.get(key) === flight) this.#flights.delete(key);
      };
      answer.then(over, over);
      controller.signal.addEventListener("abort", over);
    }
    answer.catch(() => {}); // every caller sees it, unless all have aborted
    return flight;
  }
}

async function join(flight: Flight, signal: AbortSignal | undefined): Promise<Response> {
  flight.callers++;
  flight.waiting++;
  const leave = () => {
    flight.callers--;
    if (flight.callers === 0) flight.controller.abort(signal?.reason);
  };
  if (signal?.aborted) leave();
  else signal?.addEventListener("abort", leave, { once: true });
  const response = await orAborted(flight, signal);
  flight.waiting--;
  // The last one gets the answer itself: a copy that nobody reads would fill up with all of it.
  return flight.waiting === 0 ? response : copyOf(response);
}

function orAborted(flight: Flight, signal: AbortSignal | undefined): Promise<Response> {
  if (signal === undefined) return flight.answer;
  return new Promise((resolve, reject) => {
    const abort = () => {
      flight.waiting--;
      reject(signal.reason);
    };
    if (signal.aborted) {
      abort();
      return;
    }
    signal.addEventListener("abort", abort, { once: true });
    flight.answer.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** The same for two requests exactly when one answer does for both. Nothing for requests that may change something. */
function keyOf(request: Outgoing): string | undefined {
  if (!SAFE.has(request.method) || request.body !== undefined || request.stream !== undefined) return undefined;
  // `Headers` come sorted, names in lower case.
  return JSON.stringify([request.method, request.url, [...request.headers], request.redirect]);
}
