// The page for people in a browser: what it says, what it lets nobody smuggle in, and that its script pays. The script runs
// as it is sent, in a window of this test's making, with a wallet that signs for real on an embedded chain.
import { createHash } from "node:crypto";
import { createContext, runInContext } from "node:vm";
import { Base58, Challenge, ChargeRequest, type JsonObject, RefusedError, SessionRequest } from "@mppsol/core";
import { type Keypair, VersionedTransaction } from "@solana/web3.js";
import { expect } from "chai";
import { createPayments, type Guard, memoryStore, type PaymentsOptions } from "../../../sdk/server/src/index.ts";
import { paymentPage } from "../../../sdk/server/src/page/paymentPage.ts";
import { Town } from "../charge/shop.ts";
import { challengesOf, FakeCharge, FakeSession, route, SECRET } from "./fakes.ts";

const URL_ = "https://api.example.com/it's";
const BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";
const KEY = "9xQeWvG816bUx9EPjHmaT23yvVM2ZWbrrpZb9PusVFin";
const USDC = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v";

function challenge(request: JsonObject, more: Partial<Challenge.Terms> = {}): Challenge.Challenge {
  return Challenge.issue(
    { realm: "api.example.com", method: "solana", intent: "charge", request, expires: "2030-01-01T00:00:00Z", ...more },
    SECRET,
  );
}

const charge: ChargeRequest.ChargeRequest = {
  amount: 1_250_000n,
  currency: USDC,
  recipient: KEY,
  network: "mainnet",
  decimals: 6,
  tokenProgram: "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
  feePayer: false,
  splits: [{ recipient: USDC, amount: 250_000n }],
  recentBlockhash: KEY,
};

const required = new RefusedError("payment-required");
const pageOf = async (challenges: readonly Challenge.Challenge[], refusal = required) =>
  paymentPage(challenges, refusal).text();

/** What stands between tags, as a browser would show it. */
function shown(page: string): string {
  const body = page.replace(/<(script|style)[^>]*>[\s\S]*?<\/\1>/g, "").replace(/<[^>]*>/g, " ");
  return body.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code))).replace(/\s+/g, " ");
}

function blocks(page: string, tag: string): string[] {
  return [...page.matchAll(new RegExp(`<${tag}(?: [^>]*)?>([\\s\\S]*?)</${tag}>`, "g"))].map((match) => match[1] ?? "");
}

describe("a 402 for a browser", () => {
  const handle = route([new FakeCharge(), new FakeSession()], { page: paymentPage }).guard(() => new Response("paid"));
  const ask = (accept: string | undefined, method = "GET") =>
    handle(new Request(URL_, { method, ...(accept === undefined ? {} : { headers: { Accept: accept } }) }));

  it("is a page with the same status, challenges and cache control", async () => {
    const response = await ask(BROWSER);
    expect(response.status).to.equal(402);
    expect(challengesOf(response)).to.have.length(2);
    expect(response.headers.get("cache-control")).to.equal("no-store");
    expect(response.headers.get("content-type")).to.equal("text/html; charset=utf-8");
    expect(await response.text()).to.match(/^<!doctype html>/);
  });

  it("is a problem document for everybody who does not ask for HTML before JSON", async () => {
    const others = [
      undefined,
      "*/*",
      "application/json",
      "application/json, text/html;q=0.9",
      "text/html;q=0",
      "text/html;q=x",
      "application/problem+json, text/html;q=0.5",
    ];
    for (const accept of others) {
      expect((await ask(accept)).headers.get("content-type"), accept).to.equal("application/problem+json");
    }
    expect((await ask("TEXT/HTML")).headers.get("content-type")).to.equal("text/html; charset=utf-8");
  });

  it("has no body for HEAD", async () => {
    const response = await ask(BROWSER, "HEAD");
    expect([response.status, await response.text()]).to.deep.equal([402, ""]);
  });

  it("is no page for a request that the page could not make again", async () => {
    expect((await ask(BROWSER, "POST")).headers.get("content-type")).to.equal("application/problem+json");
  });

  it("is no page where nothing is to be paid", async () => {
    const response = await handle(new Request(URL_, { headers: { Accept: BROWSER, "Idempotency-Key": "" } }));
    expect([response.status, response.headers.get("content-type")]).to.deep.equal([400, "application/problem+json"]);
  });
});

