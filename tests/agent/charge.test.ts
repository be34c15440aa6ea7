// Charges of the agent, settled on the embedded chain by a seller that knows nothing of the agent.
import { type AgentOptions, createAgent, paymentOf, type Progress } from "@mppsol/agent";
import { Challenge, ChargePayload } from "@mppsol/core";
import { MAX_TRANSACTION_SIZE, tokenAddress } from "@mppsol/programs";
import { ComputeBudgetProgram, Keypair, PublicKey, SystemProgram, VersionedTransaction } from "@solana/web3.js";
import { expect } from "chai";
import { rejected, Till } from "./support/till.js";
import { SOL, World } from "./support/world.js";

const MEMO = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr";

describe("a charge", () => {
  let world: World;
  let till: Till;
  const progress: Progress[] = [];

  before(async () => {
    world = await World.start();
  });
  after(() => world.close());
  beforeEach(async () => {
    till = await Till.start(world);
    progress.length = 0;
  });
  afterEach(() => till.close());

  function agent(more: Partial<AgentOptions> = {}) {
    const limits = { perRequest: 10n * SOL };
    return createAgent({
      signer: world.buyer,
      rpc: world.connection,
      network: "localnet",
      budget: { sol: limits, [world.usdc.mint.toBase58()]: limits, fees: { perRequest: SOL } },
      onProgress: (event) => progress.push(event),
      ...more,
    });
  }

  function presented(): VersionedTransaction {
    const payload = ChargePayload.fromJson(till.paidHits.at(-1)!.credential!.payload);
    if (payload.type !== "transaction") throw new Error(payload.type);
    return VersionedTransaction.deserialize(payload.transaction);
  }

  /** What every account gains while `work` runs. */
  async function gains(owners: readonly PublicKey[], work: () => Promise<unknown>, asset = world.usdc) {
    const before = await Promise.all(owners.map((owner) => world.tokens(owner, asset)));
    await work();
    const after = await Promise.all(owners.map((owner) => world.tokens(owner, asset)));
    return after.map((amount, i) => amount - before[i]!);
  }

  it("in a token is paid with the agent's own SOL for the fee", async () => {
    till.route = till.sells(till.usdc(1_500n));
    const [buyer, seller] = [world.buyer.publicKey, world.seller.publicKey];
    const gained = await gains([buyer, seller], async () => {
      const response = await agent().fetch(`${till.url}/a`);
      expect(response.status).to.equal(200);
      expect(paymentOf(response)?.receipt?.reference).to.equal(till.settled[0]);
    });
    expect(gained).to.deep.equal([-1_500n, 1_500n]);
    await world.checkConservation();
    expect(progress.map(({ step }) => step)).to.deep.equal(["building", "signing", "signed", "paying", "paid"]);
    expect(presented().message.staticAccountKeys[0]?.equals(buyer)).to.equal(true);
  });
});
