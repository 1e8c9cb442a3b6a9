import { CLASS, FLAG, RCODE, TYPE } from "../../dns/constants.ts";
import type { Exchange } from "../../engine/exchange/exchange.ts";
import { ANSWERED, type CreateHandler, NEXT, type Verdict } from "../../engine/handler.ts";
import { readRecords, writeRecords } from "../../engine/response/records.ts";
import type { Response } from "../../engine/response/response.ts";
import { Subqueries } from "../../engine/subqueries.ts";
import { explainTemplate } from "./explain.ts";
import type { TemplateOptions } from "./options.ts";
import { createReply, type Reply } from "./reply.ts";

/** Aliases in a row that are followed. */
const MAX_ALIASES = 8;

/** Answers queries with records made by templates. */
export const createTemplate: CreateHandler<TemplateOptions> = (
  { templates },
  { engine, position },
) => {
  const replyTo = createReply(templates, engine);
  const subqueries = new Subqueries(engine, position);

  const fail = (exchange: Exchange, why: string): Verdict => {
    exchange.error = `template: ${why}`;
    exchange.response = engine.failure(exchange, RCODE.SERVFAIL);
    return ANSWERED;
  };

  const answer = (exchange: Exchange, { rcode, records, extendedError }: Reply): Verdict => {
    if (rcode === RCODE.SERVFAIL) {
      exchange.response = engine.failure(exchange, rcode);
      return ANSWERED;
    }
    engine.writer.begin(exchange, rcode, FLAG.AA);
    const response = exchange.response = writeRecords(engine.writer, exchange, records);
    if (extendedError !== null) {
      const text = new TextEncoder().encode(extendedError.text);
      response.extendedError = extendedError.code;
      response.errorText.set(text, 0, text.length);
    }
    return ANSWERED;
  };

  /** Adds addresses of an alias, from templates or the chain. */
  const follow = (exchange: Exchange, reply: Reply, alias: Uint8Array): Verdict => {
    const { qtype } = exchange;
    let name = alias;
    for (let aliases = 1; aliases <= MAX_ALIASES; aliases++) {
      const own = replyTo(subqueries.question(exchange, name, qtype));
      if (own === null) {
        return subqueries.wait(exchange, {
          name,
          qtype,
          read: (response) => withAnswers(reply, response),
          use: (exchange, whole) => {
            if (whole === "full") fail(exchange, "too many queries are waiting");
            else if (whole !== null) answer(exchange, whole);
            else fail(exchange, "the target of the alias cannot be resolved");
          },
          resume: (parked) => engine.resume(parked),
        }) ?? ANSWERED;
      }
      reply.records.push(...own.records.filter(({ section }) => section === "answer"));
      const next = aliasOf(own, qtype);
      if (next === null) return answer(exchange, { ...reply, rcode: own.rcode });
      name = next;
    }
    return fail(exchange, `more than ${MAX_ALIASES} aliases in a row`);
  };

  return {
    name: "template",
    explain(exchange) {
      const reply = replyTo(exchange, false);
      const alias = reply === null ? null : aliasOf(reply, exchange.qtype);
      if (reply !== null) answer(exchange, reply);
      return explainTemplate(reply, { alias, error: exchange.error });
    },
    everyClass: templates.some(({ qclass }) => qclass !== CLASS.IN),
    query(exchange) {
      const reply = replyTo(exchange);
      if (reply === null) return NEXT;
      const alias = aliasOf(reply, exchange.qtype);
      return alias === null ? answer(exchange, reply) : follow(exchange, reply, alias);
    },
    response(exchange) {
      subqueries.receive(exchange);
    },
  };
};

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
