import type { Dispenser } from "../../corefile/dispenser.ts";
import { quote } from "../../corefile/quote.ts";
import { parseName } from "../../dns/name.ts";
import { isWithin } from "../../dns/zone.ts";
import type { BlockConfig } from "../../config/types.ts";
import type { Controller } from "../setup.ts";
import { readZones } from "../zones_argument.ts";
import type { CacheOptions } from "./options.ts";

/** A miss's name is compared with each. */
const MAX_ZONES = 16;
/** For kubernetes.default.svc.ZONE (RFC 1035 section 2.3.4). */
const MAX_ZONE_SIZE = 255 - 23;
/** They answer names that the upstream may deny. */
const ANSWERS_OF_OWN = ["rewrite", "template", "hosts"];

/** Reads `search_cut ZONE...` and adds to `zones`. */
export function readSearchCut(tokens: Dispenser, zones: string[]): void {
  const names = tokens.someArgs("ZONE...");
  for (const zone of readZones(tokens, names)) {
    if (zone === ".") {
      throw tokens.error('search_cut: "." is not the domain of a cluster (such as cluster.local)');
    }
    if (parseName(zone).length > MAX_ZONE_SIZE) {
      throw tokens.error(`search_cut: a zone is longer than ${MAX_ZONE_SIZE} octets`);
    }
    if (!zones.includes(zone)) zones.push(zone);
  }
  if (zones.length > MAX_ZONES) {
    throw tokens.error(`search_cut: more than ${MAX_ZONES} zones (name the domains of clusters)`);
  }
}

/** Reports zones whose denials are not stored. */
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

/** Why another plugin answers names that a cut would hide, or null. */
export function hiddenBySearchCut({ searchCut }: CacheOptions, block: BlockConfig): string | null {
  if (searchCut === undefined) return null;
  const other = block.plugins.find(({ name }) => ANSWERS_OF_OWN.includes(name));
  if (other === undefined) return null;
  return `search_cut: denials by the upstream would hide answers of ${quote(other.name)} ` +
    `(give ${searchCut[0]} a server block without ${other.name})`;
}
