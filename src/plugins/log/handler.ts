import { Address } from "../../dns/address.ts";
import type { Exchange } from "../../engine/exchange/exchange.ts";
import type { CreateHandler, EngineServices } from "../../engine/handler.ts";
import { ZoneTable } from "../../engine/question/zones.ts";
import { NetworkSet } from "../acl/network_set.ts";
import type { Answered, Value } from "./answered.ts";
import { explainLog } from "./explain.ts";
import { FIELDS, fieldText, hasGone, kindOf } from "./fields.ts";
import type { LogOptions, LogPart, LogRule } from "./setup.ts";

/** Logs responses selected by a rule. */
export const createLog: CreateHandler<LogOptions> = (options, { engine }) => {
  const rules = options.rules.map((rule) => new Rule(rule, engine));
  return {
    name: "log",
    passive: rules.every(({ neverHits }) => neverHits),
    response(exchange) {
      for (const rule of rules) {
        if (!rule.concerns(exchange)) continue;
        if (!rule.selects(exchange)) return;
        const { format } = rule.options;
        const endMs = engine.io.milliseconds?.() ?? engine.nowMs;
        const answered: Answered = { exchange, response: exchange.response!, engine, endMs };
        let line = "";
        for (const part of format) {
          line += "text" in part ? part.text : fieldText(part.field, answered);
        }
        engine.log("info", line, engine.logsFields ? membersOf(format, answered) : undefined);
        return;
      }
    },
    explain: (exchange) => explainLog(rules.find((rule) => rule.concerns(exchange))?.options),
  };
};

/** A directive. Allocates nothing for unselected responses. */
class Rule {
  readonly options: LogRule;
  readonly #engine: EngineServices;
  readonly #zones: ZoneTable<true>;
  readonly #except: ZoneTable<true> | null;
  readonly #clients: NetworkSet | null;
  readonly #client = new Address();
  #count = 0;

  constructor(rule: LogRule, engine: EngineServices) {
    const { zones, except, clients } = rule;
    this.options = rule;
    this.#engine = engine;
    this.#zones = tableOf(zones);
    this.#except = except === undefined ? null : tableOf(except);
    this.#clients = clients === undefined ? null : new NetworkSet(clients);
  }

  /** Whether it selects no answer from a cache. */
  get neverHits(): boolean {
    const { classes, slowMs, any = false, sample } = this.options;
    if (any) return sample === undefined && classes.every((one) => one === "error");
    return slowMs !== undefined || classes.every((one) => one === "error");
  }

  concerns(exchange: Exchange): boolean {
    if (this.#zones.match(exchange) === null) return false;
    if (this.#except !== null && this.#except.match(exchange) !== null) return false;
    if (this.#clients === null) return true;
    if (hasGone(exchange)) return false;
    this.#engine.clientAddress(exchange, this.#client);
    return this.#clients.contains(this.#client);
  }

  selects(exchange: Exchange): boolean {
    const { classes, slowMs, sample, any = false } = this.options;
    // The sample counts what other conditions leave.
    if (!classes.includes("all")) {
      const fits = classes.length > 0 && classes.includes(kindOf(exchange, this.#engine).class);
      if (fits === any) return any;
    }
    if (slowMs !== undefined) {
      const fits = this.#engine.nowMs - exchange.receivedMs >= slowMs;
      if (fits === any) return any;
    }
    if (sample === undefined) return !any;
    this.#count = (this.#count + 1) % sample;
    return this.#count === 0;
  }
}

function tableOf(zones: readonly string[]): ZoneTable<true> {
  return new ZoneTable(zones.map((zone) => [zone, true]));
}

/** Format values by placeholder, for JSON logs. */
function membersOf(format: readonly LogPart[], answered: Answered): Record<string, Value> {
  const members: Record<string, Value> = { plugin: "log" };
  for (const part of format) {
    if ("text" in part) continue;
    const value = FIELDS[part.field](answered);
    if (value !== null) members[part.field.replace(/^[>/]/, "")] = value;
  }
  return members;
}
