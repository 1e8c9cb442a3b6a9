import { FLAG, HEADER_SIZE, RCODE, TYPE } from "../../dns/constants.ts";
import { formatName, parseName } from "../../dns/name.ts";
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
import { Memory } from "../../engine/memory.ts";
import { Response } from "../../engine/response/response.ts";
import { ResponseRewriter } from "../../engine/response/rewriter.ts";
import { type MessageRecord, readRecords, writeRecords } from "../../engine/response/records.ts";
import { Subqueries } from "../../engine/subqueries.ts";
import { EdnsChanges } from "./edns.ts";
import type { RewriteOptions } from "./options.ts";
import {
  type CompiledRule,
  compileRule,
  type ResponseChange,
  type RuleQuestion,
  type RuleResponse,
} from "./rules.ts";
import { aliasTarget } from "./values.ts";

/** AD would no longer be true. */
const KEPT_FLAGS = FLAG.AA | FLAG.TC;

interface Rest {
  readonly flags: number;
  readonly ecsScope: number;
  readonly extendedError: number;
  readonly errorText: Uint8Array;
}

interface Work {
  readonly response: RuleResponse;
  readonly rest: Rest;
  /** Pending changes, last first. */
  readonly changes: ResponseChange[];
}

/** Creates a `rewrite` handler. */
export const createRewrite: CreateHandler<RewriteOptions> = (options, environment) =>
  new RewriteHandler(options, environment);

class RewriteHandler implements Handler {
  readonly name = "rewrite";
  readonly everyClass: boolean;
  readonly #engine: EngineServices;
  readonly #rules: readonly CompiledRule[];
  readonly #subqueries: Subqueries;
  readonly #rewriter = new ResponseRewriter();
  readonly #response = new Response(new Memory(8));
  /** Changes to responses, by exchange in flight. */
  readonly #changes = new Map<Exchange, ResponseChange[]>();

  constructor({ rules }: RewriteOptions, { engine, position }: HandlerEnvironment) {
    this.#engine = engine;
    this.#rules = rules.map(compileRule);
    this.#subqueries = new Subqueries(engine, position);
    this.everyClass = rules.some(({ field }) => field === "class");
  }

  query(exchange: Exchange): Verdict {
    // Left by a query without a response.
    this.#changes.delete(exchange);
    const { qtype, qclass, memory, offset } = exchange;
    const name = formatName(memory.bytes, offset + HEADER_SIZE).toLowerCase();
    let edns: EdnsChanges | null = null;
    const question: RuleQuestion = {
      name,
      qtype,
      qclass,
      edns: () => edns ??= new EdnsChanges(exchange, this.#engine),
    };
    const changes: ResponseChange[] = [];
    let matched = false;
    for (const rule of this.#rules) {
      const more = rule.apply(question);
      if (more === null) continue;
      matched = true;
      changes.push(...more);
      if (rule.stop) break;
    }
    if (!matched) return NEXT;
    const { upstreamOptions, subnet } = changesOf(edns);
    exchange.upstreamOptions = upstreamOptions;
    const same = question.name === name && question.qtype === qtype && question.qclass === qclass;
    if (!same || subnet !== null) {
      const wire = toWire(question.name);
      if (wire === null) {
        exchange.error = `rewrite: ${JSON.stringify(question.name)} is not a name`;
        exchange.response = this.#engine.failure(exchange, RCODE.SERVFAIL);
        return ANSWERED;
      }
      exchange.substituteQuestion(wire, { ...question, subnet }, this.#engine.hashKey);
    }
    this.#changes.set(exchange, changes);
    return NEXT;
  }

  response(exchange: Exchange): typeof WAIT | void {
    if (this.#subqueries.receive(exchange)) return;
    const changes = this.#changes.get(exchange);
    if (changes === undefined) return;
    this.#changes.delete(exchange);
    const { response } = exchange;
    const { qtype } = exchange;
    exchange.restoreQuestion();
    if (response === null) return;
    const records = readRecords(response);
    if (records === null) {
      exchange.error = "rewrite: the response is malformed";
      exchange.response = this.#engine.failure(exchange, RCODE.SERVFAIL);
      return;
    }
    return this.#change(exchange, qtype, {
      response: { rcode: response.rcode, records },
      rest: restOf(response),
      changes,
    });
  }

  /** Waits if a change needs the target of an alias. */
  #change(exchange: Exchange, qtype: number, work: Work): typeof WAIT | void {
    for (let next = work.changes.pop(); next !== undefined; next = work.changes.pop()) {
      if (next.kind === "message") {
        next.apply(work.response);
        continue;
      }
      const target = findAlias(work.response.records, next);
      if (target === null) continue;
      let answered = false;
      let parked: Exchange | null = null;
      this.#subqueries.ask(exchange, target.name, qtype, (response) => {
        if (response !== null) followAlias(work.response, target, response);
        answered = true;
        if (parked === null) return;
        if (this.#change(parked, qtype, work) !== WAIT) this.#engine.rise(parked);
      });
      if (answered) continue;
      parked = this.#engine.park(exchange);
      if (parked !== null) return WAIT;
      exchange.error = "rewrite: too many queries are waiting";
      exchange.response = this.#engine.failure(exchange, RCODE.SERVFAIL);
      return;
    }
    exchange.response = this.#write(exchange, work);
  }

  #write(exchange: Exchange, { response: { rcode, records }, rest }: Work): Response {
    const { writer } = this.#engine;
    writer.begin(exchange, rcode, rest.flags);
    const response = this.#response;
    // The writer's response must keep its memory.
    Object.assign(response, writeRecords(writer, exchange, records));
    response.ecsScope = rest.ecsScope;
    response.extendedError = rest.extendedError;
    response.errorText.set(rest.errorText, 0, rest.errorText.length);
    this.#rewriter.compress(response, exchange.qnameLength);
    return response;
  }
}

function changesOf(edns: EdnsChanges | null) {
  const upstreamOptions = edns?.encode() ?? new Uint8Array(0);
  return { upstreamOptions, subnet: edns?.subnet ?? null };
}

interface Alias {
  readonly from: string;
  /** In wire form. */
  readonly name: Uint8Array;
}

function findAlias(
  records: readonly MessageRecord[],
  { rule, to }: ResponseChange & { kind: "alias" },
): Alias | null {
  for (const record of records) {
    const from = aliasTarget(record);
    const target = from === null ? null : rule.replace(from, to);
    const name = target === null || target === from ? null : toWire(target);
    if (name !== null) return { from: from!, name };
  }
  return null;
}

/** Keeps aliases up to the changed one; `found` replaces the rest. */
function followAlias(response: RuleResponse, { from, name }: Alias, found: Response): void {
  const records = readRecords(found);
  if (records === null) return;
  const kept: MessageRecord[] = [];
  for (const record of response.records) {
    if (record.section !== "answer" || record.type !== TYPE.CNAME) continue;
    kept.push(record);
    if (aliasTarget(record) !== from) continue;
    record.data = name;
    break;
  }
  const others = response.records.filter(({ section }) => section !== "answer");
  response.records = [
    ...kept,
    ...records.filter(({ section }) => section === "answer"),
    ...others,
  ];
}

function restOf({ flags, ecsScope, extendedError, errorText }: Response): Rest {
  return {
    flags: flags & KEPT_FLAGS,
    ecsScope,
    extendedError,
    errorText: errorText.bytes.slice(0, errorText.length),
  };
}

function toWire(name: string): Uint8Array | null {
  try {
    return parseName(name);
  } catch {
    return null;
  }
}
