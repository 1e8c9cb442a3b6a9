import type { Chain, Exchange } from "../exchange/exchange.ts";
import type { Handler } from "../handler.ts";
import { ANSWERED, NEXT, type Verdict } from "../exchange/verdict.ts";

/** The handlers of one server block, in order, and who sees the responses of each. */
export class HandlerChain implements Chain {
  /** What it was made of: a block with the same signature keeps its chain over a reload. */
  readonly signature: string;
  readonly handlers: readonly Handler[];
  readonly length: number;
  /** A handler asks others on behalf of clients, so recursion is available (RA). */
  readonly recursive: boolean;
  /** Queries of every class are taken, and not of class IN alone. */
  readonly everyClass: boolean;
  readonly flagsSet: number;
  readonly flagsCleared: number;
  /** The handler that sees every query that came in and what was sent, or null. */
  readonly observer: Handler | null;
  /** Positions of the handlers that take part on the way down. */
  readonly #queries: readonly number[];
  /** Positions of the handlers that take part on the way up, the last one first. */
  readonly #responders: readonly number[];

  constructor(handlers: readonly Handler[], signature = "") {
    this.signature = signature;
    this.handlers = handlers;
    this.length = handlers.length;
    this.#queries = handlers.flatMap((handler, i) => handler.query === undefined ? [] : [i]);
    this.#responders = handlers.flatMap((handler, i) => handler.response === undefined ? [] : [i])
      .reverse();
    this.recursive = handlers.some(({ recursive }) => recursive === true);
    this.everyClass = this.recursive || handlers.some(({ everyClass }) => everyClass === true);
    this.flagsSet = handlers.reduce((all, one) => all | (one.responseFlags?.set ?? 0), 0);
    this.flagsCleared = handlers.reduce((all, one) => all | (one.responseFlags?.clear ?? 0), 0);
    this.observer = handlers.find((handler) => handler.sent !== undefined) ?? null;
    for (const handler of handlers) handler.joined?.(this, handlers);
  }

  pluginAt(position: number): string | undefined {
    return this.handlers[position]?.name;
  }

  descend(exchange: Exchange, start: number): Verdict {
    const handlers = this.handlers;
    const queries = this.#queries;
    for (let i = 0; i < queries.length; i++) {
      const position = queries[i]!;
      if (position < start) continue;
      exchange.position = position;
      const verdict = handlers[position]!.query!(exchange);
      if (verdict === NEXT) continue;
      exchange.answeredBy = position;
      if (verdict === ANSWERED) this.rise(exchange, position);
      return verdict;
    }
    return NEXT;
  }

  rise(exchange: Exchange, from: number): void {
    const handlers = this.handlers;
    const responders = this.#responders;
    for (let i = 0; i < responders.length; i++) {
      const position = responders[i]!;
      if (position >= from) continue;
      if (position < exchange.top) break;
      exchange.position = position;
      handlers[position]!.response!(exchange);
    }
  }

  sent(exchange: Exchange, sizeBytes: number): void {
    if (this.observer !== null) this.observer.sent!(exchange, sizeBytes);
  }

  /** Stops the handlers: their timers, their sockets. */
  stop(): void {
    for (const handler of this.handlers) handler.stop?.();
  }
}
