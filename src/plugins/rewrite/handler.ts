import { FLAG, HEADER_SIZE, RCODE, TYPE } from "../../dns/constants.ts";
import { formatName, parseName } from "../../dns/name.ts";
import type { Exchange } from "../../engine/exchange/exchange.ts";
import {
  ANSWERED,
  type CreateHandler,
  NEXT,
  type Verdict,
  type WAIT,
} from "../../engine/handler.ts";
import { Memory } from "../../engine/memory.ts";
import { type MessageRecord, readRecords, writeRecords } from "../../engine/response/records.ts";
import { Response } from "../../engine/response/response.ts";
import { ResponseRewriter } from "../../engine/response/rewriter.ts";
import { Subqueries } from "../../engine/subqueries.ts";
import { EdnsChanges } from "./edns.ts";
import { explainRewrite } from "./explain.ts";
import type { RewriteOptions, RewriteRule } from "./options.ts";
import { compileRule, type ResponseChange, type RuleQuestion, type RuleResponse } from "./rules.ts";
import { aliasTarget } from "./values.ts";

/** AD would no longer be true. */
const KEPT_FLAGS = FLAG.AA | FLAG.TC;

/** A response on its way back, apart from its memory. */
interface Draft extends RuleResponse {
  readonly kept: Pick<Response, "flags" | "ageSeconds" | "ecsScope" | "extendedError">;
  readonly errorText: Uint8Array;
  /** Of the rewritten question. */
  readonly qtype: number;
  readonly changes: ResponseChange[];
}

/** Substitutes the question on the way down; restores it, and changes the response, on the way up. */
export const createRewrite: CreateHandler<RewriteOptions> = (options, { engine, position }) => {
  const rules = options.rules.map((rule) => ({ rule, apply: compileRule(rule) }));
  const subqueries = new Subqueries(engine, position);
  const rewriter = new ResponseRewriter();
  const ownResponse = new Response(new Memory(8));
  /** Changes to responses, by exchange in flight. */
  const pending = new Map<Exchange, ResponseChange[]>();

  const fail = (exchange: Exchange, why: string): void => {
    exchange.error = `rewrite: ${why}`;
    exchange.response = engine.failure(exchange, RCODE.SERVFAIL);
  };

  /** Waits if a change needs the target of an alias. */
  const finish = (exchange: Exchange, draft: Draft): typeof WAIT | void => {
    for (let change = draft.changes.pop(); change !== undefined; change = draft.changes.pop()) {
      if (change.kind === "message") {
        change.apply(draft);
        continue;
      }
      const alias = findAlias(draft.records, change);
      if (alias === null) continue;
      return subqueries.wait(exchange, {
        name: alias.name,
        qtype: draft.qtype,
        read: (found) => {
          if (found !== null) followAlias(draft, alias, found);
        },
        use: (exchange, read) =>
          read === "full"
            ? fail(exchange, "too many queries are waiting")
            : finish(exchange, draft),
        resume: (parked) => engine.rise(parked),
      });
    }
    const { rcode, records, kept, errorText } = draft;
    engine.writer.begin(exchange, rcode, kept.flags & KEPT_FLAGS);
    // The writer's response must keep its memory.
    const response = Object.assign(ownResponse, writeRecords(engine.writer, exchange, records));
    response.ageSeconds = kept.ageSeconds;
    response.ecsScope = kept.ecsScope;
    response.extendedError = kept.extendedError;
    response.errorText.set(errorText, 0, errorText.length);
    rewriter.compress(response, exchange.qnameLength);
    exchange.response = response;
  };

  /** Adds the rules that match to `matched`. */
  const substitute = (exchange: Exchange, matched: RewriteRule[]): Verdict => {
    // Left by a query without a response.
    pending.delete(exchange);
    const { name, qtype, qclass } = questionOf(exchange);
    const edns = new EdnsChanges(exchange, engine);
    const question: RuleQuestion = { name, qtype, qclass, edns };
    const changes: ResponseChange[] = [];
    for (const rule of rules) {
      const more = rule.apply(question);
      if (more === null) continue;
      matched.push(rule.rule);
      changes.push(...more);
      if (rule.rule.stop) break;
    }
    if (matched.length === 0) return NEXT;
    exchange.upstreamOptions = edns.encode();
    const { subnet } = edns;
    const same = question.name === name && question.qtype === qtype && question.qclass === qclass;
    if (!same || subnet !== null) {
      const wire = toWire(question.name);
      if (wire === null) {
        fail(exchange, `${JSON.stringify(question.name)} is not a name`);
        return ANSWERED;
      }
      exchange.substituteQuestion(wire, { ...question, subnet }, engine.hashKey);
    }
    pending.set(exchange, changes);
    return NEXT;
  };

  return {
    name: "rewrite",
    explain(exchange) {
      const matched: RewriteRule[] = [];
      const before = questionOf(exchange);
      substitute(exchange, matched);
      pending.delete(exchange);
      const { error } = exchange;
      return explainRewrite(before, questionOf(exchange), { matched, error });
    },
    everyClass: options.rules.some(({ field }) => field === "class"),
    query: (exchange) => substitute(exchange, []),
    response(exchange) {
      if (subqueries.receive(exchange)) return;
      const changes = pending.get(exchange);
      if (changes === undefined) return;
      pending.delete(exchange);
      const { response, qtype } = exchange;
      exchange.restoreQuestion();
      if (response === null) return;
      const records = readRecords(response);
      if (records === null) return fail(exchange, "the response is malformed");
      const { rcode, flags, ageSeconds, ecsScope, extendedError, errorText } = response;
      const kept = { flags, ageSeconds, ecsScope, extendedError };
      const text = errorText.bytes.slice(0, errorText.length);
      return finish(exchange, { rcode, records, kept, errorText: text, qtype, changes });
    },
  };
};

function questionOf({ memory, offset, qtype, qclass }: Exchange) {
  const name = formatName(memory.bytes, offset + HEADER_SIZE).toLowerCase();
  return { name, qtype, qclass };
}

interface Alias {
  readonly from: string;
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
  response.records = [
    ...kept,
    ...records.filter(({ section }) => section === "answer"),
    ...response.records.filter(({ section }) => section !== "answer"),
  ];
}

function toWire(name: string): Uint8Array | null {
  try {
    return parseName(name);
  } catch {
    return null;
  }
}
