// The end of the command line: what it says, and with what it exits.
import { expect } from "chai";
import { type Stoppable, stopOnSignals } from "../../../services/facilitator/src/cli/stop.ts";

describe("a signal to end", () => {
  let printed: string;
  let exits: number[];
  let listeners: Record<string, () => void>;
  let finish: (error?: Error) => void;
  beforeEach(() => {
    printed = "";
    exits = [];
    listeners = {};
  });

  const start = (isSilent: boolean) => {
    const closed = new Promise<void>((resolve, reject) => {
      finish = (error) => (error === undefined ? resolve() : reject(error));
    });
    const process: Stoppable = {
      on: (signal, listener) => {
        listeners[signal] = listener;
      },
      exit: (code) => exits.push(code),
    };
    const print = (text: string) => {
      printed += text;
    };
    stopOnSignals({ url: "http://x", isSilent, close: () => closed }, process, { out: print, err: print });
  };
  const settled = () => new Promise((resolve) => setImmediate(resolve));

  it("is answered by a line when it goes down, and one when it is done", async () => {
    start(false);
    listeners.SIGINT!();
    expect(printed).to.match(/^mppsol-facilitator: SIGINT: going down; .*\n$/);
    expect(exits).to.deep.equal([]);
    finish();
    await settled();
    expect(printed.split("\n").slice(1)).to.deep.equal(["mppsol-facilitator: stopped", ""]);
    expect(exits).to.deep.equal([0]);
  });

  it("is answered by nothing where it is to be silent", async () => {
    start(true);
    listeners.SIGTERM!();
    finish();
    await settled();
    expect([printed, exits]).to.deep.equal(["", [0]]);
  });

  it("ends at once when it comes twice, and with 1 when it cannot go down well", async () => {
    start(false);
    listeners.SIGTERM!();
    listeners.SIGINT!();
    expect(exits).to.deep.equal([130]);
    finish(new Error("the database is gone"));
    await settled();
    expect(exits).to.deep.equal([130, 1]);
    expect(printed).to.include("the database is gone").and.not.include("stopped");
  });
});
