// npm @solana/mpp 0.6 with mppx 0.11: their client pays our server, our agent pays theirs. Real settlement both ways.
import { createAgent, paymentOf } from "@mppsol/agent";
import { USDC_MINT } from "@mppsol/localnet";
import { createKeyPairSignerFromBytes } from "@solana/kit";
import { Mppx as ClientMppx, solana as clientSolana } from "@solana/mpp/client";
import { Mppx as ServerMppx, solana as serverSolana } from "@solana/mpp/server";
import { Keypair } from "@solana/web3.js";
import { expect } from "chai";
import { createWorld, type Listening, listen, paymentsFor, SECRET, usdc, type World } from "./world.ts";

const PRICE = 10_000n;

describe("@solana/mpp 0.6", () => {
  let world: World;
  let listening: Listening | undefined;
  let balances: [bigint, bigint];

  async function start(slotTime: number | "manual"): Promise<void> {
    world = await createWorld(slotTime);
  }
  beforeEach(async () => {
    balances = [await usdc(world, world.payer.publicKey), await usdc(world, world.seller.publicKey)];
  });
  afterEach(() => listening?.close());

  async function moved(amount: bigint, elsewhere = 0n): Promise<void> {
    const [payer, seller] = [await usdc(world, world.payer.publicKey), await usdc(world, world.seller.publicKey)];
    expect(balances[0] - payer, "paid").to.equal(amount);
    expect(seller - balances[1], "received").to.equal(amount - elsewhere);
  }

  async function theirClient(broadcast = false) {
    const signer = await createKeyPairSignerFromBytes(world.payer.secretKey);
    const method = clientSolana.charge({ signer, rpcUrl: world.chain.url, broadcast });
    return ClientMppx.create({ methods: [method], polyfill: false });
  }

  describe("their client pays our server", () => {
    before(() => start(50));
    after(() => world.chain.close());

    for (const sponsored of [false, true]) {
      it(`by a transaction that our server sends${sponsored ? ", its fee sponsored" : ""}`, async () => {
        const payments = paymentsFor(world, sponsored ? { feePayer: world.sponsor } : {});
        listening = await listen(payments.charge(PRICE)(() => Response.json({ data: 42 })));
        const response = await (await theirClient()).fetch(listening.url);
        expect(await response.json()).to.deep.equal({ data: 42 });
        expect(response.headers.get("payment-receipt")).to.be.a("string");
        await moved(PRICE);
        await payments.close();
      });
    }

    it("by a transaction that it sent itself", async () => {
      const payments = paymentsFor(world);
      listening = await listen(payments.charge(PRICE)(() => Response.json({ data: 42 })));
      const response = await (await theirClient(true)).fetch(listening.url);
      expect(response.status).to.equal(200);
      await moved(PRICE);
      await payments.close();
    });

    it("with splits, one to somebody who has no token account yet", async () => {
      const platform = Keypair.generate().publicKey;
      const splits = [{ recipient: platform.toBase58(), amount: 1_000n, memo: "fee", ataCreationRequired: true }];
      const payments = paymentsFor(world);
      listening = await listen(payments.charge({ price: PRICE, splits })(() => Response.json({})));
      const response = await (await theirClient()).fetch(listening.url);
      expect(response.status).to.equal(200);
      expect(await usdc(world, platform)).to.equal(1_000n);
      await moved(PRICE, 1_000n);
      await payments.close();
    });
  });

  describe("our agent pays their server", () => {
    // Their server puts a blockhash of commitment `confirmed` into the challenge and sends with a preflight of commitment
    // `finalized`, which does not know it for some twelve seconds: on a chain that keeps the three apart it refuses its
    // own challenge's blockhash. Here every slot is final at once, as on the Surfpool that it was made with.
    before(() => start("manual"));
    after(() => world.chain.close());

    async function theirServer(options: { sponsored?: boolean; split?: string } = {}): Promise<Listening> {
      const sponsor = await createKeyPairSignerFromBytes(world.sponsor.secretKey);
      const method = serverSolana.charge({
        recipient: world.seller.publicKey.toBase58(),
        currency: USDC_MINT,
        decimals: 6,
        network: "localnet",
        rpcUrl: world.chain.url,
        ...(options.sponsored ? { signer: sponsor } : {}),
        ...(options.split ? { splits: [{ recipient: options.split, amount: "1000", ataCreationRequired: true }] } : {}),
      });
      const mppx = ServerMppx.create({ secretKey: SECRET, realm: "127.0.0.1", methods: [method] });
      return listen(async (request) => {
        const result = await mppx.charge({ amount: PRICE.toString(), currency: USDC_MINT })(request);
        if (result.status === 402) return result.challenge;
        return result.withReceipt(Response.json({ data: 43 }));
      });
    }

    function ourAgent(push = false) {
      return createAgent({
        signer: world.payer,
        rpc: world.chain.url,
        network: "localnet",
        budget: { [USDC_MINT]: { perRequest: 1_000_000n } },
        realms: ["127.0.0.1"],
        confirm: () => true,
        ...(push ? { charge: { mode: "push" as const } } : {}),
      });
    }

    for (const sponsored of [false, true]) {
      it(`by a transaction that their server sends${sponsored ? ", its fee sponsored" : ""}`, async () => {
        listening = await theirServer({ sponsored });
        const agent = ourAgent();
        const response = await agent.fetch(listening.url);
        expect(await response.json()).to.deep.equal({ data: 43 });
        expect(paymentOf(response)?.receipt?.reference).to.be.a("string");
        await moved(PRICE);
        await agent.close();
      });
    }

    it("by a transaction that it sent itself", async () => {
      listening = await theirServer();
      const agent = ourAgent(true);
      expect((await agent.fetch(listening.url)).status).to.equal(200);
      await moved(PRICE);
      await agent.close();
    });

    it("with splits, one to somebody who has no token account yet", async () => {
      const platform = Keypair.generate().publicKey;
      listening = await theirServer({ split: platform.toBase58() });
      const agent = ourAgent();
      expect((await agent.fetch(listening.url)).status).to.equal(200);
      expect(await usdc(world, platform)).to.equal(1_000n);
      await moved(PRICE, 1_000n);
      await agent.close();
    });
  });
});
