// Who asks, as far as it can be told: a client address, of IPv6 the /64 that one network is given.
import { normalizeIP } from "@fastify/rate-limit";
import type { FastifyRequest } from "fastify";

const IPV6_PREFIX = 64;

/** An address, as limits count by it. IPv4 in IPv6 is IPv4. */
export function clientOf({ ip }: Pick<FastifyRequest, "ip">): string {
  return normalizeIP(ip, IPV6_PREFIX);
}
