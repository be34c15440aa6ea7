// express, of the version that their middleware brings along.

import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { createRequire } from "node:module";

type Handler = (request: IncomingMessage, response: ServerResponse & { json(body: unknown): void }) => void;

export interface Express extends RequestListener {
  use(middleware: unknown): void;
  get(path: string, handler: Handler): void;
}

export const express = createRequire(import.meta.url)("express") as () => Express;
