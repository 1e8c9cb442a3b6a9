import { Address } from "../../dns/address.ts";
import { EDE, RCODE } from "../../dns/constants.ts";
import type { Exchange } from "../../engine/exchange/exchange.ts";
import { ANSWERED, type CreateHandler, DROP, NEXT } from "../../engine/handler.ts";
import { ZoneTable } from "../../engine/question/zones.ts";
import { explainAcl } from "./explain.ts";
import { NetworkSet } from "./network_set.ts";
import { findPolicy } from "./policy.ts";
import type { AclAction, AclOptions } from "./setup.ts";

/** Filters queries by client address and qtype. */
export const createAcl: CreateHandler<AclOptions> = (options, { engine }) => {
  const address = new Address();
  const allowed = engine.counter("coredns_acl_allowed_requests_total");
  const countersOf = (zone: string) => ({
    block: engine.counter("coredns_acl_blocked_requests_total", { zone }),
    filter: engine.counter("coredns_acl_filtered_requests_total", { zone }),
    drop: engine.counter("coredns_acl_dropped_requests_total", { zone }),
  });
  const rules = options.rules.map(({ zones, policies }) => ({
    zones: new ZoneTable(zones.map((zone) => [zone, countersOf(zone)] as const)),
    policies: policies.map(({ action, qtypes, networks }) => ({
      action,
      qtypes: qtypes && new Set(qtypes),
      networks: networks && new NetworkSet(networks),
    })),
  }));
  const refuse = (exchange: Exchange, action: AclAction): void => {
    const isBlock = action === "block";
    exchange.response = engine.failure(exchange, isBlock ? RCODE.REFUSED : RCODE.NOERROR);
    exchange.extendedError = isBlock ? EDE.BLOCKED : EDE.FILTERED;
  };
  return {
    name: "acl",
    explain(exchange) {
      engine.clientAddress(exchange, address);
      const { action, explanation } = explainAcl(exchange, address, { rules, options });
      if (action === "block" || action === "filter") refuse(exchange, action);
      return explanation;
    },
    query(exchange) {
      if (exchange.internal) return NEXT;
      const { values } = engine;
      engine.clientAddress(exchange, address);
      for (const { zones, policies } of rules) {
        const counters = zones.match(exchange);
        if (counters === null) continue;
        const action = findPolicy(policies, exchange.qtype, address)?.action ?? null;
        if (action === null) continue;
        if (action === "allow") break;
        values[counters[action]]!++;
        if (action === "drop") return DROP;
        refuse(exchange, action);
        return ANSWERED;
      }
      values[allowed]!++;
      return NEXT;
    },
  };
};
