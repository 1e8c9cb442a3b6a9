import type { Verb } from "../../verbs.ts";
import type { VerbServices } from "./verb_targets.ts";

/** Verbs of caches, loaded when used. */
export function cacheVerbs(services: VerbServices): Verb[] {
  return [
    {
      name: "flush",
      changes: true,
      parameters: ["name", "zone", "all", "type", "block"],
      run: async (call) => (await import("./flush.ts")).flush(call, services),
    },
    {
      name: "lookup",
      parameters: ["name", "type", "block"],
      run: async (call) => (await import("./list_entries.ts")).lookup(call, services),
    },
    {
      name: "dump",
      parameters: ["zone", "block"],
      run: async (call) => (await import("./list_entries.ts")).dump(call, services),
    },
  ];
}
