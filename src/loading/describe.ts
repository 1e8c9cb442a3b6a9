import type { Config } from "../config/types.ts";
import { httpAddressText } from "../plugins/http_address.ts";
import { SETUPS } from "../plugins/setups.ts";

const MAX_NAMED = 3;

/** One line per server block. */
export function describeConfig({ blocks, listeners }: Config): string[] {
  return blocks.map(({ zones, plugins }, block) => {
    const places = listeners.filter(({ zones }) => zones.some((zone) => zone.block === block))
      .map(({ address: host, port }) =>
        host === "" ? `port ${port} of all addresses` : httpAddressText({ host, port })
      );
    const names = zones.map((zone) => zone === "." ? "every name" : zone);
    const does = plugins.flatMap(({ name, options }) =>
      SETUPS.get(name)?.value.describe?.(options) ?? []
    );
    return `${some(names)} on ${some(places)}: ${does.join("; ") || "nothing answers"}.`;
  });
}

function some(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMED).join(", ");
  return names.length > MAX_NAMED ? `${shown} and ${names.length - MAX_NAMED} more` : shown;
}
