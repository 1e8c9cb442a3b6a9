import type { BlockConfig, Config } from "../../config/types.ts";
import { forwardings } from "../../plugins/config_traits.ts";
import type { Forwarding } from "../../plugins/traits.ts";

/** A server to ask, and what. */
export interface Target {
  /** An address of nodens, the cluster's own DNS, or a server that nodens forwards to. */
  readonly role: "listener" | "cluster" | "upstream";
  readonly address: string;
  readonly port: number;
  readonly transports: readonly ("UDP" | "TCP")[];
  readonly names: readonly Name[];
}

/** A name to ask for. */
export interface Name {
  readonly what: "cluster" | "outside";
  readonly name: string;
}

/** Most servers of each role that are asked. */
const MAX_TARGETS = 16;
const BOTH = ["UDP", "TCP"] as const;

/** Whom to ask for which names: listeners, the cluster's DNS, and upstreams. */
export function planTargets(
  { config, names, clusterDns, standIns = [] }: {
    config: Config | null;
    names: readonly Name[];
    /** What pods ask, where that is known. */
    clusterDns: readonly string[];
    /** Addresses that stand for others, which are not known. */
    standIns?: readonly string[];
  },
): Target[] {
  const listeners = (config?.listeners ?? []).map(({ address, port, zones }): Target => ({
    role: "listener",
    address: address === "" || address === "0.0.0.0"
      ? "127.0.0.1"
      : address === "::"
      ? "::1"
      : address,
    port,
    transports: BOTH,
    names: names.filter(({ name }) => longest(zones, name) !== null),
  }));
  const cluster = clusterDns
    .filter((address) => !listeners.some((one) => one.address === address && one.port === 53))
    .map((address): Target => ({ role: "cluster", address, port: 53, transports: BOTH, names }));
  return [
    ...unique(listeners),
    ...unique(cluster),
    ...unique(config === null ? [] : upstreams(config, names))
      .filter(({ address }) => !standIns.includes(address)),
  ];
}

interface Growing extends Target {
  transports: Target["transports"];
  readonly names: Name[];
}

/** Servers that these names are forwarded to, with what each is asked; encrypted ones are left out. */
function upstreams(config: Config, names: readonly Name[]): Target[] {
  const found = new Map<string, Growing>();
  for (const one of names) {
    for (const { zones } of config.listeners) {
      const block = longest(zones, one.name)?.block;
      if (block === undefined) continue;
      for (const options of forwards(config.blocks[block]!, one.name)) {
        for (const { address, port, transport } of options.servers) {
          if (transport !== "dns") continue;
          const key = `${address} ${port}`;
          const target = found.get(key) ??
            { role: "upstream", address, port, transports: ["TCP"], names: [] };
          if (!options.forceTcp) target.transports = BOTH;
          found.set(key, target);
          if (!target.names.includes(one)) target.names.push(one);
        }
      }
    }
  }
  return [...found.values()];
}

function forwards(block: BlockConfig, name: string): Forwarding[] {
  return forwardings({ blocks: [block] }).filter(({ from, except }) =>
    isWithin(name, from) && !except.some((zone) => isWithin(name, zone))
  );
}

function longest<T extends { zone: string }>(zones: readonly T[], name: string): T | null {
  let best: T | null = null;
  for (const one of zones) {
    if (!isWithin(name, one.zone)) continue;
    if (best === null || one.zone.length > best.zone.length) best = one;
  }
  return best;
}

function isWithin(name: string, zone: string): boolean {
  const full = `${name.toLowerCase().replace(/\.$/, "")}.`;
  return zone === "." || full === zone || full.endsWith(`.${zone}`);
}

function unique(targets: readonly Target[]): Target[] {
  const seen = new Set<string>();
  return targets.filter(({ address, port }) => {
    const key = `${address} ${port}`;
    return !seen.has(key) && seen.add(key).size <= MAX_TARGETS;
  });
}
