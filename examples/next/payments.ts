// What this application sells, and how it is paid. Made once a process.
import { createPayments, memoryStore, type Payments } from "@mppsol/server";

const { MPPSOL_RPC = "http://127.0.0.1:8899", MPPSOL_RECIPIENT = "", MPPSOL_SECRET = "" } = process.env;

export const payments: Payments = createPayments({
  recipient: MPPSOL_RECIPIENT,
  network: "localnet",
  rpc: MPPSOL_RPC,
  store: memoryStore(), // postgresStore where several processes serve
  secret: MPPSOL_SECRET,
});

export const report = payments.charge({ price: "0.05", description: "A report." });

export const discovery = payments.discovery({
  title: "Reports",
  version: "1.0.0",
  routes: { "GET /report": report },
});
