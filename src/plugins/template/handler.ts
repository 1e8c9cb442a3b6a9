import { Address } from "../../dns/address.ts";
import { CLASS, FLAG, HEADER_SIZE, RCODE, TYPE } from "../../dns/constants.ts";
import { classText, typeText } from "../../dns/mnemonics.ts";
import { formatName } from "../../dns/name.ts";
import { readRecord, type WireRecord } from "../../dns/record_text/record.ts";
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
import { ZoneTable } from "../../engine/question/zones.ts";
import type { Timer } from "../../engine/timers.ts";
import { type CompiledPattern, compilePattern } from "../pattern.ts";
import { aliasIn, readAnswers } from "./alias.ts";
import { dataOf, type Match } from "./data.ts";
import { evaluate } from "./go_template/evaluate.ts";
import { EvaluationError, type Value } from "./go_template/values.ts";
import type { Section, Template, TemplateOptions } from "./options.ts";

/** Aliases that are followed one after the other before the answer is SERVFAIL. */
const MAX_ALIASES = 8;
/** Names that aliases lead to which are asked for at a time. */
const MAX_PENDING = 1024;
/** How long a name that an alias leads to is waited for; `forward` gives up before. */
const PATIENCE_MS = 10_000;
const NO_NAMES: ReadonlyMap<string, number> = new Map();
const encoder = new TextEncoder();

/** A directive, ready to be evaluated. */
interface Compiled {
  readonly template: Template;
  readonly zones: ZoneTable<{ zone: string; matches: number }>;
  readonly patterns: readonly (CompiledPattern & { error: null; pattern: string })[];
  readonly fallthrough: ZoneTable<true>;
  readonly records: readonly {
    section: Section;
    text: string;
    make: (data: Value) => WireRecord;
  }[];
}

/** What a template says. */
interface Reply {
  readonly rcode: number;
  readonly records: { section: Section; record: WireRecord }[];
  readonly extendedError: Template["extendedError"];
}

/** An answer that waits for the addresses of the name that it leads to. */
interface Pending {
  readonly parked: Exchange;
  readonly reply: Reply;
  readonly timer: Timer;
  /** The query that began it is still in `query`. */
  starting: boolean;
  ended: boolean;
}

/** Makes the handler of a block's `template` directives. */
export const createTemplate: CreateHandler<TemplateOptions> = (options, environment) =>
  new TemplateHandler(options, environment);

/** Answers queries with records that templates make of them. */
class TemplateHandler implements Handler {
  readonly name = "template";
  /** Some template is for another class than IN. */
  readonly everyClass: boolean;
  readonly #engine: EngineServices;
  readonly #position: number;
  readonly #templates: readonly Compiled[];
  readonly #client = new Address();
  /** By the id of the query for the name that the answer leads to. */
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;

  constructor({ templates }: TemplateOptions, { engine, position }: HandlerEnvironment) {
    this.#engine = engine;
    this.#position = position;
    this.everyClass = templates.some(({ qclass }) => qclass !== CLASS.IN);
    this.#templates = templates.map((template) => compile(template, engine));
  }

  query(exchange: Exchange): Verdict {
    const reply = this.#replyTo(exchange);
    if (reply === null) return NEXT;
    const target = aliasOf(reply, exchange.qtype);
    if (target !== null) return this.#follow(exchange, reply, target);
    exchange.response = this.#write(exchange, reply);
    return ANSWERED;
  }

