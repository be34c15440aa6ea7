// An HTTP client that takes little itself: connections are kept, bodies are ready. And one that does not give up.
import { Agent, request } from "node:http";

export interface Answer {
  readonly status: number;
  readonly json: Readonly<Record<string, unknown>>;
}

/** In the place of an answer that did not come. */
export const NO_ANSWER: Answer = { status: 0, json: { code: "no answer" } };

/** Milliseconds until no answer is an answer. */
const TIMEOUT_MS = 15_000;

export class Http {
  readonly #agent: Agent;

  /** @param connections at most, to each instance. */
  constructor(connections = 256) {
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  close(): void {
    this.#agent.destroy();
  }

  post(url: string, path: string, body: string): Promise<Answer> {
    return this.#send(url + path, "POST", body);
  }

  get(url: string, path: string): Promise<Answer> {
    return this.#send(url + path, "GET");
  }

  /** @throws when there is no answer: the other side is gone, or was. */
  #send(url: string, method: string, body?: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const headers =
        body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
      const asked = request(url, { method, headers, agent: this.#agent, timeout: TIMEOUT_MS }, (reply) => {
        const chunks: Buffer[] = [];
        reply.on("data", (chunk: Buffer) => chunks.push(chunk));
        reply.on("error", reject);
        reply.on("end", () => {
          try {
            const json = JSON.parse(Buffer.concat(chunks).toString()) as Answer["json"];
            resolve({ status: reply.statusCode ?? 0, json });
          } catch (error) {
            reject(error);
          }
        });
      });
      asked.on("timeout", () => asked.destroy(new Error("no answer in time")));
      asked.on("error", reject);
      asked.end(body);
    });
  }
}

/** Asks whichever instance lives, the same again until the answer is final. */
export class Persistent {
  readonly #http: Http;
  /** Instances that live. */
  readonly #urls: () => readonly string[];
  /** Answers by route and status; those that did not come, too. */
  readonly seen = new Map<string, number>();
  #turn = 0;

  constructor(http: Http, urls: () => readonly string[]) {
    this.#http = http;
    this.#urls = urls;
  }

  async post(path: string, body: string): Promise<Answer> {
    for (;;) {
      const urls = this.#urls();
      const answer = await this.#http.post(urls[this.#turn++ % urls.length]!, path, body).catch(() => undefined);
      const name =
        `${path} ${answer === undefined ? "no answer" : `${answer.status} ${answer.json.code ?? ""}`}`.trim();
      this.seen.set(name, (this.seen.get(name) ?? 0) + 1);
      if (answer !== undefined && isFinal(answer)) return answer;
      await new Promise((resolve) => setTimeout(resolve, 50 + Math.random() * 100));
    }
  }

  /** Posts what must be answered with 200. */
  async insist(path: string, body: unknown): Promise<Answer["json"]> {
    const { status, json } = await this.post(path, JSON.stringify(body));
    if (status !== 200) throw new Error(`${path}: ${status} ${JSON.stringify(json)}`);
    return json;
  }
}

export function isFinal({ status, json }: Answer): boolean {
  return status !== 202 && status < 500 && json.retryable !== true;
}
