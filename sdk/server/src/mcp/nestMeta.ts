// Puts `_meta` from the root of a JSON-RPC message, where generic clients have it, to where MCP has it. The SDK refuses
// messages with members that it does not know, before any handler sees them.

type Json = Readonly<Record<string, unknown>>;

/**
 * The message, or each message of a batch, with its root `_meta` in its `params`. For HTTP:
 * `transport.handleRequest(request, response, nestMeta(request.body))`. A member that stands in both places becomes a list
 * of the two, which no reader takes for one credential.
 */
export function nestMeta(message: unknown): unknown {
  if (Array.isArray(message)) return message.map(nestMeta);
  if (!isObject(message) || !isObject(message._meta) || !("method" in message)) return message;
  const { _meta: root, ...rest } = message;
  const params = isObject(message.params) ? message.params : {};
  const nested = isObject(params._meta) ? params._meta : {};
  const merged = new Map<string, unknown>(Object.entries(nested));
  for (const [key, value] of Object.entries(root)) merged.set(key, merged.has(key) ? [merged.get(key), value] : value);
  return { ...rest, params: { ...params, _meta: Object.fromEntries(merged) } };
}

/** Anything with the SDK's way of receiving: its transports. */
export interface Receiver {
  // The parameters are the SDK's business, and differ from version to version.
  onmessage?: ((...args: never[]) => void) | undefined;
}

/** The same transport, its messages passed through `nestMeta`. To be called before the server connects to it. */
export function nestMetaOf<T extends Receiver>(transport: T): T {
  let inner: ((...args: unknown[]) => void) | undefined;
  Object.defineProperty(transport, "onmessage", {
    configurable: true,
    get: () => inner,
    set: (receive: ((...args: unknown[]) => void) | undefined) => {
      inner = receive && ((message, ...rest) => receive(nestMeta(message), ...rest));
    },
  });
  return transport;
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
