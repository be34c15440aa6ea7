// The vectors of spec/vectors: what is read, in which form it is written again, and what is refused, with the path.
import { readFileSync } from "node:fs";
import {
  Base64Url,
  BearerProof,
  Challenge,
  ChargePayload,
  ChargeRequest,
  InvalidFieldError,
  SessionAction,
  SessionRequest,
  SignedVoucher,
  Voucher,
} from "@mppsol/core";
import { expect } from "chai";

interface Vector<I = unknown, E = unknown> {
  readonly name: string;
  readonly input: I;
  readonly expected?: E;
  /** Path of the refused member. */
  readonly error?: string;
}

function list<I = unknown, E = unknown>(file: string, key = "cases"): readonly Vector<I, E>[] {
  const document = JSON.parse(readFileSync(new URL(`../../spec/vectors/${file}.json`, import.meta.url), "utf8"));
  return document[key];
}

/** Runs `read` over every vector: gives what it expects, or the path that it refuses. */
function check(vectors: readonly Vector[], read: (input: unknown) => unknown): void {
  const wrong: unknown[] = [];
  for (const { name, input, expected, error } of vectors) {
    const answer = attempt(() => read(input));
    const wanted = error === undefined ? { value: expected } : { error };
    if (JSON.stringify(sorted(answer)) !== JSON.stringify(sorted(wanted))) wrong.push({ name, wanted, answer });
  }
  expect(wrong).to.deep.equal([]);
}

describe("the vectors", () => {
  it("of charge requests hold", () => {
    const vectors = list("charge-request");
    expect(counts(vectors)).to.deep.equal({ read: 33, refused: 148 });
    check(vectors, (input) => ChargeRequest.toJson(ChargeRequest.fromJson(input)));
  });

  it("of charge payloads hold", () => {
    const vectors = list("charge-payload");
    expect(counts(vectors)).to.deep.equal({ read: 6, refused: 49 });
    check(vectors, (input) => ChargePayload.toJson(ChargePayload.fromJson(input)));
  });

  it("of session requests hold", () => {
    const vectors = list("session-request");
    expect(counts(vectors)).to.deep.equal({ read: 22, refused: 202 });
    check(vectors, (input) => SessionRequest.toJson(SessionRequest.fromJson(input)));
  });

  it("of session actions hold", () => {
    const vectors = list("session-action");
    expect(counts(vectors)).to.deep.equal({ read: 14, refused: 237 });
    check(vectors, (input) => SessionAction.toJson(SessionAction.fromJson(input)));
  });

  it("of the voucher's 50 bytes hold, the frozen one among them", () => {
    const messages = list<unknown, string>("voucher", "messages");
    expect(messages[0]?.expected).to.equal("VgEJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCSoAAAAAAAAA0gQAAAAAAAA");
    check(messages, (input) => Base64Url.encode(Voucher.encode(Voucher.fromJson(input))));
    check(
      messages.map(({ name, input, expected }) => ({ name, input: expected, expected: input })),
      (message) => Voucher.toJson(Voucher.decode(Base64Url.decode(message))),
    );
  });

  it("of signed vouchers hold", () => {
    const vectors = list("voucher", "signed");
    expect(counts(vectors)).to.deep.equal({ read: 16, refused: 42 });
    check(vectors, (input) => {
      const signed = SignedVoucher.fromJson(input);
      return { json: SignedVoucher.toJson(signed), valid: SignedVoucher.verify(signed) };
    });
  });

  it("of bearer proofs hold", () => {
    check(list<BearerProof.Input>("bearer-proof", "messages"), (input) =>
      new TextDecoder().decode(BearerProof.message(input as BearerProof.Input)),
    );
    check(list("bearer-proof", "json"), (input) => BearerProof.toJson(BearerProof.fromJson(input)));
    const proofs = list("bearer-proof", "proofs");
    expect(proofs.filter(({ expected }) => expected === true).length).to.equal(1);
    check(proofs, (input) => {
      const { proof, for: opened } = input as { proof: unknown; for: Parameters<typeof BearerProof.verify>[1] };
      return BearerProof.verify(BearerProof.fromJson(proof), opened);
    });
  });

  it("of challenge ids hold, also while secrets are rotated", () => {
    check(list("challenge", "ids"), (input) => {
      const { secret, challenge } = input as { secret: string; challenge: Challenge.Bound };
      return Challenge.id(challenge, secret);
    });
    const bound = list("challenge", "bound");
    expect(bound.filter(({ expected }) => expected === true).length).to.equal(4);
    check(bound, (input) => {
      const { secrets, challenge } = input as { secrets: string[]; challenge: Challenge.Challenge };
      return Challenge.isBound(challenge, secrets);
    });
  });
});

function counts(vectors: readonly Vector[]): { read: number; refused: number } {
  const refused = vectors.filter(({ error }) => error !== undefined).length;
  return { read: vectors.length - refused, refused };
}

function attempt(read: () => unknown): { value: unknown } | { error: string } {
  try {
    return { value: read() };
  } catch (error) {
    if (!(error instanceof InvalidFieldError)) throw error;
    return { error: error.field };
  }
}

/** The same JSON, with the members of objects in order of their names. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).map(([key, member]) => [key, sorted(member)] as const);
  return Object.fromEntries(members.sort(([a], [b]) => (a < b ? -1 : 1)));
}
