import type { Config, ListenerConfig } from "./types.ts";

const REMOVED: ListenerConfig = { address: "", port: 0, zones: [] };

/** Keeps indices of `previous`, which connections use. New listeners fill gaps. */
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

/** Whether this listener is not a gap. */
export function isOpen({ port }: ListenerConfig): boolean {
  return port !== REMOVED.port;
}

/** Identifies a listener across configurations. */
export function keyOf({ address, port }: ListenerConfig): string {
  return `${address} ${port}`;
}
