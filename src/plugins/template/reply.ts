import { Address } from "../../dns/address.ts";
import { HEADER_SIZE, RCODE, TYPE } from "../../dns/constants.ts";
import { classText, typeText } from "../../dns/mnemonics.ts";
import { formatName } from "../../dns/name.ts";
import { readRecord } from "../../dns/record_text/record.ts";
import type { Exchange } from "../../engine/exchange/exchange.ts";
import type { EngineServices } from "../../engine/handler.ts";
import type { MessageRecord } from "../../engine/response/records.ts";
import { ZoneTable } from "../../engine/question/zones.ts";
import { compilePattern } from "../pattern.ts";
import { dataOf, FIELD_NAMES, type Match } from "./data.ts";
import { compile } from "./go_template/compile.ts";
import { createEvaluator } from "./expression/evaluate.ts";
import { EvaluationError, type Value } from "./go_template/values.ts";
import type { Template } from "./options.ts";

/** Answer of a template. */
export interface Reply {
  readonly rcode: number;
  readonly records: MessageRecord[];
  readonly extendedError: Template["extendedError"];
  /** Null without an answer. */
  readonly source: { readonly zone: string; readonly pattern: string } | null;
}

const FAILED: Reply = { rcode: RCODE.SERVFAIL, records: [], extendedError: null, source: null };
const NO_NAMES: ReadonlyMap<string, number> = new Map();

/**
 * Replies by the first template that matches; null for the next handler. Only `counted` ones show
 * in the metrics.
 */
export function createReply(
  templates: readonly Template[],
  engine: EngineServices,
): (exchange: Exchange, counted?: boolean) => Reply | null {
  const prepared = templates.map((template) => prepare(template, engine));
  return (exchange, counted = true) => {
    let name = "";
    for (const { qclass, qtype, zones, fallthrough, groupsOf, evaluate, replyTo } of prepared) {
      if (!agree(qtype, exchange.qtype) || !agree(qclass, exchange.qclass)) continue;
      const zone = zones.match(exchange);
      if (zone === null) continue;
      name ||= formatName(exchange.memory.bytes, exchange.offset + HEADER_SIZE).toLowerCase();
      const found = groupsOf(name);
      const subject = found && { exchange, name, ...addressesOf(exchange, engine), ...found };
      const variables = subject && evaluate(subject);
      if (variables === "failed") return FAILED;
      if (subject !== null && variables !== null) {
        if (counted) engine.values[zone.matches]!++;
        return replyTo({ ...subject, ...zone, qclass, qtype, variables }, counted);
      }
      if (fallthrough.match(exchange) === null) {
        exchange.error =
          `template: no pattern or condition matches ${name} (fallthrough lets it pass)`;
        return FAILED;
      }
    }
    return null;
  };
}

function prepare(template: Template, engine: EngineServices) {
  const { qclass, qtype, rcode, extendedError } = template;
  const labels = { class: classText(qclass), type: typeText(qtype) };
  const matchesOf = (zone: string) =>
    engine.counter("coredns_template_matches_total", { zone, ...labels });
  const patterns = template.patterns.map((pattern) => ({ ...compilePattern(pattern), pattern }));
  const records = template.records.map(({ section, text }) => {
    const program = compile(text, FIELD_NAMES);
    const always = program.constant ? readRecord(program.evaluate(null)) : null;
    const make = (data: Value) => always ?? readRecord(program.evaluate(data));
    return { section, text, make };
  });
  return {
    qclass,
    qtype,
    zones: new ZoneTable(template.zones.map((zone) => [zone, { zone, matches: matchesOf(zone) }])),
    fallthrough: new ZoneTable((template.fallthrough ?? []).map((zone) => [zone, true])),
    evaluate: createEvaluator(template),
    /** First match; every name matches without patterns. */
    groupsOf(name: string): Pick<Match, "pattern" | "groups" | "names"> | null {
      if (patterns.length === 0) return { pattern: ".*", groups: [name], names: NO_NAMES };
      for (const { pattern, groups: find, names } of patterns) {
        const groups = find(name);
        if (groups !== null) return { pattern, groups, names };
      }
      return null;
    },
    replyTo(match: Match, counted: boolean): Reply {
      const { zone, pattern } = match;
      const reply: Reply = { rcode, records: [], extendedError, source: { zone, pattern } };
      if (rcode === RCODE.SERVFAIL || records.length === 0) return reply;
      const { exchange } = match;
      const data = dataOf(match);
      for (const { section, text, make } of records) {
        try {
          reply.records.push({ section, ...make(data) });
        } catch (error) {
          exchange.error = `template: ${(error as Error).message} (${section} ${text})`;
          if (!counted) return FAILED;
          const what = error instanceof EvaluationError ? "template" : "rr";
          const name = `coredns_template_${what}_failures_total`;
          const all = { zone, ...labels, section, template: text };
          engine.values[engine.counter(name, all)]!++;
          return FAILED;
        }
      }
      return reply;
    },
  };
}

function addressesOf(
  exchange: Exchange,
  engine: EngineServices,
): Pick<Match, "client" | "local"> {
  if (exchange.internal) return { client: null, local: null };
  const [client, local] = [new Address(), new Address()];
  engine.clientAddress(exchange, client);
  engine.localAddress(exchange, local);
  return { client, local };
}

/** Compares types or classes; ANY has the same number in both. */
function agree(wanted: number, asked: number): boolean {
  return wanted === TYPE.ANY || asked === TYPE.ANY || wanted === asked;
}
