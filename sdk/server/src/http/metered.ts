// A response body that ends in a settlement, however it ends: read to the end, broken off by its source, or left by the
// client. Reads ahead of the client by nothing, so that nothing is metered which nobody takes.

export interface Ending {
  /** The source has ended. What it returns is sent last. */
  complete(): Promise<Uint8Array | undefined>;
  /** The source failed; `released` says whether the client had anything by then. */
  broken(error: unknown, released: boolean): Promise<void>;
  /** The client left. */
  left(): Promise<void>;
}

/** `first` and then what `source` still holds. `signal` aborts when the client is gone, if that is known. */
export function metered(
  first: readonly Uint8Array[],
  source: ReadableStreamDefaultReader<Uint8Array>,
  ending: Ending,
  signal: AbortSignal,
): ReadableStream<Uint8Array> {
  const waiting = [...first];
  let released = false;
  let ended = false;

  const leave = async (reason: unknown): Promise<void> => {
    if (ended) return;
    ended = true;
    // The source may be waiting for something that never comes; the settlement does not wait for it.
    source.cancel(reason).catch(() => undefined);
    await ending.left();
  };

  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const abort = () => {
          void leave(signal.reason).finally(() => fail(controller));
        };
        if (signal.aborted) abort();
        else signal.addEventListener("abort", abort, { once: true });
      },
      async pull(controller) {
        try {
          const next = waiting.shift() ?? (await read(source));
          if (ended) return;
          if (next !== undefined) {
            released = true;
            controller.enqueue(next);
            return;
          }
          ended = true;
        } catch (error) {
          if (ended) return;
          ended = true;
          await ending.broken(error, released);
          fail(controller);
          return;
        }
        const last = await ending.complete();
        if (last !== undefined) controller.enqueue(last);
        controller.close();
      },
      cancel: leave,
    },
    { highWaterMark: 0 },
  );
}

async function read(source: ReadableStreamDefaultReader<Uint8Array>): Promise<Uint8Array | undefined> {
  const { done, value } = await source.read();
  return done ? undefined : value;
}

/** Tells the framework only that it is over: what went wrong is not for the client. */
function fail(controller: ReadableStreamDefaultController<Uint8Array>): void {
  try {
    controller.error(new Error("the response broke off"));
  } catch {
    // It was cancelled or closed already.
  }
}
