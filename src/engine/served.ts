import type { Config } from "../config/types.ts";

/** A zone of a server block on one of its listeners. */
export interface ServedZone {
  listener: number;
  /** Index among the listener's zones (`Exchange.zone`). */
  place: number;
  zone: string;
  /** Listener label of CoreDNS: `dns://:53`, `dns://[::1]:53`. */
  server: string;
}

/** Served zones of each server block, by index. */
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

/** Formats a listener as a CoreDNS label. */
export function serverLabel(address: string, port: number): string {
  return `dns://${address.includes(":") ? `[${address}]` : address}:${port}`;
}
