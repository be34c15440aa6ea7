// The image and the compose file: checked as far as that goes without running them. What they set is what is read.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readConfig, VARIABLES } from "@mppsol/facilitator";
import { Keypair } from "@solana/web3.js";
import { expect } from "chai";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const text = (path: string) => readFileSync(join(ROOT, path), "utf8");
const dockerfile = text("services/facilitator/Dockerfile");
const compose = text("services/facilitator/compose.yaml");
const known = new Set(VARIABLES.map(({ name }) => name));

/** `NAME=value` of the last stage. */
function imageEnvironment(): Record<string, string> {
  const last = dockerfile.slice(dockerfile.lastIndexOf("FROM "));
  const block = last.match(/^ENV ((?:.*\\\n)*.*)$/m)?.[1] ?? "";
  return Object.fromEntries([...block.matchAll(/([A-Z_]+)=(\S+)/g)].map(([, name, value]) => [name!, value!]));
}

/** What compose sets for the facilitator, as it is when the variables that it asks for are given. */
function composeEnvironment(given: Record<string, string>): Record<string, string> {
  const block = compose.match(/^ {2}environment:\n((?: {4}.*\n)+)/m)?.[1] ?? "";
  const resolved = (value: string) =>
    value.replace(/\$\{([A-Z_]+)(?:(:[-?])([^}]*))?\}/g, (_, name: string, mode: string, rest = "") => {
      const found = given[name];
      if (found === undefined && mode === ":?") throw new Error(`${name}: ${rest}`);
      return found ?? rest;
    });
  return Object.fromEntries(
    [...block.matchAll(/^ {4}([A-Z_]+): (.*)$/gm)].map(([, name, value]) => [
      name!,
      resolved(value!).replace(/^"(.*)"$/, "$1"),
    ]),
  );
}

describe("the container of the facilitator", () => {
  it("sets variables that the service reads", () => {
    const names = Object.keys(imageEnvironment()).filter((name) => name !== "NODE_ENV");
    expect(names).to.include.members(["HOST", "ALLOW_PUBLIC_HOST", "PORT", "MPPSOL_DATA_DIR"]);
    for (const name of names) expect(known.has(name), name).to.equal(true);
    const inCompose = Object.keys(composeEnvironment({ RPC_URLS: "x", POSTGRES_PASSWORD: "x" }));
    expect(inCompose).to.include.members([
      "RPC_URLS",
      "DATABASE_URL",
      "REDIS_URL",
      "FEE_PAYER_KEY_FILES",
      "SECRET_FILE",
    ]);
    for (const name of inCompose) expect(known.has(name), name).to.equal(true);
  });

  it("is configured by them such that the service starts, on devnet and on mainnet-beta", () => {
    const directory = mkdtempSync(join(tmpdir(), "facilitator-compose-"));
    try {
      for (const name of ["fee_payer", "settlement", "operator"]) {
        writeFileSync(join(directory, name), `[${Keypair.generate().secretKey.join(",")}]`);
      }
      writeFileSync(join(directory, "secret"), "x".repeat(64));
      const given = { RPC_URLS: "https://one.example,https://two.example", POSTGRES_PASSWORD: "swordfish" };
      for (const network of ["devnet", "mainnet-beta"]) {
        const more = { ...given, MPPSOL_NETWORK: network, PUBLIC_URL: "https://pay.example" };
        const environment = Object.fromEntries(
          Object.entries({ ...imageEnvironment(), ...composeEnvironment(more) }).map(([name, value]) => [
            name,
            value.replaceAll("/run/secrets", directory),
          ]),
        );
        const { config, generated } = readConfig(environment);
        expect(generated).to.deep.equal([]);
        expect(config).to.include({ host: "0.0.0.0", port: 8402, redisUrl: "redis://redis:6379" });
        expect(config.databaseUrl).to.equal("postgresql://facilitator:swordfish@postgres/facilitator");
        expect(config.admin).to.deep.equal({ host: "0.0.0.0", port: 9402 });
      }
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it("keeps the admin port to itself: loopback in the image, the network of compose, published nowhere", () => {
    expect(imageEnvironment()).to.include({ ADMIN_PORT: "9402" }).and.not.have.any.keys("ADMIN_HOST");
    expect(imageEnvironment()).to.not.have.any.keys("ALLOW_PUBLIC_METRICS");
    expect(dockerfile).to.not.match(/^EXPOSE .*9402/m);
    expect(compose).to.not.match(/ports:.*9402/);
  });

  it("is asked for what everybody is told, where everybody asks", () => {
    const [, url] = dockerfile.match(/^HEALTHCHECK (?:.*\\\n)?.*fetch\(`([^`]*)`\)/m) ?? [];
    expect(url?.replace(/^.*env\.PORT\}/, "")).to.equal("/livez");
  });

  it("asks for what it cannot be without", () => {
    expect(() => composeEnvironment({ POSTGRES_PASSWORD: "x" })).to.throw(/RPC_URLS/);
    expect(() => composeEnvironment({ RPC_URLS: "x" })).to.throw(/POSTGRES_PASSWORD/);
  });

  it("runs as nobody in particular, and is asked whether it lives", () => {
    const last = dockerfile.slice(dockerfile.lastIndexOf("FROM "));
    expect(last).to.match(/^FROM node:22-slim$/m);
    expect(last.match(/^USER (.*)$/m)?.[1]).to.equal("node");
    expect(last.indexOf("USER node")).to.be.lessThan(last.indexOf("ENTRYPOINT"));
    expect(last).to.include("HEALTHCHECK").and.include("/livez");
  });

  it("copies what is there, starts what the package says, and listens where compose expects it", () => {
    for (const [, sources] of dockerfile.matchAll(/^COPY (?!--from)(.*) \S+$/gm)) {
      for (const source of sources!.split(" ")) expect(existsSync(join(ROOT, source)), source).to.equal(true);
    }
    const { bin } = JSON.parse(text("services/facilitator/package.json")) as { bin: Record<string, string> };
    expect(dockerfile).to.include(`"services/facilitator/${bin["mppsol-facilitator"]!.replace("./", "")}"`);
    const { PORT } = imageEnvironment();
    expect([...compose.matchAll(/127\.0\.0\.1:\d+:(\d+)"/g)].map(([, port]) => port)).to.deep.equal([PORT, PORT]);
    expect(dockerfile).to.match(new RegExp(`^EXPOSE ${PORT}$`, "m"));
    const ignored = text("services/facilitator/Dockerfile.dockerignore");
    for (const stale of ["**/dist", "**/*.tsbuildinfo", "**/node_modules"]) expect(ignored).to.include(stale);
  });

  it("has the time to finish what is under way before it is killed", () => {
    const grace = Number(compose.match(/stop_grace_period: (\d+)s/)?.[1]);
    const drain = Number(composeEnvironment({ RPC_URLS: "x", POSTGRES_PASSWORD: "x" }).DRAIN_SECONDS);
    expect(grace).to.be.at.least(60 + drain);
  });

  it("keeps the two instances apart, and one database for both", () => {
    expect(compose).to.include("data-1:/data").and.include("data-2:/data");
    expect(compose.match(/<<: \*facilitator/g)).to.have.length(2);
    const volumes = compose.slice(compose.lastIndexOf("\nvolumes:"));
    for (const name of ["data-1", "data-2", "postgres"]) expect(volumes).to.include(`  ${name}:`);
  });
});
