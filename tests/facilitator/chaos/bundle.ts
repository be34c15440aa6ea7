// The worker in one file: what is killed a thousand times should load fast.
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const WORKER = fileURLToPath(new URL("./worker.ts", import.meta.url));
/** Beside the compiled service, because that looks for its package.json from there. */
const OUT = fileURLToPath(new URL("../../../services/facilitator/dist/chaos.worker.mjs", import.meta.url));

/** What modules of either kind look for, and the bundle is of one. */
const BANNER = `
import { createRequire as __createRequire } from "node:module";
import { dirname as __dirnameOf } from "node:path";
const require = __createRequire(import.meta.url);
const __filename = ${JSON.stringify(OUT)};
const __dirname = __dirnameOf(__filename);
`;

/** Path of the bundle. */
export async function bundleWorker(): Promise<string> {
  await build({
    entryPoints: [WORKER],
    outfile: OUT,
    bundle: true,
    platform: "node",
    format: "esm",
    logLevel: "error",
    // Native, with files of their own, or only loaded when they are used.
    external: ["litesvm", "@electric-sql/pglite", "ioredis", "@fastify/swagger-ui", "pg"],
    banner: { js: BANNER },
  });
  return OUT;
}
