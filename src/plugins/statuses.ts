import type { PluginConfig } from "../config/types.ts";
import type { CacheOptions } from "./cache/options.ts";
import { type CacheStatus, cacheStatus } from "./cache/status.ts";
import type { ForwardOptions } from "./forward/options.ts";
import { type ForwardStatus, forwardStatus } from "./forward/status.ts";
import type { HandlerFacts, PluginStatus } from "./status.ts";

/** Status of the plugins of a server block. */
export interface PluginStatuses {
  cache: CacheStatus | null;
  forwards: ForwardStatus[];
}

/** Rows of text; the first one has the heads. */
export interface StatusTable {
  rows: (readonly string[])[];
  /** Heads of the columns with numbers. */
  numbers: readonly string[];
}

/** Request to the handlers of a plugin for its status; undefined for none. */
export function statusRequest(plugin: string): unknown {
  return plugin === "forward" ? forwardStatus.request : undefined;
}

/** Describes the handlers of a server block. */
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

/** One table for each plugin that any block has. */
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
