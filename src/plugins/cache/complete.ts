import { shareOf } from "../../config/memory_limit.ts";
import type { WholeConfig } from "../controller.ts";
import type { CacheOptions } from "./options.ts";

/**
 * Gives caches without a `capacity_bytes` their share of the memory that the process may take. Two
 * caches in one file would overwrite each other's entries, so that is a fault.
 */
export function completeCaches({ config, uses, fault }: WholeConfig<CacheOptions>): void {
  const taken = new Map<string, string>();
  for (const { block: { file }, line, options } of uses) {
    if (config.memoryBytes !== undefined) {
      options.capacityBytes ??= shareOf(config.memoryBytes, uses.length);
    }
    const path = options.persist?.file;
    if (path === undefined) continue;
    const other = taken.get(path);
    if (other === undefined) {
      taken.set(path, `${file}:${line}`);
    } else {
      fault({ file, line }, `persist: "${path}" is the file of ${other} already (name another)`);
    }
  }
}
