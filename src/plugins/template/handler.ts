import { CLASS, FLAG, RCODE, TYPE } from "../../dns/constants.ts";
import type { Exchange } from "../../engine/exchange/exchange.ts";
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
import { readRecords, writeRecords } from "../../engine/response/records.ts";
import type { Response } from "../../engine/response/response.ts";
import { Subqueries } from "../../engine/subqueries.ts";
import type { TemplateOptions } from "./options.ts";
import { createReply, type Reply } from "./reply.ts";

/** Aliases in a row that are followed. */
const MAX_ALIASES = 8;

/** Answers queries with records made by templates. */
export const createTemplate: CreateHandler<TemplateOptions> = (options, environment) =>
  new TemplateHandler(options, environment);

class TemplateHandler implements Handler {
  readonly name = "template";
  readonly everyClass: boolean;
  readonly #engine: EngineServices;
  readonly #reply: (exchange: Exchange) => Reply | null;
  readonly #subqueries: Subqueries;

  constructor({ templates }: TemplateOptions, { engine, position }: HandlerEnvironment) {
    this.#engine = engine;
    this.everyClass = templates.some(({ qclass }) => qclass !== CLASS.IN);
    this.#reply = createReply(templates, engine);
    this.#subqueries = new Subqueries(engine, position);
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
    this.#subqueries.receive(exchange);
  }

  /** Adds addresses of an alias, from templates or the chain. */
  #follow(exchange: Exchange, reply: Reply, target: Uint8Array): Verdict {
    const { qtype } = exchange;
    for (let aliases = 1; aliases <= MAX_ALIASES; aliases++) {
      const own = this.#reply(this.#subqueries.question(exchange, target, qtype));
      if (own === null) return this.#ask(exchange, reply, target);
      reply.records.push(...own.records.filter(({ section }) => section === "answer"));
      const next = aliasOf(own, qtype);
      if (next === null) {
        exchange.response = this.#write(exchange, { ...reply, rcode: own.rcode });
        return ANSWERED;
      }
      target = next;
    }
    return this.#fail(exchange, `more than ${MAX_ALIASES} aliases in a row`);
  }

  #ask(exchange: Exchange, reply: Reply, target: Uint8Array): Verdict {
    let answered = false;
    let parked: Exchange | null = null;
    let whole: Reply | null = null;
    this.#subqueries.ask(exchange, target, exchange.qtype, (response) => {
      answered = true;
      whole = withAnswers(reply, response);
      if (parked === null) return;
      this.#end(parked, whole);
      this.#engine.resume(parked);
    });
    if (answered) return this.#end(exchange, whole);
    parked = this.#engine.park(exchange);
    return parked === null ? this.#fail(exchange, "too many queries are waiting") : WAIT;
  }

  #end(exchange: Exchange, reply: Reply | null): Verdict {
    if (reply === null) return this.#fail(exchange, "the target of the alias cannot be resolved");
    exchange.response = this.#write(exchange, reply);
    return ANSWERED;
  }

  #fail(exchange: Exchange, why: string): Verdict {
    exchange.error = `template: ${why}`;
    exchange.response = this.#engine.failure(exchange, RCODE.SERVFAIL);
    return ANSWERED;
  }

  #write(exchange: Exchange, { rcode, records, extendedError }: Reply): Response {
    const { writer } = this.#engine;
    if (rcode === RCODE.SERVFAIL) return this.#engine.failure(exchange, rcode);
    writer.begin(exchange, rcode, FLAG.AA);
    const response = writeRecords(writer, exchange, records);
    if (extendedError !== null) {
      const text = new TextEncoder().encode(extendedError.text);
      response.extendedError = extendedError.code;
      response.errorText.set(text, 0, text.length);
    }
    return response;
  }
}

/** Adds the answers for its alias's target; null without any. */
function withAnswers(reply: Reply, response: Response | null): Reply | null {
  if (response === null || response.rcode === RCODE.SERVFAIL) return null;
  const records = readRecords(response);
  if (records === null) return null;
  const answers = records.filter(({ section }) => section === "answer");
  return { ...reply, rcode: response.rcode, records: [...reply.records, ...answers] };
}

function aliasOf({ records }: Reply, qtype: number): Uint8Array | null {
  if (qtype !== TYPE.A && qtype !== TYPE.AAAA) return null;
  const alias = records.find(({ section, type }) => section === "answer" && type === TYPE.CNAME);
  return alias?.data ?? null;
}
