import type { CreateCompanion } from "../companion.ts";
import { Persistence } from "./companion/persistence.ts";

/** Persists caches in files. */
export const createCacheCompanion: CreateCompanion = ({ planes, log, shared }) => ({
  keeper: new Persistence({ planes, log, shared }),
});
