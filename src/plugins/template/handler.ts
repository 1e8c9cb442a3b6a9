import { CLASS, FLAG, HEADER_SIZE, RCODE, TYPE } from "../../dns/constants.ts";
import type { WireRecord } from "../../dns/record_text/record.ts";
import { Exchange } from "../../engine/exchange/exchange.ts";
import {
  ANSWERED,
  type CreateHandler,
  type EngineServices,
  type Handler,
  type HandlerEnvironment,
  NEXT,
  type Verdict,
  WAIT,
} from "../../engine/handler.ts";
import { Memory } from "../../engine/memory.ts";
import { readStoredQuestion } from "../../engine/question/read.ts";
import type { Response } from "../../engine/response/response.ts";
import type { Timer } from "../../engine/timers.ts";
import { readAnswers } from "./answers.ts";
import { SECTIONS, type TemplateOptions } from "./options.ts";
import { createReply, type Reply } from "./reply.ts";

/** Aliases in a row that are followed. */
const MAX_ALIASES = 8;
/** Queries that wait for the target of an alias. */
const MAX_PENDING = 1024;
/** How long they wait; `forward` gives up earlier. */
const PATIENCE_MS = 10_000;

/** An answer that waits for the addresses of an alias. */
interface Pending {
  readonly parked: Exchange;
  readonly reply: Reply;
  readonly timer: Timer;
  /** Its query has not returned `WAIT` yet. */
  starting: boolean;
}

/** Answers queries with records made by templates. */
export const createTemplate: CreateHandler<TemplateOptions> = (options, environment) =>
  new TemplateHandler(options, environment);

class TemplateHandler implements Handler {
  readonly name = "template";
  readonly everyClass: boolean;
  readonly #engine: EngineServices;
  readonly #position: number;
  readonly #reply: (exchange: Exchange) => Reply | null;
  /** By the id of the query for the alias's target. */
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;

  constructor({ templates }: TemplateOptions, { engine, position }: HandlerEnvironment) {
    this.#engine = engine;
    this.#position = position;
    this.everyClass = templates.some(({ qclass }) => qclass !== CLASS.IN);
    this.#reply = createReply(templates, engine);
  }

  query(exchange: Exchange): Verdict {
    const reply = this.#reply(exchange);
    if (reply === null) return NEXT;
    const target = aliasOf(reply, exchange.qtype);
    if (target !== null) return this.#follow(exchange, reply, target);
    exchange.response = this.#write(exchange, reply);
    return ANSWERED;
  }

  response(exchange: Exchange): void {
    if (!exchange.internal || exchange.top !== this.#position || this.#pending.size === 0) return;
    const pending = this.#pending.get(exchange.id);
    const { response } = exchange;
    if (pending === undefined || response === null) return;
    this.#pending.delete(exchange.id);
    const answers = response.rcode === RCODE.SERVFAIL ? null : readAnswers(response);
    this.#end(pending, answers, response.rcode);
  }

  /** Adds the addresses of an alias, from templates or the rest of the chain. */
  #follow(exchange: Exchange, reply: Reply, target: Uint8Array): Verdict {
    let question = this.#questionFor(exchange, target);
    for (let aliases = 1;; aliases++) {
      const own = this.#reply(question);
      if (own === null) return this.#ask(exchange, reply, question);
      reply.records.push(...own.records.filter(({ section }) => section === "answer"));
      const next = aliasOf(own, exchange.qtype);
      if (next === null) {
        exchange.response = this.#write(exchange, { ...reply, rcode: own.rcode });
        return ANSWERED;
      }
      if (aliases === MAX_ALIASES) {
        this.#fail(exchange, `more than ${MAX_ALIASES} aliases in a row`);
        return ANSWERED;
      }
      question = this.#questionFor(exchange, next);
    }
  }

  #ask(exchange: Exchange, reply: Reply, question: Exchange): Verdict {
    const engine = this.#engine;
    const parked = this.#pending.size < MAX_PENDING ? engine.park(exchange) : null;
    if (parked === null) {
      this.#fail(exchange, "too many queries are waiting");
      return ANSWERED;
    }
    do this.#lastId = (this.#lastId + 1) & 0xffff; while (this.#pending.has(this.#lastId));
    const id = question.id = this.#lastId;
    const giveUp = () => {
      if (this.#pending.delete(id)) this.#end(pending, null, RCODE.SERVFAIL);
    };
    const timer = engine.timers.create(giveUp);
    const pending: Pending = { parked, reply, timer, starting: true };
    this.#pending.set(id, pending);
    engine.timers.set(timer, engine.nowMs + PATIENCE_MS);
    if (!engine.refresh(question, this.#position)) giveUp();
    pending.starting = false;
    if (!this.#pending.has(id)) engine.resume(parked);
    return WAIT;
  }

  #end(pending: Pending, answers: readonly WireRecord[] | null, rcode: number): void {
    const { parked, reply, timer } = pending;
    this.#engine.timers.clear(timer);
    if (answers === null) {
      this.#fail(parked, "the target of the alias cannot be resolved");
    } else {
      for (const record of answers) reply.records.push({ section: "answer", record });
      parked.response = this.#write(parked, { ...reply, rcode });
    }
    if (!pending.starting) this.#engine.resume(parked);
  }

  #fail(exchange: Exchange, why: string): void {
    exchange.error = `template: ${why}`;
    exchange.response = this.#engine.failure(exchange, RCODE.SERVFAIL);
  }

  /** An internal query for another name, with the type and class of this one. */
  #questionFor({ qtype, qclass, chain, listener, zone }: Exchange, name: Uint8Array): Exchange {
    const length = HEADER_SIZE + name.length + 4;
    const memory = new Memory(length);
    const { bytes, view } = memory;
    view.setUint16(4, 1); // one question
    bytes.set(name, HEADER_SIZE);
    view.setUint16(length - 4, qtype);
    view.setUint16(length - 2, qclass);
    const question = new Exchange(memory, chain);
    question.length = length;
    question.flags = FLAG.RD;
    question.receivedMs = this.#engine.nowMs;
    question.listener = listener;
    question.zone = zone;
    readStoredQuestion(question, this.#engine.hashKey);
    return question;
  }

  #write(exchange: Exchange, { rcode, records, extendedError }: Reply): Response {
    const { writer } = this.#engine;
    if (rcode === RCODE.SERVFAIL) return this.#engine.failure(exchange, rcode);
    writer.begin(exchange, rcode, FLAG.AA);
    for (const wanted of SECTIONS) {
      for (const { section, record } of records) {
        if (section !== wanted) continue;
        const { owner, type, qclass, ttlSeconds, data } = record;
        writer.record(section, owner, type, qclass, ttlSeconds).raw(data, 0, data.length);
      }
    }
    const response = writer.end();
    if (extendedError !== null) {
      const text = new TextEncoder().encode(extendedError.text);
      response.extendedError = extendedError.code;
      response.errorText.set(text, 0, text.length);
    }
    return response;
  }
}

function aliasOf({ records }: Reply, qtype: number): Uint8Array | null {
  if (qtype !== TYPE.A && qtype !== TYPE.AAAA) return null;
  const isAlias = ({ section, record }: Reply["records"][number]) =>
    section === "answer" && record.type === TYPE.CNAME;
  return records.find(isAlias)?.record.data ?? null;
}
