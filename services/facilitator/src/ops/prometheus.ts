// The metrics in prom-client.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Metrics } from "./Metrics.js";

/** Seconds. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** What only the service itself counts. */
export interface ServiceMetrics extends Metrics {
  /** `route` is a template, never a path: its values are bounded. */
  request(method: string, route: string, status: number, seconds: number): void;
  /** A node was asked, and has answered, or not. */
  asked(method: string, answered: boolean, seconds: number): void;
  /** Values that are looked up now and then rather than counted. */
  readonly gauges: Gauges;
  render(): Promise<string>;
}

export interface Gauges {
  readonly feePayerBalance: Gauge<"fee_payer">;
  readonly settlementUnknown: Gauge;
  readonly settlementPending: Gauge;
  readonly outboxOldest: Gauge;
  readonly ledgerImbalance: Gauge<"rule">;
  readonly voucherUnsettled: Gauge<"mint">;
  readonly escrowed: Gauge<"mint">;
  readonly channels: Gauge<"status">;
  readonly rentOut: Gauge<"purpose">;
  readonly channelDeadline: Gauge;
  readonly rpcSlot: Gauge<"endpoint">;
  readonly rpcUp: Gauge<"endpoint">;
}

export function createMetrics(): ServiceMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const requests = new Histogram({
    name: "http_server_request_duration_seconds",
    help: "Time from the first byte of a request to the last of its answer.",
    labelNames: ["http_request_method", "http_route", "http_response_status_code"],
    buckets: BUCKETS,
    registers,
  });
  const rejections = new Counter({
    name: "mpp_policy_rejections_total",
    help: "Payments that were refused, by the rule that they break.",
    labelNames: ["rule"],
    registers,
  });
  const settlements = new Counter({
    name: "mpp_settlements_total",
    help: "Payments, and transactions of sessions, by what became of them: each once.",
    labelNames: ["protocol", "state"],
    registers,
  });
  const durations = new Histogram({
    name: "mpp_settlement_duration_seconds",
    help: "Time from when a payment was taken until it was known what became of it.",
    labelNames: ["protocol", "state"],
    buckets: BUCKETS,
    registers,
  });
  const sponsored = new Counter({
    name: "mpp_sponsor_lamports_spent_total",
    help: "Lamports that the fee payers were committed to.",
    labelNames: ["kind"],
    registers,
  });
  const channels = new Counter({
    name: "mpp_channels_total",
    help: "What happened to channels.",
    labelNames: ["event"],
    registers,
  });
  const calls = new Histogram({
    name: "mpp_rpc_call_duration_seconds",
    help: "Time that the nodes together took to answer, with whatever was tried again.",
    labelNames: ["method", "outcome"],
    buckets: BUCKETS,
    registers,
  });
  return {
    registry,
    gauges: createGauges(registry),
    rejected: (rule) => rejections.inc({ rule }),
    settled(protocol, state, seconds) {
      settlements.inc({ protocol, state });
      durations.observe({ protocol, state }, seconds);
    },
    sponsored: (kind, lamports) => sponsored.inc({ kind }, Number(lamports)),
    channel: (event) => channels.inc({ event }),
    request: (method, route, status, seconds) =>
      requests.observe(
        { http_request_method: method, http_route: route, http_response_status_code: String(status) },
        seconds,
      ),
    asked: (method, answered, seconds) => calls.observe({ method, outcome: answered ? "answered" : "failed" }, seconds),
    render: () => registry.metrics(),
  };
}

function createGauges(registry: Registry): Gauges {
  const registers = [registry];
  return {
    feePayerBalance: new Gauge({
      name: "fee_payer_balance_lamports",
      help: "What each fee payer has left.",
      labelNames: ["fee_payer"],
      registers,
    }),
    settlementUnknown: new Gauge({
      name: "mpp_settlement_unknown",
      help: "Transactions that were broadcast and of which nobody knows yet what became of them.",
      registers,
    }),
    settlementPending: new Gauge({
      name: "mpp_settlement_pending",
      help: "Transactions that are signed or sent, and not confirmed.",
      registers,
    }),
    outboxOldest: new Gauge({
      name: "mpp_outbox_oldest_seconds",
      help: "Age of the oldest transaction that is signed or sent and of which it is not known what became. 0: there is none.",
      registers,
    }),
    ledgerImbalance: new Gauge({
      name: "mpp_ledger_imbalance",
      help: "Channels, buyers and sums of which the books contradict themselves, by the rule that they break. 0: all is well.",
      labelNames: ["rule"],
      registers,
    }),
    voucherUnsettled: new Gauge({
      name: "mpp_voucher_unsettled_base_units",
      help: "Value at risk: accepted by vouchers and not settled on chain.",
      labelNames: ["mint"],
      registers,
    }),
    rentOut: new Gauge({
      name: "mpp_sponsor_rent_out_lamports",
      help: "Rent that is fronted and not back.",
      labelNames: ["purpose"],
      registers,
    }),
    escrowed: new Gauge({
      name: "mpp_channel_escrowed_base_units",
      help: "Deposits of managed channels that are not closed, less what was settled of them.",
      labelNames: ["mint"],
      registers,
    }),
    channels: new Gauge({
      name: "mpp_channels",
      help: "Managed channels by status.",
      labelNames: ["status"],
      registers,
    }),
    channelDeadline: new Gauge({
      name: "mpp_channel_deadline_seconds_min",
      help: "Seconds until the first forced close can be completed by its payer. NaN: there is none.",
      registers,
    }),
    rpcSlot: new Gauge({
      name: "mpp_rpc_slot",
      help: "Slot of each RPC endpoint.",
      labelNames: ["endpoint"],
      registers,
    }),
    rpcUp: new Gauge({
      name: "mpp_rpc_up",
      help: "1 while an RPC endpoint answers and keeps up with the others.",
      labelNames: ["endpoint"],
      registers,
    }),
  };
}
