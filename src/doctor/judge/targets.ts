import type { BlockConfig, Config } from "../../config/types.ts";
import { isWithin } from "../../dns/zone.ts";
import { forwardings } from "../../plugins/config_traits.ts";
import type { Forwarding } from "../../plugins/traits.ts";

/** A server to query. */
export interface Target {
  readonly role: "listener" | "cluster" | "upstream";
  readonly address: string;
  readonly port: number;
  readonly transports: readonly ("UDP" | "TCP")[];
  readonly names: readonly Name[];
}

/** A name to query. */
export interface Name {
  readonly what: "cluster" | "outside";
  readonly name: string;
}

const MAX_TARGETS = 16;
const BOTH = ["UDP", "TCP"] as const;
/** Where a socket for all addresses is asked. */
const LOOPBACK: Record<string, string> = { "": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1" };

/** Plans queries to listeners, cluster DNS and upstreams. */
export function planTargets(
  { config, names, clusterDns, standIns = [] }: {
    config: Config | null;
    names: readonly Name[];
    clusterDns: readonly string[];
    standIns?: readonly string[];
  },
): Target[] {
  const listeners = (config?.listeners ?? []).map(({ address, port, zones }): Target => ({
    role: "listener",
    address: LOOPBACK[address] ?? address,
    port,
    transports: BOTH,
    names: names.filter(({ name }) => longest(zones, name) !== undefined),
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

function upstreams(config: Config, names: readonly Name[]): Target[] {
  const found = new Map<string, Target & { transports: Target["transports"]; names: Name[] }>();
  for (const one of names) {
    for (const { zones } of config.listeners) {
      const block = longest(zones, one.name)?.block;
      if (block === undefined) continue;
      for (const { servers, forceTcp } of forwards(config.blocks[block]!, one.name)) {
        for (const { address, port, transport } of servers) {
          if (transport !== "dns") continue;
          const key = `${address} ${port}`;
          const target = found.get(key) ??
            { role: "upstream", address, port, transports: ["TCP"], names: [] };
          found.set(key, target);
          if (!forceTcp) target.transports = BOTH;
          if (!target.names.includes(one)) target.names.push(one);
        }
      }
    }
  }
  return [...found.values()];
}

function forwards(block: BlockConfig, name: string): Forwarding[] {
  return forwardings({ blocks: [block] }).filter(({ from, except }) =>
    isIn(name, from) && !except.some((zone) => isIn(name, zone))
  );
}

function longest<T extends { zone: string }>(zones: readonly T[], name: string): T | undefined {
  return zones.filter(({ zone }) => isIn(name, zone))
    .toSorted((a, b) => b.zone.length - a.zone.length)[0];
}

function isIn(name: string, zone: string): boolean {
  return isWithin(`${name.toLowerCase().replace(/\.$/, "")}.`, zone);
}

function unique(targets: readonly Target[]): Target[] {
  const found = new Map<string, Target>();
  for (const one of targets) {
    const key = `${one.address} ${one.port}`;
    if (!found.has(key)) found.set(key, one);
  }
  return [...found.values()].slice(0, MAX_TARGETS);
}
