// Where an agent keeps what must outlive it: its budget and its sessions. Keys and text values.

/** One agent at a time uses a store. */
export interface AgentStore {
  /** What was last put under the key. */
  get(key: string): Promise<string | undefined>;
  /** Once it resolves the value survives a crash; until then the old one does, whole. */
  put(key: string, value: string): Promise<void>;
  delete(key: string): Promise<void>;
  /** Every key that begins with `prefix`. */
  keys(prefix: string): Promise<string[]>;
  /** Lets go of the store. A second call does nothing. */
  close(): Promise<void>;
}

/** A store that forgets: for tests, and for agents whose budget is one process long. */
export function memoryStore(): AgentStore {
  const values = new Map<string, string>();
  return {
    get: async (key) => values.get(key),
    put: async (key, value) => {
      values.set(key, value);
    },
    delete: async (key) => {
      values.delete(key);
    },
    keys: async (prefix) => [...values.keys()].filter((key) => key.startsWith(prefix)),
    close: async () => {},
  };
}
