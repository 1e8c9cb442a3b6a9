import type { Config } from "../config/types.ts";
import { parseAddress } from "../dns/address.ts";
import type { QueryTarget } from "./dns_client.ts";

/** Blocks of the configuration that listen at an address and port of this machine. */
export function blocksAt(
  config: Config,
  { address, port }: QueryTarget,
  interfaces: readonly string[],
): number[] {
  const wanted = key(address);
  const loopback = wanted.startsWith("4 127,");
  return config.listeners.flatMap((listener) => {
    if (listener.port !== port) return [];
    const hears = listener.address === ""
      ? loopback || interfaces.some((own) => key(own) === wanted)
      : key(listener.address) === wanted;
    return hears ? listener.zones.map(({ block }) => block) : [];
  });
}

/** One text for equal addresses; the scope of a link-local one is left out. */
function key(address: string): string {
  const bytes = parseAddress(address.split("%")[0]!);
  return bytes === null ? address : `${bytes.length} ${bytes.join()}`;
}
