// Paid route handlers in the form that Next's app router calls: a request, and a context whose params are a promise.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { expect } from "chai";
import { paid } from "../../../sdk/server/src/adapters/next.ts";
import { payFor } from "../http/fakes.ts";
import { scenarios, type World, world } from "./scenarios.ts";

interface Params {
  readonly params: Promise<{ readonly id: string }>;
}

type RouteHandler = (request: Request, context: Params) => Promise<Response>;

const start = async (made: World) => {
  const ran = (request: Request) => made.runs.push(new URL(request.url).pathname);
  const routes: Record<string, RouteHandler> = {
    "/free": async () => new Response("free"),
    "/joke": paid(made.joke, (request: Request, _context: object) => {
      ran(request);
      return new Response("a joke");
    }),
    "/echo": paid(made.joke, async (request: Request, _context: object) => {
      ran(request);
      return Response.json(await request.json());
    }),
    "/fail": paid(made.joke, (request: Request, _context: object) => {
      ran(request);
      throw new Error("secret of the handler");
    }),
    "/stream": paid(made.metered, (request: Request, context) => {
      ran(request);
      return made.stream(context);
    }),
  };
  const dispatch = (request: Request) => {
    const handler = routes[new URL(request.url).pathname];
    return handler?.(request, { params: Promise.resolve({ id: "1" }) }) ?? new Response(null, { status: 404 });
  };
  const server = createServer(getRequestListener(dispatch, { overrideGlobalObjects: false }));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
};

scenarios("Next route handlers", start, { normalises: true, joins: true });

describe("a Next route handler", () => {
  it("gets its own request, its params, the payment and the client's signal", async () => {
    const made = world();
    class NextRequest extends Request {
      readonly nextUrl = new URL(this.url);
    }
    const handler = paid(made.joke, async (request: NextRequest, { params, payment, signal }: Params & never) => {
      const { id } = await (params as Params["params"]);
      const { amount } = payment as { amount: bigint };
      return Response.json([request.nextUrl.pathname, id, String(amount), (signal as AbortSignal).aborted]);
    });
    const { response } = await payFor(
      (request) => handler(request as NextRequest, { params: Promise.resolve({ id: "7" }) } as never),
      (headers) => new NextRequest("https://api.example.com/items/7", { headers }),
    );
    expect(await response.json()).to.deep.equal(["/items/7", "7", "1000", false]);
  });
});
