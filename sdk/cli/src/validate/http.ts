// Requests of `validate`: no redirects are followed, bodies are read up to a limit, nothing hangs.
import { CliError, EXIT } from "../exit.js";

const TIMEOUT_MS = 15_000;
const MAX_BODY = 1024 * 1024;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/**
 * One request.
 * @throws {CliError} when no answer comes.
 */
export async function ask(url: string, init: RequestInit = {}): Promise<Answer> {
  try {
    const response = await fetch(url, { redirect: "manual", signal: AbortSignal.timeout(TIMEOUT_MS), ...init });
    return { status: response.status, headers: response.headers, body: await read(response) };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    throw new CliError(`${url} does not answer: ${cause}`, EXIT.failed, "unreachable", { cause: error });
  }
}

async function read(response: Response): Promise<string> {
  if (response.body === null) return "";
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > MAX_BODY) break;
  }
  return text;
}

/** The JSON of an answer, or `undefined`. */
export function json(answer: Answer): unknown {
  try {
    return JSON.parse(answer.body);
  } catch {
    return undefined;
  }
}
