import { CLASS } from "../../dns/constants.ts";
import { type AnswerCounters, OWN_SOURCE } from "../exchange/answer_source.ts";
import {
  ANSWERED,
  type Chain,
  type Exchange,
  NEXT,
  type RecordOrder,
  type Verdict,
  WAIT,
} from "../exchange/exchange.ts";
import type { Handler } from "../handler.ts";

/** Handlers of a server block. */
export class HandlerChain implements Chain {
  /** Reloads reuse chains with equal signatures. */
  readonly signature: string;
  readonly handlers: readonly Handler[];
  readonly recursive: boolean;
  readonly flagsSet: number;
  readonly flagsCleared: number;
  readonly recordOrder: RecordOrder | null;
  readonly observer: Handler | undefined;
  readonly sources: readonly string[];
  readonly answerCounters: Int32Array;
  readonly #answers: AnswerCounters;
  readonly #everyClass: boolean;
  readonly #queries: readonly number[];
  /** Last handler first. */
  readonly #responders: readonly number[];

  constructor(handlers: readonly Handler[], answers: AnswerCounters, signature = "") {
    const positions = (method: "query" | "response") =>
      handlers.flatMap((handler, i) => handler[method] === undefined ? [] : [i]);
    this.signature = signature;
    this.handlers = handlers;
    this.#answers = answers;
    this.#queries = positions("query");
    this.#responders = positions("response").reverse();
    this.recursive = handlers.some(({ recursive }) => recursive === true);
    this.#everyClass = this.recursive || handlers.some(({ everyClass }) => everyClass === true);
    this.flagsSet = handlers.reduce((all, one) => all | (one.responseFlags?.set ?? 0), 0);
    this.flagsCleared = handlers.reduce((all, one) => all | (one.responseFlags?.clear ?? 0), 0);
    this.recordOrder = handlers.find(({ recordOrder }) => recordOrder !== undefined)?.recordOrder ??
      null;
    this.observer = handlers.find((handler) => handler.sent !== undefined);
    this.sources = [OWN_SOURCE, ...handlers.map(({ name, source }) => source ?? name)];
    this.answerCounters = Int32Array.from(this.sources, (source) => answers.indexOf(source));
    for (const handler of handlers) handler.joined?.(this, handlers);
  }

  /** This chain with wrapped handlers. */
  wrapped(wrap: (handler: Handler, position: number) => Handler): HandlerChain {
    return new HandlerChain(this.handlers.map(wrap), this.#answers, this.signature);
  }

  /** As in CoreDNS, chains that forward accept every class. */
  serves(qclass: number): boolean {
    return this.handlers.length > 0 && (qclass === CLASS.IN || this.#everyClass);
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
      return verdict === ANSWERED && this.rise(exchange, position) ? WAIT : verdict;
    }
    return NEXT;
  }

  rise(exchange: Exchange, from: number): boolean {
    const handlers = this.handlers;
    const responders = this.#responders;
    for (let i = 0; i < responders.length; i++) {
      const position = responders[i]!;
      if (position >= from) continue;
      if (position < exchange.top) break;
      exchange.position = position;
      if (handlers[position]!.response!(exchange) === WAIT) return true;
    }
    return false;
  }

  sent(exchange: Exchange, sizeBytes: number): void {
    this.observer?.sent?.(exchange, sizeBytes);
  }

  stop(): void {
    for (const handler of this.handlers) handler.stop?.();
  }
}
