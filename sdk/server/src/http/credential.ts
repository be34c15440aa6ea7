// Finds the payment credential of a request: in `Authorization`, or in `Payment-Authorization` where the API's own
// credentials have the former. Nothing of a credential is ever put into an error.
import { Credential, InvalidFieldError, RefusedError } from "@mppsol/core";

const FIELDS = ["authorization", "payment-authorization"] as const;

/**
 * The one payment credential of a request; undefined when it has none. Credentials of other schemes are somebody else's.
 * @throws {RefusedError} `several-credentials`, `credential-too-large`, `malformed-credential`.
 */
export function credentialOf(headers: Headers): Credential.Credential | undefined {
  const values = FIELDS.flatMap((field) => headers.get(field) ?? []);
  const found = values.filter((value) => Credential.isPayment(value));
  if (found.reduce((total, value) => total + Credential.count(value), 0) > 1) {
    throw new RefusedError("several-credentials");
  }
  return found[0] === undefined ? undefined : parseCredential(found[0]);
}

function parseCredential(value: string): Credential.Credential {
  if (value.length > Credential.MAX_LENGTH) throw new RefusedError("credential-too-large");
  return readable(() => Credential.parse(value));
}

/** What `read` makes of a credential; its shape errors become `malformed-credential`. */
export function readable<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof InvalidFieldError)) throw error;
    throw new RefusedError(
      "malformed-credential",
      `The credential cannot be read: ${error.field} is ${error.problem}.`,
    );
  }
}
