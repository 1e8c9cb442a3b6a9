import type { Config } from "../config/types.ts";

/** A block's zone on a listener. */
export interface ServedZone {
  listener: number;
  /** `Exchange.zone`. */
  place: number;
  zone: string;
  /** CoreDNS's label: `dns://:53`, `dns://[::1]:53`. */
  server: string;
}

/** Served zones by block. */
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

/** CoreDNS's label. */
export function serverLabel(address: string, port: number): string {
  return `dns://${address.includes(":") ? `[${address}]` : address}:${port}`;
}
