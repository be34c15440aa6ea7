// What is said of errors that keep the service from starting: of each what to do, and of none a secret.
import { RpcError, StoreError, WrongClusterError } from "@mppsol/server/parts";
import { expect } from "chai";
import { explained, StartError } from "../../../services/facilitator/src/cli/StartError.ts";
import {
  databaseText,
  folderText,
  listenText,
  type Place,
  redisText,
} from "../../../services/facilitator/src/cli/texts.ts";
import type { Config } from "../../../services/facilitator/src/config.ts";

const failed = (code: string | undefined, message = "it failed") =>
  Object.assign(new Error(message), code === undefined ? {} : { code });

describe("what is said of an error at start", () => {
  const place: Place = { host: "127.0.0.1", port: 80, hostVariable: "HOST", portVariable: "PORT" };
  const postgres = "postgresql://user:swordfish@db.example:5432/pay";

  it("names the variable of an address, and another way", () => {
    expect(listenText(failed("EADDRINUSE"), place)).to.match(/^PORT: 80 is taken on 127\.0\.0\.1: .*PORT=… or --port$/);
    expect(listenText(failed("EACCES"), place)).to.match(
      /^PORT: 80 is not for everybody: choose one from 1024 by PORT=/,
    );
    for (const code of ["EADDRNOTAVAIL", "ENOTFOUND", "EAI_AGAIN"]) {
      expect(listenText(failed(code), place), code).to.match(/^HOST: 127\.0\.0\.1 is no address of this machine/);
    }
    expect(listenText(failed("EMFILE", "too many"), place)).to.equal("PORT: cannot listen on 127.0.0.1:80: too many");
  });

  it("tells a database that is away from one that refuses", () => {
    for (const error of [failed("ECONNREFUSED"), failed("ENOTFOUND"), failed("57P03", "starting up")]) {
      expect(databaseText(error, postgres)).to.match(
        /^DATABASE_URL: no Postgres answers at db\.example:5432 \(\w+\): /,
      );
    }
    const late = failed(undefined, "timeout exceeded when trying to connect");
    expect(databaseText(new StoreError("x", { cause: late }), postgres)).to.match(/no Postgres answers .*\(timeout\)/);
    for (const code of ["28P01", "28000"]) {
      expect(databaseText(failed(code), postgres)).to.match(
        /^DATABASE_URL: Postgres at \S+ refuses the user or the pass/,
      );
    }
    const none = new StoreError("x", { cause: failed("3D000") });
    expect(databaseText(none, postgres)).to.match(/^DATABASE_URL: Postgres at \S+ has no such database: create it$/);
    expect(databaseText(new StoreError("fsync is off"), postgres)).to.equal("DATABASE_URL: fsync is off");
    expect(databaseText(failed("ECONNREFUSED"), "postgresql://u@/db?host=/run/pg")).to.include("at its socket");
  });

  it("tells a Redis that is away from one that refuses", () => {
    const url = "rediss://:swordfish@cache.example:6380";
    expect(redisText(failed("ECONNREFUSED"), url)).to.match(
      /^REDIS_URL: no Redis answers at cache\.example:6380 \(ECONN/,
    );
    expect(redisText(failed(undefined, "Connection is closed."), url)).to.include("(timeout)");
    expect(redisText(failed(undefined, "NOAUTH Authentication required."), url)).to.equal(
      "REDIS_URL: Redis at cache.example:6380 refuses: NOAUTH Authentication required.",
    );
    expect(redisText(failed("ERR_TLS_CERT_ALTNAME_INVALID", "other name"), url)).to.include("refuses: other name");
  });

  it("names the folder, and another way", () => {
    const inUse = new StoreError("/data/x.db is in use by process 12; see /data/x.db.lock");
    expect(folderText(inUse, "/data")).to.match(
      /^MPPSOL_DATA_DIR: another instance \(process 12\) uses \/data: stop it/,
    );
    const full = new StoreError("ENOSPC: no space", { cause: failed("ENOSPC") });
    expect(folderText(full, "/data")).to.match(
      /^MPPSOL_DATA_DIR: \/data cannot be used \(ENOSPC\): choose another folder/,
    );
    expect(folderText(new StoreError("holds something else"), "/d")).to.equal("MPPSOL_DATA_DIR: holds something else");
  });

  it("is said of what happens after all was well, too, and faults of the service stay what they are", () => {
    const config = { host: "127.0.0.1", port: 8402, admin: { host: "127.0.0.1", port: 9402 } } as Config;
    const text = (error: unknown, more: Partial<Config> = {}) => {
      const found = explained(error, { ...config, ...more }, "/data");
      return found instanceof StartError ? found.message : found;
    };
    const taken = Object.assign(failed("EADDRINUSE"), { port: 9402 });
    expect(text(taken)).to.equal(
      "it cannot start\nADMIN_PORT: 9402 is taken on 127.0.0.1: stop what listens there, or choose another by ADMIN_PORT=…",
    );
    expect(text(Object.assign(failed("EADDRINUSE"), { port: 8402 }))).to.match(/PORT: 8402/);
    expect(text(new RpcError("getGenesisHash", "x"))).to.match(/RPC_URLS: no node answers/);
    expect(text(new WrongClusterError("the node is of devnet, not of mainnet"))).to.equal(
      "it cannot start\nRPC_URLS: the node is of devnet, not of mainnet-beta",
    );
    expect(text(new StoreError("x"))).to.match(/MPPSOL_DATA_DIR: x/);
    expect(text(new StoreError("x"), { databaseUrl: postgres })).to.match(/DATABASE_URL: x/);
    const fault = new TypeError("undefined is not a function");
    expect(text(fault)).to.equal(fault);
  });

  it("has no secret in it", () => {
    const quoting = new StoreError(`cannot reach ${postgres}`);
    expect(databaseText(quoting, postgres) + folderText(quoting, "/d")).to.not.include("swordfish");
    expect(redisText(failed(undefined, "bad redis://:swordfish@x"), "redis://:swordfish@x")).to.not.include(
      "swordfish",
    );
  });
});
