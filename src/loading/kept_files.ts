import { CorefileError } from "../corefile/error.ts";
import type { Faults } from "../corefile/faults.ts";
import type { CacheOptions } from "../plugins/cache/options.ts";
import type { BlockConfig } from "../config/types.ts";

/** Two caches in one file would write over each other's entries: each such directive is a fault. */
export function checkKeptFiles(blocks: readonly BlockConfig[], faults: Faults): void {
  const taken = new Map<string, string>();
  for (const { file, plugins } of blocks) {
    for (const { name, line, options } of plugins) {
      if (name !== "cache") continue;
      const { persist } = options as CacheOptions;
      if (persist === null) continue;
      const other = taken.get(persist.file);
      if (other === undefined) {
        taken.set(persist.file, `${file}:${line}`);
      } else {
        const what = `persist: "${persist.file}" is the file of ${other} already (name another)`;
        faults.add(new CorefileError({ file, line }, name, what));
      }
    }
  }
}
