// Processor time, of this process and of others.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Microseconds of all threads of this process, from one reading to the next. */
export function ownCpu(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

let ticksPerSecond: number | undefined;

/** Microseconds that these processes have used, as far as they live. */
export function cpuOf(pids: readonly number[]): number {
  ticksPerSecond ??= Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));
  let ticks = 0;
  for (const pid of pids) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      ticks += Number(fields[11]) + Number(fields[12]);
    } catch {
      // It ended.
    }
  }
  return (ticks * 1e6) / ticksPerSecond;
}
