// GET /openapi.json, by which agents find what is for sale.
import { discovery } from "../../payments";

export const dynamic = "force-dynamic";

export function GET(): Response {
  return discovery.openapi();
}
