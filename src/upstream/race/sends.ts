/** How often a question goes to one server (RFC 9520 section 3.1). */
const MAX_SENT = 3;

/** The servers that a question was sent to. */
export class Sends<Server> {
  /** One entry for each ask; the first `#count` are of this question. */
  readonly #to: Server[] = [];
  #count = 0;

  /** Sends in all. */
  get count(): number {
    return this.#count;
  }

  /** Forgets the question before. */
  clear(): void {
    this.#count = 0;
  }

  add(server: Server): void {
    this.#to[this.#count++] = server;
  }

  /** How often the question has gone to a server. */
  to(server: Server): number {
    let sends = 0;
    for (let i = 0; i < this.#count; i++) if (this.#to[i] === server) sends++;
    return sends;
  }

  /** Whether a server may still have the question. */
  mayGoTo(server: Server): boolean {
    return this.to(server) < MAX_SENT;
  }
}
