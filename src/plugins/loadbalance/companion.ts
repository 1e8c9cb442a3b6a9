import { FileWatch } from "../../follow/file_watch.ts";
import { type CreateCompanion, usesOf } from "../companion.ts";
import type { LoadbalanceOptions } from "./options.ts";
import { readWeights } from "./weights.ts";

/** Follows weight files. */
export const createLoadbalanceCompanion: CreateCompanion = ({ log }) => ({
  follow(config, { deliver }) {
    const uses = usesOf<LoadbalanceOptions>(config, "loadbalance");
    const watches = uses.flatMap(({ block, position, options: { weighted } }) => {
      if (!weighted?.follow) return [];
      const { file, names } = weighted;
      let known = JSON.stringify(names);
      return new FileWatch(file, {
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
      });
    });
    return {
      prepare: () => Promise.resolve([]),
      start: () => watches.forEach((watch) => watch.start()),
      stop: async () => void await Promise.all(watches.map((watch) => watch.stop())),
    };
  },
});

function problemOf(text: string): string | null {
  try {
    readWeights(text);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
