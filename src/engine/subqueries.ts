import { FLAG } from "../dns/constants.ts";
import type { Exchange } from "./exchange/exchange.ts";
import { type EngineServices, WAIT } from "./handler.ts";
import { internalQuery } from "./internal_query.ts";
import { readStoredQuestion } from "./question/read.ts";
import type { Response } from "./response/response.ts";
import type { Timer } from "./timers.ts";

const MAX_PENDING = 1024;
/** `forward` gives up sooner. */
const LIMIT_MS = 10_000;

/** Valid during the call; null if none. */
export type Answered = (response: Response | null) => void;

/** A handler's questions for a client. Responses go through `receive`. */
export class Subqueries {
  readonly #engine: EngineServices;
  readonly #position: number;
  readonly #pending = new Map<number, { answered: Answered; timer: Timer }>();
  #lastId = 0;

  /** @param position - in the chain */
  constructor(engine: EngineServices, position: number) {
    this.#engine = engine;
    this.#position = position;
  }

  /** Asks with the DNSSEC bits of `exchange`; may call `answered` before it returns. */
  ask(exchange: Exchange, name: Uint8Array, qtype: number, answered: Answered): void {
    const engine = this.#engine;
    if (this.#pending.size >= MAX_PENDING) {
      answered(null);
      return;
    }
    do this.#lastId = (this.#lastId + 1) & 0xffff; while (this.#pending.has(this.#lastId));
    const id = this.#lastId;
    const timer = engine.timers.create(() => this.#end(id, null));
    this.#pending.set(id, { answered, timer });
    engine.timers.set(timer, engine.nowMs + LIMIT_MS);
    const question = this.question(exchange, name, qtype);
    question.id = id;
    if (!engine.askBelow(question, this.#position)) this.#end(id, null);
  }

  /**
   * As `ask`, and parks `exchange` meanwhile: `use` gets the result of `read` and the parked copy,
   * which `resume` continues. `use` may wait again.
   */
  wait<T>(
    exchange: Exchange,
    { name, qtype, read, use, resume }: {
      name: Uint8Array;
      qtype: number;
      read: (response: Response | null) => T;
      use: (exchange: Exchange, read: T | "full") => typeof WAIT | void;
      resume: (exchange: Exchange) => void;
    },
  ): typeof WAIT | void {
    const results: T[] = [];
    let parked: Exchange | null = null;
    this.ask(exchange, name, qtype, (response) => {
      const result = read(response);
      results.push(result);
      if (parked !== null && use(parked, result) !== WAIT) resume(parked);
    });
    if (results.length > 0) return use(exchange, results[0]!);
    parked = this.#engine.park(exchange);
    return parked === null ? use(exchange, "full") : WAIT;
  }

  /** The query of `ask`. */
  question(exchange: Exchange, name: Uint8Array, qtype: number): Exchange {
    const { chain, qclass } = exchange;
    const question = internalQuery(chain, { name, qtype, qclass });
    question.flags |= exchange.flags & FLAG.CD;
    question.dnssecOk = exchange.dnssecOk;
    question.edns = exchange.edns;
    question.receivedMs = this.#engine.nowMs;
    question.listener = exchange.listener;
    question.zone = exchange.zone;
    question.client = this.#engine.clientBucket(exchange);
    readStoredQuestion(question, this.#engine.hashKey);
    return question;
  }

  receive({ internal, top, id, response }: Exchange): boolean {
    if (!internal || top !== this.#position || !this.#pending.has(id)) return false;
    this.#end(id, response);
    return true;
  }

  #end(id: number, response: Response | null): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    this.#engine.timers.clear(pending.timer);
    pending.answered(response);
  }
}
