// What the service counts (Prometheus). Names: research of the field, OpenTelemetry units.
import type { Registry } from "prom-client";

export interface Metrics {
  readonly registry: Registry;
  /** `mpp_policy_rejections_total{rule}` */
  rejected(rule: string): void;
  /** `mpp_settlements_total{protocol,state}` and `mpp_settlement_duration_seconds`: once for each payment, at its end. */
  settled(protocol: "mpp" | "x402" | "session", state: string, seconds: number): void;
  /** `mpp_sponsor_lamports_spent_total{kind}` */
  sponsored(kind: "fee" | "priority" | "rent", lamports: bigint): void;
  /** `mpp_channels_total{event}` */
  channel(event: "opened" | "topped-up" | "closed" | "forced-close" | "reclaimed" | "lost"): void;
}
