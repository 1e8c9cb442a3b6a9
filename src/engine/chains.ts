import type { BlockConfig, Config } from "../config/types.ts";
import { Chain } from "./chain.ts";
import type { CreateHandler, EngineServices, Handler } from "./handler.ts";
import { type ServedZone, servedZones } from "./served.ts";

/** What chains are made with, and those that serve until now. */
export interface ChainsOptions {
  /** Makes the handlers, by plugin name. */
  handlers: ReadonlyMap<string, CreateHandler>;
  engine: EngineServices;
  /** The blocks and chains that these take the place of; of the same length. */
  previous: { blocks: readonly BlockConfig[]; chains: readonly Chain[] };
}

/**
 * The chains of a configuration, by block. A block that is as it was keeps its chain with all that
 * its handlers know; the handlers of one that changed are told whose place they take.
 */
export function buildChains(config: Config, options: ChainsOptions): Chain[] {
  const { previous } = options;
  const served = servedZones(config);
  const same = new Map(previous.chains.map((chain) => [chain.signature, chain]));
  return config.blocks.map((block, index) => {
    const signature = signatureOf(block, served[index]!);
    const kept = same.get(signature);
    if (kept !== undefined) return kept;
    const zones = zonesKey(block);
    const before = previous.blocks.findIndex((other) => zonesKey(other) === zones);
    const handlers = makeHandlers(block, {
      ...options,
      served: served[index]!,
      before: previous.chains[before]?.handlers ?? [],
    });
    return new Chain(handlers, signature);
  });
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
