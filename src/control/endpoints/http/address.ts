import { type CloseReason, type ConnectionOwner, HttpConnection } from "./connection.ts";
import type { HttpLimits } from "./limits.ts";
import { type HttpReply, type HttpRequest, refusal } from "./message.ts";
import type { HttpTurns } from "./turns.ts";

/** Who answers at a path. */
export interface HttpTarget {
  handler: (request: HttpRequest) => HttpReply | Promise<HttpReply>;
  /** It is asked by probes that must not wait: answered before all else, and cheap. */
  probe?: boolean;
  /** Only clients on the loopback interface are answered; for others nothing is here. */
  localOnly?: boolean;
}

/** What becomes of connections, for metrics and log. */
export interface HttpCounts {
  opened(): void;
  closed(): void;
  cut(reason: CloseReason): void;
  /** A connection could not be accepted. */
  notAccepted(): void;
  /** A handler threw, which is a fault of nodens. */
  failed(error: unknown): void;
}

/**
 * The HTTP server of one address. Whatever happens to it (no descriptors, clients that hoard or do
 * not read), it goes on, and a new connection always gets in: it takes the place of the one that has
 * been idle longest.
 */
export class HttpAddressServer implements ConnectionOwner {
  readonly limits: HttpLimits;
  targets: ReadonlyMap<string, HttpTarget> = new Map();
  /** Most connections at a time. */
  mostConnections: number;
  readonly #listener: Deno.TcpListener;
  readonly #counts: HttpCounts;
  readonly #turns: HttpTurns<HttpConnection>;
  readonly #connections = new Map<HttpConnection, Promise<void>>();
  readonly #accepting: Promise<void>;
  #stopping = false;
  #wake: (() => void) | null = null;

  constructor(
    listener: Deno.TcpListener,
    { limits, counts, turns }: {
      limits: HttpLimits;
      counts: HttpCounts;
      /** Shared by all addresses. */
      turns: HttpTurns<HttpConnection>;
    },
  ) {
    this.#listener = listener;
    this.limits = limits;
    this.mostConnections = limits.connections;
    this.#counts = counts;
    this.#turns = turns;
    this.#accepting = this.#accept();
  }

  /** Takes no more connections; resolves when the requests under way are answered. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#listener.close();
    this.#wake?.();
    await this.#accepting;
    for (const connection of this.#connections.keys()) connection.end();
    await Promise.all(this.#connections.values());
  }

  turn(path: string, connection: HttpConnection): Promise<void> {
    const kind = this.targets.get(path)?.probe === true ? "probe" : "page";
    return this.#turns.wait(connection, kind);
  }

  async answer(request: HttpRequest, connection: HttpConnection): Promise<HttpReply> {
    const target = this.targets.get(request.path);
    if (target === undefined || (target.localOnly && !connection.local)) {
      const known = [...this.targets].filter(([, { localOnly }]) => !localOnly || connection.local);
      return refusal(404, `nothing is here, but at ${known.map(([path]) => path).join(" ")}`);
    }
    try {
      return await target.handler(request);
    } catch (error) {
      // The text may hold what is nobody's business: it goes to the log alone.
      this.#counts.failed(error);
      return refusal(500, "nodens has failed here; its log says more");
    }
  }

  queued(): void {
    for (;;) {
      const sending = [...this.#connections.keys()].filter(({ queuedBytes }) => queuedBytes > 0);
      const sizeBytes = sending.reduce((sum, { queuedBytes }) => sum + queuedBytes, 0);
      // A single answer is sent however large it is.
      if (sending.length < 2 || sizeBytes <= this.limits.queuedBytes) return;
      this.#cut(oldest(sending)!, "memory");
    }
  }

  closed(connection: HttpConnection): void {
    this.#turns.leave(connection);
  }

  count(reason: CloseReason): void {
    this.#counts.cut(reason);
  }

  async #accept(): Promise<void> {
    for (let accepted = 1; !this.#stopping; accepted++) {
      let conn: Deno.TcpConn;
      try {
        conn = await this.#listener.accept();
      } catch {
        if (this.#stopping) return;
        this.#counts.notAccepted();
        await this.#pause(this.limits.acceptPauseMs);
        continue;
      }
      const waitMs = this.#placeMs();
      if (waitMs > 0) await this.#pause(waitMs);
      this.#take(conn);
      // Those that wait in the kernel are accepted without a turn of the loop otherwise.
      if (accepted % this.limits.acceptsATurn === 0) await turnOfLoop();
    }
  }

  /** Time until a new connection may take the place of another. */
  #placeMs(): number {
    if (this.#connections.size < this.mostConnections) return 0;
    const youngMs = performance.now() - this.#nextToGo().sinceMs;
    return Math.max(0, this.limits.graceMs - youngMs);
  }

  /** The longest idle connection; or else the one whose answer takes longest. */
  #nextToGo(): HttpConnection {
    const all = [...this.#connections.keys()];
    return oldest(all.filter(({ answering }) => !answering)) ?? oldest(all)!;
  }

  #take(conn: Deno.TcpConn): void {
    while (this.#connections.size >= this.mostConnections) this.#cut(this.#nextToGo(), "full");
    const connection = new HttpConnection(conn, this);
    this.#counts.opened();
    this.#connections.set(connection, connection.serve().finally(() => this.#forget(connection)));
  }

  #forget(connection: HttpConnection): void {
    if (this.#connections.delete(connection)) this.#counts.closed();
  }

  #cut(connection: HttpConnection, reason: CloseReason): void {
    connection.cut(reason);
    this.#forget(connection);
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function turnOfLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The connection that has been as it is for longest. */
function oldest(connections: readonly HttpConnection[]): HttpConnection | null {
  return connections.reduce<HttpConnection | null>(
    (first, one) => first === null || one.sinceMs < first.sinceMs ? one : first,
    null,
  );
}
