import type { Config, ListenerConfig } from "./types.ts";

/**
 * The configuration with its listeners in an order in which those that `previous` has too keep
 * their index, since sockets and open connections refer to it. New ones come where others have gone,
 * and what is left empty has no zones.
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
    if (gap < 0) aligned.push(listener);
    else aligned[gap] = listener;
  }
  while (aligned.at(-1) === null) aligned.pop();
  return { ...config, listeners: aligned.map((listener) => listener ?? NOWHERE) };
}

/** Stands for a listener that is gone, so that the others keep their index. */
const NOWHERE: ListenerConfig = { address: "", port: 0, zones: [] };

/** Whether something listens there, or the place is only kept free. */
export function isOpen({ port }: ListenerConfig): boolean {
  return port !== NOWHERE.port;
}

/** Two listeners with this in common are the same one. */
export function keyOf({ address, port }: ListenerConfig): string {
  return `${address} ${port}`;
}
