import type { Handler } from "./handler.ts";

/** The handlers of one server block, in order, and who sees the responses of each. */
export class Chain {
  /** What it was made of: a block with the same signature keeps its chain over a reload. */
  readonly signature: string;
  readonly handlers: readonly Handler[];
  /** Places of the handlers that take part on the way down. */
  readonly queries: readonly number[];
  /** Places of the handlers that take part on the way up. */
  readonly responders: readonly number[];
  /** A handler asks others on behalf of clients, so recursion is available (RA). */
  readonly recursive: boolean;
  /** Queries of every class are taken, and not of class IN alone. */
  readonly everyClass: boolean;
  /** Flags that every response has, and those that none has. */
  readonly flagsSet: number;
  readonly flagsCleared: number;
  /** Who is told of every query that came in and what was sent, or null. */
  readonly observer: Handler | null;

  constructor(handlers: readonly Handler[], signature = "") {
    this.signature = signature;
    this.handlers = handlers;
    this.queries = handlers.flatMap((handler, i) => handler.query === undefined ? [] : [i]);
    this.responders = handlers.flatMap((handler, i) => handler.response === undefined ? [] : [i])
      .reverse();
    this.recursive = handlers.some(({ recursive }) => recursive === true);
    this.everyClass = this.recursive || handlers.some(({ everyClass }) => everyClass === true);
    this.flagsSet = handlers.reduce((all, one) => all | (one.responseFlags?.set ?? 0), 0);
    this.flagsCleared = handlers.reduce((all, one) => all | (one.responseFlags?.clear ?? 0), 0);
    this.observer = handlers.find((handler) => handler.sent !== undefined) ?? null;
    for (const handler of handlers) handler.joined?.(this);
  }

  /** Lets go of what the handlers hold. */
  stop(): void {
    for (const handler of this.handlers) handler.stop?.();
  }
}
