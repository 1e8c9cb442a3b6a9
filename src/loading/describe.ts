import { SETUPS } from "../plugins/setups.ts";
import type { Config } from "../config/types.ts";

/** Zones and addresses that are named one by one. */
const MAX_NAMED = 3;

/**
 * What a configuration does, in plain words, a line for each server block: its zones, where it
 * listens, and what its directives do in the order of the chain.
 */
export function describeConfig({ blocks, listeners }: Config): string[] {
  return blocks.map(({ zones, plugins }, block) => {
    const places = listeners.filter(({ zones }) => zones.some((zone) => zone.block === block))
      .map(({ address, port }) =>
        address === ""
          ? `port ${port} of all addresses`
          : `${address.includes(":") ? `[${address}]` : address}:${port}`
      );
    const names = zones.map((zone) => zone === "." ? "every name" : zone);
    const does = plugins.flatMap(({ name, options }) =>
      SETUPS.get(name)?.describe?.(options) ?? []
    );
    const what = does.length > 0 ? does.join("; ") : "nothing answers";
    return `${some(names)} on ${some(places)}: ${what}.`;
  });
}

function some(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMED).join(", ");
  return names.length > MAX_NAMED ? `${shown} and ${names.length - MAX_NAMED} more` : shown;
}
