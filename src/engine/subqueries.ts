import { FLAG, HEADER_SIZE } from "../dns/constants.ts";
import { Exchange } from "./exchange/exchange.ts";
import type { EngineServices } from "./handler.ts";
import { Memory } from "./memory.ts";
import { readStoredQuestion } from "./question/read.ts";
import type { Response } from "./response/response.ts";
import type { Timer } from "./timers.ts";

const MAX_PENDING = 1024;
/** `forward` gives up sooner. */
const LIMIT_MS = 10_000;

/** Valid during the call; null if none. */
export type Answered = (response: Response | null) => void;

/** A handler's questions for a client: an alias's target, DNS64. Responses go through `receive`. */
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

  /**
   * Asks for a wire-form name with the DNSSEC bits of `exchange`. Calls `answered` once, perhaps
   * before returning.
   */
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

  /** The query of `ask`, for handlers that may know the answer. */
  question(exchange: Exchange, name: Uint8Array, qtype: number): Exchange {
    const memory = new Memory(HEADER_SIZE + name.length + 4);
    const { bytes, view } = memory;
    view.setUint16(4, 1);
    bytes.set(name, HEADER_SIZE);
    view.setUint16(HEADER_SIZE + name.length, qtype);
    view.setUint16(HEADER_SIZE + name.length + 2, exchange.qclass);
    const question = new Exchange(memory, exchange.chain);
    question.length = HEADER_SIZE + name.length + 4;
    question.flags = FLAG.RD | (exchange.flags & FLAG.CD);
    question.dnssecOk = exchange.dnssecOk;
    question.edns = exchange.edns;
    question.receivedMs = this.#engine.nowMs;
    question.listener = exchange.listener;
    question.zone = exchange.zone;
    question.client = this.#engine.clientBucket(exchange);
    readStoredQuestion(question, this.#engine.hashKey);
    return question;
  }

  /** Whether the response is for one of these. */
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
