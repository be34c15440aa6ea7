// The HTTP side: one Fastify application, made of the route plugins of each part.
import fastify, { type FastifyServerOptions, LogController } from "fastify";
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from "fastify-type-provider-zod";
import type { Redis } from "ioredis";
import { chargeRoutes } from "./charge/routes.js";
import type { Context } from "./context.js";
import type { App } from "./http/App.js";
import { answerBrokenRequest, answerUnroutable } from "./http/broken.js";
import { refuseWhileDraining } from "./http/draining.js";
import { registerIdempotency } from "./http/idempotency.js";
import { registerRateLimit, registerSecurityHeaders } from "./http/limits.js";
import { registerOpenApi, registerReference } from "./http/openapi.js";
import { registerProblems } from "./http/problem.js";
import { requestId } from "./http/requestId.js";
import { rootRoutes } from "./http/root.js";
import { onboardRoutes } from "./onboard/routes.js";
import { tellsEverybody } from "./ops/admin.js";
import type { HealthChecks } from "./ops/health.js";
import { loggerOptions, registerRequestLog } from "./ops/logging.js";
import type { ServiceMetrics } from "./ops/prometheus.js";
import { opsRoutes } from "./ops/routes.js";
import { sessionRoutes } from "./session/routes.js";
import { VERSION } from "./version.js";
import { x402Routes } from "./x402/routes.js";

/** The routes of each part. */
const ROUTES: readonly ((app: App, context: Context) => Promise<void>)[] = [
  chargeRoutes,
  sessionRoutes,
  x402Routes,
  onboardRoutes,
];

/** What a body may be: 64 KiB. */
const BODY_LIMIT = 65_536;

/** Milliseconds for a whole request to arrive, and for its headers. */
const REQUEST_TIMEOUT_MS = 15_000;
const HEADERS_TIMEOUT_MS = 10_000;

export interface AppParts {
  readonly health: HealthChecks;
  readonly metrics: ServiceMetrics;
  readonly redis?: Redis | undefined;
  /** Whether it goes down and takes no more work. */
  readonly isDraining: () => boolean;
  /** Replaces the logger, in tests. */
  readonly logger?: FastifyServerOptions["logger"];
}

/** The application, ready to listen or to be injected into. */
export async function buildApp(context: Context, parts: AppParts): Promise<App> {
  const { config } = context;
  const app: App = fastify({
    logger: parts.logger ?? loggerOptions(config.logLevel),
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: "requestId" }),
    genReqId: requestId,
    requestIdHeader: false,
    trustProxy: (_address, hop) => hop < config.trustProxy,
    bodyLimit: BODY_LIMIT,
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: { headersTimeout: HEADERS_TIMEOUT_MS, connectionsCheckingInterval: 2_000 },
    // Draining answers by itself, as a problem document.
    return503OnClosing: false,
    frameworkErrors: answerUnroutable,
    clientErrorHandler: answerBrokenRequest,
  }).withTypeProvider<ZodTypeProvider>();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  // Nothing but JSON is read.
  app.removeContentTypeParser("text/plain");

  registerRequestLog(app, (...observed) => parts.metrics.request(...observed));
  app.addHook("onRequest", async (request, reply) => {
    reply.header("x-request-id", request.id);
  });
  refuseWhileDraining(app, parts.isDraining);
  await registerSecurityHeaders(app);
  await registerRateLimit(app, config.rateLimitPerMinute, parts.redis);
  registerProblems(app, app.rateLimit(), (error, request) => {
    request.log.error({ err: error }, "fault");
  });
  registerIdempotency(app, context, { longestMs: 2 * config.settleBudgetMs + 30_000 });
  await registerOpenApi(app, VERSION, config.publicUrl);

  rootRoutes(app, VERSION);
  const { tables, now, onError } = context;
  opsRoutes(app, { ...parts, tables, now, onError }, tellsEverybody(config));
  for (const routes of ROUTES) await app.register((instance: App) => routes(instance, context));
  await registerReference(app);
  await app.ready();
  return app;
}
