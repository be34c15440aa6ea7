// HTTP/1.1 over one socket with pipelining: requests leave in order, answers come back in order, many are under way.
import { connect, type Socket } from "node:net";

export interface Answer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (reason: Error) => void;
}

export class Pipeline {
  readonly #socket: Socket;
  readonly #target: URL;
  readonly #waiting: Waiting[] = [];
  #received: Buffer = Buffer.alloc(0);

  private constructor(socket: Socket, target: URL) {
    this.#socket = socket;
    this.#target = target;
    socket.setNoDelay(true);
    socket.on("data", (chunk) => this.#take(chunk));
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => this.#fail(new Error("the seller closed the connection")));
  }

  static async connect(url: string): Promise<Pipeline> {
    const target = new URL(url);
    const socket = connect({ host: target.hostname, port: Number(target.port) });
    await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    return new Pipeline(socket, target);
  }

  /** Sends now, behind what was sent before. */
  get(authorization?: string): Promise<Answer> {
    if (this.#socket.destroyed) return Promise.reject(new Error("the connection is closed"));
    const { host, pathname } = this.#target;
    const credential = authorization === undefined ? "" : `Authorization: ${authorization}\r\n`;
    this.#socket.write(`GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\n${credential}\r\n`);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    for (;;) {
      const end = this.#received.indexOf("\r\n\r\n");
      if (end < 0) return;
      const [status = "", ...lines] = this.#received.toString("latin1", 0, end).split("\r\n");
      const headers = new Map(
        lines.map((line): [string, string] => {
          const at = line.indexOf(":");
          return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()];
        }),
      );
      const length = Number(headers.get("content-length"));
      if (!Number.isSafeInteger(length)) {
        this.#fail(new Error("the answer has no length"));
        return;
      }
      const start = end + 4;
      if (this.#received.length < start + length) return;
      const body = this.#received.toString("utf8", start, start + length);
      this.#received = this.#received.subarray(start + length);
      this.#waiting.shift()?.resolve({ status: Number(status.split(" ")[1]), headers, body });
    }
  }

  #fail(error: Error): void {
    this.#socket.destroy();
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}
