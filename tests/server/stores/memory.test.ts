// The store in memory.
import { memoryStore } from "@mppsol/server/stores";
import { expect } from "chai";
import { contract } from "./contract.js";
import { rejection } from "./values.js";

contract("memory", async () => memoryStore(), 500);

describe("the store in memory", () => {
  it("says that it is not durable", () => {
    expect(memoryStore()).to.include({ kind: "memory", durable: false });
  });

  it("ends watches when it is closed, and refuses everything afterwards", async () => {
    const store = memoryStore();
    const watch = store.channels.watch("channel", 0n, 30_000);
    await store.close();
    await watch;
    expect((await rejection(store.channels.get("channel"))).code).to.equal("store-closed");
    expect((await rejection(store.deliveries.get("scope", "key"))).code).to.equal("store-closed");
    expect((await rejection(store.charges.get("key"))).code).to.equal("store-closed");
  });
});
