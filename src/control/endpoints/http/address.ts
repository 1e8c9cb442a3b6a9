import { type ConnectionOwner, HttpConnection, type HttpContext, type Peer } from "./connection.ts";
import type { CloseReason } from "./counts.ts";
import { guarded, refuseForeign } from "./local_guard.ts";
import {
  type HttpReply,
  type HttpRequest,
  type HttpStream,
  type Method,
  READ_METHODS,
  refusal,
} from "./message.ts";

type Answer = HttpReply | HttpStream;

/** Handler of a path. */
export interface HttpTarget {
  handler: (request: HttpRequest, connection: HttpConnection) => Answer | Promise<Answer>;
  /** Answered first. */
  probe?: boolean;
  /** Overrides `HttpLimits.answerMs`. */
  answerMs?: number;
  /** Only from the loopback interface, not for other sites' pages. */
  localOnly?: boolean;
  /** Not for other sites' pages. */
  ownSiteOnly?: boolean;
}

/** Options of an `HttpAddressServer`. */
export interface HttpAddressOptions {
  methods?: readonly Method[];
  /** Identifies the client; null closes the connection. */
  admit?: () => Peer | null;
}

/** HTTP server of one address. At limits, new connections replace idle ones. */
export class HttpAddressServer implements ConnectionOwner {
  targets: ReadonlyMap<string, HttpTarget> = new Map();
  maxConnections: number;
  readonly methods: readonly Method[];
  readonly #listener: Deno.Listener;
  readonly #context: HttpContext;
  readonly #admit: (() => Peer | null) | null;
  readonly #connections = new Map<HttpConnection, Promise<void>>();
  readonly #accepting: Promise<void>;
  #stopping = false;
  #endPause: () => void = () => {};

  constructor(
    listener: Deno.Listener,
    context: HttpContext,
    { methods = READ_METHODS, admit }: HttpAddressOptions = {},
  ) {
    this.#listener = listener;
    this.#context = context;
    this.methods = methods;
    this.#admit = admit ?? null;
    this.maxConnections = context.limits.connections;
    this.#accepting = this.#accept();
  }

  /** 0 for a Unix socket. */
  get port(): number {
    return "port" in this.#listener.addr ? this.#listener.addr.port : 0;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#listener.close();
    this.#endPause();
    await this.#accepting;
    for (const connection of this.#connections.keys()) connection.end();
    await Promise.all(this.#connections.values());
  }

  isProbe(path: string): boolean {
    return this.targets.get(path)?.probe === true;
  }

  answerMs(path: string): number {
    return this.targets.get(path)?.answerMs ?? this.#context.limits.answerMs;
  }

  async answer(request: HttpRequest, connection: HttpConnection): Promise<Answer> {
    const { local } = connection;
    const target = this.targets.get(request.path);
    if (target === undefined || (target.localOnly && !local)) {
      const known = [...this.targets].filter(([, { localOnly }]) => !localOnly || local);
      return refusal(404, `not found; try ${known.map(([path]) => path).join(" ")}`);
    }
    if (!target.localOnly && !target.ownSiteOnly) {
      return await this.#handle(target, request, connection);
    }
    return guarded(
      refuseForeign(request, { local }) ?? await this.#handle(target, request, connection),
    );
  }

  async #handle(target: HttpTarget, request: HttpRequest, connection: HttpConnection) {
    try {
      return await target.handler(request, connection);
    } catch (error) {
      // Only logged: it may be confidential.
      this.#context.counts.handlerFailed(error);
      return refusal(500, "nodens has failed here; its log says more");
    }
  }

  queued(): void {
    for (;;) {
      const sending = [...this.#connections.keys()].filter(({ queuedBytes }) => queuedBytes > 0);
      const sizeBytes = sending.reduce((sum, { queuedBytes }) => sum + queuedBytes, 0);
      if (sending.length < 2 || sizeBytes <= this.#context.limits.queuedBytes) return;
      this.#cut(oldest(sending)!, "memory");
    }
  }

  async #accept(): Promise<void> {
    const { counts, limits } = this.#context;
    for (let accepted = 1; !this.#stopping; accepted++) {
      let conn: Deno.Conn;
      try {
        conn = await this.#listener.accept();
      } catch {
        if (this.#stopping) return;
        counts.acceptFailed();
        await this.#pause(limits.acceptPauseMs);
        continue;
      }
      await this.#pause(this.#untilRoomMs());
      this.#serve(conn);
      // Accepting does not yield to the event loop.
      if (accepted % limits.acceptsATurn === 0) {
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  }

  #serve(conn: Deno.Conn): void {
    const peer = this.#admit?.() ?? null;
    if (this.#admit !== null && peer === null) return conn.close();
    while (this.#connections.size >= this.maxConnections) this.#cut(this.#leastUseful(), "full");
    const connection = new HttpConnection(conn, this, this.#context, peer);
    this.#context.counts.opened();
    this.#connections.set(connection, connection.serve().finally(() => this.#forget(connection)));
  }

  #untilRoomMs(): number {
    if (this.#connections.size < this.maxConnections) return 0;
    const { clock, limits } = this.#context;
    return limits.graceMs - (clock.now() - this.#leastUseful().sinceMs);
  }

  #leastUseful(): HttpConnection {
    const all = [...this.#connections.keys()];
    const idle = oldest(all.filter(({ answering }) => !answering));
    if (idle !== null) return idle;
    // Streams are the oldest: a crowd must not end them.
    const others = all.filter(({ streaming }) => !streaming);
    return oldest(others.length >= this.maxConnections / 2 ? others : all)!;
  }

  #forget(connection: HttpConnection): void {
    if (this.#connections.delete(connection)) this.#context.counts.closed();
  }

  #cut(connection: HttpConnection, reason: CloseReason): void {
    connection.cut(reason);
    this.#forget(connection);
  }

  async #pause(ms: number): Promise<void> {
    if (ms <= 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#context.clock.after(ms, resolve);
    this.#endPause = resolve;
    await promise;
    cancel();
  }
}

function oldest(connections: readonly HttpConnection[]): HttpConnection | null {
  return connections.reduce<HttpConnection | null>(
    (first, one) => first === null || one.sinceMs < first.sinceMs ? one : first,
    null,
  );
}
