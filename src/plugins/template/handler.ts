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
import { ZoneTable } from "../../engine/question/zones.ts";
import type { Response } from "../../engine/response/response.ts";
import type { Timer } from "../../engine/timers.ts";
import { type CompiledPattern, compilePattern } from "../pattern.ts";
import { readAnswers } from "./answers.ts";
import { dataOf, FIELD_NAMES, type Match } from "./data.ts";
import { compile } from "./go_template/compile.ts";
import { EvaluationError, type Value } from "./go_template/values.ts";
import { type Section, SECTIONS, type Template, type TemplateOptions } from "./options.ts";

/** Aliases in a row that are followed. */
const MAX_ALIASES = 8;
/** Queries that wait for the target of an alias. */
const MAX_PENDING = 1024;
/** How long they wait; `forward` gives up earlier. */
const PATIENCE_MS = 10_000;
const NO_NAMES: ReadonlyMap<string, number> = new Map();

interface Compiled {
  readonly template: Template;
  readonly labels: { class: string; type: string };
  readonly zones: ZoneTable<{ zone: string; matches: number }>;
  readonly patterns: readonly (CompiledPattern & { error: null; pattern: string })[];
  readonly fallthrough: ZoneTable<true>;
  readonly records: readonly {
    section: Section;
    text: string;
    make: (data: Value) => WireRecord;
  }[];
}

interface Reply {
  readonly rcode: number;
  readonly records: { section: Section; record: WireRecord }[];
  readonly extendedError: Template["extendedError"];
}

/** An answer that waits for the addresses of an alias. */
interface Pending {
  readonly parked: Exchange;
  readonly reply: Reply;
  readonly timer: Timer;
  /** Its query has not returned `WAIT` yet. */
  starting: boolean;
}

const FAILED: Reply = { rcode: RCODE.SERVFAIL, records: [], extendedError: null };

/** Answers queries with records made by templates. */
export const createTemplate: CreateHandler<TemplateOptions> = (options, environment) =>
  new TemplateHandler(options, environment);

class TemplateHandler implements Handler {
  readonly name = "template";
  readonly everyClass: boolean;
  readonly #engine: EngineServices;
  readonly #position: number;
  readonly #templates: readonly Compiled[];
  readonly #client = new Address();
  /** By the id of the query for the alias's target. */
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;

  constructor({ templates }: TemplateOptions, { engine, position }: HandlerEnvironment) {
    this.#engine = engine;
    this.#position = position;
    this.everyClass = templates.some(({ qclass }) => qclass !== CLASS.IN);
    this.#templates = templates.map((template) => prepare(template, engine));
  }

  query(exchange: Exchange): Verdict {
    const reply = this.#replyTo(exchange);
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

  /** The reply of the first template that matches; null for the next handler. */
  #replyTo(exchange: Exchange): Reply | null {
    let name = "";
    for (const compiled of this.#templates) {
      const { qclass, qtype } = compiled.template;
      if (!agree(qtype, exchange.qtype) || !agree(qclass, exchange.qclass)) continue;
      const zone = compiled.zones.match(exchange);
      if (zone === null) continue;
      name ||= formatName(exchange.memory.bytes, exchange.offset + HEADER_SIZE).toLowerCase();
      const found = matchName(name, compiled.patterns);
      if (found !== null) {
        this.#engine.values[zone.matches]!++;
        return this.#evaluate(compiled, { exchange, ...zone, qclass, qtype, name, ...found });
      }
      if (compiled.fallthrough.match(exchange) === null) {
        exchange.error = `template: no pattern matches ${name} (fallthrough lets it pass)`;
        return FAILED;
      }
    }
    return null;
  }

  #evaluate({ template, labels, records }: Compiled, match: Omit<Match, "remote">): Reply {
    const { rcode, extendedError } = template;
    const reply: Reply = { rcode, records: [], extendedError };
    if (rcode === RCODE.SERVFAIL || records.length === 0) return reply;
    const { exchange, zone } = match;
    const data = dataOf({ ...match, remote: this.#remote(exchange) });
    for (const { section, text, make } of records) {
      try {
        reply.records.push({ section, record: make(data) });
      } catch (error) {
        exchange.error = `template: ${(error as Error).message} (${section} ${text})`;
        const what = error instanceof EvaluationError ? "template" : "rr";
        const name = `coredns_template_${what}_failures_total`;
        const all = { zone, ...labels, section, template: text };
        this.#engine.values[this.#engine.counter(name, all)]!++;
        return FAILED;
      }
    }
    return reply;
  }

  #remote(exchange: Exchange): string {
    if (exchange.internal) return "";
    this.#engine.clientAddress(exchange, this.#client);
    return this.#client.hostname();
  }

  /** Adds the addresses of an alias, from templates or the rest of the chain. */
  #follow(exchange: Exchange, reply: Reply, target: Uint8Array): Verdict {
    let question = this.#questionFor(exchange, target);
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

function prepare(template: Template, engine: EngineServices): Compiled {
  const labels = { class: classText(template.qclass), type: typeText(template.qtype) };
  const matchesOf = (zone: string) =>
    engine.counter("coredns_template_matches_total", { zone, ...labels });
  return {
    template,
    labels,
    zones: new ZoneTable(template.zones.map((zone) => [zone, { zone, matches: matchesOf(zone) }])),
    patterns: template.patterns.map((pattern) => {
      const compiled = compilePattern(pattern);
      // Setup has compiled it before.
      if (compiled.error !== null) throw new Error(`Cannot compile ${pattern}: ${compiled.error}`);
      return { ...compiled, pattern };
    }),
    fallthrough: new ZoneTable((template.fallthrough ?? []).map((zone) => [zone, true])),
    records: template.records.map(({ section, text }) => {
      const program = compile(text, FIELD_NAMES);
      const always = program.constant ? readRecord(program.evaluate(null)) : null;
      return { section, text, make: (data) => always ?? readRecord(program.evaluate(data)) };
    }),
  };
}

/** Compares types or classes; ANY has the same number in both. */
function agree(wanted: number, asked: number): boolean {
  return wanted === TYPE.ANY || asked === TYPE.ANY || wanted === asked;
}

/** The first pattern that matches; without patterns every name does. */
function matchName(
  name: string,
  patterns: Compiled["patterns"],
): Pick<Match, "pattern" | "groups" | "names"> | null {
  if (patterns.length === 0) return { pattern: ".*", groups: [name], names: NO_NAMES };
  for (const { pattern, groups: find, names } of patterns) {
    const groups = find(name);
    if (groups !== null) return { pattern, groups, names };
  }
  return null;
}

/** The target of an alias in the reply to a query for addresses, or null. */
function aliasOf({ records }: Reply, qtype: number): Uint8Array | null {
  if (qtype !== TYPE.A && qtype !== TYPE.AAAA) return null;
  const isAlias = ({ section, record }: Reply["records"][number]) =>
    section === "answer" && record.type === TYPE.CNAME;
  return records.find(isAlias)?.record.data ?? null;
}
