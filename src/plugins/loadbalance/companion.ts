import type { Config } from "../../config/types.ts";
import { FileWatch } from "../../follow/file_watch.ts";
import type {
  Companion,
  CompanionServices,
  CreateCompanion,
  Deliver,
  Delivery,
  Follower,
} from "../companion.ts";
import type { LoadbalanceOptions } from "./options.ts";
import { readWeights } from "./weights.ts";

/** Follows weight files. */
export const createLoadbalanceCompanion: CreateCompanion = ({ log }): Companion => ({
  follow: (config, { deliver }) => new WeightFiles(config, deliver, log),
});

class WeightFiles implements Follower {
  readonly #watches: FileWatch[] = [];

  constructor(config: Config, deliver: Deliver, log: CompanionServices["log"]) {
    for (const [block, { plugins }] of config.blocks.entries()) {
      for (const [position, { name, options }] of plugins.entries()) {
        if (name !== "loadbalance") continue;
        const { weighted } = options as LoadbalanceOptions;
        if (weighted === null || !weighted.follow) continue;
        const { file, names } = weighted;
        let known = JSON.stringify(names);
        this.#watches.push(
          new FileWatch(file, {
            check: problemOf,
            onText: (text) => {
              const data = readWeights(text);
              // Unchanged since the configuration was read.
              if (JSON.stringify(data) === known) return;
              known = JSON.stringify(data);
              deliver(block, position, data);
              log("info", `plugin/loadbalance: read the weights of ${file}`);
            },
            onProblem: (why) =>
              log("warning", `plugin/loadbalance: Cannot use "${file}": ${why}; the weights stay`),
            troubled: names.length === 0,
          }),
        );
      }
    }
  }

  prepare(): Promise<Delivery[]> {
    return Promise.resolve([]);
  }

  start(): void {
    for (const watch of this.#watches) watch.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#watches.map((watch) => watch.stop()));
  }
}

function problemOf(text: string): string | null {
  try {
    readWeights(text);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
