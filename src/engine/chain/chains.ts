import type { Config } from "../../config/types.ts";
import type { CreateHandler, EngineServices } from "../handler.ts";
import { servedZones } from "../served.ts";
import { HandlerChain } from "./chain.ts";

interface ChainsOptions {
  handlers: ReadonlyMap<string, CreateHandler>;
  engine: EngineServices;
  /** The configuration being replaced, and its chains by block. */
  previous: { config: Config; chains: readonly HandlerChain[] };
}

/**
 * The chains of a configuration. An unchanged block reuses its chain; the handlers of a changed one
 * get their predecessors.
 */
export function buildChains(config: Config, options: ChainsOptions): HandlerChain[] {
  const { handlers, engine, previous } = options;
  const allServed = servedZones(config);
  const placeBefore = predecessors(config, previous.config);
  const reusable = new Map(previous.chains.map((chain) => [chain.signature, chain]));
  return config.blocks.map(({ zones, plugins }, index) => {
    const served = allServed[index]!;
    // All that the behaviour of a block depends on; its lines in the Corefile are not.
    const signature = JSON.stringify([
      zones,
      plugins.map(({ name, options }) => [name, options]),
      served,
    ]);
    const reused = reusable.get(signature);
    if (reused !== undefined) return reused;
    const left = [...previous.chains[placeBefore[index]!]?.handlers ?? []];
    const made = plugins.map(({ name, options }, position) => {
      const create = handlers.get(name);
      if (create === undefined) throw new TypeError(`Cannot run plugin "${name}"`);
      const at = left.findIndex((handler) => handler.name === name);
      const previous = at < 0 ? null : left.splice(at, 1)[0]!;
      return create(options, { zones, position, engine, plugins, served, previous });
    });
    return new HandlerChain(made, signature);
  });
}

interface Identity {
  zones: string;
  /** No other block has these zones. */
  alone: boolean;
  /** Each zone on each listener. */
  served: Set<string>;
}

/**
 * The predecessor of each block, or -1: the block with the same zones on the same listeners, or on
 * some of them, or on others if these zones are unique in both configurations. No two blocks have the
 * same, because they would share its cache.
 */
function predecessors(next: Config, previous: Config): number[] {
  const before = identitiesOf(previous);
  const after = identitiesOf(next);
  const found = after.map(() => -1);
  const rules: ((one: Identity, old: Identity) => boolean)[] = [
    (one, old) => one.served.symmetricDifference(old.served).size === 0,
    (one, old) => !one.served.isDisjointFrom(old.served),
    (one, old) => one.alone && old.alone,
  ];
  for (const fits of rules) {
    after.forEach((one, index) => {
      if (found[index]! >= 0) return;
      found[index] = before.findIndex((old, at) =>
        old.zones === one.zones && !found.includes(at) && fits(one, old)
      );
    });
  }
  return found;
}

function identitiesOf(config: Config): Identity[] {
  const keys = config.blocks.map(({ zones }) => zones.toSorted().join(" "));
  return servedZones(config).map((served, index) => ({
    zones: keys[index]!,
    alone: keys.filter((key) => key === keys[index]).length === 1,
    served: new Set(served.map(({ server, zone }) => `${server} ${zone}`)),
  }));
}
