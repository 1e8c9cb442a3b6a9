import type { CreateCompanion } from "../companion.ts";
import { Persistence } from "./companion/persistence.ts";
import { cacheVerbs } from "./companion/verbs.ts";

/** Persists caches in files; flushes and shows them for operators. */
export const createCacheCompanion: CreateCompanion = ({ planes, log, shared }) => {
  const persistence = new Persistence({ planes, log, shared });
  return { keeper: persistence, verbs: cacheVerbs({ planes, persistence }) };
};
