// Our policy for sponsored payments and that of @x402/svm's facilitator, of the version that is installed here, on the same
// bytes: what the benchmark lays side by side. That ours refuses each case for its own reason, is in tests/bench.
import { expect } from "chai";
import { ACCEPTED } from "../../bench/facilitator/judges.ts";
import { measurePolicy } from "../../bench/facilitator/policy.ts";

describe("policies of sponsored payments", () => {
  it("@x402/svm's takes what is valid and refuses every other case, as ours does", async () => {
    const rows = await measurePolicy({ rounds: 1, size: 4 });
    expect(rows.length).equal(8);
    for (const { id, good, judged } of rows) {
      expect(
        judged.map(({ judge }) => judge.split(" ")[0]),
        id,
      ).deep.equal(["mppsol", "@x402/svm"]);
      for (const { judge, verdict, cpu } of judged) {
        expect(verdict === ACCEPTED, `${id}: ${judge} says ${verdict}`).equal(good);
        expect(cpu.length, `${id}: ${judge}`).above(0);
        expect(
          cpu.every((each) => each > 0),
          `${id}: ${judge}`,
        ).equal(true);
      }
    }
  });
});
