// Either a payment is given up, or it is signed.
import { expect } from "chai";
import { GiveUp } from "../../../sdk/server/src/charge/GiveUp.ts";

describe("charge, giving up", () => {
  it("what is given up is never signed", () => {
    const giveUp = new GiveUp();
    expect(giveUp.giveUp()).to.equal(true);
    expect(giveUp.commit()).to.equal(false);
    expect(giveUp.giveUp()).to.equal(true);
  });

  it("what is signed cannot be given up", () => {
    const giveUp = new GiveUp();
    expect(giveUp.commit()).to.equal(true);
    expect(giveUp.giveUp()).to.equal(false);
    expect(giveUp.commit()).to.equal(true);
  });
});
