import type { Dispenser } from "../corefile/dispenser.ts";
import { expandZone } from "../dns/zone.ts";

/** `otherwise` without any; networks become reverse zones. Throws `CorefileError`. */
export function readZones(
  tokens: Dispenser,
  names: readonly string[],
  otherwise: readonly string[] = [],
): string[] {
  if (names.length === 0) return [...otherwise];
  return names.flatMap((name) => {
    try {
      // Scheme and port are ignored, as in CoreDNS.
      return expandZone(name.replace(/^dns:\/\//, "").replace(/(^[^:]*|\/[0-9]+):[0-9]+$/, "$1"));
    } catch (error) {
      throw tokens.error((error as Error).message);
    }
  });
}
