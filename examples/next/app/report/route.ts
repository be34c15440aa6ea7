// GET /report costs five cents.
import { paid } from "@mppsol/server/next";
import { report } from "../../payments";

export const dynamic = "force-dynamic";

export const GET = paid(report, (_request, { payment }) =>
  Response.json({ report: "42 pages", paidBy: payment.payer }),
);