describe("the payment page", () => {
  it("says price, recipients, asset, network, who asks and until when", async () => {
    const text = shown(await pageOf([challenge(ChargeRequest.toJson(charge), { description: "A joke" })]));
    for (const part of [
      "A joke",
      "1.25 USDC",
      KEY,
      `${USDC}: 0.25 USDC`,
      USDC,
      "Solana mainnet",
      "paid by you",
      "api.example.com",
      "2030-01-01T00:00:00Z",
    ]) {
      expect(text).to.contain(part);
    }
  });

  it("says what a session costs, by the unit", async () => {
    const request = SessionRequest.toJson({
      amount: 20n,
      unitType: "token",
      recipient: KEY,
      currency: USDC,
      network: "mainnet",
      channelProgram: KEY,
      decimals: 6,
      feePayer: false,
      voucherSigner: "client",
      gracePeriodSeconds: 900,
      recentBlockhash: KEY,
      recentSlot: 1n,
      distributionSplits: [],
    });
    const page = await pageOf([challenge(request, { intent: "session" })]);
    expect(shown(page)).to.contain("0.00002 USDC for each token");
    expect(blocks(page, "script")[0]).to.equal("[]");
  });

  it("says why a payment was refused", async () => {
    const refusal = new RefusedError("challenge-expired");
    expect(shown(await pageOf([challenge(ChargeRequest.toJson(charge))], refusal))).to.contain(refusal.detail);
  });

  it("names other methods without understanding them", async () => {
    const text = shown(await pageOf([challenge({ amount: "1" }, { method: "tempo" }), challenge({ any: "thing" })]));
    expect(text).to.contain("tempo charge").and.contain("api.example.com");
  });

  it("is allowed to load and to run nothing but what stands in it", async () => {
    const response = paymentPage([challenge(ChargeRequest.toJson(charge))], required);
    const policy = response.headers.get("content-security-policy") ?? "";
    const page = await response.text();
    const hash = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
    expect(policy).to.match(/^default-src 'none'; /);
    expect(policy).to.not.contain("unsafe").and.not.contain("*").and.not.contain("http");
    const script = blocks(page, "script")[1]!;
    expect(policy).to.contain(`script-src ${hash(script)};`);
    expect(policy).to.contain(`style-src ${hash(blocks(page, "style")[0]!)};`);
    for (const directive of ["connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"]) {
      expect(policy).to.contain(directive);
    }
    const markup = page.replace(script, "");
    expect(markup).to.not.match(/\s(?:src|href|action|style|on\w+)\s*=/i);
    expect(script).to.not.match(/https?:/);
    expect(response.headers.get("x-content-type-options")).to.equal("nosniff");
    expect(response.headers.get("referrer-policy")).to.equal("no-referrer");
  });

  it("takes no markup from anything that a seller or a client says", async () => {
    const evil = `</script><script>alert(1)</script><img src=x onerror="alert(2)">'\`&<!--`;
    const plain = await pageOf([challenge(ChargeRequest.toJson(charge), { description: "d" })]);
    const page = await pageOf(
      [
        challenge(ChargeRequest.toJson({ ...charge, description: evil, externalId: evil }), {
          description: evil,
          realm: evil.replace(/[^\x20-\x7e]/g, ""),
        }),
      ],
      new RefusedError("challenge-expired", evil),
    );
    for (const tag of ["script", "img", "style", "section", "!--"]) {
      const count = (text: string) => text.split(`<${tag}`).length;
      // The refusal is one more paragraph, and nothing else.
      expect(count(page), tag).to.equal(count(plain));
    }
    expect(shown(page)).to.contain(evil);
    const [data] = blocks(page, "script");
    expect(JSON.parse(data!)[0].request.externalId).to.equal(evil);
  });

  it("offers no wallet what a wallet cannot pay", async () => {
    const none = [
      { ...charge, recentBlockhash: undefined },
      { ...charge, tokenProgram: undefined },
      { ...charge, confidential: true, splits: [], tokenProgram: "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb" },
    ];
    for (const one of none) {
      const request = ChargeRequest.toJson(JSON_(one));
      expect(blocks(await pageOf([challenge(request)]), "script")[0]).to.equal("[]");
    }
  });
});

