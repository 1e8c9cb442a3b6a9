import type { Config } from "../config/types.ts";

/** A zone of a server block on one of its listeners. */
export interface ServedZone {
  listener: number;
  /** Index of the zone among those of the listener (`Exchange.zone`). */
  place: number;
  zone: string;
  /** The listener as in CoreDNS's labels: `dns://:53`, `dns://[::1]:53`. */
  server: string;
}

/** The served zones of each server block, by its index. */
export function servedZones({ blocks, listeners }: Config): ServedZone[][] {
  const served: ServedZone[][] = blocks.map(() => []);
  listeners.forEach(({ address, port, zones }, listener) => {
    const server = serverLabel(address, port);
    zones.forEach(({ zone, block }, place) =>
      served[block]?.push({ listener, place, zone, server })
    );
  });
  return served;
}

/** A listener as in CoreDNS's labels. */
export function serverLabel(address: string, port: number): string {
  return `dns://${address.includes(":") ? `[${address}]` : address}:${port}`;
}
