import type { Dispenser } from "../../corefile/dispenser.ts";
import { quote } from "../../corefile/quote.ts";
import { isWithin } from "../../dns/zone.ts";
import type { Controller } from "../setup.ts";
import { readZones } from "../zones_argument.ts";
import type { CacheOptions } from "./options.ts";

/** Each is compared with the name of a miss. */
const MAX_ZONES = 16;

/** Reads `search_cut ZONE...` and adds to `zones`. */
export function readSearchCut(tokens: Dispenser, zones: string[]): void {
  const names = tokens.someArgs("ZONE...");
  for (const zone of readZones(tokens, names)) {
    if (zone === ".") {
      throw tokens.error('search_cut: "." is not the domain of a cluster (such as cluster.local)');
    }
    if (!zones.includes(zone)) zones.push(zone);
  }
  if (zones.length > MAX_ZONES) {
    throw tokens.error(`search_cut: more than ${MAX_ZONES} zones (name the domains of clusters)`);
  }
}

/** Reports zones whose denials the cache does not store. */
export function checkSearchCut(options: CacheOptions, { tokens, zones }: Controller): void {
  for (const zone of options.searchCut ?? []) {
    const inOne = (all: readonly string[]) => all.some((other) => isWithin(zone, other));
    if (!inOne(options.zones) || !inOne(zones)) {
      throw tokens.error(
        `search_cut: ${quote(zone)} is outside the zones of this cache (name it in its own block)`,
      );
    }
    if (options.disable.denial.some((other) => isWithin(zone, other) || isWithin(other, zone))) {
      throw tokens.error(
        `search_cut: ${quote(zone)} needs denials, but "disable denial" covers it (remove one)`,
      );
    }
  }
}
