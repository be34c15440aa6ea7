// `npm run chaos`: kills the service a thousand times and says what came of it. With --out FILE the result is kept there.
import "@mppsol/localnet/quiet";
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { chaos } from "./chaos.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "1000" },
    buyers: { type: "string", default: "6" },
    seed: { type: "string" },
    out: { type: "string" },
  },
});
const rounds = Number(values.rounds);
const outcome = await chaos({
  rounds,
  buyers: Number(values.buyers),
  ...(values.seed === undefined ? {} : { seed: Number(values.seed) }),
  onRound(round) {
    if (round % 10 === 0 || round === rounds) process.stderr.write(`\r${round} of ${rounds} killed`);
  },
});
process.stderr.write("\n");
const text = `${JSON.stringify(outcome, null, 2)}\n`;
process.stdout.write(text);
if (values.out !== undefined) writeFileSync(values.out, text);
process.exit(outcome.lies.length === 0 ? 0 : 1);
