// Stores whose package is not installed say which one is missing.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

/** A loader to which the databases' packages do not exist. */
const HOOKS = `
export async function resolve(specifier, context, next) {
  if (/^(pg|@electric-sql\\/pglite)(\\/|$)/.test(specifier)) {
    throw Object.assign(new Error("Cannot find package"), { code: "ERR_MODULE_NOT_FOUND" });
  }
  return next(specifier, context);
}`;

const REGISTER = `
import { register } from "node:module";
register("data:text/javascript," + encodeURIComponent(${JSON.stringify(HOOKS)}));`;

const SCRIPT = `
const { memoryStore, pgliteStore, postgresStore } = await import("@mppsol/server/stores");
await memoryStore().migrate();
for (const store of [postgresStore({ connectionString: "postgresql://nowhere" }), pgliteStore()]) {
  await store.migrate().then(
    () => console.log("migrated"),
    ({ code, dependency, message }) => console.log([code, dependency, message].join("; ")),
  );
}`;

describe("stores without the package that they need", () => {
  it("can be imported, and say what to install", () => {
    const loader = `data:text/javascript,${encodeURIComponent(REGISTER)}`;
    const said = execFileSync(process.execPath, ["--import", loader, "--input-type=module", "-e", SCRIPT], {
      cwd: fileURLToPath(new URL("../../..", import.meta.url)),
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
    expect(said.trim().split("\n")).to.deep.equal([
      "missing-dependency; pg; postgresStore needs the package pg: npm install pg",
      "missing-dependency; @electric-sql/pglite; pgliteStore needs the package @electric-sql/pglite: npm install @electric-sql/pglite",
    ]);
  });
});
