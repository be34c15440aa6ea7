// The packages of this repository are used from its root, as an application would use them from its node_modules.
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

export default {
  outputFileTracingRoot: root,
  turbopack: { root },
  serverExternalPackages: [
    "@mppsol/server",
    "@mppsol/programs",
    "@mppsol/core",
    "@solana/web3.js",
    "@coral-xyz/anchor",
  ],
};
