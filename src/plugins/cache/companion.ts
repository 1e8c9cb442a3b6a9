import type { CreateCompanion } from "../companion.ts";
import { Persistence } from "./companion/persistence.ts";

/** Keeps caches in files (`persist`). */
export const createCacheCompanion: CreateCompanion = ({ planes, log, shared }) => ({
  keeper: new Persistence(planes, log, shared),
});
