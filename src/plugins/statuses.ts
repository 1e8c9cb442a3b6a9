import type { PluginConfig } from "../config/types.ts";
import type { CacheOptions } from "./cache/options.ts";
import { type CacheStatus, cacheStatus } from "./cache/status.ts";
import type { ForwardOptions } from "./forward/options.ts";
import { type ForwardStatus, forwardStatus } from "./forward/status.ts";
import type { HandlerFacts, PluginStatus } from "./status.ts";

/** Plugins of a server block. */
export interface PluginStatuses {
  cache: CacheStatus | null;
  forwards: ForwardStatus[];
}

/** Rows of text, heads first. */
export interface StatusTable {
  rows: (readonly string[])[];
  /** Columns with numbers. */
  numbers: readonly string[];
}

/** Undefined: none. */
export function statusRequest(plugin: string): unknown {
  return plugin === "forward" ? forwardStatus.request : undefined;
}

/** Handlers of a server block. */
export function describePlugins(
  plugins: readonly PluginConfig[],
  factsOf: (position: number) => Omit<HandlerFacts<unknown>, "options">,
): PluginStatuses {
  const statuses: PluginStatuses = { cache: null, forwards: [] };
  plugins.forEach(({ name, options }, position) => {
    if (name === "cache") {
      const facts = { ...factsOf(position), options: options as CacheOptions };
      statuses.cache = cacheStatus.describe(facts);
    } else if (name === "forward") {
      const facts = { ...factsOf(position), options: options as ForwardOptions };
      statuses.forwards.push(forwardStatus.describe(facts));
    }
  });
  return statuses;
}

/** Tables of all plugins. */
export function statusTables(
  blocks: readonly (PluginStatuses & { zones: readonly string[] })[],
): StatusTable[] {
  return [
    table(cacheStatus, blocks, ({ cache }) => cache === null ? [] : [cache]),
    table(forwardStatus, blocks, ({ forwards }) => forwards),
  ].filter(({ rows }) => rows.length > 1);
}

function table<Options, Status>(
  { heads, numbers, rows }: PluginStatus<Options, Status>,
  blocks: readonly (PluginStatuses & { zones: readonly string[] })[],
  of: (statuses: PluginStatuses) => readonly Status[],
): StatusTable {
  const all = blocks.flatMap((block) => of(block).flatMap((status) => rows(status, block.zones)));
  return { rows: [heads, ...all], numbers };
}
