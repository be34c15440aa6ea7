// Whom, where and for what the agent pays at all, before any budget is asked.
import { BodyDigest, type Challenge, type Network } from "@mppsol/core";
import { requireChannelProgram, UnknownProgramError } from "@mppsol/programs";
import { assetOf } from "./assets.js";
import {
  AssetNotAllowedError,
  ChallengeRefusedError,
  HostNotAllowedError,
  NetworkMismatchError,
  OptionError,
  ProgramNotPinnedError,
  RecipientNotAllowedError,
} from "./errors.js";
import { type HttpPolicy, isLoopback, requireSecure } from "./origin.js";
import type { Outgoing } from "./outgoing.js";
import type { Intended } from "./payer.js";

/** Lists of what may be paid. A list that is left out allows everything, an empty one nothing. */
export interface Allow {
  /** Host names, with a port to mean that port alone. `*.example.com` means everything below example.com, not itself. */
  readonly hosts?: readonly string[];
  /** Base58 addresses: of sellers, and of everybody in their splits. */
  readonly recipients?: readonly string[];
  /** "sol", "usdc", or base58 addresses of mints. An asset needs a budget besides. */
  readonly mints?: readonly string[];
}

export interface PolicyOptions {
  readonly network: Network.Network;
  readonly allow?: Allow | undefined;
  /** Where plain http is good enough. Default: "loopback". */
  readonly http?: HttpPolicy | undefined;
  /** Realms that name another host than the one that asks, and are right all the same. */
  readonly realms?: readonly string[] | undefined;
}

const HOST_PATTERN = /^(?:\*\.)?[a-z0-9._-]+(?::[0-9]{1,5})?$|^\[[0-9a-f:]+\](?::[0-9]{1,5})?$/;

export class Policy {
  readonly #network: Network.Network;
  readonly #hosts: readonly string[] | undefined;
  readonly #recipients: ReadonlySet<string> | undefined;
  readonly #mints: ReadonlySet<string> | undefined;
  readonly #http: HttpPolicy;
  readonly #realms: ReadonlySet<string>;

  /** @throws {OptionError} for a host that no URL could have, and a mint that is none. */
  constructor(options: PolicyOptions) {
    const { network, allow = {}, http = "loopback", realms = [] } = options;
    this.#network = network;
    this.#hosts = allow.hosts?.map((host) => host.toLowerCase());
    for (const host of this.#hosts ?? []) {
      if (!HOST_PATTERN.test(host)) throw new OptionError(`allow.hosts: ${host} is no host`);
    }
    this.#recipients = allow.recipients && new Set(allow.recipients);
    this.#mints = allow.mints && new Set(allow.mints.map((name) => assetOf(name, network, "allow.mints")));
    this.#http = http;
    this.#realms = new Set(realms);
  }

  /** Whether the server of a URL may be paid at all. */
  allows(url: string): boolean {
    try {
      this.checkServer(url);
      return true;
    } catch {
      return false;
    }
  }

  /**
   * @throws {InsecureTransportError} for plain http.
   * @throws {HostNotAllowedError}
   */
  checkServer(url: string): void {
    requireSecure(url, this.#http);
    const { host, hostname } = new URL(url);
    if (this.#hosts === undefined) return;
    const matches = (pattern: string) =>
      pattern.startsWith("*.")
        ? host.endsWith(pattern.slice(1)) || hostname.endsWith(pattern.slice(1))
        : pattern === host || pattern === hostname;
    if (!this.#hosts.some(matches)) throw new HostNotAllowedError(host);
  }

  /**
   * What every client holds every challenge to (draft-httpauth-payment-00, "Challenge"): it has not expired, it is for
   * the body that was sent, and its realm does not name somebody else.
   * @param serverNow milliseconds, by the server's clock.
   * @throws {ChallengeRefusedError}
   */
  checkChallenge(challenge: Challenge.Challenge, request: Outgoing, expired: boolean): void {
    if (expired) throw new ChallengeRefusedError("expired", `the challenge expired at ${challenge.expires}`);
    if (challenge.digest !== undefined && !BodyDigest.matches(challenge.digest, request.body ?? new Uint8Array())) {
      throw new ChallengeRefusedError("digest", "the challenge is for another body than the one that was sent");
    }
    this.#checkRealm(challenge.realm, request.url);
  }

  /**
   * A realm that reads as a host has to be the host, or one below or above it: a challenge that was fetched elsewhere
   * and passed on shows itself by its realm. Any other text is as good a realm as any.
   */
  #checkRealm(realm: string, url: string): void {
    if (this.#realms.has(realm) || isLoopback(url)) return;
    const { host, hostname } = new URL(url);
    const named = realm
      .toLowerCase()
      .replace(/^https?:\/\//, "")
      .replace(/[/:].*$/, "");
    if (!/^(?:[a-z0-9-]+\.)+[a-z]{2,}$/.test(named)) return;
    if (named === hostname || hostname.endsWith(`.${named}`) || named.endsWith(`.${hostname}`)) return;
    throw new ChallengeRefusedError("realm", `${host} sent a challenge of ${named}`);
  }

  /**
   * @throws {NetworkMismatchError}
   * @throws {AssetNotAllowedError}
   * @throws {RecipientNotAllowedError}
   * @throws {ProgramNotPinnedError}
   */
  checkPayment(payment: Intended): void {
    if (payment.network !== this.#network) throw new NetworkMismatchError(this.#network, payment.network);
    if (this.#mints !== undefined && !this.#mints.has(payment.asset)) throw new AssetNotAllowedError(payment.asset);
    const stranger = payment.recipients.find((recipient) => this.#recipients?.has(recipient) === false);
    if (stranger !== undefined) throw new RecipientNotAllowedError(stranger);
    if (payment.channelProgram !== undefined) this.#checkProgram(payment.channelProgram);
  }

  #checkProgram(program: string): void {
    try {
      requireChannelProgram(this.#network, program);
    } catch (error) {
      if (!(error instanceof UnknownProgramError)) throw error;
      throw new ProgramNotPinnedError(program, this.#network, { cause: error });
    }
  }
}