/** Without the members that are undefined. */
function JSON_(request: object): ChargeRequest.ChargeRequest {
  return Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined)) as never;
}

/** An element, as far as the script needs one. */
class Element_ {
  textContent = "";
  hidden = false;
  disabled = false;
  href = "";
  download = "";
  readonly children: Element_[] = [];
  click: () => Promise<void> = async () => undefined;

  append(...parts: unknown[]): void {
    for (const part of parts) if (part instanceof Element_) this.children.push(part);
  }

  addEventListener(type: string, act: () => Promise<void>): void {
    if (type === "click") this.click = act;
  }
}

interface Features {
  readonly push?: boolean;
  readonly pull?: boolean;
  readonly chains?: readonly string[];
}

/** A browser window at a guarded route, and a wallet of the Wallet Standard in it. */
class Window_ {
  readonly elements: Record<string, Element_>;
  readonly requests: Request[] = [];
  readonly #handle: (request: Request) => Promise<Response>;
  readonly #page: string;
  readonly #town: Town;
  #register: ((wallet: object) => void) | undefined;

  constructor(town: Town, page: string, handle: (request: Request) => Promise<Response>) {
    this.#town = town;
    this.#page = page;
    this.#handle = handle;
    const [data] = blocks(page, "script");
    const ids = ["payment", "command", "status", "wallet", "wallets", "result"];
    this.elements = Object.fromEntries(ids.map((id) => [id, new Element_()]));
    this.elements.payment!.textContent = data ?? "";
    this.elements.wallet!.hidden = true;
  }

  static async open(town: Town, guard: Guard, answer = () => new Response("the joke")): Promise<Window_> {
    const handle = guard(answer);
    const page = await handle(new Request(URL_, { headers: { Accept: BROWSER } }));
    return new Window_(town, await page.text(), handle);
  }

