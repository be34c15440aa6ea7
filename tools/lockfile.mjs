// Completes package-lock.json with the optional packages of other platforms (native binaries), which npm leaves out
// when the registry it asks does not have them; `npm ci` refuses a lockfile without them. Run after `npm install`, with the lockfile's path when it is not the root's.
import { readFileSync, writeFileSync } from "node:fs";

const [FILE = "package-lock.json"] = process.argv.slice(2);
const lock = JSON.parse(readFileSync(FILE, "utf8"));
const packages = lock.packages;
const find = (name, words) => words.find((word) => name.includes(word));

for (const [owner, { dev, optionalDependencies = {} }] of Object.entries({ ...packages })) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    const path = `node_modules/${name}`;
    if (packages[path] ?? packages[`${owner}/${path}`]) continue;
    const [os, cpu] = [find(name, ["android", "darwin", "win32", "linux"]), find(name, ["arm64", "x64"])];
    if (os === undefined || cpu === undefined) continue;
    const libc = name.includes("musl") ? ["musl"] : name.includes("gnu") ? ["glibc"] : undefined;
    packages[path] = { version, cpu: [cpu], ...(dev && { dev }), ...(libc && { libc }), optional: true, os: [os] };
    console.log(`lockfile: added ${name}`);
  }
}
lock.packages = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(FILE, `${JSON.stringify(lock, null, 2)}\n`);
