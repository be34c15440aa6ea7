// The port of whoever runs the service: metrics, and what readiness is made of. They name nodes, keys and balances, so that on
// a network with real money nobody else gets to see them unless that is said.
import fastify from "fastify";
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from "fastify-type-provider-zod";
import type { Config } from "../config.js";
import type { App } from "../http/App.js";
import { answerBrokenRequest, answerUnroutable } from "../http/broken.js";
import { registerProblems } from "../http/problem.js";
import { requestId } from "../http/requestId.js";
import { type OpsParts, opsRoutes } from "./routes.js";

/** Whether the public port tells it all: where there is no other, and nothing to hide or that is said. */
export function tellsEverybody({
  network,
  admin,
  publicMetrics,
}: Pick<Config, "network" | "admin" | "publicMetrics">): boolean {
  return admin === undefined && (publicMetrics ?? network === "localnet");
}

/** The application of that port, ready to listen. It answers until the very end. */
export async function buildAdminApp(parts: OpsParts): Promise<App> {
  const app: App = fastify({
    genReqId: requestId,
    requestIdHeader: false,
    bodyLimit: 1_024,
    // A scraper that keeps its connection is not waited for.
    forceCloseConnections: true,
    frameworkErrors: answerUnroutable,
    clientErrorHandler: answerBrokenRequest,
  }).withTypeProvider<ZodTypeProvider>();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.addHook("onRequest", async (_, reply) => {
    reply.header("cache-control", "no-store");
  });
  registerProblems(
    app,
    async () => {},
    (error) => parts.onError(error, "answering at the admin port"),
  );
  opsRoutes(app, parts, true);
  await app.ready();
  return app;
}
