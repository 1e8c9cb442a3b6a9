import { Address } from "../../dns/address.ts";
import { EDE, RCODE } from "../../dns/constants.ts";
import type { Exchange } from "../../engine/exchange/exchange.ts";
import {
  ANSWERED,
  type CreateHandler,
  DROP,
  type EngineServices,
  type Handler,
  NEXT,
  type Verdict,
} from "../../engine/handler.ts";
import { ZoneTable } from "../../engine/question/zones.ts";
import { NetworkSet } from "./network_set.ts";
import type { AclAction, AclOptions } from "./options.ts";

interface Policy {
  readonly action: AclAction;
  readonly qtypes: ReadonlySet<number> | null;
  readonly networks: NetworkSet | null;
}

/** Places of the counters of one zone. */
interface ZoneCounters {
  readonly block: number;
  readonly filter: number;
  readonly drop: number;
}

interface Rule {
  readonly zones: ZoneTable<ZoneCounters>;
  readonly policies: readonly Policy[];
}

/** Makes the handler of a block's `acl` directives. */
export const createAcl: CreateHandler<AclOptions> = (options, { engine }) =>
  new AclHandler(options, engine);

/** Lets queries pass, or not, by the address of the client and the type asked for. */
class AclHandler implements Handler {
  readonly name = "acl";
  readonly #engine: EngineServices;
  readonly #rules: readonly Rule[];
  readonly #allowed: number;
  readonly #address = new Address();

  constructor({ rules }: AclOptions, engine: EngineServices) {
    this.#engine = engine;
    this.#allowed = engine.counter("coredns_acl_allowed_requests_total");
    const counters = (zone: string): ZoneCounters => ({
      block: engine.counter("coredns_acl_blocked_requests_total", { zone }),
      filter: engine.counter("coredns_acl_filtered_requests_total", { zone }),
      drop: engine.counter("coredns_acl_dropped_requests_total", { zone }),
    });
    this.#rules = rules.map(({ zones, policies }) => ({
      zones: new ZoneTable(zones.map((zone) => [zone, counters(zone)] as const)),
      policies: policies.map(({ action, qtypes, networks }) => ({
        action,
        qtypes: qtypes === null ? null : new Set(qtypes),
        networks: networks === null ? null : new NetworkSet(networks),
      })),
    }));
  }

  query(exchange: Exchange): Verdict {
    // Queries of nodens' own have no client.
    if (exchange.internal) return NEXT;
    const { values } = this.#engine;
    this.#engine.clientAddress(exchange, this.#address);
    const rules = this.#rules;
    for (let i = 0; i < rules.length; i++) {
      const rule = rules[i]!;
      const counters = rule.zones.match(exchange);
      if (counters === null) continue;
      const action = this.#find(rule.policies, exchange.qtype);
      if (action === null) continue;
      if (action === "allow") break;
      values[counters[action]]!++;
      switch (action) {
        case "drop":
          return DROP;
        case "block":
          exchange.response = this.#engine.failure(exchange, RCODE.REFUSED);
          exchange.extendedError = EDE.BLOCKED;
          return ANSWERED;
        case "filter":
          exchange.response = this.#engine.failure(exchange, RCODE.NOERROR);
          exchange.extendedError = EDE.FILTERED;
          return ANSWERED;
      }
    }
    values[this.#allowed]!++;
    return NEXT;
  }

  /** Action of the first policy that matches; null for none. */
  #find(policies: readonly Policy[], qtype: number): AclAction | null {
    for (let i = 0; i < policies.length; i++) {
      const { action, qtypes, networks } = policies[i]!;
      if (qtypes !== null && !qtypes.has(qtype)) continue;
      if (networks === null || networks.contains(this.#address)) return action;
    }
    return null;
  }
}
