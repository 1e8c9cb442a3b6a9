import type { Config } from "../../config/types.ts";
import { servedZones } from "../served.ts";

interface Identity {
  zones: string;
  alone: boolean;
  served: Set<string>;
}

/**
 * Predecessor of each block, or -1: the same zones on a common listener, or on any if unique in
 * both. Never shared, since caches cannot be.
 */
export function predecessors(next: Config, previous: Config): number[] {
  const before = identitiesOf(previous);
  const after = identitiesOf(next);
  const found = after.map(() => -1);
  const rules: ((one: Identity, old: Identity) => boolean)[] = [
    (one, old) => one.served.symmetricDifference(old.served).size === 0,
    (one, old) => !one.served.isDisjointFrom(old.served),
    (one, old) => one.alone && old.alone,
  ];
  for (const fits of rules) {
    after.forEach((one, index) => {
      if (found[index]! >= 0) return;
      found[index] = before.findIndex((old, at) =>
        old.zones === one.zones && !found.includes(at) && fits(one, old)
      );
    });
  }
  return found;
}

function identitiesOf(config: Config): Identity[] {
  const keys = config.blocks.map(({ zones }) => zones.toSorted().join(" "));
  return servedZones(config).map((served, index) => ({
    zones: keys[index]!,
    alone: keys.filter((key) => key === keys[index]).length === 1,
    served: new Set(served.map(({ server, zone }) => `${server} ${zone}`)),
  }));
}
