// What somebody finds who opens the address: what this is, and where it is described.
import { readFileSync } from "node:fs";
import type { App } from "./App.js";

const README = new URL("../../README.md", import.meta.url);

export function rootRoutes(app: App, version: string): void {
  const here = {
    service: "mppsol-facilitator",
    version,
    reference: "/reference",
    openapi: "/openapi.json",
    readme: "/README.md",
  };
  app.get("/", { schema: { hide: true } }, async () => here);

  let readme: string | undefined;
  app.get(here.readme, { schema: { hide: true } }, async (_, reply) => {
    readme ??= readFileSync(README, "utf8");
    return reply.header("content-type", "text/markdown; charset=utf-8").send(readme);
  });
}