  /** The addresses of a name that an answer leads to have come. */
  response(exchange: Exchange): void {
    if (!exchange.internal || exchange.top !== this.#position || this.#pending.size === 0) return;
    const pending = this.#pending.get(exchange.id);
    if (pending === undefined || exchange.response === null) return;
    this.#pending.delete(exchange.id);
    const { response } = exchange;
    const answers = response.rcode === RCODE.SERVFAIL ? null : readAnswers(response);
    this.#end(pending, answers === null ? null : { rcode: response.rcode, answers });
  }

  /** What the first template that matches says of a query; null if the next handler is to answer. */
  #replyTo(exchange: Exchange): Reply | null {
    let name = "";
    for (const compiled of this.#templates) {
      const { template, patterns } = compiled;
      const { qclass, qtype } = template;
      if (qtype !== TYPE.ANY && exchange.qtype !== TYPE.ANY && exchange.qtype !== qtype) continue;
      if (qclass !== CLASS.ANY && exchange.qclass !== CLASS.ANY && exchange.qclass !== qclass) {
        continue;
      }
      const zone = compiled.zones.match(exchange);
      if (zone === null) continue;
      name ||= formatName(exchange.memory.bytes, exchange.offset + HEADER_SIZE).toLowerCase();
      const match = matchName(name, patterns);
      if (match !== null) {
        this.#engine.values[zone.matches]!++;
        return this.#evaluate(compiled, exchange, { zone: zone.zone, match });
      }
      if (compiled.fallthrough.match(exchange) === null) {
        exchange.error = `template: no pattern matches ${name} (fallthrough lets it pass)`;
        return failed();
      }
    }
    return null;
  }

  #evaluate(
    { template, records }: Compiled,
    exchange: Exchange,
    { zone, match }: { zone: string; match: Match },
  ): Reply {
    const { rcode, extendedError } = template;
    const reply: Reply = { rcode, records: [], extendedError };
    if (rcode === RCODE.SERVFAIL || records.length === 0) return reply;
    const { qclass, qtype } = template;
    const remote = this.#remote(exchange);
    const data = dataOf(exchange, match, { zone, qclass, qtype, remote });
    for (const { section, text, make } of records) {
      try {
        reply.records.push({ section, record: make(data) });
      } catch (error) {
        this.#countFailure(template, { zone, section, text, error });
        exchange.error = `template: ${(error as Error).message} (${section} ${text})`;
        return failed();
      }
    }
    return reply;
  }

  #countFailure(
    { qclass, qtype }: Template,
    { zone, section, text, error }: {
      zone: string;
      section: Section;
      text: string;
      error: unknown;
    },
  ): void {
    const what = error instanceof EvaluationError ? "template" : "rr";
    const index = this.#engine.counter(`coredns_template_${what}_failures_total`, {
      zone,
      class: classText(qclass),
      type: typeText(qtype),
      section,
      template: text,
    });
    this.#engine.values[index]!++;
  }

  #remote(exchange: Exchange): string {
    if (exchange.internal) return "";
    this.#engine.clientAddress(exchange, this.#client);
    return this.#client.hostname();
  }

  /** Adds the addresses of the name that an answer leads to, which is asked for in this block. */
  #follow(exchange: Exchange, reply: Reply, target: Uint8Array): Verdict {
    let question = this.#question(exchange, target);
    for (let aliases = 1;; aliases++) {
      const own = this.#replyTo(question);
      if (own === null) return this.#ask(exchange, reply, question);
      reply.records.push(...own.records.filter(({ section }) => section === "answer"));
      const next = aliasOf(own, exchange.qtype);
      if (next === null) {
        exchange.response = this.#write(exchange, { ...reply, rcode: own.rcode });
        return ANSWERED;
      }
      if (aliases === MAX_ALIASES) {
        exchange.error = `template: more than ${MAX_ALIASES} aliases in a row`;
        exchange.response = this.#engine.failure(exchange, RCODE.SERVFAIL);
        return ANSWERED;
      }
      question = this.#question(exchange, next);
    }
  }

  #ask(exchange: Exchange, reply: Reply, question: Exchange): Verdict {
    const engine = this.#engine;
    const parked = this.#pending.size < MAX_PENDING ? engine.park(exchange) : null;
    if (parked === null) {
      exchange.error = "template: too many queries are waiting";
      exchange.response = engine.failure(exchange, RCODE.SERVFAIL);
      return ANSWERED;
    }
    do this.#lastId = (this.#lastId + 1) & 0xffff; while (this.#pending.has(this.#lastId));
    const id = question.id = this.#lastId;
    const timer = engine.timers.create(() => {
      this.#pending.delete(id);
      this.#end(pending, null);
    });
    const pending: Pending = { parked, reply, timer, starting: true, ended: false };
    this.#pending.set(id, pending);
    engine.timers.set(timer, engine.nowMs + PATIENCE_MS);
    if (!engine.refresh(question, this.#position) && this.#pending.delete(id)) {
      this.#end(pending, null);
    }
    pending.starting = false;
    if (!pending.ended) return WAIT;
    // It was answered at once.
    engine.resume(parked);
    return WAIT;
  }

  #end(
    pending: Pending,
    found: { rcode: number; answers: readonly WireRecord[] } | null,
  ): void {
    const { parked, reply, timer } = pending;
    this.#engine.timers.clear(timer);
    pending.ended = true;
    if (found === null) {
      parked.error = "template: the name that the answer leads to cannot be resolved";
      parked.response = this.#engine.failure(parked, RCODE.SERVFAIL);
    } else {
      for (const record of found.answers) reply.records.push({ section: "answer", record });
      parked.response = this.#write(parked, { ...reply, rcode: found.rcode });
    }
    if (!pending.starting) this.#engine.resume(parked);
  }

  /** A query of nodens' own for another name, of the type, class and DNSSEC bits of this one. */
  #question({ qtype, qclass, chain, listener, zone }: Exchange, name: Uint8Array): Exchange {
    const memory = new Memory(HEADER_SIZE + name.length + 4);
    const { bytes, view } = memory;
    view.setUint16(4, 1);
    bytes.set(name, HEADER_SIZE);
    view.setUint16(HEADER_SIZE + name.length, qtype);
    view.setUint16(HEADER_SIZE + name.length + 2, qclass);
    const question = new Exchange(memory, chain);
    question.length = HEADER_SIZE + name.length + 4;
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
    // Records come in the order of the sections, whatever that of the file.
    for (const wanted of ["answer", "authority", "additional"] as const) {
      for (const { section, record } of records) {
        if (section !== wanted) continue;
        const { owner, type, qclass, ttlSeconds, data } = record;
        writer.record(section, owner, type, qclass, ttlSeconds).raw(data, 0, data.length);
      }
    }
    const response = writer.end();
    if (extendedError !== null) {
      const text = encoder.encode(extendedError.text);
      response.extendedError = extendedError.code;
      response.errorText.set(text, 0, text.length);
    }
    return response;
  }
}

