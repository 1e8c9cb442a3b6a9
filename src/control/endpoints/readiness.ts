import type { Clock } from "../../base/clock.ts";
import type { Config } from "../../config/types.ts";
import type { DataPlane } from "../plane/data_plane.ts";
import { Recent } from "./http/recent.ts";

const LIMIT_MS = 1000;
const ASK_AGAIN_MS = 100;

/** Names plugins that are not ready; up to 0.1 s old. */
export function makeReadiness({ planes, config, blocks, clock }: {
  planes: readonly Pick<DataPlane, "ask">[];
  config: Config;
  blocks: ReadonlyMap<number, { continuously: boolean }>;
  clock: Clock;
}): () => Promise<string[]> {
  const plugins = [...blocks].flatMap(([block, { continuously }]) =>
    config.blocks[block]!.plugins.map(({ name }) => ({
      key: `${block} ${name}`,
      name,
      continuously,
    }))
  );
  const done = new Set<string>();
  const unreadyKeys = new Recent(ASK_AGAIN_MS, async () => {
    const request = { block: -1, position: -1, request: null };
    const answers = await Promise.all(
      planes.map((plane) => plane.ask(request, LIMIT_MS) as Promise<[number, string][]>),
    );
    return new Set(answers.flat().map(([block, name]) => `${block} ${name}`));
  }, clock);
  return async () => {
    const relevant = plugins.filter(({ key, continuously }) => continuously || !done.has(key));
    if (relevant.length === 0) return [];
    let unready: Set<string>;
    try {
      unready = await unreadyKeys.get();
    } catch {
      return ["data plane"];
    }
    for (const { key } of plugins) if (!unready.has(key)) done.add(key);
    const missing = relevant.filter(({ key }) => unready.has(key));
    return [...new Set(missing.map(({ name }) => name))].sort();
  };
}
