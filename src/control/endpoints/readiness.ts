import type { Clock } from "../../base/clock.ts";
import type { Config } from "../../config/types.ts";
import type { DataPlane } from "../plane/data_plane.ts";
import { Recent } from "./http/recent.ts";

const LIMIT_MS = 1000;
const ASK_AGAIN_MS = 100;

/** Plugins that are not ready (`Handler.ready`). */
export class Readiness {
  readonly #planes: readonly Pick<DataPlane, "ask">[];
  readonly #plugins: { key: string; name: string; continuously: boolean }[];
  readonly #unready: Recent<Set<string>>;
  readonly #done = new Set<string>();

  constructor({ planes, config, blocks, clock }: {
    planes: readonly Pick<DataPlane, "ask">[];
    config: Config;
    blocks: ReadonlyMap<number, { continuously: boolean }>;
    clock: Clock;
  }) {
    this.#planes = planes;
    this.#plugins = [...blocks].flatMap(([block, { continuously }]) =>
      config.blocks[block]!.plugins.map(({ name }) => ({
        key: `${block} ${name}`,
        name,
        continuously,
      }))
    );
    this.#unready = new Recent(ASK_AGAIN_MS, () => this.#ask(), clock);
  }

  /** Up to a tenth of a second old. */
  async missing(): Promise<string[]> {
    const relevant = this.#plugins.filter(({ key, continuously }) =>
      continuously || !this.#done.has(key)
    );
    if (relevant.length === 0) return [];
    let unready: Set<string>;
    try {
      unready = await this.#unready.get();
    } catch {
      return ["data plane"];
    }
    for (const { key } of this.#plugins) if (!unready.has(key)) this.#done.add(key);
    const missing = relevant.filter(({ key }) => unready.has(key));
    return [...new Set(missing.map(({ name }) => name))].sort();
  }

  async #ask(): Promise<Set<string>> {
    const request = { block: -1, position: -1, request: null };
    const answers = await Promise.all(
      this.#planes.map((plane) => plane.ask(request, LIMIT_MS) as Promise<[number, string][]>),
    );
    return new Set(answers.flat().map(([block, name]) => `${block} ${name}`));
  }
}