function compile(template: Template, engine: EngineServices): Compiled {
  const { zones, qclass, qtype, patterns, records } = template;
  const labels = { class: classText(qclass), type: typeText(qtype) };
  return {
    template,
    zones: new ZoneTable(zones.map((zone) => {
      const matches = engine.counter("coredns_template_matches_total", { zone, ...labels });
      return [zone, { zone, matches }] as const;
    })),
    patterns: patterns.map((pattern) => {
      const compiled = compilePattern(pattern);
      // The control plane has compiled it before.
      if (compiled.error !== null) throw new Error(`Cannot compile ${pattern}: ${compiled.error}`);
      return { ...compiled, pattern };
    }),
    fallthrough: new ZoneTable((template.fallthrough ?? []).map((zone) => [zone, true])),
    records: records.map(({ section, text, nodes }) => {
      const constant = nodes === null ? readRecord(text) : null;
      const make = (data: Value) => constant ?? readRecord(evaluate(nodes!, data));
      return { section, text, make };
    }),
  };
}

/** What the first pattern that matches finds; without patterns every name matches. */
function matchName(name: string, patterns: Compiled["patterns"]): Match | null {
  if (patterns.length === 0) return { name, pattern: ".*", groups: [name], names: NO_NAMES };
  for (const { pattern, groups: find, names } of patterns) {
    const groups = find(name);
    if (groups !== null) return { name, pattern, groups, names };
  }
  return null;
}

function aliasOf({ records }: Reply, qtype: number): Uint8Array | null {
  const answers = records.filter(({ section }) => section === "answer");
  return aliasIn(answers.map(({ record }) => record), qtype);
}

function failed(): Reply {
  return { rcode: RCODE.SERVFAIL, records: [], extendedError: null };
}
