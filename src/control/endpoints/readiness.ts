import type { Config } from "../../config/types.ts";
import type { DataPlane } from "../plane/data_plane.ts";
import { Recent } from "./http/recent.ts";

const LIMIT_MS = 1000;
/** The data planes are asked at most so often, however many ask for `/ready`. */
const ASK_AGAIN_MS = 100;
/** What the answer says where the data plane cannot be asked. */
const DATA_PLANE = "data plane";

/** Which plugins of some server blocks are not ready (`Handler.ready`). */
export class Readiness {
  readonly #planes: readonly Pick<DataPlane, "ask">[];
  readonly #blocks: ReadonlyMap<number, { continuously: boolean }>;
  readonly #plugins: Config["blocks"];
  readonly #silent: Recent<Set<string>>;
  /** Plugins that were ready once: `0 forward`. */
  readonly #done = new Set<string>();

  /** @param blocks - the server blocks that are looked at, by index */
  constructor(
    planes: readonly Pick<DataPlane, "ask">[],
    config: Config,
    blocks: ReadonlyMap<number, { continuously: boolean }>,
  ) {
    this.#planes = planes;
    this.#plugins = config.blocks;
    this.#blocks = blocks;
    this.#silent = new Recent(ASK_AGAIN_MS, () => this.#ask());
  }

  /** Names of what is not ready, each once, sorted. They may be a tenth of a second old. */
  async missing(nowMs = performance.now()): Promise<string[]> {
    if (this.#allDone()) return [];
    let silent: Set<string>;
    try {
      silent = await this.#silent.get(nowMs);
    } catch {
      return [DATA_PLANE];
    }
    const names = new Set<string>();
    for (const [block, { continuously }] of this.#blocks) {
      for (const { name } of this.#plugins[block]!.plugins) {
        const key = `${block} ${name}`;
        if (!silent.has(key)) this.#done.add(key);
        else if (continuously || !this.#done.has(key)) names.add(name);
      }
    }
    return [...names].sort();
  }

  /** What is not ready in some data plane, as in `#done`. */
  async #ask(): Promise<Set<string>> {
    const request = { block: -1, position: -1, request: null };
    const answers = await Promise.all(
      this.#planes.map((plane) => plane.ask(request, LIMIT_MS) as Promise<[number, string][]>),
    );
    return new Set(answers.flat().map(([block, name]) => `${block} ${name}`));
  }

  #allDone(): boolean {
    for (const [block, { continuously }] of this.#blocks) {
      if (continuously) return false;
      const { plugins } = this.#plugins[block]!;
      if (plugins.some(({ name }) => !this.#done.has(`${block} ${name}`))) return false;
    }
    return true;
  }
}
