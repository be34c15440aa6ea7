// Databases in memory without their first two seconds: PGlite makes one, with Postgres's initdb, and every later one of this
// process starts as a copy of it. Importing this is all there is to do.
import { PGlite, type PGliteOptions } from "@electric-sql/pglite";

const create = PGlite.create.bind(PGlite) as (options?: PGliteOptions) => Promise<PGlite>;
let blank: Promise<Blob> | undefined;

async function makeBlank(): Promise<Blob> {
  const first = await create();
  const files = await first.dumpDataDir("none");
  await first.close();
  return files;
}

PGlite.create = (async (...options: [PGliteOptions?]) => {
  if (options.length > 0) return create(...options);
  blank ??= makeBlank();
  return create({ loadDataDir: await blank });
}) as typeof PGlite.create;
