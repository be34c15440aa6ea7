// Holds the lock of a directory until it is killed. Run by the tests of PGlite.
import { DirectoryLock } from "../../../sdk/server/dist/stores/directoryLock.js";

DirectoryLock.take(process.argv[2] as string);
process.send?.("held");
setInterval(() => {}, 1_000);