  run(): void {
    const { elements } = this;
    const context = createContext({
      document: { getElementById: (id: string) => elements[id], createElement: () => new Element_() },
      location: { href: URL_, pathname: "/it's" },
      window: {
        addEventListener: () => undefined,
        dispatchEvent: (event: { type: string; detail: { register: (wallet: object) => void } }) => {
          expect(event.type).to.equal("wallet-standard:app-ready");
          this.#register = event.detail.register;
        },
      },
      CustomEvent: class {
        readonly type: string;
        readonly detail: unknown;
        constructor(type: string, init: { detail: unknown }) {
          this.type = type;
          this.detail = init.detail;
        }
      },
      fetch: (url: string, init: { headers: Record<string, string> }) => {
        const request = new Request(url, init);
        this.requests.push(request);
        return this.#handle(request);
      },
      URL: { createObjectURL: () => "blob:x" },
      setTimeout: (act: () => void) => setTimeout(act, 1),
      crypto: globalThis.crypto,
      TextEncoder,
      btoa,
    });
    runInContext(blocks(this.#page, "script")[1]!, context);
  }

  connect(key: Keypair, { push = true, pull = true, chains = ["solana:localnet"] }: Features = {}): void {
    const account = { address: key.publicKey.toBase58() };
    const signed = (bytes: Uint8Array) => {
      const transaction = VersionedTransaction.deserialize(Uint8Array.from(bytes));
      transaction.sign([key]);
      return transaction;
    };
    this.#register?.({
      name: "A wallet",
      chains,
      features: {
        "standard:connect": { connect: async () => ({ accounts: [account] }) },
        ...(pull && {
          "solana:signTransaction": {
            signTransaction: async (input: { transaction: Uint8Array; chain: string }) => {
              expect(input.chain).to.equal("solana:localnet");
              return [{ signedTransaction: signed(input.transaction).serialize() }];
            },
          },
        }),
        ...(push && {
          "solana:signAndSendTransaction": {
            signAndSendTransaction: async (input: { transaction: Uint8Array; chain: string }) => {
              expect(input.chain).to.equal("solana:localnet");
              return [{ signature: Base58.decode(await this.#town.land(signed(input.transaction)), 64, "signature") }];
            },
          },
        }),
      },
    });
  }

  get buttons(): Element_[] {
    return this.elements.wallets!.children;
  }
}

describe("the script of the payment page", () => {
  let town: Town;

  before(async () => {
    town = await Town.start();
  });
  after(async () => {
    await town.close();
  });

  async function seller(more: Partial<PaymentsOptions> = {}) {
    const key = town.person({ usdc: 0n });
    await town.openAccount(key.publicKey);
    const payments = createPayments({
      recipient: key.publicKey,
      network: "localnet",
      rpc: town.net.url,
      store: memoryStore(),
      secret: SECRET,
      realm: "api.example.com",
      background: false,
      charges: { pollMs: 5, budgetMs: 2_000, pushWaitMs: 20 },
      ...more,
    });
    return { key, payments };
  }

  async function pay(window: Window_, payer: Keypair, features?: Features): Promise<string> {
    window.run();
    window.connect(payer, features);
    expect(window.buttons).to.have.length(1);
    expect(window.elements.wallet!.hidden).to.equal(false);
    await window.buttons[0]!.click();
    return window.elements.status!.textContent;
  }

  it("pays in tokens by a wallet that sends, and shows what was bought", async () => {
    const { key, payments } = await seller();
    const payer = town.person({ usdc: 50_000n });
    const window = await Window_.open(town, payments.charge("0.01"));
    expect(await pay(window, payer, { pull: false })).to.equal("Paid.");
    expect(window.elements.result!.textContent).to.equal("the joke");
    expect(window.elements.status!.children[0]!.download).to.equal("it's");
    expect(await town.tokens(key.publicKey)).to.equal(10_000n);
    expect(await town.tokens(payer.publicKey)).to.equal(40_000n);
  });

  it("pays in SOL", async () => {
    const { key, payments } = await seller({ currency: "sol" });
    const before = await town.lamports(key.publicKey);
    const window = await Window_.open(town, payments.charge("0.002"));
    expect(await pay(window, town.person())).to.equal("Paid.");
    expect((await town.lamports(key.publicKey)) - before).to.equal(2_000_000n);
  });

  it("pays with a payer who has no SOL, by a wallet that signs alone, where the seller pays the fee", async () => {
    const { key, payments } = await seller({ feePayer: town.person() });
    const payer = town.person({ lamports: 0n, usdc: 10_000n });
    const window = await Window_.open(town, payments.charge("0.01"));
    expect(await pay(window, payer, { push: false })).to.equal("Paid.");
    expect(await town.tokens(key.publicKey)).to.equal(10_000n);
  });

  it("pays every share, making accounts that the seller asks to be made", async () => {
    for (const feePayer of [undefined, town.person()]) {
      const { key, payments } = await seller(feePayer === undefined ? {} : { feePayer });
      const others = [town.person(), town.person({ usdc: 0n })];
      await town.openAccount(others[1]!.publicKey);
      const splits = [
        { recipient: others[0]!.publicKey.toBase58(), amount: 1_000n, ataCreationRequired: true, memo: "share" },
        { recipient: others[1]!.publicKey.toBase58(), amount: 2_000n },
      ];
      const window = await Window_.open(town, payments.charge({ price: 10_000n, splits }));
      expect(await pay(window, town.person({ usdc: 10_000n }))).to.equal("Paid.");
      const held = await Promise.all([key, ...others].map((one) => town.tokens(one.publicKey)));
      expect(held).to.deep.equal([7_000n, 1_000n, 2_000n]);
    }
  });

  it("pays in a token of Token-2022", async () => {
    const payer = town.person();
    const { key, payments } = await seller();
    const asset = await town.mint2022([payer.publicKey], { amount: 500n, empty: [key.publicKey] });
    const currency = asset.mint.toBase58();
    const window = await Window_.open(town, payments.charge({ price: 500n, currency }));
    expect(await pay(window, payer)).to.equal("Paid.");
    expect(await town.tokens(key.publicKey, asset)).to.equal(500n);
  });

  it("asks again until the payment is known, always with the same credential and key", async () => {
    const { payments } = await seller({ currency: "sol" });
    const guard = payments.charge("0.002");
    const window = await Window_.open(town, guard);
    const real = guard(() => new Response("the joke"));
    let pending = 2;
    const slow = new Window_(
      town,
      await (await real(new Request(URL_, { headers: { Accept: BROWSER } }))).text(),
      async (request) =>
        request.headers.has("authorization") && pending-- > 0 ? new Response("{}", { status: 202 }) : real(request),
    );
    expect(await pay(slow, town.person())).to.equal("Paid.");
    const paying = slow.requests.filter(({ headers }) => headers.has("authorization"));
    expect(
      new Set(paying.map(({ headers }) => `${headers.get("authorization")} ${headers.get("idempotency-key")}`)).size,
    ).to.equal(1);
    expect(paying).to.have.length(3);
    expect(window.requests).to.have.length(0);
  });

  it("pays the challenge of the moment, not the one that the page was made with, and nothing when the price changed", async () => {
    const { payments } = await seller({ currency: "sol" });
    let price = "0.002";
    const window = await Window_.open(
      town,
      payments.charge(() => price),
    );
    const payer = town.person();
    const before = await town.lamports(payer.publicKey);
    window.run();
    window.connect(payer);
    price = "0.9";
    await window.buttons[0]!.click();
    expect(window.elements.status!.textContent).to.contain("price has changed");
    expect(await town.lamports(payer.publicKey)).to.equal(before);
    price = "0.002";
    await window.buttons[0]!.click();
    expect(window.elements.status!.textContent).to.equal("Paid.");
  });

  it("says what the server says of a payment that it does not take", async () => {
    const { payments } = await seller({ currency: "sol" });
    const window = await Window_.open(town, payments.charge("0.002"));
    window.run();
    const payer = town.person();
    const { land } = Town.prototype;
    // A wallet that signs something else.
    town.land = async () =>
      land.call(
        town,
        await town.build({ feePayer: payer.publicKey, instructions: [] }).then((transaction) => {
          transaction.sign([payer]);
          return transaction;
        }),
      );
    try {
      window.connect(payer);
      await window.buttons[0]!.click();
    } finally {
      Reflect.deleteProperty(town, "land");
    }
    expect(window.elements.status!.textContent).to.match(/^The transaction landed, but/);
    expect(window.buttons[0]!.disabled).to.equal(false);
  });

  it("shows a failure of the resource as one, and that it was paid", async () => {
    const { payments } = await seller({ currency: "sol" });
    const window = await Window_.open(
      town,
      payments.charge("0.002"),
      () => new Response("no such joke", { status: 404 }),
    );
    expect(await pay(window, town.person())).to.contain("status 404");
  });

  it("offers wallets of other clusters, and those that cannot do it, nothing", async () => {
    const { payments } = await seller({ feePayer: town.person() });
    const window = await Window_.open(town, payments.charge("0.01"));
    window.run();
    window.connect(town.person(), { chains: ["solana:mainnet"] });
    window.connect(town.person(), { pull: false });
    expect(window.buttons).to.have.length(0);
    expect(window.elements.wallet!.hidden).to.equal(true);
  });

  it("says how to pay from a terminal, quoted for a shell", async () => {
    const { payments } = await seller();
    const window = await Window_.open(town, payments.charge("0.01"));
    window.run();
    expect(window.elements.command!.textContent).to.equal("mppsol curl 'https://api.example.com/it'\\''s'");
  });
});
