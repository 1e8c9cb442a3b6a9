import { Lazy } from "../../base/lazy.ts";

/** Of `keep`; loaded before a handler with it is created (`traits.ts`). */
export const KEEP = new Lazy(() => import("./pinned/pinned_names.ts"));
/** Of `search_cut`; likewise. */
export const SEARCH_CUT = new Lazy(() => import("./search_cut/search_cut.ts"));
/** Loaded for the first explanation. */
export const EXPLAIN = new Lazy(() => import("./explain.ts"));
/** Loaded for the first request to save or load. */
export const SNAPSHOT = new Lazy(() => import("./persist/snapshot.ts"));
