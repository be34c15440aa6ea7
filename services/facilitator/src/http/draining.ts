// While an instance goes down: what is under way is finished, nothing new begins.
import { FacilitatorError } from "../errors/FacilitatorError.js";
import type { App } from "./App.js";

/** Still answered: they say that it goes down. */
const ANSWERED = new Set(["/livez", "/readyz", "/metrics"]);

export function refuseWhileDraining(app: App, isDraining: () => boolean): void {
  app.addHook("onRequest", async (request) => {
    if (!isDraining()) return;
    if (ANSWERED.has(request.routeOptions.url ?? "")) return;
    throw new FacilitatorError("shutting_down", undefined, { retryAfterSeconds: 1 });
  });
  // The client's next request goes to another instance, and nobody waits for the end of a connection without requests.
  app.addHook("onSend", async (_, reply) => {
    if (isDraining()) reply.header("connection", "close");
  });
}
