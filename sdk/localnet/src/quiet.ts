// Imported first by command lines: bigint-buffer, a dependency of spl-token, writes to stderr when its native part was
// not compiled. It works without, and a refusal must be one line.
const warn = console.warn;
console.warn = (...parts: unknown[]): void => {
  if (!String(parts[0]).startsWith("bigint: Failed to load bindings")) warn(...parts);
};

export {};
