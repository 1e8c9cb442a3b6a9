import { seededRandom } from "../trace.ts";
import type { Agenda } from "./agenda.ts";
import { CLUSTER_DNS, OUTSIDE } from "./engine_io.ts";
import { EngineNode, readCorefile } from "./engine_node.ts";
import type { NameBook } from "./names.ts";
import { NoCache, NodeCache } from "./node_cache.ts";
import { PARAMETERS } from "./parameters.ts";
import { type Event, EVENTS } from "./events.ts";
import type { Servers } from "./servers.ts";
import type { NodeDns } from "./stub.ts";

/** A cache on the nodes, with its name in tables and plots. */
export interface Behaviour {
  readonly name: string;
  readonly text: string;
  /** Events in which it differs from the previous behaviour. */
  readonly events: readonly Event[];
  create(world: { agenda: Agenda; servers: Servers; book: NameBook }): (seed: number) => NodeDns;
}

/**
 * node-cache's Corefile for nodens, without directives irrelevant to the model.
 *
 * @param denialTtl - maximum TTL of denials below cluster.local in seconds
 */
export function corefile(
  more: readonly string[] = [],
  denialTtl: number = PARAMETERS.nodeCache.cluster.denialTtl,
): string {
  const { cluster, other } = PARAMETERS.nodeCache;
  return `
cluster.local:53 {
    cache {
        success ${cluster.success} ${cluster.successTtl}
        denial ${cluster.denial} ${denialTtl}
        ${more.join("\n        ")}
    }
    forward . ${CLUSTER_DNS} {
        force_tcp
    }
}
.:53 {
    cache ${other.successTtl} {
        ${more.join("\n        ")}
    }
    forward . ${OUTSIDE}
}
`;
}

const PREFETCH = "prefetch 2 1m 10%";
const STALE = "serve_stale 1h immediate";
const CUT = "search_cut cluster.local";

/** The compared behaviours, in table order. */
export const BEHAVIOURS: readonly Behaviour[] = [
  {
    name: "no node cache",
    text: "every query of a pod goes to the cluster DNS",
    events: ["outage", "restart"],
    create: ({ agenda, servers }) => () => new NoCache(agenda, servers),
  },
  {
    name: "node-cache",
    text: "CoreDNS with node-cache's Corefile",
    events: EVENTS,
    create: ({ agenda, servers }) => (seed) => new NodeCache(agenda, servers, seededRandom(seed)),
  },
  nodens("nodens", { text: "the same Corefile" }),
  nodens("nodens, prefetch", { text: `with \`${PREFETCH}\``, more: [PREFETCH] }),
  nodens("nodens, stale", { text: `with \`${STALE}\``, more: [STALE] }),
  nodens("nodens, persist", {
    text: "with `persist`",
    persists: true,
    events: ["restart", "update"],
  }),
  nodens("nodens, denials 30 s", { text: "with `denial 9984 30`", denialTtl: 30 }),
  nodens("nodens, search_cut", { text: `with \`${CUT}\``, more: [CUT], events: ["outage"] }),
  nodens("nodens, search_cut 30 s", {
    text: `with \`${CUT}\` and \`denial 9984 30\``,
    more: [CUT],
    denialTtl: 30,
    events: ["outage"],
  }),
  nodens("nodens, all", {
    text: "with `prefetch`, `serve_stale` and `persist`",
    more: [PREFETCH, STALE],
    persists: true,
  }),
];

function nodens(
  name: string,
  { text, more = [], denialTtl, persists = false, events = EVENTS }: {
    text: string;
    more?: string[];
    denialTtl?: number;
    persists?: boolean;
    events?: readonly Event[];
  },
): Behaviour {
  return {
    name,
    text,
    events,
    create({ agenda, servers, book }) {
      const config = readCorefile(corefile(more, denialTtl));
      return (seed) =>
        new EngineNode(agenda, { servers, book, config, persists, random: seededRandom(seed) });
    },
  };
}
