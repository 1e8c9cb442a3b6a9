import { expandZone } from "../config/zone_key.ts";
import type { Dispenser } from "../corefile/dispenser.ts";

/** Zones named in a directive, networks as reverse zones. Throws `CorefileError`. */
export function readZones(tokens: Dispenser, names: readonly string[]): string[] {
  return names.flatMap((name) => {
    try {
      return expandZone(name);
    } catch (error) {
      throw tokens.error(`"${name}" is no zone: ${(error as Error).message}`);
    }
  });
}
