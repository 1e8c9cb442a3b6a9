import type { Dispenser } from "../corefile/dispenser.ts";
import { expandZone } from "../dns/zone.ts";

/** Zones named in a directive, networks as reverse zones. Throws `CorefileError`. */
export function readZones(tokens: Dispenser, names: readonly string[]): string[] {
  return names.flatMap((name) => {
    try {
      // CoreDNS takes a scheme and a port here as in the key of a server block, for no use.
      return expandZone(name.replace(/^dns:\/\//, "").replace(/(^[^:]*|\/[0-9]+):[0-9]+$/, "$1"));
    } catch (error) {
      throw tokens.error((error as Error).message);
    }
  });
}
