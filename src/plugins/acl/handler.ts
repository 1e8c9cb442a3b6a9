import { Address } from "../../dns/address.ts";
import { EDE, RCODE } from "../../dns/constants.ts";
import { ANSWERED, type CreateHandler, DROP, NEXT } from "../../engine/handler.ts";
import { ZoneTable } from "../../engine/question/zones.ts";
import { NetworkSet } from "./network_set.ts";
import type { AclAction, AclOptions } from "./setup.ts";

interface Policy {
  readonly action: AclAction;
  readonly qtypes: ReadonlySet<number> | null;
  readonly networks: NetworkSet | null;
}

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
  return {
    name: "acl",
    query(exchange) {
      if (exchange.internal) return NEXT;
      const { values } = engine;
      engine.clientAddress(exchange, address);
      for (const { zones, policies } of rules) {
        const counters = zones.match(exchange);
        const action = counters === null ? null : findAction(policies, exchange.qtype, address);
        if (counters === null || action === null) continue;
        if (action === "allow") break;
        values[counters[action]]!++;
        if (action === "drop") return DROP;
        const isBlock = action === "block";
        exchange.response = engine.failure(exchange, isBlock ? RCODE.REFUSED : RCODE.NOERROR);
        exchange.extendedError = isBlock ? EDE.BLOCKED : EDE.FILTERED;
        return ANSWERED;
      }
      values[allowed]!++;
      return NEXT;
    },
  };
};

function findAction(policies: readonly Policy[], qtype: number, client: Address): AclAction | null {
  for (const { action, qtypes, networks } of policies) {
    if (qtypes !== null && !qtypes.has(qtype)) continue;
    if (networks === null || networks.contains(client)) return action;
  }
  return null;
}
