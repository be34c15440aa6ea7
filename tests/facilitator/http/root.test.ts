// What somebody finds who opens the address of the service.
import { expect } from "chai";
import { rootRoutes } from "../../../services/facilitator/src/http/root.ts";
import { bare } from "./bare.ts";

describe("the root of the service", () => {
  it("says what this is, and where it is described", async () => {
    const { app } = bare((app) => rootRoutes(app, "1.2.3"));
    const answer = await app.inject("/");
    expect(answer.statusCode).to.equal(200);
    expect(answer.json()).to.deep.equal({
      service: "mppsol-facilitator",
      version: "1.2.3",
      reference: "/reference",
      openapi: "/openapi.json",
      readme: "/README.md",
    });
    const readme = await app.inject("/README.md");
    expect(readme.headers["content-type"]).to.include("text/markdown");
    expect(readme.body).to.match(/^# @mppsol\/facilitator\n/);
  });
});
