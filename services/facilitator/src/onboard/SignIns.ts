// Who asks: each request about a wallet's onboarding is signed by that wallet, for one challenge of ours, once.
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { InvalidFieldError, type JsonObject, SignInWithX, Timestamp, X402 } from "@mppsol/core";
import type { Context } from "../context.js";
import type { Code } from "../errors/codes.js";
import { FacilitatorError } from "../errors/FacilitatorError.js";

/** How far the clocks of instances may be apart. */
const SKEW_MS = 5_000;

const STATEMENT =
  "Show that this wallet is yours, to set up sessions that it pays for. Nothing is paid by this signature.";

/** Hex characters of random bits, and of what shows that the nonce is ours: together 32, as the extension says. */
const HALF = 16;

export class SignIns {
  readonly #parts: Pick<Context, "config" | "rpc" | "tables" | "now">;
  readonly #origin: URL;
  #chainId: Promise<string> | undefined;

  constructor(parts: Pick<Context, "config" | "rpc" | "tables" | "now">) {
    this.#parts = parts;
    this.#origin = new URL(parts.config.publicUrl);
  }

  /**
   * Throws unless the header's value is a sign-in of `wallet` to `path`, for a challenge of ours, used for the first time.
   * @throws {FacilitatorError} `sign_in_required`, `sign_in_invalid`, each with a fresh challenge.
   * @throws {RpcError} {StoreError}
   */
  async require(header: string | undefined, path: string, wallet: string): Promise<void> {
    if (header === undefined) throw await this.#refusal("sign_in_required", path, undefined);
    const { config, tables, now } = this.#parts;
    const signIn = read(header);
    if (typeof signIn === "string") throw await this.#refusal("sign_in_invalid", path, signIn);
    const nowMs = now();
    const expected = {
      domain: this.#origin.host,
      uri: this.#uri(path),
      chainId: await this.#chain(),
      address: wallet,
      nowMs,
      skewMs: SKEW_MS,
    };
    const problem = SignInWithX.problem(signIn, expected);
    if (problem !== undefined) throw await this.#refusal("sign_in_invalid", path, problem);
    // The time is part of what the nonce was made of: nobody can sign today for a time to come.
    if (!isOurs(signIn, config.secret)) throw await this.#refusal("sign_in_invalid", path, "nonce");
    const until = Timestamp.parse(signIn.issuedAt) + SignInWithX.MAX_AGE_MS + SKEW_MS;
    const first = await tables.useOnce("sign-in", signIn.nonce, until, nowMs);
    if (!first) throw await this.#refusal("sign_in_invalid", path, "nonce");
  }

  /** A challenge for one request to `path`. Throws {RpcError}. */
  async challenge(path: string): Promise<SignInWithX.Challenge> {
    const now = this.#parts.now();
    const uri = this.#uri(path);
    const issuedAt = Timestamp.format(new Date(now));
    return {
      info: {
        domain: this.#origin.host,
        statement: STATEMENT,
        uri,
        version: "1",
        nonce: nonceOf(randomBytes(HALF / 2).toString("hex"), { uri, issuedAt }, this.#parts.config.secret),
        issuedAt,
        expirationTime: Timestamp.format(new Date(now + SignInWithX.MAX_AGE_MS)),
      },
      chainIds: [await this.#chain()],
    };
  }

  async #refusal(code: Code & `sign_in_${string}`, path: string, wrong: string | undefined): Promise<FacilitatorError> {
    const challenge = SignInWithX.challengeToJson(await this.challenge(path));
    const members: JsonObject = {
      extensions: { [SignInWithX.EXTENSION]: challenge },
      ...(wrong === undefined ? {} : { member: wrong }),
    };
    return new FacilitatorError(code, wrong && `The sign-in is refused: ${wrong}.`, { members });
  }

  #uri(path: string): string {
    return `${this.#origin.origin}${this.#origin.pathname.replace(/\/$/, "")}${path}`;
  }

  /** Names the chain that this service is on. Asked for until there was an answer, then never again. */
  #chain(): Promise<string> {
    this.#chainId ??= this.#parts.rpc
      .genesisHash()
      .then(X402.chainId)
      .catch((error: unknown) => {
        this.#chainId = undefined;
        throw error;
      });
    return this.#chainId;
  }
}

/** The sign-in, or the member that is not readable. */
function read(header: string): SignInWithX.SignIn | string {
  try {
    return SignInWithX.parse(header);
  } catch (error) {
    if (error instanceof InvalidFieldError) return error.field;
    throw error;
  }
}

interface Bound {
  readonly uri: string;
  readonly issuedAt: string;
}

function isOurs(signIn: SignInWithX.SignIn, secret: string): boolean {
  const expected = Buffer.from(nonceOf(signIn.nonce.slice(0, HALF), signIn, secret));
  const given = Buffer.from(signIn.nonce);
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** Random characters, and a keyed digest of them and of what they were given out for. */
function nonceOf(random: string, { uri, issuedAt }: Bound, secret: string): string {
  const digest = createHmac("sha256", secret).update(`sign-in:${random}\n${uri}\n${issuedAt}`).digest("hex");
  return random + digest.slice(0, HALF);
}
