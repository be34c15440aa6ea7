// The HTTP side alone: an application with the service's handlers and routes that do what a test says.
import fastify from "fastify";
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import type { App } from "../../../services/facilitator/src/http/App.ts";
import { answerBrokenRequest, answerUnroutable } from "../../../services/facilitator/src/http/broken.ts";
import { registerProblems } from "../../../services/facilitator/src/http/problem.ts";
import { requestId } from "../../../services/facilitator/src/http/requestId.ts";

export interface Bare {
  readonly app: App;
  /** What was no client's fault. */
  readonly faults: unknown[];
  /** What the routes do: GET /do, POST /do. */
  act: (body: unknown) => Promise<{ readonly status?: number; readonly body: Record<string, unknown> }>;
}

const Body = z.strictObject({
  amount: z.string().regex(/^[0-9]+$/),
  note: z.string().optional(),
});

/** @param more what else is registered, before the routes. */
export function bare(more: (app: App) => void = () => {}): Bare {
  const app: App = fastify({
    bodyLimit: 65_536,
    genReqId: requestId,
    frameworkErrors: answerUnroutable,
    clientErrorHandler: answerBrokenRequest,
  }).withTypeProvider<ZodTypeProvider>();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.removeContentTypeParser("text/plain");
  const world: Bare = { app, faults: [], act: async () => ({ body: { done: true } }) };
  registerProblems(
    app,
    async () => {},
    (error) => world.faults.push(error),
  );
  more(app);
  const schema = { body: Body };
  app.post("/do", { schema, config: { idempotent: true } }, async (request, reply) => {
    const { status = 200, body } = await world.act(request.body);
    return reply.code(status).send(body);
  });
  app.post("/do/:what", { schema, config: { idempotent: true } }, async (request, reply) => {
    const { status = 200, body } = await world.act(request.body);
    return reply.code(status).send(body);
  });
  app.post("/item/make", async () => ({}));
  app.get("/item/:id", { schema: { params: z.object({ id: z.string().regex(/^[0-9]+$/) }) } }, async () => ({}));
  app.get("/do", async () => (await world.act(undefined)).body);
  app.get("/wrong", { schema: { response: { 200: z.object({ amount: z.string() }) } } }, (async () => ({
    amount: 1,
  })) as never);
  return world;
}
