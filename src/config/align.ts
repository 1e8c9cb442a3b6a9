import type { Config, ListenerConfig } from "./types.ts";

/** Keeps the index of a listener that was removed. */
const REMOVED: ListenerConfig = { address: "", port: 0, zones: [] };

/**
 * The configuration with its listeners reordered: those that `previous` has too keep their index,
 * since sockets and open connections refer to it. New ones fill gaps; other gaps have no zones.
 */
export function alignListeners(config: Config, previous: readonly ListenerConfig[]): Config {
  const left = new Map(config.listeners.map((listener) => [keyOf(listener), listener]));
  const aligned: (ListenerConfig | null)[] = previous.map((old) => {
    const kept = left.get(keyOf(old)) ?? null;
    left.delete(keyOf(old));
    return kept;
  });
  for (const listener of left.values()) {
    const gap = aligned.indexOf(null);
    aligned[gap < 0 ? aligned.length : gap] = listener;
  }
  while (aligned.at(-1) === null) aligned.pop();
  return { ...config, listeners: aligned.map((listener) => listener ?? REMOVED) };
}

/** Whether it is a listener, and not the gap that one has left. */
export function isOpen({ port }: ListenerConfig): boolean {
  return port !== REMOVED.port;
}

/** Identifies a listener across configurations. */
export function keyOf({ address, port }: ListenerConfig): string {
  return `${address} ${port}`;
}
