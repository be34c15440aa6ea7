// Measures how long the nodes take.
import type { Rpc } from "@mppsol/server/parts";

type Observe = (method: string, answered: boolean, seconds: number) => void;

/** The same Rpc; each call is told once it is over, with the seconds that it took. */
export function timed(rpc: Rpc, observe: Observe): Rpc {
  const over = async <T>(method: keyof Rpc, call: () => Promise<T>): Promise<T> => {
    const began = performance.now();
    const tell = (answered: boolean) => observe(method, answered, (performance.now() - began) / 1000);
    try {
      const answer = await call();
      tell(true);
      return answer;
    } catch (error) {
      tell(false);
      throw error;
    }
  };
  return {
    latestBlockhash: (...asked) => over("latestBlockhash", () => rpc.latestBlockhash(...asked)),
    height: (...asked) => over("height", () => rpc.height(...asked)),
    account: (...asked) => over("account", () => rpc.account(...asked)),
    accounts: (...asked) => over("accounts", () => rpc.accounts(...asked)),
    programAccounts: (...asked) => over("programAccounts", () => rpc.programAccounts(...asked)),
    balance: (...asked) => over("balance", () => rpc.balance(...asked)),
    rentExemption: (...asked) => over("rentExemption", () => rpc.rentExemption(...asked)),
    status: (...asked) => over("status", () => rpc.status(...asked)),
    transaction: (...asked) => over("transaction", () => rpc.transaction(...asked)),
    simulate: (...asked) => over("simulate", () => rpc.simulate(...asked)),
    send: (...asked) => over("send", () => rpc.send(...asked)),
    genesisHash: () => over("genesisHash", () => rpc.genesisHash()),
  };
}
