import type { PluginTraits } from "../traits.ts";
import type { CacheOptions } from "./options.ts";

/** Traits of `cache`. */
export const cacheTraits: PluginTraits<CacheOptions> = {
  cachedAnswers: ({ success, denial }) => success.capacity + denial.capacity,
  parts: ({ keep, searchCut }) => [
    ...keep === undefined ? [] : ["keep" as const],
    ...searchCut === undefined ? [] : ["search_cut" as const],
  ],
};
