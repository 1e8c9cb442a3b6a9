import { PATIENCE } from "../run/patience.ts";
import { connectedSocket } from "./connected_socket.ts";
import { inside } from "./inside.ts";
import { wireName } from "./answers.ts";

const LIMIT_MS = 2_000 * PATIENCE;

/** A client in a network namespace: a socket, and the queries of which it expects answers. */
export class Asker {
  readonly #socket: Deno.DatagramConn;
  readonly #to: Deno.NetAddr;
  readonly #waiting = new Map<number, (answer: Uint8Array) => void>();
  /** Answers that nobody waited for. */
  strays = 0;
  readonly #reading: Promise<void>;

  constructor(namespace: string, server: string, { port = 53, connected = false } = {}) {
    const hostname = server.includes(":") ? "::" : "0.0.0.0";
    this.#socket = inside(
      namespace,
      () =>
        connected
          ? connectedSocket(server, port)
          : Deno.listenDatagram({ transport: "udp", hostname, port: 0 }),
    );
    this.#to = { transport: "udp", hostname: server, port };
    this.#reading = this.#read();
  }

  /** Queries without an answer yet. */
  get pending(): number {
    return this.#waiting.size;
  }

  /** Sends a message; `answered` is called with each answer that has its id, until `forget`. */
  async send(message: Uint8Array, answered: (answer: Uint8Array) => void): Promise<void> {
    this.#waiting.set(message[0]! << 8 | message[1]!, answered);
    await this.#socket.send(message, this.#to);
  }

  forget(id: number): void {
    this.#waiting.delete(id);
  }

  /** Asks once; null without an answer in time. */
  async ask(message: Uint8Array, limitMs = LIMIT_MS): Promise<Uint8Array | null> {
    const { promise, resolve } = Promise.withResolvers<Uint8Array | null>();
    const timer = setTimeout(() => resolve(null), limitMs);
    try {
      await this.send(message, resolve);
      return await promise;
    } finally {
      clearTimeout(timer);
      this.forget(message[0]! << 8 | message[1]!);
    }
  }

  async close(): Promise<void> {
    this.#socket.close();
    await this.#reading;
  }

  async #read(): Promise<void> {
    for await (const [answer] of this.#socket) {
      const answered = this.#waiting.get(answer[0]! << 8 | answer[1]!);
      if (answered === undefined) this.strays++;
      else answered(answer);
    }
  }
}

let lastId = 0;

/** A plain query. */
export function query(
  name: string,
  type = 1,
  { edns = 0, dnssecOk = false }: { edns?: number; dnssecOk?: boolean } = {},
): Uint8Array {
  lastId = lastId + 1 & 0xffff;
  const opt = edns === 0
    ? []
    : [0, 0, 41, edns >> 8, edns & 255, 0, 0, dnssecOk ? 0x80 : 0, 0, 0, 0];
  return Uint8Array.from([
    ...[lastId >> 8, lastId & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, edns === 0 ? 0 : 1],
    ...wireName(name),
    ...[type >> 8, type & 255, 0, 1],
    ...opt,
  ]);
}
