// What the package needs of this repository besides its own files: the program of sessions, for the chain in the process. It is
// there while the package is packed, and only then: a copy that stays would be taken for the program after that has changed.
//   node scripts/artifacts.js copy|remove
import { copyFileSync, mkdirSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const FILE = "mppsol_session.so";
const from = fileURLToPath(new URL(`../../../artifacts/${FILE}`, import.meta.url));
const folder = fileURLToPath(new URL("../artifacts", import.meta.url));

if (process.argv[2] === "copy") {
  mkdirSync(folder, { recursive: true });
  copyFileSync(from, `${folder}/${FILE}`);
} else if (process.argv[2] === "remove") rmSync(folder, { recursive: true, force: true });
else throw new Error("usage: artifacts.js copy|remove");
