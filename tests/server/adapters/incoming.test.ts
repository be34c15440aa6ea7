// From Node's message to a web request: nothing that a client writes may make it a request to somebody else.
import type { IncomingMessage } from "node:http";
import { expect } from "chai";
import { requireOneMeaning, targetOf, toRequest } from "../../../sdk/server/src/adapters/incoming.ts";

const { signal } = new AbortController();

/** A message as Node's parser makes them. */
function message(url: string, headers: Record<string, string> = {}, method = "GET"): IncomingMessage {
  const rawHeaders = Object.entries(headers).flat();
  return { method, url, headers, rawHeaders, socket: {} } as unknown as IncomingMessage;
}

const urlOf = (url: string, headers: Record<string, string> = { host: "shop.example" }) =>
  toRequest(message(url, headers), new Uint8Array(0), signal).url;

describe("the request of a Node message", () => {
  it("is for the host of the Host header, as long as it is one", () => {
    expect(urlOf("/joke", { host: "shop.example:8080" })).to.equal("http://shop.example:8080/joke");
    expect(urlOf("/joke", { host: "[::1]:80" })).to.equal("http://[::1]/joke");
    expect(urlOf("/joke", { ":authority": "two.example", host: "one.example" })).to.equal("http://two.example/joke");
  });

  it("is for localhost when the Host header is missing, holds more than a host, or one that cannot be", () => {
    const others = ["evil.example/@x", "me@evil.example", "evil.example?x", "evil.example#x", "a b", "", "h:99999"];
    for (const host of [...others, "1.2.3.4.5", "h:", "[::1", "\\evil"]) {
      expect(urlOf("/joke", { host }), host).to.equal("http://localhost/joke");
    }
    expect(urlOf("/joke", {})).to.equal("http://localhost/joke");
  });

  it("takes no path that begins with // for a host", () => {
    expect(urlOf("//evil.example/joke?a=1")).to.equal("http://shop.example//evil.example/joke?a=1");
    expect(urlOf("/\\evil.example/joke")).to.equal("http://shop.example//evil.example/joke");
  });

  it("takes path and query out of an absolute form, and nothing out of what has no path", () => {
    expect(targetOf(message("http://evil.example:1/joke?a=1"))).to.equal("/joke?a=1");
    for (const url of ["mailto:.evil.example", "*", "", "evil.example:443"]) {
      expect(targetOf(message(url)), url).to.equal("/");
      expect(urlOf(url), url).to.equal("http://shop.example/");
    }
  });

  it("is refused where it names two hosts, or a path that its URL does not have", () => {
    const check = (url: string, headers: Record<string, string> = { host: "shop.example" }) =>
      requireOneMeaning(message(url, headers));
    const two = { ":authority": "cheap.example", host: "dear.example" };
    expect(() => check("/joke", two)).to.throw("in two ways");
    check("/joke", { ":authority": "Shop.example:443", host: "shop.example:443" });
    check("/joke", { ":authority": "shop.example" });
    check("/joke", {});
    for (const path of [
      "/dear/../cheap",
      "/dear/%2e%2E/cheap",
      "/dear/.%2e",
      "/..",
      "/./joke",
      "/dear\\..\\cheap",
      "/%2e",
    ]) {
      expect(() => check(path), path).to.throw("in two ways");
      // It is the URL, which prices are found by, that says something else.
      expect(new URL(urlOf(path)).pathname).not.to.equal(path);
    }
    for (const path of [
      "/joke.",
      "/.well-known/x",
      "/a..b/...",
      "/%2e%2ea/%2fe",
      "/joke?a=/../b",
      "//x//y",
      "/a%5cb",
      "/a;b/c",
    ]) {
      check(path);
      expect(urlOf(path), path).to.equal(`http://shop.example${path}`);
    }
  });

  it("is https on an encrypted socket", () => {
    const encrypted = { ...message("/", { host: "h" }), socket: { encrypted: true } } as unknown as IncomingMessage;
    expect(toRequest(encrypted, new Uint8Array(0), signal).url).to.equal("https://h/");
  });

  it("has a body where its method may have one, and no pseudo-headers", async () => {
    const body = Buffer.from("abc");
    const headers = { ":path": "/x", host: "h", "x-a": "1" };
    const post = toRequest(message("/x", headers, "POST"), body, signal);
    expect(await post.text()).to.equal("abc");
    expect([...post.headers.keys()].sort()).to.deep.equal(["host", "x-a"]);
    for (const method of ["GET", "HEAD"])
      expect(toRequest(message("/x", {}, method), body, signal).body).to.equal(null);
  });
});
