import { CorefileError, type Place } from "../corefile/error.ts";
import type { Faults } from "../corefile/faults.ts";
import { canonicalAddress } from "../dns/address.ts";
import type { ListenerConfig, StreamTimeouts } from "../config/types.ts";
import type { ZoneKey } from "../config/zone_key.ts";

/** What a server block serves: its zones and ports, and the addresses that `bind` names. */
export interface Served {
  keys: (ZoneKey & Place)[];
  /** Null listens on all addresses. */
  addresses: string[] | null;
  /** What its directive `timeouts` says, and where it stands; null without one. */
  timeouts: (Place & { values: StreamTimeouts }) | null;
}

/** Most zones, counted once for each address that they are served on. */
const MAX_ENTRIES = 100_000;

/** All addresses of IPv4 alone. */
const IPV4 = "0.0.0.0";
const TIMEOUTS = ["readMs", "writeMs", "idleMs", "queries"] as const;

interface Taken extends Place {
  address: string;
  block: number;
}

/**
 * Groups the zones of all blocks by address and port.
 *
 * The same zone twice on one port is a fault where the addresses are the same, and where one of the
 * two listens on all of them: which block would answer is then left to chance.
 */
export function collectListeners(
  served: readonly Served[],
  faults: Faults,
  warn: (place: Place, what: string) => void,
): ListenerConfig[] {
  const listeners = new Map<string, ListenerConfig>();
  const timeoutsOf = new Map<ListenerConfig, Served["timeouts"]>();
  const taken = new Map<string, { byAddress: Map<string, Taken>; first: Taken }>();
  /** By port, who listens on all IPv4 addresses, and who on all of both families. */
  const wildcards = new Map<number, Map<string, Place>>();
  let entries = 0;
  served.forEach(({ keys, addresses: bound, timeouts }, block) => {
    const addresses = listenAddresses(bound);
    for (const { zone, port, file, line } of keys) {
      for (const address of addresses) {
        if (++entries > MAX_ENTRIES) {
          const what = `more than ${MAX_ENTRIES} zones on all addresses together`;
          faults.add(new CorefileError({ file, line }, "", what));
          return;
        }
        const key = `${zone} ${port}`;
        const own: Taken = { file, line, address, block };
        const others = taken.get(key) ?? { byAddress: new Map<string, Taken>(), first: own };
        const clash = others.byAddress.get(address) ?? others.byAddress.get("") ??
          (address === "" && others.first !== own ? others.first : undefined);
        if (clash !== undefined) {
          faults.add(new CorefileError(own, "", describe(`${zone}:${port}`, own, clash)));
          // Once for a zone says enough, whatever the number of addresses.
          break;
        }
        taken.set(key, others);
        others.byAddress.set(address, own);
        if (address === "" || address === IPV4) {
          const ofPort = wildcards.get(port) ?? new Map<string, Place>();
          const other = ofPort.get(address === "" ? IPV4 : "");
          if (other !== undefined && !ofPort.has(address)) {
            faults.add(new CorefileError(own, "", describeWildcards(port, address, other)));
          }
          if (!ofPort.has(address)) ofPort.set(address, own);
          wildcards.set(port, ofPort);
        }
        const id = `${address} ${port}`;
        const listener = listeners.get(id) ?? { address, port, zones: [] };
        listener.zones.push({ zone, block });
        if (timeouts !== null && timeoutsOf.get(listener) !== timeouts) {
          const before = timeoutsOf.get(listener) ?? null;
          if (before !== null && differ(before.values, timeouts.values)) {
            const what = `timeouts: ${before.file}:${before.line} says otherwise for the same ` +
              "address and port; as in CoreDNS, what stands here counts for both server blocks";
            warn(timeouts, what);
          }
          timeoutsOf.set(listener, timeouts);
          listener.timeouts = { ...listener.timeouts, ...timeouts.values };
        }
        listeners.set(id, listener);
      }
    }
  });
  warnOfSplits([...listeners.values()], served, warn);
  return [...listeners.values()];
}

/**
 * The kernel gives a query to the socket with the client's very address, so zones of blocks that
 * listen on all addresses are not served on one that another block binds.
 */
function warnOfSplits(
  listeners: readonly ListenerConfig[],
  served: readonly Served[],
  warn: (place: Place, what: string) => void,
): void {
  for (const wide of listeners.filter(({ address }) => address === "" || address === IPV4)) {
    const narrow = listeners.find(({ address, port }) =>
      port === wide.port && address !== "" && address !== IPV4 &&
      (wide.address === "" || !address.includes(":"))
    );
    if (narrow === undefined) continue;
    const known = new Set(narrow.zones.map(({ zone }) => zone));
    const missing = wide.zones.find(({ zone }) => !known.has(zone));
    if (missing === undefined) continue;
    const place = served[missing.block]!.keys.find(({ zone }) => zone === missing.zone)!;
    const other = served[narrow.zones[0]!.block]!.keys[0]!;
    const what = `queries for ${missing.zone} to ${narrow.address} port ${narrow.port} do not come`;
    warn(
      place,
      `${what} here: the server block at ${other.file}:${other.line}, which binds that address, ` +
        'has them ("bind" both or neither)',
    );
  }
}

/** What `bind` asks for; `::` stands for all addresses of both families, as it does in CoreDNS. */
function listenAddresses(bound: readonly string[] | null): string[] {
  const addresses = new Set((bound ?? ["::"]).map(canonicalAddress));
  return addresses.has("::") ? [""] : [...addresses];
}

/** The kernel would give each query for IPv4 to one of the two by chance. */
function describeWildcards(port: number, address: string, { file, line }: Place): string {
  const [own, other] = address === ""
    ? ["all addresses", "all of IPv4"]
    : ["all IPv4 addresses", "all of both families"];
  return `port ${port} on ${own} overlaps with the server block at ${file}:${line}, which listens ` +
    `on ${other} ("bind 0.0.0.0" both or neither)`;
}

/** Whether both say something else about the same. */
function differ(one: StreamTimeouts, other: StreamTimeouts): boolean {
  return TIMEOUTS.some((name) =>
    one[name] !== undefined && other[name] !== undefined && one[name] !== other[name]
  );
}

function describe(zone: string, own: Taken, other: Taken): string {
  const where = `${other.file}:${other.line}`;
  if (own.block === other.block) return `${zone} stands twice in this server block (${where})`;
  if (own.address === other.address) {
    const on = own.address === "" ? "" : ` on ${own.address}`;
    return `${zone}${on} is served already by the server block at ${where} (merge the two)`;
  }
  const [mine, theirs] = [own, other].map(({ address }) => address || "all addresses");
  return `${zone} on ${mine} overlaps with the server block at ${where}, which serves it on ` +
    `${theirs} ("bind" both or neither)`;
}
