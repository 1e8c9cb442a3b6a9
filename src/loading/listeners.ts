import type { ListenerConfig, StreamTimeouts } from "../config/types.ts";
import type { ZoneKey } from "../config/zone_key.ts";
import type { Faults, Place } from "../corefile/error.ts";
import { canonicalAddress } from "../dns/address.ts";

/** Zones and addresses of a server block. */
export interface ServedBlock {
  keys: (ZoneKey & Place)[];
  /** Addresses of `bind`; null means all. */
  addresses: string[] | null;
  timeouts: (Place & { values: StreamTimeouts }) | null;
}

/** Zones times addresses. */
const MAX_ENTRIES = 100_000;
const IPV4_WILDCARD = "0.0.0.0";
const TIMEOUTS = ["readMs", "writeMs", "idleMs", "queries"] as const;

interface Entry extends Place {
  address: string;
  block: number;
}

/** Groups zones by address and port; reports zones with two blocks. */
export function collectListeners(served: readonly ServedBlock[], faults: Faults): ListenerConfig[] {
  const listeners = new Map<string, ListenerConfig>();
  const timeoutsOf = new Map<ListenerConfig, NonNullable<ServedBlock["timeouts"]>>();
  const taken = new Map<string, Map<string, Entry>>();
  const wildcards = new Map<number, { all?: Place; ipv4?: Place }>();
  let entries = 0;
  for (const [block, { keys, addresses, timeouts }] of served.entries()) {
    const own = new Set<ListenerConfig>();
    for (const { zone, port, file, line } of keys) {
      for (const address of listenAddresses(addresses)) {
        const entry: Entry = { file, line, address, block };
        if (++entries > MAX_ENTRIES) {
          faults.at(entry, `more than ${MAX_ENTRIES} zones on all addresses together`);
          return [];
        }
        const others = taken.getOrInsert(`${zone} ${port}`, new Map());
        const clash = others.get(address) ?? others.get("") ??
          (address === "" ? others.values().next().value : undefined);
        if (clash !== undefined) {
          faults.at(entry, clashText(`${zone}:${port}`, entry, clash));
          break;
        }
        others.set(address, entry);
        const ofPort = wildcards.getOrInsert(port, {});
        const kind = address === "" ? "all" : address === IPV4_WILDCARD ? "ipv4" : null;
        if (kind !== null && ofPort[kind] === undefined) {
          ofPort[kind] = entry;
          const other = kind === "all" ? ofPort.ipv4 : ofPort.all;
          if (other !== undefined) faults.at(entry, wildcardText(port, kind, other));
        }
        const listener = listeners.getOrInsert(`${address} ${port}`, { address, port, zones: [] });
        listener.zones.push({ zone, block });
        own.add(listener);
      }
    }
    if (timeouts === null) continue;
    for (const listener of own) {
      const before = timeoutsOf.get(listener);
      if (before !== undefined && differ(before.values, timeouts.values)) {
        const what = `timeouts: differs from ${before.file}:${before.line} for the same address ` +
          "and port; as in CoreDNS, this one applies to both server blocks";
        faults.warn(timeouts, what);
      }
      timeoutsOf.set(listener, timeouts);
      listener.timeouts = { ...listener.timeouts, ...timeouts.values };
    }
  }
  warnOfSplits([...listeners.values()], served, faults);
  return [...listeners.values()];
}

/** The kernel prefers exact sockets to wildcard ones. */
function warnOfSplits(
  listeners: readonly ListenerConfig[],
  served: readonly ServedBlock[],
  faults: Faults,
): void {
  const isWildcard = (address: string) => address === "" || address === IPV4_WILDCARD;
  for (const wide of listeners.filter(({ address }) => isWildcard(address))) {
    const narrow = listeners.find(({ address, port }) =>
      port === wide.port && !isWildcard(address) && (wide.address === "" || !address.includes(":"))
    );
    if (narrow === undefined) continue;
    const known = new Set(narrow.zones.map(({ zone }) => zone));
    const missing = wide.zones.find(({ zone }) => !known.has(zone));
    if (missing === undefined) continue;
    const place = served[missing.block]!.keys.find(({ zone }) => zone === missing.zone)!;
    const { file, line } = served[narrow.zones[0]!.block]!.keys[0]!;
    faults.warn(
      place,
      `queries for ${missing.zone} to ${narrow.address} port ${narrow.port} do not reach this ` +
        `server block: the one at ${file}:${line}, which binds that address, receives them ` +
        '("bind" both or neither)',
    );
  }
}

/** As in CoreDNS, `::` means all addresses of both families. */
function listenAddresses(bound: readonly string[] | null): string[] {
  const addresses = new Set((bound ?? ["::"]).map(canonicalAddress));
  return addresses.has("::") ? [""] : [...addresses];
}

function differ(one: StreamTimeouts, other: StreamTimeouts): boolean {
  return TIMEOUTS.some((name) =>
    one[name] !== undefined && other[name] !== undefined && one[name] !== other[name]
  );
}

/** The kernel would choose either socket for each IPv4 query. */
function wildcardText(port: number, kind: "all" | "ipv4", { file, line }: Place): string {
  const [own, other] = kind === "all"
    ? ["all addresses", "all of IPv4"]
    : ["all IPv4 addresses", "all of both families"];
  return `port ${port} on ${own} overlaps with the server block at ${file}:${line}, which listens ` +
    `on ${other} ("bind 0.0.0.0" both or neither)`;
}

function clashText(zone: string, own: Entry, other: Entry): string {
  const where = `${other.file}:${other.line}`;
  if (own.block === other.block) return `${zone} is twice in this server block (${where})`;
  if (own.address === other.address) {
    const on = own.address === "" ? "" : ` on ${own.address}`;
    return `${zone}${on} is already served by the server block at ${where} (merge the two)`;
  }
  const [mine, theirs] = [own, other].map(({ address }) => address || "all addresses");
  return `${zone} on ${mine} overlaps with the server block at ${where}, which serves it on ` +
    `${theirs} ("bind" both or neither)`;
}
