import type { BlockConfig, Config } from "../../config/types.ts";
import { HandlerChain } from "./chain.ts";
import type { CreateHandler, EngineServices, Handler } from "../handler.ts";
import { type ServedZone, servedZones } from "../served.ts";

/** What chains are made with, and those that serve until now. */
export interface ChainsOptions {
  /** Makes the handlers, by plugin name. */
  handlers: ReadonlyMap<string, CreateHandler>;
  engine: EngineServices;
  /** The configuration that these take the place of, and its chains by block. */
  previous: { config: Config; chains: readonly HandlerChain[] };
}

/**
 * The chains of a configuration, by block. A block that is as it was keeps its chain with all that
 * its handlers know; the handlers of one that changed are told whose place they take.
 */
export function buildChains(config: Config, options: ChainsOptions): HandlerChain[] {
  const { previous } = options;
  const served = servedZones(config);
  const placeBefore = predecessors(config, previous.config);
  const same = new Map(previous.chains.map((chain) => [chain.signature, chain]));
  return config.blocks.map((block, index) => {
    const signature = signatureOf(block, served[index]!);
    const kept = same.get(signature);
    if (kept !== undefined) return kept;
    const handlers = makeHandlers(block, {
      ...options,
      served: served[index]!,
      before: previous.chains[placeBefore[index]!]?.handlers ?? [],
    });
    return new HandlerChain(handlers, signature);
  });
}

/**
 * Whose place each block takes, by index, or -1: that of the block with the same zones on the same
 * listeners, or on some of them; or else on others, where each configuration has but one with these
 * zones. No two take the place of one: they would share a cache.
 */
function predecessors(next: Config, previous: Config): number[] {
  const [places, before] = [placesOf(next), placesOf(previous)];
  const found = places.map(() => -1);
  const rules: ((one: Place, old: Place) => boolean)[] = [
    (one, old) => one.served.symmetricDifference(old.served).size === 0,
    (one, old) => !one.served.isDisjointFrom(old.served),
    (one, old) => one.alone && old.alone,
  ];
  for (const fits of rules) {
    places.forEach((one, index) => {
      if (found[index]! >= 0) return;
      found[index] = before.findIndex((old, at) =>
        old.zones === one.zones && !found.includes(at) && fits(one, old)
      );
    });
  }
  return found;
}

/** Where a block stands. */
interface Place {
  zones: string;
  /** No other block has these zones. */
  alone: boolean;
  /** Each zone on each listener. */
  served: Set<string>;
}

function placesOf(config: Config): Place[] {
  const zones = config.blocks.map(zonesKey);
  return servedZones(config).map((served, index) => ({
    zones: zones[index]!,
    alone: zones.filter((key) => key === zones[index]).length === 1,
    served: new Set(served.map(({ server, zone }) => `${server} ${zone}`)),
  }));
}

function makeHandlers(
  { zones, plugins }: BlockConfig,
  { handlers, engine, served, before }: ChainsOptions & {
    served: readonly ServedZone[];
    before: readonly Handler[];
  },
): Handler[] {
  const left = [...before];
  return plugins.map(({ name, options }, position) => {
    const create = handlers.get(name);
    if (create === undefined) throw new TypeError(`Cannot run plugin "${name}"`);
    const at = left.findIndex((handler) => handler.name === name);
    const previous = at < 0 ? null : left.splice(at, 1)[0]!;
    return create(options, { zones, position, engine, plugins, served, previous });
  });
}

/** All that the behaviour of a block depends on; the lines of the Corefile are not of it. */
function signatureOf({ zones, plugins }: BlockConfig, served: readonly ServedZone[]): string {
  return JSON.stringify([zones, plugins.map(({ name, options }) => [name, options]), served]);
}

function zonesKey({ zones }: BlockConfig): string {
  return [...zones].sort().join(" ");
}
